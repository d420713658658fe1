"""A small problem on which engines are tried, and its data; also run as a program that is to be killed."""

import sys
from pathlib import Path
from typing import Any

import jax

import neurolatent as nl
from neurolatent.choices import EM, NUTS, SVI, Engine, Run
from neurolatent.recording import Recording
from tests.models.arphmm.recordings import well_separated

MODEL, PARAMS = well_separated()

SLOW_EM = EM(steps=3000, tolerance=0.0, restarts=2, start="random")  # takes long enough to be killed in its middle
SHORT_NUTS = NUTS(chains=2, warmup=80, draws=80, start=EM(steps=20, restarts=1))

LONG_SVI = SVI(steps=4000, start=EM(steps=20, restarts=1))


def recording(lengths: tuple[int, ...] = (60, 45), seed: int = 1) -> Recording:
    return MODEL.simulate(PARAMS, jax.random.key(seed), lengths).select("signal")


def fit(engine: Engine, *, seed: int = 0, run: Run | None = None) -> nl.Fit:
    return nl.fit(MODEL, recording(), engine=engine, seed=seed, run=run)


def numbers(result: nl.Fit) -> dict[str, Any]:
    """Everything that an uninterrupted run and a resumed one must agree in, to the bit."""
    arrays = result.params._asdict()
    if result.draws is not None:
        arrays |= {f"draws {name}": leaf for name, leaf in result.draws._asdict().items()}
    return arrays


if __name__ == "__main__":  # python -m tests.engines.small em|nuts|svi FOLDER
    chosen = {"em": SLOW_EM, "nuts": SHORT_NUTS, "svi": LONG_SVI}[sys.argv[1]]
    fit(chosen, run=Run(folder=Path(sys.argv[2]), resume=True, chunk_seconds=0.02)).save(Path(sys.argv[2]) / "fit.nc")
