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
# # Which engine is in which state, and for how long will it run?
#
# A table of sensors from engines that ran to failure, a few notes from inspections, and eight engines that are still
# running. In fifteen cells: load, say what is known, fit, check, look, predict, save.

# %%
from pathlib import Path

import pandas as pd

import neurolatent as nl
from neurolatent.plots import plot_unit
from neurolatent.prognostics import fleet_table
from neurolatent.recording import knowledge

SEED, DATA = 0, Path("../data")
SENSORS = {
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
# **Load.** Look at the last lines: a missing cycle was masked and is listed, nothing was filled in.

# %%
table = {"sequence": "unit", "clock": "cycle", "clock_unit": "cycle", "signals": SENSORS}
failed = nl.load(DATA / "sample_fleet.csv", failed=True, **table)
print(failed.describe())

# %% [markdown]
# **Say what is known.** Lives start healthy and end faulty; for some units inspections say more. A confidence below one
# leaves the other states possible.

# %%
notes = pd.read_csv(DATA / "sample_fleet_knowledge.csv")
levels = ["healthy", "degrading", "faulty"]
known = knowledge.start_end(failed, 5, 5) & knowledge.intervals(failed, notes, levels)
failed = failed.with_knowledge(known)

# %% [markdown]
# **Fit.** Two steps learn from these engines only, and are replayed on every other one: sensors are compared within
# their operating regime, then combined into one indicator that falls from 1 to 0.

# %%
steps = [nl.Regimes(scale=(1.0, 100.0)), nl.HealthIndicator()]
fit = nl.fit(nl.ARPHMM(n_states=3, n_substates=2), failed, prepare=steps, seed=SEED)
fit

# %% [markdown]
# **Check.** One verdict a row. A warning is no failure: read its advice.

# %%
nl.check(fit)

# %% [markdown]
# **Look** at what was learned: how long a unit stays in each state, and how fast the indicator falls there.

# %%
point = fit.idata["point_estimate"]
pd.DataFrame(
    {
        "mean stay (cycles)": fit.model.n_substates / point["advance"].values,
        "drift of the indicator per cycle at 0.5": (point["coefficients"].values[:, 0] @ [0.5, 1.0]) - 0.5,
        "noise (sd)": point["covariance"].values[:, 0, 0] ** 0.5,
    },
    index=pd.Index(point["state"].values, name="state"),
).round(4)

# %% [markdown]
# **Predict** the engines that still run: the state now, since when, how sure, and about how long it will still run.
# Remaining life is read from the chain of states alone here, the weakest of read-outs: take its width seriously.

# %%
running = nl.load(DATA / "sample_fleet_running.csv", failed=False, **table)
fleet_table(fit, running).round(2)

# %% [markdown]
# **Look at the engine that worries most.** The band is what the model expected one step ahead; the ribbon is the
# probability of each state given the past.

# %%
axes = plot_unit(fit, running, "101", horizon=30)

# %% [markdown]
# **Save**, with everything that is needed to predict again; and write the report for those who do not use notebooks.

# %%
folder = Path("../runs/first_fit")
folder.mkdir(parents=True, exist_ok=True)
fit.save(folder / "fit.nc")
nl.write_report(nl.Fit.load(folder / "fit.nc"), running, folder / "report.html")
