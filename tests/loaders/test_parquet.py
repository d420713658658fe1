import pandas as pd
import pytest

from neurolatent.loaders import load
from tests.recording.refusals import refuses

pytest.importorskip("pyarrow", reason="parquet is an extra")


def fleet():
    return pd.DataFrame({"unit": ["p", "p", "q"], "cycle": [1, 2, 1], "a": [0.5, None, 1.5], "n": [1, 2, 3]})


def test_options_and_facts(tmp_path):
    fleet().to_parquet(tmp_path / "a.parquet")
    pd.DataFrame({"id": ["q", "p"], "group": ["old", "new"]}).to_parquet(tmp_path / "facts.parquet")
    signals = {"x": ["a"], "n": ["n"]}
    options = {"sequence": "unit", "clock": "cycle", "signals": signals, "kinds": {"n": "counts"}}
    recording = load(tmp_path / "a.parquet", **options, sequences="facts.parquet")
    assert recording.ids == ["p", "q"]
    assert recording.signal("x").observed[:, 0].tolist() == [True, False, True]
    assert recording.sequences["group"].tolist() == ["new", "old"]


def test_index_is_a_column_only_where_it_has_a_name(tmp_path):
    fleet().to_parquet(tmp_path / "a.parquet")
    assert load(tmp_path / "a.parquet", sequence="unit", clock="cycle").signal("signal").names == ["a", "n"]
    fleet().set_index(["unit", "cycle"]).to_parquet(tmp_path / "b.parquet")
    assert load(tmp_path / "b.parquet", sequence="unit", clock="cycle").ids == ["p", "q"]


def test_refused(tmp_path):
    fleet().to_parquet(tmp_path / "a.parquet")
    with refuses("a.parquet", "'untis'", "Did you mean 'unit'"):
        load(tmp_path / "a.parquet", sequence="untis")
    whole = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "b.parquet").write_bytes(whole[:-40])
    with refuses("b.parquet", "no parquet file", "cut short"):
        load(tmp_path / "b.parquet")
