"""Clusters that drive one another: laws for all of them together, held to dense densities."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.special import multigammaln

import neurolatent as nl
from neurolatent import precision
from neurolatent.checks import InputError
from neurolatent.models.bicluster import BiclusterParams, coupled, dynamics, states, statistics
from neurolatent.models.bicluster.coupled_sweep import sweep
from neurolatent.models.bicluster.draws import alike, renumbered
from neurolatent.models.bicluster.likelihood import log_rate
from neurolatent.models.protocols import ModelWarning
from neurolatent.ops import mniw
from tests.models.bicluster import geweke
from tests.models.bicluster.small import BINS, NEURONS, SHORT, case, model_of, population, population_model
from tests.models.bicluster.test_conditionals import assert_moments, on_device, told_of

FULL = model_of(coupling="full", law_precision=1.0)
MANY = 2000
USED = (0, 1)  # clusters with neurons
SIZE = 4  # their coordinates


def coupled_case(seed: int) -> tuple[BiclusterParams, object]:
    """The small case with dense laws; they have entries of the cluster without neurons, too, which must not count."""
    params, data = case(seed)
    rng, (states_, clusters, size) = np.random.default_rng(100 + seed), params.shift.shape
    shape = (states_, clusters, size, clusters, size)
    root = rng.normal(size=(states_, clusters * size, clusters * size))
    cov = 0.1 * root @ np.swapaxes(root, 1, 2) + 0.1 * np.eye(clusters * size)
    transition = 0.3 * rng.normal(size=shape)
    return params._replace(transition=transition, innovation=cov.reshape(shape)), data


def stacked(params: BiclusterParams, x: np.ndarray | None = None) -> np.ndarray:
    """Trajectories of the clusters in use side by side."""
    paths = params.trajectories if x is None else x
    return np.concatenate([paths[j] for j in USED], axis=1)


def matrices(params: BiclusterParams, state: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Transition, shift and innovation of the clusters in use."""
    used = list(USED)
    inner = lambda law: law[state][used][:, :, used].reshape(SIZE, SIZE)  # noqa: E731
    return inner(params.transition), params.shift[state][used].reshape(-1), inner(params.innovation)


def log_step(params: BiclusterParams, state: int, x: np.ndarray, t: int) -> float:
    transition, shift, innovation = matrices(params, state)
    return float(stats.multivariate_normal(transition @ x[t - 1] + shift, innovation).logpdf(x[t]))


def log_paths(params: BiclusterParams, x: np.ndarray) -> float:
    """Log density of the trajectories side by side, step by step."""
    start = stats.multivariate_normal(np.zeros(SIZE)).logpdf(x[0])
    return float(start) + sum(log_step(params, params.state[t], x, t) for t in range(1, len(x)))


def gaussian_of(log_density, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of a quadratic log density, from its values at 0, unit vectors and their sums."""
    at_zero, unit = log_density(np.zeros(size)), np.eye(size)
    plus, minus = (np.array([log_density(s * u) for u in unit]) for s in (1, -1))
    weight = np.diag(2 * at_zero - plus - minus)
    for a, b in itertools.combinations(range(size), 2):
        weight[a, b] = weight[b, a] = -(log_density(unit[a] + unit[b]) - plus[a] - plus[b] + at_zero)
    cov = np.linalg.inv(weight)
    return cov @ (0.5 * (plus - minus)), cov


def drawn(update, key, inputs) -> np.ndarray:
    """Independent draws, one after the other: matrices are factored by LAPACK, which must not be batched."""
    with precision.double():
        given = on_device(inputs)
        one = jax.jit(lambda keys: jax.lax.map(lambda k: update(given, k), keys))
        return np.asarray(one(jax.random.split(key, MANY)))


# --- conditionals ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1])
def test_trajectories_have_the_law_of_the_dense_joint(key, seed):
    params, data = coupled_case(seed)
    told = told_of(seed, data)

    def log_density(flat: np.ndarray) -> float:
        x = np.zeros_like(params.trajectories)
        x[list(USED)] = flat.reshape(2, BINS, 2)
        eta = params.offset[:, None] + x[params.label, :, 0] + params.loadings * x[params.label, :, 1]
        return float((told.pull * eta - 0.5 * told.weight * eta**2).sum()) + log_paths(params, stacked(params, x))

    got = drawn(lambda given, k: coupled.draw_trajectories(*given, k).reshape(-1), key, (params, told))
    size = 2 * BINS * 2
    np.testing.assert_array_equal(got[:, size:], 0.0)  # of the cluster without neurons
    assert_moments(got[:, :size], *gaussian_of(log_density, size))


def test_the_translation_is_drawn_from_the_law_along_its_orbit(key):
    params, _ = coupled_case(3)
    model = model_of(coupling="full", offset_sd=0.8)

    def log_density(flat: np.ndarray) -> float:
        move, h = np.zeros((3, 2)), np.c_[np.ones(NEURONS), params.loadings]
        move[list(USED)] = flat.reshape(2, 2)
        offset = params.offset + (h * move[params.label]).sum(axis=1)
        moved = params.trajectories - move[:, None]
        return log_paths(params, stacked(params, moved)) - 0.5 * (offset**2).sum() / 0.8**2

    moved_by = lambda p, k: (p.trajectories - coupled.translate(model, p, k).trajectories)[:, 0].reshape(-1)  # noqa: E731
    got = drawn(moved_by, key, params)
    np.testing.assert_allclose(got[:, SIZE:], 0.0, atol=1e-12)
    assert_moments(got[:, :SIZE], *gaussian_of(log_density, SIZE))
    with precision.double():
        given = on_device(params)
        after = jax.jit(lambda p: log_rate(coupled.translate(model, p, key)))(given)
        np.testing.assert_allclose(after, log_rate(given), atol=1e-12)


def test_steps_have_the_density_of_the_dense_law():
    params, _ = coupled_case(2)
    with precision.double():
        got = coupled.emission(on_device(params))
    x = stacked(params)
    want = [[log_step(params, state, x, t) for state in range(2)] for t in range(1, BINS)]
    np.testing.assert_allclose(got, want, rtol=1e-9)


def test_without_cross_blocks_steps_have_the_density_of_single_clusters():
    params, _ = case(2)
    with precision.double():
        given = on_device(params)
        want = states.emission(dynamics.dynamics_of(given), given.trajectories, jnp.array([1.0, 1.0, 0.0]))
        np.testing.assert_allclose(coupled.emission(coupled.uncoupled(given)), want, rtol=1e-9)
        back = coupled.blocks_of(coupled.uncoupled(given))
    for name in ("transition", "innovation"):
        np.testing.assert_array_equal(getattr(back, name), getattr(given, name))


def rows_of(params: BiclusterParams, state: int) -> tuple[np.ndarray, np.ndarray]:
    """Targets and regressors of the steps of a state, of the clusters in use."""
    x, rows = stacked(params), 1 + np.flatnonzero(params.state[1:] == state)
    return x[rows], np.c_[x[rows - 1], np.ones(len(rows))]


def test_laws_are_told_by_the_conjugate_posterior_of_all_clusters_in_use():
    params, _ = coupled_case(4)
    params.trajectories[2] = 7.0  # says nothing
    with precision.double():
        of = jax.device_get(coupled.posteriors(FULL, on_device(params)))
    for state in range(2):
        twin = mniw.conjugate(dynamics.prior_family(FULL, SIZE), *rows_of(params, state))
        np.testing.assert_allclose(of.mean[state][:SIZE][:, [0, 1, 2, 3, 6]], twin.mean, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose((of.root[state] @ of.root[state].T)[:SIZE, :SIZE], twin.scale, rtol=1e-8, atol=1e-10)
        assert of.freedom[state] == twin.freedom


def test_the_density_of_trajectories_is_that_of_the_family():
    params, _ = coupled_case(4)
    with precision.double():
        got = float(statistics.of_paths(FULL, on_device(params)))
    prior = dynamics.prior_family(FULL, SIZE)
    want = float(stats.multivariate_normal(np.zeros(SIZE)).logpdf(stacked(params)[0]))
    for state in range(2):
        y, z = rows_of(params, state)
        after = mniw.conjugate(prior, y, z)
        want += multigammaln(after.freedom / 2, SIZE) - multigammaln(prior.freedom / 2, SIZE)
        want += 0.5 * prior.freedom * np.linalg.slogdet(prior.scale)[1]
        want -= 0.5 * after.freedom * np.linalg.slogdet(after.scale)[1]
        want += 0.5 * SIZE * (np.linalg.slogdet(prior.precision)[1] - np.linalg.slogdet(after.precision)[1])
        want -= 0.5 * len(y) * SIZE * np.log(np.pi)
    np.testing.assert_allclose(got, want, rtol=1e-9)


def test_with_one_cluster_both_models_are_one():
    params, _ = case(6)
    alone = params._replace(label=np.zeros(NEURONS, np.int32))
    with precision.double():
        given = on_device(alone)
        whole = coupled.uncoupled(given)
        block = model_of(law_precision=1.0)
        np.testing.assert_allclose(statistics.of_paths(FULL, whole), statistics.of_paths(block, given), rtol=1e-10)
        want = states.emission(dynamics.dynamics_of(given), given.trajectories, jnp.array([1.0, 0.0, 0.0]))
        np.testing.assert_allclose(coupled.emission(whole), want, rtol=1e-9)


# --- births and deaths -----------------------------------------------------------------------------------------------


def test_what_is_born_is_not_coupled_and_what_is_gone_takes_its_laws_along():
    params, _ = coupled_case(0)
    before = coupled.blocks_of(on_device(params._replace(label=np.array([0, 1, 2, 0], np.int32))))
    other = before.transition.at[:, 1].add(0.1)
    after = before._replace(label=jnp.array([0, 1, 0, 0]), transition=other)
    np.testing.assert_array_equal(coupled.are_same(before, before), True)
    np.testing.assert_array_equal(coupled.are_same(before, after), [True, False, False])
    kept = jnp.array([True, False, True])
    got = coupled.joined(on_device(params), after, kept)
    for j, k in itertools.product(range(3), repeat=2):
        block = np.asarray(got.transition[:, j, :, k])
        if j == k:
            np.testing.assert_array_equal(block, after.transition[:, j])
        elif 1 in (j, k):
            np.testing.assert_array_equal(block, 0.0)
        else:
            np.testing.assert_allclose(block, params.transition[:, j, :, k], rtol=1e-6)


def test_renumbering_takes_both_axes_of_clusters():
    params, _ = coupled_case(0)
    shuffled = params._replace(label=np.array([2, 2, 1, 2]), state=1 - params.state)
    whole = renumbered(BiclusterParams(*(np.asarray(leaf)[None] for leaf in shuffled)))
    assert whole.transition.shape == whole.innovation.shape == (1, 2, 2, 2, 2, 2)
    one = BiclusterParams(*(leaf[0] for leaf in whole))
    np.testing.assert_array_equal(one.label, [0, 0, 1, 0])
    for name in ("transition", "innovation"):
        before, after = getattr(shuffled, name), getattr(one, name)
        for i, k in itertools.product(range(4), repeat=2):
            want = before[shuffled.state, shuffled.label[i], :, shuffled.label[k]]
            np.testing.assert_array_equal(after[one.state, one.label[i], :, one.label[k]], want)
    single = renumbered(BiclusterParams(*(np.asarray(leaf)[None] for leaf in params._replace(label=np.zeros(4, int)))))
    wide = alike([whole, single])[1]
    assert wide.transition.shape == whole.transition.shape
    np.testing.assert_array_equal(wide.transition[0, :, 0, :, 0], single.transition[0, :, 0, :, 0])
    assert not wide.transition[0, :, 1].any()
    assert not wide.transition[0, :, :, :, 1].any()


# --- the whole -------------------------------------------------------------------------------------------------------


def test_it_is_refused_where_it_cannot_be_or_would_be_taken_for_exact(key):
    with pytest.raises(InputError, match="coupling='full' is for family='nb'"):
        model_of(coupling="full", family="poisson")
    with pytest.raises(InputError, match="take coupling='block'"):
        FULL.numpyro_model(case(0)[1])
    assert not FULL.is_exact
    with pytest.raises(ValueError, match="does not leave the posterior as it is"):
        geweke.from_prior(FULL, NEURONS, key, 10)
    with pytest.raises(ValueError, match="does not leave the posterior as it is"):
        geweke.from_chains(FULL, sweep, key, 2, 2)


def test_the_door_says_that_draws_are_not_of_the_posterior():
    with pytest.warns(ModelWarning, match="coupling='full': births and deaths put zeros in the laws"):
        population_model(coupling="full").select(population(), for_training=True)


@pytest.mark.slow
def test_a_fit_warns_is_saved_and_read(tmp_path):
    recording, apart = population(), dataclasses.replace(SHORT, settling=0.05)  # clusters are hardly merged
    fit = nl.fit(population_model(coupling="full"), recording, engine=apart, seed=1)
    assert any("draws are not of the posterior" in words for words in fit.warnings)
    again = nl.Fit.load(fit.save(tmp_path / "fit.nc"))
    assert again.model == fit.model
    for one, two in zip(fit.draws, again.draws, strict=True):
        np.testing.assert_array_equal(one, two)
    law = fit.idata["posterior"]["transition"]
    between = ("cluster", "coordinate", "cluster_from", "coordinate_from")
    assert law.dims == ("chain", "draw", "state_number", *between)
    for chain, draw in np.ndindex(law.shape[:2]):
        used = int(fit.draws.label[chain, draw].max()) + 1
        whole = fit.draws.innovation[chain, draw, :, :used, :, :used].astype(float)
        assert (np.linalg.eigvalsh(whole.reshape(len(whole), 2 * used, 2 * used)) > 0).all()
        assert np.isfinite(law.values[chain, draw]).all()
    assert (law.values[:, :, :, 0, :, 1] != 0).any()  # one drives another
    assert np.isfinite(fit.idata["sample_stats"]["log_joint"].values).all()
    assert again.predict(recording).identical(fit.predict(recording))
