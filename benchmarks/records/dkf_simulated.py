"""Does a discriminative filter see what no generative Gaussian filter can, and does it beat many particles?

The three simulated experiments of Burkhart et al. (2020), sections 4.2 to 4.4, as redrawn in
neurolatent.models.dkf.synthetic: a mixture of two linear observations of opposite sign, binary channels that turn
round, and the first with a state that turns. In all of them E[x | z] is constant, so that Kalman, extended and
unscented filters can only predict zero. Root mean squared errors of the exact regression alone, the DKF (rule ``clip``)
and the robust DKF, over 1 to 1,000 channels, which are the first of one draw; and a particle filter that knows
the model, with its time beside that of the DKF, regression included, both compiled and in one run.

Writes, beside this script, dkf_simulated.json.

Run: ``python benchmarks/records/dkf_simulated.py [BINS]``.
"""

import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
from _record import Record

from neurolatent import precision
from neurolatent.compiling import compiled
from neurolatent.models.dkf.filtering import How, Measured, information
from neurolatent.models.dkf.motion import Turning
from neurolatent.models.dkf.synthetic import LinearMixture, Told, course, state_model
from neurolatent.models.dkf.synthetic_binary import BinaryMixture
from neurolatent.ops.indefinite import Rule
from neurolatent.ops.kalman import Dynamics, kalman_filter
from neurolatent.ops.nonlinear_kalman import Moving, filter_told, unscented
from neurolatent.ops.particle import Swarm, particle_filter

QUESTION = "does the DKF see what no other Gaussian filter can, and does it beat 1,000 particles?"
SEED, LATENT, CHANNELS, PARTICLES = 0, 10, (1, 3, 10, 32, 100, 316, 1000), 1000
BESIDE = (10, 100)  # channels at which the particle filter runs
EXPERIMENTS = {"mixture": (LinearMixture, False), "binary": (BinaryMixture, False), "turning": (LinearMixture, True)}
STATE, TURNED = state_model(LATENT), Turning()


@compiled(static=(0, 1))
def discriminative(rule: Rule | None, turns: bool, told: Told) -> tuple:  # noqa: FBT001 (a static argument)
    """Filtered means, and the share of bins in which the rule stepped in."""
    dynamics = Dynamics(
        jnp.asarray(STATE.transition), jnp.asarray(STATE.innovation), jnp.zeros(LATENT), jnp.eye(LATENT)
    )
    said, _ = information(How(rule, True), dynamics.cov, Measured(*told, jnp.ones(len(told.mean), bool)))
    if not turns:
        return kalman_filter(dynamics, said.seen).mean, said.indefinite.mean()
    moving = Moving(lambda z: dynamics.transition @ TURNED(z), dynamics.innovation, dynamics.mean, dynamics.cov)
    return filter_told(moving, said.seen, push=unscented).mean, said.indefinite.mean()


def particles(observed, turns: bool):
    """The compiled particle filter of one experiment."""
    root = jnp.linalg.cholesky(jnp.asarray(STATE.innovation))
    noise = lambda key: jax.random.normal(key, (PARTICLES, LATENT))  # noqa: E731

    def move(key, points):
        return (TURNED(points) if turns else points) @ STATE.transition.T + noise(key) @ root.T

    @jax.jit
    def run(key, x):
        swarm = Swarm(noise, move)
        found = particle_filter(key, swarm, observed.log_density, x, jnp.ones(len(x), bool))
        return found.mean, found.effective.mean()

    return run


def rmse(z: np.ndarray, mean) -> float:
    """Root mean squared error over bins and axes."""
    return float(np.sqrt(np.mean((z - np.asarray(mean)) ** 2)))


def seconds_of(run, *arguments) -> float:
    """Best of two runs after one that compiled."""
    spent = []
    for _ in range(2):
        begin = time.perf_counter()
        jax.block_until_ready(run(*arguments))
        spent.append(time.perf_counter() - begin)
    return min(spent)


def measured(name: str, bins: int, channels: tuple[int, ...], seed: int = SEED) -> dict[str, float]:
    """Figures of one experiment."""
    kind, turns = EXPERIMENTS[name]
    rng, figures = np.random.default_rng([seed, list(EXPERIMENTS).index(name)]), {}
    whole = kind.random(rng, max(channels), LATENT)
    z = course(rng, bins, STATE, turns=turns)
    x = whole.draw(rng, z)
    for count in channels:
        observed, seen = whole.first(count), x[:, :count]
        told = observed.told(seen)
        found, indefinite = discriminative(Rule.CLIP, turns, told)
        here = {"regression": rmse(z, told.mean), "dkf": rmse(z, found), "indefinite_share": float(indefinite)}
        here["robust"] = rmse(z, discriminative(None, turns, told)[0])
        if count in BESIDE:
            here |= beside(observed, turns, z, seen)
        figures |= {f"{name}.{count}.{key}": round(value, 6) for key, value in here.items()}
        print(name, count, {k: round(v, 4) for k, v in here.items()}, file=sys.stderr, flush=True)
    return figures


def beside(observed, turns: bool, z: np.ndarray, x: np.ndarray) -> dict[str, float]:
    """The particle filter's error, and what a bin costs with both."""
    run = particles(observed, turns)
    key = jax.random.key(SEED)
    mean, effective = run(key, x)
    ours = lambda: discriminative(Rule.CLIP, turns, observed.told(x))  # noqa: E731
    spent = {"particle": seconds_of(run, key, x), "dkf": seconds_of(ours)}
    out = {f"{name}.seconds_per_bin": value / len(x) for name, value in spent.items()}
    return {"particle": rmse(z, mean), "particle.effective": float(effective), **out}


def main(bins: int) -> None:
    """Run all of it and write the figures after every experiment."""
    record, figures = Record("dkf_simulated", QUESTION, SEED, arguments=[bins]), {}
    for name in EXPERIMENTS:
        with precision.double():
            figures |= measured(name, bins, CHANNELS)
        record.write(figures, bins=bins, particles=PARTICLES)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
