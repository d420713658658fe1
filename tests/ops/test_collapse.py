"""The linear theory of collapse against the exact evidence, and its edge of noise against draws of noise."""

import numpy as np
import pytest

from neurolatent.ops.collapse import Side, effective_samples, noise_edge, shuffled, smooth_moment

TIME = 12


def root_of(time: int, ell: float) -> np.ndarray:
    """Half of a dense squared-exponential covariance."""
    lag = np.subtract.outer(np.arange(time), np.arange(time)) / ell
    return np.linalg.cholesky(np.exp(-0.5 * lag**2) + 1e-6 * np.eye(time)).T


def log_evidence(residual: np.ndarray, seen: np.ndarray, loadings: np.ndarray, root: np.ndarray) -> float:
    """Of standard normal noise and one latent, sequence by sequence, by dense covariances of what was observed."""
    total = 0.0
    for r, s in zip(residual, seen, strict=True):
        cov = np.kron(root.T @ root, np.outer(loadings, loadings)) + np.eye(r.size)
        heard = s.ravel() > 0
        cov, r = cov[np.ix_(heard, heard)], r.ravel()[heard]
        total += -0.5 * (np.linalg.slogdet(cov)[1] + r @ np.linalg.solve(cov, r))
    return total


@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_an_eigenvalue_tells_how_the_exact_evidence_curves_at_zero(missing):
    rng, root = np.random.default_rng(0), root_of(TIME, 3.0)
    seen = (rng.random((4, TIME, 3)) >= missing).astype(float)
    residual = (rng.normal(size=seen.shape) + root.T @ rng.normal(size=(4, TIME, 1)) * [0.8, -0.5, 0.1]) * seen
    values, vectors = np.linalg.eigh(smooth_moment(Side(residual, seen), Side(residual, seen), root))
    scale = np.sqrt(np.einsum("t,mtn->n", (root**2).sum(axis=0), seen))
    for value, vector in zip(values, vectors.T, strict=True):
        size = 1e-2
        gained = log_evidence(residual, seen, size * vector / scale, root) - log_evidence(
            residual, seen, 0 * scale, root
        )
        assert gained / (size**2 / 2) == pytest.approx(value - 1, abs=2e-3)


def test_noise_keeps_to_its_edge_and_shuffling_makes_noise_of_a_smooth_signal():
    rng, root = np.random.default_rng(1), root_of(60, 10.0)
    assert effective_samples(root, 50) == pytest.approx(50 * 60**2 / ((root.T @ root) ** 2).sum(), rel=1e-4)
    edge, seen, largest = noise_edge(30, effective_samples(root, 50)), np.ones((50, 60, 30)), []
    smooth = root.T @ rng.normal(size=(50, 60, 1)) * rng.normal(size=30)
    smooth = (smooth - smooth.mean(axis=(0, 1))) / smooth.std(axis=(0, 1))
    for part in (Side(rng.normal(size=seen.shape), seen), shuffled(Side(smooth, seen), rng)):
        largest.append(np.linalg.eigvalsh(smooth_moment(part, part, root))[-1])
    np.testing.assert_allclose(largest, edge, rtol=0.25)
    moment = smooth_moment(Side(smooth, seen), Side(smooth, seen), root)
    assert np.linalg.eigvalsh(moment)[-1] > 5 * edge


def test_shuffling_moves_what_was_observed_with_its_values():
    rng = np.random.default_rng(2)
    seen = (rng.random((5, 7, 3)) < 0.7).astype(float)
    values, moved = shuffled(Side(rng.normal(size=seen.shape) * seen, seen), rng)
    np.testing.assert_array_equal(values != 0, moved > 0)
    np.testing.assert_array_equal(moved.sum(axis=(0, 1)), seen.sum(axis=(0, 1)))
