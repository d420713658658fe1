"""The page of a bi-clustering: what it says of counts that were hidden from the fit."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import neurolatent as nl
from neurolatent.diagnostics import Diagnosis
from neurolatent.models.bicluster import summaries
from neurolatent.models.bicluster.synthetic import bicluster_case
from neurolatent.recipe.clusters import entry_figures
from neurolatent.recipe.folder import open_entries, write_entries
from neurolatent.report import write_report
from neurolatent.report.blocks import Section, plain
from neurolatent.report.clusters import counts_of
from neurolatent.report.entries import entries_section
from neurolatent.report.material import Material, gather
from neurolatent.validation import EntryScores, entry_scores
from tests.report.test_report import Page
from tests.validation.test_entries import fitted, whole

TITLE = "How well does it tell counts that it has not seen?"


def scores(per_spike: list[float], *, entries: int = 30, events: float = 60.0) -> EntryScores:
    """Scores with so many bits per spike, neuron by neuron."""
    ones = np.ones(len(per_spike))
    gained = np.array(per_spike) * events * np.log(2)
    return EntryScores(gained - 100.0, -100.0 * ones, events * ones, np.full(len(ones), entries))


def material_of(recording: nl.Recording, **more) -> Material:
    """What the page of a fit of two clusters, neurons 0, 1, 3 and neuron 2, is made of."""
    fit = fitted(recording, "nb")
    fit = replace(fit, draws=fit.draws._replace(label=np.broadcast_to([0, 0, 1, 0], fit.draws.label.shape)))
    return Material(fit, Diagnosis(()), recording, recording, xr.Dataset(), pd.DataFrame(), [], **more)


def section_of(told: EntryScores | None) -> Section | None:
    return next(iter(entries_section(material_of(whole(), entries=told))), None)


def test_nothing_hidden_is_not_spoken_of():
    assert section_of(None) is None


@pytest.mark.parametrize(
    ("per_spike", "words"),
    [
        ([0.2, 0.3, 0.25, 0.3], "It knows more of single counts"),
        ([-0.2, -0.3, -0.25, -0.3], "It knows less of single counts"),
        ([-0.9, 0.9, -0.7, 0.8], "The interval holds zero"),
    ],
)
def test_the_figure_its_interval_and_its_meaning(per_spike, words):
    told = scores(per_spike)
    figures, section = entry_figures(told, seed=0), section_of(told)
    text = section.blocks[0].text
    assert words in text
    value, low, high = (figures[f"heldout.bits_per_spike{end}"] for end in ("", "_low", "_high"))
    assert low < value < high
    said = [plain(v, 3).replace("-", "−") for v in (value, low, high)]
    assert (
        f"120 counts, chosen at random, were hidden from the fit. It tells them with {said[0]} bits per spike" in text
    )
    assert f"90 % bootstrap interval over neurons: {said[1]} to {said[2]}" in text


def test_each_cluster_has_its_own_bits():
    table = section_of(scores([0.1, 0.3, 0.8, 0.2])).blocks[1]
    rows = [[cell.text for cell in row] for row in table.rows]
    assert rows == [
        ["all neurons", "4", "120", "240", "0.35"],
        ["cluster 1", "3", "90", "180", "0.2"],
        ["cluster 2", "1", "30", "60", "0.8"],
    ]


def test_scores_are_the_same_after_a_file(tmp_path):
    told = scores([0.1, 1 / 3, 0.8, 0.2])
    assert open_entries(tmp_path) is None
    write_entries(tmp_path, told, ["a", "b", "c", "d"])
    for one, two in zip(told, open_entries(tmp_path), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-14)


def test_hidden_counts_are_no_zeros():
    shown = whole().hide("spikes", 0.4, seed=1)
    signal = shown.signal("spikes")
    counts = counts_of(material_of(shown))
    np.testing.assert_array_equal(np.isnan(counts), ~signal.observed)
    np.testing.assert_array_equal(counts[signal.observed], signal.values[signal.observed])
    assert np.isnan(counts).sum() > 4


@pytest.mark.slow
def test_the_whole_page(tmp_path):
    given = bicluster_case(1, per_cluster=3, bins=40, factors=1)
    shown = given.hide("spikes", 0.1, seed=0)
    model = nl.BiClustering(n_factors=1, max_states=3, max_clusters=4)
    fit = nl.fit(model, shown, engine=nl.Gibbs(chains=2, warmup=20, draws=20, keep=10), seed=1)
    told = entry_scores(fit, given, shown)
    page = Page(write_report(fit, shown, tmp_path / "report.html", entries=told).read_text("utf-8"))
    assert not page.faults
    assert TITLE in page.headings
    rows = next(t for t in page.tables if "bits per spike" in t[0])
    assert [rows[1][0], rows[1][2]] == ["all neurons", str(told.entries.sum())]
    rates = next(t for t in page.tables if "mean rate (per bin)" in t[0])
    partition, signal = summaries.neurons(fit.draws).partition, shown.signal("spikes")
    seen = np.where(signal.observed, signal.values, np.nan)
    means = [np.nanmean(seen[:, partition == n]) for n in np.unique(partition)]
    told_means = [float(row[rates[0].index("mean rate (per bin)")]) for row in rates[1:]]
    np.testing.assert_allclose(told_means, means, rtol=5e-3)
    plainly = Page(write_report(fit, shown, tmp_path / "report.html").read_text("utf-8"))
    assert TITLE not in plainly.headings
    assert gather(fit, shown, None, None, 0, entries=told).entries is told
