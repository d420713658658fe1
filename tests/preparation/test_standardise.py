"""Scaling by the training data."""

import numpy as np
import pytest

from neurolatent.checks import InputError
from neurolatent.preparation import DropSilent, Standardise, prepare, replay
from neurolatent.recording import Recording
from tests.preparation.fleets import assert_lawful, fleet, in_regimes, with_values


def test_matches_a_loop_over_observed_entries():
    recording = fleet(missing=0.2)
    values = recording.signal("sensors").values
    learned = Standardise().learn(recording)
    out = Standardise().apply(recording, learned).recording.signal("sensors")
    for c in range(values.shape[1]):
        seen = [v for v in values[:, c] if not np.isnan(v)]
        mean = sum(seen) / len(seen)
        sd = (sum((v - mean) ** 2 for v in seen) / len(seen)) ** 0.5
        np.testing.assert_allclose(out.values[:, c], (values[:, c] - mean) / sd, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(out.observed, ~np.isnan(values))


def test_is_lawful():
    assert_lawful(Standardise("sensors"), fleet(missing=0.1))


def test_restore_inverts_values_and_scales_spreads():
    recording = fleet()
    step = Standardise()
    learned = step.learn(recording)
    scaled = step.apply(recording, learned).recording.signal("sensors").values
    np.testing.assert_allclose(step.restore("sensors", scaled, learned), recording.signal("sensors").values)
    spread = step.restore("sensors", np.ones((2, 3, 4)), learned, is_spread=True)
    np.testing.assert_array_equal(spread, np.broadcast_to(learned["sensors.sd"], (2, 3, 4)))
    np.testing.assert_array_equal(step.restore("indicator", scaled, learned), scaled)


def test_takes_every_continuous_signal_and_no_other():
    recording, _ = in_regimes()
    from neurolatent.recording import make_signal

    counts = make_signal(np.arange(recording.n_samples), kind="counts")
    (done, _), _ = prepare(recording.with_signal("spikes", counts), [Standardise()])
    for name in ("settings", "sensors"):
        np.testing.assert_allclose(done.signal(name).values.mean(axis=0), 0, atol=1e-9)
        np.testing.assert_allclose(done.signal(name).values.std(axis=0), 1)
        assert done.signal(name).units == "sd"
    assert done.signal("spikes") is counts
    assert "standardised sensors, settings" in done.history[-1]


def test_new_recording_is_read_by_channel_name():
    recording = fleet()
    step = Standardise()
    learned = step.learn(recording)
    turned = Recording.of(
        {"sensors": recording.signal("sensors").values[:, ::-1]},
        channels={"sensors": recording.signal("sensors").names[::-1]},
    )
    got = step.apply(turned, learned).recording.signal("sensors")
    want = step.apply(recording, learned).recording.signal("sensors")
    assert got.names == want.names
    np.testing.assert_array_equal(got.values, want.values)


@pytest.mark.parametrize(
    ("filler", "message"),
    [
        (7.0, "fleet, signal sensors, channel s2: it is 7 everywhere in the training"),
        (np.nan, "s2: it was never observed"),
    ],
)
def test_silent_channel_is_refused_with_advice(filler, message):
    values = fleet().signal("sensors").values.copy()
    values[:, 2] = filler
    with pytest.raises(InputError, match=message + r".*Put DropSilent\(\) before"):
        Standardise().learn(with_values(fleet(), values))


def test_silent_channel_is_no_obstacle_after_dropping():
    values = fleet().signal("sensors").values.copy()
    values[:, 2] = 7
    steps = [DropSilent(), Standardise()]
    with pytest.warns(UserWarning, match="dropped s2"):
        (done, _), learned = prepare(with_values(fleet(), values), steps)
    again = replay(fleet(), steps, learned).recording
    assert done.signal("sensors").names == again.signal("sensors").names == ["s0", "s1", "s3"]


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (Standardise("sensor"), "no signal 'sensor'. Did you mean 'sensors'"),
        (Standardise("count"), "signal count: Standardise works on continuous signals, this one is counts"),
    ],
)
def test_wrong_signal_is_refused(step, message):
    recording = Recording.of({"sensors": np.eye(3), "count": np.eye(3, dtype=int)}, kinds={"count": "counts"})
    with pytest.raises(InputError, match=message):
        step.learn(recording)


def test_recording_without_continuous_signals_is_refused():
    recording = Recording.of({"count": np.eye(3, dtype=int)}, kinds={"count": "counts"})
    with pytest.raises(InputError, match="Standardise needs a continuous signal, and there is none"):
        Standardise().learn(recording)


def test_missing_channel_is_refused_by_name():
    learned = Standardise().learn(fleet(n_sensors=4))
    with pytest.raises(InputError, match="no channel 's3', which the training data had.*column of NaN"):
        Standardise().apply(fleet(n_sensors=3), learned)
