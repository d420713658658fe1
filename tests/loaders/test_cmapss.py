import gzip

import numpy as np
import pytest

from neurolatent.loaders import load
from tests.recording.refusals import refuses


def lines(units=((1, (1, 2, 3)), (2, (1, 2)))):
    rng = np.random.default_rng(0)
    return [
        f"{unit} {cycle} " + " ".join(f"{v:.4f}" for v in rng.uniform(1, 9, 24)) + "  "
        for unit, cycles in units
        for cycle in cycles
    ]


def write(folder, rows=None, name="train_FD009.txt"):
    path = folder / name
    text = "\n".join(lines() if rows is None else rows) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def with_cell(row, column, cell):
    rows = lines()
    cells = rows[row].split()
    cells[column] = cell
    rows[row] = " ".join(cells)
    return rows


def test_units_signals_and_clock(tmp_path):
    recording = load(write(tmp_path), format="cmapss")
    assert recording.name == "train_FD009.txt"
    assert recording.ids == ["1", "2"]
    assert recording.lengths.tolist() == [3, 2]
    assert recording.start.tolist() == [1, 1]
    assert (recording.bin_width, recording.clock_unit) == (1, "cycle")
    assert recording.signal("settings").names == ["altitude", "mach", "throttle"]
    sensors = recording.signal("sensors")
    assert sensors.names == [f"s{n}" for n in range(1, 22)]
    assert sensors.channels.loc["s8"].tolist() == ["Nf fan speed", "rpm"]
    assert sensors.values[4, -1] == float(lines()[4].split()[-1])


@pytest.mark.parametrize(("name", "failed"), [("train_x.txt", True), ("test_x.txt", False)])
def test_name_tells_whether_units_failed(tmp_path, name, failed):
    path = write(tmp_path, name=name)
    assert load(path, format="cmapss").sequences.failed.tolist() == [failed, failed]
    assert load(path, format="cmapss", failed=not failed).sequences.failed.tolist() == [not failed] * 2


def test_other_names_leave_it_unknown(tmp_path):
    recording = load(write(tmp_path, name="fleet.txt"), format="cmapss")
    with refuses("fleet.txt", "failed=True"):
        recording.failed(True, "test")


def test_plain_and_gzip_are_the_same(tmp_path):
    plain, packed = (load(write(tmp_path, name=n), format="cmapss") for n in ("train_a.txt", "train_a.txt.gz"))
    assert plain.fingerprint() == packed.fingerprint()


def test_missing_values_and_cycles_are_masked(tmp_path):
    rows = [r.replace(r.split()[10], "nan") for r in lines([(1, (4, 5, 8))])]
    recording = load(write(tmp_path, rows), format="cmapss")
    assert recording.signal("sensors").observed[:, 5].tolist() == [False] * 5
    assert recording.signal("sensors").observed[:, 0].tolist() == [True, True, False, False, True]
    assert recording.start.tolist() == [4]
    assert recording.history == ("2 missing steps were masked: sequence 1 at 6, sequence 1 at 7",)


def test_outcomes_are_found_beside_the_table(tmp_path):
    path = write(tmp_path, name="test_FD009.txt")
    (tmp_path / "RUL_FD009.txt").write_text("112 \n98 \n\n")
    for outcomes in ("RUL_FD009.txt", tmp_path / "RUL_FD009.txt"):
        assert load(path, format="cmapss", outcomes=outcomes).sequences.remaining.tolist() == [112, 98]


REFUSED = {
    "text": (with_cell(3, 7, "x12"), ["train_FD009.txt", "unit 2", "row 4", "column s3", "'x12'", "empty"]),
    "infinite": (with_cell(1, 7, "inf"), ["train_FD009.txt", "unit 1", "row 2", "column s3", "inf"]),
    "doubled cycle": (with_cell(2, 1, "2"), ["unit 1", "row 3", "cycle 2 stands twice", "drop what is doubled"]),
    "decreasing cycle": (with_cell(2, 1, "1"), ["unit 1", "row 3", "cycle 1 comes after 2", "sort"]),
    "broken cycle": (with_cell(2, 1, "2.5"), ["row 3", "column cycle", "2.5", "whole number"]),
    "no unit": (with_cell(2, 0, "nan"), ["row 3", "column unit", "nan", "whole number"]),
    "scattered unit": (with_cell(1, 0, "7"), ["unit 1", "row 3", "do not stand together", "Sort"]),
    "too few columns": ([lines()[0], "1 2 3.0"], ["train_FD009.txt", "row 2", "3 columns", "26", "damaged"]),
    "too many columns": ([lines()[0], lines()[1] + "1.0"], ["row 2", "27 columns", "26"]),
    "another format": (["a,b,c", "1,2,3"], ["row 1", "1 columns", "another format"]),
    "header": ([" ".join(f"c{n}" for n in range(26)), *lines()], ["row 1", "column unit", "'c0'", "no header"]),
    "empty": ([], ["train_FD009.txt", "empty", "again"]),
}


@pytest.mark.parametrize(("rows", "words"), REFUSED.values(), ids=REFUSED)
def test_refused(tmp_path, rows, words):
    with refuses(*words):
        load(write(tmp_path, rows), format="cmapss")


OUTCOMES = {
    "too few": ("5\n", ["RUL.txt", "1 rows", "test_a.txt has 2 units", "same set"]),
    "too many": ("5\n6\n7\n", ["RUL.txt", "3 rows", "2 units"]),
    "text": ("5\nx\n", ["RUL.txt", "row 2", "'x'", "RUL file"]),
    "two columns": ("5 6\n7 8\n", ["RUL.txt", "row 1", "'5 6'"]),
    "negative": ("5\n-1\n", ["RUL.txt", "row 2", "'-1'"]),
    "empty": ("", ["RUL.txt", "empty"]),
}


@pytest.mark.parametrize(("text", "words"), OUTCOMES.values(), ids=OUTCOMES)
def test_refused_outcomes(tmp_path, text, words):
    (tmp_path / "RUL.txt").write_text(text)
    with refuses(*words):
        load(write(tmp_path, name="test_a.txt"), format="cmapss", outcomes="RUL.txt")
    with refuses("RUL.text", "Did you mean 'RUL.txt'", error=FileNotFoundError):
        load(tmp_path / "test_a.txt", format="cmapss", outcomes="RUL.text")
