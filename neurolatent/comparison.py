"""Fits side by side: a Sweep over a grid, and a ranking by what each says of data it has not seen."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neurolatent.checks import InputError
from neurolatent.choices import SVI
from neurolatent.models.protocols import RelativeEvidence
from neurolatent.preparation import replay
from neurolatent.recording import Recording
from neurolatent.result import Fit
from neurolatent.result.settings import encode, to_json


@dataclass(frozen=True, eq=False)
class Sweep:
    """Fits over a grid, and the figures of each.

    Attributes:
        points: The grid's values of each fit.
        fits: The fits; empty where only figures were kept.
        figures: Figures of each fit, by name.
    """

    points: tuple[dict[str, Any], ...]
    figures: tuple[dict[str, float], ...]
    fits: tuple[Fit, ...] = ()

    def table(self) -> pd.DataFrame:
        """One row per fit: the grid's values, then the figures."""
        return pd.DataFrame([{**p, **f} for p, f in zip(self.points, self.figures, strict=True)])

    @property
    def has_curves(self) -> bool:
        """Whether some key besides the seed has several numbers, along which figures can be drawn."""
        return bool(self._varied_numbers())

    def _varied_numbers(self) -> list[str]:
        varied = {k: {p[k] for p in self.points} for k in self.points[0] if k != "seed"} if self.points else {}
        is_number = lambda v: isinstance(v, (int, float)) and not isinstance(v, bool)  # noqa: E731
        return [k for k, values in varied.items() if len(values) > 1 and all(map(is_number, values))]

    def axes(self) -> tuple[str, list[str]]:
        """The grid's key to draw along (the first with several numbers), and those that make separate series."""
        numbers = self._varied_numbers()
        if not numbers:
            raise InputError("a curve needs a key with several numbers in the sweep, besides the seed")
        return numbers[0], [k for k in self.points[0] if k not in ("seed", numbers[0])]

    def series(self, figure: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """A figure along the grid: the values of the key, and per series (seeds, values); NaN where it is missing."""
        along, others = self.axes()
        table = self.table()
        values = np.array(sorted(table[along].unique()), float)
        table = table.assign(_seed=table.get("seed", 0))
        out = {}
        groups = table.groupby(others, sort=False) if others else [((), table)]
        for key, part in groups:
            name = ", ".join(f"{k.split('.')[-1]} {v}" for k, v in zip(others, _as_tuple(key), strict=True))
            wide = part.pivot_table(index="_seed", columns=along, values=figure, dropna=False)
            out[name or figure] = wide.reindex(columns=values).to_numpy(float)
        return values, out

    def by_point(self) -> list[tuple[dict[str, Any], pd.DataFrame]]:
        """The rows of each point of the grid, over its seeds, in the order of the grid."""
        table, keys = self.table(), [k for k in self.points[0] if k != "seed"]
        groups = table.groupby(keys, sort=False) if keys else [((), table)]
        return [(dict(zip(keys, _as_tuple(key), strict=True)), part) for key, part in groups]

    def summary(self) -> dict[str, float]:
        """Mean, standard deviation and median over seeds of every figure at every point of the grid, by flat names."""
        flat = {}
        for point, part in self.by_point():
            where = ",".join(f"{k.split('.')[-1]}={v}" for k, v in point.items())
            for figure in [c for c in part.columns if c not in point and c != "seed"]:
                values: Any = part[figure]
                flat[f"{figure}@{where}.mean"] = float(values.mean())
                flat[f"{figure}@{where}.median"] = float(values.median())
                flat[f"{figure}@{where}.sd"] = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
        return flat


def compare(fits: Mapping[str, Fit] | Sweep, recording: Any = None) -> pd.DataFrame:
    """Fits ranked, best first.

    With a recording that none of them has seen: by its log evidence (``log_score``, nats; ``per_sequence`` is its
    mean), with the ``difference`` to the best and the ``standard_error`` of that difference over sequences. Fits of
    different orders are scored on the same samples: those that the highest order leaves.
    Without one, fits with draws are ranked by the leave-one-sequence-out estimate of PSIS-LOO on the sequences that
    they were fitted to; ``worst_k`` is the largest Pareto k, and above 0.7 the estimate is not to be trusted.
    Decoders (DKF) compare on a recording only, and only in how their state moves.

    Args:
        fits: Fits by name, or a Sweep.
        recording: Held-out data; whatever :meth:`Recording.of` takes.

    Raises:
        InputError: Nothing to rank by, or fits whose scores do not compare: of different signals, sequences,
            preparations or regressions, or, without a recording, fitted to different data or under different knowledge.
    """
    named = dict(_named(fits))
    if not named:
        raise InputError("compare needs at least one fit")
    _refuse_different(named, "signal", "channels")
    _refuse_relative(named, on_training=recording is None)
    if len({to_json(encode(fit.prepare)) for fit in named.values()}) > 1:
        raise InputError("the fits prepare the data in different ways, so that their scores do not compare")
    if recording is None:
        estimates = _estimates(named)
        table = _ranked({name: found.values for name, found in estimates.items()})
        return table.assign(worst_k=[float(estimates[name].attrs["worst_k"]) for name in table["fit"]])
    scores = _held_out(named, Recording.of(recording))
    if len({tuple(str(s) for s in score["sequence"].values) for score in scores.values()}) > 1:
        raise InputError("the fits answer different sequences, so that their scores do not compare. Take common ones.")
    return _ranked({name: score.values for name, score in scores.items()})


def _ranked(totals: Mapping[str, np.ndarray]) -> pd.DataFrame:
    best = max(totals, key=lambda name: totals[name].sum())
    rows = []
    for name, values in totals.items():
        gap = values - totals[best]
        rows.append(
            {
                "fit": name,
                "log_score": float(values.sum()),
                "per_sequence": float(values.mean()),
                "difference": float(gap.sum()),
                "standard_error": float(np.sqrt(len(gap)) * gap.std(ddof=1)) if len(gap) > 1 else np.nan,
            }
        )
    return pd.DataFrame(rows).sort_values("log_score", ascending=False, ignore_index=True)


def _refuse_different(fits: Mapping[str, Fit], *facts: str) -> None:
    for fact in facts:
        values = {name: fit.facts.get(fact) for name, fit in fits.items()}
        first = next(iter(values))
        other = [name for name in values if values[name] != values[first]]
        if other:
            raise InputError(
                f"the fits {first!r} and {other[0]!r} differ in {fact} ({values[first]!r} and {values[other[0]]!r}), "
                "so that their scores do not compare."
            )


def _refuse_relative(fits: Mapping[str, Fit], *, on_training: bool) -> None:
    """Refuse decoders whose evidences are relative to different regressions, or to data that their draws never saw."""
    relative = {name: fit.model for name, fit in fits.items() if isinstance(fit.model, RelativeEvidence)}
    if not relative:
        return
    if on_training:
        raise InputError(
            f"{next(iter(relative))!r} learned how its state moves from known states, not from its inputs, so that to "
            "leave out a sequence by the evidence of its inputs means nothing. Pass a recording that the fits have not "
            "seen, or compare errors on folds: 'neurolatent compare RECIPE --over ...'."
        )
    bases = {name: getattr(fit.model, "evidence_basis", None) for name, fit in fits.items()}
    first = next(iter(bases))
    other = [name for name, basis in bases.items() if basis != bases[first]]
    if other:
        raise InputError(
            f"{first!r} and {other[0]!r} decode by different regressions or rules, and the evidence of a decoder says "
            "what filtering adds to its own regression. Compare their errors: 'neurolatent compare RECIPE --over "
            "model.regressor=ridge,gp'. Choices of how the state moves do compare."
        )


def _held_out(fits: Mapping[str, Fit], recording: Recording) -> dict[str, xr.DataArray]:
    """Log evidence per sequence, of the samples that all fits model."""
    skipped = {name: fit.model.skipped for name, fit in fits.items()}
    most, out = max(skipped.values()), {}
    for name, fit in fits.items():
        seen = replay(recording, fit.prepare, fit.learned).recording
        surplus = most - skipped[name]
        seen = seen.take(np.asarray(seen.ids)[seen.lengths > most]).cut(surplus) if surplus else seen
        out[name] = replace(fit, prepare=(), learned=()).score(seen)
    return out


def _estimates(fits: Mapping[str, Fit]) -> dict[str, xr.DataArray]:
    """PSIS-LOO of each sequence, with the largest Pareto k in the attribute ``worst_k``."""
    if not all(fit.draws is not None for fit in fits.values()):
        raise InputError(
            "pass a recording that the fits have not seen: fits without draws cannot be ranked on their own"
        )
    _refuse_different(fits, "fingerprint", "knowledge")
    if len({fit.model.skipped for fit in fits.values()}) > 1:
        raise InputError("the fits differ in order, so that they model different samples. Pass a held-out recording.")
    out = {}
    for name, fit in fits.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the largest k is given beside the estimate
            found = _leave_one_out(fit)
        out[name] = found.elpd_i.assign_attrs(worst_k=float(np.max(found.pareto_k)))
    return out


def _leave_one_out(fit: Fit) -> Any:
    """PSIS-LOO; where draws come from a guide instead of the posterior, its density there is allowed for."""
    import arviz_stats  # slow to import, and only draws need it

    stats: Any = arviz_stats
    if not isinstance(fit.engine, SVI):
        return stats.loo(fit.idata, pointwise=True)
    drawn = fit.idata["sample_stats"]
    return stats.loo_approximate_posterior(fit.idata, drawn["lp"], drawn["log_q"], pointwise=True)


def _named(fits: Mapping[str, Fit] | Sweep) -> Mapping[str, Fit]:
    if not isinstance(fits, Sweep):
        return fits
    if not fits.fits:
        raise InputError("this sweep kept no fits, only their figures")
    return {", ".join(f"{k}={v}" for k, v in p.items()): f for p, f in zip(fits.points, fits.fits, strict=True)}


def _as_tuple(key: Any) -> tuple[Any, ...]:
    """The key of a group, as it stands in the grid: pandas gives one key or several."""
    return key if isinstance(key, tuple) else (key,)
