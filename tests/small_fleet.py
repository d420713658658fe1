"""A small fleet on disk: eight units that wear in two steps, a recipe for it, and ways to spoil both."""

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tomli_w

MODEL = {"name": "arphmm", "n_states": 2, "order": 1}


def table(units: int = 8, seed: int = 0, first: int = 1) -> pd.DataFrame:
    """One row per cycle: ``level`` sits near 0, after two thirds of the life near 3; ``other`` is noise."""
    rng, rows = np.random.default_rng(seed), []
    for unit in range(first, first + units):
        life = int(rng.integers(40, 60))
        worn = np.arange(life) >= 2 * life / 3
        level = 3.0 * worn + 0.3 * rng.normal(size=life)
        rows.append(pd.DataFrame({"unit": unit, "cycle": np.arange(1, life + 1), "level": level.round(4)}))
    return pd.concat(rows, ignore_index=True)


def running(units: int = 3, seed: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Units cut before their end, and the true remaining lives."""
    whole = table(units, seed, first=101)
    left = {unit: 5 + 6 * n for n, unit in enumerate(whole["unit"].unique())}
    last = whole.groupby("unit")["cycle"].transform("max") - whole["unit"].map(left)
    truth = pd.DataFrame({"unit": list(left), "remaining": list(left.values())})
    return whole[whole["cycle"] <= last].reset_index(drop=True), truth


def recipe(**sections: Any) -> dict[str, Any]:
    """The tables of a recipe; ``sections`` replace or add whole ones, None takes one away."""
    tables = {
        "seed": 0,
        "data": {
            "path": "fleet.csv",
            "sequence": "unit",
            "clock": "cycle",
            "clock_unit": "cycle",
            "failed": True,
            "signals": {"signal": ["level"]},
            "knowledge": {"start_end": {"n_start": 5, "n_end": 5}},
        },
        "model": dict(MODEL),
        "engine": {"name": "em"},
    }
    return {k: v for k, v in {**tables, **sections}.items() if v is not None}


def write(folder: Path, tables: dict[str, Any] | None = None, data: pd.DataFrame | None = None) -> Path:
    """``fleet.csv`` and ``recipe.toml`` in a folder; the path of the recipe."""
    (table() if data is None else data).to_csv(folder / "fleet.csv", index=False)
    path = folder / "recipe.toml"
    path.write_text(tomli_w.dumps(recipe() if tables is None else tables))
    return path


def write_running(folder: Path) -> tuple[Path, Path]:
    """``running.csv`` and ``remaining.csv`` in a folder."""
    data, truth = running()
    data.to_csv(folder / "running.csv", index=False)
    truth.to_csv(folder / "remaining.csv", index=False)
    return folder / "running.csv", folder / "remaining.csv"


def with_data(**options: Any) -> dict[str, Any]:
    """The recipe with options of [data] replaced or added."""
    tables = recipe()
    return {**tables, "data": {**tables["data"], **options}}


def read_toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text())
