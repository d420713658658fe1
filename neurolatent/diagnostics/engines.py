"""Did the engine reach what it was to find? What suits EM, NUTS and SVI, each for itself."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr

from neurolatent.choices import NUTS, SVI, MinibatchVI
from neurolatent.diagnostics.mixing import NO_LIMIT, rhat
from neurolatent.diagnostics.rows import Row, Verdict, graded
from neurolatent.engines.plateau import last_rise
from neurolatent.result import Fit

RHAT_PASS, RHAT_WARN = 1.01, 1.05  # Vehtari et al. (2021), Bayesian Analysis 16(2): 1.01
ESS_PASS, ESS_WARN = 400.0, 100.0  # the same: 100 per chain, with four chains
KHAT_PASS, KHAT_WARN = 0.7, 1.0  # Yao et al. (2018), PMLR 80:5581-5590; from 1 on the ratios have no mean
EBFMI_PASS = 0.3  # Betancourt (2016), arXiv 1604.00695


def completed(fit: Fit) -> Row:
    """Whether it was not interrupted."""
    verdict: Verdict = "warn" if fit.interrupted else "pass"
    return Row("ran to its end", float(not fit.interrupted), "1", verdict, "It was interrupted; continue with resume.")


def engine_rows(fit: Fit) -> Iterable[Row]:
    """The questions that suit the engine; those of EM where another one was interrupted before it drew."""
    if fit.draws is not None and isinstance(fit.engine, SVI):
        return _guide_rows(fit, fit.engine)
    if isinstance(fit.engine, MinibatchVI):
        return _bound_rows(fit, fit.engine)
    return _sampler_rows(fit) if fit.draws is not None and isinstance(fit.engine, NUTS) else _em_rows(fit)


def _em_rows(fit: Fit) -> Iterable[Row]:
    if "objective" not in fit.idata["trace"]:
        return []
    trace = fit.idata["trace"]
    objective, best = trace["objective"].values, int(trace["best"])
    settling = int(trace["settling"]) if "settling" in trace else 0  # a schedule's objective may fall
    own = objective[best][np.isfinite(objective[best])][settling:]
    size = np.maximum(np.abs(own[:-1]), 1.0)
    fall = float(np.max((own[:-1] - own[1:]) / size, initial=0.0)) if len(own) else np.nan
    at_best = restarts_at_best(objective)
    agree = float(at_best.mean()) if len(own) else np.nan
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
    if len(at_best) > 1:
        advice = "Restarts end in different optima: raise restarts, choose fewer states, or state more knowledge."
        rows.append(
            Row("share of restarts at the best optimum", agree, ">= 0.4", graded(agree, agree >= 0.4, True), advice)
        )
    return rows


def restarts_at_best(objective: np.ndarray) -> np.ndarray:
    """(restarts,) whether each ended at the best optimum, within a ten-thousandth or one nat, by (restarts, steps)."""
    last = np.array([row[np.isfinite(row)][-1] if np.isfinite(row).any() else -np.inf for row in objective])
    return last >= last.max() - max(1e-4 * abs(last.max()), 1.0)


def _sampler_rows(fit: Fit) -> Iterable[Row]:
    import arviz_stats  # slow to import, and only draws need it

    statistics: Any = arviz_stats
    draws = _varying(fit.idata["posterior"].to_dataset())
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = float(np.max(rhat(draws)["parameters"].values))
        bulk = float(np.min(statistics.ess(draws, method="bulk")["parameters"].values))
        tail = float(np.min(statistics.ess(draws, method="tail")["parameters"].values))
    stats = fit.idata["sample_stats"]
    divergences = float(stats["diverging"].values.sum())
    energy = stats["energy"].values
    ebfmi = float(np.min(np.mean(np.diff(energy, axis=1) ** 2, axis=1) / np.var(energy, axis=1)))
    more = "Draw more, or state more knowledge so that states cannot change places."
    apart = f"{NO_LIMIT} {more}" if np.isposinf(ratio) else more
    return [
        Row("largest R-hat", ratio, f"< {RHAT_PASS}", graded(ratio, ratio < RHAT_PASS, ratio < RHAT_WARN), apart),
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


def _bound_rows(fit: Fit, engine: MinibatchVI) -> Iterable[Row]:
    """Has the bound levelled off, or was the best held-out epoch passed; do restarts agree?"""
    trace = fit.idata["trace"]
    best = int(trace["best"])
    own = trace["objective"].values[best]
    own = own[np.isfinite(own)]
    rise, stopped = last_rise(own, max(len(own) // 10, 2)), len(own) < engine.epochs
    more = "The bound has not levelled off: allow more epochs, or a higher learning_rate."
    wanted = f"within {max(engine.tolerance, 3 * rise.noise):.2g}, or stopped before"
    flat = rise.is_none(engine.tolerance) or stopped
    rows = [
        Row("last change of the bound (nats per sequence)", rise.value, wanted, graded(rise.value, flat, True), more)
    ]
    reached = trace["reached"].values
    if len(reached) > 1:
        spread = float(np.sort(reached)[-1] - np.sort(reached)[-2])
        agree = graded(spread, spread <= max(10 * engine.tolerance, 1e-3 * abs(float(reached.max()))), True)
        advice = "Only one restart reached the best bound: raise restarts."
        rows.append(Row("second best restart below the best (nats per sequence)", spread, "<= 0.1 %", agree, advice))
    return rows


def _guide_rows(fit: Fit, engine: SVI) -> Iterable[Row]:
    elbo, stats = fit.idata["trace"]["objective"].values[0], fit.idata["sample_stats"]
    rise, bad = last_rise(elbo, engine.plateau), float((~np.isfinite(elbo)).sum())
    khat = _pareto_k((stats["lp"] - stats["log_q"]).values.ravel())
    wanted, flat = f"within {max(engine.tolerance, 3 * rise.noise):.2g}", rise.is_none(engine.tolerance)
    more = "The ELBO has not levelled off: allow more steps."
    outside = "The guide reached where the density is no number: lower learning_rate, or look for outliers."
    narrow = "The guide is narrower than the posterior: take the multivariate guide, more steps, or NUTS."
    k_verdict = graded(khat, khat < KHAT_PASS, khat < KHAT_WARN)
    return [
        Row("last change of the ELBO (nats)", rise.value, wanted, graded(rise.value, flat, True), more),
        Row("steps without a finite ELBO", bad, "0", graded(bad, bad == 0, bad < 0.01 * len(elbo)), outside),
        Row("Pareto k of the importance ratios", khat, f"< {KHAT_PASS}", k_verdict, narrow),
    ]


def _pareto_k(log_ratios: np.ndarray) -> float:
    """Shape of the tail of the ratios p / q over draws of q: Vehtari et al. (2024), JMLR 25(72)."""
    from arviz_stats import base  # slow to import, and only draws need it

    arrays: Any = base.array_stats  # pyright: ignore[reportPrivateImportUsage]
    if not np.isfinite(log_ratios).all():
        return np.nan
    return float(arrays.psislw(-log_ratios)[1])  # it takes minus the logarithm


def _varying(posterior: xr.Dataset) -> xr.Dataset:
    """All single parameters that are not constant, as one variable (chain, draw, parameter): zeros have no R-hat."""
    flat = [v.transpose("chain", "draw", ...).values for v in posterior.data_vars.values()]
    columns = np.concatenate([v.reshape(*v.shape[:2], -1) for v in flat], axis=2)
    columns = columns[..., np.ptp(columns, axis=(0, 1)) > 0]
    return xr.Dataset({"parameters": (("chain", "draw", "parameter"), columns)})
