"""The simulated network of a recipe: its figures are those of loops over states and pairs."""

import itertools

import numpy as np
import pytest

from neurolatent.checks import InputError
from neurolatent.choices import EM
from neurolatent.fitting import fit
from neurolatent.models.hmmglm import HMMGLM, Poisson
from neurolatent.models.hmmglm.synthetic import synthetic_network
from neurolatent.recipe.network import network_figures, network_of


def test_a_table_names_the_network():
    table = {"name": "synthetic_network", "seed": 3, "n_neurons": 4, "n_trials": 2, "bins": 20}
    got, want = network_of(table, "x"), synthetic_network(3, n_neurons=4, n_trials=2, bins=20)
    assert got.recording.fingerprint() == want.recording.fingerprint()
    assert network_of({"length": 3}, "x") is None
    with pytest.raises(InputError, match="x: unknown key 'neurons'. Did you mean 'n_neurons'"):
        network_of({"name": "synthetic_network", "neurons": 4}, "x")


@pytest.mark.slow
def test_figures_are_counted_after_the_best_matching_on_training_data():
    network = synthetic_network(0, n_states=2, n_neurons=5, n_trials=5, bins=400)
    train, test = (network.recording.take(ids) for ids in (["0", "1", "2"], ["3", "4"]))
    model = HMMGLM(2, family=Poisson("sigmoid"), self_coupling="none")
    fitted = fit(model, train, engine=EM(steps=20, restarts=1), seed=0)
    got = network_figures(fitted, train, test, network)
    likeliest = {r: fitted.predict(r)["smoothed"].values.argmax(axis=1) for r in (train, test)}
    truth = {r: r.signal("state").values[:, 0] for r in (train, test)}
    best = max(
        itertools.permutations(range(2)), key=lambda order: (np.array(order)[likeliest[train]] == truth[train]).sum()
    )
    assert got["states.accuracy"] == pytest.approx((np.array(best)[likeliest[test]] == truth[test]).mean())
    errors, right = [], []
    for state, to, source in itertools.product(range(2), range(5), range(5)):
        value, true = fitted.params.weights[state, to, source], network.params.weights[best[state], to, source]
        errors.append((value - true) ** 2)
        right.append((0 if abs(value) <= 0.3 else np.sign(value)) == np.sign(true))
    assert got["weights.mse"] == pytest.approx(np.mean(errors))
    assert got["weights.type_accuracy"] == pytest.approx(np.mean(right))
    assert got["test.loglik_per_bin_neuron"] == pytest.approx(float(fitted.score(test).sum()) / 4000)
    assert got["test.loglik_less_truth"] < 0.001
