"""The loop of Gibbs on a sampler whose law is known: a bivariate normal, drawn one coordinate at a time."""

import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from neurolatent import precision
from neurolatent.checks import InputError
from neurolatent.choices import Gibbs, Run
from neurolatent.engines import gibbs
from neurolatent.engines.checkpoint import NAME

RHO = 0.6


class Point(NamedTuple):
    x: Any


@dataclass(frozen=True)
class Normal:
    def gibbs_start(self, key, data, chain):
        return Point(jnp.full(2, 5.0 * chain))

    def gibbs_sweep(self, params, data, key, settling):
        noise = jnp.sqrt(1 - RHO**2) * jax.random.normal(key, (2,))
        first = RHO * params.x[1] + noise[0]
        now = Point(jnp.stack([first, RHO * first + noise[1]]))
        return now, {"log_joint": -(now.x**2).sum(), "first": first, "settling": jnp.asarray(settling, float)}

    def gibbs_kept(self, params):
        return params

    def gibbs_draws(self, kept):
        return kept


def run(settings: Gibbs, **options: Any):
    with precision.double():
        return gibbs.run(
            settings, Normal(), {"none": np.zeros(1)}, jax.random.key(3), options=Run(**options), identity={}
        )


LONG = Gibbs(chains=2, warmup=40, draws=4000, keep=2000)


def same(first: Any, second: Any) -> None:
    np.testing.assert_array_equal(first.draws.x, second.draws.x)
    for name in first.trace:
        np.testing.assert_array_equal(first.trace[name], second.trace[name])


def test_draws_have_the_law_and_stand_where_they_were_told():
    trained = run(LONG)
    assert trained.converged
    assert trained.draws.x.shape == (2, 2000, 2)
    flat = trained.draws.x.reshape(-1, 2)
    np.testing.assert_allclose(flat.mean(axis=0), 0.0, atol=0.1)
    np.testing.assert_allclose(np.cov(flat, rowvar=False), [[1, RHO], [RHO, 1]], atol=0.1)
    np.testing.assert_array_equal(trained.trace["first"][:, 1::2], trained.draws.x[..., 0])  # every second is kept
    best = np.unravel_index((trained.trace["log_joint"][:, 1::2]).argmax(), (2, 2000))
    np.testing.assert_array_equal(trained.params.x, trained.draws.x[best])


def test_settling_is_over_before_the_first_draw():
    assert (run(Gibbs(chains=1, warmup=4, draws=4, keep=4, settling=1.0)).trace["settling"] == 0.0).all()
    assert (run(Gibbs(chains=1, warmup=0, draws=4, keep=4)).trace["settling"] == 0.0).all()


def test_the_cut_into_chunks_changes_nothing():
    same(run(LONG, chunk_seconds=1e-6), run(LONG, chunk_seconds=5.0))


def press_ctrl_c_once(path: Path) -> None:
    def wait_and_press() -> None:
        while not path.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=wait_and_press, daemon=True).start()


def test_interrupted_is_partial_and_resumed_is_the_uninterrupted_to_the_bit(tmp_path):
    settings = Gibbs(chains=2, warmup=1, draws=100_000, keep=100_000)
    press_ctrl_c_once(tmp_path / "checkpoint" / NAME)
    part = run(settings, folder=tmp_path, chunk_seconds=0.01)
    assert part.interrupted
    assert not part.converged
    count = part.draws.x.shape[1]
    assert 0 < count == part.trace["first"].shape[1] < 100_000
    whole = run(settings)
    np.testing.assert_array_equal(part.draws.x, whole.draws.x[:, :count])
    same(run(settings, folder=tmp_path, resume=True), whole)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"chains": 0}, "chains must be a whole number of at least 1"),
        ({"draws": 100, "keep": 30}, "multiple of keep"),
        ({"settling": 2.0}, "share of the warm-up"),
    ],
)
def test_settings_refuse_what_cannot_be(fields, message):
    with pytest.raises(InputError, match=message):
        Gibbs(**fields)
