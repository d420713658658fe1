"""A fit, and what turns it into remaining life: read-outs, their fusion, and intervals calibrated on held-out units."""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from neurolatent.checks import whole_number
from neurolatent.precision import in_double
from neurolatent.preparation import Learned
from neurolatent.prognostics import stored
from neurolatent.prognostics.answer import (
    known_units,
    labelled,
    points_of,
    warnings_of,
    with_survivors,
)
from neurolatent.prognostics.fusion import Answers
from neurolatent.prognostics.lost import lost_at_end, lost_share, speaking
from neurolatent.prognostics.out_of_fold import HeldOut, Shared, ask, learn_all, out_of_fold
from neurolatent.prognostics.readout import longest_life
from neurolatent.prognostics.row import Row, learn_row, tell
from neurolatent.prognostics.settings import RemainingLife
from neurolatent.prognostics.survivors import Survivors
from neurolatent.prognostics.view import View, look
from neurolatent.recording import Recording
from neurolatent.result import Fit, storage
from neurolatent.result.labels import refusals

FUSION, WITHOUT_STATES = "fusion", "without_states"


@dataclass(frozen=True, eq=False)
class Prognosis:
    """Remaining life of units that still run, with a distribution.

    Attributes:
        fit: The model behind it, fitted to all training units.
        settings: The choices.
        learned: What each read-out and baseline learned of all training units, in the order of ``settings.all``.
        held: Their answers on training units that were held out: weights and intervals come from these.
        cap: Life above which estimates do not tell units apart, in steps.
        channels: Channels that spoke in training, by signal.
        seed: Of folds, cuts and read-outs.
    """

    fit: Fit
    settings: RemainingLife
    learned: tuple[Learned, ...]
    held: HeldOut
    cap: float
    channels: dict[str, list[str]]
    seed: int

    # --- the lines of the comparison -----------------------------------------------------------------------------

    @property
    def columns(self) -> dict[str, list[int]]:
        """Every line of the comparison, with its read-outs: the fusion, the fusion without states, each one alone."""
        every, joined = self.settings.all, range(len(self.settings.readouts))
        without = [n for n in joined if not every[n].uses_states]
        lines = {FUSION: list(joined), WITHOUT_STATES: without} if without else {FUSION: list(joined)}
        return lines | {readout.name: [n] for n, readout in enumerate(every)}

    @functools.cached_property
    def rows(self) -> dict[str, Row]:
        """What every line learned from the held-out units."""
        share = float(self.settings.neighbours)
        return {name: learn_row(self.held, columns, self.cap, share) for name, columns in self.columns.items()}

    @functools.cached_property
    def fusion(self) -> Row:
        """The joined read-outs."""
        return learn_row(self.held, self.columns[FUSION], self.cap, float(self.settings.neighbours))

    @property
    def weights(self) -> dict[str, float]:
        """Weight of each joined read-out."""
        names = [readout.name for readout in self.settings.readouts]
        return dict(zip(names, map(float, self.fusion.fusion.weight), strict=True))

    # --- on new units --------------------------------------------------------------------------------------------

    @in_double
    def predict(self, recording: Any, *, every: int | None = None) -> xr.Dataset:
        """Remaining life of each unit at its last row, and along its past at every ``every``-th row.

        Args:
            recording: Units, failed or running; a Recording, or whatever :meth:`Recording.of` takes.
            every: Rows between two points of the curve, counted from each unit's first row; None for the last row only.

        Returns:
            A dataset over ``point``: ``sequence``, ``clock`` (clock units), ``is_last``; ``mean`` and ``quantile``
            (point, level) of the remaining life in clock units, ``estimate`` (point, readout), ``spread`` before
            calibration. What is known at a point depends on the rows up to it alone. ``warning`` per point says what
            stands against it; units that cannot be answered stand under ``refused`` with their ``reason``.

        Raises:
            InputError: No unit can be answered; the message says why.
        """
        if every is not None:
            whole_number("every", every, 1)
        units = Recording.of(recording)
        view, refused = look(self.fit, units)
        points = points_of(view, every)
        answers = self.answers(units, view, points.rows)
        told = with_survivors(tell(self.fusion, answers), self._survivors, view, points.rows)
        lost = lost_at_end(units.take(view.recording.ids), self.channels)
        names = [readout.name for readout in self.settings.readouts]
        return labelled(view, points, answers, told, names).assign(
            warning=("point", warnings_of(view, points, told, lost, known_units(self.fit, view))), **refusals(refused)
        )

    def answers(self, recording: Recording, view: View, rows: np.ndarray) -> Answers:
        """What every read-out and baseline says at some rows of a view of the recording."""
        lost = lost_share(recording.take(view.recording.ids), self.channels)
        return ask(self.settings.all, list(self.learned), view, lost, rows)

    @functools.cached_property
    def _survivors(self) -> Learned:
        names = [readout.name for readout in self.settings.all]
        if Survivors.name in names:
            return self.learned[names.index(Survivors.name)]
        whole = self.held.whole
        life = [whole.position[whole.unit == u][0] + whole.left[whole.unit == u][0] for u in np.unique(whole.unit)]
        return {"life": np.sort(life), "cap": np.asarray(self.cap)}

    # --- on disk -------------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> Path:
        """Write everything, the fit included, to one netCDF file; atomic, nothing is pickled."""
        return storage.write(stored.stored(self), Path(path), stored.FORMAT)

    @classmethod
    def load(cls, path: str | Path) -> "Prognosis":
        """The prognosis again: it predicts the same numbers.

        Raises:
            InputError: The file is no saved prognosis.
        """
        return cls(**stored.restored(storage.read(Path(path), stored.FORMAT)))


@in_double
def prognose(
    fit: Fit,
    recording: Any,
    settings: RemainingLife | None = None,
    *,
    seed: int = 0,
    shared: Shared | None = None,
) -> Prognosis:
    """What turns a fit into remaining life, learned from the units that it was fitted to.

    Units are held out in turn to learn how read-outs are joined and how far they err; then each read-out learns from
    all units.

    Args:
        fit: Fitted to ``recording``.
        recording: The training recording as it was given to :func:`neurolatent.fit`, with its knowledge.
        settings: The choices; None for all read-outs with their defaults.
        seed: Of folds, cuts and read-outs: the same seed on the same machine gives the same result.
        shared: An empty dictionary that is given to several prognoses of the same units: what read-outs that look at no
            state learn is then learned once. It changes no answer.

    Raises:
        InputError: It is not known which units failed, or too few did.
    """
    whole_number("seed", seed, 0)
    units, settings = Recording.of(recording), settings or RemainingLife()
    cap = np.inf if settings.cap is None else float(settings.cap) / units.bin_width
    view = look(fit, units).view
    cap = float(min(cap, longest_life(view)))
    held = out_of_fold(fit, units, settings, cap, seed=seed, shared=shared)
    learned = learn_all(settings.all, view, cap, seed=seed, shared=shared)
    return Prognosis(fit, settings, tuple(learned), held, cap, speaking(units), seed)
