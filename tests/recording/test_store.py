import os

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from neurolatent.recording import Recording, knowledge
from neurolatent.recording.tables import table_from_json, table_to_json
from tests.recording.refusals import refuses


def assert_same(one: Recording, two: Recording):
    assert list(one.signals) == list(two.signals)
    for name, signal in one.signals.items():
        other = two.signal(name)
        assert (signal.kind, signal.units, signal.values.dtype) == (other.kind, other.units, other.values.dtype)
        np.testing.assert_array_equal(signal.values, other.values)
        np.testing.assert_array_equal(signal.observed, other.observed)
        pd.testing.assert_frame_equal(signal.channels, other.channels)
    np.testing.assert_array_equal(one.lengths, two.lengths)
    np.testing.assert_array_equal(one.start, two.start)
    for field in ("bin_width", "clock_unit", "name", "history"):
        assert getattr(one, field) == getattr(two, field)
    pd.testing.assert_frame_equal(one.sequences, two.sequences)
    pd.testing.assert_frame_equal(one.knowledge.statements, two.knowledge.statements)
    for a, b in zip(one.knowledge.labels, two.knowledge.labels, strict=True):
        np.testing.assert_array_equal(a.level, b.level)
        np.testing.assert_array_equal(a.doubt, b.doubt)
        assert (a.of, a.is_noisy) == (b.of, b.is_noisy)
    for a, b in zip(one.knowledge.plausibilities, two.knowledge.plausibilities, strict=True):
        np.testing.assert_array_equal(a, b)
    assert one.fingerprint() == two.fingerprint()


def full(path):
    facts = pd.DataFrame({"area": ["CA1", "größe"], "depth": [1.5, np.nan]}, index=["a", "b"])
    recording = Recording.of(
        {
            "x": [np.array([[1.0, np.nan], [3, 4]], np.float32), np.ones((3, 2), np.float32)],
            "n": [np.array([1, 2], np.uint8), np.array([3, 4, 5], np.uint8)],
            "screen": [np.zeros((2, 3, 3)), np.ones((3, 3, 3))],
        },
        kinds={"n": "counts", "screen": "image"},
        channels={"x": facts},
        units={"x": "mV"},
        bin_width=0.1,
        start=[0.3, 2.0],
        ids=["p", "q"],
        failed=[True, False],
        name="häuser.csv",
    ).with_facts(remaining=[0.0, 7.5], outcome=["good", None], when=pd.to_datetime(["2024-01-02", None]))
    body = knowledge.start_end(recording, 1, 1) & knowledge.labels([0, np.nan, 1, 1, np.nan], 2, error=0.1)
    return recording.with_knowledge(body & knowledge.plausibility(np.ones((5, 3)))).noting("a note")


def test_everything_comes_back(tmp_path):
    recording = full(tmp_path)
    recording.save(tmp_path / "r.nc")
    assert_same(recording, Recording.load(tmp_path / "r.nc"))


def test_nothing_is_left_beside_the_file_and_it_can_be_written_again(tmp_path):
    recording = full(tmp_path)
    recording.save(tmp_path / "r.nc")
    recording.take("p").save(str(tmp_path / "r.nc"))
    assert os.listdir(tmp_path) == ["r.nc"]
    assert Recording.load(tmp_path / "r.nc").ids == ["p"]


def test_many_sequences_fit_into_the_header(tmp_path):
    recording = Recording.of([np.ones((1, 1))] * 5000, ids=[f"a long name of the unit {n}" for n in range(5000)])
    recording.save(tmp_path / "r.nc")
    assert Recording.load(tmp_path / "r.nc").ids == recording.ids


@settings(max_examples=20, deadline=None)
@given(
    hnp.arrays(
        st.sampled_from([np.float64, np.float32, np.float16, np.int16]),
        st.tuples(st.integers(1, 6), st.integers(1, 3)),
    ),
    st.floats(1e-6, 1e6),
    st.text(max_size=5),
)
def test_load_of_save_is_the_same(tmp_path_factory, values, bin_width, name):
    values = np.where(np.isinf(values), np.nan, values) if values.dtype.kind == "f" else values
    recording = Recording.of(values, bin_width=bin_width, name=name, start=1 / 3)
    path = tmp_path_factory.mktemp("store") / "r.nc"
    recording.save(path)
    assert_same(recording, Recording.load(path))


def test_unwritable_folder_is_named(tmp_path, monkeypatch):
    with refuses("nowhere", "cannot be written to"):
        full(tmp_path).save(tmp_path / "nowhere" / "r.nc")
    with refuses("is a folder"):
        full(tmp_path).save(tmp_path)
    monkeypatch.setattr("tempfile.mkstemp", lambda **_: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    with refuses(str(tmp_path), "cannot be written to", "Permission denied"):
        full(tmp_path).save(tmp_path / "r.nc")


def test_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    full(tmp_path).save(tmp_path / "r.nc")
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with refuses("r.nc", "No space left"):
        full(tmp_path).take("p").save(tmp_path / "r.nc")
    monkeypatch.undo()
    assert os.listdir(tmp_path) == ["r.nc"]
    assert Recording.load(tmp_path / "r.nc").n_sequences == 2


def test_refused_files(tmp_path):
    with refuses("r.nc", "does not exist", error=FileNotFoundError):
        Recording.load(tmp_path / "r.nc")
    full(tmp_path).save(tmp_path / "r.nc")
    with refuses("r.cn", "Did you mean 'r.nc'", error=FileNotFoundError):
        Recording.load(tmp_path / "r.cn")
    whole = (tmp_path / "r.nc").read_bytes()
    (tmp_path / "cut.nc").write_bytes(whole[: len(whole) // 2])
    with refuses("cut.nc", "cut short"):
        Recording.load(tmp_path / "cut.nc")
    (tmp_path / "text.nc").write_text("hello")
    with refuses("text.nc", "no netCDF file"):
        Recording.load(tmp_path / "text.nc")
    (tmp_path / "empty.nc").write_bytes(b"")
    with refuses("empty.nc", "empty"):
        Recording.load(tmp_path / "empty.nc")


def test_facts_that_cannot_be_saved_are_refused(tmp_path):
    with refuses("'thing'", "dict", "text or numbers"):
        full(tmp_path).with_facts(thing=[{}, {}]).save(tmp_path / "r.nc")


@pytest.mark.parametrize(
    "column",
    [
        [1, 2, 3],
        [1.5, np.nan, -np.inf],
        ["a", "ö", ""],
        [True, False, True],
        pd.array([1, None, 3], dtype="Int64"),
        pd.array(["a", None, "b"], dtype="str"),
        pd.Series([1, "a", None], dtype=object),
        pd.date_range("2024", periods=3, freq="ms"),
    ],
    ids=lambda c: type(c).__name__ + str(getattr(c, "dtype", "")),
)
def test_tables_come_back(column):
    table = pd.DataFrame({"id": ["x", "y", "z"], "column": column})
    pd.testing.assert_frame_equal(table_from_json(table_to_json(table)), table)
    pd.testing.assert_frame_equal(table_from_json(table_to_json(table.set_index("id"))), table.set_index("id"))
    pd.testing.assert_frame_equal(table_from_json(table_to_json(table.iloc[:0])), table.iloc[:0])
