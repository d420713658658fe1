"""One named signal of a recording: values of all sequences end to end, what they are, and what was observed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, cast, get_args

import numpy as np
import pandas as pd

from neurolatent.checks import InputError, one_of, place

Kind = Literal["counts", "continuous", "binary", "category", "angle", "image"]
WHOLE = ("counts", "binary", "category")  # kinds stored as whole numbers


@dataclass(frozen=True, eq=False, repr=False)
class Signal:
    """Values on the recording's clock, immutable.

    Attributes:
        values: (samples, *features), all sequences end to end. Continuous kinds hold NaN where nothing was
            observed, whole-number kinds hold 0 there: ``observed`` tells.
        kind: What the numbers are; ``counts``, ``binary`` and ``category`` are whole numbers, ``angle`` is in radians.
        channels: One row per channel (the last axis of ``values``), indexed by its name, with whatever facts are
            known (area, depth, unit, quantity). Images have no channel names.
        units: Unit of the values, for labels on figures; "" where there is none.
        observed: True where a value was observed; the full shape of ``values``.
    """

    values: np.ndarray
    kind: Kind = "continuous"
    channels: pd.DataFrame = field(default_factory=pd.DataFrame)
    units: str = ""
    observed: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))

    def __post_init__(self) -> None:
        for name in ("values", "observed"):
            view = getattr(self, name).view()
            view.setflags(write=False)
            object.__setattr__(self, name, view)

    def __repr__(self) -> str:
        shape = " x ".join(str(n) for n in self.values.shape)
        return f"Signal: {self.kind}, {shape}, {1 - self.observed.mean():.1%} not observed"

    @property
    def names(self) -> list[str]:
        """Names of the channels, in order."""
        return [str(name) for name in self.channels.index]

    @property
    def n_channels(self) -> int:
        """Number of channels: the length of the last axis."""
        return self.values.shape[-1]

    def levels(self, channel: int = 0) -> list[str]:
        """Words for the values 0, 1, 2, ... of a channel; none where the recording does not name them."""
        return [str(w) for w in json.loads(self.channels["levels"].iloc[channel])] if "levels" in self.channels else []

    def rows(self, index: np.ndarray | slice) -> "Signal":
        """The signal at some samples only."""
        return Signal(self.values[index], self.kind, self.channels, self.units, self.observed[index])

    def pick(self, channels: np.ndarray) -> "Signal":
        """The signal with some channels only: truth values, or numbers of channels."""
        kept = self.channels.iloc[channels] if len(self.channels) else self.channels
        return replace(self, values=self.values[..., channels], channels=kept, observed=self.observed[..., channels])

    def masked(self, keep: np.ndarray) -> "Signal":
        """The signal with entries hidden where ``keep`` is false."""
        observed = self.observed & keep
        filler = 0 if self.kind in WHOLE else np.nan
        return replace(self, values=np.where(observed, self.values, filler), observed=observed)

    def filled(self, filler: float | int = 0.0) -> np.ndarray:
        """Values with a finite filler where nothing was observed, as floats."""
        return np.where(self.observed, self.values, filler).astype(float)


def make_signal(
    values: np.ndarray,
    *,
    kind: str = "continuous",
    channels: Sequence[str] | pd.DataFrame | None = None,
    units: str = "",
    observed: np.ndarray | None = None,
    where: str = "",
) -> Signal:
    """A checked :class:`Signal`; NaN and masked entries are not observed.

    Args:
        values: (samples,) or (samples, *features), an array or a masked array.
        kind: What the numbers are.
        channels: Names of the channels, or a table of facts indexed by name; numbers from 0 where None.
        units: Unit of the values.
        observed: False where a value is not to be believed; (samples,) up to the full shape of the values.
        where: Words that open an error message: the file and the signal's name.

    Raises:
        InputError: Infinite values, fractions or negative numbers among counts, duplicated channel names, shapes
            that do not fit.
    """
    one_of(f"{where}: kind" if where else "kind", kind, get_args(Kind))
    if isinstance(values, np.ma.MaskedArray):
        values, observed = values.data, ~np.ma.getmaskarray(values) & (True if observed is None else observed)
    values = np.asarray(values)
    if values.dtype.kind not in "biuf":
        raise InputError(
            f"{where or 'signal'}: values must be numbers, got {values.dtype}. Convert or drop the text first."
        )
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim < 2:
        raise InputError(f"{where or 'signal'}: values must be (samples, channels), got shape {values.shape}")
    table = _channel_table(values, kind, channels, where)
    seen = _seen(values, observed, where)
    _refuse_infinite(values, seen, table, where)
    values = _whole(values, seen, kind, table, where) if kind in WHOLE else np.where(seen, values, np.nan)
    return Signal(values, cast(Kind, kind), table, units, seen)


def _seen(values: np.ndarray, observed: np.ndarray | None, where: str) -> np.ndarray:
    seen = ~np.isnan(values) if values.dtype.kind == "f" else np.ones(values.shape, bool)
    if observed is None:
        return seen
    observed = np.asarray(observed, bool)
    if observed.ndim < 1 or observed.shape != values.shape[: observed.ndim]:
        raise InputError(f"{where or 'signal'}: observed has shape {observed.shape}, the values have {values.shape}")
    return seen & observed.reshape(observed.shape + (1,) * (values.ndim - observed.ndim))


def _channel_table(
    values: np.ndarray, kind: str, channels: Sequence[str] | pd.DataFrame | None, where: str
) -> pd.DataFrame:
    if kind == "image" and channels is None:
        return pd.DataFrame(index=pd.Index([], name="channel"))
    if channels is None:
        channels = [str(i) for i in range(values.shape[-1])]
    if not isinstance(channels, pd.DataFrame):
        channels = pd.DataFrame(index=pd.Index([str(c) for c in channels], name="channel"))
    if len(channels) != values.shape[-1]:
        raise InputError(f"{where or 'signal'}: {len(channels)} channel names for {values.shape[-1]} channels")
    twice = channels.index[channels.index.duplicated()]
    if len(twice):
        raise InputError(f"{where or 'signal'}: the channel name {twice[0]!r} stands twice. Rename one of them.")
    return channels.rename_axis("channel")


def _where_entry(index: np.ndarray, table: pd.DataFrame, where: str) -> str:
    channel = table.index[index[-1]] if len(table) else tuple(int(i) for i in index[1:])
    return place(where, f"channel {channel}", f"sample {int(index[0])}")


def _refuse_infinite(values: np.ndarray, seen: np.ndarray, table: pd.DataFrame, where: str) -> None:
    if values.dtype.kind != "f":
        return
    wrong = np.argwhere(np.isinf(values) & seen)
    if len(wrong):
        value = values[tuple(wrong[0])]
        raise InputError(
            f"{_where_entry(wrong[0], table, where)}: the value is {value}. "
            "Infinite values are refused; write NaN where nothing was observed."
        )


def _whole(values: np.ndarray, seen: np.ndarray, kind: str, table: pd.DataFrame, where: str) -> np.ndarray:
    safe = np.where(seen, values, 0)
    high = 1 if kind == "binary" else np.inf
    wrong = np.argwhere((safe != np.floor(safe)) | (safe < 0) | (safe > high))
    if len(wrong):
        value = safe[tuple(wrong[0])]
        expected = "0 or 1" if kind == "binary" else "whole numbers of at least 0"
        raise InputError(
            f"{_where_entry(wrong[0], table, where)}: the value is {value}, but kind {kind!r} holds {expected}. "
            "Choose kind='continuous' if it is meant."
        )
    return safe.astype(values.dtype if values.dtype.kind in "iu" else np.int64)
