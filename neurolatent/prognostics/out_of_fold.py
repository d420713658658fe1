"""Training units held out in turn and asked at random rows: what read-outs say of units that they have never seen."""

import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from neurolatent.checks import InputError
from neurolatent.choices import EM
from neurolatent.fitting import fit as fit_model
from neurolatent.precision import double
from neurolatent.preparation import Learned, PreparationWarning
from neurolatent.prognostics.fusion import Answers
from neurolatent.prognostics.lost import lost_share, speaking, with_dying_sensor
from neurolatent.prognostics.readout import ReadOut, lives_of, longest_life
from neurolatent.prognostics.settings import RemainingLife
from neurolatent.prognostics.view import View, look
from neurolatent.recording import Recording
from neurolatent.result import Fit


class OutOfFold(NamedTuple):
    """Answers on held-out units."""

    unit: Int[np.ndarray, " rows"]  # number of the unit in the training recording
    position: Int[np.ndarray, " rows"]  # rows before this one in its unit
    left: Float[np.ndarray, " rows"]  # true remaining life, steps
    answers: Answers  # columns: the read-outs, then the baselines

    @property
    def weight(self) -> Float[np.ndarray, " rows"]:
        """Of each row: all units weigh the same."""
        return 1.0 / np.bincount(self.unit)[self.unit]

    def take(self, rows: np.ndarray, columns: list[int] | None = None) -> "OutOfFold":
        """Some rows, and some read-outs."""
        pick = slice(None) if columns is None else columns
        mean, sd, lost = self.answers
        answers = Answers(mean[rows][:, pick], sd[rows][:, pick], lost[rows])
        return OutOfFold(self.unit[rows], self.position[rows], self.left[rows], answers)


class HeldOut(NamedTuple):
    """Answers on held-out units as they are, and on copies in which a sensor dies."""

    whole: OutOfFold
    damaged: OutOfFold


LEAST_TRAINED = 2  # units that failed, without which no fold learns: one life has no spread
DAMAGED = 3  # copies are asked at a third of the rows


AT_ONCE = 2  # read-outs that learn side by side: two grow trees, which takes longer than all else

Shared = dict[Any, Learned]  # what read-outs that look at no state have learned, by all that they look at


def learn_all(
    readouts: tuple[ReadOut, ...], view: View, cap: float, *, seed: int, shared: Shared | None = None
) -> list[Learned]:
    """What each read-out learns of the units of a view; ``shared`` is read, and filled.

    Other knowledge of the same units changes what the states are, and nothing for read-outs that do not look at them.
    """
    lives, shared = lives_of(view, cap), {} if shared is None else shared
    looked_at = view.recording.fingerprint(), view.fit.facts["signal"], lives.failed.tobytes(), cap, seed
    keys = [None if readout.uses_states else (repr(readout), *looked_at) for readout in readouts]

    def learn(readout: ReadOut, known: Learned | None) -> Learned:
        with double():  # the precision is that of a thread
            return readout.learn(view, lives, seed=seed) if known is None else known

    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(learn, readouts, [shared.get(key) for key in keys]))
    shared.update({key: learned for key, learned in zip(keys, found, strict=True) if key is not None})
    return found


def ask(
    readouts: tuple[ReadOut, ...],
    learned: list[Learned],
    view: View,
    lost: Float[np.ndarray, " rows"],
    asked: Int[np.ndarray, " asked"],
) -> Answers:
    """What each read-out says at some rows; ``lost`` is the share of silent sensors at every row of the view."""
    found = [readout.estimate(view, known, asked) for readout, known in zip(readouts, learned, strict=True)]
    return Answers(np.stack([f.mean for f in found], axis=1), np.stack([f.sd for f in found], axis=1), lost[asked])


def out_of_fold(
    fit: Fit, recording: Recording, settings: RemainingLife, cap: float, *, seed: int, shared: Shared | None = None
) -> HeldOut:
    """Answers at random rows of every unit that failed, by fits that have not seen the unit.

    Each fold learns preparation, model and read-outs anew. A fit with draws is replaced by one of EM here: point
    estimates are enough for the weights of read-outs. A copy of each unit in which a sensor dies on the way is asked
    too, so that it is known how much that costs.

    Raises:
        InputError: Fewer than two units that failed for each fold.
    """
    folds = [
        _fold(fit, train, held, settings, cap, seed=seed + number, shared=shared)
        for number, (train, held) in enumerate(_splits(recording, settings, seed))
    ]
    numbers = {name: number for number, name in enumerate(recording.ids)}
    return HeldOut(*(_together([fold[kind] for fold in folds], numbers) for kind in (0, 1)))


def _together(parts: list["Asked"], numbers: dict[str, int]) -> OutOfFold:
    unit = np.array([numbers[name] for part in parts for name in part.unit], int)
    answers = Answers(*(np.concatenate(leaves) for leaves in zip(*(part.answers for part in parts), strict=True)))
    position, left = (np.concatenate([getattr(part, name) for part in parts]) for name in ("position", "left"))
    return OutOfFold(unit, position, left, answers)


def _splits(recording: Recording, settings: RemainingLife, seed: int) -> Iterator[tuple[Recording, Recording]]:
    """Training and held-out units; units that did not fail are always trained on, and never asked."""
    failed, ids = recording.failed(True, "a prognosis"), np.asarray(recording.ids)
    count = int(failed.sum())
    if count < settings.folds or count - -(-count // settings.folds) < LEAST_TRAINED:
        raise InputError(
            f"{recording.title}: {settings.folds} folds need {settings.folds} units that ran to failure, and "
            f"{LEAST_TRAINED} of them left to learn from in each; there are {count}. Lower folds, or bring more units."
        )
    for _, held in recording.take(ids[failed]).folds(settings.folds, seed=seed):
        yield recording.take(ids[~np.isin(ids, held.ids)]), held


class Asked(NamedTuple):
    """Answers of one fold."""

    unit: list[str]
    position: np.ndarray
    left: np.ndarray
    answers: Answers


def _fold(
    fit: Fit,
    train: Recording,
    held: Recording,
    settings: RemainingLife,
    cap: float,
    *,
    seed: int,
    shared: Shared | None,
) -> tuple[Asked, Asked]:
    """Answers on held-out units as they are, and on copies with a dying sensor."""
    engine = EM() if fit.draws is not None else fit.engine
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PreparationWarning)  # the fit to all units has told it
        fitted = fit_model(fit.model, train, fit.prepare, engine, seed)
    seen = look(fitted, train).view
    cap = min(cap, longest_life(seen))  # the longest life may be that of a unit held out
    known = learn_all(settings.all, seen, cap, seed=seed, shared=shared)
    generator, channels = np.random.default_rng(seed), speaking(train)
    damaged = with_dying_sensor(held, channels, generator)

    def asked(units: Recording, cuts: int) -> Asked:
        view = look(fitted, units).view
        seen = units.take(view.recording.ids)
        rows, owner = random_rows(view, settings, cuts, generator)
        answers = ask(settings.all, known, view, lost_share(seen, channels), rows)
        left = lives_of(view, cap).left[rows]
        return Asked([seen.ids[n] for n in owner], view.rows.position[rows], left, answers)

    return asked(held, settings.cuts), asked(damaged, max(settings.cuts // DAMAGED, 1))


def random_rows(
    view: View, settings: RemainingLife, cuts: int, generator: np.random.Generator
) -> tuple[Int[np.ndarray, " asked"], Int[np.ndarray, " asked"]]:
    """Rows at which units are asked, and the number of each row's unit; remaining lives are uniform in the range."""
    width = view.recording.bin_width
    low, high = (0.0, np.inf) if settings.life_left is None else (x / width for x in settings.life_left)
    rows, owner = [], []
    for number, part in enumerate(view.rows.slices):
        left = np.arange(part.stop - part.start)[::-1]
        fits = np.flatnonzero((left >= low) & (left <= high) & (left[::-1] + 1 >= settings.least_seen))
        chosen = generator.choice(fits, min(cuts, len(fits)), replace=False) if len(fits) else fits
        rows.append(part.start + np.sort(chosen))
        owner.append(np.full(len(chosen), number))
    return np.concatenate(rows), np.concatenate(owner)
