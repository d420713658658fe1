"""The door of the model: what it takes, in which order, and what it refuses in which words."""

import numpy as np
import pandas as pd
import pytest

from neurolatent.checks import IncompatibleKnowledgeError, InputError
from neurolatent.models.arphmm import ARPHMM, ARPrior
from neurolatent.models.arphmm.structure import refuse_unreachable
from neurolatent.recording import Recording, knowledge
from tests.recording.refusals import refuses


def walk(*lengths: int, channels: int = 1, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [np.cumsum(rng.normal(size=(n, channels)), axis=0) for n in lengths]


def select(model: ARPHMM, recording: Recording, *, for_training: bool = True, use_knowledge: bool = True):
    return model.select(recording, for_training=for_training, use_knowledge=use_knowledge)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"n_states": 0}, ("n_states must be a whole number of at least 1", "0")),
        ({"n_states": 2.5}, ("n_states", "2.5")),
        ({"n_states": 2, "order": -1}, ("order must be a whole number of at least 0", "-1")),
        ({"n_states": 2, "n_substates": 0}, ("n_substates", "at least 1", "0")),
        ({"n_states": 2, "skip": -2}, ("skip", "-2")),
        ({"n_states": 2, "transitions": "leftright"}, ("transitions", "'leftright'", "Did you mean 'left_right'")),
        ({"n_states": 2, "covariance": "diagonal"}, ("covariance", "'diagonal'", "'diag'")),
        ({"n_states": 2, "first": "drop"}, ("first", "'drop'")),
        ({"n_states": 2, "ridge": -1.0}, ("ridge must be at least 0.0", "-1.0")),
        ({"n_states": 2, "floor": float("nan")}, ("floor", "nan")),
        ({"n_states": 2, "channels": ("a", "a")}, ("channels", "('a', 'a')")),
    ],
)
def test_nonsense_is_refused_with_its_value(fields, words):
    with refuses(*words):  # in tests annotations are checked as well, and first: users meet our own words
        ARPHMM.__post_init__(unchecked(ARPHMM, fields))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"lag_spread": 0.0}, ("prior: lag_spread", "above 0", "0.0")),
        ({"level_spread": float("inf")}, ("prior: level_spread", "finite")),
        ({"extra_freedom": 1.0}, ("prior: extra_freedom", "above 1", "1.0")),
        ({"stay": 0.5}, ("prior: stay", "at least 1", "0.5")),
        ({"first": 0.0}, ("prior: first", "at least 1", "0.0")),
        ({"own_lag": float("nan")}, ("prior: own_lag", "nan")),
    ],
)
def test_priors_without_a_mode_are_refused(fields, words):
    with refuses(*words):
        ARPrior(**fields)


def unchecked(kind: type, fields: dict):
    """An instance whose fields have not been looked at."""
    made = object.__new__(kind)
    for name, field in kind.__dataclass_fields__.items():
        default = field.default_factory() if callable(field.default_factory) else field.default
        object.__setattr__(made, name, fields.get(name, default))
    return made


def test_states_that_cannot_be_reached_are_refused():
    allowed = np.array([[True, False, True], [False, True, False], [True, False, True]])
    with refuses("state 1", "never be reached"):
        refuse_unreachable(allowed, np.array([True, False, False]))


def test_a_short_sequence_is_refused_by_name():
    recording = Recording.of({"signal": walk(9, 3)}, ids=["ok", "tiny"], name="file.csv")
    with refuses("file.csv", "sequence tiny", "3 samples", "order 2", "at least 4"):
        select(ARPHMM(2, order=2), recording)
    select(ARPHMM(2, order=1), recording)


def test_a_constant_channel_and_a_silent_one_are_refused_by_name():
    values = walk(9, channels=2)[0]
    values[:, 1] = 7.0
    recording = Recording.of({"signal": values}, channels={"signal": ["s1", "s5"]}, name="file.csv")
    with refuses("file.csv", "signal signal", "channel s5", "never changes (7)", "DropSilent"):
        select(ARPHMM(2), recording)
    values[:, 1] = np.nan
    recording = Recording.of({"signal": values}, channels={"signal": ["s1", "s5"]}, name="file.csv")
    with refuses("channel s5", "no value was observed"):
        select(ARPHMM(2), recording)


def test_nothing_observed_together_with_its_lags_is_refused():
    values = walk(9)[0]
    values[::2] = np.nan
    with refuses("no sample has been observed together with the 1 before it"):
        select(ARPHMM(2), Recording.of(values))
    values = np.array([3.0, 5.0, np.nan, 1.0, 5.0])[:, None]
    with refuses("channel", "never changes in the samples that can be learned from"):
        select(ARPHMM(2), Recording.of(values))


def test_the_signal_is_found_or_named():
    values = walk(9)[0]
    two = Recording.of({"pressure": values, "heat": values}, name="file.csv")
    with refuses("file.csv", "which signal", "pressure", "heat"):
        select(ARPHMM(2), two)
    with refuses("no signal 'presure'", "Did you mean 'pressure'?"):
        select(ARPHMM(2, signal="presure"), two)
    assert ARPHMM(2, signal="heat").signal_of(two) == "heat"
    assert ARPHMM(2).signal_of(Recording.of({"indicator": values, "heat": values})) == "indicator"


def test_channels_are_taken_in_the_order_given():
    values = walk(9, channels=3)[0]
    recording = Recording.of({"signal": values}, channels={"signal": ["a", "b", "c"]})
    model = ARPHMM(2, order=0, channels=("c", "a"))
    selected = select(model, recording)
    np.testing.assert_array_equal(selected.data.y[0, :9], values[:, [2, 0]])
    assert model.coordinates(selected.recording)["feature"] == ["c", "a"]
    assert select(ARPHMM(2, channels=("a", "b", "c")), recording).data.y.shape[-1] == 3
    with refuses("no channel 'd'"):
        select(ARPHMM(2, channels=("a", "d")), recording)


def test_knowledge_without_a_way_is_refused_by_sequence_and_row():
    recording = Recording.of({"signal": walk(8, 8)}, ids=["a", "b"], clock_unit="cycle", name="file.csv")
    table = pd.DataFrame({"sequence": "b", "first": [1, 4], "last": [2, 6], "level": ["bad", "good"]})
    stated = recording.with_knowledge(knowledge.intervals(recording, table, ["good", "bad"]))
    with refuses("file.csv", "sequence b", "row 5", "cycle 4", "bidiagonal", error=IncompatibleKnowledgeError):
        select(ARPHMM(2), stated)
    select(ARPHMM(2, transitions="ergodic"), stated)
    select(ARPHMM(2), stated, use_knowledge=False)
    jump = pd.DataFrame({"sequence": "b", "first": [1, 4], "last": [3, 6], "level": ["good", "bad"]})
    fast = recording.with_knowledge(knowledge.intervals(recording, jump, ["good", "mid", "bad"][::2]))
    select(ARPHMM(2, n_substates=1), fast)
    with refuses("sequence b", "row 5", error=IncompatibleKnowledgeError):
        select(ARPHMM(3), fast.with_knowledge(knowledge.intervals(recording, jump, ["good", "mid", "bad"])))


def test_substates_take_time_to_pass():
    recording = Recording.of({"signal": walk(8)})
    weights = np.ones((8, 2))
    weights[2:4] = [[1.0, 0.0], [0.0, 1.0]]
    stated = recording.with_knowledge(knowledge.plausibility(weights))
    select(ARPHMM(2, order=0, n_substates=3), stated)
    with refuses("row 4", error=IncompatibleKnowledgeError):
        select(ARPHMM(2, order=0, n_substates=4), stated)


def test_at_prediction_a_short_sequence_is_refused_and_the_others_answered():
    recording = Recording.of({"signal": walk(6, 2, 5)}, ids=["a", "short", "c"])
    selected = select(ARPHMM(2, order=2), recording, for_training=False)
    assert selected.recording.ids == ["a", "c"]
    assert list(selected.refused) == ["short"]
    assert "at least 3" in selected.refused["short"]
    assert select(ARPHMM(2, order=2, first="pad"), recording, for_training=False).refused == {}
    with refuses("no sequence is long enough"):
        select(ARPHMM(2, order=9), recording, for_training=False)


def test_knowledge_for_another_number_of_states_is_refused():
    recording = Recording.of({"signal": walk(8)}).with_knowledge(knowledge.plausibility(np.ones((8, 3))))
    with refuses("(8, 2)", "(8, 3)", error=InputError):
        select(ARPHMM(2), recording)


def test_lags_never_cross_sequences():
    y = [np.arange(5.0), 100.0 + np.arange(4.0)]
    for first, skip in (("condition", 2), ("pad", 0)):
        data = select(ARPHMM(1, order=2, first=first), Recording.of({"signal": y})).data
        for n, part in enumerate(y):
            for t in range(skip, len(part)):
                lags = [part[t - lag] if t >= lag else 0.0 for lag in (1, 2)]
                np.testing.assert_array_equal(data.z[n, t - skip], [*lags, 1.0])
                assert data.y[n, t - skip, 0] == part[t]
            assert not data.usable[n, len(part) - skip :].any()
