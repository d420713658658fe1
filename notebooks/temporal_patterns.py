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
# # When does a network know where a path will end?
#
# Paths in a plane share their first half and then bend to one of two sides. A recurrent network with random latents
# learns them without an encoder (PV-RNN: Ahmadi and Tani 2019, Neural Computation 31(11), arXiv 1811.01339). New
# paths are recognised while they come, by error regression: the latents of the last steps are revised until they
# explain what was seen, then the network goes on by itself.

# %%
import matplotlib.pyplot as plt
import numpy as np

import neurolatent as nl
from neurolatent import plots
from neurolatent.choices import MinibatchVI
from neurolatent.models.pvrnn import ErrorRegression, Layer, Softmax
from neurolatent.models.pvrnn.synthetic import branching_case
from neurolatent.plots.patterns import lead_curve, plane_paths
from neurolatent.recipe.patterns import lead_figures

SEED, STEPS = 0, 20
paths, new = (branching_case(seed, sequences=count, steps=STEPS) for seed, count in ((0, 24), (1, 8)))

# %% [markdown]
# ## Learning
# Two layers, the upper one slower. Each path has latents of its own at every step, learned with the weights. w weighs
# how far they may depart from what the network expects; beta, printed in reports, is the temperature behind it.

# %%
model = nl.PVRNN(
    (Layer(16, 2, tau=3), Layer(8, 1, tau=6)),
    likelihood=Softmax(10, -0.2, 1.2, 0.01),
    w=(0.01, 0.005),
    normalise="bins",
    posterior_form="free",
    recognition=ErrorRegression(window=10, iterations=30, horizon=8),
)
engine = MinibatchVI(1500, None, 3e-3, 3e-3, clip=None, validation=0.0, tolerance=0.01)
fit = nl.fit(model, paths, engine=engine, seed=SEED)
nl.check(fit)

# %% [markdown]
# ## What it makes by itself
# The prior drives the network from the first step on, without any data. Look whether both sides come, and whether
# courses stay on the paths.

# %%
made = fit.simulate([STEPS] * 20, seed=SEED)
courses = [[r.signal(n).values[part] for part in r.slices()] for r, n in ((paths, "position"), (made, "signal"))]
with plots.house_style():
    plane_paths(*courses, ["x", "y"])
plt.show()

# %% [markdown]
# ## Recognising new paths while they come
# One path, one step at a time. Before the branch the band of what is foreseen must be wide; once it is seen, narrow.

# %%
stream, seen = fit.stream(), new.signal("position").values[:STEPS]
told = [stream.update(x) for x in seen]
for at in (4, 8, 12):
    width = (told[at].high[-1] - told[at].low[-1]).round(2)
    error = np.abs(told[at].mean[: STEPS - at - 1] - seen[at + 1 : at + 9]).max().round(2) if at < STEPS - 8 else "-"
    print(f"after {at + 1} steps: band 8 steps ahead {width}, largest error {error}")

# %% [markdown]
# ## How far ahead?
# Errors on all eight new paths, beside repeating the last value.

# %%
leads = tuple(range(1, 9))
found = lead_figures(fit, new, leads, SEED)
errors = {
    name: [found[f"{key}{k}"] for k in leads]
    for name, key in (("foreseen", "rmse.lead"), ("last value", "repeat.rmse.lead"))
}
with plots.house_style():
    lead_curve(leads, errors)
plt.show()

# %% [markdown]
# The report shows the latents of every layer and a film of the window: `nl.write_report(fit, new, "report.html")`.
