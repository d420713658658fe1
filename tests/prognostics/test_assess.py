import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

from neurolatent.checks import InputError
from neurolatent.fitting import fit as fit_model
from neurolatent.models.arphmm import ARPHMM
from neurolatent.prognostics.absorption import remaining_life
from neurolatent.prognostics.assess import (
    LIFE_LEFT,
    SHORTEST,
    _random_lives,
    assess_units,
    bootstrap,
    unit_figures,
)
from neurolatent.recording import Recording, knowledge
from tests.small_fleet import table

EDGES = (0.0, 0.66, 1.0)
OPTIONS = {"sequence": "unit", "clock": "cycle", "signals": {"signal": ["level"]}}


@pytest.fixture(scope="module")
def train():
    return Recording.of(table(), failed=True, **OPTIONS)


@pytest.fixture(scope="module")
def held():
    return Recording.of(table(5, seed=4, first=50), failed=True, **OPTIONS)


@pytest.fixture(scope="module")
def fit(train):
    return fit_model(ARPHMM(n_states=2), train.with_knowledge(knowledge.start_end(train, 5, 5)), seed=0)


@pytest.fixture(scope="module")
def units(fit, held):
    return assess_units(fit, held, EDGES, seed=3)


def test_cuts_leave_the_stated_life(fit, held, units):
    for row in units.itertuples():
        cut = held.take([row.unit]).cut(0, row.life - row.life_left)
        assert cut.lengths[0] == row.life - row.life_left
        assert remaining_life(fit, fit.predict(cut), (0.5,))[0, 0] == row.estimate
        assert held.times()[held.ids.index(row.unit)][-1] - cut.times()[0][-1] == row.life_left


def test_lives_left_are_uniform_where_units_are_long():
    long = Recording.of([np.zeros((400, 1))] * 3000)
    left = _random_lives(long, 0)
    assert (left.min(), left.max()) == LIFE_LEFT
    counts = np.bincount(left)[LIFE_LEFT[0] :]
    expected = 3000 / len(counts)
    assert np.sum((counts - expected) ** 2 / expected) < len(counts) + 4 * np.sqrt(2 * len(counts))


def test_units_keep_enough_rows_where_they_can():
    some = Recording.of([np.zeros((n, 1)) for n in (8, 20, 45, 100)] * 200)
    kept = some.lengths - _random_lives(some, 1)
    assert (kept >= np.where(some.lengths >= SHORTEST + LIFE_LEFT[0] + 1, SHORTEST, 1)).all()
    assert (_random_lives(some, 1) == _random_lives(some, 1)).all()


def test_states_and_alarms_of_each_unit(fit, held, units):
    for row in units.itertuples():
        filtered = fit.predict(held.take([row.unit]))["filtered"].values
        counts, fault = np.zeros((2, 2)), 0
        alarm = None
        for step in range(row.life):
            if np.isnan(filtered[step, 0]):
                continue
            level = 0 if step / (row.life - 1) < EDGES[1] else 1
            counts[int(filtered[step, 1] > filtered[step, 0]), level] += 1
            fault = fault + 1 if filtered[step, 1] > 0.95 else 0
            alarm = step if fault >= 3 and alarm is None else alarm
        np.testing.assert_array_equal(row.counts, counts)
        assert row.alarm == alarm
        assert row.onset == pytest.approx(0.66 * (row.life - 1))


def test_figures_are_those_of_slow_loops(fit, held, units):
    figures = unit_figures(units, seed=0)
    state, level = [], []
    for row in units.itertuples():
        for (i, j), count in np.ndenumerate(row.counts):
            state += [i] * int(count)
            level += [j] * int(count)
    assert figures["states.agreement"].value == pytest.approx(adjusted_rand_score(state, level))
    assert figures["alarm.delay"].value == np.median([row.alarm - row.onset for row in units.itertuples()])
    assert figures["alarm.false_rate"].value == np.mean([r.alarm < 0.25 * (r.life - 1) for r in units.itertuples()])
    errors = [min(r.estimate, 125) - r.life_left for r in units.itertuples()]
    assert figures["rul.absorption.rmse"].value == pytest.approx(np.sqrt(np.mean(np.square(errors))))
    assert all(f.low <= f.value <= f.high for f in figures.values())


def test_onset_of_the_small_fleet_is_found(units):
    figures = unit_figures(units, seed=0)
    assert figures["states.agreement"].value > 0.8
    assert abs(figures["alarm.delay"].value) <= 4
    assert figures["alarm.missed"].value == 0


def row_of(**values) -> dict:
    return {"unit": "1", "life": 101, "onset": 45.0, "alarm": 50.0, "counts": np.eye(2), "life_left": 40} | values


def test_figures_of_alarms_and_caps_by_hand():
    units = pd.DataFrame(
        [
            row_of(alarm=24.0, estimate=300.0, life_left=130),
            row_of(alarm=25.0, estimate=40.0),
            row_of(alarm=np.nan, estimate=40.0),
            row_of(alarm=55.0, estimate=np.inf, life_left=20),
        ]
    )
    figures = unit_figures(units, seed=0)
    assert figures["alarm.delay"].value == -20.0
    assert figures["alarm.false_rate"].value == 0.25  # 24 steps lie before a quarter of 100, 25 do not
    assert figures["alarm.missed"].value == 0.25
    assert figures["rul.absorption.rmse"].value == pytest.approx(np.sqrt((25 + 105**2) / 4))
    assert figures["rul.absorption.rmse_capped125"].value == pytest.approx(np.sqrt(105**2 / 4))


def test_no_alarm_at_all_has_no_delay():
    figures = unit_figures(pd.DataFrame([row_of(alarm=np.nan, estimate=1.0)] * 3), seed=0)
    assert np.isnan(figures["alarm.delay"]).all()
    assert figures["alarm.missed"].value == 1.0


def test_units_among_others_are_assessed_alone(fit, train, held, units):
    both = Recording.of(pd.concat([table(), table(5, seed=4, first=50)]), failed=True, **OPTIONS)
    got = assess_units(fit, both, EDGES, seed=3, units=held.ids)
    assert got["unit"].tolist() == held.ids
    np.testing.assert_array_equal(got["alarm"], units["alarm"])
    np.testing.assert_array_equal(np.stack(got["counts"]), np.stack(units["counts"]))


def test_only_failed_units_that_can_be_answered_count(fit, held):
    data = table(4, seed=4, first=50)
    data = data[(data["unit"] != 51) | (data["cycle"] == 1)]
    mixed = Recording.of(data, **OPTIONS).with_facts(failed=[True, True, False, True])
    got = assess_units(fit, mixed, EDGES, seed=3)
    assert got["unit"].tolist() == ["50", "53"]  # 51 is too short, 52 still runs
    with pytest.raises(InputError, match="nothing to assess"):
        unit_figures(assess_units(fit, mixed.take(["50", "52"]).with_facts(failed=False), EDGES, seed=3), seed=0)


def test_unknown_failures_are_refused(fit, held):
    unknown = Recording.of(table(2), **OPTIONS)
    with pytest.raises(InputError, match="must know which sequences ran to failure"):
        assess_units(fit, unknown, EDGES, seed=0)


def test_bootstrap_of_a_mean_is_near_its_normal_interval():
    values = np.random.default_rng(0).normal(size=400)
    got = bootstrap(lambda rows: float(values[rows].mean()), 400, seed=1)
    half = 1.645 * values.std() / 20
    assert got.value == pytest.approx(values.mean())
    assert got.low == pytest.approx(values.mean() - half, abs=0.2 * half)
    assert got.high == pytest.approx(values.mean() + half, abs=0.2 * half)
    assert got == bootstrap(lambda rows: float(values[rows].mean()), 400, seed=1)
