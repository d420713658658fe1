import numpy as np
import pytest

from neurolatent.loaders import load
from tests.recording.refusals import refuses


def write(folder, **arrays):
    rng = np.random.default_rng(0)
    base = {
        "counts": rng.poisson(2.0, (3, 10)).astype(np.int16),
        "region": np.array(["CA1", "LP", "LP"]),
        "state": np.arange(10),
        "width": np.float64(0.5),
        "first": np.float64(100),
    }
    np.savez(folder / "a.npz", **{**base, **arrays})
    return folder / "a.npz"


OPTIONS = {"signals": ["counts", "state"], "transpose": ["counts"], "kinds": {"counts": "counts"}}


def test_channels_by_time_with_facts(tmp_path):
    facts = {"counts": {"area": "region"}}
    recording = load(write(tmp_path), **OPTIONS, facts=facts, bin_width="width", start="first", failed=False)
    signal = recording.signal("counts")
    assert signal.values.shape == (10, 3)
    assert signal.values.dtype == np.int16
    assert signal.channels["area"].tolist() == ["CA1", "LP", "LP"]
    assert recording.clock()[:2].tolist() == [100, 100.5]
    assert recording.signal("state").values.shape == (10, 1)


def test_lengths_cut_sequences(tmp_path):
    path = write(tmp_path, trials=np.array([4, 6]))
    for lengths in ("trials", [4, 6]):
        recording = load(path, **OPTIONS, lengths=lengths)
        assert recording.lengths.tolist() == [4, 6]
        assert recording.signal("state").values[:, 0].tolist() == list(range(10))


def test_times_with_a_gap(tmp_path):
    path = write(tmp_path, t=np.append(np.arange(9) / 2, 6.0))
    recording = load(path, **OPTIONS, times="t")
    assert recording.lengths.tolist() == [13]
    assert recording.bin_width == 0.5
    assert "3 missing steps" in recording.history[0]


def test_names_of_channels(tmp_path):
    path = write(tmp_path, names=np.array(["x", "y", "z"]))
    assert load(path, **OPTIONS, channels={"counts": "names"}).signal("counts").names == ["x", "y", "z"]
    assert load(path, **OPTIONS, channels={"counts": ["p", "q", "r"]}).signal("counts").names == ["p", "q", "r"]


def test_signals_may_be_renamed_or_left_to_the_file(tmp_path):
    assert list(load(write(tmp_path), signals={"stimulus": "state"}).signals) == ["stimulus"]
    np.savez(tmp_path / "b.npz", x=np.ones((4, 2)), y=np.ones(4), text=np.array(["a"]), rate=np.float64(2))
    assert list(load(tmp_path / "b.npz").signals) == ["x", "y"]
    assert load(tmp_path / "b.npz", channels={"y": ["height"]}).signal("y").names == ["height"]


def test_images_keep_their_shape(tmp_path):
    path = write(tmp_path, screen=np.zeros((10, 4, 5)))
    assert load(path, signals=["screen"], kinds={"screen": "image"}).signal("screen").values.shape == (10, 4, 5)


REFUSED = {
    "all signals": ({}, ["a.npz", "(3, 10)", "(10,)", "transpose"]),
    "key": ({"signals": ["count"]}, ["a.npz", "'count'", "Did you mean 'counts'"]),
    "transpose": ({**OPTIONS, "transpose": ["cuonts"]}, ["transpose", "'cuonts'", "'counts'"]),
    "width": ({**OPTIONS, "bin_width": "state"}, ["array state", "one number", "(10,)"]),
    "width key": ({**OPTIONS, "bin_width": "widht"}, ["'widht'", "Did you mean 'width'"]),
    "lengths": ({**OPTIONS, "lengths": [4, 4]}, ["lengths", "10 samples", "[4 4]"]),
    "facts": (
        {**OPTIONS, "facts": {"counts": {"area": "state"}}},
        ["signal counts", "fact area", "(10,)", "3 channels"],
    ),
    "names": ({**OPTIONS, "channels": {"counts": ["a"]}}, ["signal counts", "1 channel names for 3"]),
    "names twice": ({**OPTIONS, "channels": {"counts": ["a", "a", "b"]}}, ["signal counts", "'a' stands twice"]),
    "kinds": ({**OPTIONS, "kinds": {"cuonts": "counts"}}, ["kinds", "'cuonts'"]),
    "text": ({"signals": ["region"]}, ["a.npz", "signal region", "numbers"]),
    "no clock": ({**OPTIONS, "times": "state", "start": 1.0}, ["start or times"]),
}


@pytest.mark.parametrize(("options", "words"), REFUSED.values(), ids=REFUSED)
def test_refused(tmp_path, options, words):
    with refuses(*words):
        load(write(tmp_path), **options)


def test_negative_counts_are_refused(tmp_path):
    path = write(tmp_path, counts=np.array([[1, -1] + [0] * 8]))
    with refuses("a.npz", "signal counts", "channel 0", "sample 1", "-1"):
        load(path, **OPTIONS)


def test_pickles_and_damage_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.array([{}], object))
    with refuses("a.npz", "pickled", "numpy.savez"):
        load(tmp_path / "a.npz")
    whole = write(tmp_path).read_bytes()
    (tmp_path / "a.npz").write_bytes(whole[: len(whole) // 2])
    with refuses("a.npz", "cut short"):
        load(tmp_path / "a.npz")
    np.save(tmp_path / "b.npy", np.ones(3))
    with refuses("b.npy", "no archive"):
        load(tmp_path / "b.npy", format="npz")
