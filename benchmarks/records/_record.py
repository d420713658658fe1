"""How the scripts beside this file write a record: what was asked, by which line, where, and how long it took."""

import datetime
import os
import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neurolatent.recipe.folder import to_json
from neurolatent.result.build import versions

HERE = Path(__file__).parent


class Record:
    """The record NAME.json, begun when this is made; it may be written again whenever there is more to say."""

    def __init__(
        self, name: str, question: str, seed: Any, *, arguments: Sequence[object] = (), script: str = ""
    ) -> None:
        line = ["python", f"benchmarks/records/{script or name}.py", *map(str, arguments)]
        self.path = HERE / f"{name}.json"
        self.told = {"question": question, "command": " ".join(line), "seed": seed}
        self.told |= {"date": datetime.date.today().isoformat(), "commit": _commit(), "machine": _machine()}
        self.begin = time.perf_counter()

    def write(self, figures: Mapping[str, Any], *, indent: int | None = 1, **more: Any) -> None:
        """Put what is known so far in the place of the file; without an indent in one line."""
        facts = {**self.told, "seconds": round(time.perf_counter() - self.begin, 1), "versions": versions()}
        temporary = self.path.with_suffix(".tmp")
        temporary.write_text(to_json({**facts, "figures": dict(figures), **more}, indent=indent) + "\n", "utf-8")
        temporary.replace(self.path)


def over_draws(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Median, least and largest of each figure."""
    kinds = {"median": np.median, "least": np.min, "largest": np.max}
    names = [(name, kind) for name in runs[0] for kind in kinds]
    return {f"{name}.{kind}": round(float(kinds[kind]([run[name] for run in runs])), 4) for name, kind in names}


def _commit() -> str:
    told = subprocess.run(["git", "rev-parse", "HEAD"], cwd=HERE, capture_output=True, text=True, check=False)
    return told.stdout[:10]


def _machine() -> str:
    return f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}"
