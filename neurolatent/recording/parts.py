"""What a recording is made of, before it is one: the common product of the doors for tables, arrays and files."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from neurolatent.checks import InputError, did_you_mean, place
from neurolatent.recording.knowledge import Knowledge
from neurolatent.recording.signal import Signal


class Parts(NamedTuple):
    """The fields of a :class:`Recording` that a door can know."""

    signals: Mapping[str, Signal]
    lengths: np.ndarray
    start: np.ndarray
    bin_width: float
    clock_unit: str
    sequences: pd.DataFrame
    name: str = ""
    history: tuple[str, ...] = ()
    knowledge: Knowledge = Knowledge()


def refuse_unknown_signals(named: Iterable[str] | None, signals: Iterable[str], name: str, option: str) -> None:
    """Refuse an ``option`` that speaks of a signal which is not there."""
    known = list(signals)
    for key in named or ():
        if key not in known:
            raise InputError(f"{place(name, option)}: there is no signal {key!r}. {did_you_mean(key, known)}")
