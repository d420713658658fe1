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
# # What do neurons and behaviour share?
#
# From spike counts beside a second signal to smooth latents with bands: those that only the neurons follow, those that
# only behaviour follows, and those of both. The model is a Gaussian-process variational autoencoder (Gondur et al.
# 2024, ICLR, arXiv 2310.03111). The data are simulated, so that the answer is known.

# %%
import matplotlib.pyplot as plt
import numpy as np

import neurolatent as nl
from neurolatent import plots
from neurolatent.diagnostics.collapse import most_latents, most_shared
from neurolatent.models.gpvae.synthetic import gaussian_process
from neurolatent.ops.alignment import align

TRIALS, BINS, NEURONS, WIDTH = 60, 50, 25, 0.02
rng = np.random.default_rng(0)

# %% [markdown]
# ## Counts and positions
# Three latents with a length scale of 10 bins of 20 ms: neurons follow the first two, two channels of position the last
# two. Every tenth trial lacks its position, and some counts are missing too.

# %%
z = np.stack([gaussian_process(rng, TRIALS, BINS, variance) for variance in (0.5, 0.4, 1.0)], axis=-1)
counts = rng.poisson(np.exp(0.3 + z[..., :2] @ rng.uniform(-1, 1, (2, NEURONS)))).astype(float)
position = z[..., 1:] @ np.array([[1.0, 0.3], [-0.4, 1.0]]) + 0.15 * rng.normal(size=(TRIALS, BINS, 2))
position[::10] = np.nan
counts[3, 10:20] = np.nan

recording = nl.Recording.of(
    {"spikes": list(counts), "behaviour": list(position)},
    kinds={"spikes": "counts"},
    bin_width=WIDTH,
    clock_unit="s",
    name="reach",
)
train, test = recording.take(recording.ids[:45]), recording.take(recording.ids[45:])
print(train.describe())

# %% [markdown]
# ## How many latents at most?
# The linear theory of posterior collapse counts directions in which a latent can grow at all, before any fit: a bound,
# which strong latents under exponential rates make loose.

# %%
print("of the neurons:", most_latents(train).most, "shared:", most_shared(train).most)

# %% [markdown]
# ## Fit and doubt
# `superfluous` latents gain the likelihood less than they cost; the check names them.

# %%
model = nl.GPVAE(n_neural=1, n_shared=1, n_behaviour=1, behaviour_encoder=(16,), decoder=())
fit = nl.fit(model, train, seed=0)
print(nl.check(fit))

# %% [markdown]
# ## Latents of trials that it has not seen
# They are known up to sign and size: each true latent is compared after a linear map that was found on training trials.

# %%
told = {name: fit.predict(part) for name, part in (("train", train), ("test", test))}
truth = {"train": z[:45].reshape(-1, 3), "test": z[45:].reshape(-1, 3)}
pairs = [(told[name]["latents"].values, truth[name]) for name in ("train", "test")]
found = align(pairs[0], pairs[1], told["test"]["latents_sd"].values, np.eye(3, dtype=bool))
for name, own, inside in zip(("neural", "shared", "behaviour"), found.own, found.coverage, strict=True):
    print(f"{name}: R2 {own:.2f} on unseen trials; {100 * inside:.0f} % inside the 95 % band")

# %%
rows = slice(BINS, 2 * BINS)
mean, sd = (told["test"][name].values[rows] for name in ("latents", "latents_sd"))
course = plots.Course("trial 46", told["test"]["clock"].values[rows], mean, sd)
figure = plt.figure(figsize=(8, 4.5))
plots.latent_courses([course], ["neural 0", "shared 0", "behaviour 0"], clock="s", figure=figure)
plt.show()

# %% [markdown]
# ## A modality is missing
# Position of trials whose position is hidden, told from spikes: only what is shared can be told.

# %%
hidden = test.with_signal("behaviour", test.signal("behaviour").masked(np.zeros((test.n_samples, 2), bool)))
guess = fit.predict(hidden)["reconstruction"].values
seen = np.isfinite(position[45:].reshape(-1, 2)).all(axis=1)
actual = position[45:].reshape(-1, 2)[seen]
r2 = 1 - ((actual - guess[seen]) ** 2).sum(axis=0) / ((actual - actual.mean(axis=0)) ** 2).sum(axis=0)
print("position from spikes alone, R2 of its two channels:", np.round(r2, 2))
