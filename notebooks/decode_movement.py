# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Where does the hand go, and how sure can one be?
#
# Spike counts of a small population, decoded bin by bin into the velocity of a hand: beside a Kalman filter, with bands
# that hold what they promise, on a day on which the hand moves otherwise, and as a stream for closed loop. The model is
# the discriminative Kalman filter (Burkhart et al. 2020, Neural Computation 32(5):969-1017). The recording is
# simulated, so that the answer is known.

# %%
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import neurolatent as nl
from neurolatent import plots
from neurolatent.baselines.kalman import kalman
from neurolatent.choices import TwoStage
from neurolatent.models.regressors import MLP, GaussianProcess, RidgeRegression
from neurolatent.ops import decoding

NEURONS, BIN, SEED = 40, 0.1, 0
rng = np.random.default_rng(SEED)
direction, depth, base = rng.uniform(0, 2 * np.pi, NEURONS), rng.uniform(0.5, 1.2, NEURONS), rng.uniform(-1, 1, NEURONS)
tuning = depth * np.stack([np.cos(direction), np.sin(direction)])

# %% [markdown]
# ## The recording
# Every neuron fires most for one direction, and its rate saturates: counts are no linear function of velocity.


# %%
def session(seed, bins, transition):
    rng, noise = np.random.default_rng(seed), np.linalg.cholesky(np.eye(2) - transition @ transition.T)
    velocity = rng.normal(size=(bins, 2))
    for t in range(1, bins):
        velocity[t] = transition @ velocity[t - 1] + noise @ rng.normal(size=2)
    rate = np.exp(base) * 4 / (1 + np.exp(-2 * velocity @ tuning))
    return nl.Recording.of(
        {"spikes": rng.poisson(rate * 0.4).astype(float), "velocity": 10 * velocity},
        channels={"velocity": ["vx", "vy"]},
        units={"velocity": "cm/s"},
        bin_width=BIN,
        name=f"session {seed}",
    )


smooth = np.array([[0.93, 0.0], [0.0, 0.93]])
train, test = session(1, 1500, smooth), session(2, 1000, smooth)
print(train.describe())

# %% [markdown]
# ## Which regression?
# Any regression from counts to velocity can serve as the measurement. `TwoStage` learns it from one part of the rows
# and how far it is off from another; `calibrate=True` sees to it that 95 % means 95 %. The Kalman filter is the model
# with the reverse regression.

# %%
engine = TwoStage(calibrate=True)
models = {
    "Kalman filter": kalman("velocity"),
    "DKF, ridge": nl.DKF("velocity", regressor=RidgeRegression()),
    "DKF, neural network": nl.DKF("velocity", regressor=MLP()),
    "DKF, Gaussian process": nl.DKF("velocity", regressor=GaussianProcess(tuning_points=400)),
}
fits = {name: nl.fit(model, train, engine=engine, seed=SEED) for name, model in models.items()}

# %% [markdown]
# On the test session: nRMSE is 1 for guessing zero, the angle error pi / 2 for guessing any direction.

# %%
truth = test.signal("velocity").values
told = {name: fit.predict(test) for name, fit in fits.items()}
pd.DataFrame(
    {
        name: {
            "nRMSE": decoding.nrmse(truth, t["filtered_mean"].values),
            "nRMSE, unfiltered": decoding.nrmse(truth, t["regressed_mean"].values),
            "nRMSE, smoothed": decoding.nrmse(truth, t["smoothed_mean"].values),
            "angle error (rad)": decoding.angle_error(truth, t["filtered_mean"].values),
            "95 % ellipses hold": decoding.ellipse_coverage(
                truth, t["filtered_mean"].values, t["filtered_cov"].values, 0.95
            ),
        }
        for name, t in told.items()
    }
).T.round(3)

# %% [markdown]
# ## Can it be believed?

# %%
fit = fits["DKF, Gaussian process"]
nl.check(fit)

# %% [markdown]
# Look whether the band follows the truth, also where the hand turns.

# %%
decoded, shown = told["DKF, Gaussian process"], slice(0, 150)
with plots.house_style():
    figure, axes = plt.subplots(2, 1, figsize=(8, 5), sharex=True, layout="constrained")
    for n, ax in enumerate(axes):
        mean, sd = (decoded[f"filtered_{what}"].values[shown, n] for what in ("mean", "sd"))
        plots.decoded_course(
            decoded["clock"].values[shown], mean, sd, truth[shown, n], label=["vx", "vy"][n], unit="cm/s", ax=ax
        )
plt.show()

# %% [markdown]
# ## When training is short
# Of four seconds in which the hand was tracked without a break one cannot tell well how it moves: look at the
# quantiles of the transition. `state_draws` draws it and the innovation from their posterior, and what is decoded is
# the mixture over draws. One state model promises too much on average over such recordings (see the tests); in a
# single one, as here, it may err either way. The coverage is that of the beliefs *before* each bin.

# %%
known = np.arange(train.n_samples) % 2 == 0
known[:40] = True
tracked = train.with_signal("velocity", train.signal("velocity").masked(known[:, None]))
coverage = {}
for draws in (0, 200):
    short = nl.fit(models["DKF, ridge"], tracked, engine=TwoStage(state_draws=draws), seed=SEED)
    t = short.predict(test)
    coverage[draws] = decoding.ellipse_coverage(truth, t["predicted_mean"].values, t["predicted_cov"].values, 0.95)
print(f"95 % ellipses hold {coverage[0]:.1%} with one state model, {coverage[200]:.1%} over draws of it")
posterior = short.idata["posterior"].to_dataset()
posterior["transition"].quantile([0.05, 0.5, 0.95], ("chain", "draw")).round(2).to_series().unstack("quantile")

# %% [markdown]
# ## When the hand moves otherwise
# Another day, another task: the hand now circles. Nobody tracked it, but the counts alone tell how it moves; the
# evidence of the new day rises with every round of EM and never falls.

# %%
circling = np.array([[0.7, 0.6], [-0.6, 0.7]])
day, later = session(3, 1500, circling), session(4, 1000, circling)
retuned = fit.retuned(day.select("spikes"))
errors = [
    decoding.nrmse(later.signal("velocity").values, f.predict(later)["filtered_mean"].values) for f in (fit, retuned)
]
print(f"nRMSE on the new day {errors[0]:.3f}, re-tuned {errors[1]:.3f}")
with plots.house_style():
    climb = retuned.idata["trace"]["objective"].values[0]
    plt.figure(figsize=(6, 3), layout="constrained")
    plt.plot(climb - climb[0], marker=".")
    plt.gca().set(xlabel="round of EM", ylabel="evidence gained (nats)")
plt.show()

# %% [markdown]
# ## Bin by bin
# The same filter as a stream: one bin in, the belief out. It equals the batch, takes the re-tuned parameters while it
# runs, and tells what it skipped: here a channel breaks down.

# %%
stream, rows = fit.stream(), test.signal("spikes").values
begin = time.perf_counter()
means = np.stack([stream.update(row).mean for row in rows])
print(f"{1e6 * (time.perf_counter() - begin) / len(rows):.0f} microseconds a bin")
print("largest difference from the batch:", np.abs(means - decoded["filtered_mean"].values).max())
stream.replace(retuned.params)
broken = rows[0].copy()
broken[3] = np.nan
print("skipped:", stream.update(broken).skipped, "next:", stream.update(rows[0]).skipped)

# %% [markdown]
# ## The report
# One file with all of this, the checks and the settings.

# %%
nl.write_report(fit, test, Path(tempfile.mkdtemp()) / "decoded.html")
