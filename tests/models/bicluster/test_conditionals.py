"""Each conditional against its independent truth: dense solve, grid, quadrature, listing of all paths."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.special import gammaln

from neurolatent import precision
from neurolatent.models.bicluster import dynamics, labels, laplace, likelihood, neurons, states, trajectories
from neurolatent.ops import mniw
from tests.models.bicluster import faults
from tests.models.bicluster.small import BINS, NEURONS, case, chain, draws, model_of

MANY = 20_000


def on_device(tree):
    return jax.tree.map(jnp.asarray, tree)


def assert_moments(drawn: np.ndarray, mean: np.ndarray, cov: np.ndarray) -> None:
    """Mean and covariance of independent draws (rows), within five standard errors."""
    error = np.sqrt(np.diagonal(cov) / len(drawn))
    assert (np.abs(drawn.mean(axis=0) - mean) < 5 * error).all()
    scale = np.sqrt(np.outer(np.diagonal(cov), np.diagonal(cov)))
    np.testing.assert_allclose(np.cov(drawn, rowvar=False) / scale, cov / scale, atol=7 / np.sqrt(len(drawn)))


def log_paths(params, x: np.ndarray) -> float:
    """Log density of all trajectories in use, step by step."""
    total = 0.0
    for j in np.unique(params.label):
        total += stats.multivariate_normal(np.zeros(x.shape[2])).logpdf(x[j, 0])
        for t in range(1, x.shape[1]):
            at = params.state[t], j
            mean = params.transition[at] @ x[j, t - 1] + params.shift[at]
            total += stats.multivariate_normal(mean, params.innovation[at]).logpdf(x[j, t])
    return total


def told_of(seed: int, data) -> likelihood.Gaussian:
    rng = np.random.default_rng(seed)
    weight = rng.gamma(2.0, 0.3, data.counts.shape) * data.seen
    return likelihood.Gaussian(weight, (0.5 * data.counts - weight) * data.seen)


def paths_given(inputs, key):
    params, told = inputs
    return trajectories.draw_trajectories(params, told, key)[:2].reshape(-1)


def paths_with_states_held(inputs, key):
    params, told = inputs
    return trajectories.draw_bin_by_bin(params, told, key, held=jnp.ones((), bool)).trajectories[:2].reshape(-1)


@pytest.mark.parametrize(("seed", "given"), [(0, paths_given), (1, paths_given), (1, paths_with_states_held)])
def test_trajectories_have_the_law_of_the_dense_joint(key, seed, given):
    """The log density is quadratic: its values at 0, unit vectors and their sums tell mean and precision."""
    params, data = case(seed)
    told, size = told_of(seed, data), 2 * BINS * 2

    def log_density(flat: np.ndarray) -> float:
        x = np.zeros_like(params.trajectories)
        x[:2] = flat.reshape(2, BINS, 2)
        eta = params.offset[:, None] + x[params.label, :, 0] + params.loadings * x[params.label, :, 1]
        return float((told.pull * eta - 0.5 * told.weight * eta**2).sum()) + log_paths(params, x)

    at_zero, unit = log_density(np.zeros(size)), np.eye(size)
    plus, minus = (np.array([log_density(s * u) for u in unit]) for s in (1, -1))
    precision_matrix = np.diag(2 * at_zero - plus - minus)
    for a, b in itertools.combinations(range(size), 2):
        both = log_density(unit[a] + unit[b]) - plus[a] - plus[b] + at_zero
        precision_matrix[a, b] = precision_matrix[b, a] = -both
    cov = np.linalg.inv(precision_matrix)
    with precision.double():
        drawn = np.asarray(draws(given, key, on_device((params, told)), MANY))
    assert_moments(drawn, cov @ (0.5 * (plus - minus)), cov)


def coefficients_given(inputs, key):
    params, told = inputs
    offset, loadings = neurons.draw_coefficients(model_of(), params, told, key)
    return jnp.concatenate([offset[:, None], loadings], axis=1)


def test_coefficients_are_those_of_a_ridge_regression(key):
    params, data = case(2)
    told = told_of(2, data)
    with precision.double():
        drawn = np.asarray(draws(coefficients_given, key, on_device((params, told)), MANY))
    for i in range(NEURONS):
        path = params.trajectories[params.label[i]]
        regressors = np.c_[np.ones(BINS), path[:, 1:]]
        cov = np.linalg.inv(regressors.T @ (told.weight[i][:, None] * regressors) + np.eye(2))
        mean = cov @ regressors.T @ (told.pull[i] - told.weight[i] * path[:, 0])
        assert_moments(drawn[:, i], mean, cov)


def moved_by(params, key):
    return params.trajectories[:2, 0] - trajectories.translate(model_of(offset_sd=0.8), params, key).trajectories[:2, 0]


def test_the_translation_is_drawn_from_the_law_along_its_orbit(key):
    params, _ = case(3)

    def log_density(j: int, v: np.ndarray) -> float:
        x, h = params.trajectories.copy(), np.c_[np.ones(NEURONS), params.loadings]
        x[j] -= v
        offset = params.offset + (h @ v) * (params.label == j)
        return log_paths(params, x) - 0.5 * (offset**2).sum() / 0.8**2

    with precision.double():
        drawn = np.asarray(draws(moved_by, key, on_device(params), MANY))
        before = likelihood.log_rate(on_device(params))
        after = likelihood.log_rate(trajectories.translate(model_of(), on_device(params), key))
    np.testing.assert_allclose(after, before, atol=1e-12)
    for j in range(2):
        f = lambda a, b, j=j: log_density(j, np.array([a, b]))  # noqa: E731
        hessian = np.array(
            [
                [2 * f(0, 0) - f(1, 0) - f(-1, 0), f(1, 0) + f(0, 1) - f(1, 1) - f(0, 0)],
                [f(1, 0) + f(0, 1) - f(1, 1) - f(0, 0), 2 * f(0, 0) - f(0, 1) - f(0, -1)],
            ]
        )
        cov = np.linalg.inv(hessian)
        assert_moments(drawn[:, j], cov @ [0.5 * (f(1, 0) - f(-1, 0)), 0.5 * (f(0, 1) - f(0, -1))], cov)


TIGHT = model_of(law_precision=1.0)  # so that every law of the case finds a stable draw


def laws_given(params, key):
    everyone = jnp.ones(params.trajectories.shape[0], bool)
    drawn = dynamics.draw_dynamics(TIGHT, params, everyone, key)[0]
    return drawn.transition, drawn.shift, drawn.innovation


def test_laws_are_the_conjugate_posterior_without_what_grows(key):
    params, _ = case(4)
    with precision.double():
        transition, shift, innovation = map(np.asarray, draws(laws_given, key, on_device(params), 400))
    assert (np.abs(np.linalg.eigvals(transition)).max(axis=-1) < dynamics.LARGEST).all()
    rng = np.random.default_rng(0)
    for state, j in ((0, 0), (1, 1), (1, 2)):  # cluster 2 is empty: its laws are those of the prior
        rows = np.flatnonzero((params.state == state) & (np.arange(BINS) > 0)) if j < 2 else np.zeros(0, int)
        x = params.trajectories[j]
        posterior = mniw.conjugate(dynamics.prior_family(TIGHT, 2), x[rows], np.c_[x[rows - 1], np.ones(len(rows))])
        both, square = mniw.draw(posterior, 4000, rng)
        good = np.abs(np.linalg.eigvals(both[..., :2])).max(axis=-1) < dynamics.LARGEST
        both, square = both[good], square[good]
        for got, want in (
            (transition[:, state, j, 0, 1], both[:, 0, 1]),
            (transition[:, state, j, 1, 1], both[:, 1, 1]),
            (shift[:, state, j, 0], both[:, 0, 2]),
            (innovation[:, state, j, 0, 0], square[:, 0, 0]),
            (innovation[:, state, j, 0, 1], square[:, 0, 1]),
        ):
            assert stats.ks_2samp(got, want).pvalue > 1e-4  # of fifteen


def state_given(params, key):
    return states.draw_states(params, key)


def test_states_are_drawn_as_the_list_of_all_paths_says(key):
    params, _ = case(5)
    with precision.double():
        drawn = np.asarray(draws(state_given, key, on_device(params), MANY))
    np.testing.assert_array_equal(drawn[:, 0], drawn[:, 1])
    paths = np.array(list(itertools.product(range(2), repeat=BINS - 1)))
    scores = np.zeros(len(paths))
    for n, path in enumerate(paths):
        whole = params._replace(state=np.r_[path[:1], path])
        moves = np.log(params.jumps[path[:-1], path[1:]]).sum()
        scores[n] = moves + log_paths(whole, params.trajectories)
    probability = np.exp(scores - scores.max())
    probability /= probability.sum()
    counts = np.bincount(drawn[:, 1:] @ 2 ** np.arange(BINS - 2, -1, -1), minlength=len(paths))
    error = np.sqrt(probability * (1 - probability) / MANY) + 1e-4
    assert (np.abs(counts / MANY - probability) < 5 * error).all()


def state_without_paths(inputs, key):
    params, told = inputs
    return trajectories.draw_bin_by_bin(params, told, key).state


def test_a_cluster_without_neurons_says_nothing_of_states(key):
    """Its law may let a covariance grow until it has no root."""
    params, data = case(5)
    wild = params._replace(transition=params.transition.copy())
    wild.transition[:, 2] = 1e30
    with precision.double():
        drawn = [draws(state_without_paths, key, on_device((p, told_of(5, data))), 50) for p in (params, wild)]
    np.testing.assert_array_equal(*drawn)
    assert 0 < np.mean(drawn[0]) < 1


def weights_update(params, key):
    return states.draw_weights(model_of(), params, key)


def tell_weights(params):
    return params.weights[0], params.jumps[0, 1]


def test_weights_of_states_have_their_marginal_on_a_grid(key):
    params, _ = case(6)
    model = model_of()
    with precision.double():
        first, jump = map(np.asarray, chain(weights_update, tell_weights, key, on_device(params), 60_000))
    moves = np.zeros((2, 2))
    np.add.at(moves, (params.state[1:-1], params.state[2:]), 1)
    grid = np.linspace(0, 1, 4001)[1:-1]
    beta = np.stack([grid, 1 - grid], axis=1)
    weight = model.alpha * beta[:, None] + model.kappa * np.eye(2)
    rows = gammaln(weight + moves).sum(axis=2) - gammaln(weight).sum(axis=2)
    logs = rows.sum(axis=1) + (model.gamma / 2 - 1) * np.log(beta).sum(axis=1)
    density = np.exp(logs - logs.max())
    density /= density.sum()
    np.testing.assert_allclose(first.mean(), density @ grid, atol=0.006)
    np.testing.assert_allclose(first.std(), np.sqrt(density @ grid**2 - (density @ grid) ** 2), rtol=0.03)
    total = weight[:, 0].sum(axis=1) + moves[0].sum()
    np.testing.assert_allclose(jump.mean(), density @ ((weight[:, 0, 1] + moves[0, 1]) / total), atol=0.004)


def test_ranks_count_equal_ones_before_each():
    steps = jnp.array([[1, 0], [0, 0], [1, 0], [1, 0], [0, 0], [0, 1]]).T
    ranks, counts = states.ranks(steps[0], steps[1], 2)
    np.testing.assert_array_equal(ranks, [0, 0, 1, 2, 1, 0])
    np.testing.assert_array_equal(counts, [[2, 1], [3, 0]])


def dispersion_update(inputs, key):
    params, data = inputs
    r = neurons.draw_dispersion(model_of(), params, data, likelihood.log_rate(params), key)
    return params._replace(dispersion=r), data


def tell_dispersion(inputs):
    return inputs[0].dispersion


def log_dispersion_on_grid(params, data, grid: np.ndarray) -> np.ndarray:
    eta = np.asarray(likelihood.log_rate(on_device(params)))
    out = []
    for i in range(NEURONS):
        keep = data.seen[i] > 0
        rate, y = np.exp(eta[i, keep]), data.counts[i, keep].astype(int)
        pmf = stats.nbinom(grid[:, None], grid[:, None] / (grid[:, None] + rate)).logpmf(y)
        out.append(pmf.sum(axis=1) + stats.gamma(1.0).logpdf(grid))
    return np.array(out)


def test_dispersion_has_its_conditional_on_a_grid(key):
    params, data = case(7)
    edges = np.exp(np.linspace(np.log(1e-3), np.log(30), 4001))
    grid = 0.5 * (edges[1:] + edges[:-1])
    with precision.double():
        drawn = np.asarray(chain(dispersion_update, tell_dispersion, key, on_device((params, data)), 30_000))
        density = np.exp(log_dispersion_on_grid(params, data, grid)) * np.diff(edges)
        density /= density.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(drawn.mean(axis=0), density @ grid, rtol=0.05)
        np.testing.assert_allclose(np.log(drawn).mean(axis=0), density @ np.log(grid), atol=0.05)
        on = on_device((params, data))
        eta, logs = likelihood.log_rate(on[0]), jnp.log(on[0].dispersion)
        without = on[1]._replace(above=jnp.zeros((NEURONS, 0)))
        one, two = (neurons.dispersion_density(model_of(), d, eta, logs) for d in (on[1], without))
    np.testing.assert_allclose(one, two, rtol=1e-10)


PATHS = np.random.default_rng(8).normal(size=(3, BINS, 2))
WEIGHT = np.log([0.5, 0.2, 0.3])
FAMILIES = {family: model_of(family=family) for family in ("nb", "poisson")}


def move_nb(inputs, key):
    return _moved("nb", inputs, key)


def move_poisson(inputs, key):
    return _moved("poisson", inputs, key)


def _moved(family, inputs, key):
    params, data = inputs
    active = jnp.array([True, True, False])
    log_weight = jnp.where(active, jnp.asarray(WEIGHT), -jnp.inf)
    label, loadings, _ = labels.move(FAMILIES[family], params, data, jnp.asarray(PATHS), active, log_weight, key)
    return params._replace(label=label, loadings=loadings), data


def tell_labels(inputs):
    return inputs[0].label, inputs[0].loadings[:, 0]


@pytest.mark.parametrize(("family", "update"), [("nb", move_nb), ("poisson", move_poisson)])
def test_labels_and_loadings_have_their_joint_law_by_quadrature(key, family, update):
    params, data = case(9)
    with precision.double():
        label, loading = map(np.asarray, chain(update, tell_labels, key, on_device((params, data)), 30_000))
    first, mean, square = by_quadrature(family, params, data)
    np.testing.assert_allclose((label == 0).mean(axis=0), first, atol=0.02)
    np.testing.assert_allclose(loading.mean(axis=0), mean, atol=0.03)
    np.testing.assert_allclose((loading**2).mean(axis=0), square, rtol=0.06)
    assert not (label == 2).any()


def move_faulty(inputs, key):
    params, data = inputs
    active, weight = jnp.array([True, True, False]), jnp.asarray(WEIGHT)
    given = (jnp.asarray(PATHS), active, jnp.where(active, weight, -jnp.inf), key)
    label, loadings, _ = faults.label_without_its_loadings(FAMILIES["nb"], params, data, *given)
    return params._replace(label=label, loadings=loadings), data


def test_quadrature_sees_a_label_that_moves_without_its_loadings(key):
    params, data = case(9)
    with precision.double():
        _, loading = map(np.asarray, chain(move_faulty, tell_labels, key, on_device((params, data)), 2000))
    _, mean, _ = by_quadrature("nb", params, data)
    assert np.abs(loading.mean(axis=0) - mean).max() > 0.3  # ten times what the right one is allowed


def by_quadrature(family, params, data):
    """Of each neuron: the probability of the first cluster, mean and mean square of the loading."""
    grid, out = np.linspace(-8, 8, 3001), []
    for i in range(NEURONS):
        keep = data.seen[i] > 0
        log_joint = np.empty((2, len(grid)))
        for j in range(2):
            rate = np.exp(params.offset[i] + PATHS[j, keep, 0] + grid[:, None] * PATHS[j, keep, 1])
            y, r = data.counts[i, keep].astype(int), params.dispersion[i]
            law = stats.nbinom(r, r / (r + rate)) if family == "nb" else stats.poisson(rate)
            log_joint[j] = WEIGHT[j] + law.logpmf(y).sum(axis=1) - 0.5 * grid**2
        joint = np.exp(log_joint - log_joint.max())
        joint /= joint.sum()
        out.append((joint[0].sum(), (joint @ grid).sum(), (joint @ grid**2).sum()))
    return np.array(out).T


def test_the_gaussian_stands_at_the_mode_of_the_exact_density():
    params, data = case(10, factors=2)
    path = np.random.default_rng(1).normal(size=(BINS, 3))
    with precision.double():
        on, given = on_device((params, data)), jnp.asarray(path)
        proposal = laplace.propose("nb", on[1], on[0].offset, on[0].dispersion, given)
        paths = jnp.broadcast_to(given, (NEURONS, BINS, 3))
        target = lambda c: laplace.log_target("nb", on[1], on[0], paths, c).sum()  # noqa: E731
        np.testing.assert_allclose(jax.grad(target)(proposal.mode), 0.0, atol=1e-4)
        bend = -jax.jacfwd(jax.grad(target))(proposal.mode)
        for i in range(NEURONS):
            np.testing.assert_allclose(proposal.root[i] @ proposal.root[i].T, bend[i, :, i], rtol=1e-3, atol=1e-4)
