"""The evidence that the warm-up compares: trajectories integrated out by Laplace's method, against dense matrices."""

import jax
import jax.numpy as jnp
import numpy as np

from neurolatent import precision
from neurolatent.compiling import compiled
from neurolatent.models.bicluster import evidence, laplace
from neurolatent.models.bicluster.params import BiclusterData, BiclusterParams
from tests.models.bicluster.small import BINS, NEURONS, case, model_of

SIZE = 2  # coordinates of a trajectory
log_evidence = compiled(static=(0,))(evidence.log_evidence)


def prior_of_path(params: BiclusterParams, cluster: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of a whole trajectory, (bins x coordinates) in a row, by the law of each step."""
    mean, cov = np.zeros((BINS, SIZE)), np.zeros((BINS, SIZE, BINS, SIZE))
    cov[0, :, 0] = np.eye(SIZE)
    for t in range(1, BINS):
        state = params.state[t]
        a, q = params.transition[state, cluster], params.innovation[state, cluster]
        mean[t] = a @ mean[t - 1] + params.shift[state, cluster]
        for s in range(t):
            cov[t, :, s] = a @ cov[t - 1, :, s]
            cov[s, :, t] = cov[t, :, s].T
        cov[t, :, t] = a @ cov[t - 1, :, t - 1] @ a.T + q
    return mean.ravel(), cov.reshape(BINS * SIZE, BINS * SIZE)


def dense(params: BiclusterParams, data: BiclusterData, concerned: np.ndarray, cluster: int) -> float:
    """Laplace's approximation of the log integral over one trajectory of the likelihood's kernel, nats."""
    own = np.flatnonzero((params.label == cluster) & concerned)
    mean, cov = prior_of_path(params, cluster)
    weight = np.linalg.inv(cov)
    h = np.concatenate([np.ones((NEURONS, 1)), params.loadings], axis=1)
    x = mean.copy()

    def log_joint(x: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        value = -0.5 * (x - mean) @ weight @ (x - mean)
        slope, bend = -weight @ (x - mean), weight.copy()
        for i in own:
            for t in np.flatnonzero(data.seen[i]):
                row = np.zeros(BINS * SIZE)
                row[SIZE * t : SIZE * t + SIZE] = h[i]
                y, r, psi = data.counts[i, t], params.dispersion[i], params.offset[i] + row @ x
                psi = psi - np.log(r)
                share = 1 / (1 + np.exp(-psi))
                value += y * psi - (y + r) * np.log1p(np.exp(psi))
                slope, bend = (
                    slope + (y - (y + r) * share) * row,
                    bend + (y + r) * share * (1 - share) * row[:, None] * row,
                )
        return value, slope, bend

    for _ in range(50):
        _, slope, bend = log_joint(x)
        x = x + np.linalg.solve(bend, slope)
    value, slope, bend = log_joint(x)
    np.testing.assert_allclose(slope, 0.0, atol=1e-8)
    return float(value - 0.5 * np.linalg.slogdet(cov)[1] - 0.5 * np.linalg.slogdet(bend)[1])


def of_neurons(params: BiclusterParams, data: BiclusterData, concerned: np.ndarray) -> float:
    """The part of offsets and loadings: their priors over the Gaussians of the loadings."""
    used = np.isin(np.arange(params.trajectories.shape[0]), params.label)
    proposals = laplace.propose_all("nb", data, params, params.trajectories, jnp.asarray(used))
    q = laplace.log_density(laplace.at_neurons(proposals, params.label), params.loadings, BINS)
    each = -0.5 * (params.loadings**2).sum(axis=1) - q - 0.5 * params.offset**2
    return float(np.where(concerned, each, 0.0).sum())


def test_it_is_that_of_dense_matrices():
    params, data = case(0)
    for concerned in (np.ones(NEURONS, bool), np.array([True, False, False, True])):
        with precision.double():
            on = jax.tree.map(jnp.asarray, (params, data))
            got = float(log_evidence(model_of(), *on, jnp.asarray(concerned)))
            own = of_neurons(*on, concerned)
        want = sum(dense(params, data, concerned, cluster) for cluster in np.unique(params.label)) + own
        np.testing.assert_allclose(got, want, rtol=1e-6)


def test_it_is_unknown_where_the_mode_is_not_found():
    params, data = case(0)
    far = params._replace(trajectories=200.0 + 0 * params.trajectories)
    with precision.double():
        on = jax.tree.map(jnp.asarray, (far, data))
        assert np.isnan(log_evidence(model_of(), *on, jnp.ones(NEURONS, bool)))


def test_laws_cost_half_the_logarithm_of_the_bins_for_each_number():
    params, _ = case(0)  # two coordinates: four numbers of the matrix, two of the shift, three of the innovation
    with precision.double():
        cost = float(evidence.cost_of_laws(jax.tree.map(jnp.asarray, params)))
    np.testing.assert_allclose(cost, 0.5 * 9 * np.log(BINS), rtol=1e-12)
