"""Do the intervals of a prognosis hold on engines that no part of it has seen?

The figures that a run prints for held-out units come from stacking: the read-outs behind the *other* units' answers
have seen the unit that is asked. Here nothing has: each fifth of the engines of FD001 is left out, the whole prognosis
is learned from the rest (with folds of its own), and the engines left out are asked at random rows. Three seeds
change folds, cuts and trees. Writes rul_nested.json beside this script.

Run: ``python benchmarks/records/rul_nested.py`` with NEUROLATENT_DATA set (about twenty minutes on two cores).
"""

import json

import numpy as np
from _record import HERE, Record

from neurolatent.fitting import fit
from neurolatent.prognostics.measures import Measured, line_figures
from neurolatent.prognostics.out_of_fold import random_rows
from neurolatent.prognostics.prognosis import FUSION, WITHOUT_STATES, prognose
from neurolatent.prognostics.readout import lives_of
from neurolatent.prognostics.row import Told, tell
from neurolatent.prognostics.view import look
from neurolatent.recipe import parts_of, read_recipe
from neurolatent.recipe.lives import ahead_of
from neurolatent.recording import Knowledge

QUESTION = "do the intervals of a prognosis hold on engines that no part of it has seen?"
SEEDS = (0, 1, 2)
SHOWN = ("rmse", "rmse_capped125", "crps", "coverage50", "coverage80", "coverage90", "late_bound")


def measured(seed: int) -> Measured:
    """All engines, each asked by a prognosis that has never seen it."""
    recipe = read_recipe(HERE.parents[1] / "models" / "rul_fd001.toml")
    parts, ahead = parts_of(recipe), ahead_of(recipe.section("prognosis"), "rul_fd001")
    told, left, unit = {name: [] for name in (FUSION, WITHOUT_STATES, "boosted_trees")}, [], []
    for number, (train, held) in enumerate(parts.recording.folds(5, seed=seed)):
        fitted = fit(parts.model, train, parts.steps, parts.engine, seed)
        prognosis = prognose(fitted, train, ahead.settings, seed=seed)
        view = look(fitted, held.with_knowledge(Knowledge())).view
        rows, owner = random_rows(view, ahead.settings, ahead.settings.cuts, np.random.default_rng(seed))
        answers = prognosis.answers(held, view, rows)
        for name, parts_told in told.items():
            parts_told.append(tell(prognosis.rows[name], answers))
        left.append(lives_of(view, np.inf).left[rows])
        unit.append(owner + 1000 * number)
    joined = {
        name: Told(*(np.concatenate(leaves) for leaves in zip(*found, strict=True))) for name, found in told.items()
    }
    lives = np.concatenate(left)
    return Measured(joined, lives, np.concatenate(unit), np.full(len(lives), np.nan), 125.0)


def main() -> None:
    """Measure under every seed and write the record."""
    record = Record("rul_nested", QUESTION, list(SEEDS))
    runs = [measured(seed) for seed in SEEDS]
    figures = {}
    for name in runs[0].told:
        found = [line_figures(run, name) for run in runs]
        wanted = [key for key in found[0] if key.startswith(SHOWN)]
        for key in wanted:
            values = [f[key] for f in found]
            figures[f"{name}.{key}.mean"] = round(float(np.mean(values)), 4)
            figures[f"{name}.{key}.sd"] = round(float(np.std(values, ddof=1)), 4)
    record.write(figures)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
