"""The sample fleet: its script makes the same bytes again, its card tells the truth, and it does what it is for."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from neurolatent.preparation import HealthIndicator, Regimes, prepare, replay
from neurolatent.recording import Recording, knowledge

DATA = Path(__file__).parents[1] / "data"
FILES = [f"sample_fleet{part}.csv" for part in ("", "_running", "_remaining", "_knowledge", "_truth")]
SIGNALS = {
    "settings": ["altitude_kft", "mach"],
    "sensors": [
        *("compressor_temperature_degR", "exhaust_temperature_degR", "compressor_pressure_psia"),
        *("core_speed_rpm", "fuel_flow_pph", "vibration_g"),
    ],
}
STEPS = [Regimes(scale=(1, 100)), HealthIndicator()]


def read(part: str, failed: bool) -> Recording:
    table = pd.read_csv(DATA / f"sample_fleet{part}.csv")
    return Recording.of(table, sequence="unit", clock="cycle", clock_unit="cycle", signals=SIGNALS, failed=failed)


def truth_of(ids: list[str]) -> pd.DataFrame:
    table = pd.read_csv(DATA / "sample_fleet_truth.csv")
    return table[table["unit"].astype(str).isin(ids)]


def test_script_makes_the_same_bytes(tmp_path):
    subprocess.run([sys.executable, str(DATA / "make_sample_fleet.py"), str(tmp_path)], check=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(FILES)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (DATA / name).read_bytes(), name


def test_files_are_small():
    assert sum((DATA / name).stat().st_size for name in FILES) < 400_000


@pytest.mark.parametrize("name", FILES)
def test_card_names_each_file_column_and_number_of_rows(name):
    card, table = (DATA / "sample_fleet.md").read_text("utf-8"), pd.read_csv(DATA / name)
    line = next(row for row in card.splitlines() if row.startswith(f"| `{name}`"))
    assert line.endswith(f"| {len(table):,} |")
    for column in table:
        assert f"`{column}`" in card, column


def test_losses_are_those_of_the_card():
    failed, running = read("", failed=True), read("_running", failed=False)
    assert failed.history == ("2 missing steps were masked: sequence 4 at 37, sequence 17 at 60",)
    assert running.history == ("1 missing steps were masked: sequence 105 at 20",)
    assert not running.take(["103"]).signal("sensors").observed[39:, 5].any()
    assert (failed.n_sequences, running.n_sequences) == (24, 8)


def test_remaining_life_is_told_for_each_running_unit():
    table = pd.read_csv(DATA / "sample_fleet_remaining.csv")
    assert [str(u) for u in table["unit"]] == read("_running", failed=False).ids
    assert table["remaining"].between(8, 90).all()


def test_careful_inspections_are_right_and_rough_ones_are_not_certain():
    recording = read("", failed=True)
    table = pd.read_csv(DATA / "sample_fleet_knowledge.csv")
    known = knowledge.intervals(recording, table, ["healthy", "degrading", "faulty"])
    plausible = known.render(recording, 3)
    level = truth_of(recording.ids)["truth_level"].to_numpy()
    at_truth = plausible[np.arange(len(level)), level]
    assert set(at_truth.round(6)) == {0.2, 1.0}
    rough = table[table["confidence"] < 1]["sequence"].unique()
    assert rough.tolist() == [8, 18]
    assert (plausible < 1).any(axis=1).mean() > 0.3


def test_indicator_of_held_out_units_follows_the_wear_but_not_perfectly():
    train, held_out = read("", failed=True).split(0.7, seed=0)
    _, learned = prepare(train, STEPS)
    done = replay(held_out, STEPS, learned).recording
    values, wear = (
        done.signal("indicator").values[:, 0],
        truth_of(done.ids).sort_values(["unit", "cycle"])["truth_wear"],
    )
    seen = np.isfinite(values)
    correlation = np.corrcoef(values[seen], wear.to_numpy()[seen])[0, 1]
    assert -0.995 < correlation < -0.9
    assert done.ids == sorted(done.ids, key=int)


def test_dead_sensor_and_lost_cycle_get_an_answer():
    _, learned = prepare(read("", failed=True), STEPS)
    done, refused = replay(read("_running", failed=False), STEPS, learned)
    assert refused == {}
    hidden = ~done.signal("indicator").observed[:, 0]
    (row,) = np.flatnonzero(hidden)
    assert done.whereabouts(int(row)).endswith("sequence 105, row 20, cycle 20")
