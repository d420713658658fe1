"""The simulated network of a recipe, and how near a fit comes to what made it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from neurolatent.models.hmmglm import HMMGLM
from neurolatent.models.hmmglm.synthetic import Network, synthetic_network
from neurolatent.ops.metrics import contingency, matching
from neurolatent.recipe.objects import build
from neurolatent.recording import Recording
from neurolatent.result import Fit

NAME = "synthetic_network"  # in [data.simulate]
SMALL = (
    0.3  # an absolute weight below it counts as none, where a model learns no types; spec of the method, section 7.2
)


@dataclass(frozen=True)
class Synthetic:
    """The table [data.simulate] with ``name = "synthetic_network"``; its seed is its own, so that a test shares it."""

    seed: int = 0
    n_states: int = 3
    n_neurons: int = 10
    n_trials: int = 15
    bins: int = 1000
    sparsity: float = 0.2
    share_excitatory: float = 0.5
    stay: float = 0.98


def network_of(table: Mapping[str, Any], where: str) -> Network | None:
    """The network of a table ``simulate``; None where it names none."""
    if table.get("name") != NAME:
        return None
    options = asdict(build(Synthetic, {k: v for k, v in table.items() if k != "name"}, where))
    return synthetic_network(options.pop("seed"), **options)


def network_figures(fit: Fit, train: Recording, test: Recording, network: Network) -> dict[str, float]:
    """Held-out log likelihood and, where the numbers of states agree, states and weights against the truth.

    States are matched to the true ones on the training data, and so matched on the test data: the likeliest one of each
    sample (``states.accuracy``), and the likeliest path. ``weights.type_accuracy``
    is the share of pairs and states whose type (inhibitory, none, excitatory) is right: the types that the model
    learns, else the sign of weights above 0.3 in size.
    """
    total, values = float(fit.score(test).sum()), test.signal(fit.facts["signal"]).observed.sum()
    figures = {"test.loglik": total, "test.loglik_per_bin_neuron": total / float(values)}
    truth = network.params
    if not isinstance(fit.model, HMMGLM) or len(truth.initial) != fit.model.n_states:
        return figures
    own, path, true = _states(fit, train)
    count = fit.model.n_states
    order = matching(contingency(own, true, count, count))
    own, path, true = _states(fit, test)
    weights = np.empty_like(truth.weights)
    weights[order] = fit.params.weights
    types = np.sign(weights) * (np.abs(weights) > SMALL)
    if np.size(fit.params.types):
        types[order] = np.argmax(fit.params.types, axis=-1) - 1
    oracle = replace(fit, params=truth, draws=None, model=replace(fit.model, self_coupling="none", prior=_plain()))
    return figures | {
        "test.loglik_less_truth": (total - float(oracle.score(test).sum())) / float(values),
        "states.accuracy": float((order[own] == true).mean()),
        "states.path_accuracy": float((order[path] == true).mean()),
        "weights.mse": float(((weights - truth.weights) ** 2).mean()),
        "weights.correlation": float(np.corrcoef(weights.ravel(), truth.weights.ravel())[0, 1]),
        "weights.type_accuracy": float((types == np.argmax(truth.types, axis=-1) - 1).mean()),
    }


def _plain() -> Any:
    return HMMGLM(1).prior


def _states(fit: Fit, recording: Recording) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Likeliest state of each sample, that of the likeliest path, and the true one."""
    latents = fit.predict(recording)
    truth = recording.signal("state").values[:, 0].astype(int)
    return latents["smoothed"].values.argmax(axis=1), latents["path"].values, truth
