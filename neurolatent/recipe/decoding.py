"""Recipes of models that decode a signal: figures on held-out data, other methods beside it, tables of new data."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from neurolatent.fitting import fit
from neurolatent.models.protocols import HasTwoStages
from neurolatent.ops import decoding
from neurolatent.precision import in_double
from neurolatent.recording import Recording
from neurolatent.result import Fit

MOST_STEPS = 2000  # of a stream are timed
LEVEL = 0.95
IN_TABLE = ("nrmse", "angle_error", "r2", "coverage95", "indefinite_share", "seconds_per_step")


def decodes(fitted: Fit) -> bool:
    """Whether it decodes a signal, instead of finding states."""
    return isinstance(fitted.model, HasTwoStages)


@in_double
def decoding_figures(fitted: Fit, recording: Recording) -> dict[str, float]:
    """Errors and honesty of the decoded signal where its truth is known; nothing where it is not.

    ``nrmse``, ``angle_error`` (radians, of signals in the plane; ``angle_error_fast`` above the median speed),
    ``r2.OUTPUT`` and their mean ``r2``, ``correlation.OUTPUT``, ``coverage95`` of the ellipses (``coverage95.before`` a
    calibration), ``indefinite_share`` and ``skipped_share`` of bins, ``seconds_per_step`` of a stream,
    ``effective_particles`` of a particle filter; errors with ``smoothed`` and ``unfiltered`` before them are those
    given all bins, and of the regression alone.
    """
    if fitted.facts["signal"] not in recording.signals:
        return {}
    told = fitted.predict(recording)
    signal = recording.signal(fitted.facts["signal"])
    known = signal.observed.all(axis=1)
    if not known.any():
        return {}
    told = {str(name): values.values[known] for name, values in told.items() if values.dims[:1] == ("sample",)}
    truth = signal.values[known].astype(float)
    figures = beliefs_figures(truth, told, signal.names)
    spread = float(fitted.params.scaling.spread)
    if spread != 1.0 and fitted.draws is None:  # of a mixture the factor is not that of the whole covariance
        narrow = told["filtered_cov"] / spread
        figures["coverage95.before"] = decoding.ellipse_coverage(truth, told["filtered_mean"], narrow, LEVEL)
    return figures | _seconds_per_step(fitted, recording)


def beliefs_figures(truth: np.ndarray, told: Mapping[str, np.ndarray], names: Sequence[str]) -> dict[str, float]:
    """The figures that need no fit, of bins whose truth is known.

    Args:
        truth: (bins, outputs).
        told: By the names of a posterior of the DKF, along the same bins.
        names: Of the outputs.
    """
    mean = told["filtered_mean"]
    figures = _errors(truth, mean)
    r2, linear = decoding.r_squared(truth, mean), decoding.correlation(truth, mean)
    figures |= {"r2": float(r2.mean())} | {f"r2.{n}": float(v) for n, v in zip(names, r2, strict=True)}
    figures |= {f"correlation.{n}": float(v) for n, v in zip(names, linear, strict=True)}
    figures["coverage95"] = decoding.ellipse_coverage(truth, mean, told["filtered_cov"], LEVEL)
    if "effective_particles" in told:
        figures["effective_particles"] = float(told["effective_particles"].mean())
    figures |= {f"{name}_share": float(told[name].mean()) for name in ("indefinite", "skipped") if name in told}
    for name, other in (("smoothed", "smoothed_mean"), ("unfiltered", "regressed_mean")):
        heard = np.isfinite(told[other]).all(axis=1)
        figures |= {f"{name}.{key}": value for key, value in _errors(truth[heard], told[other][heard]).items()}
    return figures


def _errors(truth: np.ndarray, mean: np.ndarray) -> dict[str, float]:
    figures = {"nrmse": decoding.nrmse(truth, mean)}
    if truth.shape[1] == 2:
        middle = float(np.median(np.linalg.norm(truth, axis=1)))
        figures["angle_error"] = decoding.angle_error(truth, mean)
        figures["angle_error_fast"] = decoding.angle_error(truth, mean, middle)
    return figures


def _seconds_per_step(fitted: Fit, recording: Recording) -> dict[str, float]:
    """Median time of a stream's step; nothing of a fit that cannot run as one."""
    if fitted.prepare or not fitted.model.has_stream:
        return {}
    inputs = recording.signal(fitted.model.inputs_of(recording))
    rows = np.where(inputs.observed, inputs.values, np.nan)[:MOST_STEPS]
    stream, seconds = fitted.stream(), []
    for row in rows:
        begin = time.perf_counter()
        stream.update(row)
        seconds.append(time.perf_counter() - begin)
    return {"seconds_per_step": float(np.median(seconds))}


def methods_beside(
    fitted: Fit,
    first: str,
    arms: Mapping[str, Any],
    test: Recording,
    steps: Any,
    seed: int,
    known: Mapping[str, dict[str, float]],
) -> tuple[pd.DataFrame | None, dict[str, float]]:
    """Figures of a fit and of other methods on the same test data: a table of the chief ones, and all by flat names.

    Args:
        first: Name of the fit in the table; in the flat names it has none.
        arms: Name to the parts of a recipe.
        known: Name to the figures of what needs no fit.
    """
    figures = decoding_figures(fitted, test)
    rows, flat = [_row(first, figures)], dict(figures)
    learned = {
        name: decoding_figures(fit(arm.model, arm.recording, steps, arm.engine, seed), test)
        for name, arm in arms.items()
    }
    for name, other in {**learned, **known}.items():
        rows.append(_row(name, other))
        flat |= {f"{name}.{key}": value for key, value in other.items()}
    alone = {key.removeprefix("unfiltered."): v for key, v in figures.items() if key.startswith("unfiltered.")}
    whole = {key.removeprefix("smoothed."): v for key, v in figures.items() if key.startswith("smoothed.")}
    rows += [_row(f"{first}, unfiltered", alone), _row(f"{first}, smoothed", whole)]
    return pd.DataFrame(rows), flat


def _row(name: str, figures: Mapping[str, float]) -> dict[str, Any]:
    return {"method": name, **{key: figures.get(key, np.nan) for key in IN_TABLE}}


def decoded_table(fitted: Fit, recording: Recording) -> pd.DataFrame:
    """One row per bin: sequence, clock, and of each output the mean and standard deviation, decoded and smoothed."""
    told = fitted.predict(recording)
    columns: dict[str, Any] = {"sequence": told["sample_sequence"].values, recording.clock_unit: told["clock"].values}
    for place, output in enumerate(str(n) for n in told["feature"].values):
        for name, short in (("filtered", ""), ("smoothed", "_smoothed")):
            columns[f"{output}{short}"] = told[f"{name}_mean"].values[:, place]
            columns[f"{output}{short}_sd"] = told[f"{name}_sd"].values[:, place]
    flags = {name: told[name].values.astype(bool) for name in ("skipped", "indefinite")}
    return pd.DataFrame({**columns, **flags})
