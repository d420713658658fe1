"""Steps in order: learned at training, replayed later; and the table of their names."""

import dataclasses
import json

import numpy as np
import pytest

from neurolatent.checks import InputError
from neurolatent.preparation import STEPS, HealthIndicator, PrincipalComponents, Regimes, Standardise, prepare, replay
from tests.preparation.fleets import assert_same, in_regimes, with_values

CHAIN = [Regimes(), HealthIndicator(), PrincipalComponents(2), Standardise("indicator")]


def test_each_step_learns_from_the_result_of_those_before():
    recording, _ = in_regimes()
    done, learned = prepare(recording, CHAIN)
    assert done.refused == {}
    assert len(learned) == 4
    np.testing.assert_allclose(done.recording.signal("indicator").values.std(), 1)
    np.testing.assert_allclose(learned[1]["sd"], 1)  # the sensors came normalised


def test_replay_on_the_training_data_is_the_same_and_learns_nothing():
    recording, _ = in_regimes()
    done, learned = prepare(recording, CHAIN)
    assert_same(replay(recording, CHAIN, learned).recording, done.recording)
    part = recording.take(["unit3"]).cut(0, 11)
    assert_same(replay(part, CHAIN, learned).recording, done.recording.take(["unit3"]).cut(0, 11))


def test_no_steps_change_nothing():
    recording, _ = in_regimes()
    done, learned = prepare(recording, [])
    assert done.recording is recording
    assert learned == ()
    assert replay(recording, [], ()).recording is recording


@pytest.mark.parametrize("name", STEPS)
def test_settings_go_through_json(name):
    step = STEPS[name]()
    settings = json.loads(json.dumps(dataclasses.asdict(step)))
    assert STEPS[name](**settings) == step
    assert hash(STEPS[name](**settings)) == hash(step)
    for method in ("learn", "apply", "restore"):
        assert callable(getattr(step, method))


def test_nothing_left_names_what_was_refused_before():
    recording, _ = in_regimes()
    _, learned = prepare(recording, CHAIN)
    settings, sensors = (recording.signal(name).values.copy() for name in ("settings", "sensors"))
    settings[0], sensors[recording.lengths[0] :] = 5.0, np.nan
    emptied = with_values(with_values(recording, settings, "settings"), sensors)
    message = "can use none of the sequences. Sequence unit1: none of .* Refused before: Sequence unit0: cycle 1"
    with pytest.raises(InputError, match=message):
        replay(emptied, CHAIN, learned)
