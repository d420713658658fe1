"""The one entrance: what it takes, what it keeps, what it refuses."""

import json
import warnings

import jax
import numpy as np
import pytest

import neurolatent as nl
from neurolatent.choices import EM, NUTS, SVI, Run
from neurolatent.preparation import DropSilent
from tests.engines import small
from tests.recording.refusals import refuses

QUICK = EM(steps=3, restarts=1)


@pytest.fixture(scope="module")
def fit() -> nl.Fit:
    return small.fit(QUICK)


def test_the_default_engine_is_the_models(fit):
    assert nl.fit(small.MODEL, small.recording((30,))).engine == EM()


def test_same_seed_same_result(fit):
    again = small.fit(QUICK)
    for a, b in zip(fit.params, again.params, strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_is_kept_of_the_recording(fit):
    recording = small.recording()
    assert fit.facts["fingerprint"] == recording.fingerprint()
    assert (fit.facts["n_sequences"], fit.facts["n_samples"]) == (2, 105)
    assert fit.versions["jax"] == jax.__version__
    assert json.dumps(fit.facts)
    assert fit.seconds["compile"] >= 0
    np.testing.assert_array_equal(fit.idata["observed_data"]["y"], recording.signal("signal").values)


def test_an_array_is_as_good_as_a_recording(fit):
    recording = small.recording((60,))
    values = recording.signal("signal").values
    a, b = (nl.fit(small.MODEL, data, engine=QUICK) for data in (recording, nl.Recording.of({"signal": values})))
    bare = nl.fit(nl.ARPHMM(2, transitions="ergodic"), values, engine=QUICK)
    for other in (b, bare):
        jax.tree.map(np.testing.assert_array_equal, a.params, other.params)


def test_a_bad_seed_is_refused():
    with refuses("seed", "-1"):
        small.fit(QUICK, seed=-1)


def test_warnings_of_the_preparation_are_kept_and_not_shown():
    values = np.c_[small.recording((40,)).signal("signal").values, np.full(40, np.nan)]
    recording = nl.Recording.of({"signal": values}, channels={"signal": ["good", "silent"]})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = nl.fit(small.MODEL, recording, prepare=[DropSilent()], engine=QUICK)
    assert any("silent" in w for w in fit.warnings)
    assert fit.params.covariance.shape == (2, 1, 1)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"steps": 0}, ("steps", "at least 1")),
        ({"tolerance": -1.0}, ("tolerance", "-1.0")),
        ({"restarts": 0}, ("restarts", "0")),
        ({"start": "segmnts"}, ("'segmnts'", "Did you mean 'segments'")),
    ],
)
def test_settings_of_em_are_checked(fields, words):
    with refuses(*words):
        unchecked(EM, fields).__post_init__()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"chains": 0}, ("chains", "0")),
        ({"target_accept": 1.0}, ("target_accept", "between 0 and 1", "1.0")),
        ({"jitter": -0.5}, ("jitter", "-0.5")),
        ({"draws": 2.5}, ("draws", "2.5")),
    ],
)
def test_settings_of_nuts_are_checked(fields, words):
    with refuses(*words):
        unchecked(NUTS, fields).__post_init__()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"guide": "low_rnk"}, ("'low_rnk'", "Did you mean 'low_rank'")),
        ({"rank": 2}, ("rank", "'low_rank'", "'multivariate'", "Leave one of them out")),
        ({"guide": "low_rank", "rank": 0}, ("rank", "at least 1", "0")),
        ({"steps": 3}, ("steps", "at least 4", "3")),
        ({"steps": 100, "window": 51}, ("steps", "two windows of 51", "100")),
        ({"learning_rate": 0.0}, ("learning_rate", "positive", "0.0")),
        ({"decay": 1.5}, ("decay", "at most 1", "1.5")),
        ({"n_particles": 0}, ("n_particles", "0")),
        ({"n_draws": 24}, ("n_draws", "at least 25", "24")),
        ({"tolerance": -1.0}, ("tolerance", "-1.0")),
    ],
)
def test_settings_of_svi_are_checked(fields, words):
    with refuses(*words):
        unchecked(SVI, fields).__post_init__()


def unchecked(kind: type, fields: dict):
    """An instance whose annotations have not been looked at: users meet our own words."""
    made = object.__new__(kind)
    for name, value in {**vars(kind()), **fields}.items():
        object.__setattr__(made, name, value)
    return made


def test_other_knowledge_is_another_fit(tmp_path):
    """Two bodies of knowledge with the same description do not share a checkpoint."""
    rng = np.random.default_rng(0)
    one, two = (
        small.recording().with_knowledge(nl.Knowledge(plausibilities=(rng.uniform(0.5, 1.0, (105, 2)),)))
        for _ in range(2)
    )
    engine = EM(steps=200, tolerance=0.0, restarts=1)
    nl.fit(small.MODEL, one, engine=engine, run=Run(folder=tmp_path, chunk_seconds=0.0))
    nl.fit(small.MODEL, one, engine=engine, run=Run(folder=tmp_path, chunk_seconds=0.0, resume=True))
    with refuses("another fit", "inputs"):
        nl.fit(small.MODEL, two, engine=engine, run=Run(folder=tmp_path, resume=True))
