"""The page of strategies behind choices: words of the recording, lapses, inputs of the transitions, draws."""

import functools
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from neurolatent.choices import EM, NUTS
from neurolatent.fitting import fit
from neurolatent.models.hmmglm import HMMGLM, Bernoulli, Driven, Lapses, Ridge
from neurolatent.models.hmmglm.driven import log_transitions
from neurolatent.recording import Recording
from neurolatent.report import write_report
from neurolatent.report.inputs import pushed
from neurolatent.report.material import gather
from neurolatent.result import Fit
from tests.report.test_report import Page

pytestmark = pytest.mark.slow

MODEL = HMMGLM(2, family=Bernoulli(), prior=Ridge(2.0), lapses=Lapses(), driven=Driven("inputs", ("cue",)))


@functools.cache
def sessions() -> Recording:
    """A mouse that follows the stimulus, or goes left, which a cue brings about."""
    rng, rows = np.random.default_rng(0), []
    for session in range(6):
        state = 0
        for trial in range(100):
            cue, stimulus = float(rng.random() < 0.2), rng.normal()
            leaves = (0.6 if cue else 0.02) if state == 0 else 0.1
            state = 1 - state if trial and rng.random() < leaves else state
            right = 0.05 + 0.9 / (1 + np.exp(-(4 * stimulus if state == 0 else stimulus - 2)))
            side = "right" if rng.random() < right else "left"
            rows.append({"session": session, "trial": trial, "side": side, "stimulus": stimulus, "cue": cue})
    return Recording.of(
        pd.DataFrame(rows),
        signals={"choice": ["side"], "covariates": ["stimulus"], "inputs": ["cue"]},
        levels={"side": ["left", "right"]},
        sequence="session",
        clock="trial",
        clock_unit="trial",
        name="mouse",
    )


@functools.cache
def fitted(sampled: bool) -> Fit:
    start = EM(restarts=2, steps=100, tolerance=1e-6)
    engine = NUTS(chains=2, warmup=60, draws=60, max_tree_depth=5, start=start) if sampled else start
    return fit(MODEL, sessions(), engine=engine)


def page(sampled: bool, folder) -> Page:
    return Page(write_report(fitted(sampled), sessions(), folder / "report.html").read_text("utf-8"))


def table(found: Page, *columns: str) -> list[list[str]]:
    """The rows of the table whose header begins like this."""
    return next(rows[1:] for rows in found.tables if tuple(rows[0][: len(columns)]) == columns)


def test_choices_lapses_and_inputs_are_told_in_the_words_of_the_recording(tmp_path):
    found, params = page(False, tmp_path), fitted(False).params
    assert {"How often does it lapse?", "What moves it from state to state?"} <= set(found.headings)
    lapses = [[float(cell) for cell in row[1:]] for row in table(found, "state", "towards right", "towards left")]
    np.testing.assert_allclose(lapses, params.lapse, rtol=5e-3, atol=5e-4)
    effects = table(found, "going to", "input", "effect")
    assert [row[1] for row in effects] == ["cue", "cue"]
    apart = params.drive - params.drive.mean(axis=0)
    np.testing.assert_allclose([float(row[2]) for row in effects], apart[:, 0], rtol=5e-3)
    labels = [attrs.get("aria-label", "") for attrs in found.all("svg")]
    assert any(label.startswith("Probability of a choice of right along stimulus") for label in labels)
    assert any(label.startswith("Probability to stay along cue") for label in labels)


def test_transitions_along_an_input_are_those_of_the_model():
    own, at = fitted(False), np.array([[0.0], [0.4], [1.0]])
    material = gather(own, sessions(), None, None, 0)
    steps = jnp.asarray(np.concatenate([np.zeros((1, 1)), at]))[None]
    want = np.exp(log_transitions(jnp.asarray(own.params.transition), jnp.asarray(own.params.drive), steps))
    np.testing.assert_allclose(pushed(material, at)[0], want[0], rtol=1e-5)
    np.testing.assert_allclose(want[0, 0], own.params.transition, rtol=1e-5)


def test_draws_bring_posterior_intervals(tmp_path):
    own, found = fitted(True), page(True, tmp_path)
    draws = own.idata["posterior"]["weights"].values[:, :, :, 0, 0].reshape(-1, 2)
    shown = [row for row in table(found, "state", "covariate", "weight", "sd of draws") if row[1] == "stimulus"]
    np.testing.assert_allclose([float(row[3]) for row in shown], draws.std(axis=0), rtol=5e-3)
    want = np.quantile(draws, [0.05, 0.95], axis=0).T
    np.testing.assert_allclose([[float(v.replace("\u2212", "-")) for v in row[4:]] for row in shown], want, rtol=5e-3)
    lapses = table(found, "state", "towards right", "towards left", "right: 90 % from")
    assert all(float(row[3]) < float(row[1]) < float(row[4]) for row in lapses)
    effects = table(found, "going to", "input", "effect", "sd of draws")
    drive = own.idata["posterior"]["drive"].values[..., 0].reshape(-1, 2)
    apart = (drive[:, 1] - drive[:, 0]) / 2
    np.testing.assert_allclose([float(row[3]) for row in effects], apart.std(), rtol=5e-3)


def test_without_lapses_and_inputs_nothing_is_said_of_them(tmp_path):
    plain = fit(replace(MODEL, lapses=None, driven=None), sessions(), engine=EM(restarts=1, steps=30))
    found = Page(write_report(plain, sessions(), tmp_path / "report.html").read_text("utf-8"))
    assert not {"How often does it lapse?", "What moves it from state to state?"} & set(found.headings)
