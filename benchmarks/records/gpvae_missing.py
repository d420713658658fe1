"""How much of the latents of spikes and images is left where data are missing?

Case 8.2 of the method's specification (Gondur et al., 2024, reduced): 80 trials to learn from, 20 to measure on, with
the defaults. Missing, in learning and in measuring alike, are 10, 30 or 50 % of the bins of either modality, each
drawn on its own; or one modality, drawn anew, in so many of the trials. Last: nothing was missing in learning, and of
the measured trials the spikes or the images are missing altogether.

Writes, beside this script, gpvae_missing.json: R2 of the true latents, the median over draws, least and largest.

Run: ``python benchmarks/records/gpvae_missing.py [DRAWS]``.
"""

import sys
from collections.abc import Iterator

import numpy as np
from _record import Record, over_draws

import neurolatent as nl
from neurolatent.models.gpvae.synthetic import digits_case
from neurolatent.recipe.latents import trial_figures
from neurolatent.recording import Recording

QUESTION = "how much of the latents of spikes and images is left where data are missing?"
FIRST, TRAINED, SHARES = 1, 80, (0.1, 0.3, 0.5)
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


def measured(seed: int) -> Iterator[tuple[str, dict[str, float]]]:
    """What was missing, and R2 of each group of latents then: one after the other."""
    made = digits_case(seed)
    cases = {"nothing": made}
    for number, (word, hide) in enumerate((("bins", without_bins), ("modality", without_modality))):
        for share in SHARES:
            rng = np.random.default_rng([seed, number, int(100 * share)])
            cases[f"{word}_{int(100 * share)}"] = hide(made, share, rng)
    for word, recording in cases.items():
        train, test = recording.take(made.ids[:TRAINED]), recording.take(made.ids[TRAINED:])
        fit = nl.fit(nl.GPVAE(n_neural=1, n_shared=1, n_behaviour=1), train, seed=0)
        tests = {word: test}
        if word == "nothing":
            tests |= {f"all_{name}_of_test": hidden(test, {name: np.ones(test.n_samples, bool)}) for name in MODALITIES}
        for name, shown in tests.items():
            yield name, {key: v for key, v in trial_figures(fit, train, shown).items() if key.startswith("r2.")}


def main(draws: int) -> None:
    """Run all of it; median, least and largest value over the draws that are done are written after every fit."""
    seeds, runs = list(range(FIRST, FIRST + draws)), {}
    record = Record("gpvae_missing", QUESTION, seeds, arguments=[draws])
    for seed in seeds:
        for name, found in measured(seed):
            print(seed, name, {key: round(value, 3) for key, value in found.items()}, flush=True)
            runs.setdefault(name, []).append(found)
            figures = {f"{word}.{key}": v for word, of in runs.items() for key, v in over_draws(of).items()}
            record.write(figures, draws={word: len(of) for word, of in runs.items()})


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
