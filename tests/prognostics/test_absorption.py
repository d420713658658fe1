import itertools

import numpy as np
import pytest
import xarray as xr

from neurolatent.checks import InputError
from neurolatent.choices import EM
from neurolatent.models.arphmm import ARPHMM, ARPHMMParams
from neurolatent.prognostics.absorption import HORIZON, Absorption, quantiles, remaining_life
from neurolatent.result import Fit

ORDERED = np.array([[0.9, 0.1, 0.0], [0.0, 0.8, 0.2], [0.0, 0.0, 1.0]])
FREE = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.2, 0.2, 0.6]])
BELIEF = np.array([[0.5, 0.3, 0.2], [0.0, 0.0, 1.0]])
LAST, EVERY = np.array([0.0, 0.0, 0.15]), np.array([0.02, 0.05, 0.3])
CASES = [(ORDERED, LAST), (ORDERED, EVERY), (FREE, LAST), (FREE, EVERY)]
IDS = ["ordered-last", "ordered-every", "free-last", "free-every"]


def params_of(transition: np.ndarray, advance: np.ndarray | None = None) -> ARPHMMParams:
    states = transition.shape[-1]
    advance = 1 - np.diagonal(transition, axis1=-2, axis2=-1) if advance is None else advance
    return ARPHMMParams(np.eye(states)[0], transition, advance, np.zeros((states, 1, 2)), np.ones((states, 1, 1)))


def fit_of(params: ARPHMMParams, *, substates: int = 1, draws=None, failed=None, **latents: np.ndarray) -> Fit:
    """A fit that knows no more than the read-out asks for."""
    groups = xr.Dataset({name: (("sequence", "place"), value) for name, value in latents.items()})
    return Fit(
        ARPHMM(n_states=len(params.initial), n_substates=substates, transitions="ergodic"),
        EM(),
        params,
        draws,
        xr.DataTree.from_dict({"latents": groups}),
        converged=True,
        interrupted=False,
        warnings=(),
        seed=0,
        versions={},
        facts={"failed": failed},
        seconds={},
    )


def with_failure_state(transition: np.ndarray, leaving: np.ndarray) -> np.ndarray:
    """The chain with one state more, which is never left."""
    stay = np.hstack([(1 - leaving)[:, None] * transition, leaving[:, None]])
    return np.vstack([stay, np.eye(len(leaving) + 1)[-1]])


@pytest.mark.parametrize(("transition", "leaving"), CASES, ids=IDS)
def test_distribution_is_that_of_all_paths(transition, leaving):
    got = Absorption(leaving).distribution(fit_of(params_of(transition)), BELIEF)
    for unit, steps in itertools.product(range(2), range(6)):
        total = 0.0
        for path in itertools.product(range(3), repeat=steps + 1):  # fails at the last place of the path
            weight = BELIEF[unit, path[0]] * leaving[path[-1]]
            for here, there in itertools.pairwise(path):
                weight *= (1 - leaving[here]) * transition[here, there]
            total += weight
        assert got[unit, steps] == pytest.approx(total, rel=1e-12)


@pytest.mark.parametrize(("transition", "leaving"), CASES, ids=IDS)
def test_distribution_is_that_of_the_chain_with_a_failure_state(transition, leaving):
    got = np.cumsum(Absorption(leaving).distribution(fit_of(params_of(transition)), BELIEF), axis=1)
    chain, start = with_failure_state(transition, leaving), np.hstack([BELIEF, np.zeros((2, 1))])
    for steps in (1, 2, 7, 50, HORIZON):
        failed = (start @ np.linalg.matrix_power(chain, steps))[:, -1]
        np.testing.assert_allclose(got[:, steps - 1], failed, rtol=1e-11)  # failing with step m: m - 1 steps of life


def test_distribution_agrees_with_simulated_units():
    rng, count = np.random.default_rng(3), 20_000
    here, life, alive = rng.choice(3, count, p=BELIEF[0]), np.zeros(count, int), np.ones(count, bool)
    while alive.any():
        alive &= rng.uniform(size=count) >= EVERY[here]
        life[alive] += 1
        here = (rng.uniform(size=count)[:, None] > np.cumsum(FREE[here], axis=1)).sum(axis=1)
    fit, read_out = fit_of(params_of(FREE)), Absorption(EVERY)
    got = read_out.distribution(fit, BELIEF[:1])[0]
    assert read_out.expected(fit, BELIEF[:1])[0] == pytest.approx(life.mean(), abs=4 * life.std() / np.sqrt(count))
    for steps in (0, 1, 3, 8, 20):
        share, chance = np.mean(life <= steps), got[: steps + 1].sum()
        assert share == pytest.approx(chance, abs=4 * np.sqrt(chance * (1 - chance) / count))


@pytest.mark.parametrize(("transition", "leaving"), CASES, ids=IDS)
def test_expected_life_is_the_mean_of_the_distribution(transition, leaving):
    fit, read_out = fit_of(params_of(transition)), Absorption(leaving)
    mean = read_out.distribution(fit, BELIEF) @ np.arange(HORIZON)
    np.testing.assert_allclose(read_out.expected(fit, BELIEF), mean, rtol=1e-9)


def test_unit_that_fails_at_its_last_row_has_no_life_left():
    fit, read_out = fit_of(params_of(ORDERED)), Absorption(np.array([0.0, 0.0, 1.0]))
    last = np.array([[0.0, 0.0, 1.0]])
    assert read_out.distribution(fit, last)[0, 0] == 1.0
    assert quantiles(read_out.distribution(fit, last), (0.05, 0.95)).tolist() == [[0.0], [0.0]]
    assert read_out.expected(fit, last).tolist() == [0.0]


def test_life_is_open_where_nothing_leads_to_failure():
    fit, read_out = fit_of(params_of(ORDERED)), Absorption(np.zeros(3))
    assert np.isinf(read_out.expected(fit, BELIEF)).all()
    assert np.isinf(quantiles(read_out.distribution(fit, BELIEF), (0.05, 0.5))).all()


def test_quantiles_are_the_first_steps_that_reach_their_level():
    distribution = np.array([[0.05, 0.45, 0.0, 0.3], [0.0, 0.0, 0.6, 0.4]])
    got = quantiles(distribution, (0.05, 0.5, 0.8, 0.95))
    np.testing.assert_array_equal(got, [[0, 2], [1, 2], [3, 3], [np.inf, 3]])


def test_quantiles_of_a_geometric_life():
    fit = fit_of(params_of(np.eye(1)))
    distribution = Absorption(np.array([0.01])).distribution(fit, np.ones((1, 1)))
    levels = (0.05, 0.5, 0.95)
    want = [int(np.ceil(np.log(1 - p) / np.log(0.99))) - 1 for p in levels]
    assert quantiles(distribution, levels)[:, 0].tolist() == want


@pytest.mark.parametrize("substates", [1, 2, 4, 9])
def test_more_substates_make_a_stay_less_dispersed(substates):
    leave = 0.02
    params = params_of(np.eye(1), np.array([leave]))
    belief, leaving = np.eye(substates)[:1], np.zeros(substates)
    leaving[-1] = leave
    distribution = Absorption(leaving).distribution(fit_of(params, substates=substates), belief)[0]
    stay = np.arange(HORIZON) + 1
    mean = distribution @ stay
    spread = np.sqrt(distribution @ (stay - mean) ** 2)
    assert mean == pytest.approx(substates / leave, rel=1e-6)  # negative binomial
    assert spread / mean == pytest.approx(np.sqrt((1 - leave) / substates), rel=1e-5)


def test_exits_are_counted_where_training_units_failed():
    ends = np.array([[0.0, 0.1, 0.9], [0.0, 0.5, 0.5], [0.0, 0.0, 1.0]])
    occupancy = np.array([[50.0, 30.0, 20.0], [40.0, 30.0, 10.0], [60.0, 20.0, 10.0]])
    fit = fit_of(params_of(ORDERED), failed=[True, True, False], ends=ends, occupancy=occupancy)
    np.testing.assert_allclose(Absorption.of(fit).leaving, [0.0, 0.0, 1.4 / 40])
    np.testing.assert_allclose(Absorption.of(fit, exits="every").leaving, [0.0, 0.6 / 80, 1.4 / 40])


def test_exits_from_the_last_state_count_all_its_substates():
    ends, occupancy = np.array([[0.1, 0.0, 0.3, 0.6]]), np.array([[40.0, 30.0, 20.0, 10.0]])
    params = params_of(np.array([[0.9, 0.1], [0.0, 1.0]]))
    fit = fit_of(params, substates=2, failed=[True], ends=ends, occupancy=occupancy)
    np.testing.assert_allclose(Absorption.of(fit).leaving, [0.0, 0.0, 0.015, 0.06])


def test_life_in_the_last_state_is_as_long_as_it_was():
    """Where units have failed from both sub-states of the last state, the mean stay is that of the training units."""
    rng, advance, fails = np.random.default_rng(0), 0.1, np.array([0.02, 0.08])
    place, age, alive = np.zeros(20_000, int), np.zeros(20_000, int), np.ones(20_000, bool)
    ends, occupancy = np.zeros(2), np.zeros(2)
    while alive.any():
        occupancy += np.bincount(place[alive], minlength=2)
        dies = alive & (rng.uniform(size=len(place)) < fails[place])
        ends += np.bincount(place[dies], minlength=2)
        alive &= ~dies
        age[alive] += 1
        place = np.where((place == 0) & (rng.uniform(size=len(place)) < advance), 1, place)
    params = params_of(np.eye(1), np.array([advance]))
    fit = fit_of(params, substates=2, failed=[True], ends=ends[None], occupancy=occupancy[None])
    mean = Absorption.of(fit).expected(fit, np.array([[1.0, 0.0]]))[0]
    assert mean == pytest.approx(age.mean(), abs=4 * age.std() / np.sqrt(len(age)))


def test_empty_places_are_never_left_for_failure():
    zeros = np.zeros((1, 3))
    fit = fit_of(params_of(ORDERED), failed=[True], ends=zeros, occupancy=zeros)
    assert Absorption.of(fit, exits="every").leaving.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("failed", [None, [False, False]])
def test_no_failure_no_life(failed):
    fit = fit_of(params_of(ORDERED), failed=failed)
    with pytest.raises(InputError, match="ran to failure.*failed=True"):
        Absorption.of(fit)


def test_life_is_averaged_over_draws():
    draws = params_of(np.stack([ORDERED, FREE])[None])
    draws = ARPHMMParams(*(np.broadcast_to(leaf, (1, 2, *np.shape(leaf)[-1:])) for leaf in draws[:1]), *draws[1:])
    draws = draws._replace(coefficients=np.zeros((1, 2, 3, 1, 2)), covariance=np.ones((1, 2, 3, 1, 1)))
    read_out = Absorption(EVERY)
    got = read_out.distribution(fit_of(params_of(ORDERED), draws=draws), BELIEF)
    each = [read_out.distribution(fit_of(params_of(transition)), BELIEF) for transition in (ORDERED, FREE)]
    np.testing.assert_allclose(got, np.mean(each, axis=0), rtol=1e-12)


def test_remaining_life_reads_the_belief_of_a_prediction():
    ends, occupancy = np.array([[0.0, 0.0, 1.0]]), np.array([[50.0, 30.0, 20.0]])
    fit = fit_of(params_of(ORDERED), failed=[True], ends=ends, occupancy=occupancy)
    latents = xr.Dataset({"belief": (("sequence", "place"), BELIEF)})
    got = remaining_life(fit, latents)
    want = quantiles(Absorption(np.array([0.0, 0.0, 0.05])).distribution(fit, BELIEF), (0.05, 0.5, 0.95))
    np.testing.assert_array_equal(got, want)
    assert got.shape == (3, 2)
