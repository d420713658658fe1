"""The indicator: target by hand, ridge by another solver, causality, holes, refusals, and FD001."""

import numpy as np
import pytest

from neurolatent.checks import InputError
from neurolatent.preparation import HealthIndicator, Regimes, prepare, replay
from neurolatent.preparation.causal import rows_of
from neurolatent.preparation.health_indicator import causal_features, target
from neurolatent.recording import Recording
from tests.preparation.fleets import assert_lawful, assert_same, cmapss, fleet, in_regimes, with_values

STEP = HealthIndicator(window=5, span=8, n_first=4, smoothing=3)


def indicator(recording, learned, step=STEP):
    return step.apply(recording, learned).recording.signal("indicator").values[:, 0]


# --- target ------------------------------------------------------------------------------------------------------


def test_target_at_points_computed_by_hand():
    # T = 101: f = 0.95 * 101 / (100 * 2.995732) = 0.320289; C = round(min(1.2 * 2, 5.05)) = 2
    got = target(101, 2)
    assert got.shape == (101,)
    np.testing.assert_array_equal(got[:2], 1)
    np.testing.assert_array_equal(got[-2:], 0)
    np.testing.assert_allclose(got[50], 1 - np.exp(-0.5 / 0.320289), rtol=1e-5)
    np.testing.assert_allclose(got[50], 0.79010, rtol=1e-4)
    np.testing.assert_allclose(got[90], 0.26818, rtol=1e-4)


@pytest.mark.parametrize(("n_rows", "n_channels", "flat"), [(200, 14, 10), (400, 14, 17), (10, 14, 1), (9, 14, 0)])
def test_target_is_flat_at_both_ends(n_rows, n_channels, flat):
    got = target(n_rows, n_channels)
    assert (got == 1).sum() == flat
    assert (got == 0).sum() == max(flat, 1)
    assert (np.diff(got) <= 0).all()


# --- learning ----------------------------------------------------------------------------------------------------


def slow_features(recording, step):
    """(rows, channels * 4), standardised channels, one row at a time; no holes."""
    values = recording.signal("sensors").values
    values = (values - values.mean(axis=0)) / values.std(axis=0)
    out = []
    for part in recording.slices():
        for row in range(part.start, part.stop):
            past = values[part.start : row + 1]
            weight = (1 - 2 / (step.span + 1)) ** np.arange(len(past))[::-1]
            a = past[-step.window :].mean(axis=0)
            b = weight @ past / weight.sum()
            out.append(np.concatenate([a, b, a - past[: step.n_first].mean(axis=0), past[-1]]))
    return np.array(out)


def test_learning_matches_a_slow_twin():
    recording = fleet()
    x = slow_features(recording, STEP)
    aim = np.concatenate([target(int(n), 4) for n in recording.lengths])
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    # ridge as least squares with rows added: sqrt(n ridge) I against 0
    stacked = np.vstack([z, np.sqrt(len(z) * STEP.ridge) * np.eye(z.shape[1])])
    weight = np.linalg.lstsq(stacked, np.concatenate([aim - aim.mean(), np.zeros(z.shape[1])]), rcond=None)[0]
    raw = z @ weight + aim.mean()
    smooth = [raw[max(p.start, r - 2) : r + 1].mean() for p in recording.slices() for r in range(p.start, p.stop)]
    np.testing.assert_allclose(indicator(recording, STEP.learn(recording)), smooth, rtol=1e-7, atol=1e-9)


def test_no_penalty_is_least_squares_even_with_a_doubled_sensor():
    recording = fleet()
    values = recording.signal("sensors").values[:, [0, 1, 2, 3, 3]]
    doubled = Recording.of(
        {"sensors": [values[p] for p in recording.slices()]},
        ids=recording.ids,
        failed=True,
        clock_unit="cycle",
        start=1,
    )
    step = HealthIndicator(ridge=0)
    a, b = indicator(recording, step.learn(recording), step), indicator(doubled, step.learn(doubled), step)
    np.testing.assert_allclose(a, b, atol=0.05)  # C of the target changes with the number of channels


def test_units_that_have_not_failed_teach_nothing():
    recording = fleet().with_facts(failed=[True, True, False, True, False, True])
    a, b = STEP.learn(recording), STEP.learn(recording.take(["unit0", "unit1", "unit3", "unit5"]))
    for key in a:
        np.testing.assert_array_equal(a[key], b[key])
    assert STEP.apply(recording, a).recording.n_sequences == 6


def test_silent_channels_are_left_out():
    values = np.column_stack([fleet().signal("sensors").values, np.full(fleet().n_samples, 518.67)])
    more = Recording.of({"sensors": [values[p] for p in fleet().slices()]}, failed=True)
    learned = STEP.learn(more)
    assert learned["channels"].tolist() == ["0", "1", "2", "3"]
    np.testing.assert_array_equal(indicator(more, learned), indicator(fleet(), STEP.learn(fleet())))


# --- laws --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_is_lawful(missing):
    assert_lawful(STEP, fleet(missing=missing))


def test_is_lawful_with_the_default_settings():
    assert_lawful(HealthIndicator(), fleet(n_sensors=7))


def test_other_signals_stay_and_restore_changes_nothing():
    recording, _ = in_regimes()
    (done, _), learned = prepare(recording, [Regimes(), HealthIndicator()])
    assert list(done.signals) == ["sensors", "settings", "regime", "indicator"]
    np.testing.assert_array_equal(HealthIndicator().restore("indicator", np.eye(1), learned[1]), np.eye(1))
    assert done.history[-1] == "health indicator from 4 channels of sensors"


def test_scaling_the_sensors_changes_nothing():
    scaled = with_values(fleet(), fleet().signal("sensors").values * [1e-3, 1, 50, -1e4] + 7)
    np.testing.assert_allclose(
        indicator(scaled, STEP.learn(scaled)), indicator(fleet(), STEP.learn(fleet())), rtol=1e-6, atol=1e-9
    )


# --- holes -------------------------------------------------------------------------------------------------------


def test_dead_sensor_keeps_its_last_trailing_value():
    recording = fleet()
    learned, values = STEP.learn(recording), recording.signal("sensors").values.copy()
    part = recording.slices()[2]
    values[part.start + 20 : part.stop, 1] = np.nan
    features = causal_features(values, rows_of(recording.lengths), STEP)[..., 1]
    last = part.start + 19
    tail = slice(last + STEP.window, part.stop)
    for kind in (0, 3):  # trailing mean and the raw value
        assert (features[kind, tail] == values[last, 1]).all()  # the last window holds one value only
    assert (features[1, last + 1 : part.stop] == features[1, last]).all()
    got = indicator(with_values(recording, values), learned)
    assert np.isfinite(got).all()
    np.testing.assert_array_equal(got[: part.start + 20], indicator(recording, learned)[: part.start + 20])


def test_masked_rows_are_unobserved_and_are_not_learned_from():
    values = fleet().signal("sensors").values.copy()
    values[[0, 50, 51]] = np.nan
    recording = with_values(fleet(), values)
    learned = STEP.learn(recording)
    done = STEP.apply(recording, learned).recording.signal("indicator")
    assert np.flatnonzero(~done.observed[:, 0]).tolist() == [0, 50, 51]
    aim = np.concatenate([target(int(n), 4) for n in recording.lengths])
    np.testing.assert_allclose(learned["intercept"], np.delete(aim, [0, 50, 51]).mean(), rtol=1e-12)


def test_sensor_never_observed_in_a_unit_contributes_nothing():
    recording = fleet()
    learned, values = STEP.learn(recording), recording.signal("sensors").values.copy()
    part = recording.slices()[1]
    values[part, 2] = np.nan
    got = indicator(with_values(recording, values), learned)
    without = {**learned, "weight": learned["weight"] * [1, 1, 0, 1]}
    np.testing.assert_allclose(got[part], indicator(recording, without)[part], rtol=1e-12)


def test_unit_without_any_value_is_refused_and_the_others_are_answered():
    recording = fleet()
    learned, values = STEP.learn(recording), recording.signal("sensors").values.copy()
    values[recording.slices()[0]] = np.nan
    done, refused = replay(with_values(recording, values), [STEP], [learned])
    assert list(refused) == ["unit0"]
    assert "none of the sensors of 'sensors' was ever observed" in refused["unit0"]
    assert_same(done, STEP.apply(recording, learned).recording.take(recording.ids[1:]))
    with pytest.raises(
        InputError, match="sequence unit0: HealthIndicator: none of the.*1 training sequences are refused"
    ):
        prepare(with_values(recording, values), [STEP])


def test_short_unit_gets_an_indicator():
    learned = STEP.learn(fleet())
    assert np.isfinite(indicator(fleet().cut(0, 1), learned)).all()


# --- refusals ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fleet(failed=None), "HealthIndicator must know which sequences ran to failure"),
        (lambda: fleet(failed=False), "no unit ran to failure, so health has no end to learn from"),
        (lambda: fleet(lengths=(1, 30)), "sequence unit0: it failed with its only row"),
        (lambda: with_values(fleet(), np.ones((fleet().n_samples, 4))), "all channels are constant or empty"),
        (lambda: Recording.of(np.eye(3), failed=True), "no signal 'sensors'"),
    ],
)
def test_bad_input_is_refused(make, message):
    with pytest.raises(InputError, match=message):
        STEP.learn(make())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 0}, "window must be a whole number of at least 1, got 0"),
        ({"smoothing": 0}, "smoothing must be"),
        ({"n_first": -1}, "n_first must be"),
        ({"span": 0}, "span must be a whole number of at least 1, got 0"),
        ({"ridge": -1.0}, "ridge must be at least 0.0, got -1.0"),
    ],
)
def test_bad_settings_name_the_value(options, message):
    with pytest.raises(InputError, match=message):
        HealthIndicator(**options)


def test_missing_channel_is_named():
    with pytest.raises(InputError, match="no channel 's3', which the training data had"):
        STEP.apply(fleet(n_sensors=3), STEP.learn(fleet()))


# --- real engines ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "steps"),
    [
        ("train_FD001.txt.gz", [HealthIndicator()]),
        ("train_FD004.partial.txt.gz", [Regimes(), HealthIndicator()]),
    ],
)
def test_held_out_engines_start_near_one_and_end_near_zero(real_data, file, steps):
    train, held_out = cmapss(real_data / "cmapss" / file).split(0.7, seed=0)
    _, learned = prepare(train, steps)
    done = replay(held_out, steps, learned).recording
    values = done.signal("indicator").values[:, 0]
    units = [values[part] for part in done.slices()]
    assert abs(np.mean([u[:10].mean() for u in units]) - 0.92) < 0.05
    assert abs(np.mean([u[-5:].mean() for u in units])) < 0.05
    correlations = [np.corrcoef(u, np.arange(len(u)))[0, 1] for u in units]
    assert np.mean(correlations) < -0.85
    assert max(correlations) < -0.4
    errors = [np.mean((u - target(len(u), 14)) ** 2) for u in units]
    assert np.sqrt(np.mean(errors)) < 0.09
