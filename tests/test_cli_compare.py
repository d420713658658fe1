"""The choice of the number of states from the command line: tables, page, figures, refusals."""

import json
from pathlib import Path

import pytest

from neurolatent import cli
from tests.small_fleet import recipe, write

GRID = ("--over", "model.n_states=1,2")


def with_folds(folder: Path, **cv) -> Path:
    tables = recipe(cv=cv or None)
    del tables["data"]["knowledge"]
    tables["engine"] = {"name": "em", "steps": 30, "restarts": 2}
    return write(folder, tables)


def section(page: Path) -> str:
    """The part of a page on held-out scores."""
    text = page.read_text()
    begin = text.index('<section id="held-out">')
    return text[begin : text.index("</section>", begin)]


@pytest.mark.slow
def test_states_are_chosen_and_explained(call, tmp_path):
    path = with_folds(tmp_path, folds=2)
    status, out, err = call("compare", path, *GRID, "--out", tmp_path / "c", "--json", "--no-cache")
    assert status == cli.DONE, err
    got = json.loads(out)
    assert got == json.loads((tmp_path / "c" / "summary.json").read_text())
    assert got["chosen"] == "n_states=2"
    assert got["figures"]["cv.bits_per_sample"] == got["figures"]["cv.bits_per_sample@n_states=2"]
    assert got["figures"]["cv.loglik@n_states=2"] > got["figures"]["cv.loglik@n_states=1"]
    assert all(Path(place).is_file() for place in got["paths"].values())
    page = (tmp_path / "c" / "report.html").read_text()
    assert "Take n_states=2" in page
    assert "Candidates on held-out data." in page
    assert page.count("<svg") == 1


@pytest.mark.slow
def test_a_recipe_with_folds_is_told_beside_its_one_state_version(call, tmp_path):
    path = with_folds(tmp_path, folds=2)
    status, out, err = call("fit", path, "--out", tmp_path / "r", "--json", "--no-cache")
    assert status == cli.DONE, err
    figures = json.loads(out)["figures"]
    assert {"cv.loglik", "cv.bits_per_sample", "bic", "states.rarest"} <= set(figures)
    first = section(tmp_path / "r" / "report.html")
    assert "How well does it tell data that it has not seen?" in first
    assert all(f">{name}</" in first for name in ("1 state", "2 states"))
    assert call("report", tmp_path / "r")[0] == cli.DONE
    assert section(tmp_path / "r" / "report.html") == first


@pytest.mark.parametrize(
    ("cv", "over", "message"),
    [
        ({"folds": 2}, (), "a choice needs candidates: add --over"),
        ({"folds": 2}, ("--over", "data.bin=1,2"), "they differ in keys of [model] and [engine] only"),
        ({"folds": 1}, GRID, "folds must be a whole number of at least 2, got 1"),
        ({"fold": 2}, GRID, "[cv]: unknown key 'fold'. Did you mean 'folds'?"),
        ({"folds": "part"}, GRID, "no column 'part' in the table of sequences"),
    ],
)
def test_refusals(call, tmp_path, cv, over, message):
    path = with_folds(tmp_path, **cv)
    status, _, err = call("compare", path, *over, "--out", tmp_path / "c")
    assert status == cli.REFUSED
    assert message in err
    assert not (tmp_path / "c").exists()


def test_runs_have_no_candidates(call, tmp_path):
    status, _, err = call("compare", tmp_path, *GRID)
    assert status == cli.REFUSED
    assert "runs are ranked as they are" in err
