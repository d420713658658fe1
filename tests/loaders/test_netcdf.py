import numpy as np
import pandas as pd
import pytest
import xarray as xr

from neurolatent.loaders import load
from neurolatent.recording import Recording
from tests.recording.refusals import refuses


def dataset():
    return xr.Dataset(
        {
            "rate": (("neuron", "time"), np.arange(12.0).reshape(3, 4), {"units": "Hz"}),
            "speed": ("time", [1.0, np.nan, 3, 4]),
            "depth": ("neuron", [1.0, 2, 3]),
        },
        coords={"time": ("time", np.arange(4) * 0.1), "neuron": ["a", "b", "c"]},
    )


@pytest.mark.parametrize("engine", ["h5netcdf", "scipy"])
def test_variables_along_time(tmp_path, engine):
    dataset().to_netcdf(tmp_path / "a.nc", engine=engine)
    recording = load(tmp_path / "a.nc", failed=False)
    assert recording.signal("rate").names == ["a", "b", "c"]
    assert recording.signal("rate").units == "Hz"
    assert recording.signal("speed").observed[:, 0].tolist() == [True, False, True, True]
    assert recording.bin_width == 0.1
    assert recording.name == "a.nc"
    assert recording.history == ("left out variables: depth",)


def test_other_name_of_time_and_chosen_signals(tmp_path):
    dataset().rename(time="t").to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    recording = load(tmp_path / "a.nc", time="t", signals=["speed"], clock_unit="ms")
    assert list(recording.signals) == ["speed"]
    assert recording.clock_unit == "ms"


def test_trials_and_dates(tmp_path):
    times = pd.date_range("2024-01-01", periods=4, freq="500ms")
    trials = xr.Dataset({"x": (("time", "trial"), np.arange(8.0).reshape(4, 2))}, coords={"time": times})
    trials.assign_coords(trial=["one", "two"]).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    recording = load(tmp_path / "a.nc", sequence="trial")
    assert recording.ids == ["one", "two"]
    assert recording.bin_width == 0.5
    assert recording.signal("x").values[:, 0].tolist() == [0, 2, 4, 6, 1, 3, 5, 7]


def test_saved_recordings(tmp_path):
    recording = Recording.of(np.ones((4, 2)), name="mine")
    recording.save(tmp_path / "a.nc")
    assert load(tmp_path / "a.nc").fingerprint() == recording.fingerprint()
    with refuses("a.nc", "saved recording", "bin_width"):
        load(tmp_path / "a.nc", bin_width=2.0)


REFUSED = {
    "time": ({"time": "tiem"}, ["a.nc", "'tiem'", "Did you mean 'time'"]),
    "signal": ({"signals": ["sped"]}, ["a.nc", "'sped'", "Did you mean 'speed'"]),
    "signal without time": ({"signals": ["depth"]}, ["'depth'", "'time'"]),
    "sequence": ({"sequence": "trial"}, ["a.nc", "'trial'", "no variable"]),
}


@pytest.mark.parametrize(("options", "words"), REFUSED.values(), ids=REFUSED)
def test_refused(tmp_path, options, words):
    dataset().to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with refuses(*words):
        load(tmp_path / "a.nc", **options)


def test_uneven_time_and_other_files(tmp_path):
    dataset().assign_coords(time=[0, 1, 2, 3.5]).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    with refuses("a.nc", "row 4", "even clock"):
        load(tmp_path / "a.nc")
    with refuses("a.nc", "no saved recording", "format='netcdf'"):
        Recording.load(tmp_path / "a.nc")
    (tmp_path / "b.nc").write_bytes(b"CDF\x01")
    with refuses("b.nc", "cut short or damaged"):
        load(tmp_path / "b.nc")
