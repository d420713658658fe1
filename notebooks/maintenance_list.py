# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Which engine comes off the wing this month?
#
# From a raw table of sensors to a maintenance list: engines that still run, sorted by the chance that they fail within
# a horizon, with intervals that were checked on engines that the method had not seen.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

import neurolatent as nl
from neurolatent.plots.remaining_life import fleet_overview, life_curve
from neurolatent.prognostics.acting import acting
from neurolatent.prognostics.calibration import LEVELS
from neurolatent.prognostics.checks import check_prognosis
from neurolatent.prognostics.measures import comparison, held_out
from neurolatent.recording import knowledge

SEED, HORIZON, DATA = 0, 30.0, Path("../data")
SIGNALS = {
    "settings": ["altitude_kft", "mach"],
    "sensors": [
        "compressor_temperature_degR",
        "exhaust_temperature_degR",
        "compressor_pressure_psia",
        "core_speed_rpm",
        "fuel_flow_pph",
        "vibration_g",
    ],
}

# %% [markdown]
# **Load** engines that ran to failure, and say what the shop floor knows: lives begin healthy and end faulty.

# %%
table = {"sequence": "unit", "clock": "cycle", "clock_unit": "cycle", "signals": SIGNALS}
failed = nl.load(DATA / "sample_fleet.csv", failed=True, **table)
failed = failed.with_knowledge(knowledge.start_end(failed, 5, 5))
failed.n_sequences, failed.n_samples

# %% [markdown]
# **Fit** the states of health, and **prognose**: engines are held out in turn to learn how the read-outs of remaining
# life are joined and how far they err. The weights say which of them are listened to.

# %%
steps = [nl.Regimes(scale=(1.0, 100.0)), nl.HealthIndicator()]
fit = nl.fit(nl.ARPHMM(n_states=3, n_substates=2), failed, prepare=steps, seed=SEED)
prognosis = nl.prognose(fit, failed, nl.RemainingLife(cap=125, folds=4), seed=SEED)
pd.Series(prognosis.weights, name="weight").round(2)

# %% [markdown]
# **Can it be believed?** Look at the coverage rows: 80 % should mean 80 %, overall and in each third of remaining life.
# With 24 engines chance alone moves them by some points, and the check says so.

# %%
measured = held_out(prognosis)
nl.check(fit).joined(check_prognosis(prognosis, measured))

# %% [markdown]
# **Is it better than something simpler?** Every line is measured on the same rows of the same held-out engines; the
# difference is to the fusion, positive where the fusion is better, with a 90 % bootstrap interval over engines.

# %%
columns = ["line", "rmse", "difference", "difference_low", "difference_high", "coverage80", "width80", "crps"]
comparison(measured, seed=SEED)[columns].round(2)

# %% [markdown]
# **The maintenance list.** The engine in the greatest danger first; `note` says what stands against an answer.

# %%
running = nl.load(DATA / "sample_fleet_running.csv", failed=False, **table)
risks = nl.risk_table(prognosis, running, HORIZON)
risks.round(2)

# %% [markdown]
# The same as a picture: whose interval reaches into the shaded horizon?

# %%
life = (risks[name] for name in ("rul_low", "rul_median", "rul_high"))
axes = fleet_overview(risks["unit"].tolist(), *life, horizon=HORIZON, unit="cycles")

# %% [markdown]
# **How did it come to this?** Remaining life as it was told along the way for the engine on top: the bands narrow as
# the end comes near.

# %%
first = risks["unit"].iloc[0]
curve = prognosis.predict(running.take(first), every=3)
axes = life_curve(curve["clock"], curve["quantile"].values, curve["level"], horizon=HORIZON, unit="cycles")
axes.set_title(f"engine {first}", loc="left")
plt.show()

# %% [markdown]
# **When should an engine be taken off?** The more a failure costs, in cycles of life, the lower the quantile to act at.

# %%
costs = {f"{failure:.0f} cycles": acting(measured, failure) for failure in (50, 100, 200)}
pd.DataFrame(
    {"act at": {k: LEVELS[a.best] for k, a in costs.items()}, "cost": {k: a.cost[a.best] for k, a in costs.items()}}
)

# %% [markdown]
# **Save** everything that is needed to answer again, the fit included.

# %%
folder = Path("../runs/maintenance_list")
folder.mkdir(parents=True, exist_ok=True)
path = prognosis.save(folder / "prognosis.nc")
nl.Prognosis.load(path).predict(running)["mean"].values.round(1)
