"""Bad input and bad choices: each is refused by name, with the value and a remedy."""

import numpy as np
import pytest

import neurolatent as nl
from neurolatent.checks import InputError
from neurolatent.choices import TwoStage
from neurolatent.models.dkf import DKF
from neurolatent.models.dkf.state import learn_state
from neurolatent.models.regressors import MultipleKernel, Neighbours, RidgeRegression
from neurolatent.recording import Recording
from tests.models.dkf.recordings import fitted, simulated, with_gaps

RNG = np.random.default_rng(0)


def arrays(time=200, **changed) -> Recording:
    z = RNG.normal(size=(time, 2))
    return Recording.of({"neural": RNG.normal(size=(time, 3)), "velocity": z, **changed})


class OneOutput:
    def fit(self, x, z):
        return self

    def predict(self, x):
        return np.zeros((len(x), 1))


class Short(OneOutput):
    def predict(self, x):
        return np.zeros((3, 2))


class Broken(OneOutput):
    def predict(self, x):
        return np.full((len(x), 2), np.nan)


CHOICES = [
    ({"inputs": "velocity"}, "must be different signals"),
    ({"regressor": 3}, "must be one of neurolatent.models.regressors, or have fit"),
    ({"process_scale": 0.0}, "process_scale must be a number above 0"),
    ({"bins_before": -1}, "bins_before must be a whole number"),
    ({"outlier": -1.0}, "outlier must be a number above 0"),
]


@pytest.mark.parametrize(("choices", "message"), CHOICES)
def test_choices_that_are_refused(choices, message):
    with pytest.raises(InputError, match=message):
        DKF("velocity", **choices)


def late(z):
    z = z.copy()
    z[:, 1] = 2 * z[:, 0] + 1
    return z


DATA = {
    "lengths differ": (lambda: arrays(velocity=RNG.normal(size=(199, 2))), "share one clock"),
    "infinite": (lambda: arrays(neural=np.where(np.arange(200)[:, None] == 7, np.inf, 1.0)), "Infinite values"),
    "no target": (lambda: arrays().select("neural"), "no signal 'velocity'"),
    "several inputs": (lambda: arrays(lfp=RNG.normal(size=(200, 1))), "Choose inputs= among"),
    "image": (lambda: arrays(neural=RNG.normal(size=(200, 2, 2))), r"shape \(samples, channels\)"),
    "few pairs": (lambda: arrays(20), "19 pairs of neighbouring bins.* at least 21"),
    "segments of one bin": (
        lambda: Recording.of({"neural": [np.ones((1, 3)) * n for n in range(200)],
                              "velocity": list(RNG.normal(size=(200, 1, 2)))}),
        "0 pairs of neighbouring bins",
    ),
    "few residuals": (lambda: arrays(100), "leave 30 for the noise.*at least 50"),
    "flat input": (lambda: arrays(neural=np.ones((200, 1))), "signal neural, channel 0: it never changes"),
    "flat target": (lambda: arrays(velocity=np.ones((200, 1))), "signal velocity, channel 0: it never changes"),
    "collinear": (lambda: arrays(velocity=late(RNG.normal(size=(200, 2)))), "follow from each other"),
    "shuffled clock": (
        lambda: Recording.of(
            {"neural": RNG.normal(size=(200, 3)), "velocity": RNG.normal(size=(200, 2))},
            times=RNG.permutation(200).astype(float),
        ),
        "time",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DATA)
def test_recordings_that_are_refused(name):
    make, message = DATA[name]
    with pytest.raises(InputError, match=message):
        nl.fit(DKF("velocity", regressor=RidgeRegression()), make())


@pytest.mark.parametrize(
    ("regressor", "message"),
    [
        (OneOutput(), "returns 1 outputs, the target has 2"),
        (Short(), r"returned the shape \(3, 2\) for 60 rows"),
        (Broken(), "not finite"),
        (Neighbours(500), "n_neighbours is 500, but there are 140"),
    ],
)
def test_regressors_that_are_refused(regressor, message):
    with pytest.raises(InputError, match=message):
        nl.fit(DKF("velocity", regressor=regressor), arrays())


def test_other_refusals():
    with pytest.raises(InputError, match="state in the plane, the target has 3"):
        nl.fit(DKF("velocity", regressor=MultipleKernel()), arrays(velocity=RNG.normal(size=(200, 3))))
    with pytest.raises(InputError, match="neural is missing.*partly_missing='predict'"):
        nl.fit(DKF("velocity", regressor=RidgeRegression(), partly_missing="refuse"), with_gaps(simulated()))
    with pytest.raises(InputError, match="inputs have 7 columns, the training data had 6"):
        fitted().predict(simulated(5, channels=7))
    with pytest.raises(InputError, match="cannot be fitted by EM"):
        nl.fit(DKF("velocity"), arrays(), engine=nl.EM())
    with pytest.raises(InputError, match="share must lie strictly between 0 and 1"):
        TwoStage(share=0.0)
    with pytest.raises(InputError, match="a stream takes bins as they come"):
        nl.fit(DKF("velocity", regressor=RidgeRegression()), arrays(), [nl.Standardise()]).stream()


def test_a_state_that_grows_is_refused_or_held():
    steps = np.cumsum(np.cumsum(np.ones((1, 200, 1)), axis=1), axis=1)
    known = np.ones((1, 200), bool)
    with pytest.raises(InputError, match=r"spectral radius of its transition is 1\.0"):
        learn_state(steps, known, stationary="lyapunov", stabilise=False)
    held = learn_state(steps, known, stationary="lyapunov", stabilise=True)
    assert np.abs(np.linalg.eigvals(held.transition)).max() == pytest.approx(0.999)
