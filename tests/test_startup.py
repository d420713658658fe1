"""Start-up stays light: what is slow to import waits until it is used. Nothing here is timed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import neurolatent

REPOSITORY = Path(__file__).parents[1]
HEAVY = {"arviz_base", "arviz_stats", "jax", "matplotlib", "numpyro", "pandas", "scipy", "sklearn", "xarray"}


def loaded_by(code: str) -> set[str]:
    """Heavy libraries in a fresh Python after running the code."""
    script = f"import sys\n{code}\nprint(*sorted(set(sys.modules) & {HEAVY!r}), file=sys.stderr)"
    run = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return set(run.stderr.split())


def test_import_loads_nothing_heavy():
    assert loaded_by("import neurolatent; neurolatent.__version__; dir(neurolatent)") == set()


@pytest.mark.parametrize("arguments", [["--help"], ["fit", "--help"]])
def test_help_loads_nothing_heavy(arguments):
    code = f"""
from neurolatent.cli import main
sys.argv = ["neurolatent", *{arguments!r}]
try:
    status = main()
except SystemExit as stop:
    status = stop.code
assert not status, status
"""
    assert loaded_by(code) == set()


def test_heavy_library_is_seen_when_loaded():
    assert "jax" in loaded_by("import jax")


@pytest.mark.parametrize("name", neurolatent.__all__)
def test_public_name_is_there(name):
    assert getattr(neurolatent, name) is not None
    assert name in dir(neurolatent)


def test_public_names_are_few_and_told_to_the_type_checker():
    tree = ast.parse(Path(neurolatent.__file__).read_text("utf-8"))
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and "neurolatent" in str(node.module)]
    told = [alias.name for node in froms for alias in node.names]
    assert sorted(told) == sorted(neurolatent.__all__)
    assert len(neurolatent.__all__) <= 40


def test_no_module_hides_a_public_name():
    modules = {path.stem for path in Path(neurolatent.__file__).parent.iterdir()} - {"__init__"}
    assert not modules & set(neurolatent.__all__)


def test_unknown_name_is_refused():
    with pytest.raises(AttributeError, match="has no attribute 'fitt'"):
        _ = neurolatent.fitt
