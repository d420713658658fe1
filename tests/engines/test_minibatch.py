"""Minibatch variational inference as an engine, on a toy whose bound is known, and cut, stopped and continued."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from neurolatent.choices import MinibatchVI, Run
from neurolatent.engines import minibatch
from neurolatent.models.protocols import Bound


class Mean(NamedTuple):
    value: jax.Array


class Rows(NamedTuple):
    y: np.ndarray


@dataclasses.dataclass(frozen=True)
class Quadratic:
    """A bound of -(y - value)^2 for each sequence, whose best value is their mean; no number beyond a limit."""

    limit: float = 1e9

    def free_start(self, key, data, *, restart):
        return Mean(np.array(float(restart)))

    def bound(self, free, data, key, kl_weight):
        each = -((data.y - free.value) ** 2) * kl_weight
        each = jnp.where(free.value < self.limit, each, jnp.nan)
        return Bound(each, each)

    def free_log_prior(self, free, data):
        return jnp.zeros(())

    def params_at(self, free, data):
        return free


DATA = Rows(np.random.default_rng(0).normal(3.0, 0.1, 50))
SETTINGS = MinibatchVI(epochs=60, batch=10, learning_rate=0.1, final_rate=1e-3, patience=60, restarts=2)


def run(settings=SETTINGS, model=Quadratic(), key=0, options=None):  # noqa: B008
    return minibatch.run(settings, model, DATA, jax.random.key(key), options=options or Run(), identity={})


@pytest.fixture(scope="module")
def once():
    return run()


def test_it_climbs_to_the_optimum_of_the_training_sequences(once):
    words = np.asarray(jax.random.key_data(jax.random.key(0)))
    split = minibatch.split_data(SETTINGS, DATA, np.random.default_rng(words))
    assert (len(split.train.y), len(split.held.y)) == (42, 8)
    assert abs(float(once.params.value) - split.train.y.mean()) < 0.03
    assert once.converged
    assert once.trace["objective"].shape == once.trace["held_out"].shape == (2, 60)


def test_the_restart_with_the_best_held_out_bound_is_taken(once):
    assert int(once.trace["best"]) == int(np.argmax(np.nanmax(once.trace["held_out"], axis=1)))


@pytest.mark.parametrize("chunk", [1e-9, 100.0])
def test_the_result_does_not_depend_on_how_the_loop_is_cut(once, chunk):
    again = run(options=Run(chunk_seconds=chunk))
    np.testing.assert_array_equal(again.params.value, once.params.value)
    np.testing.assert_array_equal(again.trace["objective"], once.trace["objective"])


def test_an_interrupted_run_goes_on_to_the_bit(once, tmp_path, monkeypatch):
    real, calls = minibatch._advance, []

    def interrupting(*arguments):
        calls.append(1)
        if len(calls) == 5:
            import signal

            signal.raise_signal(signal.SIGINT)
        return real(*arguments)

    monkeypatch.setattr(minibatch, "_advance", interrupting)
    stopped = run(options=Run(folder=tmp_path, chunk_seconds=1e-9))
    assert stopped.interrupted
    assert not stopped.converged
    monkeypatch.setattr(minibatch, "_advance", real)
    again = run(options=Run(folder=tmp_path, resume=True))
    np.testing.assert_array_equal(again.params.value, once.params.value)
    np.testing.assert_array_equal(again.trace["held_out"], once.trace["held_out"])


def test_a_bound_that_is_no_number_stops_it_and_keeps_what_was_before():
    out = run(dataclasses.replace(SETTINGS, restarts=1, validation=0.0), Quadratic(limit=1.0))
    assert not out.converged
    assert "no number at step" in out.warnings[0]
    step = int(out.warnings[0].split("at step ")[1].split()[0])
    assert 5 < step < 20
    assert 0.9 < float(out.params.value) < 1.3


def test_it_stops_after_patience_and_keeps_the_best_epoch():
    out = run(dataclasses.replace(SETTINGS, patience=3, learning_rate=1.0, final_rate=1.0, restarts=1))
    own = out.trace["held_out"][0]
    assert len(own) < 60
    assert int(out.trace["best_epoch"]) == int(np.nanargmax(own)) + 1 == len(own) - 3


def test_few_epochs_are_told():
    out = run(dataclasses.replace(SETTINGS, learning_rate=2e-3, restarts=1, validation=0.0, tolerance=0.0))
    assert "still changed" in out.warnings[0]


def test_settings_that_contradict_each_other_are_refused():
    with pytest.raises(ValueError, match="final_rate must be at most learning_rate"):
        MinibatchVI(learning_rate=1e-4, final_rate=1e-3)
    with pytest.raises(ValueError, match="validation must be a share below 1"):
        MinibatchVI(validation=1.0)
