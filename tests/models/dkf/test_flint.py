"""Monkey reaching: the deterministic table of the specification, and the documented default on test rows.

Rows 0 to 4999 train, 5000 to 5999 test. Reference figures: Burkhart et al. (2020), session 1, and for the deterministic
protocol an independent implementation in NumPy that the specification records.
"""

import functools
from pathlib import Path

import numpy as np
import pytest

import neurolatent as nl
from neurolatent.baselines.kalman import kalman
from neurolatent.choices import TwoStage
from neurolatent.models.dkf import DKF
from neurolatent.models.regressors import NadarayaWatson, RidgeRegression
from neurolatent.ops import decoding

BASE = {"centre": False, "standardise": False, "stationary": "empirical"}
PUBLISHED = {"start": "first", **BASE}
NW = {"regressor": NadarayaWatson(0.45), **PUBLISHED}
LOCAL = {"noise": "nw", "noise_bandwidth": 1.0, "noise_guard": 0.0, **NW}
STEPS = DKF("velocity", on_indefinite="robust", **LOCAL)
LINE = DKF("velocity", regressor=RidgeRegression(0.0, intercept=False), **PUBLISHED)

# model, which of its means, nRMSE, angle error, R2 of both outputs, share of indefinite bins
TABLE = {
    "Kalman": (kalman("velocity", **BASE), "filtered", 0.7647, 0.8882, (0.5479, 0.2891), 0.0),
    "Kalman, smoothed": (kalman("velocity", **BASE), "smoothed", 0.7184, 0.8201, None, 0.0),
    "NW unfiltered": (DKF("velocity", **NW), "regressed", 0.6457, 0.8293, (0.637, 0.532), 0.0),
    "NW": (DKF("velocity", **NW), "filtered", 0.6232, 0.8112, (0.659, 0.566), 0.0),
    "NW, smoothed": (DKF("velocity", **NW), "smoothed", 0.5801, 0.7958, (0.684, 0.644), 0.0),
    "robust NW": (DKF("velocity", robust=True, **NW), "filtered", 0.6731, 0.7944, (0.592, 0.504), 0.0),
    "NW, local noise, shrink": (DKF("velocity", **LOCAL), "filtered", 0.6341, 0.7912, (0.659, 0.540), 0.059),
    "clip": (DKF("velocity", on_indefinite="clip", **LOCAL), "filtered", 0.6506, 0.7920, (0.649, 0.508), 0.059),
    "robust steps": (STEPS, "filtered", 0.6910, 0.7995, (0.575, 0.473), 0.059),
    "robust NW, local noise": (DKF("velocity", robust=True, **LOCAL), "filtered", 0.7269, 0.8008, (0.514, 0.431), 0.0),
    "linear unfiltered": (LINE, "regressed", 0.7488, 0.9144, (0.547, 0.337), 0.0),
    "linear": (LINE, "filtered", 0.7698, 0.8878, (0.519, 0.301), 0.0),
}  # fmt: skip


@functools.cache
def session(folder: Path) -> tuple[nl.Recording, nl.Recording]:
    signals = {"neural": [f"pc{n}" for n in range(1, 11)], "velocity": ["vx", "vy"]}
    whole = nl.load(folder / "flint_m1_run1" / "flint_m1_run1.csv", signals=signals, clock="bin", clock_unit="bin")
    return whole.cut(0, 5000), whole.cut(5000, 6000)


@pytest.mark.slow
def test_the_deterministic_table(real_data):
    train, test = session(real_data)
    truth, engine = test.signal("velocity").values, TwoStage(split="blocks", refit=False)
    told = {}
    for name, (model, which, error, angle, shares, indefinite) in TABLE.items():
        if model not in told:
            told[model] = nl.fit(model, train, engine=engine).predict(test)
        mean = told[model][f"{which}_mean"].values
        assert decoding.nrmse(truth, mean) == pytest.approx(error, abs=2e-4), name
        assert decoding.angle_error(truth, mean) == pytest.approx(angle, abs=2e-4), name
        if shares is not None:
            np.testing.assert_allclose(decoding.r_squared(truth, mean), shares, atol=7e-4, err_msg=name)
        assert told[model]["indefinite"].values.mean() == pytest.approx(indefinite, abs=1e-3), name
    constant = told[TABLE["NW"][0]]
    covered = decoding.ellipse_coverage(truth, constant["filtered_mean"].values, constant["filtered_cov"].values, 0.95)
    assert covered == pytest.approx(0.892, abs=1e-3)


@pytest.mark.slow
def test_the_default_beats_the_published_figures(real_data):
    train, test = session(real_data)
    truth, errors, angles = test.signal("velocity").values, [], []
    for seed in range(5):
        mean = nl.fit(DKF("velocity"), train, seed=seed).predict(test)["filtered_mean"].values
        errors.append(decoding.nrmse(truth, mean))
        angles.append(decoding.angle_error(truth, mean))
    assert np.median(errors) <= 0.58
    assert np.median(angles) <= 0.78
