"""A decoding recipe from end to end: figures, other methods, tables of new data, the report, regressors by name."""

import json

import numpy as np
import pandas as pd
import pytest

from neurolatent.checks import InputError
from neurolatent.models.dkf import DKF
from neurolatent.models.regressors import GaussianProcess, NadarayaWatson
from neurolatent.recipe.objects import build
from tests.models.dkf.recordings import simulated

RECIPE = """
seed = 1
[data]
path = "DATA"
cut = [0, 300]
signals = { neural = ["n0", "n1", "n2", "n3", "n4", "n5"], velocity = ["vx", "vy"] }
[model]
name = "dkf"
target = "velocity"
regressor = "ridge"
[engine]
name = "two_stage"
calibrate = true
[test]
path = "DATA"
cut = [300]
signals = { neural = ["n0", "n1", "n2", "n3", "n4", "n5"], velocity = ["vx", "vy"] }
[arms.kalman]
"model.regressor" = "linear_observation"
[arms.nw]
"model.regressor" = { name = "nw", bandwidth = 0.5 }
[expect]
"nrmse" = [0.0, 1.0]
"kalman.r2.vx" = [0.0, 1.0]
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    made = simulated(0, (500,), level=0.0)
    columns = {f"n{n}": made.signal("neural").values[:, n] for n in range(6)}
    columns |= {f"v{axis}": made.signal("velocity").values[:, n] for n, axis in enumerate("xy")}
    path = tmp_path_factory.mktemp("data") / "reach.csv"
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def test_a_recipe_decodes_compares_and_tells_new_data(data, tmp_path, call):
    recipe, run = tmp_path / "reach.toml", tmp_path / "run"
    recipe.write_text(RECIPE.replace("DATA", str(data)))
    status, out, err = call("fit", recipe, "--out", run, "--json", "--no-cache")
    assert status == 0, err
    figures = json.loads(out)["figures"]
    assert {"nrmse", "angle_error", "r2.vx", "coverage95", "coverage95.before", "seconds_per_step"} <= set(figures)
    assert {"kalman.nrmse", "nw.indefinite_share", "nw.r2.vy"} <= set(figures)
    assert figures["smoothed.nrmse"] < figures["nrmse"] < figures["unfiltered.nrmse"] < 1
    methods = pd.read_csv(run / "comparison.csv")["method"].tolist()
    assert methods == ["ridge", "kalman", "nw", "ridge, unfiltered", "ridge, smoothed"]
    page = (run / "report.html").read_text("utf-8")
    for words in ("What was decoded", "Are the bands honest?", "Reliability", "How the state moves", "kalman"):
        assert words in page
    _told_of_new_data(data, tmp_path, run, call, figures)


def _told_of_new_data(data, tmp_path, run, call, figures):
    status, out, _ = call("predict", run, data, "--out", tmp_path / "decoded.parquet", "--json", "--no-cache")
    assert status == 0
    table = pd.read_parquet(tmp_path / "decoded.parquet")
    assert len(table) == len(json.loads(out)["units"]) == 500
    unknown = tmp_path / "unknown.csv"
    pd.read_csv(data).drop(columns=["vx", "vy"]).to_csv(unknown, index=False)
    status, out, err = call("predict", run, unknown, "--out", tmp_path / "decoded.csv", "--json", "--no-cache")
    assert status == 0, err
    assert json.loads(out)["figures"] == {}
    again = pd.read_csv(tmp_path / "decoded.csv")
    np.testing.assert_allclose(again["vx"], table["vx"])
    assert call("check", run)[0] == 0


def test_regressors_by_name():
    assert build(DKF, {"target": "v", "regressor": "gp"}, "here").regressor == GaussianProcess()
    table = {"target": "v", "regressor": {"name": "nw", "bandwidth": 2.0}}
    assert build(DKF, table, "here").regressor == NadarayaWatson(2.0)
    with pytest.raises(InputError, match=r"here.regressor: there is no 'gpp'. Did you mean 'gp'"):
        build(DKF, {"target": "v", "regressor": "gpp"}, "here")
    with pytest.raises(InputError, match=r"here.regressor: 'name' is missing; one of \['ridge'"):
        build(DKF, {"target": "v", "regressor": {}}, "here")


def test_cuts_that_are_refused(data, tmp_path, call):
    recipe = tmp_path / "reach.toml"
    for cut, words in (("300", "first, last"), ("[-1]", "whole number"), ("[600]", "leaves none")):
        recipe.write_text(RECIPE.replace("DATA", str(data)).replace("cut = [300]", f"cut = {cut}"))
        status, _, err = call("fit", recipe, "--out", tmp_path / "run")
        assert status == 2
        assert words in err


def test_candidates_are_compared_on_blocks_that_they_have_not_seen(data, tmp_path, call):
    recipe, out = tmp_path / "reach.toml", tmp_path / "choice"
    text = RECIPE.replace("DATA", str(data)).replace("calibrate = true", "calibrate = false")
    recipe.write_text(text + "[cv]\nfolds = 3\n")
    words = (
        "compare",
        recipe,
        "--over",
        "model.regressor=ridge,linear_observation",
        "--out",
        out,
        "--json",
        "--no-cache",
    )
    status, printed, err = call(*words)
    assert status == 0, err
    result = json.loads(printed)
    assert {"regressor=ridge.nrmse", "regressor=linear_observation.angle_error"} <= set(result["figures"])
    table = pd.read_csv(out / "comparison.csv")
    assert (table["nrmse"].diff().dropna() >= 0).all()
    assert (table["nrmse_low"] <= table["nrmse"]).all()
    assert result["chosen"] == table["candidate"][0]
    assert "Take regressor=" in (out / "report.html").read_text("utf-8")
    assert call("compare", recipe, "--over", "seed=0,1", "--out", tmp_path / "other")[0] == 2
    assert call("fit", recipe, "--out", tmp_path / "fit", "--no-cache")[0] == 0, "folds are for compare alone"
