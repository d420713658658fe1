import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurolatent.loaders import load
from tests.recording.refusals import refuses

FLEET = "unit,cycle,a,n\np,1,0.5,1\np,2,,2\nq,1,1.5,3\nq,3,2.5,4\n"


def write(folder, text, name="fleet.csv"):
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def read(folder, text=FLEET, name="fleet.csv", **options):
    return load(write(folder, text, name), **{"sequence": "unit", "clock": "cycle", **options})


@pytest.mark.parametrize("name", ["fleet.csv", "fleet.csv.gz"])
def test_all_options(tmp_path, name):
    signals = {"x": ["a"], "n": ["n"]}
    recording = read(tmp_path, name=name, signals=signals, kinds={"n": "counts"}, clock_unit="cycle", failed=True)
    assert recording.name == name
    assert recording.ids == ["p", "q"]
    assert recording.lengths.tolist() == [2, 3]
    assert recording.signal("x").observed[:, 0].tolist() == [True, False, True, False, True]
    assert recording.signal("n").values[:, 0].tolist() == [1, 2, 3, 0, 4]
    assert recording.sequences.failed.all()
    assert recording.history == ("1 missing steps were masked: sequence q at 2",)


def test_rows_of_one_split_are_read(tmp_path):
    text = "split,unit,cycle,a\ntrain,p,1,0.5\ntest,p,1,2\ntrain,p,2,1.5\ntest,p,2,3\n"
    recording = read(tmp_path, text, only={"split": "test"})
    assert recording.signal("signal").values[:, 0].tolist() == [2, 3]
    assert recording.history == ("only rows in which split is test",)
    with pytest.raises(ValueError, match=r"no row has split 'tset'\. Did you mean 'test'"):
        read(tmp_path, text, only={"split": "tset"})
    with pytest.raises(ValueError, match="there is no column 'splt'. Did you mean 'split'"):
        read(tmp_path, text, only={"splt": "test"})


def test_one_sequence_without_clock(tmp_path):
    recording = load(write(tmp_path, "a;b\n1;2\n3;4\n"), bin_width=0.5, separator=";")
    assert recording.signal("signal").values.tolist() == [[1, 2], [3, 4]]
    assert recording.clock().tolist() == [0, 0.5]


def test_quotes_blanks_marks_and_line_ends(tmp_path):
    text = '\ufeffunit, cycle ,a,"n"\r\n"p, q",1, 0.5,1\r\n"p, q",2,1.5,2\r\n'
    recording = read(tmp_path, text)
    assert recording.ids == ["p, q"]
    assert recording.signal("signal").names == ["a", "n"]


def test_index_that_pandas_wrote_is_no_channel(tmp_path):
    assert load(write(tmp_path, ",a\n0,1.5\n1,2.5\n")).signal("signal").names == ["a"]


def test_facts_per_sequence(tmp_path):
    write(tmp_path, "id,group,failed\nq,old,True\np,new,False\n", "facts.csv")
    recording = read(tmp_path, sequences="facts.csv")
    assert recording.sequences["group"].tolist() == ["new", "old"]
    assert recording.failed(True, "test").tolist() == [False, True]
    write(tmp_path, "unit,group\nq,old\np,new\n", "named.csv")
    assert read(tmp_path, sequences=tmp_path / "named.csv").sequences["group"].tolist() == ["new", "old"]


def test_facts_of_numbered_sequences(tmp_path):
    write(tmp_path, "id,group\n2,b\n1,a\n", "facts.csv")
    text = FLEET.replace("p", "1").replace("q", "2")
    assert read(tmp_path, text, sequences="facts.csv").sequences["group"].tolist() == ["a", "b"]


FACTS = {
    "unknown": ("id,g\np,1\nq,2\nqq,3\n", ["facts.csv", "row 3", "'qq'", "fleet.csv", "Did you mean 'q'"]),
    "missing": ("id,g\np,1\n", ["facts.csv", "'q'", "no row"]),
    "twice": ("id,g\np,1\nq,1\np,2\n", ["facts.csv", "row 3", "'p' stands twice"]),
    "no ids": ("units,g\np,1\nq,2\n", ["facts.csv", "'id'", "'units'"]),
}


@pytest.mark.parametrize(("facts", "words"), FACTS.values(), ids=FACTS)
def test_refused_facts(tmp_path, facts, words):
    write(tmp_path, facts, "facts.csv")
    with refuses(*words):
        read(tmp_path, sequences="facts.csv")


REFUSED = {
    "missing column": ("uint,cycle,a\np,1,2\n", {}, ["fleet.csv", "'unit'", "Did you mean 'uint'"]),
    "text": (FLEET.replace("2.5", "2,5").replace("3,2,5", '3,"2,5"'), {}, ["unit q", "row 4", "column a", "'2,5'"]),
    "infinite": (FLEET.replace("1.5", "inf"), {}, ["fleet.csv", "unit q", "row 3", "column a", "inf"]),
    "doubled": (FLEET.replace("q,3", "q,1"), {}, ["unit q", "row 4", "cycle 1 stands twice"]),
    "uneven": (FLEET.replace("q,3", "q,2.5"), {}, ["unit q", "row 4", "1.5", "even clock"]),
    "negative": (
        FLEET.replace("q,1,1.5,3", "q,1,1.5,-3"),
        {"signals": {"n": ["n"]}, "kinds": {"n": "counts"}},
        ["fleet.csv", "signal n", "channel n", "-3"],
    ),
    "long row": (FLEET + "q,4,1,2,3\n", {}, ["fleet.csv", "row 5 (line 6)", "5 cells", "4 columns", "separator"]),
    "short row": (FLEET + "q,4\n", {}, ["fleet.csv", "row 5 (line 6)", "2 cells", "4 columns"]),
    "names twice": ("unit,cycle,a,a\np,1,1,1\n", {}, ["fleet.csv", "header", "'a' stands twice", "Rename"]),
    "name missing": ("unit,cycle,,a\np,1,1,1\n", {}, ["fleet.csv", "header", "column 3", "no name"]),
    "no header": ("1,2,3\n4,5,6\n", {}, ["fleet.csv", "header", "numbers", "add a header"]),
    "header alone": ("unit,cycle,a\n", {}, ["fleet.csv", "no rows"]),
    "empty": ("", {}, ["fleet.csv", "empty"]),
    "separator": ("a,b\n1,2\n", {"separator": "||"}, ["separator", "one character", "'||'"]),
}


@pytest.mark.parametrize(("text", "options", "words"), REFUSED.values(), ids=REFUSED)
def test_refused(tmp_path, text, options, words):
    with refuses(*words):
        read(tmp_path, text, **options)


def test_empty_line_in_a_file_of_one_column_is_refused(tmp_path):
    with refuses("one.csv", "row 2 (line 3)", "nan where nothing was observed"):
        load(write(tmp_path, "a\n1\n\n3\n", "one.csv"))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=6))
def test_numbers_are_read_to_the_last_digit(tmp_path_factory, numbers):
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    path.write_text("a\n" + "\n".join(map(repr, numbers)) + "\n")
    np.testing.assert_array_equal(load(path).signal("signal").values[:, 0], numbers)
