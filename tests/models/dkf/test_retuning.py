"""EM on unlabelled bins: the evidence is the dense joint's and never falls, its peak is one, the truth comes back."""

import numpy as np
import pytest
from scipy.linalg import block_diag, solve_discrete_lyapunov
from scipy.stats import multivariate_normal

import neurolatent as nl
from neurolatent.checks import InputError
from neurolatent.choices import TwoStage
from neurolatent.models.dkf import DKF, StateModel
from neurolatent.models.dkf.filtering import How, Measured
from neurolatent.models.dkf.retuning import retune
from neurolatent.models.regressors import RidgeRegression
from neurolatent.ops.decoding import nrmse
from neurolatent.ops.indefinite import Rule
from neurolatent.precision import in_double
from neurolatent.recording import Recording
from tests.models.dkf.recordings import simulated

TRUTH = np.array([[0.85, 0.25], [-0.25, 0.8]])
STATIONARY = np.eye(2)
INNOVATION = STATIONARY - TRUTH @ STATIONARY @ TRUTH.T
R = np.array([[0.5, 0.1], [0.1, 0.4]])  # of the pseudo-observation
Q = np.linalg.inv(np.linalg.inv(R) + np.linalg.inv(STATIONARY))
START = StateModel(0.4 * np.eye(2), 0.84 * np.eye(2), STATIONARY)
HOW = How(Rule.SHRINK, False)
em = in_double(retune)


def measured(seed: int, sequences: int, time: int) -> tuple[Measured, np.ndarray]:
    """Regressions of a state that moves by TRUTH, a tenth of the bins unheard; and the pseudo-observations."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(sequences, time, 2))
    for t in range(1, time):
        z[:, t] = z[:, t - 1] @ TRUTH.T + rng.multivariate_normal(np.zeros(2), INNOVATION, sequences)
    y = z + rng.multivariate_normal(np.zeros(2), R, (sequences, time))
    return Measured(y @ np.linalg.solve(R, Q), Q, rng.random((sequences, time)) > 0.1), y


def dense(state: StateModel, y: np.ndarray, heard: np.ndarray) -> float:
    """Log density of the heard pseudo-observations of one sequence, from its joint normal law."""
    time = len(y)
    powers = [np.linalg.matrix_power(state.transition, k) for k in range(time)]
    marginal = [state.stationary]
    for _ in range(time - 1):
        marginal.append(state.transition @ marginal[-1] @ state.transition.T + state.innovation)
    joint = np.block(
        [
            [powers[i - j] @ marginal[j] if i >= j else marginal[i] @ powers[j - i].T for j in range(time)]
            for i in range(time)
        ]
    ) + block_diag(*[R] * time)
    kept = np.repeat(heard, 2)
    return float(multivariate_normal(cov=joint[np.ix_(kept, kept)]).logpdf(y.ravel()[kept]))


def test_the_evidence_is_that_of_the_joint_never_falls_and_ends_at_a_peak():
    seen, y = measured(0, 3, 40)
    inside = np.ones((3, 40), bool)
    found = em(HOW, START, seen, inside, rounds=400, tolerance=1e-12)
    assert found.converged
    assert (np.diff(found.log_evidence) > -1e-9 * np.abs(found.log_evidence[:-1])).all()
    total = lambda state: sum(dense(state, y[n], seen.heard[n]) for n in range(3))  # noqa: E731
    rise = found.log_evidence[-1] - found.log_evidence[0]
    np.testing.assert_allclose(total(found.state) - total(START), rise, rtol=1e-9)
    rng, best = np.random.default_rng(1), total(found.state)
    for _ in range(6):
        turn, root = 0.02 * rng.normal(size=(2, 2, 2))
        other = found.state.innovation @ (np.eye(2) + root + root.T)
        moved = found.state._replace(transition=found.state.transition + turn, innovation=0.5 * (other + other.T))
        assert total(moved) < best + 1e-6


@pytest.mark.parametrize("how", [HOW, How(None, True)])
def test_the_transition_is_recovered_and_padding_and_units_change_nothing(how):
    seen, _ = measured(2, 4, 600)
    inside = np.ones((4, 600), bool)
    found = em(how, START, seen, inside, rounds=100, tolerance=1e-8)
    assert (np.diff(found.log_evidence) > -1e-8 * np.abs(found.log_evidence[:-1])).all()
    if how == HOW:  # the robust filter leaves S out of what a bin says, so that its state is another one
        np.testing.assert_allclose(found.state.transition, TRUTH, atol=0.05)
        np.testing.assert_allclose(found.state.innovation, INNOVATION, atol=0.04)
    unit = np.array([1e3, 1e-2])
    square = np.outer(unit, unit)
    padded = [np.pad(a, [(0, 0), (0, 7)] + [(0, 0)] * (a.ndim - 2)) for a in (seen.mean * unit, seen.heard, inside)]
    start = StateModel(START.transition * (unit[:, None] / unit), START.innovation * square, STATIONARY * square)
    other = em(how, start, Measured(padded[0], Q * square, padded[1]), padded[2], rounds=100, tolerance=1e-8)
    np.testing.assert_allclose(other.log_evidence, found.log_evidence, rtol=1e-6)
    np.testing.assert_allclose(other.state.transition, found.state.transition * (unit[:, None] / unit), rtol=1e-4)


def moving(seed: int, transition: np.ndarray, time: int) -> Recording:
    """Twelve noisy channels that are linear in a state of unit covariance."""
    rng, tuning = np.random.default_rng(seed), np.random.default_rng(7).normal(size=(2, 12))
    innovation, z = np.eye(2) - transition @ transition.T, rng.normal(size=(time, 2))
    for t in range(1, time):
        z[t] = transition @ z[t - 1] + rng.multivariate_normal(np.zeros(2), innovation)
    return Recording.of({"neural": z @ tuning + 3 * rng.normal(size=(time, 12)), "velocity": z}, bin_width=0.1)


def test_a_fit_is_re_tuned_on_inputs_alone():
    turn = np.array([[0.7, 0.65], [-0.65, 0.7]])
    train, day, test = moving(0, 0.3 * np.eye(2), 1500), moving(1, turn, 1500), moving(2, turn, 1500)
    fit = nl.fit(DKF("velocity", regressor=RidgeRegression()), train, engine=TwoStage(state_draws=3))
    other = fit.retuned(day.select("neural"))
    truth = test.signal("velocity").values
    before, after = (nrmse(truth, f.predict(test)["filtered_mean"].values) for f in (fit, other))
    assert after < 0.95 * before
    np.testing.assert_allclose(other.params.state.transition, turn, atol=0.15)
    np.testing.assert_array_equal(other.params.state.stationary, fit.params.state.stationary)
    assert other.draws is None
    climb = other.idata["trace"]["objective"].values[0]
    assert (np.diff(climb) > -1e-9 * np.abs(climb[:-1])).all()
    assert other.score(day).item() == pytest.approx(climb[-1], rel=1e-9)
    assert "posterior" not in other.idata.children
    assert nl.check(other).rows
    stream = fit.stream()
    stream.replace(other.params)
    np.testing.assert_allclose(
        stream.update(test.signal("neural").values[0]).mean, other.predict(test)["filtered_mean"][0]
    )


def test_a_model_without_its_own_state_model_and_too_few_bins_are_refused():
    fit = nl.fit(DKF("velocity", regressor=RidgeRegression()), simulated())
    with pytest.raises(InputError, match="at least 40"):
        fit.retuned(simulated(1, (30,)).select("neural"))
    assert solve_discrete_lyapunov(TRUTH, INNOVATION) == pytest.approx(STATIONARY)
