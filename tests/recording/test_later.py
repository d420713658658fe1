"""The container holds what the models to come will need."""

import time
import tracemalloc

import numpy as np

from neurolatent.recording import Recording


def test_images_beside_spikes():
    rng = np.random.default_rng(0)
    recording = Recording.of(
        {"screen": [rng.uniform(size=(20, 12, 12))] * 3, "spikes": [rng.poisson(2.0, (20, 7))] * 3},
        kinds={"screen": "image", "spikes": "counts"},
        bin_width=0.05,
    )
    assert recording.signal("screen").values.shape == (60, 12, 12)
    assert recording.signal("screen").names == []
    part = recording.take(["2"]).cut(4, 8).bin(2)
    assert part.signal("screen").values.shape == (2, 12, 12)
    assert part.signal("spikes").values.shape == (2, 7)
    assert "12 x 12" in recording.describe()
    hidden = recording.hide("screen", 0.5, seed=0).signal("screen")
    assert 0.4 < hidden.observed.mean() < 0.6


def test_choices_with_covariates_per_trial():
    rng = np.random.default_rng(0)
    trials = [90, 60]
    recording = Recording.of(
        {
            "choice": [rng.integers(0, 2, n) for n in trials],
            "covariates": [rng.normal(size=(n, 3)) for n in trials],
        },
        kinds={"choice": "binary"},
        channels={"covariates": ["bias", "contrast", "previous"]},
        clock_unit="trial",
    )
    past, future = recording.split_time(2 / 3)
    assert past.lengths.tolist() == [60, 40]
    assert future.start.tolist() == [60, 40]
    assert recording.signal("covariates").pick(np.array([1])).names == ["contrast"]


def test_neurons_by_bins_with_masked_entries():
    rng = np.random.default_rng(0)
    counts = np.ma.array(rng.poisson(3.0, (720, 63)).astype(np.int16), mask=rng.uniform(size=(720, 63)) < 0.1)
    recording = Recording.of({"counts": counts}, kinds={"counts": "counts"}, bin_width=0.5)
    signal = recording.signal("counts")
    assert signal.values.dtype == np.int16
    np.testing.assert_array_equal(signal.observed, ~np.ma.getmaskarray(counts))
    assert (signal.values[~signal.observed] == 0).all()
    held_out, rest = recording.split_channels("counts", [str(n) for n in range(0, 63, 9)])
    assert held_out.signal("counts").n_channels + rest.signal("counts").n_channels == 63


def test_one_long_session_is_fast_and_light():
    counts = np.zeros((1_000_000, 20), np.uint8)
    began = time.perf_counter()
    recording = Recording.of({"n": counts}, kinds={"n": "counts"}, bin_width=0.001)
    tracemalloc.start()
    past, future = recording.split_time(0.5)
    assert recording.take(recording.ids).n_samples == past.n_samples + future.n_samples
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6  # the signal alone has 20 MB, and its mask as much: views, no copies
    assert recording.bin(10).n_samples == 100_000
    assert time.perf_counter() - began < 20
