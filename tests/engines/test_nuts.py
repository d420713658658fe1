"""NUTS as an engine: right draws, the same however it is cut, stopped and continued, and relabelled."""

import os
import signal
import threading
import time

import jax
import numpy as np
import pytest

import neurolatent as nl
from neurolatent import precision
from neurolatent.choices import EM, NUTS, Run
from neurolatent.engines import nuts
from neurolatent.engines.checkpoint import NAME
from neurolatent.engines.frame import at_peak
from neurolatent.models.arphmm import ARPHMM
from neurolatent.models.arphmm.params import permuted
from neurolatent.recording import knowledge
from tests.engines import small
from tests.engines.test_em import assert_same, killed_and_resumed

TINY = NUTS(chains=2, warmup=20, draws=25, start=EM(steps=10, restarts=1))


@pytest.fixture(scope="module")
def tiny() -> nl.Fit:
    return small.fit(TINY)


@pytest.mark.slow
def test_draws_are_labelled_double_and_valid(tiny):
    assert not jax.config.jax_enable_x64
    posterior = tiny.idata["posterior"]
    assert posterior["transition"].dims == ("chain", "draw", "state", "state_to")
    assert posterior["coefficients"].values.dtype == np.float64
    np.testing.assert_allclose(posterior["transition"].sum("state_to"), 1.0)
    assert (np.linalg.eigvalsh(tiny.draws.covariance) > 0).all()
    np.testing.assert_allclose(tiny.draws.advance, 1 - np.diagonal(tiny.draws.transition, axis1=2, axis2=3))
    np.testing.assert_allclose(tiny.params.coefficients, tiny.draws.coefficients.mean(axis=(0, 1)))
    assert tiny.idata["log_likelihood"]["sequences"].shape == (2, 25, 2)
    assert {"diverging", "n_steps", "acceptance_rate", "energy", "lp"} <= set(tiny.idata["sample_stats"].data_vars)


@pytest.mark.slow
def test_log_density_of_the_draws_is_the_models(tiny):
    with precision.double():
        data = tiny.model.select(small.recording(), for_training=True).data
        own = [
            float(tiny.model.log_likelihood(jax.tree.map(lambda leaf, d=d: leaf[0, d], tiny.draws), data).sum())
            for d in range(3)
        ]
    np.testing.assert_allclose(tiny.idata["log_likelihood"]["sequences"][0, :3].sum("sequence"), own, rtol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("chunk_seconds", [0.0, 60.0])
def test_cuts_into_chunks_change_nothing(tiny, chunk_seconds):
    assert_same(tiny, small.fit(TINY, run=Run(chunk_seconds=chunk_seconds)))


@pytest.mark.slow
def test_a_saved_fit_comes_back_with_its_draws(tiny, tmp_path):
    again = nl.Fit.load(tiny.save(tmp_path / "fit.nc"))
    assert_same(tiny, again)
    assert tiny.predict(small.recording()).identical(again.predict(small.recording()))
    assert again.engine == TINY


def press_ctrl_c_once(path) -> None:
    def wait_and_press() -> None:
        while not path.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=wait_and_press, daemon=True).start()


@pytest.mark.slow
@pytest.mark.parametrize("warmup", [1, 100_000])
def test_ctrl_c_returns_the_draws_so_far_or_the_mode(tmp_path, warmup):
    endless = NUTS(chains=2, warmup=warmup, draws=100_000, start=EM(steps=10, restarts=1))
    press_ctrl_c_once(tmp_path / "checkpoint" / NAME)
    fit = small.fit(endless, run=Run(folder=tmp_path, chunk_seconds=0.3 if warmup == 1 else 0.05))
    assert fit.interrupted
    assert not fit.converged
    if warmup == 1:
        assert 1 <= fit.draws.initial.shape[1] < 100_000
    else:
        assert fit.draws is None
        assert any("without draws" in w for w in fit.warnings)
    assert nl.check(fit).verdict in ("warn", "fail")


def test_planted_permutations_are_undone():
    model, params = small.MODEL, small.PARAMS
    with precision.double():
        data = model.select(small.recording(), for_training=True).data
        order = [[0, 1], [1, 0], [1, 0], [0, 1]]
        parts = [permuted(params, np.array(o)) for o in order]
        draws = type(params)(*(np.stack(leaves) for leaves in zip(*parts, strict=True)))
        undone = model.relabel(draws, params, data)
    for leaf, want in zip(undone, params, strict=True):
        np.testing.assert_array_equal(leaf, np.broadcast_to(want, leaf.shape))
    ordered = ARPHMM(2, transitions="left_right")
    assert ordered.relabel(draws, params, data) is draws


def test_start_is_the_mode_without_jitter():
    settings = NUTS(jitter=0.0, draws=3, warmup=3)
    with precision.double():
        data = jax.tree.map(jax.numpy.asarray, small.MODEL.select(small.recording(), for_training=True).data)
        frame = at_peak(small.MODEL, small.MODEL.unconstrained_start(small.PARAMS, data), data)
        chain = nuts._start(small.MODEL, settings, frame, data, jax.random.key(0))
        np.testing.assert_array_equal(chain.kernel.z, np.zeros(len(frame.factor)))


@pytest.mark.slow
def test_killed_and_resumed_is_uninterrupted_to_the_bit(tmp_path):
    assert_same(small.fit(small.SHORT_NUTS), killed_and_resumed("nuts", tmp_path))


@pytest.mark.slow
def test_chains_agree_and_find_the_truth_where_data_are_many():
    model, params = small.MODEL, small.PARAMS
    recording = model.simulate(params, jax.random.key(5), [300] * 4).select("signal")
    mode = nl.fit(model, recording, seed=0)
    fit = nl.fit(model, recording, engine=NUTS(warmup=500, draws=500), seed=0)
    rows = {row.what: row for row in nl.check(fit).rows}
    assert rows["largest R-hat"].value < 1.01
    assert rows["divergences"].value == 0
    assert rows["smallest bulk ESS"].value > 400
    for name in ("coefficients", "transition", "covariance"):
        draws = getattr(fit.draws, name)
        sd = draws.std(axis=(0, 1))
        assert (np.abs(draws.mean(axis=(0, 1)) - getattr(mode.params, name)) <= 0.6 * sd + 1e-12).all(), name
    sd = fit.draws.coefficients.std(axis=(0, 1))
    assert (np.abs(fit.params.coefficients - mode.model.ordered(params, select(recording)).coefficients) < 4 * sd).all()


def select(recording: nl.Recording):
    with precision.double():
        return small.MODEL.select(recording, for_training=True).data


@pytest.mark.record  # minutes, and nothing that the tests above do not ask of simulated data
def test_ten_engines(real_data):
    recording = nl.load(real_data / "cmapss" / "train_FD001.txt.gz", format="cmapss")
    few = recording.take(recording.ids[:10])
    ends = knowledge.start_end(few, 10, 10)  # without knowledge four states have several peaks: check says so
    rules = knowledge.life_fraction(few, [0, 0.45, 0.7, 0.88, 1.0], overlap=0.12, off=0.05)
    few = few.with_knowledge(ends & rules)
    fit = nl.fit(ARPHMM(4), few, prepare=[nl.HealthIndicator()], engine=NUTS(), seed=0)
    rows = {row.what: row for row in nl.check(fit).rows}
    print(nl.check(fit), fit.seconds)
    assert rows["largest R-hat"].value < 1.01
    assert rows["divergences"].value == 0
