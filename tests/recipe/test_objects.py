import pytest

from neurolatent.checks import InputError
from neurolatent.choices import EM, NUTS
from neurolatent.models.arphmm import ARPHMM
from neurolatent.models.hmmglm import HMMGLM, Bernoulli, RaisedCosine, Ridge
from neurolatent.preparation import HealthIndicator, Regimes
from neurolatent.recipe.objects import build


def test_tables_become_objects_of_their_types():
    assert build(EM, {"steps": 3, "tolerance": 0, "restarts": 2}, "x") == EM(3, 0.0, restarts=2)
    assert build(NUTS, {"draws": 5, "start": {"steps": 2}}, "x") == NUTS(draws=5, start=EM(steps=2))
    assert build(ARPHMM, {"n_states": 2, "channels": ["a", "b"]}, "x") == ARPHMM(2, channels=("a", "b"))
    assert build(ARPHMM, {"n_states": 2, "prior": {"own_lag": 0}}, "x").prior.own_lag == 0.0
    assert build(Regimes, {"scale": [1, 2.5]}, "x").scale == (1.0, 2.5)
    assert build(EM, {"restarts": "none"}, "x") == EM()
    assert hash(build(HealthIndicator, {"ridge": 1}, "x")) == hash(HealthIndicator(ridge=1.0))


def test_a_kind_chooses_among_several_dataclasses():
    table = {"n_states": 2, "history": {"kind": "raised_cosine", "n": 2}, "prior": {"kind": "Ridge", "sd": 2}}
    assert build(HMMGLM, table, "x") == HMMGLM(2, history=RaisedCosine(2), prior=Ridge(2.0))
    assert build(HMMGLM, {"n_states": 2, "family": {"kind": "bernoulli"}}, "x") == HMMGLM(2, family=Bernoulli())


FAULTS = {
    "unknown": (EM, {"stpes": 3}, r"m: unknown key 'stpes'. Did you mean 'steps'\?"),
    "unknown inside": (NUTS, {"start": {"stpes": 3}}, r"m.start: unknown key 'stpes'"),
    "missing": (ARPHMM, {"order": 1}, "m: 'n_states' is missing"),
    "text for a number": (EM, {"steps": "3"}, "m.steps: a value of type int is expected, got '3'"),
    "fraction for a whole number": (EM, {"steps": 3.5}, "m.steps: a value of type int is expected, got 3.5"),
    "yes for a number": (EM, {"steps": True}, "m.steps: a value of type int is expected, got True"),
    "number for yes": (EM, {"use_prior": 1}, "m.use_prior: a value of type bool is expected, got 1"),
    "number for text": (ARPHMM, {"n_states": 2, "signal": 3}, "m.signal: a value of type str is expected, got 3"),
    "no choice": (EM, {"start": "segment"}, r"m.start: one of .* got 'segment'. Did you mean 'segments'\?"),
    "text for a list": (ARPHMM, {"n_states": 2, "channels": "a"}, "m.channels: a list is expected, got 'a'"),
    "list with a number": (ARPHMM, {"n_states": 2, "channels": ["a", 3]}, r"m.channels\[1\]: .*str is expected"),
    "text in numbers": (Regimes, {"scale": ["a"]}, r"m.scale\[0\]: .*float is expected, got 'a'"),
    "number for a table": (NUTS, {"start": 3}, "m.start: a table is expected, got 3"),
    "value that the class refuses": (ARPHMM, {"n_states": 0}, "m: n_states must be a whole number of at least 1"),
    "no such kind": (
        HMMGLM,
        {"n_states": 2, "history": {"kind": "raised_cosin"}},
        "m.history: there is no kind 'raised_cosin'",
    ),
    "date": (EM, {"steps": __import__("datetime").date(2020, 1, 1)}, "m.steps: a value of type int is expected"),
}


@pytest.mark.parametrize(("kind", "table", "message"), FAULTS.values(), ids=FAULTS)
def test_faults_are_refused_with_their_place(kind, table, message):
    with pytest.raises(InputError, match=message):
        build(kind, table, "m")
