"""Do labels help the ARPHMM as published? Records E1, E2 and E4: figures and one picture each.

Runs the sweeps of models/arphmm_e1.toml, arphmm_e2.toml and arphmm_e4.toml whole (some minutes on two
cores) and writes, beside this script, NAME.json (mean and standard deviation over seeds at every point of the grid,
with seeds, date, machine and versions) and NAME.png.

Run: ``python benchmarks/records/arphmm_experiments.py [NAME ...]``.
"""

import datetime
import json
import platform
import sys
import time
from pathlib import Path

from neurolatent.plots.sweep import save_sweep
from neurolatent.recipe import read_recipe, run_sweep
from neurolatent.result.build import versions

HERE = Path(__file__).parent
NAMES = ("arphmm_e1", "arphmm_e2", "arphmm_e4")


def record(name: str) -> None:
    """Run one sweep and write its figures and its picture."""
    begin = time.perf_counter()
    recipe = read_recipe(HERE.parents[1] / "models" / f"{name}.toml")
    grids = recipe.section("sweep")
    sweep = run_sweep(recipe, grids)
    save_sweep(sweep, HERE / f"{name}.png")
    facts = {
        "command": f"python benchmarks/records/arphmm_experiments.py {name}",
        "grid": grids,
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.machine()}, {platform.system()}",
        "seconds": round(time.perf_counter() - begin, 1),
        "versions": versions(),
        "figures": {key: round(value, 4) for key, value in sweep.summary().items()},
    }
    (HERE / f"{name}.json").write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
    print(f"{name}: {len(sweep.points)} fits, {facts['seconds']} s")


if __name__ == "__main__":
    for chosen in sys.argv[1:] or NAMES:
        record(chosen)
