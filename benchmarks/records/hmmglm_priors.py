"""Which prior of the couplings tells unseen spikes best, and when do priors matter?

Simulated networks (Li et al., 2024, section on synthetic data, as redrawn in neurolatent.models.hmmglm.synthetic): the
same ten neurons, three states and 1,000 bins a trial, on several seeds; five trials are held out. Methods, from the
poorest: one GLM without states, no prior to speak of (ridge), a hierarchical normal prior, a one-hot prior. Then fewer
training trials (3, 5, 10) of twenty neurons, where priors must win.

Writes, beside this script, hmmglm_priors.json: per method the mean and standard deviation over seeds, and on how many
seeds the order holds.

Run: ``python benchmarks/records/hmmglm_priors.py [SEEDS [PART ...]]``.
"""

import json
import sys

import numpy as np
from _record import Record

from neurolatent.choices import EM
from neurolatent.fitting import fit
from neurolatent.models.hmmglm import HMMGLM, Hierarchical, OneHot, Poisson, Ridge
from neurolatent.models.hmmglm.synthetic import Network, synthetic_network
from neurolatent.recipe.network import network_figures

QUESTION = "which prior of the couplings tells unseen spikes best, and when do priors matter?"
HELD, ENGINE = 5, EM(tolerance=1e-5, restarts=2)
METHODS = {"one_glm": None, "ridge": Ridge(), "hierarchical": Hierarchical(), "one_hot": OneHot()}
SCORE = "test.loglik_per_bin_neuron"


def model(prior: object, n_states: int) -> HMMGLM:
    """The model of one method; None is one GLM."""
    family = Poisson("sigmoid")
    if prior is None:
        return HMMGLM(1, family=family, self_coupling="none")
    return HMMGLM(n_states, family=family, self_coupling="none", prior=prior)  # type: ignore[arg-type]


def measured(network: Network, trials: int, seed: int, methods: list[str]) -> dict[str, dict[str, float]]:
    """Figures of each method, trained on the first trials, tested on the last ones."""
    recording, out = network.recording, {}
    train, test = recording.take(recording.ids[:trials]), recording.take(recording.ids[-HELD:])
    for name in methods:
        fitted = fit(model(METHODS[name], len(network.params.initial)), train, engine=ENGINE, seed=seed)
        out[name] = network_figures(fitted, train, test, network)
        print(f"  seed {seed}, {trials} trials, {name}: {out[name][SCORE]:.5f}", flush=True)
    return out


def summary(runs: list[dict[str, dict[str, float]]], prefix: str) -> dict[str, float]:
    """Mean and standard deviation over seeds, and the seeds on which a method is at least as good as the one before."""
    flat = {}
    for name in runs[0]:
        for figure in runs[0][name]:
            values = np.array([run[name][figure] for run in runs])
            flat[f"{prefix}.{name}.{figure}.mean"] = round(float(values.mean()), 6)
            flat[f"{prefix}.{name}.{figure}.sd"] = round(float(values.std(ddof=1)), 6) if len(values) > 1 else None
    for poorer, better in zip(list(runs[0])[:-1], list(runs[0])[1:], strict=True):
        wins = sum(run[better][SCORE] >= run[poorer][SCORE] for run in runs)
        flat[f"{prefix}.seeds_on_which_{better}_is_not_worse_than_{poorer}"] = wins
    return flat


PARTS = {"ten_neurons_10_trials": (10, 10, list(METHODS))}
PARTS |= {f"twenty_neurons_{n}_trials": (20, n, ["ridge", "hierarchical", "one_hot"]) for n in (3, 5, 10)}


def main(seeds: int, names: list[str]) -> None:
    """Run these parts and write the figures after every one; those of the other parts stay."""
    record = Record("hmmglm_priors", QUESTION, list(range(seeds)), arguments=[seeds, *names])
    old = json.loads(record.path.read_text("utf-8"))["figures"] if record.path.is_file() else {}
    figures = {key: value for key, value in old.items() if key.split(".")[0] not in names}
    for name in names:
        neurons, trials, methods = PARTS[name]
        networks = [synthetic_network(s, n_neurons=neurons) for s in range(seeds)]
        figures |= summary([measured(n, trials, s, methods) for s, n in enumerate(networks)], name)
        record.write(figures)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5, sys.argv[2:] or list(PARTS))
