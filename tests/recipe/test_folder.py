import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

from neurolatent.checks import InputError
from neurolatent.recipe import read_recipe
from neurolatent.recipe.folder import clean, new_recording, open_run, refuse_unwritable, run_folder, to_json, write_text
from tests.small_fleet import with_data, write, write_running

BELOW_A_FILE = "file/below/run"


def test_json_has_null_where_a_number_is_none():
    value = {"a": math.nan, "b": [np.float64("inf"), np.int64(3), np.bool_(True)], 3: ("x", None, Path("p"))}
    assert json.loads(to_json(value)) == {"a": None, "b": [None, 3, True], "3": ["x", None, "p"]}


def test_run_folder_has_a_name_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = run_folder(None, "fleet", resume=False, force=False)
    assert folder.parent == Path("runs")
    assert folder.name.startswith("fleet-20")
    assert not folder.exists()


def test_existing_run_is_refused_unless_told(tmp_path):
    (tmp_path / "run").mkdir()
    assert run_folder(tmp_path / "run", "x", resume=False, force=False) == tmp_path / "run"  # empty: nothing to lose
    (tmp_path / "run" / "summary.json").write_text("{}")
    with pytest.raises(InputError, match="run exists already.*--resume.*--force.*--out"):
        run_folder(tmp_path / "run", "x", resume=False, force=False)
    for choice in ({"resume": True, "force": False}, {"resume": False, "force": True}):
        assert run_folder(tmp_path / "run", "x", **choice) == tmp_path / "run"
    assert (tmp_path / "run" / "summary.json").exists()


def test_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(InputError, match="run is a file"):
        run_folder(tmp_path / "run", "x", resume=False, force=True)


@pytest.mark.parametrize("place", [BELOW_A_FILE, "/proc/run"])
def test_unwritable_places_are_refused(place, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written .*Choose another --out"):
        refuse_unwritable(tmp_path / place)


def test_looking_leaves_nothing_behind(tmp_path):
    refuse_unwritable(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


def test_text_is_whole_or_not_there(tmp_path, monkeypatch):
    path = write_text(tmp_path / "new" / "a.txt", "one")
    assert path.read_text() == "one"

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_text(path, "two")
    assert path.read_text() == "one"
    assert os.listdir(path.parent) == ["a.txt"]


def test_clean_takes_the_files_of_a_run_and_no_others(tmp_path):
    for name in ("fleet.csv", "comparison.csv", "notes.md", "checkpoint"):
        (tmp_path / name).write_text("x")
    clean(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["checkpoint", "notes.md"]


def test_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="is no run: it needs fit.nc and recipe.toml. Make one with"):
        open_run(tmp_path)


def test_new_data_are_read_like_the_training_data(tmp_path):
    recipe = read_recipe(write(tmp_path, with_data(take=2, bin=2)))
    path, outcomes = write_running(tmp_path)
    got = new_recording(recipe, path, outcomes)
    assert (got.n_sequences, got.bin_width, list(got.signals)) == (3, 2.0, ["signal"])
    assert "failed" not in got.sequences
    assert got.knowledge.is_empty
    assert "remaining" in got.sequences
