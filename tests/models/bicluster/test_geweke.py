"""All updates together: the joint-distribution test, and that it sees each fault of the published sampler."""

import functools

import jax
import pytest

from neurolatent import precision
from neurolatent.models.bicluster.sweep import sweep
from tests.models.bicluster import geweke
from tests.models.bicluster.faults import FAULTS
from tests.models.bicluster.small import model_of

CHAINS, FEW, SWEEPS = 1000, 300, 20
HIGHEST, SEEN = 4.0, 6.0


@functools.cache
def of_prior(**choices):
    with precision.double():
        return jax.device_get(geweke.from_prior(model_of(**choices), geweke.NEURONS, jax.random.key(1), 50_000))


def scores_of(one_sweep, chains: int = CHAINS, **choices) -> dict[str, float]:
    with precision.double():
        found = geweke.from_chains(model_of(**choices), one_sweep, jax.random.key(2), chains, SWEEPS)
        return geweke.scores(of_prior(**choices), jax.device_get(found))


@pytest.mark.parametrize(
    "choices",
    [
        pytest.param({"family": "nb"}, marks=pytest.mark.slow, id="nb"),
        pytest.param({"family": "poisson"}, marks=pytest.mark.record, id="poisson"),
        pytest.param({"update_hdp": True}, marks=pytest.mark.record, id="concentrations"),
        pytest.param({"labels": "collapsed"}, marks=pytest.mark.record, id="collapsed"),
    ],
)
def test_sweeps_and_fresh_counts_leave_the_prior_as_it_is(choices):
    scores = scores_of(sweep, **choices)
    print({name: round(score, 2) for name, score in scores.items()})
    assert max(abs(score) for score in scores.values()) < HIGHEST


@pytest.mark.record
@pytest.mark.parametrize("family", ["nb", "poisson"])
def test_the_same_with_more_chains(family):
    scores = scores_of(sweep, chains=20 * CHAINS, family=family)
    print(family, {name: round(score, 2) for name, score in scores.items()})
    assert max(abs(score) for score in scores.values()) < HIGHEST


@pytest.mark.record
@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_seen(monkeypatch, fault):
    module, name, wrong = FAULTS[fault]
    monkeypatch.setattr(module, name, wrong)
    model = model_of(births=0)  # one move less to compile: none of these faults is in it
    wrong_sweep = lambda *given: sweep(*given)  # noqa: E731  # of its own, so that nothing compiled is taken up
    with precision.double():
        found = geweke.from_few_chains(model, wrong_sweep, jax.random.key(2), FEW, SWEEPS, geweke.NEURONS)
        scores = geweke.scores(of_prior(), jax.device_get(found))
    worst = max(scores, key=lambda n: abs(scores[n]))
    print(f"{fault}: {worst} {scores[worst]:.1f}")
    assert abs(scores[worst]) > SEEN
