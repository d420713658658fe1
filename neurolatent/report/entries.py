"""Single counts that were hidden from the fit: how well it tells them, over all neurons and cluster by cluster."""

import numpy as np

from neurolatent.models.bicluster import summaries
from neurolatent.prognostics.assess import Interval
from neurolatent.recipe.clusters import bits_interval
from neurolatent.report.blocks import Cell, Section, Table, Text, number, plain
from neurolatent.report.material import Material
from neurolatent.validation import EntryScores

WHAT = (
    "Bits per spike are what the fit tells better than a Poisson law with each neuron's mean over the counts that were "
    "shown. The other neurons and the bins before and after a hidden count were seen: this is filling of gaps, not "
    "foretelling, and a good score alone does not make clusters or states right."
)


def entries_section(material: Material) -> list[Section]:
    """The score of the hidden entries with its interval, and that of each cluster; nothing where none were hidden."""
    scores = material.entries
    if scores is None:
        return []
    told = bits_interval(scores, material.fit.seed)
    blocks = [Text(_words(scores, told)), _by_cluster(material, scores), Text(WHAT, "small")]
    return [Section("hidden", "How well does it tell counts that it has not seen?", blocks)]


def _words(scores: EntryScores, told: Interval) -> str:
    """The figure, its interval, and what they mean."""
    if told.low > 0:
        means = "It knows more of single counts than the mean rates of the neurons do."
    elif told.high < 0:
        means = "It knows less of single counts than the mean rates of the neurons do: do not rely on it."
    else:
        means = "The interval holds zero: it is not shown to know more of single counts than mean rates do."
    return (
        f"{plain(float(scores.entries.sum()))} counts, chosen at random, were hidden from the fit. It tells them with "
        f"{_signed(told.value)} bits per spike (90 % bootstrap interval over neurons: {_signed(told.low)} to "
        f"{_signed(told.high)}). {means}"
    )


def _signed(value: float) -> str:
    return plain(value, 3).replace("-", "−")


def _by_cluster(material: Material, scores: EntryScores) -> Table:
    """One row for all neurons, one for each cluster of the partition that stands for the draws."""
    partition = summaries.neurons(material.fit.draws).partition
    parts = [np.flatnonzero(partition == block) for block in range(int(partition.max()) + 1)]
    rows = [_row("all neurons", scores, np.arange(len(partition)))]
    rows += [_row(f"cluster {n}", scores, own) for n, own in enumerate(parts, 1)]
    heads = ("", "neurons", "hidden counts", "spikes among them", "bits per spike")
    return Table("Hidden counts of the clusters in the partition that stands for the draws.", heads, rows)


def _row(name: str, scores: EntryScores, own: np.ndarray) -> list[Cell]:
    sums = (len(own), scores.entries[own].sum(), scores.events[own].sum())
    return [Cell(name), *(number(float(value), 6) for value in sums), number(scores.bits_per_event(own), 3)]
