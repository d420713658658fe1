import gzip

import numpy as np
import pytest

import neurolatent as nl
from neurolatent.loaders import READERS, load
from tests.recording.refusals import refuses

CSV = "t,a\n0,1.5\n1,2.5\n"


def test_suffix_or_name_chooses(tmp_path):
    for name, content in (("a.csv", CSV.encode()), ("a.CSV.gz", gzip.compress(CSV.encode())), ("a.txt", CSV.encode())):
        (tmp_path / name).write_bytes(content)
    assert load(tmp_path / "a.csv").n_samples == 2
    assert load(str(tmp_path / "a.CSV.gz"), clock="t").signal("signal").names == ["a"]
    assert nl.load(tmp_path / "a.txt", format="csv").n_samples == 2


def test_unknown_format_suffix_and_option(tmp_path):
    (tmp_path / "a.csv").write_text(CSV)
    (tmp_path / "a.cvs").write_text(CSV)
    (tmp_path / "a.txt").write_text(CSV)
    with refuses("a.csv", "'cmaps'", "Did you mean 'cmapss'"):
        load(tmp_path / "a.csv", format="cmaps")
    with refuses("a.cvs", "'.cvs'", "Did you mean '.csv'", "format="):
        load(tmp_path / "a.cvs")
    with refuses("a.txt", "'.txt'", "format=", "cmapss"):
        load(tmp_path / "a.txt")
    with refuses("a.csv", "'bin_with'", "Did you mean 'bin_width'"):
        load(tmp_path / "a.csv", bin_with=1.0)


@pytest.mark.parametrize("format", READERS)
def test_missing_file_folder_and_rubbish(tmp_path, format):
    (tmp_path / "train.dat").write_bytes(np.random.default_rng(0).bytes(500))
    with refuses("trian.dat", "does not exist", "Did you mean 'train.dat'", error=FileNotFoundError):
        load(tmp_path / "trian.dat", format=format)
    with refuses("folder is missing", error=FileNotFoundError):
        load(tmp_path / "none" / "train.dat", format=format)
    with refuses(str(tmp_path), "is a folder", "a file is expected"):
        load(tmp_path, format=format)
    with refuses("train.dat"):
        load(tmp_path / "train.dat", format=format)


@pytest.mark.parametrize("format", READERS)
def test_empty_file(tmp_path, format):
    (tmp_path / "train.dat").write_bytes(b"")
    with refuses("train.dat"):
        load(tmp_path / "train.dat", format=format)
