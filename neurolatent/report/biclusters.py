"""The page of a bi-clustering: which neurons go together, how many clusters and states there are, and how sure."""

from typing import Any

import numpy as np

from neurolatent.models.bicluster import summaries
from neurolatent.report.blocks import Cell, Section, Table, Text, number
from neurolatent.report.material import Material


def neurons_section(material: Material) -> Section:
    """The point partition of the neurons, and the posterior of the numbers of clusters and states."""
    fit = material.fit
    if fit.draws is None:
        return Section(
            "clusters", "Which neurons go together?", [Text("The fit was interrupted before it kept a draw.")]
        )
    found = summaries.neurons(fit.draws)
    names = np.array([str(n) for n in fit.idata["posterior"]["neuron"].values])
    rows = []
    for block in range(int(found.partition.max()) + 1):
        own = found.partition == block
        inside = found.together[np.ix_(own, own)]
        sure = float(inside[~np.eye(len(inside), dtype=bool)].mean()) if own.sum() > 1 else float("nan")
        rows.append([Cell(str(block)), number(float(own.sum())), number(sure), Cell(", ".join(names[own]))])
    columns = ("cluster", "neurons", "mean similarity within", "which")
    words = "Least expected variation of information; similarity is the share of draws in which two are together."
    return Section("clusters", "Which neurons go together?", [Table(words, columns, rows), *_numbers(material)])


def _numbers(material: Material) -> list[Any]:
    """Posterior of the numbers of clusters and states."""
    stats: Any = material.fit.idata["sample_stats"]
    tables = []
    for name in ("clusters", "states"):
        values, times = np.unique(stats[f"n_{name}"].values, return_counts=True)
        rows = [[number(float(v)), number(float(t / times.sum()))] for v, t in zip(values, times, strict=True)]
        tables.append(Table(f"Posterior of the number of {name}.", (name, "probability"), rows))
    return tables
