import warnings
from dataclasses import replace

import numpy as np
import pytest

from neurolatent.checks import InputError
from neurolatent.choices import EM, NUTS, SVI
from neurolatent.comparison import Sweep, compare
from neurolatent.fitting import fit as fit_model
from neurolatent.models.arphmm import ARPHMM
from neurolatent.preparation import Standardise
from neurolatent.recording import Recording, knowledge
from tests.small_fleet import table

OPTIONS = {"sequence": "unit", "clock": "cycle", "failed": True, "signals": {"signal": ["level"]}}


@pytest.fixture(scope="module")
def train():
    recording = Recording.of(table(), **OPTIONS)
    return recording.with_knowledge(knowledge.start_end(recording, 5, 5))


@pytest.fixture(scope="module")
def held():
    return Recording.of(table(5, seed=9, first=50), **OPTIONS)


@pytest.fixture(scope="module")
def fits(train):
    models = {"two": ARPHMM(2), "one": ARPHMM(1), "white": ARPHMM(2, order=0)}
    return {name: fit_model(model, train, engine=EM(steps=30), seed=0) for name, model in models.items()}


def test_held_out_fits_are_ranked_by_their_evidence(fits, held):
    chosen = {name: fits[name] for name in ("one", "two")}
    got = compare(chosen, held)
    scores = {name: fit.score(held).values for name, fit in chosen.items()}
    assert got["fit"].tolist() == ["two", "one"]
    for row in got.itertuples():
        gap = scores[row.fit] - scores["two"]
        assert row.log_score == pytest.approx(scores[row.fit].sum())
        assert row.per_sequence == pytest.approx(scores[row.fit].mean())
        assert row.difference == pytest.approx(gap.sum())
        assert row.standard_error == pytest.approx(np.sqrt(np.sum((gap - gap.mean()) ** 2) * 5 / 4))


def test_orders_are_scored_on_the_same_samples(fits, held):
    got = compare({name: fits[name] for name in ("two", "white")}, held).set_index("fit")
    assert got.loc["white", "log_score"] == pytest.approx(float(fits["white"].score(held.cut(1)).sum()))
    assert got.loc["two", "log_score"] == pytest.approx(float(fits["two"].score(held).sum()))


def test_a_single_sequence_has_no_standard_error(fits, held):
    got = compare({name: fits[name] for name in ("one", "two")}, held.take(["50"]))
    assert got["standard_error"].isna().all()


def test_nothing_to_compare(fits, held):
    with pytest.raises(InputError, match="at least one fit"):
        compare({}, held)
    with pytest.raises(InputError, match="pass a recording that the fits have not seen"):
        compare(fits)


def test_different_preparations_and_signals_are_refused(fits, train, held):
    scaled = fit_model(ARPHMM(2), train, [Standardise()], EM(steps=2), 0)
    with pytest.raises(InputError, match="prepare the data in different ways"):
        compare({"a": fits["two"], "b": scaled}, held)
    other = replace(fits["two"], facts={**fits["two"].facts, "signal": "other"})
    with pytest.raises(InputError, match="'a' and 'b' differ in signal"):
        compare({"a": fits["two"], "b": other}, held)


@pytest.mark.slow
def test_draws_are_ranked_by_leaving_sequences_out(train):
    import arviz_stats

    engine = NUTS(chains=2, warmup=100, draws=100, start=EM(steps=30))
    bare = replace(train, knowledge=type(train.knowledge)())
    fits = {name: fit_model(ARPHMM(k), bare, engine=engine, seed=0) for name, k in (("two", 2), ("one", 1))}
    got = compare(fits)
    assert got["fit"].tolist() == ["two", "one"]
    for row in got.itertuples():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # so few draws leave the largest k in doubt
            estimate = arviz_stats.loo(fits[row.fit].idata, pointwise=True)
        assert row.log_score == pytest.approx(float(estimate.elpd))
        assert row.worst_k == pytest.approx(float(estimate.pareto_k.max()))
    told = fit_model(ARPHMM(2), train, engine=engine, seed=0)
    with pytest.raises(InputError, match="differ in knowledge"):
        compare({"told": told, "not": fits["two"]})


@pytest.mark.slow
def test_draws_of_a_guide_are_ranked_as_those_of_the_posterior(train):
    bare = replace(train, knowledge=type(train.knowledge)())
    engines = {"nuts": NUTS(chains=2, warmup=200, draws=500, start=EM(steps=30)), "svi": SVI(start=EM(steps=30))}
    got = compare({name: fit_model(ARPHMM(2), bare, engine=engine, seed=0) for name, engine in engines.items()})
    scores = got.set_index("fit")["log_score"]
    assert scores["svi"] == pytest.approx(scores["nuts"], abs=2.0)


def sweep(*points: dict, fits=()) -> Sweep:
    return Sweep(points, tuple({"error": float(n)} for n in range(len(points))), tuple(fits))


def test_sweep_of_fits_is_ranked_by_the_names_of_its_points(fits, held):
    two = sweep({"model.n_states": 2, "seed": 0}, {"model.n_states": 1, "seed": 0}, fits=[fits["two"], fits["one"]])
    assert compare(two, held)["fit"].tolist() == ["model.n_states=2, seed=0", "model.n_states=1, seed=0"]


def test_sweep_without_fits_has_nothing_to_rank(held):
    with pytest.raises(InputError, match="kept no fits"):
        compare(sweep({"seed": 0}), held)


def test_table_and_summary_of_a_sweep():
    grid = sweep(*({"a.x": x, "a.word": w, "seed": s} for x in (0.1, 0.2) for w in ("p", "q") for s in (0, 1)))
    assert grid.table()["error"].tolist() == list(range(8))
    assert grid.summary()["error@x=0.1,word=q.mean"] == 2.5
    assert grid.summary()["error@x=0.1,word=q.sd"] == pytest.approx(np.sqrt(0.5))


def test_series_run_along_the_first_key_with_several_numbers():
    grid = sweep(*({"k": 3, "w": w, "x": x, "seed": s} for x in (0.2, 0.1) for w in ("p", "q") for s in (0, 1)))
    along, others = grid.axes()
    assert (along, others) == ("x", ["k", "w"])
    values, series = grid.series("error")
    assert values.tolist() == [0.1, 0.2]
    np.testing.assert_array_equal(series["k 3, w p"], [[4, 0], [5, 1]])  # seeds, values
    np.testing.assert_array_equal(series["k 3, w q"], [[6, 2], [7, 3]])


@pytest.mark.parametrize("points", [[{"seed": 0}, {"seed": 1}], [{"w": "p"}, {"w": "q"}], [{"b": True}, {"b": False}]])
def test_no_curve_without_numbers(points):
    grid = sweep(*points)
    assert not grid.has_curves
    with pytest.raises(InputError, match="several numbers"):
        grid.axes()
    assert len(grid.summary()) > 0
