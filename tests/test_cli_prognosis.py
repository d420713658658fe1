"""The command line with a prognosis: units at risk, figures, checks, odd units, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from neurolatent import cli
from neurolatent.prognostics import Prognosis, risk_table
from neurolatent.recipe import read_recipe
from neurolatent.recipe.folder import new_recording
from tests.small_fleet import recipe, running, table, write, write_running

LIGHT = {"trees": 10, "leaves": 4, "least_rows": 10}
AHEAD = {
    "horizon": 15,
    "cap": 50,
    "folds": 3,
    "cuts": 6,
    "least_seen": 5,
    "readouts": [
        {"name": "features", "regressor": LIGHT},
        {"name": "absorption"},
        {"name": "similarity", "nearest": 3},
        "crossing",
    ],
    "baselines": [{"name": "constant"}, {"name": "survivors"}],
}
TEST = {
    "path": "running.csv",
    "sequence": "unit",
    "clock": "cycle",
    "clock_unit": "cycle",
    "failed": False,
    "sequences": "remaining.csv",
    "signals": {"signal": ["level"]},
}
NO_KNOWLEDGE = {"no_knowledge": {"data.knowledge": {}}}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory) -> Path:
    """A folder with the fleet, running units and a finished run with a prognosis and an arm."""
    folder = tmp_path_factory.mktemp("fleet")
    write_running(folder)
    path = write(folder, recipe(prognosis=AHEAD, test=TEST, arms=NO_KNOWLEDGE))
    assert cli.run(["fit", str(path), "--out", str(folder / "run"), "--no-cache", "--json"]) == cli.DONE
    return folder


def summary(fleet: Path) -> dict:
    return json.loads((fleet / "run" / "summary.json").read_text())


@pytest.mark.slow
def test_figures_stand_under_every_lines_name(fleet):
    figures = summary(fleet)["figures"]
    scores = ("rmse", "score", "accuracy", "coverage80", "rmse_capped50", "crps")
    for line in (
        "",
        "features.",
        "absorption.",
        "constant.",
        "without_states.",
        "no_knowledge.",
        "no_knowledge.absorption.",
    ):
        for score in scores:
            assert np.isfinite(figures[f"{line}rul.{score}"]), (line, score)
            assert np.isfinite(figures[f"cv.{line}rul.{score}"]), (line, score)
    assert "no_knowledge.constant.rul.rmse" not in figures, "an arm repeats nothing that knowledge does not touch"
    assert figures["rul.rmse"] < figures["constant.rul.rmse"]


@pytest.mark.slow
def test_run_holds_the_prognosis_and_its_lines(fleet):
    paths = summary(fleet)["paths"]
    lines = pd.read_csv(paths["lives"])
    assert set(lines["on"]) == {"held-out units", "running units"}
    assert {"fusion", "without_states", "constant", "no_knowledge.fusion"} <= set(lines["line"])
    assert Prognosis.load(paths["prognosis"]).settings.readouts[2].nearest == 3
    asked = [v["what"] for v in summary(fleet)["verdicts"]]
    assert "coverage of the 80 % intervals of remaining life" in asked


@pytest.mark.slow
def test_predict_prints_the_units_at_risk_first(fleet, call):
    status, out, _ = call("predict", fleet / "run", fleet / "running.csv", "--horizon", "12", "--json", "--no-cache")
    got = json.loads(out)
    assert status == cli.DONE
    assert got["horizon"] == 12
    risks = [unit["risk"] for unit in got["units"]]
    assert risks == sorted(risks, reverse=True)
    recording = new_recording(read_recipe(fleet / "run" / "recipe.toml"), fleet / "running.csv", None)
    want = risk_table(Prognosis.load(fleet / "run" / "prognosis.nc"), recording, 12)
    assert [unit["unit"] for unit in got["units"]] == want["unit"].tolist()
    np.testing.assert_array_equal(risks, want["risk"])


@pytest.mark.slow
def test_predict_takes_the_horizon_of_the_recipe_and_scores_where_the_truth_is_given(fleet, call):
    words = (
        "predict",
        fleet / "run",
        fleet / "running.csv",
        "--outcomes",
        fleet / "remaining.csv",
        "--json",
        "--no-cache",
    )
    got = json.loads(call(*words)[1])
    assert got["horizon"] == 15
    assert got["figures"]["rul.rmse"] == pytest.approx(summary(fleet)["figures"]["rul.rmse"])


@pytest.mark.slow
def test_check_and_report_know_the_prognosis(fleet, call):
    _, out, _ = call("check", fleet / "run")
    assert "remaining life" in out
    status, _, _ = call("report", fleet / "run")
    page = (fleet / "run" / "report.html").read_text()
    assert status == cli.DONE
    assert "Which units will fail within 15 cycles?" in page
    assert "How far can remaining life be trusted?" in page


@pytest.mark.slow
def test_odd_units_are_answered_with_a_note_or_refused_alone(fleet, call, tmp_path):
    """One dies in its sensor, one is a training unit, one is two rows short; the others are as before."""
    units, _ = running()
    trained = table()
    dead = units["unit"] == units["unit"].unique()[0]
    odd = units.assign(level=units["level"].where(~dead | (units["cycle"] < units.loc[dead, "cycle"].max() - 10)))
    short = pd.DataFrame({"unit": 900, "cycle": [1, 2], "level": [0.1, 0.2]})
    empty = pd.DataFrame({"unit": 901, "cycle": [1, 2, 3], "level": [np.nan] * 3})
    known = trained[trained["unit"] == 1].iloc[:-8]
    path = tmp_path / "odd.csv"
    pd.concat([odd, short, empty, known]).to_csv(path, index=False)
    status, out, _ = call("predict", fleet / "run", path, "--json", "--no-cache")
    got = {unit["unit"]: unit for unit in json.loads(out)["units"]}
    assert status == cli.DONE
    first, second = (str(u) for u in units["unit"].unique()[:2])
    assert "level gave nothing lately" in got[first]["note"]
    assert got[second]["note"] == ""
    assert np.isfinite(got["900"]["rul_median"])
    assert "trained on" in got["1"]["note"]
    assert got["901"]["note"] != ""
    _, plain, _ = call("predict", fleet / "run", fleet / "running.csv", "--json", "--no-cache")
    before = {unit["unit"]: unit for unit in json.loads(plain)["units"]}
    assert got[second] == before[second], "other units change nothing"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"folds": 1}, "[prognosis]: folds must be a whole number of at least 2, got 1"),
        ({"readouts": [{"name": "absorbtion"}]}, "there is no read-out 'absorbtion'. Did you mean 'absorption'?"),
        ({"readouts": [{"name": "similarity", "nearst": 3}]}, "unknown key 'nearst'. Did you mean 'nearest'"),
        ({"readouts": []}, "at least one must be there"),
        ({"readouts": "similarity"}, "write one table [[prognosis.readouts]] for each"),
        ({"horizon": 0}, "[prognosis].horizon must be a number above 0, got 0"),
        ({"life_left": [20, 10]}, "life_left must hold two rising numbers"),
        ({"cup": 50}, "unknown key 'cup'. Did you mean 'cap'?"),
    ],
)
def test_a_faulty_section_is_refused_and_nothing_written(change, message, call, tmp_path):
    path = write(tmp_path, recipe(prognosis={**AHEAD, **change}))
    status, _, err = call("fit", path, "--out", tmp_path / "run")
    assert status == cli.REFUSED
    assert message in err
    assert not (tmp_path / "run").exists()


def test_horizon_needs_a_prognosis(call, tmp_path):
    write_running(tmp_path)
    path = write(tmp_path)
    assert call("fit", path, "--out", tmp_path / "run", "--no-cache")[0] == cli.DONE
    status, _, err = call("predict", tmp_path / "run", tmp_path / "running.csv", "--horizon", "10")
    assert status == cli.REFUSED
    assert "--horizon needs a prognosis" in err
    status, _, err = call("predict", tmp_path / "run", tmp_path / "running.csv", "--horizon", "-3")
    assert status == cli.REFUSED


@pytest.mark.slow
def test_a_negative_horizon_is_refused(fleet, call):
    status, _, err = call("predict", fleet / "run", fleet / "running.csv", "--horizon", "-3", "--no-cache")
    assert status == cli.REFUSED
    assert "horizon must be above 0 and finite, got -3.0" in err
