"""Why does a PV-RNN leave B for C too rarely? Eight trials on the machine of three states, at w = 0.025.

As the recipe of the sweep has it (10 x 24 symbols, 20,000 epochs, five seeds that train side by side), and with one
thing changed: 5,000 epochs; over as many the bound averaged over eight draws of the noise; a rate that falls to 1e-5; a
free posterior; w = 1, which is the evidence lower bound itself; the same on sequences of 120 steps (over 6,000 epochs);
60 training sequences (over 8,000 epochs). Of each network a closed loop of 50,000 steps: the rate of B to C, the mean
probability of C after B (so that it does not hang on taking the likeliest symbol), illegal transitions; the rate in
2,000 runs of 24 steps too, as long as the training sequences; and the divergence beside the nats that the choices of a
sequence hold.

Writes, beside this script, pvrnn_fsm_trials.json: medians, least and largest values over the seeds.

Run: ``python benchmarks/records/pvrnn_fsm_trials.py [TRIAL ...]``.
"""

import datetime
import json
import platform
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from neurolatent import precision
from neurolatent.choices import MinibatchVI, Run
from neurolatent.compiling import key_of
from neurolatent.fitting import fit_beside
from neurolatent.models.protocols import Bound
from neurolatent.models.pvrnn import PVRNN, Layer, Symbols
from neurolatent.models.pvrnn.generation import sampled
from neurolatent.models.pvrnn.synthetic import MACHINE, fsm_case
from neurolatent.ops.symbols import transition_counts, transition_shares
from neurolatent.recipe.patterns import LOOP, SETTLING, pattern_figures
from neurolatent.result import Fit
from neurolatent.result.build import versions

HERE, SEEDS, DRAWS = Path(__file__).parent, range(5), 8
SHORT, STEPS = 2_000, 24  # runs as long as the training sequences
MODEL = PVRNN((Layer(10, 1, 2.0),), likelihood=Symbols(3), w=0.025)
ENGINE = MinibatchVI(20_000, None, 1e-3, 1e-3, clip=None, validation=0.0)


@dataclass(frozen=True)
class ManyDraws(PVRNN):
    """The same network, whose bound is the mean over several draws of the noise."""

    def bound(self, free: Any, data: Any, key: Any, kl_weight: Any) -> Bound:
        """The mean of the bounds, and of their parts."""
        if key is None:
            return super().bound(free, data, key, kl_weight)
        each = jax.vmap(lambda k: super(ManyDraws, self).bound(free, data, k, kl_weight))(jax.random.split(key, DRAWS))
        return jax.tree.map(lambda leaf: leaf.mean(axis=0), each)


MANY = ManyDraws(MODEL.layers, likelihood=MODEL.likelihood, w=MODEL.w)
ONE = replace(MODEL, w=1.0)
TRIALS = {  # model, engine, training sequences and their steps
    "as_written": (MODEL, ENGINE, 10, STEPS),
    "eight_draws_of_noise": (MANY, replace(ENGINE, epochs=5_000), 10, STEPS),
    "as_written_5000_epochs": (MODEL, replace(ENGINE, epochs=5_000), 10, STEPS),
    "falling_rate": (MODEL, replace(ENGINE, final_rate=1e-5), 10, STEPS),
    "free_posterior": (replace(MODEL, posterior_form="free"), ENGINE, 10, STEPS),
    "w_of_one": (ONE, ENGINE, 10, STEPS),
    "w_of_one_120_steps": (ONE, replace(ENGINE, epochs=6_000), 10, 120),
    "sixty_sequences": (MODEL, replace(ENGINE, epochs=8_000), 60, STEPS),
}


def measured(fit: Fit, seed: int) -> dict[str, float]:
    """Figures of one network, of which those of the closed loop by the draws of its seed."""
    with precision.double():
        made = sampled(MODEL.beside(), fit.params._replace(adaptive=None), key_of(seed), 1, LOOP + SETTLING, 1.0)
        told = np.asarray(made.told)[0, SETTLING:, 0]
        short = sampled(MODEL.beside(), fit.params._replace(adaptive=None), key_of(seed), SHORT, STEPS, 1.0)
        rows = np.asarray(short.told)[:, :, 0].argmax(axis=2)
    loop = told.argmax(axis=1)
    counts = transition_counts(loop, 3)
    figures = {
        "rate_b_to_c": transition_shares(counts)[1, 2],
        "illegal_share": counts[MACHINE == 0].sum() / counts.sum(),
    }
    within = np.sum([transition_counts(row, 3) for row in rows], axis=0)
    figures["rate_b_to_c_in_short_runs"] = transition_shares(within)[1, 2]
    figures["probability_of_c_after_b"] = told[1:][loop[:-1] == 1, 2].mean()
    own = pattern_figures(fit)
    return {name: float(v) for name, v in figures.items()} | {"rec_nats": own["rec"], "kl_nats": own["kl.1"]}


def trial(name: str) -> dict[str, float]:
    """Medians and ranges over the seeds, the nats of the choices in the training data, and seconds of the processor."""
    model, engine, count, steps = TRIALS[name]
    data, begin = fsm_case(0, sequences=count, steps=steps), time.process_time()
    fits = fit_beside([model] * len(SEEDS), data, engine=engine, seeds=list(SEEDS), run=Run(quiet=True))
    runs = [measured(fit, seed) for fit, seed in zip(fits, SEEDS, strict=True)]
    flat = {f"{name}.cpu_seconds": round(time.process_time() - begin, 1)}
    for figure in runs[0]:
        values = np.array([run[figure] for run in runs])
        for word, value in (("median", np.median(values)), ("least", values.min()), ("largest", values.max())):
            flat[f"{name}.{figure}.{word}"] = round(float(value), 4)
    return flat | {
        f"{name}.{key}": value for key, value in choices(data.signal("symbol").values.reshape(count, -1)).items()
    }


def choices(symbols: np.ndarray) -> dict[str, float]:
    """The rate of B to C in the training data, and the nats that the exits of B of a sequence hold."""
    exits = (symbols[:, :-1] == 1).sum() / len(symbols)
    taken = ((symbols[:, :-1] == 1) & (symbols[:, 1:] == 2)).sum() / len(symbols)
    share = taken / exits
    entropy = -share * np.log(share) - (1 - share) * np.log(1 - share)
    return {"data.rate_b_to_c": round(float(share), 4), "data.nats_of_choices": round(float(exits * entropy), 3)}


def record(names: list[str]) -> None:
    """Run these trials and write the figures after every one; those of the other trials stay."""
    path = HERE / "pvrnn_fsm_trials.json"
    figures = json.loads(path.read_text("utf-8"))["figures"] if path.is_file() else {}
    for name in names:
        figures = {key: value for key, value in figures.items() if key.split(".")[0] != name} | trial(name)
        print(name, figures[f"{name}.rate_b_to_c.median"], flush=True)
        facts = {
            "question": "why does a PV-RNN leave B for C too rarely: weight, noise, rate, form or few data?",
            "command": "python benchmarks/records/pvrnn_fsm_trials.py",
            "seed": list(SEEDS),
            "date": datetime.date.today().isoformat(),
            "machine": f"{platform.machine()}, {platform.system()}",
            "seconds": round(sum(value for key, value in figures.items() if key.endswith("cpu_seconds")), 1),
            "versions": versions(),
            "figures": figures,
        }
        path.write_text(json.dumps(facts, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    record(sys.argv[1:] or list(TRIALS))
