"""What check says of draws: chains that differ, bounds that are reached, proposals that fail."""

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xarray as xr

import neurolatent as nl
from neurolatent.cli.runs import print_outcome
from neurolatent.diagnostics import Diagnosis
from neurolatent.diagnostics.clusters import cluster_rows
from neurolatent.models.bicluster import BiclusterParams
from neurolatent.recipe.folder import to_json, verdict_summary
from neurolatent.result import Fit
from tests.models.bicluster.small import BINS, NEURONS, case, model_of

CHAINS, SWEEPS, KEPT = 2, 400, 4
CLUSTERS, STATES = 3, 2  # bounds of the model


def fitted(family: str = "nb", **statistics: Any) -> Fit:
    """A fit as a good sampler would leave it, but for what is given: independent numbers, far from the bounds."""
    rng, params = np.random.default_rng(0), case(0)[0]
    draws = BiclusterParams(*(np.broadcast_to(leaf, (CHAINS, KEPT, *np.shape(leaf))).copy() for leaf in params))
    good = {name: rng.normal(size=(CHAINS, SWEEPS)) for name in ("log_joint", "log_lik")}
    good |= {name: np.ones((CHAINS, SWEEPS)) for name in ("n_clusters", "n_states")}
    good |= {f"moved_{name}": np.full((CHAINS, SWEEPS), 0.6) for name in ("labels", "trajectories", "neurons")}
    good["moved_stuck"] = np.zeros((CHAINS, SWEEPS))
    stats = xr.Dataset({name: (("chain", "draw"), value) for name, value in (good | statistics).items()})
    tree = xr.DataTree.from_dict({"sample_stats": stats})
    return Fit(model_of(family=family), nl.Gibbs(), params, draws, tree, True, False, (), 0, {}, {}, {})


def verdicts(fit: Fit) -> dict[str, str]:
    return {row.what: row.verdict for row in cluster_rows(fit)}


def some(share: float, value: float) -> np.ndarray:
    """(chains, sweeps) ones, the value in a share of them."""
    return np.where(np.arange(SWEEPS) < share * SWEEPS, value, 1.0) * np.ones((CHAINS, 1))


def test_good_draws_pass():
    assert set(verdicts(fitted()).values()) == {"pass"}
    assert set(verdicts(fitted("poisson")).values()) == {"pass"}


@pytest.mark.parametrize(
    ("family", "statistics", "what", "verdict"),
    [
        ("nb", {"n_clusters": some(0.02, CLUSTERS)}, "share of draws with all clusters in use", "warn"),
        ("nb", {"n_states": some(0.02, STATES)}, "share of draws with all states in use", "warn"),
        ("nb", {"n_states": some(0.005, STATES)}, "share of draws with all states in use", "pass"),
        ("nb", {"moved_stuck": some(1.0, 0.2)}, "laws of motion without a stable draw, per sweep", "warn"),
        ("poisson", {"moved_neurons": some(1.0, 0.05)}, "accepted moves of neurons", "warn"),
        ("poisson", {"moved_trajectories": some(1.0, 0.05)}, "accepted moves of trajectories", "warn"),
    ],
)
def test_bounds_and_proposals_are_told_with_advice(family, statistics, what, verdict):
    row = next(row for row in cluster_rows(fitted(family, **statistics)) if row.what == what)
    assert row.verdict == verdict
    assert row.advice


def test_chains_apart_and_slow_chains_fail():
    rng = np.random.default_rng(1)
    apart = rng.normal(size=(CHAINS, SWEEPS)) + 3 * np.arange(CHAINS)[:, None]
    assert verdicts(fitted(log_lik=apart))["largest R-hat (log_lik)"] == "fail"
    slow = np.cumsum(rng.normal(size=(CHAINS, SWEEPS)), axis=1)
    assert verdicts(fitted(log_lik=slow))["smallest bulk ESS (log_lik)"] == "fail"


def test_a_number_that_is_none_in_some_sweeps_fails_by_its_name():
    log_joint = np.random.default_rng(1).normal(size=(CHAINS, SWEEPS))
    log_joint[1, ::4] = np.nan
    row = next(row for row in cluster_rows(fitted(log_joint=log_joint)) if "log_joint" in row.what)
    assert row.what == "share of sweeps in which log_joint is no number"
    assert row.value == pytest.approx(0.125)
    assert row.verdict == "fail"


def test_chains_that_group_otherwise_fail():
    fit = fitted()
    label, state = fit.draws.label.copy(), fit.draws.state.copy()
    label[1], state[1] = np.arange(NEURONS) % 2, np.arange(BINS) % 2
    got = verdicts(replace(fit, draws=fit.draws._replace(label=label, state=state)))
    assert got["chains agree on clusters of neurons (ARI)"] == "fail"
    assert got["chains agree on states of bins (ARI)"] == "fail"


def test_chains_that_stay_apart_have_no_limit_and_the_row_says_so():
    """Each chain in a number of clusters of its own: by rounding the formula gives sixteen digits."""
    apart = fitted(n_clusters=np.ones((CHAINS, SWEEPS)) * np.arange(1, CHAINS + 1)[:, None])
    diagnosis = Diagnosis(tuple(cluster_rows(apart)))
    row = next(row for row in diagnosis.rows if row.what == "largest R-hat (n_clusters)")
    assert (row.value, row.verdict) == (np.inf, "fail")
    assert row.advice.startswith("R-hat has no limit")
    assert "no limit  (< 1.05)" in str(diagnosis)
    assert "no limit</td>" in diagnosis._repr_html_()
    told = json.loads(to_json(verdict_summary(diagnosis)), parse_constant=pytest.fail)
    assert next(r for r in told["verdicts"] if r["what"] == row.what)["value"] is None


def test_the_command_line_says_so_too(capsys):
    outcome = SimpleNamespace(fit="", diagnosis="", figures={"rhat.max": np.inf, "ess.min": 2.0}, expectations=list)
    print_outcome(outcome, {"report": "report.html"})
    lines = {line.split()[0]: line.split()[1:] for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert lines["rhat.max"] == ["no", "limit"]
    assert lines["ess.min"] == ["2"]


def test_chains_that_move_have_a_number():
    rng = np.random.default_rng(1)
    once = np.ones((CHAINS, SWEEPS)) * np.arange(1, CHAINS + 1)[:, None]
    once[0, 3] = 2.0
    rows = cluster_rows(fitted(n_clusters=once, log_lik=rng.normal(size=(CHAINS, SWEEPS))))
    row = next(row for row in rows if row.what == "largest R-hat (n_clusters)")
    assert 5 < row.value < 1e6
    assert "no limit" not in row.advice
