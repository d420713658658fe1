"""One number per row, near 1 when healthy and near 0 at failure, learned from units that ran to failure."""

from dataclasses import dataclass

import numpy as np

from neurolatent.checks import InputError, at_least, place, whole_number
from neurolatent.preparation.causal import (
    Rows,
    carried,
    exponential_mean,
    first_mean,
    rows_of,
    trailing_mean,
)
from neurolatent.preparation.channels import moments, pick, silent, text, without
from neurolatent.preparation.protocol import Applied, Learned
from neurolatent.recording import Recording, make_signal


@dataclass(frozen=True)
class HealthIndicator:
    """Add the signal ``indicator``: one ridge regression of a health target on causal features of all sensors.

    The pooled variant: sensors are standardised; the features of each are (a) its trailing mean, (b) its exponential
    mean, (c) the difference of (a) from the unit's own first values, which removes initial wear, and (d) the value
    itself; the prediction is smoothed by a trailing mean. Nothing looks ahead. Several operating regimes: put Regimes()
    before.

    A missing entry is replaced by the sensor's trailing mean so far (a sensor that died keeps its last one); a sensor
    never observed in a unit contributes nothing; a row of which nothing was observed has no indicator.

    Attributes:
        signal: The sensors; silent channels are left out.
        window: Rows of the trailing mean (a).
        span: Span of the exponential mean (b), in rows.
        n_first: First observed values of a unit whose mean is its own zero in (c).
        smoothing: Rows of the trailing mean over the prediction.
        ridge: Penalty per row on the squared coefficients of standardised features.

    Reference: E. Ramasso (2014), RULCLIPPER, IJPHM 5:005, eq. 11-12, for the target; the pooled regression is ours.
    """

    signal: str = "sensors"
    window: int = 15  # the moving average of the published recipe, made trailing
    span: int = 40  # ours
    n_first: int = 15  # ours
    smoothing: int = 5  # ours: the shortest that is recommended, it delays least
    ridge: float | int = 1e-3  # ours

    def __post_init__(self) -> None:
        for name in ("window", "span", "n_first", "smoothing"):
            whole_number(name, getattr(self, name), 1)
        at_least("ridge", float(self.ridge), 0.0)

    def learn(self, recording: Recording) -> Learned:
        """Scales and coefficients, from the rows of all units that ran to failure.

        Raises:
            InputError: It is not known which units failed, none did, one has a single row, or all sensors are silent.
        """
        units = _failed_units(recording)
        signal = units.signal(self.signal)
        speaks = ~silent(signal)
        if not speaks.any():
            raise InputError(f"{place(recording.name, f'signal {self.signal}')}: all channels are constant or empty.")
        channels = text(signal.names)[speaks]
        mean, sd = moments(signal.values[:, speaks], signal.observed[:, speaks])
        learned: Learned = {"channels": channels, "mean": mean, "sd": sd}
        features, seen = self._features(units, learned)
        aim = np.concatenate([target(int(n), len(channels)) for n in units.lengths])
        return learned | _ridge(features[:, seen], aim[seen], float(self.ridge))

    def apply(self, recording: Recording, learned: Learned) -> Applied:
        """The recording with the signal ``indicator``; a unit of which no sensor was ever observed is refused."""
        features, seen = self._features(recording, learned)
        raw = np.full(len(seen), float(learned["intercept"]))
        for feature, center, weight in zip(features, learned["center"], learned["weight"], strict=True):
            for channel in range(len(weight)):  # elementwise, so that no row changes with its neighbours' number
                shift = feature[:, channel] - center[channel]
                raw += np.where(np.isnan(shift), 0.0, shift) * weight[channel]
        raw, rows = np.where(seen, raw, np.nan)[:, None], rows_of(recording.lengths)
        smooth = np.where(seen[:, None], trailing_mean(raw, rows, self.smoothing), np.nan)
        refused = {
            name: f"none of the sensors of {self.signal!r} was ever observed, so there is no indicator."
            for name, part in zip(recording.ids, rows.slices, strict=True)
            if not seen[part].any()
        }
        made = recording.with_signal("indicator", make_signal(smooth, channels=["indicator"], where=recording.name))
        made = made.noting(f"health indicator from {len(learned['channels'])} channels of {self.signal}")
        return Applied(without(made, refused, "HealthIndicator"), refused)

    def restore(self, signal: str, values: np.ndarray, learned: Learned, *, is_spread: bool = False) -> np.ndarray:
        """The values as they are: the indicator is in its own units, the other signals were not touched."""
        return values

    def _features(self, recording: Recording, learned: Learned) -> tuple[np.ndarray, np.ndarray]:
        """Features (4, rows, channels), NaN before a sensor's first value, and the rows of which something was seen."""
        signal = pick(recording, self.signal, learned["channels"])
        values = (np.where(signal.observed, signal.values, np.nan) - learned["mean"]) / learned["sd"]
        features = causal_features(values, rows_of(recording.lengths), self)
        return features, np.logical_or.reduce(signal.observed, axis=1)


def causal_features(values: np.ndarray, rows: Rows, settings: HealthIndicator) -> np.ndarray:
    """Trailing mean, exponential mean, change since the unit's own start, raw value: (4, rows, channels)."""
    trailing = carried(trailing_mean(values, rows, settings.window), rows)
    return np.stack(
        [
            trailing,
            exponential_mean(values, rows, settings.span),
            trailing - first_mean(values, rows, settings.n_first),
            np.where(np.isnan(values), trailing, values),
        ]
    )


def target(n_rows: int, n_channels: int) -> np.ndarray:
    r"""Health of a unit that failed at its last row, (n_rows,) from 1 to 0.

    .. math::
        h(u) = 1 - e^{-u/f}, \quad u = \tau/(T-1), \quad f = -\frac{0.95\,T}{(T-1)\log 0.05}

    with :math:`\tau` rows to go; then the first C values are 1 and the last C are 0,
    :math:`C = round(\min(1.2\,channels, 0.05\,T))`.

    Reference: Ramasso (2014), IJPHM 5:005, eq. 11-12.
    """
    left = np.arange(n_rows - 1, -1, -1) / (n_rows - 1)
    scale = -0.95 * n_rows / ((n_rows - 1) * np.log(0.05))
    health = 1 - np.exp(-left / scale)
    flat = int(np.floor(min(1.2 * n_channels, 0.05 * n_rows) + 0.5))
    health[:flat], health[n_rows - flat :] = 1.0, 0.0
    return health


def _failed_units(recording: Recording) -> Recording:
    failed = recording.failed(True, "HealthIndicator")
    if not failed.any():
        raise InputError(
            f"{place(recording.name)}: no unit ran to failure, so health has no end to learn from. "
            "Train on run-to-failure units, or use PrincipalComponents()."
        )
    short = np.flatnonzero(failed & (recording.lengths < 2))
    if len(short):
        raise InputError(
            f"{place(recording.name, f'sequence {recording.ids[short[0]]}')}: it failed with its only row, "
            "so its life has no course. Drop it."
        )
    ids = np.asarray(recording.ids)
    return recording if failed.all() else recording.take(ids[failed])


def _ridge(features: np.ndarray, aim: np.ndarray, ridge: float) -> Learned:
    """Center, weight (4, channels) and intercept that minimise mean square plus ``ridge`` times squared weights.

    The weights are penalised on features of standard deviation 1. Entries that are NaN count as the mean.
    """
    flat = np.moveaxis(features, 0, 1).reshape(features.shape[1], -1)
    center, sd = moments(flat, ~np.isnan(flat))
    sd = np.where(sd > 0, sd, 1.0)
    shift = (flat - center) / sd
    shift = np.where(np.isnan(shift), 0.0, shift)
    mean = aim.mean()
    gram = shift.T @ shift / len(aim) + ridge * np.eye(shift.shape[1])
    weight = np.linalg.lstsq(gram, shift.T @ (aim - mean) / len(aim), rcond=None)[0] / sd
    shape = (len(features), -1)
    return {"center": center.reshape(shape), "weight": weight.reshape(shape), "intercept": np.asarray(mean)}
