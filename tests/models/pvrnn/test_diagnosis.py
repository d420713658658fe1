"""Planted faults of a network are found, and a good fit passes."""

import dataclasses

import numpy as np
import pytest
import xarray as xr

import neurolatent as nl
from neurolatent.choices import MinibatchVI
from neurolatent.models.pvrnn import PVRNN, Layer
from neurolatent.recipe.patterns import pattern_figures
from tests.models.pvrnn import recordings
from tests.models.pvrnn.test_fit import fitted


def rows(fit: nl.Fit) -> dict:
    return {row.what: row for row in nl.check(fit).rows}


def changed(fit: nl.Fit, group: str, name: str, change) -> nl.Fit:
    tree = {key: node.to_dataset() for key, node in fit.idata.children.items()}
    tree[group] = tree[group].assign({name: change(tree[group][name])})
    return dataclasses.replace(fit, idata=xr.DataTree.from_dict(tree))


def test_a_good_fit_fails_nothing():
    found = rows(fitted())
    assert all(row.verdict == "pass" for what, row in found.items() if not what.startswith("last change"))
    assert found["divergence of layer 1 (nats per step)"].value > 0.1


def test_a_layer_that_tells_nothing_has_collapsed():
    row = rows(changed(fitted(), "latents", "kl", lambda kl: 0.0 * kl))["divergence of layer 1 (nats per step)"]
    assert (row.verdict, "Lower its w" in row.advice) == ("warn", True)


def test_a_strong_weight_makes_a_layer_collapse():
    recording = nl.Recording.of([np.sin(np.arange(20) + k)[:, None] for k in range(4)])
    model = PVRNN((Layer(4, 1, 2.0),), w=100.0)
    fit = nl.fit(model, recording, engine=MinibatchVI(300, None, 5e-3, 5e-3, clip=None, validation=0.0))
    assert rows(fit)["divergence of layer 1 (nats per step)"].verdict == "warn"
    figures = pattern_figures(fit)
    assert (figures["collapsed"], figures["collapsed.1"]) == (1.0, 1.0)
    assert figures["sigma_share.1"] == pytest.approx(1.0, abs=0.05)


def test_the_share_of_sigma_is_a_median_over_the_latents_of_a_layer():
    halved = changed(recordings.fitted(), "latents", "posterior_sd", lambda sd: 0.0 * sd + 0.5)
    steps = changed(halved, "latents", "prior_sd", lambda sd: 0.0 * sd + np.array([1.0, 2.0, 5.0]))
    figures = pattern_figures(steps)
    assert (figures["sigma_share.1"], figures["sigma_share.2"]) == (pytest.approx(0.375), pytest.approx(0.1))
    assert (figures["collapsed.1"], figures["collapsed.2"]) == (0.0, 0.0)


def test_an_explosion_is_told():
    def explode(trace):
        values = trace.values.copy()
        values[0, 5] = 1e6
        return trace.copy(data=values)

    row = rows(changed(fitted(), "trace", "kl.1", explode))[
        "largest divergence of a layer in any epoch (nats per step)"
    ]
    assert row.verdict == "warn"


def test_deviations_at_their_clip_are_told():
    low = changed(fitted(), "latents", "prior_sd", lambda sd: 0.0 * sd + np.exp(-7.0))
    assert rows(low)["share of standard deviations at a limit of their clip"].value == 0.5


def test_a_training_that_broke_names_epoch_and_layer():
    recording = nl.Recording.of([np.linspace(-1, 1, 12)[:, None]])
    model = PVRNN((Layer(4, 1, 2.0), Layer(3, 1, 4.0)))
    fit = nl.fit(model, recording, engine=MinibatchVI(20, None, 1e30, 1e30, clip=None, validation=0.0))
    row = rows(fit)["epochs whose objective was a number"]
    assert row.verdict == "fail"
    assert row.value < 20
    assert f"epoch {int(row.value) + 1}" in fit.warnings[0]
    assert "kl.2" in fit.warnings[0] or "layer_2" in fit.warnings[0] or "rec" in fit.warnings[0]
