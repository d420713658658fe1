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


class Own(NamedTuple):
    shared: jax.Array
    own: jax.Array  # one number for each sequence


@dataclasses.dataclass(frozen=True)
class WithOwn:
    """A bound of -(y - shared - own)^2 - own^2, of which each sequence has its own number."""

    start: float = 0.0

    def free_start(self, key, data, *, restart):
        return Own(np.array(self.start), np.zeros((len(data.y), 1)))

    def parted(self, free):
        return free._replace(own=None), free.own

    def joined(self, shared, own):
        return shared._replace(own=own)

    def bound(self, free, data, key, kl_weight):
        each = -((data.y - free.shared - free.own[:, 0]) ** 2) - free.own[:, 0] ** 2
        return Bound(each, each, {"rec": (data.y - free.shared - free.own[:, 0]) ** 2})

    def free_log_prior(self, free, data):
        return jnp.zeros(())

    def params_at(self, free, data):
        return free


def plain_adam(y, batches, epochs, rate):
    """Adam on numbers in plain loops: a sequence outside of the batch does not move, nor do its moments."""
    value, own = 0.0, np.zeros(len(y))
    m, v, count = 0.0, 0.0, 0
    ms, vs, counts = np.zeros(len(y)), np.zeros(len(y)), np.zeros(len(y))
    for rows in (rows for _ in range(epochs) for rows in batches):
        off = y[rows] - value - own[rows]
        slope, slopes = -2 * off.mean(), (-2 * off + 2 * own[rows]) / len(rows)
        count, m, v = count + 1, 0.9 * m + 0.1 * slope, 0.999 * v + 0.001 * slope**2
        value -= rate * (m / (1 - 0.9**count)) / (np.sqrt(v / (1 - 0.999**count)) + 1e-8)
        counts[rows] += 1
        ms[rows], vs[rows] = 0.9 * ms[rows] + 0.1 * slopes, 0.999 * vs[rows] + 0.001 * slopes**2
        means, squares = ms[rows] / (1 - 0.9 ** counts[rows]), vs[rows] / (1 - 0.999 ** counts[rows])
        own[rows] -= rate * means / (np.sqrt(squares) + 1e-8)
    return value, own


OWN = MinibatchVI(12, None, 0.05, 0.05, clip=None, validation=0.0)


def test_parameters_of_each_sequence_follow_adam():
    out = run(OWN, WithOwn())
    value, own = plain_adam(np.asarray(DATA.y), [np.arange(50)], 12, 0.05)
    np.testing.assert_allclose(out.params.shared, value, rtol=1e-4)
    np.testing.assert_allclose(out.params.own[:, 0], own, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(out.trace["rec"][0, 0], np.mean(np.asarray(DATA.y) ** 2), rtol=1e-5)


def test_sequences_outside_of_a_batch_stay(monkeypatch):
    order = [np.arange(25), np.arange(25, 50)]
    monkeypatch.setattr(jax.random, "permutation", lambda key, count: jnp.arange(count))
    out = run(dataclasses.replace(OWN, batch=25, epochs=11), WithOwn())  # of its own, so that it is traced anew
    value, own = plain_adam(np.asarray(DATA.y), order, 11, 0.05)
    np.testing.assert_allclose(out.params.shared, value, rtol=1e-4)
    np.testing.assert_allclose(out.params.own[:, 0], own, rtol=1e-3, atol=1e-5)


def test_models_side_by_side_are_each_of_them():
    keys = [jax.random.key(k) for k in (3, 4)]
    beside = minibatch.run_beside(OWN, [WithOwn(0.0), WithOwn(5.0)], DATA, keys, options=Run())
    for model, key, got in zip((WithOwn(0.0), WithOwn(5.0)), keys, beside, strict=True):
        alone = minibatch.run(OWN, model, DATA, key, options=Run(), identity={})
        np.testing.assert_allclose(got.params.own, alone.params.own, rtol=1e-5)
        np.testing.assert_allclose(got.trace["objective"], alone.trace["objective"], rtol=1e-5)


def test_held_out_sequences_would_have_no_parameters():
    with pytest.raises(ValueError, match="validation must be 0"):
        run(MinibatchVI(10), WithOwn())
