import copy

import numpy as np
import pytest

from neurolatent.checks import InputError
from neurolatent.recipe.data import recording_of
from tests.small_fleet import recipe, running, table

SIMULATE = {
    "sequences": 3,
    "length": 50,
    "model": {"n_states": 2, "order": 1, "transitions": "ergodic"},
    "params": {
        "initial": [0.5, 0.5],
        "transition": [[0.9, 0.1], [0.2, 0.8]],
        "coefficients": [[[0.5, 1.0]], [[0.5, -1.0]]],
        "covariance": [[[0.1]], [[0.1]]],
    },
}


def simulated(seed: int, **changes):
    return recording_of({"simulate": {**SIMULATE, **changes}}, "r: [data]", seed)


@pytest.fixture
def data(tmp_path):
    table().to_csv(tmp_path / "fleet.csv", index=False)
    facts = {k: v for k, v in recipe()["data"].items() if k != "knowledge"}
    return {**facts, "path": str(tmp_path / "fleet.csv")}


def test_simulated_data_repeat_by_seed():
    first, again, other = simulated(1), simulated(1), simulated(2)
    assert first.fingerprint() == again.fingerprint() != other.fingerprint()
    assert (first.n_sequences, set(first.lengths.tolist())) == (3, {50})
    assert set(first.signals) == {"signal", "state"}


def test_simulated_data_follow_their_parameters():
    got = simulated(0, sequences=1, length=20_000)
    state, y = got.signal("state").values[:, 0], got.signal("signal").values[:, 0]
    assert np.mean(state) == pytest.approx(1 / 3, abs=0.02)
    rest = y[1:] - 0.5 * y[:-1]
    for k, centre in enumerate((1.0, -1.0)):
        assert rest[state[1:] == k].mean() == pytest.approx(centre, abs=0.02)
        assert rest[state[1:] == k].var() == pytest.approx(0.1, abs=0.005)


def test_first_samples_come_from_their_distribution():
    fixed = simulated(0, sequences=2, first_mean=[100.0])
    assert (fixed.signal("signal").values[[0, 50], 0] > 45).all()
    spread = simulated(0, sequences=400, length=1, first_mean=[0.0], first_covariance=[[400.0]])
    assert spread.signal("signal").values.std() == pytest.approx(10.0, rel=0.1)  # half of the one before


def spoiled(*path_and_value):
    *path, value = path_and_value
    tables = copy.deepcopy(SIMULATE)
    here = tables
    for key in path[:-1]:
        here = here[key]
    here[path[-1]] = value
    return tables


FAULTS = {
    "unknown key": (spoiled("lenght", 3), "simulate: unknown key 'lenght'. Did you mean 'length'"),
    "no length": ({k: v for k, v in SIMULATE.items() if k != "length"}, "simulate: 'length' is missing"),
    "text": (spoiled("length", "x"), "simulate.length: a value of type int"),
    "none": (spoiled("sequences", 0), "sequences must be a whole number of at least 1"),
    "model key": (spoiled("model", "states", 2), "simulate.model: unknown key 'states'. Did you mean 'n_states'"),
    "params key": (spoiled("params", "covarience", 2), "simulate.params: unknown key 'covarience'. Did you mean"),
    "params missing": (spoiled("params", {"initial": [1.0, 0.0]}), "'transition' is missing"),
    "ragged": (spoiled("params", "transition", [[1.0], [0.2, 0.8]]), "simulate.params: "),
    "shape": (spoiled("params", "initial", [1.0]), r"params.initial: the shape \(2,\) is needed, got \(1,\)"),
    "lags": (spoiled("params", "coefficients", [[[1.0]], [[1.0]]]), r"coefficients: the shape \(2, 1, 2\) is needed"),
    "rows": (spoiled("params", "transition", [[0.9, 0.2], [0.2, 0.8]]), "transition: rows .* must sum to 1"),
    "negative": (spoiled("params", "initial", [1.5, -0.5]), "initial: rows .* must sum to 1"),
    "covariance": (spoiled("params", "covariance", [[[0.1]], [[0.0]]]), "covariance: it must be positive definite"),
    "first": (spoiled("first_mean", [1.0, 2.0]), "first_mean needs 1 numbers"),
}


@pytest.mark.parametrize(("simulate", "message"), FAULTS.values(), ids=FAULTS)
def test_faulty_simulations_are_refused(simulate, message):
    with pytest.raises(InputError, match=message):
        recording_of({"simulate": simulate}, "r: [data]", 0)


def test_one_source_is_needed():
    for tables in ({}, {"path": "a.csv", "simulate": SIMULATE}):
        with pytest.raises(InputError, match="either 'path' or 'simulate' is needed"):
            recording_of(tables, "r: [data]", 0)


def test_options_of_files_are_refused_beside_a_simulation():
    with pytest.raises(InputError, match=r"\[data\]: unknown key 'sequence'"):
        recording_of({"simulate": SIMULATE, "sequence": "unit"}, "r: [data]", 0)


def test_take_and_bin(data):
    assert recording_of({**data, "take": 3}, "x", 0).ids == ["1", "2", "3"]
    assert recording_of({**data, "take": -2}, "x", 0).ids == recording_of(data, "x", 0).ids[-2:]
    assert recording_of({**data, "take": [5, "2"]}, "x", 0).ids == ["5", "2"]
    coarse = recording_of({**data, "bin": 4}, "x", 0)
    assert coarse.bin_width == 4.0
    assert coarse.lengths.tolist() == (recording_of(data, "x", 0).lengths // 4).tolist()


FILE_FAULTS = {
    "unknown option": ({"seqence": "unit"}, "there is no option 'seqence'. Did you mean 'sequence"),
    "number for a column": ({"sequence": 3}, r"x.sequence: a value of type str is expected, got 3"),
    "text for yes": ({"failed": "yes"}, "x.failed: a value of type bool is expected, got 'yes'"),
    "list of signals": ({"signals": ["level"]}, "x.signals: a table is expected"),
    "number in signals": ({"signals": {"s": 3}}, "x.signals"),
    "text as width": ({"bin_width": "wide"}, "x.bin_width: "),
    "number as path": ({"path": 3}, "x.path: a value of type str is expected, got 3"),
    "number as format": ({"format": 3}, "x.format: a value of type str is expected, got 3"),
    "unknown format": ({"format": "cvs"}, "there is no format 'cvs'. Did you mean 'csv'"),
    "text to take": ({"take": "all"}, "x.take must be a whole number of at least 1, got 'all'"),
    "unknown unit": ({"take": ["77"]}, "77"),
    "text as range": ({"valid": {"level": "all"}}, r"x.valid.level: a list is expected, got 'all'"),
    "unknown key of an end": ({"end_of_life": {"bellow": 3}}, "x.end_of_life: unknown key 'bellow'. Did you mean"),
    "two thresholds": (
        {"end_of_life": {"signal": "signal", "channel": "level", "below": 1, "below_share_of_first": 0.7}},
        "x.end_of_life: an end of life needs either below or below_share_of_first",
    ),
    "text to bin": ({"bin": "x"}, "x.bin: a value of type int"),
}


@pytest.mark.parametrize(("options", "message"), FILE_FAULTS.values(), ids=FILE_FAULTS)
def test_faulty_options_of_files_are_refused(options, message, data):
    with pytest.raises(InputError, match=message):
        recording_of({**data, **options}, "x", 0)


def test_one_column_may_stand_without_a_list(data):
    assert recording_of({**data, "signals": {"s": "level"}}, "x", 0).signal("s").names == ["level"]


def test_running_units_have_their_true_lives(tmp_path, data):
    cut, truth = running()
    cut.to_csv(tmp_path / "running.csv", index=False)
    truth.to_csv(tmp_path / "remaining.csv", index=False)
    options = {"path": str(tmp_path / "running.csv"), "sequences": str(tmp_path / "remaining.csv"), "failed": False}
    got = recording_of({**data, **options}, "x", 0)
    assert got.sequences["remaining"].tolist() == [5, 11, 17]


def test_a_threshold_ends_lives_after_values_were_masked(tmp_path, data):
    fading = table().assign(level=3.0 - table()["level"])
    fading.loc[3, "level"] = -90.0
    fading.to_csv(tmp_path / "fleet.csv", index=False)
    options = {
        "valid": {"level": [-10, 10.0]},
        "end_of_life": {"signal": "signal", "channel": "level", "below": 1.5, "times": 3},
        "bin": 2,
    }
    plain, got = recording_of(data, "x", 0), recording_of({**data, **options}, "x", 0)
    assert [line.split(",")[0] for line in got.history] == [
        "masked 1 values of level outside -10 to 10",
        "end of life",
        "binned by 2: one sample every 2 cycle",
    ]
    np.testing.assert_allclose(got.lengths * 2, plain.lengths * 2 / 3, atol=3)
    assert got.failed(True, "x").all()
