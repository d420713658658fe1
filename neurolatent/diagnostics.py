"""Is the fit to be believed? Rows of what was asked, the value, the threshold, the verdict and what to do."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr

from neurolatent.choices import NUTS
from neurolatent.result import Fit

Verdict = Literal["pass", "warn", "fail"]

RHAT_PASS, RHAT_WARN = 1.01, 1.05  # Vehtari et al. (2021), Bayesian Analysis 16(2): 1.01
ESS_PASS, ESS_WARN = 400.0, 100.0  # the same: 100 per chain, with four chains
EBFMI_PASS = 0.3  # Betancourt (2016), arXiv 1604.00695
SHARE_WARN, SHARE_FAIL = 0.01, 0.001  # share of all samples that the least visited state holds
COVERAGE_PASS, COVERAGE_WARN = 0.03, 0.08  # distance of the 90 % one-step interval's coverage from 90 %


@dataclass(frozen=True)
class Row:
    """One question put to a fit."""

    what: str
    value: float
    threshold: str
    verdict: Verdict
    advice: str


@dataclass(frozen=True)
class Diagnosis:
    """The answers to all questions that suit the engine and the model."""

    rows: tuple[Row, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of the rows."""
        found = {row.verdict for row in self.rows}
        return "fail" if "fail" in found else ("warn" if "warn" in found else "pass")

    @property
    def passed(self) -> bool:
        """Whether no row fails."""
        return self.verdict != "fail"

    def joined(self, rows: Iterable[Row]) -> "Diagnosis":
        """These rows, then those of ``rows`` whose question has not been put yet."""
        asked = {row.what for row in self.rows}
        return Diagnosis((*self.rows, *(row for row in rows if row.what not in asked)))

    def table(self) -> list[dict[str, Any]]:
        """The rows as plain mappings."""
        return [vars(row) for row in self.rows]

    def __str__(self) -> str:
        width = max((len(row.what) for row in self.rows), default=0)
        lines = [f"verdict: {self.verdict}"]
        for row in self.rows:
            lines.append(f"  {row.verdict:<4}  {row.what:<{width}}  {row.value:>10.4g}  ({row.threshold})")
            if row.verdict != "pass":
                lines.append(f"        {row.advice}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        cells = "".join(
            f"<tr><td>{r.verdict}</td><td>{r.what}</td><td style='text-align:right'>{r.value:.4g}</td>"
            f"<td>{r.threshold}</td><td>{r.advice}</td></tr>"
            for r in self.rows
        )
        head = "<tr><th>verdict</th><th>what</th><th>value</th><th>threshold</th><th>advice</th></tr>"
        return f"<p><b>Verdict: {self.verdict}</b></p><table>{head}{cells}</table>"


def check(fit: Fit) -> Diagnosis:
    """Whether a fit is to be believed, by what suits its engine and its model.

    For EM: does the objective rise, has it converged, do restarts agree. For NUTS: R-hat, effective sample sizes,
    divergences, energy. For state models: empty states, states that cannot be told apart, calibration and
    independence of the one-step predictions, stability of the dynamics, agreement of data and knowledge.
    """
    rows = [_completed(fit)]
    rows += _sampler_rows(fit) if isinstance(fit.engine, NUTS) and fit.draws is not None else _em_rows(fit)
    rows += _state_rows(fit)
    rows += _prediction_rows(fit)
    rows += _dynamics_rows(fit)
    return Diagnosis(tuple(rows))


def graded(value: float, passes: bool, warns: bool) -> Verdict:
    """The verdict on a value; one that is not finite fails."""
    if not np.isfinite(value):
        return "fail"
    return "pass" if passes else ("warn" if warns else "fail")


def _completed(fit: Fit) -> Row:
    verdict: Verdict = "warn" if fit.interrupted else "pass"
    return Row("ran to its end", float(not fit.interrupted), "1", verdict, "It was interrupted; continue with resume.")


def _em_rows(fit: Fit) -> Iterable[Row]:
    if "objective" not in fit.idata["trace"]:
        return []
    trace = fit.idata["trace"]
    objective, best = trace["objective"].values, int(trace["best"])
    own = objective[best][np.isfinite(objective[best])]
    size = np.maximum(np.abs(own[:-1]), 1.0)
    fall = float(np.max((own[:-1] - own[1:]) / size, initial=0.0)) if len(own) else np.nan
    last = np.array([row[np.isfinite(row)][-1] if np.isfinite(row).any() else -np.inf for row in objective])
    agree = float(np.mean(last >= last.max() - max(1e-4 * abs(last.max()), 1.0))) if len(own) else np.nan
    rows = [
        Row(
            "objective falls by at most (relative)",
            fall,
            "<= 1e-8; 1e-5 with a floor",
            graded(fall, fall <= 1e-8, fall <= 1e-5),
            "EM with the prior never falls; without it lower ridge and floor. If it still falls, report it.",
        ),
        Row(
            "EM converged",
            float(fit.converged),
            "1",
            "pass" if fit.converged else "warn",
            "Allow more steps, or a larger tolerance.",
        ),
    ]
    if len(last) > 1:
        advice = "Restarts end in different optima: raise restarts, choose fewer states, or state more knowledge."
        rows.append(
            Row("share of restarts at the best optimum", agree, ">= 0.4", graded(agree, agree >= 0.4, True), advice)
        )
    return rows


def _sampler_rows(fit: Fit) -> Iterable[Row]:
    import arviz_stats  # slow to import, and only draws need it

    statistics: Any = arviz_stats
    draws = _varying(fit.idata["posterior"].to_dataset())
    with np.errstate(divide="ignore", invalid="ignore"):  # a chain that never moves has no finite R-hat: it fails
        rhat = float(np.max(statistics.rhat(draws)["parameters"].values))
        bulk = float(np.min(statistics.ess(draws, method="bulk")["parameters"].values))
        tail = float(np.min(statistics.ess(draws, method="tail")["parameters"].values))
    stats = fit.idata["sample_stats"]
    divergences = float(stats["diverging"].values.sum())
    energy = stats["energy"].values
    ebfmi = float(np.min(np.mean(np.diff(energy, axis=1) ** 2, axis=1) / np.var(energy, axis=1)))
    more = "Draw more, or state more knowledge so that states cannot change places."
    return [
        Row("largest R-hat", rhat, f"< {RHAT_PASS}", graded(rhat, rhat < RHAT_PASS, rhat < RHAT_WARN), more),
        Row("smallest bulk ESS", bulk, f">= {ESS_PASS:g}", graded(bulk, bulk >= ESS_PASS, bulk >= ESS_WARN), more),
        Row("smallest tail ESS", tail, f">= {ESS_PASS:g}", graded(tail, tail >= ESS_PASS, tail >= ESS_WARN), more),
        Row(
            "divergences",
            divergences,
            "0",
            graded(divergences, divergences == 0, divergences < 0.001 * energy.size),
            "Raise target_accept towards 0.99; a divergence means that some region was not explored.",
        ),
        Row(
            "smallest E-BFMI",
            ebfmi,
            f">= {EBFMI_PASS}",
            graded(ebfmi, ebfmi >= EBFMI_PASS, True),
            "The tails are explored slowly: lengthen the warm-up, or use tighter priors.",
        ),
    ]


def _varying(posterior: xr.Dataset) -> xr.Dataset:
    """All single parameters that are not constant, as one variable (chain, draw, parameter): zeros have no R-hat."""
    flat = [v.transpose("chain", "draw", ...).values for v in posterior.data_vars.values()]
    columns = np.concatenate([v.reshape(*v.shape[:2], -1) for v in flat], axis=2)
    columns = columns[..., np.ptp(columns, axis=(0, 1)) > 0]
    return xr.Dataset({"parameters": (("chain", "draw", "parameter"), columns)})


def _state_rows(fit: Fit) -> Iterable[Row]:
    smoothed = fit.idata["latents"]["smoothed"].values
    inside = np.isfinite(smoothed).all(axis=1)
    share = smoothed[inside].mean(axis=0)
    least, certain = float(share.min()), float(smoothed[inside].max(axis=1).mean())
    empty = ", ".join(str(k + 1) for k in np.flatnonzero(share < SHARE_WARN))
    rows = [
        Row(
            "share of the least visited state",
            least,
            f">= {SHARE_WARN}",
            graded(least, least >= SHARE_WARN, least >= SHARE_FAIL),
            f"State {empty} is (nearly) empty: choose fewer states." if empty else "",
        ),
        Row(
            "mean probability of the likeliest state",
            certain,
            ">= 0.7",
            graded(certain, certain >= 0.7, True),
            "The states are not well told apart: choose fewer, or state more knowledge.",
        ),
    ]
    if "agreement" in fit.idata["latents"]:
        agreement = float(fit.idata["latents"]["agreement"].values.min())
        advice = "Data and knowledge disagree on a sequence: look at its knowledge, and lower its confidence."
        rows.append(
            Row(
                "lowest log agreement of data and knowledge",
                agreement,
                ">= -50",
                graded(agreement, agreement >= -50, True),
                advice,
            )
        )
    return rows


def _prediction_rows(fit: Fit) -> Iterable[Row]:
    latents = fit.idata["latents"]
    z = np.clip(latents["residual"].values, -40.0, 40.0)  # beyond that the probability is below the smallest number
    inside = np.isfinite(z).all(axis=1)
    covered = float((np.abs(z[inside]) <= 1.6448536269514722).mean())
    off = abs(covered - 0.9)
    ids = latents["sample_sequence"].values
    paired = inside[1:] & inside[:-1] & (ids[1:] == ids[:-1])
    lagged = [_correlation(z[1:, d][paired], z[:-1, d][paired]) for d in range(z.shape[1])]
    correlation = max(lagged, key=abs)
    return [
        Row(
            "coverage of the 90 % one-step intervals",
            covered,
            "0.87 to 0.93",
            graded(off, off <= COVERAGE_PASS, off <= COVERAGE_WARN),
            "The noise is not as the model says: try more states, another order, or look for outliers.",
        ),
        Row(
            "lag-1 correlation of the residuals",
            correlation,
            "within 0.2",
            graded(correlation, abs(correlation) <= 0.2, True),
            "The autoregression leaves structure: raise the order, or smooth the signal less.",
        ),
    ]


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Of paired values; 0 where there are too few to have one."""
    if len(x) < 3 or not (x.std() > 0 and y.std() > 0):
        return 0.0
    return float(np.corrcoef(x, y)[0, 1])


def _dynamics_rows(fit: Fit) -> Iterable[Row]:
    coefficients = np.asarray(fit.params.coefficients)
    n_states, features, regressors = coefficients.shape
    order = (regressors - 1) // features
    if order == 0:
        return []
    lower = np.eye(features * (order - 1), features * order)
    companions = [np.vstack([coefficients[k, :, :-1], lower]) for k in range(n_states)]
    radius = float(max(np.abs(np.linalg.eigvals(c)).max() for c in companions))
    return [
        Row(
            "largest spectral radius of the dynamics",
            radius,
            "<= 1.02",
            graded(radius, radius <= 1.02, True),
            "A state grows without bound: legal for accelerating wear, but read long forecasts with care.",
        )
    ]
