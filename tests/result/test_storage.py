"""Files: everything comes back, xarray opens them, and what is no fit is refused."""

import json

import jax
import numpy as np
import pytest
import xarray as xr

import neurolatent as nl
from neurolatent.checks import InputError
from neurolatent.choices import EM, NUTS, SVI
from neurolatent.models.arphmm import ARPHMM, ARPrior
from neurolatent.result.settings import CLASSES, KINDS, decode, encode
from tests.engines import small
from tests.recording.refusals import refuses


@pytest.fixture(scope="module")
def fit() -> nl.Fit:
    return nl.fit(
        ARPHMM(2, transitions="ergodic", prior=ARPrior(stay=5.0)),
        small.recording(),
        prepare=[nl.Standardise()],
        engine=EM(steps=4, restarts=1),
        seed=3,
    )


def test_everything_comes_back(fit, tmp_path):
    again = nl.Fit.load(fit.save(tmp_path / "fit.nc"))
    for name in ("model", "engine", "seed", "converged", "interrupted", "warnings", "versions", "facts", "prepare"):
        assert getattr(again, name) == getattr(fit, name), name
    jax.tree.map(np.testing.assert_array_equal, fit.params, again.params)
    for got, want in zip(again.learned, fit.learned, strict=True):
        assert set(got) == set(want)
        for name in want:
            np.testing.assert_array_equal(got[name], want[name])
    for name in fit.idata.children:
        assert again.idata[name].to_dataset().identical(fit.idata[name].to_dataset()), name
    assert nl.check(again).rows == nl.check(fit).rows


def test_a_file_can_be_saved_again_in_its_own_place(fit, tmp_path):
    path = fit.save(tmp_path / "fit.nc")
    again = nl.Fit.load(path)
    again.save(path)
    assert [p.name for p in tmp_path.iterdir()] == ["fit.nc"]


def test_xarray_opens_it_and_dimensions_have_names(fit, tmp_path):
    with xr.open_datatree(fit.save(tmp_path / "fit.nc"), engine="h5netcdf") as file:
        assert file["point_estimate"]["transition"].dims == ("state", "state_to")
        assert file["point_estimate"]["coefficients"].coords["regressor"].values.tolist() == ["0 lag 1", "intercept"]
        assert json.loads(file.attrs["settings"])["model"]["class"] == "ARPHMM"


def test_what_is_no_fit_is_refused(fit, tmp_path):
    (tmp_path / "words.nc").write_text("no netCDF")
    with refuses("words.nc", "cannot be read", error=InputError):
        nl.Fit.load(tmp_path / "words.nc")
    xr.Dataset({"x": 1}).to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    with refuses("other.nc", "holds no saved fit", error=InputError):
        nl.Fit.load(tmp_path / "other.nc")
    fit.save(tmp_path / "fit.nc")
    with refuses("fit.nc", error=FileNotFoundError):
        nl.Fit.load(tmp_path / "fti.nc")
    with refuses("cannot be written", error=InputError):
        fit.save(tmp_path / "nowhere" / "fit.nc")


@pytest.mark.parametrize(
    "settings",
    [
        ARPHMM(3, order=2, channels=("a", "b"), n_substates=2, prior=ARPrior(stay=3.0, own_lag=0.0)),
        EM(steps=7, restarts=None),
        NUTS(chains=2, start=EM(steps=5)),
        SVI(guide="low_rank", rank=2, start=EM(steps=5)),
        nl.HealthIndicator(),
        nl.Standardise(),
    ],
)
def test_settings_survive_json(settings):
    assert decode(json.loads(json.dumps(encode(settings)))) == settings


def test_only_known_classes_are_made():
    with refuses("'ARPHM'", "Did you mean 'ARPHMM'?", error=InputError):
        decode({"class": "ARPHM", "n_states": 2})


def test_no_two_kinds_of_settings_share_a_name():
    assert list(CLASSES.values()) == list(dict.fromkeys(KINDS))
