"""Cross-validation against plain loops: sequences left out by hand, baselines from scipy, block scores by evidence."""

import functools
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from neurolatent.checks import InputError
from neurolatent.choices import EM
from neurolatent.fitting import fit
from neurolatent.models.arphmm import ARPHMM
from neurolatent.preparation import Standardise
from neurolatent.recording import Recording, Signal
from neurolatent.validation import Candidate, Folds, cross_validate, held_out_scores
from neurolatent.validation.baseline import amounts, baseline_scores
from neurolatent.validation.cross import split
from neurolatent.validation.folds import folds_of, hidden, training_part

ENGINE = EM(steps=400, restarts=2, tolerance=1e-9, start="kmeans")


def white(states: int, order: int = 0) -> ARPHMM:
    return ARPHMM(states, order=order, transitions="ergodic")


@functools.cache
def recording(sequences: int = 8, length: int = 40) -> Recording:
    """Three levels that are visited in turn, well apart; every part holds sequences that start at each of them."""
    rng = np.random.default_rng(0)
    states = [(np.arange(length) // 8 + n) % 3 for n in range(sequences)]
    values = [3.0 * s[:, None] + rng.normal(size=(length, 1)) for s in states]
    made = Recording.of({"signal": values}, bin_width=1.0, clock_unit="step", name="levels")
    return made.with_facts(part=["a", "a", "a", "b", "b", "b", "b", "b"][:sequences])


@functools.cache
def chosen():
    candidates = {f"n_states={k}": Candidate(white(k), ENGINE) for k in (1, 3)}
    return cross_validate(candidates, recording(), [Standardise()], folds=Folds("part"), seed=0)


def by_hand(states: int) -> dict[str, float]:
    """Held-out scores by taking sequences away, fitting and scoring, one fold after the other."""
    out = {}
    for number, part in enumerate(("a", "b")):
        held = [i for i, p in zip(recording().ids, recording().sequences["part"], strict=True) if p == part]
        train = recording().take([i for i in recording().ids if i not in held])
        fitted = fit(white(states), train, [Standardise()], ENGINE, number)
        out |= dict(zip(held, fitted.score(recording().take(held)).values, strict=True))
    return out


@pytest.mark.slow
def test_scores_are_those_of_sequences_left_out_by_hand():
    scores = chosen().scores
    mine = scores[scores["candidate"] == "n_states=3"].set_index("sequence")["log_score"]
    wanted = by_hand(3)
    assert set(mine.index) == set(wanted)
    for name, value in wanted.items():  # the fold with two training sequences is filled up with silent ones
        assert mine[name] == pytest.approx(value, abs=1e-2)


@pytest.mark.slow
def test_three_levels_are_found_to_be_three_states():
    table = chosen().table.set_index("candidate")
    assert chosen().chosen == "n_states=3"
    assert table.loc["n_states=3", "log_score"] > table.loc["n_states=1", "log_score"] + 50
    assert chosen().words()[0].startswith("Choose n_states=3")
    assert table["folds"].tolist() == [2, 2]
    assert table["restarts"].tolist() == [2, 2]


@pytest.mark.slow
def test_table_is_counted_from_the_scores():
    table, best = chosen().table.set_index("candidate"), chosen().units(chosen().best)
    for name in chosen().fits:
        gap = chosen().units(name) - best
        row = table.loc[name]
        assert row["difference"] == pytest.approx(gap.sum())
        assert row["standard_error"] == pytest.approx(np.sqrt(np.sum((gap - gap.mean()) ** 2) * 8 / 7))
        found = chosen().fits[name]
        likelihood = float(found.score(recording()).sum())
        assert row["bic"] == pytest.approx(-2 * likelihood + row["parameters"] * np.log(recording().n_samples))
    assert table.loc["n_states=3", "parameters"] == 2 + 3 * 2 + 3 + 3


@pytest.mark.slow
def test_bits_compare_with_one_normal_distribution_of_the_training_part():
    total = 0.0
    for part in ("a", "b"):
        inside = np.repeat(recording().sequences["part"].to_numpy() == part, 40)
        y = recording().signal("signal").values[:, 0]
        mean, sd = y[~inside].mean(), y[~inside].std()
        total += stats.norm.logpdf((y[inside] - mean) / sd).sum()  # in the standardised units of the fold
    table = chosen().table.set_index("candidate")
    wanted = (table.loc["n_states=3", "log_score"] - total) / (320 * np.log(2))
    assert table.loc["n_states=3", "bits_per_sample"] == pytest.approx(wanted)
    assert table.loc["n_states=1", "bits_per_sample"] == pytest.approx(0.0, abs=0.02)  # its prior tells them apart


def test_folds_hold_out_each_sample_once():
    for wanted in (Folds(3), Folds("part"), Folds(3, contiguous=True), Folds(9)):
        counts = {name: np.zeros(40) for name in recording().ids}
        for fold in folds_of(recording(), wanted, 0):
            for name, held in fold.held.items():
                counts[name] += held
        assert all((count == 1).all() for count in counts.values())
    first = folds_of(recording(), Folds(3, contiguous=True), 0)[0]
    assert list(first.held) == recording().ids[:3]


def test_folds_train_on_one_shape_and_see_nothing_that_is_held_out():
    for fold in folds_of(recording(), Folds("part"), 0):
        part = training_part(recording(), "signal", fold, 5)
        assert part.n_sequences == 5
        seen = part.signal("signal").observed[:, 0]
        owners = np.repeat(part.ids, part.lengths)
        assert not set(owners[seen]) & set(fold.held)
        assert np.isnan(part.signal("signal").values[~seen]).all()


@pytest.mark.slow
def test_blocks_of_time_are_scored_given_the_rest_of_their_sequence():
    long = recording(1, 120)
    got = held_out_scores(Candidate(white(3), ENGINE), split(long, (), [white(3)], Folds(4), 0))
    assert got["fold"].tolist() == ["1", "2", "3", "4"]
    assert got["amount"].sum() == 120
    fold = folds_of(long, Folds(4), 0)[1]
    blind = hidden(long, ["signal"], fold.held)
    fitted = fit(white(3), blind, (), ENGINE, 1)
    wanted = float(fitted.score(long).sum()) - float(fitted.score(blind).sum())
    assert got["log_score"][1] == pytest.approx(wanted)


def test_a_guard_hides_what_is_predicted_from_a_block():
    long = recording(1, 120)
    fold = folds_of(long, Folds(4), 0, reach=3)[1]
    (held,), (guard,) = fold.held.values(), fold.guard.values()
    assert np.flatnonzero(held).tolist() == list(range(30, 60))
    assert np.flatnonzero(guard).tolist() == [60, 61, 62]
    part = training_part(long, "signal", fold, 1).signal("signal").observed[:, 0]
    assert np.flatnonzero(~part).tolist() == list(range(30, 63))


@pytest.mark.slow
def test_orders_score_the_same_samples():
    engine = EM(steps=5, restarts=1)
    splits = split(recording(), (), [white(2), white(2, 2)], Folds(2), 0)
    low, high = (held_out_scores(Candidate(white(2, order), engine), splits) for order in (0, 2))
    assert low["amount"].tolist() == high["amount"].tolist() == [38.0] * 8
    fold = splits.folds[0]
    fitted = fit(white(2), training_part(recording(), "signal", fold, 4), (), engine, 0)
    wanted = fitted.score(recording().cut(2)).sel(sequence=list(fold.held))
    np.testing.assert_allclose(low["log_score"][: len(wanted)], wanted)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (Folds("prat"), "no column 'prat' in the table of sequences.* Did you mean 'part'"),
        (Folds("one"), "names one fold"),
        (Folds("gap"), "sequence 1: no fold stands in the column 'gap'"),
        (Folds(30), "40 samples are too few for 30 blocks of time"),
    ],
)
def test_impossible_folds_are_refused(wanted, message):
    facts = recording().with_facts(one=1, gap=[0, None, 1, 1, 0, 0, 1, 1])
    facts = replace(facts, sequences=facts.sequences.assign(id=[str(i) for i in range(8)]))
    with pytest.raises(InputError, match=message):
        folds_of(facts, wanted, 0)


def test_settings_of_folds_are_checked():
    with pytest.raises(InputError, match="folds must be a whole number of at least 2, got 1"):
        Folds(1)
    with pytest.raises(InputError, match="leave contiguous out"):
        Folds("part", contiguous=True)


# --- baselines ------------------------------------------------------------------------------------------------------


def signal(values, kind, observed=None) -> Signal:
    given = np.asarray(values).reshape(len(values), -1)
    return Recording.of(
        {"x": given if observed is None else np.ma.array(given, mask=~observed)}, kinds={"x": kind}
    ).signal("x")


def test_counts_are_compared_with_the_mean_rate_of_the_training_part():
    rng = np.random.default_rng(1)
    x = rng.poisson([0.5, 3.0], size=(30, 2))
    train = np.arange(30) < 20
    wanted = sum(stats.poisson.logpmf(x[~train, n], x[train, n].mean()) for n in range(2))
    np.testing.assert_allclose(baseline_scores(signal(x, "counts"), train, ~train)[20:], wanted)
    np.testing.assert_array_equal(amounts(signal(x, "counts"), ~train)[20:], x[20:].sum(axis=1))


def test_choices_are_compared_with_the_frequencies_of_the_training_part():
    x = np.array([0, 0, 1, 1, 1, 2, 0, 1])
    train = np.arange(8) < 5
    wanted = np.log(np.array([0.5, 2.0, 3.0]) / 5.5)  # classes 2, 0, 1; the one never seen counts half
    np.testing.assert_allclose(baseline_scores(signal(x, "category"), train, ~train)[5:], wanted)
    assert amounts(signal(x, "category"), ~train).sum() == 3


def test_a_silent_channel_does_not_make_held_out_spikes_impossible():
    x = np.array([0, 0, 0, 1])
    train = np.arange(4) < 3
    got = baseline_scores(signal(x, "counts"), train, ~train)
    assert got[3] == pytest.approx(stats.poisson.logpmf(1, 0.5 / 3))


def test_missing_values_are_neither_learned_from_nor_scored():
    x = np.array([1.0, 2.0, np.nan, 4.0, np.nan])
    train = np.arange(5) < 3
    got = baseline_scores(signal(x, "continuous"), train, ~train)
    np.testing.assert_allclose(got, [0, 0, 0, stats.norm.logpdf(4, 1.5, 0.5), 0])
