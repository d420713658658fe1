"""The command line as its own process: exit status, streams, Ctrl-C, and a kill in the middle of a fit."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from neurolatent.result import Fit
from tests.small_fleet import recipe, write

COMMAND = Path(sys.executable).with_name("neurolatent")
LONG = {"name": "em", "steps": 1_000_000, "tolerance": 0.0, "min_steps": 1_000_000}


def start(*words: object, **environment: str) -> subprocess.Popen:
    command = [str(COMMAND), *(str(w) for w in words)]
    env = {**os.environ, **environment}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)


def ended(*words: object, **environment: str) -> tuple[int, str, str]:
    process = start(*words, **environment)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def wait_for(path: Path, process: subprocess.Popen, seconds: float = 200.0) -> None:
    until = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until, f"{path} did not come"
        time.sleep(0.02)


def test_the_package_can_be_run_where_its_script_is_not_on_the_path():
    words = [sys.executable, "-m", "neurolatent", "cite", "biclustering"]
    told = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert (told.returncode, told.stderr) == (0, "")
    assert "2309.02213" in told.stdout


def test_refusal_is_a_line_without_traceback(tmp_path):
    path = write(tmp_path, recipe(model={"name": "arphmm", "n_stats": 2}))
    status, out, err = ended("fit", path, "--out", tmp_path / "r", "--json")
    assert status == 2
    assert err.startswith("refused: recipe: [model]: unknown key 'n_stats'. Did you mean 'n_states'")
    assert len(err.splitlines()) == 1
    assert set(json.loads(out)) == {"error"}
    assert not (tmp_path / "r").exists()


@pytest.mark.slow
def test_compiled_programs_are_kept_unless_told(tmp_path, monkeypatch):
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")  # the one of the tests would be taken
    path = write(tmp_path, recipe(engine={"name": "em", "steps": 3}))
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    assert ended("fit", path, "--out", tmp_path / "a", "--no-cache", **environment)[0] == 0
    assert not (tmp_path / "cache" / "neurolatent").exists()
    status, out, err = ended("fit", path, "--out", tmp_path / "b", "--json", **environment)
    assert status == 0, err
    assert json.loads(out)["interrupted"] is False
    kept = {p.name for p in (tmp_path / "cache").rglob("*") if p.is_file()}
    assert any("advance" in name for name in kept)
    status, _, err = ended("fit", path, "--out", tmp_path / "c", **environment)
    assert status == 0, err
    assert {p.name for p in (tmp_path / "cache").rglob("*-cache")} <= kept


@pytest.mark.slow
def test_ctrl_c_in_the_fit_keeps_what_there_is(tmp_path):
    path, run = write(tmp_path, recipe(engine=LONG)), tmp_path / "r"
    process = start("fit", path, "--out", run, "--json", "--no-cache")
    wait_for(run / "checkpoint" / "state.npz", process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert json.loads(out)["interrupted"] is True
    fit = Fit.load(run / "fit.nc")
    assert (fit.interrupted, fit.converged) == (True, False)
    assert np.isfinite(fit.params.coefficients).all()
    assert {"report.html", "summary.json", "checkpoint", "fleet.csv", "log.txt"} < set(os.listdir(run))


@pytest.mark.slow
def test_killed_fit_resumes_to_the_same_bits(tmp_path):
    engine = {**LONG, "steps": 80_000}
    path = write(tmp_path, recipe(engine=engine))
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    process = start("fit", path, "--out", killed, "--no-cache")
    wait_for(killed / "checkpoint" / "state.npz", process)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert os.listdir(killed) == ["checkpoint"]
    with np.load(killed / "checkpoint" / "state.npz") as state:
        taken = [int(v.max()) for v in state.values() if v.dtype.kind == "i" and v.size == 1]
    assert any(0 < n < engine["steps"] for n in taken), "the checkpoint is of the middle of the fit"
    status, out, err = ended("fit", path, "--out", killed, "--resume", "--json", "--no-cache")
    assert status == 0, err
    assert json.loads(out)["figures"]["iterations"] == engine["steps"]
    assert ended("fit", path, "--out", whole, "--no-cache")[0] == 0
    first, again = Fit.load(whole / "fit.nc"), Fit.load(killed / "fit.nc")
    for a, b in zip(first.params, again.params, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(first.idata["trace"]["objective"], again.idata["trace"]["objective"])
    assert not (killed / "checkpoint").exists()


@pytest.mark.slow
def test_checkpoint_of_another_fit_is_refused(tmp_path):
    path, run = write(tmp_path, recipe(engine=LONG)), tmp_path / "r"
    process = start("fit", path, "--out", run, "--no-cache")
    wait_for(run / "checkpoint" / "state.npz", process)
    process.kill()
    process.communicate()
    write(tmp_path, recipe(engine=LONG, seed=1))
    status, _, err = ended("fit", path, "--out", run, "--resume", "--no-cache")
    assert status == 2
    assert "belongs to another fit: seed differ" in err
    assert "--force" in err
    assert os.listdir(run) == ["checkpoint"]
