"""Have the chains of a sampler of clusters and states found the same posterior?

Only numbers that do not depend on labels are looked at (Vehtari et al., 2021, Bayesian Analysis 16(2), for R-hat and
effective sample sizes; thresholds of a sampler with discrete parts are those of the method's specification, section 8).
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr

from neurolatent.diagnostics.mixing import NO_LIMIT, rhat
from neurolatent.diagnostics.rows import Row, graded
from neurolatent.models.bicluster import summaries
from neurolatent.result import Fit

RHAT_PASS, RHAT_WARN = 1.05, 1.1
ESS_PASS, ESS_WARN = 100.0, 40.0
AGREE_PASS, AGREE_WARN = 0.7, 0.4
BOUND_WARN = 0.01  # share of draws at a bound
MOVES_WARN = 0.1  # share of Poisson proposals that are accepted
STUCK_WARN = 0.1  # laws per sweep without a stable draw


def followed(fit: Fit) -> xr.Dataset:
    """The single numbers of every sweep that vary, without those of the proposals and those that are no number."""
    stats = _numbers(fit)
    return stats[[n for n in stats.data_vars if np.ptp(stats[n].values) > 0]]


def _numbers(fit: Fit) -> xr.Dataset:
    """The single numbers of every sweep, without those of the proposals."""
    stats: Any = fit.idata["sample_stats"].to_dataset()
    return stats[[n for n in stats.data_vars if not str(n).startswith("moved_")]]


def convergence(fit: Fit) -> dict[str, tuple[float, float]]:
    """R-hat (infinite without a limit) and bulk effective sample size of each number that is followed."""
    import arviz_stats  # slow to import, and only draws need it

    statistics: Any = arviz_stats
    data = followed(fit)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio, bulk = rhat(data), statistics.ess(data, method="bulk")
    return {str(n): (float(ratio[n]), float(bulk[n])) for n in data.data_vars}


def cluster_rows(fit: Fit) -> Iterable[Row]:
    """Convergence, agreement of chains, bounds, acceptance."""
    if fit.draws is None:
        return []
    return [*_convergence(fit), *_unknown(fit), *_agreement(fit), *_bounds(fit), *_acceptance(fit)]


def _convergence(fit: Fit) -> list[Row]:
    found = convergence(fit)
    worst = max(found, key=lambda n: found[n][0] if np.isfinite(found[n][0]) else np.inf)
    least = min(found, key=lambda n: found[n][1])
    ratio, ess = found[worst][0], found[least][1]
    verdict = graded(ratio, ratio < RHAT_PASS, ratio < RHAT_WARN)
    more = "Raise warmup and draws, or see which chain stands apart: each starts from another number of groups."
    more = f"{NO_LIMIT} {more}" if np.isposinf(ratio) else more
    rows = [Row(f"largest R-hat ({worst})", ratio, f"< {RHAT_PASS}", verdict, more)]
    verdict = graded(ess, ess >= ESS_PASS, ess >= ESS_WARN)
    more = "Few independent draws: raise draws. Of slow numbers, report how much the chains differ."
    return [*rows, Row(f"smallest bulk ESS ({least})", ess, f">= {ESS_PASS:g}", verdict, more)]


def _unknown(fit: Fit) -> list[Row]:
    """The single numbers that are no number in some sweeps: they have no R-hat, and nobody would miss it."""
    shares = {str(n): float((~np.isfinite(part.values)).mean()) for n, part in _numbers(fit).items()}
    advice = "It has no R-hat for this, and its trace has gaps. Another seed may do; please report the recording."
    return [
        Row(f"share of sweeps in which {name} is no number", share, "0", graded(share, False, False), advice)
        for name, share in shares.items()
        if share > 0
    ]


def _agreement(fit: Fit) -> list[Row]:
    advice = {
        "clusters of neurons": "Chains group the neurons otherwise: report the similarity, not one partition.",
        "states of bins": "Chains cut time otherwise: states mix slowly. Raise warmup; do not read single states.",
    }
    parts = {"clusters of neurons": summaries.neurons(fit.draws), "states of bins": summaries.bins(fit.draws)}
    rows = []
    for name, summary in parts.items():
        if len(summary.chains) > 1:
            value = summary.agreement
            verdict = graded(value, value >= AGREE_PASS, value >= AGREE_WARN)
            rows.append(Row(f"chains agree on {name} (ARI)", value, f">= {AGREE_PASS}", verdict, advice[name]))
    return rows


def _bounds(fit: Fit) -> list[Row]:
    stats, neurons = fit.idata["sample_stats"], np.shape(fit.draws.label)[-1]
    rows = []
    for name, bound in (("clusters", fit.model.n_slots(neurons)), ("states", fit.model.max_states)):
        share = float((stats[f"n_{name}"].values >= bound).mean()) if bound > 1 else 0.0
        advice = f"Raise max_{name}: the posterior reaches the bound of {bound}."
        verdict = graded(share, share <= BOUND_WARN, True)
        rows.append(Row(f"share of draws with all {name} in use", share, f"<= {BOUND_WARN}", verdict, advice))
    return rows


def _acceptance(fit: Fit) -> list[Row]:
    stats, rows = fit.idata["sample_stats"], []
    for name in ("trajectories", "neurons") if fit.model.family == "poisson" else ():
        share = float(stats[f"moved_{name}"].values.mean())
        advice = "Raise proposal_dispersion: proposals are accepted more often, and move less."
        verdict = graded(share, share >= MOVES_WARN, True)
        rows.append(Row(f"accepted moves of {name}", share, f">= {MOVES_WARN}", verdict, advice))
    stuck = float(stats["moved_stuck"].values.mean())
    advice = "Laws of motion find no stable draw: trajectories grow without bound. Look for drift in the counts."
    verdict = graded(stuck, stuck <= STUCK_WARN, True)
    return [*rows, Row("laws of motion without a stable draw, per sweep", stuck, f"<= {STUCK_WARN}", verdict, advice)]
