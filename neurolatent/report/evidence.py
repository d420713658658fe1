"""Is the fit to be believed: the verdict, the checks, how it was reached, and what it learned."""

import functools
from typing import Any

import numpy as np
import xarray as xr

from neurolatent.choices import NUTS, SVI, Gibbs, MinibatchVI
from neurolatent.diagnostics.clusters import followed
from neurolatent.diagnostics.engines import restarts_at_best
from neurolatent.models.protocols import Degrades
from neurolatent.plots.calibration import coverage_curve, coverage_of, pit_histogram, standardised
from neurolatent.plots.chains import chain_summary, chain_traces, posterior_summary, rank_histograms, varying
from neurolatent.plots.convergence import objective_trace
from neurolatent.plots.transitions import transition_matrix
from neurolatent.report.blocks import Cell, Picture, Section, Table, Text, number, plain
from neurolatent.report.figures import Painter
from neurolatent.report.material import Material

MOST_CHAIN_PICTURES = 4
MOST_ROWS = 80  # of a table of parameters
HALF = (4.4, 3.2)  # inches: two pictures stand side by side

HEADLINES = {
    "pass": "The fit can be believed",
    "warn": "The fit can be used, with care",
    "fail": "Do not rely on this fit yet",
}
HEADLINES_AHEAD = {
    "pass": "The fit and its remaining lives can be believed",
    "warn": "The fit and its remaining lives can be used, with care",
    "fail": "Do not rely on this fit and its remaining lives yet",
}


def verdict_words(material: Material) -> str:
    """How many of the checks passed."""
    rows = material.diagnosis.rows
    counts = {v: sum(row.verdict == v for row in rows) for v in ("pass", "warn", "fail")}
    words = [f"{counts['pass']} of {len(rows)} checks pass"]
    words += [f"{counts['warn']} {'asks' if counts['warn'] == 1 else 'ask'} for care"] if counts["warn"] else []
    words += [f"{counts['fail']} {'fails' if counts['fail'] == 1 else 'fail'}"] if counts["fail"] else []
    return ", ".join(words) + "."


def open_points(material: Material) -> list[str]:
    """What does not pass, with its advice, and the warnings of the fit."""
    rows = [row for row in material.diagnosis.rows if row.verdict != "pass"]
    rows.sort(key=lambda row: row.verdict)
    said = [f"{row.what}: {plain(row.value)} (wanted {row.threshold}). {row.advice}" for row in rows]
    return said + [w if w.endswith(".") else f"{w}." for w in material.fit.warnings]


def evidence_section(material: Material, painter: Painter) -> Section:
    """Checks, convergence, calibration."""
    fit = material.fit
    parts = [checks(material)]
    parts += climb(material, painter)
    if fit.draws is not None:
        parts += sampler(material, painter) if isinstance(fit.engine, (NUTS, Gibbs)) else guide(material)
    parts += calibration(material, painter) if fit.model.residual_is_normal else []
    return Section("diagnostics", "Is the fit to be believed?", parts)


def checks(material: Material) -> Table:
    """Each question that was put to the fit."""
    rows = [
        [
            Cell(row.verdict, {"fail": 0, "warn": 1, "pass": 2}[row.verdict], f"verdict {row.verdict}"),
            Cell(row.what),
            number(row.value),
            Cell(row.threshold),
            Cell("–", kind="muted") if row.verdict == "pass" else Cell(row.advice, kind="note"),
        ]
        for row in material.diagnosis.rows
    ]
    columns = ("verdict", "what was asked", "value", "wanted", "what to do")
    ahead = "" if material.outlook is None else " Those of remaining life ask training units that were held out."
    return Table(f"Checks of the fit on its training data.{ahead}", columns, rows)


def climb(material: Material, painter: Painter) -> list[Any]:
    """The objective of EM, or the ELBO of SVI; nothing of a sampler, which climbs none."""
    trace = material.fit.idata["trace"].to_dataset()
    if "objective" not in trace:
        return []
    values, best = trace["objective"].values, int(trace["best"].values)
    own = values[best][np.isfinite(values[best])]
    noisy = isinstance(material.fit.engine, (SVI, MinibatchVI))
    names = {SVI: ("SVI", "ELBO"), MinibatchVI: ("minibatch VI", "Bound")}
    engine, what = names.get(type(material.fit.engine), ("EM", "Objective"))
    alt = (
        f"{what} of {engine} over {len(own)} steps of the kept restart, of {len(values)}: "
        f"from {plain(own[0], 6)} to {plain(own[-1], 6)} nats."
    )
    draw = functools.partial(objective_trace, values, best=best, engine=engine, noisy=noisy)
    picture = painter.picture(draw, alt, f"{what} of {engine}: it must rise and level off.", size=HALF)
    return [picture] if len(values) < 2 else [picture, restarts(values, best)]


def restarts(objective: np.ndarray, best: int) -> Table:
    """Where each restart ended."""
    last = np.array([row[np.isfinite(row)][-1] if np.isfinite(row).any() else np.nan for row in objective])
    rows = [
        [
            Cell(f"{n + 1}", kind="name own" if n == best else "name"),
            Cell(f"{value:.2f}", value, "number"),
            Cell("kept" if n == best else f"{value - last[best]:.2f}".replace("-", "−"), value, "number"),
            number(int(np.isfinite(objective[n]).sum())),
        ]
        for n, value in enumerate(last)
    ]
    said = f"Restarts: {int(restarts_at_best(objective).sum())} of {len(rows)} ended at the best optimum."
    return Table(said, ("restart", "objective (nats)", "less the best", "steps"), rows)


def guide(material: Material) -> list[Any]:
    """Posterior summary of independent draws, to which R-hat and effective sample sizes do not apply."""
    table = posterior_summary(material.fit.idata["posterior"].to_dataset())
    said = "Posterior of the parameters that vary, by draws of the guide; how well it fits, Pareto k says."
    if not isinstance(material.fit.engine, SVI):
        said = "Posterior of the parameters that vary, by independent draws from its closed form."
    return [_summary_table(table, said, "first")]


def sampler(material: Material, painter: Painter) -> list[Any]:
    """Posterior summary, and rank and trace plots of what mixed worst: parameters, or numbers that no label changes."""
    said = "Posterior of the parameters that vary; wanted are R-hat below 1.01 and ESS of at least 400."
    posterior = material.fit.idata["posterior"].to_dataset()
    if isinstance(material.fit.engine, Gibbs):
        posterior = followed(material.fit)
        said = "What was followed from sweep to sweep; wanted are R-hat below 1.05 and ESS of at least 100."
    table = chain_summary(posterior).sort_values("R-hat", ascending=False, kind="stable")
    draws = varying(posterior)
    blocks: list[Any] = [_summary_table(table, said, "with the largest R-hat")]
    for row in table.head(MOST_CHAIN_PICTURES).to_dict("records"):
        name, rhat = str(row["parameter"]), f"R-hat {plain(row['R-hat'])}"
        blocks += _chain_pictures(name, draws[name], rhat, painter)
    return blocks


def _chain_pictures(name: str, draws: np.ndarray, rhat: str, painter: Painter) -> list[Any]:
    ranks = functools.partial(rank_histograms, draws, label=name)
    trace = functools.partial(chain_traces, draws, label=name)
    said = f"Ranks of {name}, one line per chain: flat where the chains agree ({rhat})."
    return [
        painter.picture(ranks, f"Rank histograms of {name} in {len(draws)} chains; {rhat}.", said, size=HALF),
        painter.picture(
            trace,
            f"Draws of {name} along {len(draws)} chains; {rhat}.",
            f"Draws of {name} along the chains.",
            size=HALF,
        ),
    ]


def _summary_table(table: Any, said: str, shown: str) -> Table:
    """The rows of a summary, as many as can be read; ``shown`` are the words for which these are."""
    rows = [[Cell(str(r[0])), *(number(v) for v in r[1:])] for r in table.head(MOST_ROWS).itertuples(index=False)]
    more = f" The {MOST_ROWS} {shown} of {len(table)} are shown." if len(table) > MOST_ROWS else ""
    return Table(said + more, [str(c) for c in table.columns], rows, is_sortable=True)


def calibration(material: Material, painter: Painter) -> list[Any]:
    """Residuals of the one-step predictions of the training data."""
    latents, observed = (material.fit.idata[name].to_dataset() for name in ("latents", "observed_data"))
    z = standardised(observed["y"].values, latents["predicted_mean"].values, latents["predicted_sd"].values)
    if not len(z):
        return [Text("No one-step prediction could be compared with an observation.", "small")]
    inside = f"the 90 % intervals hold {float(coverage_of(z, [0.9])[0]):.1%} of {len(z)} observations"
    curve = painter.picture(
        functools.partial(coverage_curve, z),
        f"Promised against found coverage of one-step intervals; {inside}.",
        f"One-step predictions of the training data: {inside}. Above the line: too wide; below: too narrow.",
        size=HALF,
    )
    histogram = painter.picture(
        functools.partial(pit_histogram, z),
        f"Histogram of the probability integral transform of {len(z)} one-step predictions; flat means calibrated.",
        "Where observations fall in their predictions: a hump means too wide, a bowl too narrow, a slope a bias.",
        size=HALF,
    )
    return [curve, histogram]


def learned_section(material: Material, painter: Painter) -> Section:
    """States: durations, transitions, dynamics."""
    return Section(
        "learned", "What was learned", [durations(material), transitions(material, painter), dynamics(material)]
    )


def transitions(material: Material, painter: Painter) -> Picture:
    """The transition matrix."""
    fit, names = material.fit, material.state_names
    matrix = np.asarray(fit.params.transition)
    stay = ", ".join(f"state {n} {matrix[k, k]:.3f}" for k, n in enumerate(names))
    draw = functools.partial(transition_matrix, matrix, names)
    mean = " (mean of the draws)" if fit.draws is not None else ""
    side = 1.2 + 0.55 * len(names)
    return painter.picture(
        draw, f"Transition matrix of {len(names)} states; probability to stay per step: {stay}.",
        f"Transitions per {material.unit}{mean}; a dash: excluded by the model.", size=(min(side, 4.9), side),
    )  # fmt: skip


def expected_stays(material: Material) -> np.ndarray:
    """(states,) mean stay in each state once entered, in clock units; infinite in states that are never left."""
    model = material.fit.model
    params = material.fit.params
    chain = model.chain_transition(params) if isinstance(model, Degrades) else np.asarray(params.transition)
    size = len(chain) // len(material.state_names)
    out = []
    for state in range(len(material.state_names)):
        part = slice(state * size, (state + 1) * size)
        inner = np.eye(size) - chain[part, part]
        leaves = abs(np.linalg.det(inner)) > 1e-12
        out.append(np.linalg.solve(inner, np.ones(size))[0] if leaves else np.inf)
    return np.asarray(out) * material.recording.bin_width


def durations(material: Material) -> Table:
    """How long units stay in each state: by the chain, and in the training data."""
    spent, unit = material.fit.idata["latents"].to_dataset()["occupancy"].values, material.unit
    spent = spent.reshape(len(spent), len(material.state_names), -1).sum(axis=2) * material.recording.bin_width
    initial, share = np.asarray(material.fit.params.initial), spent.sum(axis=0) / spent.sum()
    rows = [
        [
            Cell(f"state {name}", k, "state", swatch=k + 1),
            number(initial[k], 3),
            Cell(f"{share[k]:.1%}", share[k], "number"),
            Cell("never left", np.inf, "number") if np.isinf(stay) else number(stay),
            number(float(np.median(spent[:, k]))),
        ]
        for k, (name, stay) in enumerate(zip(material.state_names, expected_stays(material), strict=True))
    ]
    columns = (
        "state", "P(first)", "share of time", f"mean stay by the chain ({unit})",
        f"median time per training {material.things.removesuffix('s')} ({unit})",
    )  # fmt: skip
    said = f"States, and how long they last, over {len(spent)} training {material.things}."
    return Table(said, columns, rows)


def dynamics(material: Material) -> Table | Text:
    """Coefficients and noise of each state."""
    estimate: xr.Dataset = material.fit.idata["point_estimate"].to_dataset()
    if "coefficients" not in estimate:
        return Text("This model has no autoregression.", "small")
    features = [str(f) for f in estimate["feature"].values]
    columns = ("state", "signal", *(str(r) for r in estimate["regressor"].values), "noise sd")
    values = estimate["coefficients"].values
    sd = np.sqrt(np.diagonal(estimate["covariance"].values, axis1=1, axis2=2))
    rows = [
        [
            Cell(f"state {name}", k, "state", swatch=k + 1),
            Cell(feature),
            *(number(v) for v in values[k, d]),
            number(sd[k, d]),
        ]
        for k, name in enumerate(material.state_names)
        for d, feature in enumerate(features)
    ]
    said = "Autoregression of each state: what the next sample is made of, in the units of the prepared signal."
    said += f" The first {MOST_ROWS} of {len(rows)} rows." if len(rows) > MOST_ROWS else ""
    return Table(said, columns, rows[:MOST_ROWS])
