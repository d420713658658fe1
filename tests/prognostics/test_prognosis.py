"""The whole prognosis: nothing leaks from the future, what is saved predicts the same, odd units get an answer."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from neurolatent.checks import InputError
from neurolatent.fitting import fit
from neurolatent.models.arphmm import ARPHMM
from neurolatent.preparation import HealthIndicator
from neurolatent.prognostics.absorbing import AbsorptionTime
from neurolatent.prognostics.out_of_fold import out_of_fold
from neurolatent.prognostics.prognosis import Prognosis, prognose
from neurolatent.prognostics.readout import Estimate
from neurolatent.prognostics.regression import FeatureRegression
from neurolatent.prognostics.settings import RemainingLife
from neurolatent.prognostics.similarity import Similarity
from neurolatent.prognostics.survivors import Survivors
from neurolatent.prognostics.view import look
from neurolatent.recording import knowledge, make_signal
from tests.prognostics.fleets import SETTINGS, fitted, fleet, known_fleet, prognosis, running, small_trees
from tests.recording.refusals import refuses


def at(recording, row_of_unit: list[int]) -> np.ndarray:
    """Numbers of one row of each unit."""
    return np.array([part.start + row for part, row in zip(recording.slices(), row_of_unit, strict=True)])


@pytest.mark.parametrize("number", range(len(SETTINGS.all)), ids=[r.name for r in SETTINGS.all])
@pytest.mark.parametrize("kept", [9, 21, 33])
def test_rows_after_t_change_no_answer_at_t(number, kept):
    it, readout = prognosis(), SETTINGS.all[number]
    whole = fleet(4, seed=5)
    cut = whole.cut(0, np.full(4, kept + 1))
    rows = [kept] * 4
    want = readout.estimate(look(it.fit, whole).view, it.learned[number], at(whole, rows))
    got = readout.estimate(look(it.fit, cut).view, it.learned[number], at(cut, rows))
    assert np.isfinite(want.mean).any()
    for a, b in zip(got, want, strict=True):
        np.testing.assert_array_equal(a, b)


def test_curve_and_last_rows_are_the_same_answers_bit_for_bit():
    it, whole = prognosis(), fleet(3, seed=6)
    curve = it.predict(whole, every=7)
    for kept in (14, 28, 35):
        alone = it.predict(whole.cut(0, np.full(3, kept + 1)))
        same = curve.sel(point=curve["clock"] == kept)
        for name in ("quantile", "mean", "spread", "estimate"):
            np.testing.assert_array_equal(alone[name].values, same[name].values, err_msg=name)


def test_other_units_change_no_answer():
    it, whole = prognosis(), fleet(5, seed=7)
    alone = it.predict(whole.take(whole.ids[3]))
    among = it.predict(whole)
    here = among["sequence"].values == whole.ids[3]
    np.testing.assert_array_equal(alone["quantile"].values, among["quantile"].values[here])


def test_saved_prognosis_predicts_the_same(tmp_path):
    it, units = prognosis(), running()
    again = Prognosis.load(it.save(tmp_path / "prognosis.nc"))
    assert again.settings == it.settings
    assert again.weights == it.weights
    for name, values in it.predict(units, every=10).items():
        np.testing.assert_array_equal(again.predict(units, every=10)[name].values, values.values, err_msg=str(name))


def test_same_seed_same_prognosis():
    again = prognose(fitted(), known_fleet(), SETTINGS, seed=0)
    for a, b in zip(again.held.whole.answers, prognosis().held.whole.answers, strict=True):
        np.testing.assert_array_equal(a, b)
    other = prognose(fitted(), known_fleet(), SETTINGS, seed=1)
    assert not np.array_equal(other.held.whole.answers.mean, again.held.whole.answers.mean)


def test_a_clock_of_two_units_a_step_doubles_every_answer():
    """Nothing but the unit of time changes, so lives double and weights stay."""
    units, run = (replace(r, bin_width=2.0) for r in (fleet(), running()))
    units = units.with_knowledge(knowledge.start_end(units, 5, 5))  # it counts rows, and stands in clock time
    doubled = replace(SETTINGS, cap=2 * SETTINGS.cap)
    twice = prognose(fit(ARPHMM(2, n_substates=2), units, [HealthIndicator()], seed=0), units, doubled, seed=0)
    a, b = prognosis().predict(running()), twice.predict(run)
    assert twice.weights == pytest.approx(prognosis().weights)
    for name in ("quantile", "mean", "spread", "estimate"):
        np.testing.assert_allclose(b[name].values, 2 * a[name].values, rtol=1e-9, err_msg=name)


def test_quantiles_rise_and_narrow_towards_the_end():
    whole = fleet(4, seed=8)
    found = prognosis().predict(whole, every=5)
    assert (np.diff(found["quantile"].values, axis=1) >= 0).all()
    width = found["quantile"].sel(level=0.95).values - found["quantile"].sel(level=0.05).values
    is_last = found["is_last"].values
    is_first = found["clock"].values == 0
    assert np.median(width[is_last]) < 0.5 * np.median(width[is_first])


def test_remaining_life_is_learned_at_all():
    """Units of another seed: far better than the mean life of all."""
    units = running(8)
    truth = units.sequences["remaining"].to_numpy(float)
    error = prognosis().predict(units)["mean"].values - truth
    assert np.sqrt(np.mean(error**2)) < 0.5 * np.std(np.arange(60))


def test_held_out_rows_know_what_their_units_had_left():
    units = known_fleet()
    held = prognosis().held.whole
    assert set(np.unique(held.unit)) == set(range(units.n_sequences))
    life = held.position + held.left
    np.testing.assert_array_equal(life, units.lengths[held.unit] - 1)
    assert (held.position + 1 >= SETTINGS.least_seen).all()


LIGHT = RemainingLife(
    small_trees((FeatureRegression(), Similarity(), AbsorptionTime())), cap=60, folds=3, cuts=8, least_seen=5
)


def test_what_a_held_out_unit_did_later_changes_none_of_its_answers():
    """Preparation, model and read-outs of its fold have not seen it: other values in its second half tell nothing."""
    units, half = known_fleet(), 20
    values = units.signal("sensors").values.copy()
    values[units.slices()[3]][half:] += 7.0
    moved = units.with_signal("sensors", make_signal(values, channels=units.signal("sensors").names))
    a, b = (out_of_fold(fitted(), u, LIGHT, 60.0, seed=0).whole for u in (units, moved))
    np.testing.assert_array_equal(a.position, b.position)
    mine = (a.unit == 3) & (a.position < half)
    assert mine.any()
    np.testing.assert_array_equal(a.answers.mean[mine], b.answers.mean[mine])
    later, others = (a.unit == 3) & (a.position >= half), a.unit != 3
    assert not np.array_equal(a.answers.mean[later], b.answers.mean[later])
    assert not np.array_equal(a.answers.mean[others], b.answers.mean[others]), "its values are learned from elsewhere"


@dataclass(frozen=True)
class ToldCap:
    """A read-out that says the cap it was given in training."""

    name: str = "told_cap"
    uses_states: bool = False

    def learn(self, view, lives, *, seed):
        return {"cap": np.asarray(lives.cap)}

    def estimate(self, view, learned, asked):
        return Estimate(np.full(len(asked), float(learned["cap"])), np.zeros(len(asked)))


def test_the_longest_life_is_not_known_to_the_fold_that_holds_it_out():
    whole = known_fleet()
    units = whole.take([whole.ids[n] for n in np.argsort(whole.lengths, kind="stable")[:-1]])  # two live longest
    settings = RemainingLife((ToldCap(),), (Survivors(),), folds=3, cuts=1, least_seen=5)
    held = out_of_fold(fitted(), units, settings, float(units.lengths.max() - 1), seed=0).whole
    longest = int(np.argmax(units.lengths))
    caps = dict(zip(held.unit, held.answers.mean[:, 0], strict=True))
    assert caps[longest] < units.lengths[longest] - 1
    assert max(caps.values()) == units.lengths[longest] - 1


@pytest.mark.slow
def test_what_read_outs_without_states_learn_is_shared_and_changes_no_answer():
    units, shared = fleet(), {}
    plain = fit(ARPHMM(2, n_substates=2), units, [HealthIndicator()], seed=0)
    first = prognose(fitted(), known_fleet(), LIGHT, seed=0, shared=shared)
    count = len(shared)
    assert count == 4 * (1 + 4)  # three folds and all units; the similarity and four baselines look at no state
    second = prognose(plain, units, LIGHT, seed=0, shared=shared)
    assert len(shared) == count
    for a, b in zip(second.held.whole.answers, prognose(plain, units, LIGHT, seed=0).held.whole.answers, strict=True):
        np.testing.assert_array_equal(a, b)
    columns = first.columns["similarity"], first.columns["absorption"]
    same = [
        np.array_equal(*(p.held.whole.answers.mean[:, c] for p in (first, second)), equal_nan=True) for c in columns
    ]
    assert same == [True, False]


def test_a_sensor_that_died_gives_an_answer_with_a_warning_and_a_wider_spread():
    it, units = prognosis(), running()
    signal = units.signal("sensors")
    keep = np.ones(signal.observed.shape, bool)
    last = units.slices()[1]
    keep[last.stop - 12 : last.stop, 0] = False
    hurt = it.predict(units.with_signal("sensors", signal.masked(keep)))
    fine = it.predict(units)
    assert hurt["warning"].values[1].startswith("0 gave nothing lately")
    assert (hurt["warning"].values[[0, 2, 3]] == "").all()
    assert np.isfinite(hurt["quantile"].values).all()
    assert it.fusion.fusion.spread[3] > 0, "copies with a dying sensor err more, and the spread must say so"
    assert hurt["spread"].values[1] > fine["spread"].values[1] - 1e-9


def test_a_unit_too_short_for_all_is_answered_by_the_survivors():
    it = prognosis()
    young = fleet(2, seed=9).cut(0, np.array([3, 20]))
    found = only_similarity(it).predict(young)
    assert "too short for every read-out" in found["warning"].values[0]
    lives = np.sort(known_fleet().lengths) - 1.0
    np.testing.assert_allclose(found["quantile"].values[0], np.quantile(lives - 2, found["level"].values))
    assert found["warning"].values[1] == ""


def only_similarity(it: Prognosis) -> Prognosis:
    """The same prognosis with the similarity alone."""
    place = [r.name for r in it.settings.all].index("similarity")
    settings = RemainingLife((it.settings.all[place],), (Survivors(),), cap=60, folds=3, cuts=6, least_seen=5)
    survivors = [r.name for r in it.settings.all].index("survivors")
    pick = [place, survivors]
    held = type(it.held)(*(h.take(np.arange(len(h.unit)), pick) for h in it.held))
    return Prognosis(it.fit, settings, tuple(it.learned[n] for n in pick), held, it.cap, it.channels, it.seed)


def test_a_training_unit_is_known_again_by_its_values():
    it, units = prognosis(), known_fleet()
    found = it.predict(units.cut(0, units.lengths - 10).take(units.ids[:2]))
    assert all("trained on" in w for w in found["warning"].values)
    renamed = running().with_facts(id=units.ids[:4])  # the same names, other engines
    assert (it.predict(renamed)["warning"].values == "").all()


def test_prognoses_need_units_that_failed():
    units = known_fleet()
    with refuses("3 folds need 3 units that ran to failure", "2 of them left to learn from", "there are 2"):
        few = units.with_facts(failed=[True] * 2 + [False] * 10)
        prognose(fitted(), few, SETTINGS)
    with refuses("no unit ran to failure"):
        prognose(fitted(), units.with_facts(failed=[False] * 12), SETTINGS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"folds": 1}, "folds must be a whole number of at least 2, got 1"),
        ({"cuts": 0}, "cuts must be a whole number of at least 1"),
        ({"cap": 0}, "cap must be at least"),
        ({"life_left": (10, 5)}, r"two rising numbers of at least 0, got \(10, 5\)"),
        ({"readouts": ()}, "at least one must be there"),
        ({"readouts": (Survivors(), Survivors())}, "different names"),
        ({"neighbours": 0.0}, r"neighbours must lie in \[0.01, 1.0\]"),
    ],
)
def test_settings_that_make_no_sense_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        RemainingLife(**options)
