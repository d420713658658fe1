"""How much of the latents of spikes and images is left where data are missing?

Case 8.2 of the method's specification (Gondur et al., 2024, reduced): 80 trials to learn from, 20 to measure on, with
the defaults. Missing, in learning and in measuring alike, are 10, 30 or 50 % of the bins of either modality, each
drawn on its own; or one modality, drawn anew, in so many of the trials. Last: nothing was missing in learning, and of
the measured trials the spikes or the images are missing altogether.

Writes, beside this script, gpvae_missing.json: R2 of the true latents, the median over draws, least and largest.

Run: ``python benchmarks/records/gpvae_missing.py [SEEDS]``.
"""

import datetime
import json
import platform
import sys
import time
from pathlib import Path

import numpy as np

import neurolatent as nl
from neurolatent.models.gpvae.synthetic import digits_case
from neurolatent.recipe.latents import trial_figures
from neurolatent.recording import Recording
from neurolatent.result.build import versions

HERE, FIRST, TRAINED, SHARES = Path(__file__).parent, 1, 80, (0.1, 0.3, 0.5)
MODALITIES = ("spikes", "behaviour")


def hidden(recording: Recording, where: dict[str, np.ndarray]) -> Recording:
    """The recording without the samples of a modality that are marked."""
    parts = {name: recording.signal(name).filled().astype(float) for name in recording.signals}
    for name, rows in where.items():
        parts[name][rows] = np.nan
    split = {name: [values[part] for part in recording.slices()] for name, values in parts.items()}
    channels = {"latents": recording.signal("latents").names}
    return Recording.of(
        split, kinds={"spikes": "counts"}, channels=channels, ids=recording.ids, clock_unit="bin", name=recording.title
    )


def without_bins(recording: Recording, share: float, rng: np.random.Generator) -> Recording:
    """Bins of either modality are missing, each on its own."""
    return hidden(recording, {name: rng.random(recording.n_samples) < share for name in MODALITIES})


def without_modality(recording: Recording, share: float, rng: np.random.Generator) -> Recording:
    """One modality is missing in a share of the trials."""
    trial = np.repeat(np.arange(recording.n_sequences), recording.lengths)
    chosen, which = rng.random(recording.n_sequences) < share, rng.integers(2, size=recording.n_sequences)
    return hidden(recording, {name: (chosen & (which == n))[trial] for n, name in enumerate(MODALITIES)})


def measured(seed: int) -> dict[str, dict[str, float]]:
    """R2 of each group of latents by what was missing."""
    made, out = digits_case(seed), {}
    cases = {"nothing": made}
    for number, (word, hide) in enumerate((("bins", without_bins), ("modality", without_modality))):
        for share in SHARES:
            rng = np.random.default_rng([seed, number, int(100 * share)])
            cases[f"{word}_{int(100 * share)}"] = hide(made, share, rng)
    model = nl.GPVAE(n_neural=1, n_shared=1, n_behaviour=1)
    for word, recording in cases.items():
        train, test = recording.take(made.ids[:TRAINED]), recording.take(made.ids[TRAINED:])
        fit = nl.fit(model, train, seed=0)
        tests = {word: test}
        if word == "nothing":
            tests |= {f"all_{name}_of_test": hidden(test, {name: np.ones(test.n_samples, bool)}) for name in MODALITIES}
        for name, shown in tests.items():
            figures = trial_figures(fit, train, shown)
            out[name] = {key: value for key, value in figures.items() if key.startswith("r2.")}
            print(seed, name, {key: round(value, 3) for key, value in out[name].items()}, flush=True)
    return out


def record(seeds: int) -> None:
    """Run all of it, and write medians, least and largest values."""
    begin = time.perf_counter()
    runs = [measured(seed) for seed in range(FIRST, FIRST + seeds)]
    flat = {}
    for word in runs[0]:
        for name in runs[0][word]:
            values = np.array([run[word][name] for run in runs])
            for kind, value in (("median", np.median(values)), ("least", values.min()), ("largest", values.max())):
                flat[f"{word}.{name}.{kind}"] = round(float(value), 4)
    facts = {
        "question": "how much of the latents of spikes and images is left where data are missing?",
        "command": "python benchmarks/records/gpvae_missing.py",
        "seed": list(range(FIRST, FIRST + seeds)),
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.machine()}, {platform.system()}",
        "seconds": round(time.perf_counter() - begin, 1),
        "versions": versions(),
        "figures": flat,
    }
    (HERE / "gpvae_missing.json").write_text(json.dumps(facts, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    record(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
