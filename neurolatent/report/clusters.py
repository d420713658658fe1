"""Neurons and time clustered at once: which neurons move together, when their dynamics change, how sure both are."""

import functools
from typing import Any

import numpy as np
from jaxtyping import Float

from neurolatent.models.bicluster import summaries
from neurolatent.models.bicluster.courses import mean_log_rates
from neurolatent.plots.clusters import (
    Epoch,
    bin_similarity,
    block_counts,
    cluster_courses,
    clustered_raster,
    similarity_matrix,
)
from neurolatent.plots.states import runs_of, state_ribbon
from neurolatent.report.blocks import Cell, Section, Table, Text, number, percent
from neurolatent.report.figures import Painter
from neurolatent.report.latents import with_figure
from neurolatent.report.material import Material

HALF = (4.4, 3.6)  # inches: two pictures stand side by side
MOST_EPOCHS = 12  # that have room above a picture
MOST_COURSES = 8  # clusters with a panel of their own
MOST_LEVELS = 8  # columns of a table
GROUPS = ("area", "region", "cluster")  # facts of channels that neurons are sorted by, the first that is there


def clusters_section(material: Material, painter: Painter) -> Section:
    """Clusters of the neurons: a partition that stands for the draws, their similarity, their number, their courses."""
    if material.fit.draws is None:
        return Section("clusters", "Which neurons move together?", [Text("The sampler kept no draw.", "caution")])
    found, numbers = summaries.neurons(material.fit.draws), _numbers(material, "n_clusters")
    said = (
        f"{_words(numbers, 'cluster')} The partition that stands for the draws (least expected variation of "
        f"information) has {int(found.partition.max()) + 1}{_agreed(material, found.agreement)}. Labels mean nothing "
        "by themselves: what is told of neurons is how often two of them are in one cluster."
    )
    blocks = [Text(said), _table(material, found), _raster(material, painter, found.partition)]
    blocks += [_similarity(material, painter, found), _number(painter, numbers, "clusters")]
    return Section("clusters", "Which neurons move together?", [*blocks, _courses(material, painter, found.partition)])


def dynamics_section(material: Material, painter: Painter) -> list[Section]:
    """States of the bins: when the dynamics change, beside what happened then."""
    if material.fit.draws is None:
        return []
    found, numbers = summaries.bins(material.fit.draws, method="pear"), _numbers(material, "n_states")
    said = (
        f"{_words(numbers, 'state')} All clusters change their dynamics at the same bin. The partition of the bins "
        f"(greatest expected adjusted Rand index) has {int(found.partition.max()) + 1}"
        f"{_agreed(material, found.agreement)}. States mix slowly: where chains do not agree, believe the similarity."
    )
    blocks: list[Any] = [Text(said), _ribbon(material, painter, found.partition)]
    blocks += [_bins(material, painter, found), _number(painter, numbers, "states")]
    return [Section("dynamics", "When do the dynamics change?", [*blocks, *_levels(material, found.partition)])]


def _numbers(material: Material, name: str) -> np.ndarray:
    """(chains, draws) number of blocks after each sweep."""
    return material.fit.idata["sample_stats"][name].values.astype(int)


def _words(numbers: np.ndarray, what: str) -> str:
    values, times = np.unique(numbers, return_counts=True)
    order = np.argsort(-times)[:3]
    said = ", ".join(f"{values[n]} ({percent(times[n] / times.sum())})" for n in order)
    return f"Number of {what}s, by share of the draws: {said}."


def _agreed(material: Material, agreement: float) -> str:
    chains = np.shape(material.fit.draws.label)[0]
    return (
        f"; those of single chains agree with an adjusted Rand index of {agreement:.2f} at least" if chains > 1 else ""
    )


def group_of(material: Material) -> tuple[str, list[str]] | None:
    """Name and values of a fact of the neurons, such as their area."""
    facts = material.prepared.signal(material.fit.model.signal_of(material.prepared)).channels
    named = [name for name in GROUPS if name in facts]
    return (named[0], facts[named[0]].astype(str).tolist()) if named else None


def counts_of(material: Material) -> Float[np.ndarray, "bins neurons"]:
    """The counts, NaN where none was observed."""
    seen = material.prepared.signal(material.fit.model.signal_of(material.prepared)).observed
    return np.where(seen, material.observed, np.nan)


def epochs_of(material: Material) -> list[Epoch]:
    """Stretches of the first signal of categories, where they are few."""
    name, values = _category(material)
    if name is None:
        return []
    clock, half = material.prepared.clock(), material.prepared.bin_width / 2
    runs = runs_of(values)
    words = material.prepared.signal(name).levels()
    told = [Epoch(clock[a] - half, clock[b - 1] + half, words[s] if words else f"{name} {s}") for s, a, b in runs]
    return told if len(told) <= MOST_EPOCHS else []


def _category(material: Material) -> tuple[str | None, np.ndarray]:
    for name, signal in material.prepared.signals.items():
        if signal.kind == "category":
            return name, np.where(signal.observed[:, 0], signal.values[:, 0], -1).astype(int)
    return None, np.zeros(0, int)


def _table(material: Material, found: summaries.Summary) -> Table:
    """Size, groups and cohesion of each cluster."""
    group, counts = group_of(material), counts_of(material)
    kinds = sorted(set(group[1])) if group else []
    rows = []
    for block in range(int(found.partition.max()) + 1):
        own = found.partition == block
        inside, across = _cohesion(found.together, own)
        rate = float(np.nanmean(counts[:, own])) / material.prepared.bin_width
        among = [number(float(sum(np.array(group[1])[own] == kind)), 3) for kind in kinds] if group else []
        cells = [number(float(own.sum()), 4), *among, number(rate, 3), number(inside, 2), number(across, 2)]
        rows.append([Cell(f"cluster {block + 1}"), *cells])
    heads = ["", "neurons", *(f"{group[0]} {kind}" for kind in kinds if group), f"mean rate (per {material.unit})"]
    said = "Together: mean share of draws in which two neurons of the cluster are in one; apart: the highest such mean "
    said += "of the cluster with another one."
    return Table(said, [*heads, "together", "with the nearest"], rows)


def _cohesion(together: np.ndarray, own: np.ndarray) -> tuple[float, float]:
    inside = together[np.ix_(own, own)]
    pairs = inside[np.triu_indices(len(inside), 1)]
    outside = together[np.ix_(own, ~own)]
    return float(pairs.mean()) if len(pairs) else 1.0, float(outside.mean(axis=0).max(initial=0.0))


def _raster(material: Material, painter: Painter, partition: np.ndarray) -> Any:
    group = group_of(material)
    draw = functools.partial(
        clustered_raster,
        material.prepared.clock(),
        counts_of(material),
        partition,
        group=group[1] if group else None,
        epochs=epochs_of(material),
        unit=material.unit,
    )
    said = "Counts of the neurons, by cluster, each in shades up to its own bright counts."
    said += f" Beside them the {group[0]} of each." if group else ""
    return painter.picture(with_figure(draw), said, said, size=(8.6, 1.6 + 0.045 * len(partition)))


def _similarity(material: Material, painter: Painter, found: summaries.Summary) -> Any:
    group = group_of(material)
    draw = functools.partial(
        similarity_matrix, found.together, found.partition, group=group[1] if group else None, what="neurons"
    )
    said = "Share of the draws in which two neurons are in one cluster; framed: the partition."
    return painter.picture(draw, said, said, size=HALF)


def _number(painter: Painter, numbers: np.ndarray, what: str) -> Any:
    said = f"Posterior of the number of {what}; markers are single chains."
    return painter.picture(functools.partial(block_counts, numbers, what=what), said, said, size=(4.9, 3.0))


def _courses(material: Material, painter: Painter, partition: np.ndarray) -> Any:
    rates = mean_log_rates(material.fit.draws, partition)
    sizes = np.bincount(partition)
    largest = np.sort(np.argsort(-sizes, kind="stable")[:MOST_COURSES])
    low, high = np.quantile(rates, [0.025, 0.975], axis=0)
    truth = None
    if "log_rate" in material.prepared.signals:
        member = np.eye(len(sizes))[partition] / sizes
        truth = (material.prepared.signal("log_rate").values @ member)[:, largest]
    draw = functools.partial(
        cluster_courses,
        material.prepared.clock(),
        rates.mean(axis=0)[:, largest],
        low[:, largest],
        high[:, largest],
        [f"cluster {n + 1}: {sizes[n]} neurons" for n in largest],
        truth=truth,
        epochs=epochs_of(material),
        unit=material.unit,
        label="mean log rate (log counts per bin)",
    )
    said = (
        f"Mean log rate of the neurons of {'each cluster' if len(largest) == len(sizes) else 'the largest clusters'}."
    )
    return painter.picture(with_figure(draw), said, said, size=(8.6, 0.8 + 1.1 * len(largest)))


def _ribbon(material: Material, painter: Painter, partition: np.ndarray) -> Any:
    """The state of each bin, above it what happened."""
    clock = material.prepared.clock()[summaries.bin_places(material.prepared.n_samples)]
    names = [str(n + 1) for n in range(int(partition.max()) + 1)]
    name, values = _category(material)

    def draw(figure: Any) -> None:
        panels = figure.subplots(2 if name else 1, 1, sharex=True, squeeze=False)[:, 0]
        state_ribbon(clock, partition, names, unit=material.unit, ax=panels[-1])
        panels[-1].set_title("states")
        if name:
            words = material.prepared.signal(name).levels() or [str(n) for n in range(values.max() + 1)]
            state_ribbon(material.prepared.clock(), values, words, ax=panels[0])
            panels[0].set(title=name, xlabel="")

    said = "States of the bins in the partition" + (f", below the signal {name}." if name else ".")
    return painter.picture(with_figure(draw), said, said, size=(8.6, 2.0 if name else 1.2))


def _bins(material: Material, painter: Painter, found: summaries.Summary) -> Any:
    clock = material.prepared.clock()[summaries.bin_places(material.prepared.n_samples)]
    said = "Share of the draws in which two bins are in one state, in the order of time."
    return painter.picture(
        functools.partial(bin_similarity, clock, found.together, unit=material.unit), said, said, size=HALF
    )


def _levels(material: Material, partition: np.ndarray) -> list[Table]:
    """How the bins of each state fall on the levels of a category."""
    name, values = _category(material)
    if name is None:
        return []
    places = summaries.bin_places(material.prepared.n_samples)
    levels = [n for n in np.unique(values[places]) if n >= 0][:MOST_LEVELS]
    words = material.prepared.signal(name).levels()
    rows = []
    for state in range(int(partition.max()) + 1):
        own = values[places][partition == state]
        cells = [number(float((own == level).mean()), 2) for level in levels]
        rows.append([Cell(f"state {state + 1}"), number(float(len(own)), 4), *cells])
    heads = ["", "bins", *(words[n] if words else f"{name} {n}" for n in levels)]
    return [Table(f"Share of the bins of each state that fall on each level of {name}.", heads, rows)]
