"""How long do an epoch of the PV-RNN and an observation of its error regression take, beside a plain PyTorch loop?

Three networks: of the arm (48 x 200 x 5 random values, three layers), twelve of the machine of three states side by
side (10 x 24 symbols, one layer), and error regression on the arm's network (window of 10 steps, 50 iterations). The
peer is the same network, loss, Adam and noise in a loop over steps and layers as one writes it in PyTorch, on one
thread; its twelve networks train one after the other. Told are milliseconds of the wall and of the processor, both in
one run.

    python benchmarks/pvrnn.py [--peer PYTHON]

PyTorch is not in the lock file: PYTHON is that of an environment of its own (`pip install torch numpy`), in which this
file runs itself.

Answer of 2026-11-27, two cores shared with much other work, so in milliseconds of the processor, and in brackets of the
wall: an epoch of the arm 32 (80) and 759 of PyTorch 2.13, an observation 8.1 (8.5) and 1,753, an epoch of the twelve
networks 3.2 (9.0) and 323: 24, 216 and 102 times. The published PyTorch code took 650 for an epoch of the arm, C++ 31.

Since then the way back is written by hand. Before and after in turns on one core, the same day, medians of 25, 25 and
12 pairs, milliseconds of the processor: an observation 5.0 and 4.2, an epoch of the twelve networks 2.3 and 1.8, of the
arm 25 and 23; median ratios 0.84, 0.79 and 0.81. (The 3.2 above were over 600 epochs, with the start and the end
of the fit in them.) Of an observation's 50 iterations each goes ten steps there and ten back, at 1.9 and 1.6 us a step,
which is 35 of about 60 us. Unrolling these loops was no faster and took twice as long to compile.

With nothing else running, one run each, milliseconds of the wall on two cores and, held to one, in brackets: an epoch
of the arm 21.1 (23.0), an observation 9.0 (3.6), an epoch of the twelve networks 2.47 (1.86). Threads cost an
observation more than they bring: a stream is best held to one core.
"""

import argparse
import json
import subprocess
import sys
import time

import numpy as np

LAYERS = {"arm": ((15, 3, 2.0), (15, 1, 4.0), (15, 1, 8.0)), "machine": ((10, 1, 2.0),)}  # d, z, tau
W, WINDOW, ITERATIONS, RATE, NETWORKS = 0.005, 10, 50, 0.05, 12
EPOCHS = {"arm": 60, "machine": 6_000}  # of ours; the start and the end of a fit, about a second, are in it
PEER_EPOCHS = {"arm": 3, "machine": 5}


def material(name: str) -> np.ndarray:
    """(sequences, time, channels) values, or one-hot symbols."""
    rng = np.random.default_rng(0)
    if name == "arm":
        return rng.uniform(-0.9, 0.9, (48, 200, 5))
    return np.eye(3)[rng.integers(0, 3, (10, 24))]


def clocks() -> np.ndarray:
    """Seconds of the wall and of the processor."""
    return np.array([time.perf_counter(), time.process_time()])


def ours() -> dict:
    """Milliseconds of the wall and of the processor, compilation apart."""
    from neurolatent.choices import MinibatchVI, Run
    from neurolatent.compiling import key_of
    from neurolatent.engines import minibatch
    from neurolatent.models.pvrnn import PVRNN, ErrorRegression, Layer, Symbols, UnitGaussian
    from neurolatent.models.pvrnn.door import PVRNNData

    found = {}
    for name, count in (("arm", 1), ("machine", NETWORKS)):
        values = material(name)
        target = values[..., None] if name == "arm" else values[:, :, None]
        ones = np.ones(target.shape[:3])
        data = PVRNNData(target, 0 * ones, ones, ones[:, :, 0], np.arange(len(values)))
        likelihood = UnitGaussian("tanh") if name == "arm" else Symbols(3)
        model = PVRNN(tuple(Layer(*layer) for layer in LAYERS[name]), likelihood=likelihood, w=W, recognition=
                      ErrorRegression(WINDOW, ITERATIONS, RATE, horizon=1, draws=1))  # fmt: skip
        settings = MinibatchVI(EPOCHS[name], None, 1e-3, 1e-3, clip=None, validation=0.0)
        keys = [key_of(seed) for seed in range(count)]
        minibatch.run_beside(settings, [model] * count, data, keys, options=Run())  # compiles
        begin = clocks()
        trained = minibatch.run_beside(settings, [model] * count, data, keys, options=Run())
        spent = clocks() - begin
        compiling = trained[0].compile_seconds
        found[name] = ((spent - compiling) / EPOCHS[name] * 1e3).tolist()
        if name == "arm":
            stream = model.stream(trained[0].params)
            for row in values[0, :20]:
                stream.update(row)
            begin = clocks()
            for row in values[0, 20:60]:
                stream.update(row)
            found["observation"] = ((clocks() - begin) / 40 * 1e3).tolist()
    return found


class Plain:
    """The network in PyTorch: a list of weights, a loop over steps and layers."""

    def __init__(self, name: str) -> None:
        """Random weights, adaptive arrays at zero."""
        import torch

        self.torch, self.name, self.layers = torch, name, LAYERS[name]
        self.target = torch.tensor(material(name), dtype=torch.float32)
        count, time, outputs = self.target.shape
        make = lambda *size: torch.nn.Parameter(0.3 * torch.randn(*size))  # noqa: E731
        self.weights, self.own = [], [torch.nn.Parameter(torch.zeros(count, time, 2 * z)) for _, z, _ in self.layers]
        for n, (d, z, _) in enumerate(self.layers):
            above = self.layers[n + 1][0] if n + 1 < len(self.layers) else 1
            self.weights.append(
                [make(d, d), make(z, d), make(above, d), make(d), make(d, 2 * z), make(2 * z), make(d, 2 * z)]
            )
        self.output = [make(self.layers[0][0], outputs), make(outputs)]
        flat = [w for layer in self.weights for w in layer] + self.output
        self.adam = torch.optim.Adam([*flat, *self.own], 1e-3)

    def loss(self, own: list, target):  # type: ignore[no-untyped-def]
        """The objective, averaged over sequences."""
        torch = self.torch
        count, time, _ = target.shape
        hidden = [torch.zeros(count, d) for d, _, _ in self.layers]
        total = torch.zeros(())
        for t in range(time):
            before = [torch.tanh(h) for h in hidden]
            for n in reversed(range(len(self.layers))):
                recurrent, latent, above, bias, prior, prior_bias, posterior = self.weights[n]
                _, z, tau = self.layers[n]
                q_mean, q_log = (own[n][:, t] + before[n] @ posterior).chunk(2, dim=-1)
                p_mean, p_log = (before[n] @ prior + prior_bias).chunk(2, dim=-1)
                q_mean, p_mean, q_log, p_log = (
                    torch.tanh(q_mean),
                    torch.tanh(p_mean),
                    q_log.clamp(-7, 3),
                    p_log.clamp(-7, 3),
                )
                drawn = q_mean + torch.exp(q_log) * torch.randn(count, z)
                u = before[n] @ recurrent + drawn @ latent + bias
                if n + 1 < len(self.layers):
                    u = u + torch.tanh(hidden[n + 1]) @ above
                hidden[n] = (1 - 1 / tau) * hidden[n] + u / tau
                kl = p_log - q_log + ((q_mean - p_mean) ** 2 + torch.exp(2 * q_log)) / (2 * torch.exp(2 * p_log)) - 0.5
                total = total + W * kl.sum() / z
            told = torch.tanh(hidden[0]) @ self.output[0] + self.output[1]
            if self.name == "arm":
                total = total + 0.5 * ((torch.tanh(told) - target[:, t]) ** 2).sum() / target.shape[2]
            else:
                total = total - (torch.log_softmax(told, -1) * target[:, t]).sum()
        return total / count

    def step(self, adam, own: list, target) -> None:  # type: ignore[no-untyped-def]
        """One step of Adam."""
        adam.zero_grad()
        self.loss(own, target).backward()
        adam.step()


def peer() -> dict:
    """The same of PyTorch."""
    import torch

    torch.set_num_threads(1)
    found = {}
    for name, count in (("arm", 1), ("machine", NETWORKS)):
        networks = [Plain(name) for _ in range(count)]
        networks[0].step(networks[0].adam, networks[0].own, networks[0].target)
        begin = clocks()
        for _ in range(PEER_EPOCHS[name]):
            for network in networks:
                network.step(network.adam, network.own, network.target)
        found[name] = ((clocks() - begin) / PEER_EPOCHS[name] * 1e3).tolist()
        if name == "arm":
            own = [torch.nn.Parameter(torch.zeros(1, WINDOW, 2 * z)) for _, z, _ in LAYERS[name]]
            adam = torch.optim.Adam(own, RATE)
            begin = clocks()
            for _ in range(ITERATIONS):
                networks[0].step(adam, own, networks[0].target[:1, :WINDOW])
            found["observation"] = ((clocks() - begin) * 1e3).tolist()
    return found


def main() -> None:
    """Print milliseconds of the wall and of the processor, and the ratio of the latter."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", help="Python of an environment with PyTorch")
    parser.add_argument("--as-peer", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.as_peer:
        print(json.dumps(peer()))
        return
    mine, other = ours(), {}
    if chosen.peer:
        run = subprocess.run([chosen.peer, __file__, "--as-peer"], check=True, capture_output=True, text=True)
        other = json.loads(run.stdout)
    for name, (wall, cpu) in mine.items():
        line = f"{name:<12} ours {wall:8.2f} ms, {cpu:8.2f} of the processor"
        if name in other:
            line += f"; PyTorch {other[name][0]:8.1f} ms, {other[name][1]:8.1f}: {other[name][1] / cpu:.1f} x"
        print(line)


if __name__ == "__main__":
    sys.exit(main())
