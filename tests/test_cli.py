"""The command line, in process: what it prints, what it writes, what it refuses, and how it ends."""

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tomli_w
import xarray as xr

from neurolatent import cli
from neurolatent.loaders import load
from neurolatent.prognostics import fleet_table
from neurolatent.recipe import read_recipe
from neurolatent.recipe.folder import new_recording
from neurolatent.result import Fit
from tests.small_fleet import recipe, table, with_data, write, write_running

OPTIONS = {"sequence": "unit", "clock": "cycle", "clock_unit": "cycle", "signals": {"signal": ["level"]}}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory) -> Path:
    """A folder with the fleet, running units, a card and a finished run."""
    folder = tmp_path_factory.mktemp("fleet")
    running, remaining = write_running(folder)
    (folder / "card.md").write_text("# Small fleet\n\nMade for tests.\n")
    test = {"path": running.name, "sequences": remaining.name, "failed": False, **OPTIONS}
    expect = {"test.rul.absorption.rmse": [0.0, 100.0]}
    tables = {**recipe(test=test, expect=expect), "title": "Small", "card": "card.md"}
    path = write(folder, tables)
    assert cli.run(["fit", str(path), "--out", str(folder / "run"), "--json", "--no-cache"]) == cli.DONE
    return folder


# --- fit ---------------------------------------------------------------------------------------------------------


def test_run_explains_itself(fleet):
    run = fleet / "run"
    names = {"recipe.toml", "fit.nc", "report.html", "summary.json", "log.txt", "fleet.csv"}
    assert {p.name for p in run.iterdir()} == names
    summary = json.loads((run / "summary.json").read_text())
    assert set(summary["paths"]) == {"recipe", "fit", "log", "fleet", "report", "summary"}
    assert all(Path(path).is_file() for path in summary["paths"].values())
    assert {"figures", "verdict", "verdicts", "paths", "seconds", "versions", "seed"} <= set(summary)
    assert {"compile", "run", "fit", "assess"} <= set(summary["seconds"])
    assert all(value >= 0 for value in summary["seconds"].values())
    assert (summary["seed"], summary["interrupted"]) == (0, False)
    assert {"python", "jax", "neurolatent"} <= set(summary["versions"])
    assert {"loglik", "iterations", "test.rul.absorption.rmse"} <= set(summary["figures"])
    assert summary["expectations"][0]["met"] is True
    assert all({"what", "value", "threshold", "verdict", "advice"} == set(row) for row in summary["verdicts"])


def test_fit_is_that_of_the_library(fleet):
    import neurolatent as nl
    from neurolatent.recording import knowledge

    recording = load(fleet / "fleet.csv", failed=True, **OPTIONS)
    known = knowledge.start_end(recording, 5, 5)
    want = nl.fit(nl.ARPHMM(n_states=2), recording.with_knowledge(known), seed=0)
    for got, wanted in zip(Fit.load(fleet / "run" / "fit.nc").params, want.params, strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_report_speaks_of_this_run(fleet):
    text = (fleet / "run" / "report.html").read_text()
    assert "Small fleet" in text  # the card
    assert "Made for tests" in text
    assert str(fleet / "fleet.csv") in text  # the resolved recipe
    assert "103" in text  # a running unit


def test_json_is_one_object_and_nothing_else(fleet, call, tmp_path):
    status, out, _ = call("fit", fleet / "recipe.toml", "--out", tmp_path / "r", "--json", "--no-cache")
    assert status == cli.DONE
    assert json.loads(out) == json.loads((tmp_path / "r" / "summary.json").read_text())


def test_resolved_recipe_gives_the_same_fit(fleet, call, tmp_path):
    status, out, err = call("fit", fleet / "run" / "recipe.toml", "--out", tmp_path / "r", "--no-cache")
    assert status == cli.DONE, err
    first, again = (Fit.load(folder / "fit.nc") for folder in (fleet / "run", tmp_path / "r"))
    for a, b in zip(first.params, again.params, strict=True):
        np.testing.assert_array_equal(a, b)
    assert "test.rul.absorption.rmse" in out
    assert f"report: {tmp_path / 'r' / 'report.html'}" in out


@pytest.mark.slow
def test_existing_run_is_refused_resumed_or_replaced(fleet, call, tmp_path):
    path = write(tmp_path)
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "comparison.csv").write_text("of a former run")
    words = ("fit", path, "--out", tmp_path / "r", "--no-cache")
    status, _, err = call(*words)
    assert status == cli.REFUSED
    assert "exists already. Continue with --resume, replace with --force" in err
    assert [p.name for p in (tmp_path / "r").iterdir()] == ["comparison.csv"]
    assert call(*words, "--force")[0] == cli.DONE
    assert not (tmp_path / "r" / "comparison.csv").exists()
    assert call(*words, "--resume")[0] == cli.DONE


def test_resume_needs_a_folder_and_one_fit(call, tmp_path):
    path = write(tmp_path)
    for words in (("--resume",), ("--resume", "--out", tmp_path / "r", "--over", "seed=0,1")):
        status, _, err = call("fit", path, *words)
        assert status == cli.REFUSED
        assert "--resume continues one fit in the folder that --out names" in err


def test_expectation_that_is_not_met_fails(call, tmp_path):
    path = write(tmp_path, recipe(expect={"iterations": [-2, -1]}))
    status, out, _ = call("fit", path, "--out", tmp_path / "r", "--no-cache")
    assert status == cli.FAILED
    assert "NOT MET: iterations = " in out
    assert (tmp_path / "r" / "fit.nc").is_file()


def test_expectation_of_an_unknown_figure_is_refused(call, tmp_path):
    path = write(tmp_path, recipe(expect={"loglike": [0, 1]}))
    status, out, _ = call("fit", path, "--out", tmp_path / "r", "--json", "--no-cache")
    assert status == cli.REFUSED
    assert "[expect] 'loglike': no such figure. Did you mean 'loglik'?" in json.loads(out)["error"]
    assert not (tmp_path / "r").exists()


@pytest.mark.slow
def test_ctrl_c_after_the_fit_keeps_it(call, tmp_path, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("neurolatent.recipe.run.assess_units", stop)
    test = {"folds": 2, "edges": [0.0, 0.66, 1.0]}
    path = write(tmp_path, recipe(test=test, expect={"alarm.delay": [0, 1]}))
    status, out, err = call("fit", path, "--out", tmp_path / "r", "--json", "--no-cache")
    assert status == cli.INTERRUPTED
    summary = json.loads(out)
    assert summary["interrupted"] is True
    assert summary["expectations"][0]["met"] is False
    assert Fit.load(tmp_path / "r" / "fit.nc").converged
    assert "--resume" in err


def test_ctrl_c_before_there_is_anything(call, tmp_path, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("neurolatent.recipe.plan.recording_of", stop)
    status, out, err = call("fit", write(tmp_path), "--out", tmp_path / "r", "--json")
    assert status == cli.INTERRUPTED
    assert "interrupted" in json.loads(out)["error"]
    assert "Traceback" not in err
    assert not (tmp_path / "r").exists()


# --- bad input ---------------------------------------------------------------------------------------------------


def spoil(row: int, column: str, value: object) -> pd.DataFrame:
    """The table with one cell changed; row 1 is the first."""
    data = table().astype(object)
    data.loc[row - 1, column] = value
    return data


def known(text: str) -> dict:
    """The recipe with intervals that stand in known.csv, which holds ``text``."""
    options = with_data(knowledge={"intervals": {"path": "known.csv", "levels": ["good", "bad"]}})
    return {**options, "_known": "sequence,first,last,level,confidence\n" + text}


UNIT_2 = int((table()["unit"] == 1).sum()) + 1  # the first row of unit 2
SHORT = pd.concat([table(), table(1, first=99).head(2)])

BAD = {
    "missing column": (with_data(signals={"s": ["lvel"]}), None, ["fleet.csv", "'lvel'", "Did you mean 'level'"]),
    "text in numbers": (
        None,
        spoil(UNIT_2 + 4, "level", "high"),
        ["fleet.csv", "unit 2", f"row {UNIT_2 + 4}", "'high'"],
    ),
    "infinite value": (None, spoil(3, "level", np.inf), ["fleet.csv", "unit 1", "row 3", "leave the cell empty"]),
    "cycle twice": (None, spoil(UNIT_2 + 1, "cycle", 1), ["fleet.csv", "unit 2", f"row {UNIT_2 + 1}", "cycle"]),
    "cycle falls": (None, spoil(UNIT_2 + 5, "cycle", 2), ["fleet.csv", "unit 2", f"row {UNIT_2 + 5}", "cycle"]),
    "short unit": (with_data(knowledge={}), SHORT, ["fleet.csv", "sequence 99", "2 samples", "at least 3", "Drop it"]),
    "confidence": (known("1,1,9,good,1.5\n"), None, ["known.csv", "row 1", "confidence must lie in [0, 1]", "1.5"]),
    "plausibility": (
        with_data(knowledge={"life_fraction": {"edges": [0, 1], "off": -0.5}}),
        None,
        ["[data.knowledge].life_fraction", "off must lie in [0.0, 1.0]", "-0.5"],
    ),
    "all-zero row": (
        known("2,1,9,good,1\n2,7,12,bad,1\n"),
        None,
        ["fleet.csv", "sequence 2", "row 7", "exclude every state", "Lower the confidence"],
    ),
    "contradiction": (
        known("3,1,9,bad,1\n3,20,25,good,1\n"),
        None,
        ["fleet.csv", "sequence 3", "no way to get here", "'bidiagonal'", "Correct the knowledge"],
    ),
    "unknown key": (recipe(model={"name": "arphmm", "n_stats": 2}), None, ["[model]", "'n_stats'", "'n_states'"]),
    "unknown section": (recipe(modle={}), None, ["recipe.toml", "'modle'", "Did you mean 'model'"]),
    "unknown option": (with_data(seqence="unit"), None, ["fleet.csv", "'seqence'", "Did you mean 'sequence"]),
    "unknown model": (recipe(model={"name": "arhmm", "n_states": 2}), None, ["[model]", "'arhmm'", "'arphmm'"]),
    "unknown engine": (recipe(engine={"name": "nut"}), None, ["[engine]", "'nut'", "Did you mean 'nuts'"]),
    "unknown step": (recipe(prepare=[{"name": "standardize"}]), None, ["[[prepare]]", "Did you mean 'standardise'"]),
    "no model name": (recipe(model={"n_states": 2}), None, ["[model]: 'name' is missing", "arphmm"]),
    "wrong type": (recipe(model={"name": "arphmm", "n_states": "2"}), None, ["[model].n_states", "type int", "'2'"]),
    "no such card": (recipe(card="crad.md"), None, ["crad.md does not exist"]),
    "no such file": (with_data(path="fleets.csv"), None, ["fleets.csv does not exist", "Did you mean 'fleet.csv'"]),
    "unknown key of test": (recipe(test={"fold": 2}), None, ["[test]", "'fold'", "Did you mean 'folds'"]),
    "folds without edges": (recipe(test={"folds": 2}), None, ["[test]", "'edges'"]),
    "too many folds": (recipe(test={"folds": 9, "edges": [0.0, 0.5, 1.0]}), None, ["fleet.csv", "2..8", "9"]),
    "test that is not there": (recipe(test={"path": "no.csv"}), None, ["no.csv does not exist"]),
    "horizon too long": (
        recipe(test={**OPTIONS, "path": "fleet.csv", "horizon": 90}),
        None,
        ["[test]", "horizon of 90"],
    ),
    "horizon without data": (recipe(test={"horizon": 9}), None, ["[test]", "horizon needs a test recording"]),
    "entries hidden from states": (recipe(test={"hide": {"share": 0.1}}), None, ["[test] hide", "ARPHMM", "[cv]"]),
    "arms without folds": (recipe(arms={"a": {"model.order": 0}}), None, ["[arms]", "folds and edges"]),
    "unknown key of an arm": (
        recipe(test={"folds": 2, "edges": [0.0, 0.5, 1.0]}, arms={"a": {"model.oder": 0}}),
        None,
        ["'oder'", "Did you mean 'order'"],
    ),
    "failures unknown": (
        {
            **(r := recipe(test={"folds": 2, "edges": [0.0, 0.5, 1.0]})),
            "data": {k: r["data"][k] for k in ("path", *OPTIONS)},
        },
        None,
        ["fleet.csv", "ran to failure", "failed=True"],
    ),
}


@pytest.mark.parametrize(("tables", "data", "words"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_and_nothing_is_written(tables, data, words, call, tmp_path):
    tables = recipe() if tables is None else dict(tables)
    (tmp_path / "known.csv").write_text(tables.pop("_known", ""))
    path = write(tmp_path, tables, data)
    status, out, err = call("fit", path, "--out", tmp_path / "run", "--json", "--no-cache")
    assert status == cli.REFUSED, err
    message = json.loads(out)["error"]
    assert err == f"refused: {message}\n"
    for word in words:
        assert word in message
    assert sorted(p.name for p in tmp_path.iterdir()) == ["fleet.csv", "known.csv", "recipe.toml"]


def test_truncated_gzip_is_refused(call, tmp_path):
    path = write(tmp_path, with_data(path="fleet.csv.gz"))
    (tmp_path / "fleet.csv.gz").write_bytes(gzip.compress((tmp_path / "fleet.csv").read_bytes())[:200])
    status, _, err = call("fit", path, "--out", tmp_path / "run")
    assert status == cli.REFUSED
    assert "fleet.csv.gz: the gzip file is cut short or damaged" in err
    assert "again" in err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("place", ["fleet.csv", "fleet.csv/below", "/proc/run"])
def test_unwritable_folder_is_refused_before_the_work(place, call, tmp_path, monkeypatch):
    path = write(tmp_path)
    monkeypatch.setattr("neurolatent.recipe.run.fit", lambda *_, **__: pytest.fail("the work was begun"))
    status, _, err = call("fit", path, "--out", tmp_path / place)
    assert status == cli.REFUSED
    assert str(tmp_path / place) in err
    assert "Choose another --out" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fti"], "No such command"),
        (["fit"], "Missing argument"),
        (["fit", "x.toml", "--ot", "y"], "No such option"),
        (["simulate", "x", "--out", "y", "--length", "1"], "Invalid value"),
        (["cite", "arhmm"], "Did you mean 'arphmm'?"),
        (["fit", "nothing.toml"], "nothing.toml does not exist"),
        (["check", "nothing"], "is no run"),
        (["describe", "nothing.csv"], "nothing.csv does not exist"),
        (["predict", "run", "nothing.csv"], "nothing.csv does not exist"),
        (["compare", "run", "other", "--data", "nothing.csv"], "nothing.csv does not exist"),
    ],
)
def test_words_that_are_not_understood_are_refused(words, message, call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, err = call(*words)
    assert (status, out) == (cli.REFUSED, "")
    assert message in err
    assert list(tmp_path.iterdir()) == []


# --- what is masked, and what is answered for the others ---------------------------------------------------------


def test_missing_values_and_cycles_are_masked_and_listed(call, tmp_path):
    data = table()
    data.loc[7, "level"] = np.nan
    data = data.drop(index=UNIT_2 + 9)
    status, _, err = call("fit", write(tmp_path, data=data), "--out", tmp_path / "run", "--no-cache")
    assert status == cli.DONE, err
    listed = "1 missing steps were masked: sequence 2 at 11"
    log = (tmp_path / "run" / "log.txt").read_text()
    assert listed in log
    assert "not observed" in log
    assert listed in (tmp_path / "run" / "report.html").read_text()


def test_unit_that_is_too_short_does_not_keep_the_others_from_an_answer(fleet, call, tmp_path):
    data = pd.read_csv(fleet / "running.csv")
    data[(data["unit"] != 102) | (data["cycle"] == 1)].to_csv(tmp_path / "new.csv", index=False)
    status, out, _ = call("predict", fleet / "run", tmp_path / "new.csv", "--json", "--no-cache")
    assert status == cli.DONE
    units = json.loads(out)["units"]
    assert [u["unit"] for u in units] == ["101", "102", "103"]
    assert "needs at least 2" in units[1]["note"]
    assert units[1]["rul_median"] is None
    assert units[0]["rul_median"] is not None


def test_only_units_that_are_too_short_are_refused(fleet, call, tmp_path):
    pd.read_csv(fleet / "running.csv").query("cycle == 1").to_csv(tmp_path / "new.csv", index=False)
    status, _, err = call("predict", fleet / "run", tmp_path / "new.csv", "--no-cache")
    assert status == cli.REFUSED
    assert "no sequence is long enough" in err


# --- the other commands ------------------------------------------------------------------------------------------


def test_predict_says_what_the_fit_says(fleet, call, tmp_path):
    words = ("predict", fleet / "run", fleet / "running.csv", "--outcomes", fleet / "remaining.csv", "--no-cache")
    status, out, _ = call(*words, "--json", "--out", tmp_path / "units.csv")
    assert status == cli.DONE
    got = json.loads(out)
    fit = Fit.load(fleet / "run" / "fit.nc")
    recording = new_recording(read_recipe(fleet / "run" / "recipe.toml"), fleet / "running.csv", None)
    want = fleet_table(fit, recording)
    pd.testing.assert_frame_equal(pd.DataFrame(got["units"]), want, check_dtype=False)
    written = pd.read_csv(got["paths"]["table"], dtype={"unit": str}, keep_default_na=False, na_values=[""])
    pd.testing.assert_series_equal(written["rul_median"], want["rul_median"])
    filtered = fit.predict(recording)
    last = np.flatnonzero(filtered["sample_sequence"].values == "101")[-1]
    assert got["units"][0]["fault_probability"] == 1 - filtered["filtered"].values[last, 0]
    summary = json.loads((fleet / "run" / "summary.json").read_text())
    name = "test.rul.absorption.rmse"
    assert got["figures"][name] == pytest.approx(summary["figures"][name])
    assert {"seconds", "seed", "versions"} <= set(got)


def test_predict_prints_a_table(fleet, call):
    status, out, _ = call("predict", fleet / "run", fleet / "running.csv", "--no-cache")
    assert status == cli.DONE
    assert out.splitlines()[0].split()[:2] == ["unit", "last"]
    assert len(out.splitlines()) == 4


def test_data_may_lie_in_the_folder_of_recordings(fleet, call, monkeypatch):
    monkeypatch.setenv("NEUROLATENT_DATA", str(fleet))
    status, out, _ = call("predict", fleet / "run", "data:running.csv", "--no-cache")
    assert status == cli.DONE
    assert len(out.splitlines()) == 4
    monkeypatch.delenv("NEUROLATENT_DATA")
    assert call("describe", "data:running.csv")[0] == cli.REFUSED


def test_predict_refuses_a_table_that_cannot_be_written(fleet, call, tmp_path):
    out = fleet / "running.csv" / "units.csv"
    status, _, err = call("predict", fleet / "run", fleet / "running.csv", "--out", out, "--no-cache")
    assert status == cli.REFUSED
    assert "cannot be written" in err


def test_predict_refuses_other_data(fleet, call, tmp_path):
    pd.read_csv(fleet / "running.csv").rename(columns={"level": "lvl"}).to_csv(tmp_path / "new.csv", index=False)
    status, _, err = call("predict", fleet / "run", tmp_path / "new.csv", "--no-cache")
    assert status == cli.REFUSED
    assert "new.csv" in err
    assert "'level'" in err


def test_check_tells_the_verdict(fleet, call):
    status, out, _ = call("check", fleet / "run", "--json")
    got = json.loads(out)
    failing = [row for row in got["verdicts"] if row["verdict"] == "fail"]
    assert status == (cli.FAILED if failing else cli.DONE)
    assert got["verdicts"] == json.loads((fleet / "run" / "summary.json").read_text())["verdicts"]
    status, out, _ = call("check", fleet / "run")
    assert out.startswith(f"verdict: {got['verdict']}")


def test_check_fails_where_a_row_fails(fleet, call, monkeypatch):
    from neurolatent.diagnostics import Diagnosis, Row

    bad = Diagnosis((Row("a", 1.0, "0", "pass", "-"), Row("b", float("nan"), "0", "fail", "look")))
    monkeypatch.setattr("neurolatent.diagnostics.check", lambda _: bad)
    status, out, _ = call("check", fleet / "run", "--json")
    assert status == cli.FAILED
    assert json.loads(out)["verdicts"][1]["value"] is None


def test_report_is_written_again(fleet, call):
    path = fleet / "run" / "report.html"
    before = path.read_bytes()
    path.unlink()
    status, out, _ = call("report", fleet / "run", "--json")
    assert status == cli.DONE
    assert json.loads(out)["paths"]["report"] == str(path)
    assert len(path.read_bytes()) == pytest.approx(len(before), rel=0.02)


def test_simulate_writes_a_recording(fleet, call, tmp_path):
    words = ("simulate", fleet / "run", "--sequences", 3, "--length", 30, "--json")
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        status, out, err = call(*words, "--out", tmp_path / f"{name}.nc", "--seed", seed)
        assert status == cli.DONE, err
        assert json.loads(out)["paths"]["recording"] == str(tmp_path / f"{name}.nc")
    first, again, other = (load(tmp_path / f"{name}.nc") for name in "abc")
    assert first.lengths.tolist() == [30, 30, 30]
    assert set(first.signals) == {"signal", "state"}
    assert first.fingerprint() == again.fingerprint() != other.fingerprint()


@pytest.mark.slow
def test_compare_ranks_runs(fleet, call, tmp_path):
    path = write(tmp_path, recipe(model={"name": "arphmm", "n_states": 1, "order": 1}))
    assert call("fit", path, "--out", tmp_path / "one", "--no-cache")[0] == cli.DONE
    words = ("compare", tmp_path / "one", fleet / "run")
    status, out, _ = call(*words, "--data", fleet / "running.csv", "--json")
    assert status == cli.DONE
    ranking = json.loads(out)["ranking"]
    assert [row["fit"] for row in ranking] == [str(fleet / "run"), str(tmp_path / "one")]
    assert ranking[0]["difference"] == 0.0
    status, _, err = call(*words)
    assert status == cli.REFUSED
    assert "pass a recording that the fits have not seen" in err


def test_describe(fleet, call):
    status, out, _ = call("describe", fleet / "fleet.csv", "--sequence", "unit", "--clock", "cycle", "--json")
    got = json.loads(out)
    assert (status, got["sequences"], got["samples"]) == (cli.DONE, 8, len(table()))
    status, out, _ = call("describe", fleet / "fleet.csv", "--sequence", "unit", "--clock", "cycle")
    assert out.startswith("fleet.csv: 8 sequences")


def test_cite(call):
    status, out, _ = call("cite", "ARPHMM")
    assert status == cli.DONE
    assert "2105.00211" in out
    assert json.loads(call("cite", "arphmm", "--json")[1])["citations"] == out.splitlines()


def test_version_and_help(call):
    from neurolatent._version import __version__

    assert call("--version") == (cli.DONE, f"{__version__}\n", "")
    status, out, _ = call("--help")
    assert status == cli.DONE
    for command in ("fit", "check", "report", "predict", "compare", "simulate", "describe", "cite"):
        assert command in out


# --- sweeps ------------------------------------------------------------------------------------------------------


def test_sweep_writes_a_table_and_curves(fleet, call, tmp_path):
    words = (
        "fit",
        fleet / "recipe.toml",
        "--out",
        tmp_path / "s",
        "--over",
        "engine.steps=4,5",
        "--json",
        "--no-cache",
    )
    status, out, err = call(*words)
    assert status == cli.DONE, err
    got = json.loads(out)
    assert {"figures", "paths", "seconds", "versions", "seed", "points"} <= set(got)
    written = pd.read_csv(got["paths"]["sweep"])
    assert written["engine.steps"].tolist() == [4, 5]
    assert written["converged"].tolist() == [0.0, 0.0]
    assert Path(got["paths"]["curves"]).read_bytes().startswith(b"\x89PNG")
    assert got["figures"]["iterations@steps=4.mean"] == 4.0
    assert "2 fits over 2 values of steps" in Path(got["paths"]["report"]).read_text()
    files = {"recipe.toml", "report.html", "sweep.csv", "sweep.png", "summary.json"}
    assert {p.name for p in (tmp_path / "s").iterdir()} == files


def test_sweep_over_words_or_seeds_needs_no_curve(call, tmp_path):
    words = ("fit", write(tmp_path), "--out", tmp_path / "s", "--over", "engine.start=segments,knowledge", "--json")
    status, out, err = call(*words, "--no-cache")
    assert status == cli.DONE, err
    assert "curves" not in json.loads(out)["paths"]


def test_a_sweep_is_held_to_what_its_own_grid_expects(call, tmp_path):
    expect = {"iterations@steps=2.median": [2.0, 2.0], "iterations@steps=3.median": [9.0, 9.0]}
    path = write(tmp_path, recipe(sweep={"engine.steps": [2, 3]}, expect=expect))
    status, out, err = call("fit", path, "--out", tmp_path / "s", "--json", "--no-cache")
    assert status == cli.FAILED, err
    assert [row["met"] for row in json.loads(out)["expectations"]] == [True, False]


def test_interrupted_sweep_keeps_what_is_done(call, tmp_path, monkeypatch):
    from neurolatent.recipe import run

    real, done = run.run_recipe, []

    def stops_at_the_second(*args, **kwargs):
        if done:
            raise KeyboardInterrupt
        done.append(1)
        return real(*args, **kwargs)

    monkeypatch.setattr(run, "run_recipe", stops_at_the_second)
    words = ("fit", write(tmp_path), "--out", tmp_path / "s", "--over", "seed=0..4", "--json", "--no-cache")
    status, out, _ = call(*words)
    assert status == cli.INTERRUPTED
    assert (json.loads(out)["points"], json.loads(out)["interrupted"]) == (1, True)
    assert len(pd.read_csv(tmp_path / "s" / "sweep.csv")) == 1


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ("modle.n_states=2,3", "Did you mean 'model'"),
        ("model.n_stats=2,3", "Did you mean 'n_states'"),
        ("model.n_states", "write KEY=VALUES"),
    ],
)
def test_faulty_grids_are_refused(over, message, call, tmp_path):
    status, _, err = call("fit", write(tmp_path), "--out", tmp_path / "s", "--over", over, "--no-cache")
    assert status == cli.REFUSED
    assert message in err
    assert not (tmp_path / "s").exists()


# --- folds and arms ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_arms_are_compared_on_held_out_units(call, tmp_path):
    arms = {"blind": {"data.knowledge": {}}}
    tables = recipe(test={"folds": 2, "edges": [0.0, 0.66, 1.0]}, arms=arms, expect={"blind.alarm.missed": [0, 1]})
    status, out, err = call("fit", write(tmp_path, tables), "--out", tmp_path / "r", "--json", "--no-cache")
    assert status == cli.DONE, err
    figures = json.loads(out)["figures"]
    written = pd.read_csv(tmp_path / "r" / "comparison.csv")
    assert written["arm"].tolist() == ["as written", "blind"]
    assert figures["states.agreement"] == pytest.approx(written["states.agreement"][0])
    assert figures["blind.states.agreement"] == pytest.approx(written["states.agreement"][1])
    assert (written["states.agreement_low"] <= written["states.agreement"]).all()
    assert figures["states.agreement"] > 0.8
    assert "blind" in (tmp_path / "r" / "report.html").read_text()
    (tmp_path / "r" / "report.html").unlink()
    assert call("report", tmp_path / "r")[0] == cli.DONE
    assert "blind" in (tmp_path / "r" / "report.html").read_text()


@pytest.mark.slow
def test_simulated_data_with_true_states(call, tmp_path):
    simulate = {
        "sequences": 4,
        "length": 60,
        "model": {"n_states": 2, "order": 0, "transitions": "ergodic"},
        "params": {
            "initial": [0.5, 0.5],
            "transition": [[0.9, 0.1], [0.1, 0.9]],
            "coefficients": [[[3.0]], [[-3.0]]],
            "covariance": [[[1.0]], [[1.0]]],
        },
    }
    tables = {
        "data": {"simulate": simulate, "knowledge": {"labels": {"signal": "state", "of": 2, "share": 0.2}}},
        "model": {"name": "arphmm", "n_states": 2, "order": 0, "transitions": "ergodic", "signal": "signal"},
        "test": {"simulate": {**simulate, "sequences": 2}, "horizon": 5},
    }
    path = tmp_path / "sim.toml"
    path.write_text(tomli_w.dumps(tables))
    status, out, err = call("fit", path, "--out", tmp_path / "r", "--json", "--no-cache")
    assert status == cli.DONE, err
    figures = json.loads(out)["figures"]
    assert figures["states.agreement"] > 0.9
    assert figures["states.accuracy"] > 0.95
    assert 0 < figures["forecast.rmse"] < 5
    with xr.open_datatree(tmp_path / "r" / "fit.nc") as tree:
        assert "latents" in tree.children
