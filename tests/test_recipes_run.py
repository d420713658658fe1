"""Every published recipe runs from end to end through the command line, and its figures are what it expects."""

import json
from pathlib import Path

import pytest

from neurolatent import cli
from tests.small_fleet import read_toml

MODELS = Path(__file__).parents[1] / "models"
RECIPES = sorted(MODELS.glob("*.toml"))
LONG = {
    "biclustering_allen",
    "biclustering_sim",
    "dkf_turning",
    "gpvae_digits",
    "gpvae_full",
    "gpvae_linear_track",
    "hmmglm_linear_track",
    "hmmglm_sim",
    "pvrnn_arm",
    "pvrnn_primitives",
    "rul_fd002",
    "rul_fd003",
    "rul_fd004",
}  # run by hand, their figures are on the cards
SMALLER = {  # sweeps, reduced to a corner of their grid
    "arphmm_e1": ("data.knowledge.labels.nu=0.0,1.0", "data.simulate.length=100", "seed=0,1"),
    "arphmm_e2": ("data.knowledge.noisy_labels.error=0.2,0.8", "data.knowledge.noisy_labels.use=soft,hard", "seed=0"),
    "pvrnn_fsm_sweep": ("model.w=0.01,0.1", "seed=0,1", "engine.epochs=300"),
    "pvrnn_w_sweep": ("model.w=0.0001,1.0", "seed=0", "engine.epochs=100", "data.simulate.steps=24"),
    "arphmm_e4": ("data.knowledge.labels.share=0.0,1.0", "data.simulate.sequences=1,10", "seed=0"),
}


def run(path: Path, folder: Path, capsys) -> tuple[int, dict]:
    over = [word for grid in SMALLER.get(path.stem, ()) for word in ("--over", grid)]
    capsys.readouterr()
    status = cli.run(["fit", str(path), "--out", str(folder), "--json", "--no-cache", *over])
    return status, json.loads(capsys.readouterr().out)


@pytest.mark.slow
@pytest.mark.parametrize("path", [p for p in RECIPES if p.stem not in LONG], ids=lambda p: p.stem)
def test_recipe_runs_to_its_expected_figures(path, tmp_path, capsys, request):
    if "data:" in path.read_text():
        request.getfixturevalue("real_data")
    status, got = run(path, tmp_path / "run", capsys)
    assert "error" not in got
    assert [row for row in got.get("expectations", []) if not row["met"]] == []
    assert status == cli.DONE
    assert all(Path(place).stat().st_size > 0 for place in got["paths"].values())


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_recipe_has_a_card_and_says_how_it_is_reduced(path):
    tables = read_toml(path)
    assert (MODELS / tables["card"]).is_file()
    assert ("sweep" in tables) == (path.stem in SMALLER)


@pytest.mark.slow
def test_labels_help_and_wrong_ones_harm_less_when_doubted(tmp_path, capsys):
    _, e1 = run(MODELS / "arphmm_e1.toml", tmp_path / "e1", capsys)
    figures = e1["figures"]
    assert (
        figures["states.agreement@nu=0.0,length=100.mean"] > figures["states.agreement@nu=1.0,length=100.mean"] - 0.05
    )
    _, e2 = run(MODELS / "arphmm_e2.toml", tmp_path / "e2", capsys)
    soft, hard = (e2["figures"][f"states.agreement@error=0.8,use={use}.mean"] for use in ("soft", "hard"))
    assert soft > hard
