"""Imports go only downwards, without a circle, and each library is imported only where it belongs."""

import ast
import graphlib
import sys
from pathlib import Path

import pytest

ROOT = "neurolatent"
PACKAGE = Path(__file__).parents[1] / ROOT

# From top to bottom. A module may import from its own room and from the rooms below it.
ROOMS = (
    *(
        "__main__",
        "cli",
        "report",
        "recipe",
        "plots",
        "prognostics",
        "validation",
        "comparison",
        "baselines",
        "diagnostics",
        "fitting",
        "engines",
    ),
    *(
        "result",
        "choices",
        "models",
        "ops",
        "loaders",
        "preparation",
        "recording",
        "compiling",
        "precision",
        "locate",
        "checks",
        "_version",
    ),
)

# Where a library may be imported: these modules and all below them.
ARVIZ = ("result", "diagnostics", "comparison", "plots")
HOMES = {
    "arviz": ARVIZ,
    "arviz_base": ARVIZ,
    "arviz_plots": ARVIZ,
    "arviz_stats": ARVIZ,
    "jinja2": ("report",),
    "matplotlib": ("plots",),
    "rich": ("cli", "engines.runner"),
    "typer": ("cli", "engines.runner"),
}
IN_OPS = {"jax", "jaxtyping", "numpy", "scipy", *sys.stdlib_module_names}


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def read_package() -> dict[str, str]:
    return {module_name(path): path.read_text("utf-8") for path in sorted(PACKAGE.rglob("*.py"))}


def is_within(module: str, place: str) -> bool:
    return module == place or module.startswith(place + ".")


def imported(module: str, sources: dict[str, str]) -> list[str]:
    """Each module that the source names in an import, wherever the import stands; relative ones begin with a dot."""
    found = []
    for node in ast.walk(ast.parse(sources[module])):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            inner = [f"{base}.{alias.name}" for alias in node.names]
            found += [name if name in sources else base for name in inner]
    return list(dict.fromkeys(found))


def room(module: str) -> str:
    return module.split(".")[1]


def is_above(target: str, module: str) -> bool:
    both = room(target), room(module)
    return set(both) <= set(ROOMS) and ROOMS.index(both[0]) < ROOMS.index(both[1])


def arrow_faults(sources: dict[str, str]) -> list[str]:
    """Modules without a room, folders that are no packages, relative imports, imports from the root, arrows up."""
    inside = [module for module in sources if module != ROOT]
    faults = [f"{module} is in no room of ROOMS" for module in inside if room(module) not in ROOMS]
    bare = {module.rpartition(".")[0] for module in inside} - set(sources)
    faults += [f"{folder} has no __init__.py and would not be installed" for folder in sorted(bare)]
    for module in inside:
        for target in imported(module, sources):
            if target.startswith("."):
                faults.append(f"{module} imports {target}: write the full name of the module")
            elif target == ROOT:
                faults.append(f"{module} imports from the package root: name the module instead")
            elif is_within(target, ROOT) and is_above(target, module):
                faults.append(f"{module} imports {target}, which stands above it")
    return faults


def circle_faults(sources: dict[str, str]) -> list[str]:
    graph = {
        module: {target for target in imported(module, sources) if target in sources and target != ROOT} - {module}
        for module in sources
        if module != ROOT
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return ["circle: " + " <- ".join(error.args[1])]
    return []


def library_faults(sources: dict[str, str]) -> list[str]:
    """Libraries outside their homes, and anything in ops but array libraries and ops itself."""
    faults = []
    for module in sources:
        for target in imported(module, sources):
            library = target.split(".")[0]
            homes = HOMES.get(library)
            if homes and not any(is_within(module, f"{ROOT}.{home}") for home in homes):
                faults.append(f"{module} imports {library}, which belongs in {', '.join(homes)}")
            in_ops = is_within(module, f"{ROOT}.ops")
            if in_ops and library not in IN_OPS and not is_within(target, f"{ROOT}.ops"):
                faults.append(f"{module} imports {target}, but ops is mathematics on arrays alone")
    return faults


def sibling_faults(sources: dict[str, str]) -> list[str]:
    """Models that look into another model: what two of them need stands in a room below, or beside them."""
    models = [module.removesuffix(".model") for module in sources if module.endswith(".model")]
    return [
        f"{module} looks into {other}"
        for own in models
        for module in sources
        if is_within(module, own)
        for target in imported(module, sources)
        for other in models
        if other != own and is_within(target, other)
    ]


@pytest.mark.parametrize("faults", [arrow_faults, circle_faults, library_faults, sibling_faults])
def test_package_keeps_the_law(faults):
    assert faults(read_package()) == []


CLEAN = {
    "neurolatent": "from neurolatent.fitting import fit",
    "neurolatent.fitting": "import jax\nfrom neurolatent.models import arphmm\nfrom neurolatent import checks",
    "neurolatent.checks": "import difflib",
    "neurolatent.models": "from neurolatent.models.arphmm import ARPHMM",
    "neurolatent.models.arphmm": "from neurolatent.models.protocols import Model\nfrom neurolatent.ops import hmm",
    "neurolatent.models.arphmm.model": "from neurolatent.models.arphmm import ARPHMM",
    "neurolatent.models.dkf": "",
    "neurolatent.models.dkf.model": "from neurolatent.models.protocols import Model",
    "neurolatent.models.protocols": "from typing import Protocol",
    "neurolatent.ops": "",
    "neurolatent.ops.hmm": "import functools\nimport jax.numpy as jnp\nfrom neurolatent.ops.scan import run",
    "neurolatent.ops.scan": "from jax import lax",
    "neurolatent.plots": "",
    "neurolatent.plots.states": "import matplotlib.pyplot as plt",
}

PLANTED = [
    (arrow_faults, "checks", "from neurolatent.fitting import fit", "checks imports neurolatent.fitting"),
    (arrow_faults, "checks", "def f():\n    import neurolatent.ops.hmm", "checks imports neurolatent.ops.hmm"),
    (
        arrow_faults,
        "checks",
        "if TYPE_CHECKING:\n    from neurolatent.models import ARPHMM",
        "checks imports neurolatent.models",
    ),
    (arrow_faults, "models.arphmm", "from neurolatent import fitting", "models.arphmm imports neurolatent.fitting"),
    (arrow_faults, "models.arphmm", "from ..ops import hmm", "models.arphmm imports ..ops"),
    (arrow_faults, "checks", "from neurolatent import fit", "from the package root"),
    (arrow_faults, "checks", "import neurolatent as nl", "from the package root"),
    (arrow_faults, "utils", "", "utils is in no room"),
    (arrow_faults, "engines.em", "", "engines has no __init__.py"),
    (circle_faults, "ops.scan", "from neurolatent.ops import hmm", "circle: "),
    (circle_faults, "models.protocols", "def f():\n    from neurolatent.models import ARPHMM", "circle: "),
    (sibling_faults, "models.dkf.data", "from neurolatent.models.arphmm.data import pad", "looks into"),
    (
        sibling_faults,
        "models.dkf.model",
        "def f():\n    from neurolatent.models import arphmm",
        "models.dkf.model looks",
    ),
    (library_faults, "fitting", "import arviz_base as azb", "fitting imports arviz_base"),
    (library_faults, "fitting", "from matplotlib import pyplot", "fitting imports matplotlib"),
    (library_faults, "models.arphmm", "def f():\n    from rich.table import Table", "models.arphmm imports rich"),
    (library_faults, "engines.em", "import rich", "engines.em imports rich"),
    (library_faults, "ops.scan", "import pandas", "ops.scan imports pandas"),
    (library_faults, "ops.scan", "from neurolatent.checks import close", "ops.scan imports neurolatent.checks"),
]


def test_checker_passes_a_clean_package():
    assert [
        fault for faults in (arrow_faults, circle_faults, library_faults, sibling_faults) for fault in faults(CLEAN)
    ] == []


@pytest.mark.parametrize(("faults", "module", "source", "message"), PLANTED)
def test_checker_catches_a_planted_fault(faults, module, source, message):
    found = faults({**CLEAN, f"neurolatent.{module}": source})
    assert any(message in fault for fault in found), found
