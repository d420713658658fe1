"""Draws under a sparse prior: chains agree, and couplings that are not there come nearer to zero than under a ridge."""

from dataclasses import replace

import arviz_stats
import jax
import numpy as np
import pytest

import neurolatent as nl
from neurolatent.choices import EM, NUTS, SVI
from neurolatent.models.hmmglm import HMMGLM, HMMGLMParams, Horseshoe, SpikeSlab

MODEL = HMMGLM(2, self_coupling="none", signal="spikes")


def network() -> tuple[HMMGLMParams, np.ndarray]:
    """Three neurons with three couplings, a little different in a quiet and a busy state; and which are absent."""
    centre = np.zeros((3, 3))
    centre[0, 1], centre[1, 2], centre[2, 0] = 0.8, -0.7, 0.7
    weights = centre + (centre != 0) * 0.1 * np.random.default_rng(0).normal(size=(2, 3, 3))
    stay, bias = np.array([[0.97, 0.03], [0.03, 0.97]]), np.stack([np.full(3, -0.6), np.full(3, 0.6)])
    return HMMGLMParams(np.array([0.5, 0.5]), stay, weights, bias, *[np.zeros(0)] * 10), centre == 0


@pytest.mark.slow
def test_spike_and_slab_shrinks_absent_couplings():
    params, absent = network()
    recording = MODEL.simulate(params, jax.random.key(1), [150] * 6)
    ridge = nl.fit(MODEL, recording, engine=EM(restarts=3))
    engine = NUTS(chains=2, warmup=120, draws=120, start=EM(restarts=2))
    sampled = nl.fit(replace(MODEL, prior=SpikeSlab()), recording, engine=engine)
    rms = [float(np.sqrt((f.params.weights[:, absent] ** 2).mean())) for f in (ridge, sampled)]
    assert rms[1] < 0.6 * rms[0]
    assert int(sampled.idata["sample_stats"]["diverging"].values.sum()) == 0
    draws = sampled.idata["posterior"].to_dataset()[["weights"]]
    assert float(arviz_stats.rhat(draws)["weights"].max()) < 1.1


@pytest.mark.slow
def test_a_horseshoe_shrinks_absent_couplings_under_a_gaussian_guide():
    params, absent = network()
    recording = MODEL.simulate(params, jax.random.key(1), [150] * 6)
    ridge = nl.fit(MODEL, recording, engine=EM(restarts=3))
    guided = nl.fit(replace(MODEL, prior=Horseshoe()), recording, engine=SVI(start=EM(restarts=2)))
    rms = [float(np.sqrt((f.params.weights[:, absent] ** 2).mean())) for f in (ridge, guided)]
    assert rms[1] < 0.8 * rms[0]
    khat = [row for row in nl.check(guided).rows if row.what.startswith("Pareto k")]
    assert khat[0].value < 1.0
