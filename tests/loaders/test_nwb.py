"""An NWB file that pynwb wrote, against plain numpy on the arrays that went into it."""

import shutil
import sys

import h5py
import numpy as np
import pytest

from neurolatent.loaders import describe, load
from neurolatent.recording import Recording
from tests.loaders import nwb_files
from tests.recording.refusals import refuses

pytest.importorskip("pynwb", reason="needs pynwb: pip install 'neurolatent[neuro]'")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The file's path and its arrays."""
    path = tmp_path_factory.mktemp("nwb") / "session.nwb"
    return path, nwb_files.write(path)


def histogram(train, low, bins, width):
    return np.histogram(train, low + width * np.arange(bins + 1))[0]


def lines(recording, *words):
    return [line for line in recording.history if all(word in line for word in words)]


# --- units -------------------------------------------------------------------------------------------------------


def test_each_part_of_the_observed_time_is_a_sequence(written):
    path, made = written
    got = load(path, bin_width=0.5)
    signal = got.signal("spikes")
    assert (got.lengths.tolist(), got.start.tolist(), got.bin_width) == ([96, 80], [0.25, 60.25], 0.5)
    assert (signal.kind, signal.names) == ("counts", ["10", "11", "12", "13"])
    parts = [np.concatenate([histogram(t, 0, 96, 0.5), histogram(t, 60, 80, 0.5)]) for t in made["trains"]]
    want = np.column_stack(parts)
    np.testing.assert_array_equal(signal.values, np.where(signal.observed, want, 0))
    assert want.sum() > 500
    seen = np.ones_like(want, bool)
    seen[96:, 1] = False  # not observed, and not silent
    seen[[40, 41]] = False  # 20.3 to 20.6 s are invalid
    np.testing.assert_array_equal(signal.observed, seen)
    assert lines(got, "without a spike", "13")
    assert lines(got, "not counted", "11")
    assert lines(got, "invalid times", "2 bins")


def test_facts_of_units(written):
    facts = load(written[0], bin_width=0.5).signal("spikes").channels
    assert facts["quality"].tolist() == nwb_files.QUALITY
    assert facts["depth"].tolist() == [0, 10, 20, 30]
    assert list(facts) == ["quality", "depth"]


@pytest.mark.parametrize(
    ("only", "names"),
    [({"quality": "good"}, ["10", "12", "13"]), ({"quality": ["mua", "good"], "depth": 10.0}, ["11"])],
)
def test_units_are_chosen_by_their_columns(written, only, names):
    got = load(written[0], bin_width=1.0, units=only)
    assert got.signal("spikes").names == names
    assert lines(got, f"took {len(names)} of 4 units")


# --- trials ------------------------------------------------------------------------------------------------------


def test_trials_are_sequences_with_their_outcomes(written):
    path, made = written
    got = load(path, bin_width=0.5, trials="trials")
    whole = np.floor((made["stop"] - made["start"]) / 0.5).astype(int)
    assert got.lengths.tolist() == whole.tolist()
    assert got.sequences["choice"].tolist() == ["left", "right"] * 5
    assert list(got.sequences) == ["id", "start_time", "stop_time", "choice", "cue"]
    for part, low, bins in zip(got.slices(), made["start"], whole, strict=True):
        values, seen = (a[part, 0] for a in (got.signal("spikes").values, got.signal("spikes").observed))
        want = histogram(made["trains"][0], low, bins, 0.5)
        np.testing.assert_array_equal(values, np.where(seen, want, 0))
    assert lines(got, "dropped the last part of 5 sequences")
    seventh = got.signal("spikes").observed[got.slices()[6], 0]  # 54 to 60.5 s, not observed before 60 s
    assert seventh.tolist() == [False] * 12 + [True]


def test_a_window_around_an_event(written):
    path, made = written
    got = load(path, bin_width=0.25, trials="trials", window=["cue - 0.5", "cue + 1.5"])
    assert got.lengths.tolist() == [8] * 9
    assert got.ids == [str(i) for i in range(10) if i != 4]
    np.testing.assert_allclose(got.start, np.delete(made["cue"], 4) - 0.5 + 0.125)
    assert lines(got, "left out rows without a time", "4")
    np.testing.assert_array_equal(
        got.signal("spikes").values[:8, 0], histogram(made["trains"][0], made["cue"][0] - 0.5, 8, 0.25)
    )


# --- time series -------------------------------------------------------------------------------------------------


def test_series_are_averaged_in_their_units(written):
    path, made = written
    got = load(path, bin_width=0.5, signals=["units", "lfp"])
    volts = made["lfp"] * 1e-3 * np.array([1.0, 2.0, 3.0]) + 0.5
    at = 0.25 + np.arange(10_000) / 100
    signal = got.signal("lfp")
    for row in (0, 1, 50, 120, 175):
        centre = got.clock()[row]
        inside = (at >= centre - 0.25 - 1e-9) & (at < centre + 0.25 - 1e-9)
        np.testing.assert_allclose(signal.values[row], volts[inside].mean(axis=0), rtol=1e-12)
    assert signal.units == "volts"
    assert signal.names == ["2", "0", "1"]
    assert signal.channels["location"].tolist() == ["CA3", "CA1", "CA3"]
    assert lines(got, "lfp: averaged", "conversion and offset applied")


def test_uneven_time_stamps_are_drawn_between(written):
    path, made = written
    got = load(path, bin_width=0.05, signals={"where": "Position/track"}, trials="trials")
    signal = got.signal("where")
    assert (signal.names, signal.units) == (["x", "y"], "meters")
    assert lines(got, "Position/track: interpolated")
    at, clock = made["position_at"], got.clock()
    after = np.searchsorted(at, clock)
    near = (after > 0) & (at[after] - at[after - 1] <= 2.5 * np.median(np.diff(at)))
    line = np.column_stack([np.interp(clock, at, made["position"][:, axis]) * 0.01 for axis in (0, 1)])
    np.testing.assert_allclose(signal.values[signal.observed], line[signal.observed], rtol=1e-9)
    touched = np.abs(clock - 20.45) < 0.17  # near the invalid times
    assert (signal.observed[:, 0] == near)[~touched].all()


def test_a_series_in_radians_is_an_angle(written):
    path, made = written
    got = load(path, bin_width=0.5, signals="heading")
    assert got.signal("heading").kind == "angle"
    assert got.signal("heading").names == ["heading"]
    first = np.angle(np.exp(1j * made["heading"][:20]).mean())
    assert got.signal("heading").values[0, 0] == pytest.approx(first)
    plain = load(path, bin_width=0.5, signals="heading", kinds={"heading": "continuous"})
    assert plain.signal("heading").values[0, 0] == pytest.approx(made["heading"][:20].mean())


def test_what_was_left_unread_is_listed(written):
    got = load(written[0], bin_width=1.0)
    (line,) = lines(got, "left unread")
    for words in ("trials (not asked for)", "lfp (not asked for)", "notes (no numbers)", "video (images)"):
        assert words in line
    assert "units," not in line


def test_recording_is_saved_and_read_back(written, tmp_path):
    got = load(written[0], bin_width=0.5, trials="trials", signals=["units", "lfp"])
    got.save(tmp_path / "a.nc")
    assert Recording.load(tmp_path / "a.nc").fingerprint() == got.fingerprint()


# --- description -------------------------------------------------------------------------------------------------


def test_description_names_everything(written, call):
    import json

    status, out, _ = call("describe", written[0], "--json")
    facts = json.loads(out)
    assert status == 0
    inside = {item["name"]: item.get("facts", {}) for item in facts["inside"]}
    assert inside["units"]["spikes"] == 1260
    assert (inside["units"]["observed_s"], inside["units"]["observed_parts"]) == (88, 2)
    assert inside["trials"]["columns"] == ["start_time", "stop_time", "choice", "cue"]
    assert inside["lfp"]["rate_Hz"] == 100
    assert inside["behavior/Position/track"]["clock"] == "time stamps"
    reasons = {item["name"]: item["reason"] for item in facts["unread"]}
    assert reasons["video"] == "images"
    assert reasons["trials/licks"] == "a list in each row"
    assert reasons["tensor"].startswith("3 axes")
    assert "electrodes" in reasons
    assert "bin_width" in facts["refusal"]
    status, out, _ = call("describe", written[0], "--bin-width", 0.5)
    assert "4 channels" in out
    assert "left unread:" in out


def test_npz_is_described_by_its_arrays(tmp_path):
    np.savez(tmp_path / "a.npz", counts=np.ones((3, 10)), stimulus=np.ones(10))
    got = describe(tmp_path / "a.npz")
    assert "counts: array, type float64, shape 3 10" in str(got)
    assert "share one clock" in got.refusal


# --- refusals ----------------------------------------------------------------------------------------------------

REFUSED = {
    "no bin width": ({"bin_width": None}, ["session.nwb", "bin_width"]),
    "bin width": ({"bin_width": -1.0}, ["bin_width", "above 0"]),
    "wide bins": ({"bin_width": 200.0}, ["one bin of 200", "lasts 48"]),
    "unit column": ({"units": {"qualty": "good"}}, ["units", "'qualty'", "'quality'"]),
    "unit list column": ({"units": {"waveform_mean": 1}}, ["'waveform_mean'", "one value a unit"]),
    "unit value": ({"units": {"quality": "bad"}}, ["quality = 'bad'", "good, mua"]),
    "unit values": ({"units": {"quality": "mua", "depth": 0.0}}, ["no unit meets all"]),
    "trials": ({"trials": "trails"}, ["'trails'", "'trials'"]),
    "window alone": ({"window": ["cue", "stop_time"]}, ["window needs trials"]),
    "window": ({"trials": "trials", "window": ["cue"]}, ["two bounds"]),
    "window column": ({"trials": "trials", "window": ["queue - 1", "stop_time"]}, ["'queue - 1'", "'cue'"]),
    "window text": ({"trials": "trials", "window": ["choice", "stop_time"]}, ["'choice'", "no column of times"]),
    "backwards": ({"trials": "trials", "window": ["stop_time", "start_time"]}, ["sequence 0", "from 5 to 0"]),
    "overlap": ({"trials": "trials", "window": ["start_time - 5", "stop_time"]}, ["0 and 1", "overlap by 1"]),
    "series": ({"signals": ["lpf"]}, ["'lpf'", "'lfp'"]),
    "several": ({"signals": ["track"]}, ["'track'", "behavior/Position/track", "behavior/track", "more of the path"]),
    "images": ({"signals": ["video"]}, ["video", "images"]),
    "text": ({"signals": ["notes"]}, ["notes", "no numbers"]),
    "kind": ({"signals": ["lfp"], "kinds": {"lfp": "counts"}}, ["lfp", "'counts'", "averaged"]),
    "kinds": ({"kinds": {"lfp": "angle"}}, ["kinds", "'lfp'"]),
    "option": ({"unit": {}}, ["'unit'", "'units'"]),
}


@pytest.mark.parametrize(("options", "words"), REFUSED.values(), ids=REFUSED)
def test_refused(written, options, words):
    with refuses(*words):
        load(written[0], **{"bin_width": 0.5, **options})


def set_entry(key, index, value):
    def change(file):
        file[key][index] = value

    return change


def delete(*keys):
    def change(file):
        for key in keys:
            del file[key]

    return change


TRACK = "processing/behavior/Position/track"
DAMAGED = {
    "descending": (set_entry("units/spike_times", 5, 99.0), {}, ["unit 10", "spike 7", "comes after 99"]),
    "nan spike": (set_entry("units/spike_times", 900, np.nan), {}, ["unit 11", "spike 1", "nan"]),
    "interval": (set_entry("units/obs_intervals", 0, [50.0, 48.0]), {}, ["unit 10", "from 50 to 48"]),
    "nan stamp": (set_entry(f"{TRACK}/timestamps", 2, np.nan), {"signals": ["Position/track"]}, ["sample 3", "nan"]),
    "stamp twice": (
        set_entry(f"{TRACK}/timestamps", 2, 0.0),
        {"signals": ["Position/track"]},
        ["Position/track", "sample 3 at 0", "Sort"],
    ),
    "no units": (delete("units"), {}, ["no units", "signals=", "lfp"]),
    "trials": (set_entry("intervals/trials/start_time", 3, np.nan), {"trials": "trials"}, []),
}


@pytest.mark.parametrize(("change", "options", "words"), DAMAGED.values(), ids=DAMAGED)
def test_bad_values_are_refused_by_name(written, tmp_path, change, options, words):
    path = tmp_path / "bad.nwb"
    shutil.copy(written[0], path)
    with h5py.File(path, "r+") as file:
        change(file)
    if not words:  # a trial without a beginning is left out, and named
        assert lines(load(path, bin_width=0.5, **options), "left out rows without a time", ": 3")
        return
    with refuses("bad.nwb", *words):
        load(path, **{"bin_width": 0.5, **options})


def test_without_observed_intervals_time_is_that_of_the_events(written, tmp_path):
    path = tmp_path / "plain.nwb"
    shutil.copy(written[0], path)
    with h5py.File(path, "r+") as file:
        del file["units/obs_intervals"], file["units/obs_intervals_index"]
        file["units"].attrs["colnames"] = [c for c in file["units"].attrs["colnames"] if c != "obs_intervals"]
    got = load(path, bin_width=0.5)
    spikes = np.concatenate(written[1]["trains"])
    assert got.start[0] == pytest.approx(spikes.min() + 0.25)
    assert lines(got, "no observed intervals are stated")
    assert got.signal("spikes").observed.mean() > 0.98  # but for the invalid times


def test_damage_is_refused(written, tmp_path):
    whole = written[0].read_bytes()
    (tmp_path / "half.nwb").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.nwb").write_text("hello")
    with h5py.File(tmp_path / "other.nwb", "w") as file:
        file["x"] = 1
    for name in ("half.nwb", "text.nwb", "other.nwb"):
        with refuses(name, "no NWB file, or is cut short"):
            load(tmp_path / name, bin_width=1.0)
        with refuses(name, "no NWB file, or is cut short"):
            describe(tmp_path / name)


def test_missing_library_is_named_with_the_command(written, monkeypatch):
    monkeypatch.setitem(sys.modules, "pynwb", None)
    with refuses("session.nwb", "pynwb", "pip install 'neurolatent[neuro]'"):
        load(written[0], bin_width=1.0)
