"""Operating regimes against a loop over rows, and units that run where none ran before."""

import numpy as np
import pytest

from neurolatent.checks import InputError
from neurolatent.preparation import DropSilent, Regimes, prepare, replay
from neurolatent.recording import make_signal
from tests.preparation.fleets import SIX, assert_lawful, assert_same, cmapss, in_regimes, with_values

SCALE = np.array([1, 100, 1])


def test_finds_six_regimes_and_normalises_by_row():
    recording, truth = in_regimes(missing=0.05)
    (done, _), (learned,) = prepare(recording, [Regimes()])
    assert learned["centres"].shape == (6, 3)
    got, values = done.signal("regime").values[:, 0], recording.signal("sensors").values
    for row in range(recording.n_samples):
        distance = np.linalg.norm((SIX[truth[row]] * SCALE - learned["centres"]), axis=1)
        assert got[row] == distance.argmin()
        same = values[truth == truth[row]]
        want = (values[row] - np.nanmean(same, axis=0)) / np.nanstd(same, axis=0)
        np.testing.assert_allclose(done.signal("sensors").values[row], want, rtol=1e-9, atol=1e-9)
    assert done.signal("regime").kind == "category"
    assert "6 operating regimes" in done.history[-1]


def test_is_lawful():
    assert_lawful(Regimes(), in_regimes(missing=0.05)[0])


def test_order_of_units_does_not_matter():
    recording, _ = in_regimes()
    turned = recording.take(recording.ids[::-1])
    a, b = Regimes().learn(recording), Regimes().learn(turned)
    np.testing.assert_array_equal(a["centres"], b["centres"])
    np.testing.assert_allclose(a["mean"], b["mean"], rtol=1e-12)


def test_one_regime_is_a_standardisation():
    recording, _ = in_regimes(centres=SIX[:1])
    (done, _), _ = prepare(recording, [Regimes()])
    np.testing.assert_allclose(done.signal("sensors").values.std(axis=0), 1)
    assert set(done.signal("regime").values[:, 0]) == {0}


def test_sensor_that_stands_still_in_a_regime_becomes_zero_there():
    recording, regime = in_regimes()
    values = recording.signal("sensors").values.copy()
    values[:, 0] = 0.1 * (1 + regime)
    values[:, 1] = np.nan
    (done, _), _ = prepare(with_values(recording, values), [Regimes()])
    assert (done.signal("sensors").values[:, 0] == 0).all()
    assert not done.signal("sensors").observed[:, 1].any()
    with pytest.warns(UserWarning, match="dropped s0, s1"):
        DropSilent("sensors").learn(done)


def test_unit_in_an_unseen_regime_is_refused_and_the_others_are_answered():
    recording, _ = in_regimes()
    learned = Regimes().learn(recording)
    settings = recording.signal("settings").values.copy()
    part = recording.slices()[2]
    settings[part.start + 9] = [5.0, 0.3, 80]
    done, refused = Regimes().apply(with_values(recording, settings, "settings"), learned)
    assert list(refused) == ["unit2"]
    reason = refused["unit2"]
    assert "cycle 10: the settings altitude = 5, mach = 0.3, throttle = 80 belong to no operating regime" in reason
    assert "tolerance 1, 1 rows" in reason
    others = [name for name in recording.ids if name != "unit2"]
    assert done.ids == others
    assert_same(done, Regimes().apply(recording.take(others), learned).recording)
    assert done.history[-1] == "Regimes refused 1 sequences: unit2"


def test_all_refused_is_an_error_that_lists_the_reasons():
    recording, _ = in_regimes()
    steps = [Regimes()]
    _, learned = prepare(recording, steps)
    moved = with_values(recording, recording.signal("settings").values + 300, "settings")
    message = "fleet: Regimes can use none of the sequences. Sequence unit0: cycle 1: the settings.*And 1 more"
    with pytest.raises(InputError, match=message):
        replay(moved, steps, learned)


def test_rows_without_settings_are_masked():
    recording, _ = in_regimes()
    settings = recording.signal("settings").values.copy()
    settings[3, 1] = np.nan
    (done, _), _ = prepare(with_values(recording, settings, "settings"), [Regimes()])
    for name in ("sensors", "regime"):
        assert not done.signal(name).observed[3].any()
        assert done.signal(name).observed[4].all()
    assert "1 rows without settings masked" in done.history[-1]


def test_restore_leaves_values_in_units_of_the_regime():
    learned = Regimes().learn(in_regimes()[0])
    np.testing.assert_array_equal(Regimes().restore("sensors", np.eye(4), learned), np.eye(4))


def unobserved():
    recording, _ = in_regimes()
    return with_values(recording, np.full((recording.n_samples, 3), np.nan), "settings")


def smooth():
    recording, _ = in_regimes()
    climb = np.linspace(0, 300, recording.n_samples)[:, None] * [1, 0, 0]
    return with_values(recording, climb, "settings")


@pytest.mark.parametrize(
    ("make", "step", "message"),
    [
        (lambda: in_regimes()[0], Regimes(scale=(1, 100)), r"it has 3 channels \['altitude.*scale has 2 numbers"),
        (unobserved, Regimes(), "signal settings: no row has all its settings"),
        (smooth, Regimes(), "more than 50 operating regimes at tolerance 1. The settings change smoothly"),
        (lambda: in_regimes()[0], Regimes(settings="setting"), "no signal 'setting'. Did you mean 'settings'"),
    ],
)
def test_bad_input_is_refused(make, step, message):
    with pytest.raises(InputError, match=message):
        step.learn(make())


def test_scatter_beyond_the_tolerance_is_refused():
    recording, _ = in_regimes(centres=SIX[:1])
    settings = np.tile([0.1, 0.009, 0.0], (recording.n_samples, 1))
    settings[0] = 0.0  # the lowest row takes clouds on both sides of it; the mean lies in the larger one
    settings[-1, 1] = -0.009
    with pytest.raises(InputError, match=r"unit5, row 50, cycle 50: its settings lie .* tolerance is 1. Raise it"):
        Regimes().learn(with_values(recording, settings, "settings"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tolerance": 0.0}, "tolerance must be positive, got 0.0"),
        ({"scale": (1, -1)}, "scale must hold positive numbers"),
    ],
)
def test_bad_settings_name_the_value(options, message):
    with pytest.raises(InputError, match=message):
        Regimes(**options)


def test_scale_from_a_recipe_becomes_hashable():
    assert hash(Regimes(scale=[1, 100])) == hash(Regimes(scale=(1, 100)))


@pytest.mark.parametrize(("number", "count"), [(2, 6), (4, 6), (1, 1), (3, 1)])
def test_cmapss_has_the_regimes_of_its_readme(real_data, number, count):
    suffix = ".partial.txt.gz" if number in (2, 4) else ".txt.gz"
    recording = cmapss(real_data / "cmapss" / f"train_FD00{number}{suffix}")
    learned = Regimes().learn(recording)
    assert len(learned["centres"]) == count
    known = SIX * SCALE if count == 6 else SIX[2:3] * SCALE
    for centre in known:
        assert np.linalg.norm(learned["centres"] - centre, axis=1).min() < 0.05
    test = cmapss(real_data / "cmapss" / f"test_FD00{number}{suffix}")
    assert Regimes().apply(test, learned).refused == {}


def test_two_settings_are_enough():
    recording, _ = in_regimes(centres=SIX[:4, :2])
    assert len(Regimes(scale=(1, 100)).learn(recording)["centres"]) == 4


def test_sensors_of_another_kind_are_refused():
    recording, _ = in_regimes()
    counts = make_signal(np.ones((recording.n_samples, 1), int), kind="counts")
    with pytest.raises(InputError, match="Regimes works on continuous signals, this one is counts"):
        Regimes().learn(recording.with_signal("sensors", counts))
