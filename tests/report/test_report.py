"""The page stands alone, opens with the verdict, answers for all units, and is written whole or not at all."""

import dataclasses
import os
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from neurolatent.checks import InputError
from neurolatent.choices import NUTS
from neurolatent.diagnostics import check
from neurolatent.prognostics import fleet_table
from neurolatent.report import write_report
from neurolatent.report.markdown import to_html
from neurolatent.report.material import choose_units
from neurolatent.result.labels import parameter_dataset
from tests.report.fleets import STRANGE, running, trained_by_em, trained_by_nuts, trained_by_svi, wearing

VOID = {"meta", "link", "img", "br", "hr", "input"}


class Page(HTMLParser):
    """Elements with their attributes, and the text of tables and headings."""

    def __init__(self, text: str):
        super().__init__()
        self.elements, self.open, self.tables, self.headings, self.faults = [], [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")
        if tag in ("h1", "h2", "h3"):
            self.headings.append("")

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)

    def handle_data(self, data):
        if {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data
        if self.open and self.open[-1] in ("h1", "h2", "h3"):
            self.headings[-1] += data

    def all(self, *tags):
        return [attrs for tag, attrs in self.elements if tag in tags]


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    """The report on running units, with everything that is optional."""
    folder = tmp_path_factory.mktemp("report")
    fit, _ = trained_by_em()
    card = folder / "card.md"
    card.write_text(
        "# The *wearing* fleet\n\nMade up. ![a plot](http://example.org/a.png) <script>x</script>\n", "utf-8"
    )
    arms = pd.DataFrame({"arm": ["a", "b"], "rmse": [1.0, 2.0], "rmse_low": [0.5, 1.5], "rmse_high": [1.5, 2.5]})
    path = write_report(
        fit, running(), folder / "report.html", recipe="seed = 0 # <tag>", cards=[card], comparison=arms
    )
    return path, path.read_text("utf-8")


def test_page_is_well_formed_and_needs_nothing_else(reported):
    path, text = reported
    page = Page(text)
    assert page.faults == []
    assert page.open == []
    assert path.stat().st_size < 1_000_000
    assert page.all("link", "iframe", "object", "embed", "base", "foreignobject") == []
    outside = re.compile(r"^\s*(https?:|//|file:)")
    for tag, attrs in page.elements:
        for name in ("src", "srcset", "xlink:href", "data", "poster", "action"):
            assert not outside.match(attrs.get(name) or ""), (tag, attrs)
        assert tag == "a" or not outside.match(attrs.get("href") or "")
    assert "@import" not in text
    assert re.findall(r"url\((?!#)", text) == []
    assert "http://example.org" not in text


def test_every_picture_says_what_it_shows(reported):
    page = Page(reported[1])
    pictures = page.all("svg", "img")
    assert len(pictures) >= 7
    for attrs in pictures:
        assert len(attrs.get("alt") or attrs.get("aria-label") or "") > 15


def test_ids_are_unique_and_every_anchor_leads_somewhere(reported):
    page = Page(reported[1])
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    links = [attrs["href"][1:] for _, attrs in page.elements if (attrs.get("href") or "").startswith("#")]
    assert len(links) > 10
    assert set(links) <= set(ids)
    assert {u[1:] for u in re.findall(r"url\((#[^)]+)\)", reported[1])} <= set(ids)


def test_verdict_comes_first(reported):
    text = reported[1]
    verdict = check(trained_by_em()[0]).verdict
    body = text[text.index("<body>") :]
    assert f'<section class="verdict {verdict}"' in body
    assert body.index('id="verdict"') < body.index("<table")
    assert body.index('id="verdict"') < body.index("<svg")
    assert Page(text).headings[1] == "The fleet now"


def test_all_units_are_in_the_table_those_refused_with_the_reason(reported):
    fleet = Page(reported[1]).tables[0]
    fit, _ = trained_by_em()
    want = fleet_table(fit, running())
    assert [row[0] for row in fleet[1:]] == [STRANGE, "late", "short", "early"]
    assert "not answered: 1 samples" in fleet[3][-1]
    late = want[want["unit"] == "late"].iloc[0]
    assert fleet[2][2] == f"{late['state']} of 3"
    assert float(fleet[2][7]) == pytest.approx(late["rul_median"], rel=1e-3)
    assert "* Read the remaining life with care" in reported[1]
    assert all("*" in name for name in fleet[0][7:10])


def test_markup_in_names_is_shown_and_not_obeyed(reported):
    text = reported[1]
    assert "<b onclick" not in text
    assert "&lt;b onclick=" in text
    assert "seed = 0 # &lt;tag&gt;" in text
    assert "<script>x</script>" not in text


def test_units_have_sections_with_what_the_table_says(reported):
    page = Page(reported[1])
    assert {f"Unit {STRANGE}", "Unit late", "Unit early"} <= set(page.headings)
    assert "Unit short" not in page.headings
    assert any(a.get("aria-label", "").startswith("Unit late: indicator over cycles") for a in page.all("svg"))
    assert "The wearing fleet" in page.headings


def test_failed_units_have_no_remaining_life(tmp_path):
    fit, recording = trained_by_em()
    text = write_report(fit, recording, tmp_path / "r.html", most_units=2).read_text("utf-8")
    page = Page(text)
    assert [row[7] for row in page.tables[0][1:]] == ["over"] * 6
    assert [row[8] for row in page.tables[0][1:]] == ["–"] * 6
    assert [h for h in page.headings if h.startswith("Unit ")] == ["Unit 1", "Unit 6"]
    assert "its life is over" in text


def test_no_unit_sections_where_none_are_wanted(tmp_path):
    fit, recording = trained_by_em()
    text = write_report(fit, recording, tmp_path / "r.html", most_units=0).read_text("utf-8")
    assert 'id="units"' not in text


@pytest.mark.slow
def test_given_diagnosis_and_fleet_are_used(tmp_path):
    fit, recording = trained_by_em()
    found = check(fit)
    failing = dataclasses.replace(found.rows[0], verdict="fail", advice="Do this & that.")
    diagnosis = dataclasses.replace(found, rows=(failing, *found.rows[1:]))
    fleet = fleet_table(fit, recording).assign(alarm=17.0)
    text = write_report(fit, recording, tmp_path / "r.html", diagnosis=diagnosis, fleet=fleet).read_text("utf-8")
    assert "Do not rely on this fit yet" in text
    assert text.index("Do this &amp; that.") < text.index("<table")
    assert [row[6] for row in Page(text).tables[0][1:]] == ["17"] * 6


def test_draws_show_their_posterior_and_chains(tmp_path):
    fit, recording = trained_by_em()
    rng = np.random.default_rng(0)
    draws = type(fit.params)(*(np.broadcast_to(p, (2, 50, *np.shape(p))).copy() for p in fit.params))
    draws.coefficients[...] *= 1 + 1e-4 * rng.standard_normal(draws.coefficients.shape)
    coords = fit.model.coordinates(recording)
    idata = fit.idata.copy()
    idata["posterior"] = xr.DataTree(parameter_dataset(fit.model, draws, coords, ("chain", "draw")))
    sampled = dataclasses.replace(fit, draws=draws, idata=idata, engine=NUTS())
    path = write_report(sampled, recording, tmp_path / "r.html", diagnosis=check(fit), most_units=0)
    page = Page(path.read_text("utf-8"))
    (summary,) = [t for t in page.tables if "R-hat" in t[0]]
    assert len(summary) == 1 + 3 * 2
    assert {row[0] for row in summary[1:]} >= {"coefficients[1, 0, intercept]"}
    assert sum("Rank histograms of" in (a.get("aria-label") or "") for a in page.all("svg")) == 4


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")  # R-hat of entries that never vary
def test_nuts_shows_the_posterior_and_its_chains(tmp_path):
    fit, recording = trained_by_nuts()
    text = write_report(fit, recording, tmp_path / "r.html", most_units=1).read_text("utf-8")
    page = Page(text)
    (summary,) = [t for t in page.tables if "R-hat" in t[0]]
    assert summary[0] == ["parameter", "mean", "sd", "5 %", "95 %", "R-hat", "bulk ESS", "tail ESS"]
    assert any("Rank histograms of" in (a.get("aria-label") or "") for a in page.all("svg"))
    assert "Objective of EM" not in text


@pytest.mark.slow
def test_svi_shows_its_elbo_and_the_posterior_without_chains(tmp_path):
    fit, recording = trained_by_svi()
    text = write_report(fit, recording, tmp_path / "r.html", most_units=1).read_text("utf-8")
    page = Page(text)
    assert any("ELBO of SVI over 500 steps" in (a.get("aria-label") or "") for a in page.all("svg"))
    assert ["parameter", "mean", "sd", "5 %", "95 %"] in [table[0] for table in page.tables]
    assert "Pareto k of the importance ratios" in text
    assert "R-hat" not in text
    assert "Rank histograms" not in text


def test_provenance_tells_how_to_repeat_it(reported):
    fit, _ = trained_by_em()
    rows = {row[0]: row[1] for table in Page(reported[1]).tables for row in table if len(row) == 2}
    assert rows["fingerprint after preparation"] == fit.facts["fingerprint"]
    assert rows["fingerprint"] == running().fingerprint()
    assert rows["seed"] == "0"
    assert rows["neurolatent"] == fit.versions["neurolatent"]
    assert "n_states = 3" in rows["model"]


@pytest.mark.slow
def test_hundred_units_stay_small(tmp_path):
    fit, _ = trained_by_em()
    many = wearing((60,) * 100, [str(n) for n in range(100)], failed=True)
    path = write_report(fit, many, tmp_path / "r.html", most_units=3)
    page = Page(path.read_text("utf-8"))
    assert len(page.tables[0]) == 101
    assert path.stat().st_size < 400_000


def test_file_is_replaced_whole(tmp_path, monkeypatch):
    fit, recording = trained_by_em()
    path = tmp_path / "r.html"
    path.write_text("former")

    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(InputError, match=r"r\.html cannot be written \(No space left on device\)"):
        write_report(fit, recording, path, most_units=0)
    assert path.read_text() == "former"
    assert [p.name for p in tmp_path.iterdir()] == ["r.html"]


def test_places_that_cannot_be_written_are_refused(tmp_path, monkeypatch):
    fit, recording = trained_by_em()
    with pytest.raises(InputError, match="does not exist. Make it first"):
        write_report(fit, recording, tmp_path / "missing" / "r.html")
    with pytest.raises(InputError, match="is a folder"):
        write_report(fit, recording, tmp_path)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(InputError, match="is not writable. Choose another one"):
        write_report(fit, recording, tmp_path / "r.html")
    monkeypatch.undo()
    with pytest.raises(InputError, match="most_units must be a whole number of at least 0, got -1"):
        write_report(fit, recording, tmp_path / "r.html", most_units=-1)


def test_units_are_chosen_by_fault_then_spread():
    fleet = pd.DataFrame(
        {
            "unit": list("abcdef"),
            "failed": [False, False, False, True, True, True],
            "fault_probability": [0.2, 0.9, 0.9, 1.0, 1.0, 1.0],
            "rul_median": [50.0, 9.0, 5.0, np.nan, np.nan, np.nan],
        }
    )
    assert choose_units(fleet, 2) == ["c", "b"]
    assert choose_units(fleet, 5) == ["c", "b", "a", "d", "f"]
    assert choose_units(fleet, 9) == ["c", "b", "a", "d", "e", "f"]


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("# A `b` c", "<h3>A <code>b</code> c</h3>"),
        ("one\ntwo **three** *four*", "<p>one two <strong>three</strong> <em>four</em></p>"),
        ("- a\n  b\n- c\n  - d", "<ul><li>a b</li><li>c<ul><li>d</li></ul></li></ul>"),
        ("1. a\n2. b", "<ol><li>a</li><li>b</li></ol>"),
        ("```\n<x>\n```", "<pre><code>&lt;x&gt;</code></pre>"),
        ("> said", "<blockquote><p>said</p></blockquote>"),
        ("[a](https://x.org/y)", '<p><a href="https://x.org/y" rel="noreferrer">a</a></p>'),
        ("[a](other.md) snake_case_name", "<p>a snake_case_name</p>"),
        ("<img src=x>", "<p>&lt;img src=x&gt;</p>"),
    ],
)
def test_markdown(text, html):
    assert str(to_html(text)) == html


def test_markdown_table_scrolls_on_its_own():
    html = to_html("| a | b |\n|---|--:|\n| 1 | `x\\|y` |")
    assert "<th>a</th><th>b</th>" in html
    assert "<td>1</td><td><code>x|y</code></td>" in html
    assert html.startswith('<div class="scroll"')
