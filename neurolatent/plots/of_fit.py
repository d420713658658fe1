"""One call from a fit to the figure of a unit, for notebooks."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from neurolatent.plots.style import house_style
from neurolatent.plots.unit import Fan, UnitView, unit_figure
from neurolatent.prognostics.alarm import alarm_step
from neurolatent.recording import Recording
from neurolatent.result import Fit


def plot_unit(fit: Fit, recording: Any, unit: str, *, horizon: int = 0, seed: int = 0) -> list[Axes]:
    """The figure of one unit of a recording: its signal with the one-step band, its states, the alarm, the forecast.

    Args:
        fit: A fit of a model with states.
        recording: A Recording, or whatever :meth:`Recording.of` takes.
        unit: Id of the sequence.
        horizon: Samples of forecast; 0 draws none.
        seed: Of the simulated paths of the forecast.
    """
    one = Recording.of(recording).take([unit])
    latents = fit.predict(one)
    prepared = fit.prepared(one).recording
    observed = prepared.signal(fit.model.signal_of(prepared)).values.reshape(prepared.n_samples, -1)
    time, names = latents["clock"].values, [str(f) for f in latents["feature"].values]
    filtered, fans = latents["filtered"].values, {}
    alarm = alarm_step(1 - filtered[:, 0])
    if horizon:
        ahead = fit.forecast(one, horizon, seed=seed)
        levels = tuple(float(v) for v in ahead["level"].values)
        at = time[-1] + ahead["ahead"].values
        fans = {n: Fan(at, ahead["quantile"].values[:, 0, :, i], levels) for i, n in enumerate(names)}
    view = UnitView(
        time,
        one.clock_unit,
        [str(s) for s in latents["state"].values],
        {
            name: (observed[:, i], latents["predicted_mean"].values[:, i], latents["predicted_sd"].values[:, i])
            for i, name in enumerate(names)
        },
        filtered,
        latents["path"].values,
        alarm=np.nan if alarm is None else float(time[alarm]),
        fans=fans,
    )
    with house_style():
        return unit_figure(view)
