"""Each read-out of remaining life against an independent truth."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from neurolatent.models.arphmm import ARPHMM, ARPHMMParams
from neurolatent.preparation.causal import rows_of
from neurolatent.prognostics.absorbing import AbsorptionTime
from neurolatent.prognostics.absorption import Absorption
from neurolatent.prognostics.autoregressive import Autoregressive, state_belief, windows
from neurolatent.prognostics.crossing import Crossing
from neurolatent.prognostics.features import rich
from neurolatent.prognostics.library import ModelLibrary
from neurolatent.prognostics.lost import QUIET, lost_share, speaking
from neurolatent.prognostics.readout import Lives, lives_of
from neurolatent.prognostics.survivors import Survivors
from neurolatent.prognostics.view import View, look
from tests.prognostics.fleets import fitted, fleet, known_fleet, running
from tests.recording.refusals import refuses


def view_of(level: list[np.ndarray], belief: list[np.ndarray], model: ARPHMM, params: ARPHMMParams) -> View:
    """A view made by hand, with one parameter set."""
    lengths = np.array([len(x) for x in level])
    flat = np.concatenate(level)[:, None].astype(float)
    fit: object = SimpleNamespace(model=model, params=params)
    fields = {"rows": rows_of(lengths), "level": flat, "beliefs": np.concatenate(belief)[None], "sets": [params]}
    return View._make(
        {"fit": fit, "recording": None, "evidence": np.zeros(len(flat)), **fields}[name] for name in View._fields
    )


def one_state(slope: float, level: float, variance: float) -> ARPHMMParams:
    return ARPHMMParams(
        np.ones(1), np.ones((1, 1)), np.zeros(1), np.array([[[slope, level]]]), np.full((1, 1, 1), variance)
    )


# --- per-state regression ----------------------------------------------------------------------------------------


def test_autoregressive_is_weighted_least_squares_per_state_and_a_mixture():
    units = known_fleet()
    view = look(fitted(), units).view
    lives, readout = lives_of(view, 50.0), Autoregressive(window=4, ridge=0.0)
    learned = readout.learn(view, lives, seed=0)
    x, q = windows(view, 4), state_belief(view)
    for k in range(2):
        root = np.sqrt(q[:, k])[:, None]
        want = np.linalg.lstsq(x * root, lives.target[:, None] * root, rcond=None)[0][:, 0]
        np.testing.assert_allclose(x @ learned["coefficients"][k], x @ want, atol=1e-5)
        noise = np.average((lives.target - x @ want) ** 2, weights=q[:, k])
        np.testing.assert_allclose(learned["noise"][k] ** 2, noise, rtol=1e-6)
    rows = np.array([3, 77, 200])
    got = readout.estimate(view, learned, rows)
    means = np.clip(x[rows] @ learned["coefficients"].T, 0, 50)
    draws = np.random.default_rng(0).random((200_000, 1))
    for n, row in enumerate(rows):  # the mixture by simulation
        state = (draws[:, 0] > q[row, 0]).astype(int)
        value = means[n, state] + learned["noise"][state] * np.random.default_rng(n).normal(size=len(state))
        assert abs(got.mean[n] - value.mean()) < 4 * value.std() / np.sqrt(len(value))
        assert got.sd[n] == pytest.approx(value.std(), rel=0.02)


def test_windows_look_back_and_never_into_another_unit():
    view = view_of(
        [np.array([1.0, 2, 3]), np.array([7.0, 8])], [np.ones((3, 1)), np.ones((2, 1))], ARPHMM(1), one_state(1, 0, 1)
    )
    want = [[1, 1, 1, 1], [2, 1, 1, 1], [3, 2, 1, 1], [7, 7, 7, 1], [8, 7, 7, 1]]
    np.testing.assert_array_equal(windows(view, 3), want)


# --- absorption --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exits", ["last", "every"])
def test_absorption_is_the_capped_mean_of_the_distribution(exits):
    view = look(fitted(), known_fleet()).view
    readout = AbsorptionTime(exits=exits)
    learned = readout.learn(view, lives_of(view, 30.0), seed=0)
    rows = np.array([0, 15, 100, 333])
    whole = Absorption.of(fitted(), exits=exits).distribution(fitted(), view.belief[rows])
    mass = np.concatenate([whole, 1 - whole.sum(axis=1, keepdims=True)], axis=1)
    capped = np.minimum(np.arange(mass.shape[1]), 30.0)
    got = readout.estimate(view, learned, rows)
    np.testing.assert_allclose(got.mean, mass @ capped, rtol=1e-9)
    np.testing.assert_allclose(got.sd**2, mass @ capped**2 - (mass @ capped) ** 2, rtol=1e-6, atol=1e-6)


# --- first passage -----------------------------------------------------------------------------------------------


def crossing_of(params: ARPHMMParams, start: float, **options: float) -> tuple[float, float]:
    view = view_of([np.array([start])], [np.ones((1, len(params.initial)))], ARPHMM(len(params.initial)), params)
    learned = {"level": 0.0, "sign": 1.0, "range": np.array([-50.0, 50.0]), "cap": 200.0, "seed": 3} | options
    got = Crossing(n_paths=4000, horizon=200).estimate(
        view, {k: np.asarray(v) for k, v in learned.items()}, np.array([0])
    )
    return float(got.mean[0]), float(got.sd[0])


def test_crossing_without_noise_counts_the_steps():
    mean, sd = crossing_of(one_state(1.0, -0.25, 1e-12), 2.1)  # 2.1 - 9 * 0.25 is the first value below zero
    assert (mean, round(sd, 6)) == (9.0, 0.0)


def test_crossing_upwards():
    mean, _ = crossing_of(one_state(1.0, 0.5, 1e-12), -2.1, sign=-1.0)
    assert mean == 5.0


def test_crossing_of_a_random_walk_with_drift_follows_wald():
    """E[first passage] = (start - mean overshoot level) / drift; the twin simulates it in NumPy."""
    rng = np.random.default_rng(0)
    paths = 3.0 + np.cumsum(rng.normal(-0.2, 0.3, (20_000, 200)), axis=1)
    time = np.where((paths <= 0).any(axis=1), np.argmax(paths <= 0, axis=1) + 1.0, 200.0)
    mean, sd = crossing_of(one_state(1.0, -0.2, 0.09), 3.0)
    assert abs(mean - time.mean()) < 4 * time.std() * np.sqrt(1 / 4000 + 1 / 20_000)
    assert sd == pytest.approx(time.std(), rel=0.08)


def test_crossing_learns_level_and_direction_and_refuses_several_features():
    view = look(fitted(), known_fleet()).view
    learned = Crossing().learn(view, lives_of(view, 60.0), seed=0)
    ends = [view.level[part.stop - 1, 0] for part in view.rows.slices]
    assert float(learned["level"]) == np.median(ends)
    assert float(learned["sign"]) == 1.0
    wide = view._replace(level=np.repeat(view.level, 2, axis=1))
    with refuses("'crossing' needs one modelled signal, this fit models 2 features"):
        Crossing().learn(wide, lives_of(view, 60.0), seed=0)


# --- library of models -------------------------------------------------------------------------------------------


def test_library_weighs_lives_by_how_well_each_model_explains_the_unit():
    view = look(fitted(), known_fleet()).view
    readout = ModelLibrary(most=4, steps=3, temperature=0.5)
    learned = readout.learn(view, lives_of(view, 60.0), seed=0)
    assert learned["life"].tolist() == sorted(learned["life"])
    units = running(3)
    seen = look(fitted(), units).view
    last = np.array([part.stop - 1 for part in seen.rows.slices])
    got = readout.estimate(seen, learned, last)
    from neurolatent import precision

    with precision.double():
        selected = fitted().prepared(units)
        each = [
            fitted().model.log_likelihood(ARPHMMParams(*(learned[n][j] for n in ARPHMMParams._fields)), selected.data)
            for j in range(len(learned["life"]))
        ]
    left = learned["life"][:, None] - (units.lengths - 1)
    assert (left < 0).any(), "some had failed before, and say nothing of a unit that did not"
    for n, age in enumerate(units.lengths):
        lived = left[:, n] >= 0
        weight = np.exp((np.asarray(each)[lived, n] - np.asarray(each)[lived, n].max()) / (0.5 * age))
        assert got.mean[n] == pytest.approx(np.average(np.minimum(left[lived, n], 60), weights=weight))


def test_library_has_no_answer_where_no_unit_lived_so_long():
    view = look(fitted(), known_fleet()).view
    readout = ModelLibrary(most=4, steps=1)
    learned = readout.learn(view, lives_of(view, 60.0), seed=0)
    old = {**learned, "life": np.minimum(learned["life"], 30.0)}
    got = readout.estimate(view, old, np.array([30, 31]))
    assert got.mean[0] == 0.0
    assert np.isnan(got.mean[1])


def test_own_models_explain_their_units_better_than_the_pooled_one():
    view = look(fitted(), known_fleet()).view
    learned = ModelLibrary(most=12, steps=10).learn(view, lives_of(view, 60.0), seed=0)
    order = np.argsort(known_fleet().lengths, kind="stable")
    y, lengths = view.level[:, 0], known_fleet().lengths
    model = fitted().model
    gains = []
    for place, unit in enumerate(order):
        part = view.rows.slices[unit]
        own = ARPHMMParams(*(learned[n][place] for n in ARPHMMParams._fields))
        rows = y[part][None, :, None]
        gains.append(
            model.filter_rows(own, rows).log_evidence[0, -1]
            - model.filter_rows(fitted().params, rows).log_evidence[0, -1]
        )
        assert len(rows[0]) == lengths[unit]
    assert np.mean(gains) > 0


def test_library_refuses_lives_that_are_too_short():
    view = look(fitted(), known_fleet()).view
    lives = lives_of(view, 60.0)
    none = Lives(lives.left, np.zeros_like(lives.failed), 60.0)
    with refuses("'library' needs two or more units of at least 20 rows that failed, there are 0"):
        ModelLibrary().learn(view, none, seed=0)


# --- features, survivors, lost sensors ---------------------------------------------------------------------------


def test_rich_features_match_pandas():
    units = fleet(3, seed=11)
    view = look(fitted(), units).view
    values = units.signal("sensors").values
    got = rich(view, values)
    for part in units.slices():
        table = pd.DataFrame(values[part])
        slow = table.rolling(15, min_periods=1).mean()
        young = np.broadcast_to(np.arange(len(table))[:, None] < 15, table.shape)
        first = table.expanding().mean().where(young).ffill()
        want = [
            slow,
            table.ewm(span=40).mean(),
            slow - first,
            first,
            table.rolling(5, min_periods=1).mean(),
            table.rolling(40, min_periods=1).mean(),
            slow - slow.shift(20),
            slow - slow.shift(40),
        ]
        np.testing.assert_allclose(got[part, :24], pd.concat(want, axis=1).to_numpy(), atol=1e-9)
        level = pd.Series(view.level[part, 0])
        past = pd.concat([level, *(level.shift(lag) for lag in (5, 10, 20, 40))], axis=1).to_numpy()
        np.testing.assert_allclose(got[part, 24:29], past)
        np.testing.assert_array_equal(got[part, 29], np.arange(1, len(table) + 1))


def test_survivors_are_those_that_lived_longer():
    level = [np.zeros(n) for n in (11, 21, 41)]
    view = view_of(level, [np.ones((len(x), 1)) for x in level], ARPHMM(1), one_state(1, 0, 1))
    learned = Survivors().learn(view, Lives(np.zeros(73), np.array([True, True, True]), 25.0), seed=0)
    got = Survivors().estimate(view, learned, np.array([0, 5, 11 + 15, 11 + 21 + 40]))
    np.testing.assert_allclose(got.mean, [(10 + 20 + 25) / 3, (5 + 15 + 25) / 3, (5 + 25) / 2, 0.0])


def test_lost_share_counts_channels_that_have_been_quiet():
    units = fleet(2, seed=12)
    signal = units.signal("sensors")
    keep = np.random.default_rng(0).random(signal.observed.shape) > 0.3
    keep[20:28, 1], keep[50:, 2] = False, False
    holed = units.with_signal("sensors", signal.masked(keep))
    got = lost_share(holed, speaking(units))
    for part in holed.slices():
        for row in range(part.start, part.stop):
            seen = keep[max(part.start, row - QUIET + 1) : row + 1].any(axis=0)
            want = 0.0 if row - part.start < QUIET - 1 and seen.any() else np.mean(~seen)
            assert got[row] == pytest.approx(want), row
