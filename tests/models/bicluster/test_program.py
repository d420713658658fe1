"""The NumPyro program against the sampler's own prior: densities by conjugate identities, draws by their moments."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro import handlers
from scipy import stats
from scipy.special import gammaln, logsumexp

from neurolatent import precision
from neurolatent.compiling import compiled
from neurolatent.models.bicluster import BiclusterParams, concentrations, dynamics, statistics
from neurolatent.models.bicluster.params import data_of
from neurolatent.ops import mniw
from neurolatent.ops.partitions import geometric_log_prior
from tests.models.bicluster import geweke
from tests.models.bicluster.small import CLUSTERS, STATES, case, model_of

PARTS = ("of_neurons", "of_partition", "of_paths", "of_states", "log_prior")
COMPONENTS = 3
OF_PRIOR, OF_TWIN = 10_000, 4000
CONCENTRATIONS = {"total_concentration": 8.0, "stickiness": 0.75, "weight_concentration": 3.5}


def sites_of(params: BiclusterParams, components: int) -> dict[str, Any]:
    """Values of all sites of the program at a draw."""
    laws = np.concatenate([params.transition, params.shift[..., None], params.innovation], axis=-1)
    mass = np.random.default_rng(3).gamma(2.0, size=CLUSTERS)
    same = {n: getattr(params, n) for n in ("label", "offset", "loadings", "dispersion", "weights", "jumps")}
    return {
        **same,
        "trajectories": params.trajectories + 0.1,  # so that a component without neurons has a path, too
        "laws": laws,
        "mass": mass,
        "steps": params.state[1:],
        "further_components": np.array(components - 1),
    }


def in_double(tree: Any) -> Any:
    """Floats in double precision."""
    return jax.tree.map(lambda leaf: leaf if np.asarray(leaf).dtype.kind == "i" else np.asarray(leaf, float), tree)


@compiled(static=(0,))
def densities(model: Any, sites: dict[str, Any], params: BiclusterParams, data: Any) -> tuple[dict, dict, Any, Any]:
    """Log density of each site, the sampler's parts of the prior, its log likelihood, and the draw that is told."""
    trace = handlers.trace(handlers.substitute(model.numpyro_model, sites)).get_trace(data)
    each = {n: site["fn"].log_prob(site["value"]).sum() for n, site in trace.items() if site["type"] == "sample"}
    told = {n: trace[n]["value"] for n in BiclusterParams._fields}
    own = {name: getattr(statistics, name)(model, params) for name in PARTS}
    return each, own, model.log_likelihood(params, data).sum(), told


def at(
    seed: int, family: str, components: int = COMPONENTS, *, drawn: bool = False
) -> tuple[Any, BiclusterParams, dict, dict, float]:
    """A model, a draw of it with a missing count, the densities of its sites, the sampler's, and the likelihood.

    Args:
        drawn: The concentrations are drawn, too.
    """
    model = model_of(family=family, rho=0.4, concentration=1.5, update_hdp=drawn)
    params, data = in_double(case(seed))
    sites = sites_of(params, components)
    params = params._replace(trajectories=sites["trajectories"])
    if drawn:
        sites |= {name: np.array(value) for name, value in CONCENTRATIONS.items()}
        params = params._replace(concentrations=np.array([2.0, 3.5, 6.0]))
    with precision.double():
        given = jax.tree.map(jnp.asarray, (sites, params, data))
        each, own, likelihood, told = jax.device_get(densities(model, *given))
    for name, value in told.items():
        np.testing.assert_array_equal(value, getattr(params, name), err_msg=name)
    return model, params, sites | each_named(each), own, float(likelihood)


def each_named(each: dict[str, Any]) -> dict[str, float]:
    return {f"log {name}": float(value) for name, value in each.items()}


def law_density(family: mniw.Family, both: np.ndarray, noise: np.ndarray) -> float:
    """Log density of a matrix-normal inverse-Wishart law by scipy."""
    normal = stats.matrix_normal(family.mean, noise, np.linalg.inv(family.precision)).logpdf(both)
    return float(normal + stats.invwishart(family.freedom, family.scale).logpdf(noise))


@pytest.mark.parametrize(("seed", "family"), [(0, "nb"), (1, "nb"), (0, "poisson")])
def test_counts_and_neurons_have_the_samplers_density(seed, family):
    _, _, found, own, likelihood = at(seed, family)
    assert found["log counts"] == pytest.approx(likelihood, rel=1e-10)
    neurons = found["log offset"] + found["log loadings"] + (found["log dispersion"] if family == "nb" else 0.0)
    assert neurons == pytest.approx(own["of_neurons"], rel=1e-10)
    assert sum(own[name] for name in PARTS[:-1]) == pytest.approx(own["log_prior"], rel=1e-10)


@pytest.mark.parametrize(("seed", "drawn"), [(0, False), (1, False), (1, True)])
def test_rows_of_transitions_given_the_states_are_what_was_integrated_out(seed, drawn):
    _, params, found, own, _ = at(seed, "nb", drawn=drawn)
    moves = np.zeros((STATES, STATES))
    np.add.at(moves, (params.state[1:-1], params.state[2:]), 1)
    alpha, _, kappa = params.concentrations
    given = alpha * params.weights + kappa * np.eye(STATES) + moves
    posterior = sum(stats.dirichlet(a).logpdf(row) for a, row in zip(given, params.jumps, strict=True))
    whole = found["log weights"] + found["log jumps"] + found["log steps"]
    whole += sum(found[f"log {name}"] for name in CONCENTRATIONS if drawn)
    assert whole - posterior == pytest.approx(own["of_states"], rel=1e-10)


@pytest.mark.parametrize("seed", [0, 1])
def test_laws_given_the_paths_are_what_was_integrated_out(seed):
    model, params, found, own, _ = at(seed, "nb")
    prior, x, state = dynamics.prior_family(model, 2), params.trajectories, params.state
    whole = found["log laws"] + found["log trajectories"]
    for j in range(CLUSTERS):
        for law in range(STATES):
            both = np.c_[params.transition[law, j], params.shift[law, j]]
            noise, into = params.innovation[law, j], np.flatnonzero(state[1:] == law) + 1
            if j in params.label:
                before = np.c_[x[j, into - 1], np.ones(len(into))]
                whole -= law_density(mniw.conjugate(prior, x[j, into], before), both, noise)
                continue
            whole -= law_density(prior, both, noise)
            mean = x[j, into - 1] @ both[:, :-1].T + both[:, -1]
            whole -= sum(stats.multivariate_normal(m, noise).logpdf(v) for m, v in zip(mean, x[j, into], strict=True))
        if j not in params.label:
            whole -= stats.norm.logpdf(x[j, 0]).sum()
    assert whole == pytest.approx(own["of_paths"], rel=1e-10)


def test_labels_and_masses_over_all_numbers_of_components_are_the_partition():
    logs, gamma = [], 1.5
    for k in (2, 3):  # two clusters have neurons
        _, params, found, own, _ = at(0, "nb", k)
        sizes, mass = np.bincount(params.label, minlength=CLUSTERS), found["mass"]
        total, weights = mass[:k].sum(), mass[:k] / mass[:k].sum()
        given = stats.gamma(gamma * k).logpdf(total) - (k - 1) * np.log(total)
        given += stats.dirichlet(gamma + sizes[:k]).logpdf(weights) + stats.gamma(gamma).logpdf(mass[k:]).sum()
        joint = found["log further_components"] + found["log mass"] + found["log label"]
        logs.append(joint - given + gammaln(k + 1) - gammaln(k - 2 + 1))
    assert logsumexp(logs) == pytest.approx(own["of_partition"], rel=1e-10)


def test_a_law_that_grows_has_no_density():
    params, data = in_double(case(0))
    wild = params._replace(transition=params.transition.copy())
    wild.transition[1, 0] = 1.1 * np.eye(2)
    with precision.double():
        given = jax.tree.map(jnp.asarray, (sites_of(wild, COMPONENTS), wild, data))
        each = jax.device_get(densities(model_of(rho=0.4, concentration=1.5), *given)[0])
    assert each["laws"] == -np.inf
    assert np.isfinite(each["trajectories"])


@compiled(static=(0, 2))
def simulated(model: Any, key: Any, draws: int) -> dict[str, Any]:
    """Statistics of draws of the program, counts included."""
    nothing = data_of(jnp.zeros((geweke.NEURONS, geweke.BINS)), jnp.ones((geweke.NEURONS, geweke.BINS)))

    def one(key: Any) -> dict[str, Any]:
        free = handlers.seed(handlers.uncondition(model.numpyro_model), key)
        trace = handlers.trace(free).get_trace(nothing)
        params = BiclusterParams(*(trace[name]["value"] for name in BiclusterParams._fields))
        return geweke.statistics(params, trace["counts"]["value"])

    return jax.lax.map(one, jax.random.split(key, draws))


def twin(family: str, draws: int) -> tuple[BiclusterParams, np.ndarray]:
    """Draws of the prior and of counts by NumPy and scipy, one after the other."""
    model, rng = model_of(family=family), np.random.default_rng(5)
    neurons, bins, size = geweke.NEURONS, geweke.BINS, 2
    prior = np.exp(geometric_log_prior(model.rho, CLUSTERS))
    wanted = draws * STATES * CLUSTERS
    both, noise = mniw.draw(dynamics.prior_family(model, size), 20 * wanted, rng)
    good = np.abs(np.linalg.eigvals(both[..., :size])).max(axis=-1) < dynamics.LARGEST
    assert good.sum() >= wanted
    both, noise = (part[good][:wanted].reshape(draws, STATES, CLUSTERS, *part.shape[1:]) for part in (both, noise))
    out, counts = [], []
    for n in range(draws):
        weight = rng.dirichlet(np.full(1 + rng.choice(CLUSTERS, p=prior), float(model.concentration)))
        beta = rng.dirichlet(np.full(STATES, model.gamma / STATES))
        jumps = np.stack([rng.dirichlet(model.alpha * beta + model.kappa * row) for row in np.eye(STATES)])
        state = [rng.integers(STATES)]
        while len(state) < bins - 1:
            state.append(rng.choice(STATES, p=jumps[state[-1]]))
        state, x = np.array([state[0], *state]), rng.normal(size=(CLUSTERS, bins, size))
        for t in range(1, bins):
            for j in range(CLUSTERS):
                law, root = both[n, state[t], j], np.linalg.cholesky(noise[n, state[t], j])
                x[j, t] = law @ np.r_[x[j, t - 1], 1.0] + root @ x[j, t]
        label, r = rng.choice(len(weight), neurons, p=weight), rng.gamma(model.dispersion_shape, size=neurons)
        d, c = rng.normal(size=neurons), rng.normal(size=(neurons, size - 1))
        laws = (both[n, ..., :size], both[n, ..., size], noise[n])
        out.append((label, state, d, c, r, x, *laws, beta, jumps, concentrations.of_model(model)))
        rate = np.exp(np.minimum(d[:, None] + x[label, :, 0] + np.einsum("nf,ntf->nt", c, x[label, :, 1:]), 30))
        wide = rate * rng.gamma(r[:, None], size=rate.shape) / r[:, None]
        counts.append(rng.poisson(wide if family == "nb" else rate).astype(float))
    return BiclusterParams(*map(np.stack, zip(*out, strict=True))), np.stack(counts)


@functools.cache
def by_program(family: str) -> dict[str, Any]:
    with precision.double():
        return jax.device_get(simulated(model_of(family=family), jax.random.key(11), OF_PRIOR))


@pytest.mark.parametrize(
    "family",
    [pytest.param("nb", marks=pytest.mark.slow), pytest.param("poisson", marks=pytest.mark.record)],
)
def test_the_program_draws_what_the_samplers_simulator_draws(family):
    with precision.double():
        other = jax.device_get(geweke.from_prior(model_of(family=family), geweke.NEURONS, jax.random.key(12), OF_PRIOR))
    scores = geweke.scores(other, by_program(family))
    assert max(map(abs, scores.values())) < 4, scores


@pytest.mark.slow
def test_the_program_draws_what_loops_draw():
    params, counts = twin("nb", OF_TWIN)
    with precision.double():
        told = jax.device_get(jax.vmap(geweke.statistics)(jax.tree.map(jnp.asarray, params), jnp.asarray(counts)))
    scores = geweke.scores(told, by_program("nb"))
    assert max(map(abs, scores.values())) < 4, scores
