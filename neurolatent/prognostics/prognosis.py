"""A fit, and what turns it into remaining life: read-outs, their fusion, and intervals calibrated on held-out units."""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from neurolatent.checks import InputError, whole_number
from neurolatent.precision import in_double
from neurolatent.preparation import Learned
from neurolatent.prognostics.calibration import LEVELS
from neurolatent.prognostics.fusion import Answers
from neurolatent.prognostics.lost import lost_at_end, lost_share, speaking
from neurolatent.prognostics.out_of_fold import HeldOut, OutOfFold, ask, learn_all, out_of_fold
from neurolatent.prognostics.row import Row, Told, learn_row, tell
from neurolatent.prognostics.settings import CLASSES as READOUT_CLASSES
from neurolatent.prognostics.settings import RemainingLife
from neurolatent.prognostics.survivors import Survivors, lives_left
from neurolatent.prognostics.view import View, look
from neurolatent.recording import Recording
from neurolatent.result import Fit, storage
from neurolatent.result.settings import CLASSES, decode, encode

FORMAT = "neurolatent prognosis 1"
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
        rows, owner = _points(view, every)
        answers = self.answers(units, view, rows)
        told = self._with_survivors(tell(self.fusion, answers), view, rows)
        return self._labelled(view, rows, owner, answers, told, units, refused)

    def answers(self, recording: Recording, view: View, rows: np.ndarray) -> Answers:
        """What every read-out and baseline says at some rows of a view of the recording."""
        lost = lost_share(recording.take(view.recording.ids), self.channels)
        return ask(self.settings.all, list(self.learned), view, lost, rows)

    def _with_survivors(self, told: Told, view: View, rows: np.ndarray) -> Told:
        """Where no read-out had an answer: the lives that training units of that age had left."""
        none = np.flatnonzero(np.isnan(told.mean))
        for row in none:
            left = lives_left(self._survivors, int(view.rows.position[rows[row]]))
            told.mean[row] = min(left.mean(), self.cap)
            told.quantile[row] = np.quantile(left, LEVELS)
            told.missing[row] = 1.0
        return told

    @functools.cached_property
    def _survivors(self) -> Learned:
        names = [readout.name for readout in self.settings.all]
        if Survivors.name in names:
            return self.learned[names.index(Survivors.name)]
        whole = self.held.whole
        life = [whole.position[whole.unit == u][0] + whole.left[whole.unit == u][0] for u in np.unique(whole.unit)]
        return {"life": np.sort(life), "cap": np.asarray(self.cap)}

    def _labelled(
        self,
        view: View,
        rows: np.ndarray,
        owner: np.ndarray,
        answers: Answers,
        told: Told,
        units: Recording,
        refused: dict[str, str],
    ) -> xr.Dataset:
        width, prepared = view.recording.bin_width, view.recording
        count = len(self.settings.readouts)
        ids = np.asarray(prepared.ids, dtype=str)
        is_last = np.append(owner[1:] != owner[:-1], True)
        names = [readout.name for readout in self.settings.readouts]
        found = xr.Dataset(
            {
                "quantile": (("point", "level"), told.quantile * width),
                "mean": (("point",), told.mean * width),
                "spread": (("point",), told.spread * width),
                "estimate": (("point", "readout"), answers.mean[:, :count] * width),
                "missing": (("point",), told.missing),
                "belief": (("point", "place"), view.belief[rows]),
                "warning": (("point",), np.asarray(self._warnings(view, units, owner, is_last, told), dtype=str)),
                "refused": (("unanswered",), np.asarray(list(refused), dtype=str)),
                "reason": (("unanswered",), np.asarray(list(refused.values()), dtype=str)),
            },
            {"level": LEVELS, "readout": names},
            {"clock_unit": prepared.clock_unit},
        )
        return found.assign_coords(
            sequence=("point", ids[owner]), clock=("point", prepared.clock()[rows]), is_last=("point", is_last)
        )

    def _warnings(self, view: View, units: Recording, owner: np.ndarray, is_last: np.ndarray, told: Told) -> list[str]:
        """What stands against the answer at each unit's last row."""
        ids = view.recording.ids
        lost = lost_at_end(units.take(ids), self.channels)
        known = self._known_units(view)
        out = []
        for number, last, missing in zip(owner, is_last, told.missing, strict=True):
            said = []
            if last and ids[number] in lost:
                said.append(f"{', '.join(lost[ids[number]])} gave nothing lately: the interval is wider")
            if last and number in known:
                said.append("this unit was trained on: its own life is left out of the library")
            if last and missing >= 1.0:
                said.append("too short for every read-out: the lives of training units of this age stand in")
            elif last and missing > 0.0:
                said.append(f"read-outs with {missing:.0%} of the weight have no answer")
            out.append("; ".join(said))
        return out

    def _known_units(self, view: View) -> set[int]:
        """Numbers of the units whose rows are those of a training unit."""
        trained = self.fit.idata["observed_data"]["y"].values.reshape(-1, view.level.shape[1])
        owner = self.fit.idata["observed_data"]["sample_sequence"].values
        begins = np.flatnonzero(np.append(True, owner[1:] != owner[:-1]))
        heads = {trained[b : b + HEAD].tobytes() for b in begins}
        values = view.fit.model.modelled_values(view.recording)
        return {n for n, part in enumerate(view.rows.slices) if values[part][:HEAD].tobytes() in heads}

    # --- on disk -------------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> Path:
        """Write everything, the fit included, to one netCDF file; atomic, nothing is pickled."""
        whole = storage.stored(self.fit)
        tree = {f"fit/{name}": data for name, data in whole.tree.items()}
        for readout, learned in zip(self.settings.all, self.learned, strict=True):
            tree[f"readouts/{readout.name}"] = storage.as_dataset(learned)
        for kind, held in zip(HeldOut._fields, self.held, strict=True):
            tree[f"held_out/{kind}"] = storage.as_dataset(
                {**dict(zip(OutOfFold._fields[:3], held[:3], strict=True)), **held.answers._asdict()}
            )
        own = {"remaining_life": encode(self.settings), "cap": self.cap, "channels": self.channels, "seed": self.seed}
        return storage.write(storage.Stored(tree, {"fit": whole.settings, **own}), Path(path), FORMAT)

    @classmethod
    def load(cls, path: str | Path) -> "Prognosis":
        """The prognosis again: it predicts the same numbers.

        Raises:
            InputError: The file is no saved prognosis.
        """
        tree, own = storage.read(Path(path), FORMAT)
        inside = {name.removeprefix("fit/"): data for name, data in tree.items() if name.startswith("fit/")}
        settings = decode(own["remaining_life"], {**CLASSES, **READOUT_CLASSES})
        learned = tuple(storage.as_arrays(tree[f"readouts/{readout.name}"]) for readout in settings.all)
        held = [storage.as_arrays(tree[f"held_out/{kind}"]) for kind in HeldOut._fields]
        return cls(
            Fit(**storage.restored(storage.Stored(inside, own["fit"]))),
            settings,
            learned,
            HeldOut(
                *(
                    OutOfFold(h["unit"], h["position"], h["left"], Answers(*(h[f] for f in Answers._fields)))
                    for h in held
                )
            ),
            own["cap"],
            own["channels"],
            own["seed"],
        )


HEAD = 10  # first rows by which a unit is known again


def _points(view: View, every: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the curve, each unit's last one included, and the number of each row's unit."""
    rows, owner = [], []
    for number, part in enumerate(view.rows.slices):
        own = [part.stop - 1] if every is None else [*range(part.start, part.stop - 1, every), part.stop - 1]
        rows += own
        owner += [number] * len(own)
    return np.asarray(rows, int), np.asarray(owner, int)


@in_double
def prognose(fit: Fit, recording: Any, settings: RemainingLife | None = None, *, seed: int = 0) -> Prognosis:
    """What turns a fit into remaining life, learned from the units that it was fitted to.

    Units are held out in turn to learn how read-outs are joined and how far they err; then each read-out learns from
    all units.

    Args:
        fit: Fitted to ``recording``.
        recording: The training recording as it was given to :func:`neurolatent.fit`, with its knowledge.
        settings: The choices; None for all read-outs with their defaults.
        seed: Of folds, cuts and read-outs: the same seed on the same machine gives the same result.

    Raises:
        InputError: It is not known which units failed, or too few did.
    """
    whole_number("seed", seed, 0)
    units, settings = Recording.of(recording), settings or RemainingLife()
    cap = np.inf if settings.cap is None else float(settings.cap) / units.bin_width
    view = look(fit, units).view
    cap = float(min(cap, _longest_life(view)))
    held = out_of_fold(fit, units, settings, cap, seed=seed)
    learned = learn_all(settings.all, view, cap, seed=seed)
    return Prognosis(fit, settings, tuple(learned), held, cap, speaking(units), seed)


def _longest_life(view: View) -> float:
    failed = view.recording.failed(True, "a prognosis")
    if not failed.any():
        raise InputError(f"{view.recording.title}: no unit ran to failure, so there is no life to learn from.")
    return float(view.recording.lengths[failed].max() - 1)


def steps_at(told: Told, level: float) -> Float[np.ndarray, " asked"]:
    """One quantile, in steps."""
    return np.array([np.interp(level, LEVELS, row) for row in told.quantile])
