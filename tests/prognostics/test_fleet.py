from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from neurolatent.checks import InputError
from neurolatent.fitting import fit as fit_model
from neurolatent.models.arphmm import ARPHMM
from neurolatent.preparation import Regimes
from neurolatent.prognostics import fleet_table
from neurolatent.prognostics.absorption import remaining_life
from neurolatent.prognostics.alarm import alarm_step
from neurolatent.prognostics.fleet import COLUMNS
from neurolatent.recording import Recording, knowledge
from tests.small_fleet import running, table

OPTIONS = {"sequence": "unit", "clock": "cycle", "clock_unit": "h", "signals": {"signal": ["level"]}}


def recording_of(data: pd.DataFrame, step: float = 1.0, **options) -> Recording:
    return Recording.of(data.assign(cycle=data["cycle"] * step), bin_width=step, **OPTIONS, **options)


def trained(step: float = 1.0, failed: bool = True):
    recording = recording_of(table(), step, failed=failed)
    known = knowledge.start_end(recording, 5, 5 if failed else 0)
    return fit_model(ARPHMM(n_states=2), recording.with_knowledge(known), seed=0)


@pytest.fixture(scope="module")
def fit():
    return trained()


def test_rows_stand_in_the_order_of_the_recording(fit):
    data = running()[0]
    turned = pd.concat([data[data["unit"] == unit] for unit in (103, 101, 102)])
    got = fleet_table(fit, recording_of(turned))
    assert got["unit"].tolist() == ["103", "101", "102"]
    assert tuple(got.columns) == COLUMNS


def test_row_says_what_the_prediction_says(fit):
    recording = recording_of(running()[0])
    latents = fit.predict(recording)
    got = fleet_table(fit, recording).set_index("unit")
    life = remaining_life(fit, latents)
    for number, unit in enumerate(recording.ids):
        mine = latents["sample_sequence"].values == unit
        filtered, clock = latents["filtered"].values[mine], latents["clock"].values[mine]
        row = got.loc[unit]
        assert row["last"] == clock[-1]
        assert row["state"] == str(np.argmax(filtered[-1]) + 1)
        assert row["state_probability"] == filtered[-1].max()
        assert row["fault_probability"] == 1 - filtered[-1, 0]
        alarm = alarm_step(1 - filtered[:, 0])
        assert np.isnan(row["alarm"]) if alarm is None else row["alarm"] == clock[alarm]
        assert [row["rul_low"], row["rul_median"], row["rul_high"]] == life[:, number].tolist()


def test_fault_is_found_near_its_onset(fit):
    whole = table(1, seed=5, first=7)
    got = fleet_table(fit, recording_of(whole)).iloc[0]
    onset = whole["cycle"][whole["level"] > 1.5].min()
    assert got["fault_since"] == pytest.approx(onset, abs=1)
    assert got["alarm"] == pytest.approx(onset + 2, abs=1)
    assert got["state"] == "2"


def test_alarm_does_not_change_with_later_rows(fit):
    whole = table(2, seed=6)
    alarms = fleet_table(fit, recording_of(whole)).set_index("unit")["alarm"]
    for unit, alarm in alarms.items():
        mine = whole[whole["unit"].astype(str) == unit]
        for last in (alarm - 1, alarm, alarm + 3):
            got = fleet_table(fit, recording_of(mine[mine["cycle"] <= last]))["alarm"].iloc[0]
            assert np.isnan(got) if last < alarm else got == alarm


def test_times_come_in_units_of_the_clock(fit):
    slow = fleet_table(trained(0.25), recording_of(running()[0], 0.25))
    quick = fleet_table(fit, recording_of(running()[0]))
    for column in ("last", "fault_since", "alarm", "rul_low", "rul_median", "rul_high"):
        np.testing.assert_allclose(slow[column].astype(float), 0.25 * quick[column].astype(float))


def test_failed_units_have_no_life_left(fit):
    recording = recording_of(running()[0]).with_facts(failed=[False, True, False])
    got = fleet_table(fit, recording)
    assert got["failed"].tolist() == [False, True, False]
    assert got["note"].tolist() == ["", "its life is over", ""]
    assert got["rul_median"].isna().tolist() == [False, True, False]


def test_refused_units_stand_in_their_place_with_the_reason(fit):
    data = running()[0]
    short = data[(data["unit"] != 102) | (data["cycle"] == 1)]
    got = fleet_table(fit, recording_of(short))
    assert got["unit"].tolist() == ["101", "102", "103"]
    assert "needs at least 2" in got["note"][1]
    assert got.loc[1, ["last", "state", "fault_probability", "rul_median"]].isna().all()
    assert got.loc[[0, 2], "rul_median"].notna().all()


def test_unit_in_a_regime_never_seen_is_refused_with_the_reason():
    data = table().assign(height=0.0)
    options = {**OPTIONS, "signals": {"signal": ["level"], "settings": ["height"]}}
    known = Recording.of(data, failed=True, **options)
    learned = fit_model(ARPHMM(n_states=2, signal="signal"), known, [Regimes(signal="signal", scale=(1.0,))], seed=0)
    new = running()[0].assign(height=0.0)
    new.loc[new["unit"] == 103, "height"] = 30.0
    got = fleet_table(learned, Recording.of(new, **options))
    assert "no operating regime" in got["note"][2]
    assert got["rul_median"].notna().tolist() == [True, True, False]


def test_no_training_failure_is_noted_and_states_are_still_told(fit):
    facts = {**fit.facts, "failed": None}
    got = fleet_table(replace(fit, facts=facts), recording_of(running()[0]))
    assert got["rul_median"].isna().all()
    assert got["note"].str.contains("ran to failure").all()
    assert got["state"].notna().all()


def test_arrays_are_taken_too(fit):
    values = np.zeros((12, 1))
    got = fleet_table(fit, Recording.of({"signal": values}, channels={"signal": ["level"]}))
    assert got["fault_probability"][0] < 0.5


def test_nothing_that_can_be_answered_is_refused(fit):
    with pytest.raises(InputError, match="no sequence is long enough"):
        fleet_table(fit, recording_of(running()[0].query("cycle == 1")))
