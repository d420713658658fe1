"""Moves along orbits: their targets against densities and a numerical Jacobian, and what they leave alone."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from neurolatent import precision
from neurolatent.models.bicluster import dynamics, innovate, likelihood, reshape
from tests.models.bicluster.small import CLUSTERS, case, chain, model_of
from tests.models.bicluster.test_conditionals import log_paths, on_device

MODEL = model_of(n_factors=2)
SIZE = 3


def moved(seed: int) -> reshape.Shape:
    """Some shape of every cluster: a product of stretches and shears."""
    rng, eye = np.random.default_rng(seed), np.eye(SIZE)
    onward = np.stack([eye + np.r_["0,2", 0.3 * rng.normal(size=(SIZE, SIZE))] * [0, 1, 1] for _ in range(CLUSTERS)])
    return reshape.Shape(onward, np.linalg.inv(onward), np.linalg.slogdet(onward)[1])


def log_density(params) -> float:
    """Of everything that an orbit moves, laws of which steps tell included."""
    family, total = dynamics.prior_family(MODEL, SIZE), log_paths(params, params.trajectories)
    total -= 0.5 * (params.loadings**2).sum()
    for at in itertools.product(np.unique(params.state), range(2)):  # the clusters in use
        law = np.c_[params.transition[at], params.shift[at]]
        noise = params.innovation[at]
        total += stats.invwishart(family.freedom, family.scale).logpdf(noise)
        total += stats.matrix_normal(family.mean, noise, np.linalg.inv(family.precision)).logpdf(law)
    return total


def log_jacobian(params, mapped) -> float:
    """Of a map of trajectories, loadings and laws of clusters and states in use, by differentiation."""
    below, used = np.tril_indices(SIZE), slice(0, 2)
    told = slice(0, int(params.state.max()) + 1)

    def parts_of(p):
        noise = p.innovation[told, used][..., *below]
        return p.trajectories[used], p.loadings, p.transition[told, used], p.shift[told, used], noise

    def flat(p):
        parts = parts_of(p)
        return jnp.concatenate([part.reshape(-1) for part in parts])

    def whole(vector):
        parts = parts_of(params)
        ends = np.cumsum([part.size for part in parts])
        x, c, a, b, half = (v.reshape(part.shape) for v, part in zip(jnp.split(vector, ends[:-1]), parts, strict=True))
        lower = jnp.zeros((*half.shape[:-1], SIZE, SIZE)).at[..., *below].set(half)
        q = lower + jnp.swapaxes(lower, -1, -2) - lower * np.eye(SIZE)
        laws = (params.transition.at[told, used].set(a), params.shift.at[told, used].set(b))
        return params._replace(
            trajectories=params.trajectories.at[used].set(x),
            loadings=c,
            transition=laws[0],
            shift=laws[1],
            innovation=params.innovation.at[told, used].set(q),
        )

    params = on_device(params)
    matrix = jax.jacfwd(lambda vector: flat(mapped(whole(vector))))(flat(params))
    return float(np.linalg.slogdet(np.asarray(matrix))[1])


@pytest.mark.parametrize(("seed", "states"), [(0, 2), (1, 2), (1, 1)])
def test_the_target_is_the_density_on_the_orbit_times_the_jacobian(seed, states):
    """With one state in use the laws of the other have no say: they are integrated out."""
    params, _ = case(seed, factors=2)
    params = params._replace(state=np.minimum(params.state, states - 1))
    shape = moved(seed)
    with precision.double():
        orbit = reshape.orbit_of(MODEL, on_device(params))
        nowhere = reshape.Shape(np.broadcast_to(np.eye(SIZE), shape.onward.shape), shape.onward * 0 + np.eye(SIZE), 0.0)
        told = reshape.log_target(orbit, on_device(shape)) - reshape.log_target(orbit, on_device(nowhere))
        mapped = lambda p: reshape.reshaped(p, on_device(shape))  # noqa: E731
        there = jax.device_get(mapped(on_device(params)))
        expected = log_density(there) - log_density(params) + log_jacobian(params, mapped)
    assert np.asarray(told)[:2].sum() == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("at", [0, 1])
def test_what_innovations_of_another_scale_change_is_the_density_times_the_jacobian(at):
    params, _ = case(at, factors=2)
    log_scale = np.array([0.3, -0.2, 0.1])
    with precision.double():
        told = innovate.log_prior_change(MODEL, on_device(params), at, on_device(log_scale))
        mapped = lambda p: innovate.scaled(p, at, on_device(log_scale))  # noqa: E731
        there = jax.device_get(mapped(on_device(params)))
        expected = log_density(there) - log_density(params) + log_jacobian(params, mapped)
    assert np.asarray(told)[:2].sum() == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("family", ["nb", "poisson"])
def test_the_scale_of_innovations_has_the_law_of_a_grid(key, family):
    """One state: one scale for each cluster is all that moves."""
    model, grid, (params, data) = model_of(family=family), np.linspace(-3, 3, 121), case(5)
    params = params._replace(state=np.zeros_like(params.state))

    def log_density(log_scale):
        of_first = jnp.array([log_scale, 0.0, 0.0])
        there = innovate.scaled(params, 0, of_first)
        counts = likelihood.log_likelihood(model, there, on_device(data)).sum()
        return counts + innovate.log_prior_change(model, params, 0, of_first)[0]

    with precision.double():
        params = on_device(params)
        logs = np.asarray(jax.lax.map(log_density, jnp.asarray(grid)))
        moving = lambda now, key: innovate.innovate(model, now, on_device(data), key)  # noqa: E731
        tell = lambda now: 0.5 * jnp.log(now.innovation[0, 0, 0, 0])  # noqa: E731
        found = np.asarray(chain(moving, tell, key, params, 20_000))[200::5]
    drawn, weight = found - 0.5 * np.log(np.asarray(params.innovation)[0, 0, 0, 0]), np.exp(logs - logs.max())
    weight /= weight.sum()
    mean = (weight * grid).sum()
    sd = np.sqrt((weight * (grid - mean) ** 2).sum())
    assert drawn.mean() == pytest.approx(mean, abs=0.1 * sd)
    assert drawn.std() == pytest.approx(sd, rel=0.1)


def test_innovations_of_a_cluster_without_neurons_stay(key):
    params, data = case(5)
    moving = lambda now, key: innovate.innovate(model_of(), now, on_device(data), key)  # noqa: E731
    tell = lambda now: (now.trajectories[2], now.innovation[:, 2])  # noqa: E731
    with precision.double():
        paths, noise = map(np.asarray, chain(moving, tell, key, on_device(params), 50))
    np.testing.assert_array_equal(paths, 0.0)
    np.testing.assert_array_equal(noise, np.broadcast_to(params.innovation[:, 2], noise.shape))


def only_reshaped(params, key):
    return reshape.reshape(MODEL, params, key)


def test_rates_stay_and_shapes_move(key):
    params, _ = case(2, factors=2)
    with precision.double():
        before = likelihood.log_rate(on_device(params))
        tell = lambda now: (likelihood.log_rate(now), now.trajectories)  # noqa: E731
        after, paths = map(np.asarray, chain(only_reshaped, tell, key, on_device(params), 50))
    np.testing.assert_allclose(after, np.broadcast_to(np.asarray(before), after.shape), atol=1e-9)
    assert (np.std(paths[:, :2], axis=0) > 0.01).all()
    np.testing.assert_array_equal(paths[:, 2], 0.0)  # without neurons


def test_the_scale_of_a_factor_has_the_law_of_a_grid(key):
    """One factor: scale and shear are all there is, and their law is the target's over all pairs."""
    params, model = case(4)[0], model_of()
    edges = np.linspace(-4, 4, 241)
    with precision.double():
        orbit = reshape.orbit_of(model, on_device(params))
        log_scale, shear = np.meshgrid(edges, edges, indexing="ij")
        onward = np.zeros((*log_scale.shape, 2, 2))
        onward[..., 0, 0], onward[..., 0, 1], onward[..., 1, 1] = 1.0, shear, np.exp(log_scale)
        at = reshape.Shape(onward.reshape(-1, 2, 2), np.linalg.inv(onward).reshape(-1, 2, 2), log_scale.reshape(-1))
        many = lambda leaf: jnp.broadcast_to(leaf, (log_scale.size, *leaf.shape))  # noqa: E731
        each = [jax.tree.map(lambda leaf, j=j: many(leaf[j]), orbit) for j in range(2)]
        logs = [np.asarray(reshape.log_target(one, at)).reshape(log_scale.shape) for one in each]
        tell = lambda now: now.trajectories[:2, :, 1]  # noqa: E731
        reshaping = lambda now, key: reshape.reshape(model, now, key)  # noqa: E731
        paths = np.asarray(chain(reshaping, tell, key, on_device(params), 20_000))[::10]
    for cluster in range(2):
        drawn = np.log(np.abs(paths[:, cluster, 0] / params.trajectories[cluster, 0, 1]))

        weight = np.exp(logs[cluster] - logs[cluster].max())  # (log scale, shear): the measure that moves leave
        weight = weight.sum(axis=1) / weight.sum()
        mean = (weight * edges).sum()
        sd = np.sqrt((weight * (edges - mean) ** 2).sum())
        assert drawn.mean() == pytest.approx(mean, abs=0.1 * sd)
        assert drawn.std() == pytest.approx(sd, rel=0.1)
