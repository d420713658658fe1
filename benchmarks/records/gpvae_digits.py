"""Do shared and private latents of spikes and images come back, with the defaults, on five draws of the simulation?

Case 8.2 of the method's specification (Gondur et al., 2024, reduced): 80 trials to learn from, 20 to measure on, for
five seeds that served for nothing else; rate and number of epochs were chosen by the held-out bound on seeds 102 and
103. Beside each figure of the behaviour latent stands what the best function of a single image could tell of it there:
an image shows the size of that latent, not its sign.

Writes, beside this script, gpvae_digits.json.

Run: ``python benchmarks/records/gpvae_digits.py [DRAWS]``.
"""

import sys

import numpy as np
from _record import Record, over_draws

import neurolatent as nl
from neurolatent.models.gpvae.synthetic import digits_case
from neurolatent.ops.alignment import affine
from neurolatent.ops.decoding import r_squared
from neurolatent.recipe.latents import trial_figures
from neurolatent.recording import Recording

QUESTION = "do shared and private latents of spikes and images come back, with the defaults?"
FIRST, TRAINED, VARIANCE = 1, 80, 0.8
EACH = ("r2.", "coverage95.", "lengthscale.", "told_by_an_image", "share_of_oracle")  # written for each draw, too


def told_by_an_image(train: Recording, test: Recording) -> float:
    """R2 of the third latent by E[g | |g|], scaled on training trials: no function of one image tells more of it."""
    true = [r.signal("latents").values[:, 2:] for r in (train, test)]
    best = [np.abs(g) * np.tanh(np.abs(g) / VARIANCE) for g in true]
    return float(r_squared(true[1], affine(best[0], true[0]).moved(best[1]))[0])


def measured(seed: int) -> dict[str, float]:
    """Figures of one draw."""
    made = digits_case(seed)
    train, test = made.take(made.ids[:TRAINED]), made.take(made.ids[TRAINED:])
    fit = nl.fit(nl.GPVAE(n_neural=1, n_shared=1, n_behaviour=1), train, seed=0)
    figures = trial_figures(fit, train, test)
    figures["told_by_an_image"] = told_by_an_image(train, test)
    figures["share_of_oracle"] = figures["bits_per_spike"] / figures["oracle.bits_per_spike"]
    print(seed, {k: round(v, 3) for k, v in figures.items() if k.startswith(("r2.", "told", "share"))}, flush=True)
    return figures


def main(draws: int) -> None:
    """Run all of it; median, least and largest value over the draws that are done are written after each."""
    seeds, runs = list(range(FIRST, FIRST + draws)), []
    record = Record("gpvae_digits", QUESTION, seeds, arguments=[draws])
    for seed in seeds:
        runs.append(measured(seed))
        each = [{name: round(v, 4) for name, v in run.items() if name.startswith(EACH)} for run in runs]
        record.write(over_draws(runs), draws=len(runs), each=each)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
