"""Hidden entries: scores against loops over draws and entries with scipy, and what cannot be scored."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy import stats
from scipy.special import logsumexp

import neurolatent as nl
from neurolatent.checks import InputError
from neurolatent.models.bicluster import BiclusterParams
from neurolatent.recipe.clusters import entry_figures, hidden_scores
from neurolatent.result import Fit
from neurolatent.result.build import facts_of
from neurolatent.validation import entry_scores
from tests.models.bicluster.small import BINS, NEURONS, case, model_of

CHAINS, DRAWS = 2, 3


def whole() -> nl.Recording:
    rng = np.random.default_rng(0)
    counts = np.ma.masked_array(rng.poisson(2.0, (BINS, NEURONS)), mask=np.zeros((BINS, NEURONS), bool))
    counts[2, 1] = np.ma.masked  # missing for all
    return nl.Recording.of({"spikes": counts}, kinds={"spikes": "counts"}, name="test")


def fitted(shown: nl.Recording, family: str) -> Fit:
    """A fit whose draws are random numbers."""
    each = [case(n)[0] for n in range(CHAINS * DRAWS)]
    stacked = (np.stack(leaves) for leaves in zip(*each, strict=True))
    draws = BiclusterParams(*(leaf.reshape(CHAINS, DRAWS, *leaf.shape[1:]) for leaf in stacked))
    facts = facts_of(shown, "spikes") | {"channels": shown.signal("spikes").names}
    return Fit(model_of(family=family), nl.Gibbs(), each[0], draws, xr.DataTree(), True, False, (), 0, {}, facts, {})


def log_probability(family: str, draw: BiclusterParams, i: int, t: int, count: Any) -> Any:
    path = draw.trajectories[draw.label[i], t]
    rate, r = np.exp(draw.offset[i] + path[0] + draw.loadings[i] @ path[1:]), draw.dispersion[i]
    return stats.poisson.logpmf(count, rate) if family == "poisson" else stats.nbinom.logpmf(count, r, r / (r + rate))


@pytest.mark.parametrize("family", ["nb", "poisson"])
def test_probabilities_are_averaged_over_draws_before_their_logarithm(family):
    given = whole()
    shown = given.hide("spikes", 0.4, seed=1)
    fit = fitted(shown, family)
    counts, seen = given.signal("spikes").values, shown.signal("spikes").observed
    hidden = given.signal("spikes").observed & ~seen
    assert 4 < hidden.sum() < 20
    assert not hidden[2, 1]
    score, baseline = np.zeros(NEURONS), np.zeros(NEURONS)
    for t, i in zip(*np.nonzero(hidden), strict=True):
        each = [
            log_probability(family, BiclusterParams(*(leaf[c, d] for leaf in fit.draws)), i, t, counts[t, i])
            for c, d in np.ndindex(CHAINS, DRAWS)
        ]
        score[i] += logsumexp(each) - np.log(len(each))
        baseline[i] += stats.poisson.logpmf(counts[t, i], counts[seen[:, i], i].mean())
    got = entry_scores(fit, given, shown)
    np.testing.assert_allclose(got.log_score, score, rtol=1e-10)
    np.testing.assert_allclose(got.baseline, baseline, rtol=1e-10)
    np.testing.assert_array_equal(got.entries, hidden.sum(axis=0))
    np.testing.assert_array_equal(got.events, np.where(hidden, counts, 0).sum(axis=0))
    spikes = got.events.sum()
    figures = entry_figures(hidden_scores(fit, given, shown), seed=0)
    assert figures["heldout.bits_per_spike"] == pytest.approx((score - baseline).sum() / spikes / np.log(2))
    assert figures["heldout.bits_per_spike_low"] < figures["heldout.bits_per_spike"]
    assert figures["heldout.bits_per_spike"] < figures["heldout.bits_per_spike_high"]
    some = np.array([0, 0, 2])  # as a bootstrap draws them
    assert got.bits_per_event(some) == pytest.approx(
        (score - baseline)[some].sum() / got.events[some].sum() / np.log(2)
    )


def test_nothing_hidden_has_no_figures():
    assert entry_figures(hidden_scores(fitted(whole(), "nb"), None, whole()), 0) == {}


def test_what_cannot_be_scored_is_refused():
    given = whole()
    shown = given.hide("spikes", 0.4, seed=1)
    fit = fitted(shown, "nb")
    other = given.hide("spikes", 0.4, seed=2)
    with pytest.raises(InputError, match="the fit was made of another recording"):
        entry_scores(fit, given, other)
    with pytest.raises(InputError, match="no entry was hidden"):
        entry_scores(fit, shown, shown)
    with pytest.raises(InputError, match=r"\(6, 4\) entries, of which the fit was shown \(7, 4\)"):
        entry_scores(fit, given.cut(0, 6), shown)
    with pytest.raises(InputError, match="BiClustering: hidden entries are scored from draws"):
        entry_scores(replace(fit, draws=None), given, shown)
