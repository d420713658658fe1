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
# # Which strategies does an animal switch between?
#
# From a table with one row per trial to hidden strategies: how many there are, when each holds, and what it goes by.
# The model is a hidden Markov model with a logistic regression in every state (Ashwood et al. 2022, Nature Neuroscience
# 25:201-212). The table is simulated, so that the answer is known: an engaged strategy that follows the stimulus, and
# one that mostly goes right.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import neurolatent as nl
from neurolatent import plots
from neurolatent.models.hmmglm import Bernoulli, Ridge

SESSIONS, TRIALS, STAY = 16, 100, 0.96
rng = np.random.default_rng(0)

# %% [markdown]
# ## The table
# One row per trial. In strategy 0 the odds of "right" rise steeply with the contrast; strategy 1 has a bias of 2.

# %%
rows, slope, bias = [], np.array([6.0, 0.6]), np.array([0.0, 2.0])
for session in range(SESSIONS):
    state = np.abs(np.cumsum(rng.random(TRIALS) > STAY) + rng.integers(2)) % 2
    contrast = rng.choice([-1, -0.5, -0.25, -0.1, 0, 0.1, 0.25, 0.5, 1], TRIALS)
    right = rng.random(TRIALS) < 1 / (1 + np.exp(-(bias[state] + slope[state] * contrast)))
    before = np.concatenate([[0], 2 * right[:-1] - 1])
    rows.append(
        pd.DataFrame({"session": session, "trial": np.arange(TRIALS), "contrast": contrast, "previous": before}).assign(
            choice=np.where(right, "right", "left"), state=state
        )
    )
table = pd.concat(rows, ignore_index=True)
table.loc[rng.choice(len(table), 40, replace=False), "choice"] = "missed"
table.head()

# %% [markdown]
# Sessions become sequences: states never run on from one to the next. A missed trial is masked, not guessed.

# %%
recording = nl.Recording.of(
    table,
    sequence="session",
    clock="trial",
    clock_unit="trial",
    signals={"choice": ["choice"], "covariates": ["contrast", "previous"]},
    levels={"choice": ["left", "right"]},
    missing={"choice": "missed"},
    name="simulated choices",
)
print(recording.describe())

# %% [markdown]
# ## How many strategies?
# Whole sessions are held out. Look where the score stops rising, and what the words below say.


# %%
def model(n_states):
    return nl.HMMGLM(n_states, family=Bernoulli(), prior=Ridge(sd=2.0), alpha=2.0)


candidates = {f"{k} states": nl.Candidate(model(k), nl.EM(restarts=3)) for k in (1, 2, 3)}
choice = nl.cross_validate(candidates, recording, folds=nl.Folds(4), seed=0)
print("\n".join(choice.words()))
choice.table[["candidate", "log_score", "difference", "standard_error", "bits_per_trial", "rarest"]].round(3)

# %%
with plots.house_style():
    plots.held_out_curve(
        choice.by_fold().to_numpy(),
        choice.table["bits_per_trial"],
        choice.table["standard_error"] / (choice.scores["amount"].sum() / len(candidates) * np.log(2)),
        choice.names,
        chosen=choice.names.index(choice.chosen),
        label="held-out bits per trial",
    )
plt.show()

# %% [markdown]
# ## Can the fit be believed?

# %%
fit = choice.fits["2 states"]
nl.check(fit)

# %% [markdown]
# ## What does each strategy go by?
# Weights are log odds of "right". The intervals take the states as known, so they are a little too short.

# %%
estimate, error = (fit.idata[group] for group in ("point_estimate", "standard_error"))
weights, sd = (np.hstack([g["weights"].values[:, 0], g["bias"].values]) for g in (estimate, error))
with plots.house_style():
    plots.covariate_weights(
        weights, weights - 1.645 * sd, weights + 1.645 * sd, ["contrast", "previous choice", "bias"], ["1", "2"]
    )
plt.show()

# %% [markdown]
# ## When does each hold?
# Bars are the stimulus, marks the choices; below, the probability of each state given the whole session.

# %%
latents = fit.predict(recording.take(["3"]))
session = table[table["session"] == 3]
side = session["choice"].map({"left": 0.0, "right": 1.0})
with plots.house_style():
    plots.over_states(
        lambda ax: plots.choice_strip(
            session["trial"], side, session["contrast"], names=("left", "right"), label="contrast", ax=ax
        ),
        latents["clock"].values,
        latents["smoothed"].values,
        latents["path"].values,
        ["1", "2"],
        unit="trial",
        figure=plt.figure(figsize=(8, 4), layout="constrained"),
    )
plt.show()

# %% [markdown]
# Since these data are simulated, the truth is known: the share of trials put into the right strategy.

# %%
found = fit.predict(recording)["smoothed"].values.argmax(axis=1)
agreement = float((found == table["state"]).mean())
print(f"{max(agreement, 1 - agreement):.1%} of the trials are in the right strategy")

# %% [markdown]
# ## The report
# One file with all of this, the checks and the settings; it opens in any browser.

# %%
nl.write_report(fit, recording, Path(tempfile.mkdtemp()) / "strategies.html", choice=choice)
