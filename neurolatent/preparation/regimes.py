"""Operating regimes: found from the settings of the training data, and taken out of the sensors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neurolatent.checks import InputError, place
from neurolatent.preparation.channels import continuous, moments, pick, text, with_values, without
from neurolatent.preparation.protocol import Applied, Learned
from neurolatent.recording import Recording, make_signal

MOST = 50  # regimes; more means settings that change smoothly, for which averages by regime are the wrong tool
UNKNOWN = -1


@dataclass(frozen=True)
class Regimes:
    """Normalise sensors by their mean and standard deviation in the row's operating regime; add the signal ``regime``.

    A regime is a cloud of settings. Each row is judged by itself, so nothing looks ahead. Rows whose settings were not
    all observed have no regime, and their sensors become unobserved. A new unit that runs in a regime never seen is
    refused, the others are answered.

    Attributes:
        settings: The signal of operating settings.
        signal: The signal of sensors.
        scale: Factor of each setting that makes distances comparable.
        tolerance: Largest distance of a row from the centre of its regime, in scaled settings.
    """

    settings: str = "settings"
    signal: str = "sensors"
    scale: Sequence[float | int] = (1.0, 100.0, 1.0)  # altitude in kft, Mach, throttle in %: C-MAPSS
    tolerance: float | int = 1.0  # ours: C-MAPSS rows lie within 0.2 of a centre, and centres 7 or more apart

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", tuple(self.scale))
        if not all(s > 0 for s in self.scale):
            raise InputError(f"scale must hold positive numbers, got {self.scale}")
        if not self.tolerance > 0:
            raise InputError(f"tolerance must be positive, got {self.tolerance}")

    def learn(self, recording: Recording) -> Learned:
        """Centres (regimes, settings), in scaled settings, and mean and sd (regimes, channels) of the sensors.

        Raises:
            InputError: Not one scale for each setting; settings that were never observed, that form no clouds, or that
                scatter by more than the tolerance.
        """
        continuous(recording, self.signal, "Regimes")
        sensors, settings = recording.signal(self.signal), recording.signal(self.settings)
        points = self._points(recording, settings.names)
        where = place(recording.name, f"signal {self.settings}")
        known = ~np.isnan(points).any(axis=1)
        if not known.any():
            raise InputError(f"{where}: no row has all its settings, so there are no regimes to find.")
        centres = _centres(points[known], float(self.tolerance), where)
        regime, distance = _nearest(points, centres)
        far = np.flatnonzero(distance > self.tolerance)
        if len(far):
            raise InputError(
                f"{recording.whereabouts(int(far[0]))}: its settings lie {distance[far[0]]:.3g} from the centre of "
                f"their regime, tolerance is {self.tolerance:g}. Raise it, or give another scale."
            )
        groups = [moments(sensors.values[regime == r], sensors.observed[regime == r]) for r in range(len(centres))]
        sd = np.stack([g.sd for g in groups])
        learned = {"settings": text(settings.names), "channels": text(sensors.names), "centres": centres}
        return learned | {"mean": np.stack([g.mean for g in groups]), "sd": np.where(sd == 0, 1.0, sd)}

    def apply(self, recording: Recording, learned: Learned) -> Applied:
        """The recording with normalised sensors and the category ``regime``; units in unseen regimes are refused."""
        sensors = pick(recording, self.signal, learned["channels"])
        points = self._points(recording, [str(n) for n in learned["settings"]])
        regime, distance = _nearest(points, learned["centres"])
        is_known = regime != UNKNOWN
        row = np.where(is_known, regime, 0)
        values = np.where(is_known[:, None], (sensors.values - learned["mean"][row]) / learned["sd"][row], np.nan)
        label = make_signal(row, kind="category", channels=["regime"], observed=is_known, where=recording.name)
        made = recording.with_signal(self.signal, with_values(sensors, values, "sd of the regime"))
        made = made.with_signal("regime", label)
        n_open = int((~is_known).sum())
        opened = f"; {n_open} rows without settings masked" if n_open else ""
        made = made.noting(f"normalised {self.signal} by {len(learned['centres'])} operating regimes{opened}")
        refused = self._unseen(recording, distance, points, learned)
        return Applied(without(made, refused, "Regimes"), refused)

    def restore(self, signal: str, values: np.ndarray, learned: Learned, *, is_spread: bool = False) -> np.ndarray:
        """The values as they are: what one regime sd is in sensor units depends on the regime, which is not given."""
        return values

    def _points(self, recording: Recording, names: list[str]) -> np.ndarray:
        """Scaled settings (rows, settings), NaN where not observed."""
        settings = pick(recording, self.settings, names)
        if len(self.scale) != len(names):
            raise InputError(
                f"{place(recording.name, f'signal {self.settings}')}: it has {len(names)} channels {names}, but scale "
                f"has {len(self.scale)} numbers. Give one factor for each setting: Regimes(scale=...)."
            )
        return np.where(settings.observed, settings.values, np.nan) * np.asarray(self.scale, float)

    def _unseen(
        self, recording: Recording, distance: np.ndarray, points: np.ndarray, learned: Learned
    ) -> dict[str, str]:
        refused, clock = {}, recording.clock()
        for name, part in zip(recording.ids, recording.slices(), strict=True):
            far = np.flatnonzero(distance[part] > self.tolerance)
            if len(far):
                row = part.start + int(far[0])
                values = points[row] / np.asarray(self.scale, float)
                stated = ", ".join(f"{n} = {v:g}" for n, v in zip(learned["settings"], values, strict=True))
                refused[name] = (
                    f"{recording.clock_unit} {clock[row]:g}: the settings {stated} belong to no operating regime of "
                    f"the training data (distance {distance[row]:.3g}, tolerance {self.tolerance:g}, {len(far)} rows). "
                    "Train with units that ran there, or leave these rows out."
                )
        return refused


def _centres(points: np.ndarray, tolerance: float, where: str) -> np.ndarray:
    """Means of the clouds, in lexicographic order: the lowest row left takes all rows within ``tolerance`` of it."""
    left, centres = points[np.lexsort(points.T[::-1])], []
    while len(left):
        if len(centres) == MOST:
            raise InputError(
                f"{where}: more than {MOST} operating regimes at tolerance {tolerance:g}. The settings change "
                "smoothly, or are on another scale: raise tolerance, or give another scale."
            )
        near = np.sqrt(((left - left[0]) ** 2).sum(axis=1)) <= tolerance
        centres.append(left[near].mean(axis=0))
        left = left[~near]
    return np.stack(centres)


def _nearest(points: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number of the nearest centre of each row and the distance; UNKNOWN and NaN where a setting is missing."""
    square = np.zeros((len(points), len(centres)))
    for setting in range(points.shape[1]):  # elementwise, so that no row changes with its neighbours' number
        square += (points[:, setting, None] - centres[:, setting]) ** 2
    distance = np.sqrt(square)
    is_known = ~np.isnan(points).any(axis=1)
    return np.where(is_known, distance.argmin(axis=1), UNKNOWN), distance.min(axis=1)
