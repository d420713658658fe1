"""Covariates of choices: the stimulus on a common scale, the choice before, and whether it was rewarded."""

import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np

from neurolatent.checks import InputError, did_you_mean, one_of, place
from neurolatent.preparation.channels import moments, text
from neurolatent.preparation.protocol import Applied, Learned, PreparationWarning
from neurolatent.recording import Recording, make_signal

COLLINEAR = 1e8  # condition number of the covariates and a bias, each column at length 1
PREVIOUS, WSLS = "previous_choice", "win_stay_lose_switch"


@dataclass(frozen=True)
class ChoiceCovariates:
    """Make the signal ``covariates`` of a choice model: nothing in row t comes from the choice at t or later.

    The stimulus is z-scored over the training data. The previous choice is the last one that was made in the session,
    -1 for class 0 and +1 for class 1 (among more classes one column of 0 and 1 for each class from 1 on); missed trials
    are passed over. Win-stay-lose-switch is the previous choice times its outcome, +1 or -1. There is no column for a
    bias: the model has its own.

    Attributes:
        stimulus: Channel, or channels, of a continuous signal; None makes no such column.
        scale: (mean, standard deviation) to scale the stimulus by; None learns them, (0, 1) leaves it as it is.
        previous_choice: Whether there is a column for the choice before.
        win_stay_lose_switch: Channel of outcomes (1 rewarded; 0 or -1 not); None makes no such column.
        first: What the columns of the choice before hold on the first trial of a session: ``zero``, or ``own``: the
            choice and outcome of that trial itself. ``own`` **leaks the choice that is to be predicted**; it is there
            to repeat Ashwood et al. (2022, Nature Neuroscience 25:201-212), whose tables were made so.
        choice: Signal of choices, binary or category.
        signal: Name of the signal that is made.
    """

    stimulus: str | tuple[str, ...] | None = None
    scale: tuple[float, float] | None = None
    previous_choice: bool = True
    win_stay_lose_switch: str | None = None
    first: Literal["zero", "own"] = "zero"
    choice: str = "choice"
    signal: str = "covariates"

    def __post_init__(self) -> None:
        one_of("first", self.first, ("zero", "own"))
        if not (self.stimuli or self.previous_choice or self.win_stay_lose_switch):
            raise InputError("ChoiceCovariates makes no column: name a stimulus, or leave previous_choice on")
        if self.scale is not None and (len(self.scale) != 2 or not self.scale[1] > 0 or len(self.stimuli) != 1):
            raise InputError(f"scale is (mean, standard deviation above 0) of one stimulus, got {self.scale}")

    @property
    def stimuli(self) -> tuple[str, ...]:
        """Channels of stimuli."""
        return (self.stimulus,) if isinstance(self.stimulus, str) else tuple(self.stimulus or ())

    def learn(self, recording: Recording) -> Learned:
        """Names of the columns with their mean and standard deviation, and the number of classes.

        Raises:
            InputError: Signals or channels that are not there, a covariate that is constant.
        """
        target = recording.signal(self.choice)
        n_classes = 2 if target.kind == "binary" else int(target.values.max(initial=1)) + 1
        names, raw = self._columns(recording, n_classes)
        mean, sd = np.zeros(len(names)), np.ones(len(names))
        of = slice(len(self.stimuli))
        mean[of], sd[of] = moments(raw[:, of], ~np.isnan(raw[:, of])) if self.scale is None else self.scale
        rows = raw[target.observed[:, 0] & ~np.isnan(raw).any(axis=1)]
        _refuse_constant(rows, names, place(recording.name, f"signal {self.signal}"))
        _warn_of_collinear(rows, names, place(recording.name, f"signal {self.signal}"))
        return {"names": text(names), "mean": mean, "sd": sd, "n_classes": np.array(n_classes)}

    def apply(self, recording: Recording, learned: Learned) -> Applied:
        """The recording with the covariates; no sequence is refused, what is not observed masks the covariate."""
        names, raw = self._columns(recording, int(learned["n_classes"]))
        values = (raw - learned["mean"]) / learned["sd"]
        where = place(recording.name, f"signal {self.signal}")
        made = recording.with_signal(self.signal, make_signal(values, channels=names, where=where))
        leak = "; the first trial of a session holds its own choice, which leaks it" if self.first == "own" else ""
        return Applied(made.noting(f"made {self.signal}: {', '.join(names)}{leak}"), {})

    def restore(self, signal: str, values: np.ndarray, learned: Learned, *, is_spread: bool = False) -> np.ndarray:
        """Covariates in the units of the stimulus; other signals as they are."""
        if signal != self.signal:
            return values
        scaled = values * learned["sd"]
        return scaled if is_spread else scaled + learned["mean"]

    def _columns(self, recording: Recording, n_classes: int) -> tuple[list[str], np.ndarray]:
        """Names, and values (samples, covariates) before any scaling."""
        columns = {name: _channel(recording, name, self.choice, self.signal) for name in self.stimuli}
        if self.previous_choice or self.win_stay_lose_switch:
            columns |= self._of_the_past(recording, n_classes)
        return list(columns), np.column_stack(list(columns.values()))

    def _of_the_past(self, recording: Recording, n_classes: int) -> dict[str, np.ndarray]:
        target = recording.signal(self.choice)
        if target.kind not in ("binary", "category") or target.n_channels != 1:
            raise InputError(
                f"{place(recording.name, f'signal {self.choice}')}: choices are one channel, binary or category, "
                f"these are {target.n_channels} of kind {target.kind!r}"
            )
        seen, chosen = target.observed[:, 0], target.values[:, 0]
        if chosen.max(initial=0) >= n_classes:
            where = recording.whereabouts(int(np.argmax(chosen)))
            raise InputError(
                f"{where}: the choice {chosen.max()} is none of the {n_classes} classes of the training data"
            )
        before = _last_valid(seen, recording.slices(), own_first=self.first == "own")
        codes = np.array([[-1.0], [1.0]]) if n_classes == 2 else np.eye(n_classes)[:, 1:]
        past = np.where(before[:, None] >= 0, codes[chosen[before]], 0.0)
        ends = [""] if n_classes == 2 else [f"_{k}" for k in range(1, n_classes)]
        out = {PREVIOUS + end: past[:, k] for k, end in enumerate(ends)} if self.previous_choice else {}
        if self.win_stay_lose_switch is not None:
            won = self._outcome(recording, before)
            out |= {WSLS + end: past[:, k] * won for k, end in enumerate(ends)}
        return out

    def _outcome(self, recording: Recording, before: np.ndarray) -> np.ndarray:
        """(samples,) +1 where the choice before was rewarded, -1 where not, 0 where there is none."""
        name = str(self.win_stay_lose_switch)
        raw = _channel(recording, name, self.choice, self.signal)
        asked = np.unique(before[before >= 0])
        wrong = asked[~np.isin(raw[asked], (-1, 0, 1))]
        if len(wrong):
            where = place(recording.whereabouts(int(wrong[0])), f"channel {name}")
            raise InputError(f"{where}: the outcome is {raw[wrong[0]]:g}; 1 (rewarded), 0 or -1 (not) is expected")
        return np.where(before >= 0, np.where(raw[before] == 1, 1.0, -1.0), 0.0)


def _last_valid(seen: np.ndarray, slices: list[slice], *, own_first: bool) -> np.ndarray:
    """(samples,) sample of the last choice before each, within its session; -1 where there is none."""
    before = np.full(len(seen), -1)
    for part in slices:
        number = np.arange(part.start, part.stop)
        last = np.maximum.accumulate(np.where(seen[part], number, -1))
        before[part] = np.append(number[0] if own_first and seen[number[0]] else -1, last[:-1])
    return before


def _channel(recording: Recording, channel: str, *but: str) -> np.ndarray:
    """(samples,) the values of a channel, NaN where not observed, whichever other signal it stands in."""
    homes = [(key, s) for key, s in recording.signals.items() if key not in but and s.values.ndim == 2]
    found = [(key, s) for key, s in homes if channel in s.names]
    if not found:
        known = [name for _, s in homes for name in s.names]
        raise InputError(f"{place(recording.name)}: no channel {channel!r}. {did_you_mean(channel, known)}")
    if len(found) > 1:
        raise InputError(f"{place(recording.name)}: the channel {channel!r} is in the signals {[k for k, _ in found]}")
    signal = found[0][1]
    column = signal.names.index(channel)
    return np.where(signal.observed[:, column], signal.values[:, column], np.nan).astype(float)


def _refuse_constant(rows: np.ndarray, names: list[str], where: str) -> None:
    for column, name in enumerate(names):
        if len(rows) == 0 or np.ptp(rows[:, column]) == 0:
            what = f"is {rows[0, column]:g} everywhere" if len(rows) else "is never observed with a choice"
            raise InputError(f"{where}: the covariate {name!r} {what} in the training data. Leave it out.")


def _warn_of_collinear(rows: np.ndarray, names: list[str], where: str) -> None:
    """Warn where some covariates, or some of them and a bias, say the same."""
    design = np.column_stack([np.ones(len(rows)), rows])
    _, size, directions = np.linalg.svd(design / np.linalg.norm(design, axis=0), full_matrices=False)
    if len(size) > len(names) and size[0] <= COLLINEAR * size[-1]:
        return
    involved = [name for name, part in zip(["bias", *names], directions[-1], strict=True) if abs(part) > 0.1]
    message = f"{where}: {', '.join(involved)} are collinear in the training data. Leave one of them out."
    warnings.warn(message, PreparationWarning, stacklevel=3)
