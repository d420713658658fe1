"""Every notebook runs from its own folder, as the docs run it."""

from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.py"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_runs(path, monkeypatch):
    import jupytext
    import nbclient

    monkeypatch.delenv("MPLBACKEND")  # set for the tests; the kernel chooses one that shows figures
    notebook = jupytext.read(path)
    assert len([c for c in notebook.cells if c.cell_type == "code"]) <= 15
    client = nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(path.parent)}})
    client.execute()
    outputs = [o for cell in notebook.cells if cell.cell_type == "code" for o in cell.outputs]
    assert any("image/png" in o.get("data", {}) for o in outputs), "a notebook shows at least one figure"


def test_there_is_a_notebook():
    assert [p.stem for p in NOTEBOOKS] == [
        "bicluster_population",
        "decode_movement",
        "first_fit",
        "maintenance_list",
        "shared_latents",
        "strategies",
        "temporal_patterns",
    ]
