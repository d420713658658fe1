"""Do labels help the ARPHMM as published? Records E1, E2 and E4: figures and one picture each.

Runs the sweeps of models/arphmm_e1.toml, arphmm_e2.toml and arphmm_e4.toml whole (some minutes on two
cores) and writes, beside this script, NAME.json (mean and standard deviation over seeds at every point of the grid,
with seeds, date, machine and versions) and NAME.png.

Run: ``python benchmarks/records/arphmm_experiments.py [NAME ...]``.
"""

import sys

from _record import HERE, Record

from neurolatent.plots.sweep import save_sweep
from neurolatent.recipe import read_recipe, run_sweep

QUESTION = "do labels help the ARPHMM as published?"
NAMES = ("arphmm_e1", "arphmm_e2", "arphmm_e4")


def record(name: str) -> None:
    """Run one sweep and write its figures and its picture."""
    recipe = read_recipe(HERE.parents[1] / "models" / f"{name}.toml")
    grids = recipe.section("sweep")
    told = Record(name, QUESTION, grids.get("seed"), arguments=[name], script="arphmm_experiments")
    sweep = run_sweep(recipe, grids)
    save_sweep(sweep, HERE / f"{name}.png")
    told.write({key: round(value, 4) for key, value in sweep.summary().items()}, grid=grids)
    print(f"{name}: {len(sweep.points)} fits")


if __name__ == "__main__":
    for chosen in sys.argv[1:] or NAMES:
        record(chosen)
