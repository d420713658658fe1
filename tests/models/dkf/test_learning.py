"""State model and noise against recovery, brute force and closed forms."""

import numpy as np
import pytest
from scipy.linalg import solve_discrete_lyapunov

from neurolatent.models.dkf.noise import best_noise_bandwidth, constant_noise, local_noise, noise_at
from neurolatent.models.dkf.selection import windowed
from neurolatent.models.dkf.state import learn_state
from tests.models.dkf.recordings import TRANSITION, simulated


def sequences(seed: int, count: int, time: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    z = np.zeros((count, time, 2))
    for t in range(1, time):
        z[:, t] = z[:, t - 1] @ TRANSITION.T + 0.4 * rng.normal(size=(count, 2))
    return z


@pytest.mark.parametrize("stationary", ["consistent", "empirical", "lyapunov"])
def test_state_model_is_recovered(stationary):
    z = sequences(0, 20, 1000)[:, 100:]
    found = learn_state(z, np.ones(z.shape[:2], bool), stationary=stationary, stabilise=False)
    np.testing.assert_allclose(found.transition, TRANSITION, atol=0.02)
    np.testing.assert_allclose(found.innovation, 0.16 * np.eye(2), atol=0.01)
    truth = solve_discrete_lyapunov(TRANSITION, 0.16 * np.eye(2))
    np.testing.assert_allclose(found.stationary, truth, atol=0.06)
    if stationary != "empirical":
        a = found.transition
        np.testing.assert_allclose(found.stationary, a @ found.stationary @ a.T + found.innovation, atol=1e-12)


def test_no_pair_crosses_a_gap_or_a_sequence():
    z = sequences(1, 3, 50)
    known = np.ones((3, 50), bool)
    known[0, 20], known[1, 40:] = False, False
    spoilt = np.where(known[..., None], z, 1e9)
    found = learn_state(spoilt, known, stationary="empirical", stabilise=False)
    before, after = [], []
    for n in range(3):
        for t in range(49):
            if known[n, t] and known[n, t + 1]:
                before.append(z[n, t])
                after.append(z[n, t + 1])
    want = np.linalg.lstsq(np.array(before), np.array(after), rcond=None)[0].T
    np.testing.assert_allclose(found.transition, want, rtol=1e-9)


def test_few_pairs_are_shrunk():
    z = sequences(2, 1, 12)
    found = learn_state(z, np.ones((1, 12), bool), stationary="empirical", stabilise=True)
    plain = np.linalg.lstsq(z[0, :-1], z[0, 1:], rcond=None)[0].T
    assert np.linalg.norm(found.transition) < np.linalg.norm(plain)


def test_local_noise_is_the_weighted_mean_of_outer_products_and_keeps_far_rows_at_the_mean():
    rng = np.random.default_rng(3)
    inputs, residuals = rng.normal(size=(40, 3)), rng.normal(size=(40, 2))
    noise, rows = local_noise(inputs, residuals, 0.3), rng.normal(size=(5, 3))
    got = noise_at(noise, rows, guard=0.0)
    for row, matrix in zip(rows, got, strict=True):
        weights = np.exp(-np.sum((row - inputs) ** 2, axis=1) / 0.6)
        want = sum(w * np.outer(r, r) for w, r in zip(weights, residuals, strict=True)) / weights.sum()
        np.testing.assert_allclose(matrix, want, atol=1e-5)
    far = noise_at(noise, np.full((1, 3), 1e3), guard=3.0)[0]
    assert np.linalg.eigvalsh(far).min() > 0.1 * np.linalg.eigvalsh(noise.mean).min()
    lonely = noise_at(noise, np.full((1, 3), 1e3), guard=0.0)[0]
    assert 0 < np.linalg.eigvalsh(lonely).min() < 1e-5
    np.testing.assert_allclose(constant_noise(inputs, residuals).mean, residuals.T @ residuals / 40)


def test_the_bandwidth_of_the_noise_does_not_depend_on_units():
    rng = np.random.default_rng(4)
    inputs = rng.normal(size=(150, 2))
    residuals = rng.normal(size=(150, 2)) * (0.2 + np.abs(inputs[:, :1]))
    one, other = (best_noise_bandwidth(inputs, residuals * unit) for unit in (1.0, np.array([1e3, 1e-2])))
    assert one == pytest.approx(other, rel=1e-6)


def test_windows_do_not_leave_their_sequence_and_are_not_filled():
    recording = simulated(lengths=(5, 4))
    signal = recording.signal("neural")
    keep = np.ones(signal.values.shape, bool)
    keep[2, 0] = False
    x, heard = windowed(signal.masked(keep), recording.lengths, 1, 1)
    assert heard.tolist() == [False, False, False, False, False, False, True, True, False]
    np.testing.assert_array_equal(x[6], signal.values[5:8].ravel())
