"""The real recordings, against the facts in their data cards."""

import gzip

import pytest

from neurolatent.loaders import load

# Set, file stems of train and test, units and rows of both, smallest and largest remaining life
CMAPSS = [
    ("FD001", "", (100, 20631), (100, 13096), (7, 145)),
    ("FD002", ".partial", (260, 53759), (259, 33991), (6, 194)),
    ("FD003", "", (100, 24720), (100, 16596), (6, 145)),
    ("FD004", ".partial", (249, 61249), (248, 41214), (6, 195)),
]


@pytest.mark.parametrize(("name", "kind", "train", "test", "remaining"), CMAPSS, ids=[c[0] for c in CMAPSS])
def test_cmapss(real_data, name, kind, train, test, remaining):
    folder = real_data / "cmapss"
    whole = load(folder / f"train_{name}{kind}.txt.gz", format="cmapss")
    cut = load(folder / f"test_{name}{kind}.txt.gz", format="cmapss", outcomes=folder / f"RUL_{name}.txt.gz")
    assert (whole.n_sequences, whole.n_samples) == train
    assert (cut.n_sequences, cut.n_samples) == test
    assert (cut.sequences.remaining.min(), cut.sequences.remaining.max()) == remaining
    assert whole.sequences.failed.all()
    assert not cut.sequences.failed.any()
    for recording in (whole, cut):
        sensors = recording.signal("sensors")
        silent = [c for c, seen in zip(sensors.names, sensors.observed.any(axis=0), strict=True) if not seen]
        assert silent == (["s6", "s10", "s16"] if kind else [])
        assert not recording.history
        assert recording.ids == [str(n) for n in range(1, recording.n_sequences + 1)]


def test_plain_and_gzip_are_the_same(real_data, tmp_path):
    packed = real_data / "cmapss" / "test_FD001.txt.gz"
    plain = tmp_path / "test_FD001.txt"
    plain.write_bytes(gzip.decompress(packed.read_bytes()))
    assert load(packed, format="cmapss").fingerprint() == load(plain, format="cmapss").fingerprint()


def test_cut_short_download_is_refused(real_data, tmp_path):
    whole = (real_data / "cmapss" / "test_FD001.txt.gz").read_bytes()
    (tmp_path / "test_FD001.txt.gz").write_bytes(whole[:-1000])
    with pytest.raises(ValueError, match="test_FD001.txt.gz: the gzip file is cut short"):
        load(tmp_path / "test_FD001.txt.gz", format="cmapss")


def test_allen_counts(real_data):
    recording = load(
        real_data / "allen_neuropixels_719161530" / "counts_500ms.npz",
        signals=["counts", "stimulus"],
        transpose=["counts"],
        kinds={"counts": "counts", "stimulus": "category"},
        facts={"counts": {"area": "region"}},
        bin_width="bin_width_s",
        start="t_start_s",
    )
    counts = recording.signal("counts")
    assert counts.values.shape == (720, 63)
    assert (counts.values.sum(dtype=int), counts.values.max()) == (181_112, 65)
    assert counts.channels["area"].value_counts().to_dict() == {"CA1": 30, "LP": 18, "VISp": 15}
    assert recording.bin_width == 0.5


def test_choices(real_data):
    recording = load(
        real_data / "ibl_choice" / "ibl_cshl008_5050.csv",
        sequence="session",
        clock="trial",
        clock_unit="trial",
        signals={"choice": ["choice"], "covariates": ["signed_contrast", "prev_choice", "wsls"]},
        kinds={"choice": "binary"},
    )
    assert recording.lengths.tolist() == [90] * 56
    assert recording.signal("choice").values.sum() == 2518


def test_batteries(real_data):
    recording = load(
        real_data / "nasa_battery" / "discharge_capacity.csv.gz",
        sequence="battery_id",
        clock="discharge_cycle",
        clock_unit="cycle",
        signals={"capacity": ["capacity_Ah"]},
    )
    assert (recording.n_sequences, recording.n_samples) == (34, 2794)
    assert (~recording.signal("capacity").observed).sum() == 25
    assert recording.take("B0005").lengths.tolist() == [168]


def test_linear_track(real_data):
    path = real_data / "linear_track" / "binned_100ms.npz"
    recording = load(path, signals=["counts", "pos_px"], kinds={"counts": "counts"}, times="time_s")
    assert recording.signal("counts").values.shape == (9300, 31)
    assert recording.bin_width == 0.1
