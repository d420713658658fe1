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
from neurolatent.models.protocols import ModelWarning

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

    def gibbs_packed(self, kept):
        return kept

    def gibbs_alike(self, packed):
        return packed


@dataclass(frozen=True)
class Ragged(Normal):
    """Draws of several lengths, with NaN beyond their ends; packed they are as long as the longest."""

    number: int = 0  # another one is compiled anew

    def gibbs_kept(self, params):
        places = jnp.arange(8)
        return Point(jnp.where(places < 1 + 2 * jnp.abs(params.x[0]), params.x[0] + places, jnp.nan))

    def gibbs_packed(self, kept):
        width = int(np.isfinite(kept.x).sum(axis=1).max(initial=0))
        return Point(np.nan_to_num(kept.x[:, :width]))

    def gibbs_alike(self, packed):
        width = max(part.x.shape[1] for part in packed)
        return [Point(np.pad(part.x, ((0, 0), (0, width - part.x.shape[1])))) for part in packed]


def run(settings: Gibbs, model: Any = None, **options: Any):
    with precision.double():
        return gibbs.run(
            settings, model or Normal(), {"none": np.zeros(1)}, jax.random.key(3), options=Run(**options), identity={}
        )


LONG = Gibbs(chains=2, warmup=40, draws=4000, keep=2000)


def assert_same(first: Any, second: Any) -> None:
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
    assert_same(run(LONG, chunk_seconds=1e-6), run(LONG, chunk_seconds=5.0))


def test_draws_go_to_the_host_by_and_by_and_are_the_same(monkeypatch):
    settings = Gibbs(chains=2, warmup=3, draws=60, keep=20)
    whole = run(settings, Ragged())
    joined, calls = gibbs._joined, []
    monkeypatch.setattr(gibbs, "_joined", lambda *given: calls.append(1) or joined(*given))
    monkeypatch.setattr(gibbs, "ROOM", 3 * 64.0)  # three draws of eight numbers
    assert_same(run(settings, Ragged(1)), whole)
    assert len(calls) == 2 * (20 // 3 + 1)
    first = whole.trace["first"][:, 2::3]
    lengths = (np.arange(8) < 1 + 2 * np.abs(first)[..., None]).sum(axis=-1)
    assert whole.draws.x.shape == (2, 20, lengths.max())
    np.testing.assert_array_equal(whole.draws.x[..., 0], first)
    np.testing.assert_array_equal((whole.draws.x != 0).sum(axis=-1), lengths)


def test_draws_beyond_the_budget_are_told_before_they_are_drawn(monkeypatch):
    settings = Gibbs(chains=2, warmup=3, draws=60, keep=30)
    needed = 2 * 30 * 64  # of eight numbers
    monkeypatch.setattr(gibbs, "BUDGET", needed)
    assert run(settings, Ragged(3)).warnings == ()
    monkeypatch.setattr(gibbs, "BUDGET", needed - 1)
    with pytest.warns(ModelWarning, match=r"2 chains keep 30 draws of up to 6.4e-05 MB each, 3.84e-06 GB"):
        told = run(settings, Ragged(3)).warnings
    assert len(told) == 1


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
    assert_same(run(settings, folder=tmp_path, resume=True), whole)


def test_draws_on_the_host_are_resumed_to_the_bit(tmp_path, monkeypatch):
    settings, joined, calls = Gibbs(chains=2, warmup=3, draws=4000, keep=4000), gibbs._joined, []

    def join_and_press(*given):
        calls.append(1)
        if len(calls) == 5:
            os.kill(os.getpid(), signal.SIGINT)
        return joined(*given)

    monkeypatch.setattr(gibbs, "ROOM", 10 * 64.0)  # ten draws of eight numbers
    monkeypatch.setattr(gibbs, "_joined", join_and_press)
    part = run(settings, Ragged(2), folder=tmp_path, chunk_seconds=0.01)
    assert part.interrupted
    assert 10 < part.draws.x.shape[1] < 4000
    whole = run(settings, Ragged(2))
    assert len(calls) > 2 * 400
    np.testing.assert_array_equal(part.draws.x, whole.draws.x[:, : part.draws.x.shape[1], : part.draws.x.shape[2]])
    assert_same(run(settings, Ragged(2), folder=tmp_path, resume=True), whole)


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
