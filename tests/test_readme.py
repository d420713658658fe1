"""What the README says of models and engines is so, its links lead somewhere, and its example of clusters runs."""

import re
from pathlib import Path

import numpy as np
import pytest

import neurolatent as nl
from neurolatent.choices import EM, NUTS, SVI, Gibbs, MinibatchVI, TwoStage
from neurolatent.fitting import DEFAULT_ENGINES
from neurolatent.models.protocols import HasBound, HasDensity, HasEMStep, HasGibbs, HasTwoStages
from neurolatent.recipe.plan import ENGINES

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text("utf-8")
NEEDS = {
    EM: HasEMStep,
    NUTS: HasDensity,
    SVI: HasDensity,
    MinibatchVI: HasBound,
    Gibbs: HasGibbs,
    TwoStage: HasTwoStages,
}
MODELS = {
    "ARPHMM": nl.ARPHMM(n_states=2),
    "BiClustering": nl.BiClustering(),
    "DKF": nl.DKF(target="velocity"),
    "GPVAE": nl.GPVAE(n_shared=1),
    "HMMGLM": nl.HMMGLM(n_states=2),
    "PVRNN": nl.PVRNN(),
}


def named(cell: str) -> list[str]:
    return re.findall(r"`(\w+)`", cell)


def rows() -> dict[str, str]:
    """The cell of the engines by the first model of each row."""
    lines = [line.split("|") for line in TEXT.splitlines() if line.startswith("| `")]
    return {named(cells[1])[0]: cells[3] for cells in lines if len(cells) == 6}


def test_every_model_stands_in_the_table_with_the_engines_that_fit_it():
    assert sorted(rows()) == sorted(MODELS)
    for name, cell in rows().items():
        model = MODELS[name]
        fitting = {engine.__name__ for engine, needed in NEEDS.items() if isinstance(model, needed)}
        assert set(named(cell)) == fitting, name
        assert named(cell)[0] == type(DEFAULT_ENGINES[type(model)](model)).__name__


def test_every_engine_is_named_among_the_nouns():
    line = next(line for line in TEXT.splitlines() if line.startswith("| engine |"))
    assert sorted(named(line)) == sorted(engine.__name__ for engine in ENGINES.values())


def test_links_lead_to_files():
    links = re.findall(r"\]\(([^)#]+)", TEXT)
    assert len(links) > 15
    assert [link for link in links if "://" not in link and not (ROOT / link).is_file()] == []


@pytest.mark.slow
def test_the_example_of_clusters_runs(monkeypatch):
    """As it stands there, but for the number of sweeps."""
    monkeypatch.setattr(nl, "Gibbs", lambda **_: Gibbs(chains=2, warmup=10, draws=10, keep=10))
    code = TEXT.split("Clusters of neurons and states of time:")[1].split("```")[1].removeprefix("python\n")
    told = {"counts": np.random.default_rng(0).poisson(2.0, (40, 6))}
    exec(compile(code, "README.md", "exec"), told)
    assert told["neurons"].partition.shape == (6,)
    assert told["bins"].together.shape == (40, 40)
