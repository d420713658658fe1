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
# # Which neurons move together, when do they change, and may I believe it?
#
# From spike counts of a population to clusters of neurons that share their course, and to states of time in which the
# whole population follows other dynamics. Neither number is told. The model is a Bayesian bi-clustering (Wei 2023, ICLR
# 2024, arXiv 2309.02213), drawn by a Gibbs sampler. The counts are simulated, so that the answer is known.
#
# This is a small case with few sweeps, so that it runs in a minute or two, of which compilation takes the most. Real
# recordings want four chains and thousands of sweeps.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import neurolatent as nl
from neurolatent import plots
from neurolatent.models.bicluster import summaries
from neurolatent.models.bicluster.synthetic import bicluster_case
from neurolatent.ops.partitions import relabelled, similarity
from neurolatent.recipe.clusters import bits_interval
from neurolatent.validation import entry_scores

SEED, BINS, PER_CLUSTER = 0, 300, 10
ENGINE = nl.Gibbs(chains=2, warmup=200, draws=100, keep=50)

# %% [markdown]
# ## Counts
# Three clusters of neurons, two states that take turns. A tenth of the counts, at random, is hidden from the fit: they
# will tell whether it knows more than mean rates.

# %%
whole = bicluster_case(SEED, per_cluster=PER_CLUSTER, bins=BINS)
shown = whole.hide("spikes", 0.1, seed=SEED)
print(shown.describe())

# %% [markdown]
# ## Fit
# Each chain starts from another number of groups, so that chains which agree have found the same place from different
# ones.

# %%
fit = nl.fit(nl.BiClustering(max_states=6), shown, engine=ENGINE, seed=SEED)

# %% [markdown]
# ## May I believe it?
# Ask this first. R-hat has no limit where each chain stays at a number of its own. With so few sweeps some rows will
# fail: they say what may be read and what not. The rows on the agreement of chains matter most.

# %%
nl.check(fit)

# %% [markdown]
# ## Which neurons move together?
# Labels mean nothing by themselves; what is told is how often two neurons are in one cluster. Look at the chains side
# by side. Neurons stand in the same order, that of the partition which stands for all draws (framed). Blocks that are
# dark in one chain and pale in the other are not known.

# %%
neurons = summaries.neurons(fit.draws)
each = [similarity(label) for label in np.asarray(fit.draws.label).astype(int)]
with plots.house_style():
    figure, axes = plt.subplots(1, len(each), figsize=(4.4 * len(each), 3.6), layout="constrained")
    for number, (ax, together) in enumerate(zip(axes, each, strict=True), 1):
        plots.similarity_matrix(together, neurons.partition, ax=ax)
        ax.set_title(f"chain {number}")
plt.show()

# %% [markdown]
# What all chains share may be said, whatever else they disagree on: pairs that are together in nearly all draws of
# every chain, and pairs that are apart in nearly all draws of every chain.

# %%
pairs = np.triu_indices(len(neurons.partition), 1)
together, apart = np.min(each, axis=0)[pairs] > 0.95, np.max(each, axis=0)[pairs] < 0.05
print(f"of {len(together)} pairs {together.sum()} are together and {apart.sum()} apart in every chain,")
print(f"{(~together & ~apart).sum()} are open; chains agree with an adjusted Rand index of {neurons.agreement:.2f}")

# %% [markdown]
# ## How many clusters and states?
# Bars are all draws, markers single chains. Where markers of one number lie far apart, chains disagree, and the bars
# are a compromise that no chain holds.

# %%
numbers = fit.idata["sample_stats"]
with plots.house_style():
    figure, axes = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained")
    for ax, what in zip(axes, ("clusters", "states"), strict=True):
        plots.block_counts(numbers[f"n_{what}"].values.astype(int), what=what, ax=ax)
plt.show()

# %% [markdown]
# ## What do the clusters do?
# Counts of the neurons by found cluster, each neuron in shades up to its own bright counts, white where there were none
# or they were hidden. The strip on the left is the true cluster: a found cluster should have one shade there.

# %%
counts = np.where(shown.signal("spikes").observed, shown.signal("spikes").values, np.nan)
truth = whole.signal("spikes").channels["cluster"].to_numpy(int)
with plots.house_style():
    plots.clustered_raster(
        shown.clock(),
        counts,
        neurons.partition,
        group=[f"true cluster {n + 1}" for n in truth],
        unit="bins",
        figure=plt.figure(figsize=(9, 3.6), layout="constrained"),
    )
plt.show()

# %% [markdown]
# ## When does the population change its dynamics?
# All clusters change at the same bin. Look whether the edges of the found states lie at the true ones; both are
# numbered as they occur.

# %%
bins = summaries.bins(fit.draws, method="pear")
true_state = relabelled(whole.signal("state").values[:, 0].astype(int))
with plots.house_style():
    figure, axes = plt.subplots(2, 1, figsize=(9, 2), sharex=True, layout="constrained")
    for ax, path, name in zip(axes, (bins.partition, true_state), ("states found", "true states"), strict=True):
        plots.state_ribbon(shown.clock(), path, [str(n + 1) for n in np.unique(path)], unit="bins", ax=ax)
        ax.set_title(name)
    axes[0].set_xlabel("")
plt.show()

# %% [markdown]
# How often two bins are in one state, over all draws. Grey stretches are bins whose state is not known: most lie at the
# edges.

# %%
with plots.house_style():
    plots.bin_similarity(shown.clock(), bins.together, unit="bins")
plt.show()

# %% [markdown]
# ## Does it know anything of counts that it has not seen?
# Bits per spike over a Poisson law with each neuron's mean, with a bootstrap interval over neurons. Above zero it knows
# more than mean rates. It does not make clusters right: a fit with one cluster for all neurons may score well too.

# %%
told = bits_interval(entry_scores(fit, whole, shown), SEED)
print(f"{told.value:.3f} bits per spike, 90 % interval {told.low:.3f} to {told.high:.3f}")

# %% [markdown]
# ## And the truth?
# Known here alone. Adjusted Rand index: 1 is the same partition, 0 what chance gives. Chains may agree and be wrong
# together: then only the truth, or a longer run with more chains, can tell.

# %%
rows = {"all chains": (neurons.partition, bins.partition)}
rows |= {f"chain {n}": parts for n, parts in enumerate(zip(neurons.chains, bins.chains, strict=True), 1)}
pd.DataFrame(
    {
        name: {
            "clusters (true: 3)": len(np.unique(own)),
            "neurons: adjusted Rand index": summaries.rand(own, truth),
            "states (true: 2)": len(np.unique(states)),
            "bins: adjusted Rand index": summaries.rand(states, true_state),
        }
        for name, (own, states) in rows.items()
    }
).T.round(2)

# %% [markdown]
# ## When chains disagree
# - Do not read the single partition: it is a compromise. Report the similarity of each chain, and what all share.
# - Take a longer warm-up. Chains start from too many clusters, and what does not belong together may merge in the first
#   fifth of the warm-up if trajectories have not found their shape by then.
# - Take more chains: among four it can be seen which one stands apart, among two it cannot.
# - Do not drop the chain that you like less. If you leave one out, say so, and say why.
# - If long chains still differ, the counts do not tell: fewer clusters can be told from more neurons and bins.
# - States mix more slowly than clusters. Where chains share clusters and not states, read the clusters alone.
