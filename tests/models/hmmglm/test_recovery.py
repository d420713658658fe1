"""The specification's figures: the synthetic network SIM-S under every prior, and the choices of one mouse."""

import functools
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linear_sum_assignment

import neurolatent as nl
from neurolatent.choices import EM, NUTS
from neurolatent.models.hmmglm import HMMGLM, Bernoulli, Hierarchical, OneHot, Poisson, Ridge
from neurolatent.models.hmmglm.synthetic import synthetic_network
from neurolatent.recording import Recording
from neurolatent.recording.signal import make_signal

pytestmark = pytest.mark.slow


class Found(NamedTuple):
    loglik: float  # test log likelihood per bin and neuron
    accuracy: float
    mse: float
    types: float


@functools.cache
def found(prior: Ridge | Hierarchical | OneHot, n_states: int = 3, steps: int = 200) -> Found:
    """SIM-S: ten trials to learn from, five to test; the states are matched on the training trials."""
    net = synthetic_network(0)
    ids = net.recording.ids
    train, test = net.recording.take(ids[:10]), net.recording.take(ids[10:])
    model = HMMGLM(n_states, family=Poisson("sigmoid"), self_coupling="none", prior=prior)
    fit = nl.fit(model, train, engine=EM(steps=steps, tolerance=1e-5, restarts=2), seed=0)
    loglik = float(fit.score(test).sum()) / (5 * 1000 * 10)
    if n_states == 1:
        return Found(loglik, np.nan, np.nan, np.nan)
    guess = [fit.predict(r)["smoothed"].values.argmax(axis=1) for r in (train, test)]
    truth = [r.signal("state").values[:, 0] for r in (train, test)]
    table = np.zeros((3, 3))
    np.add.at(table, (truth[0], guess[0]), 1)
    order = linear_sum_assignment(-table)[1]
    weights = fit.params.weights[order]
    kinds = np.where(np.abs(weights) > 0.3, np.sign(weights), 0)
    if isinstance(prior, OneHot):
        kinds = fit.params.types[order].argmax(axis=-1) - 1
    return Found(
        loglik,
        float((np.argsort(order)[guess[1]] == truth[1]).mean()),
        float(((weights - net.params.weights) ** 2).mean()),
        float((kinds == np.sign(net.params.weights)).mean()),
    )


NAIVE, GAUSSIAN = Ridge(), Hierarchical(learn_sd=True)


def test_naive_couplings_reach_the_figures_of_the_specification():
    np.testing.assert_allclose(found(NAIVE).loglik, -0.85261, atol=2e-4)
    np.testing.assert_allclose(found(NAIVE).accuracy, 0.875, atol=0.01)


def test_the_hierarchical_prior_reaches_its_figures():
    np.testing.assert_allclose(found(GAUSSIAN).loglik, -0.85232, atol=2e-4)
    np.testing.assert_allclose(found(GAUSSIAN).accuracy, 0.876, atol=0.01)


def test_the_one_hot_prior_finds_the_types():
    soft, hard = found(OneHot(project=False), steps=41), found(OneHot())
    assert soft.loglik >= -0.8520
    assert hard.loglik >= -0.8530
    assert min(soft.types, hard.types) >= 0.96
    assert max(soft.mse, hard.mse) <= 0.012


def test_priors_come_in_the_order_of_what_they_know():
    one = found(NAIVE, n_states=1)
    assert found(OneHot()).loglik >= found(GAUSSIAN).loglik >= found(NAIVE).loglik > one.loglik
    np.testing.assert_allclose(one.loglik, -0.85904, atol=2e-4)


@functools.cache
def mouse(folder: Path) -> tuple[Recording, np.ndarray]:
    """The choices of ibl_choice, and the fold of every session."""
    table = pd.read_csv(folder / "ibl_choice" / "ibl_cshl008_5050.csv")
    rows = list(table.groupby("session").indices.values())
    made = Recording.of(
        {"choice": [table["choice"].to_numpy()[r, None] for r in rows]},
        kinds={"choice": "binary"},
        clock_unit="trial",
        name="ibl_choice",
    )
    names = ["stim_z_population", "prev_choice", "wsls"]
    made = made.with_signal("covariates", make_signal(table[names].to_numpy(), channels=names))
    return made, table.groupby("session")["fold"].first().to_numpy()


def bits_per_trial(model: HMMGLM, folder: Path) -> np.ndarray:
    """Held-out log likelihood of each fold above that of the training frequencies."""
    recording, fold = mouse(folder)
    ids, out = np.asarray(recording.ids), []
    for number in range(5):
        train, test = recording.take(ids[fold != number]), recording.take(ids[fold == number])
        right, y = train.signal("choice").values.mean(), test.signal("choice").values
        base = np.sum(np.where(y, np.log(right), np.log(1 - right)))
        out.append((float(nl.fit(model, train, seed=0).score(test).sum()) - base) / (len(y) * np.log(2)))
    return np.array(out)


ONE = HMMGLM(1, family=Bernoulli(), prior=Ridge(100))
THREE = HMMGLM(3, family=Bernoulli(), prior=Ridge(2), alpha=2)


def test_one_state_of_choices_is_the_published_regression(real_data):
    fit = nl.fit(ONE, mouse(real_data)[0])
    np.testing.assert_allclose(float(fit.idata["latents"]["log_evidence"].sum()), -2433.08, atol=0.01)
    np.testing.assert_allclose(fit.params.weights[0, 0], [2.252, 0.654, -0.122], atol=1e-3)
    np.testing.assert_allclose(fit.params.bias[0, 0], -0.006, atol=1e-3)
    bits = bits_per_trial(ONE, real_data)
    np.testing.assert_allclose(bits, [0.2997, 0.2969, 0.2491, 0.2843, 0.3676], atol=2e-4)
    np.testing.assert_allclose(bits.mean(), 0.2995, atol=2e-4)


def test_three_states_of_choices_are_the_best_of_the_restarts(real_data):
    fit = nl.fit(THREE, mouse(real_data)[0], seed=0)
    objective = fit.idata["trace"]["objective"].values
    last = np.array([row[np.isfinite(row)][-1] for row in objective])
    assert len(last) >= 5
    assert last[int(fit.idata["trace"]["best"])] == last.max()
    assert float(fit.idata["latents"]["log_evidence"].sum()) > -1966
    stay = np.diag(fit.params.transition)
    assert ((stay > 0.93) & (stay < 0.99)).all()
    assert bits_per_trial(THREE, real_data).mean() >= 0.425
    assert nl.check(fit).passed


def test_nuts_on_choices_passes_its_own_check(real_data):
    engine = NUTS(chains=4, warmup=300, draws=400, start=EM(restarts=5))
    fit = nl.fit(THREE, mouse(real_data)[0], engine=engine, seed=0)
    verdicts = {row.what: row for row in nl.check(fit).rows}
    assert verdicts["largest R-hat"].value < 1.01
    assert verdicts["smallest bulk ESS"].value > 400
    assert verdicts["divergences"].value == 0
