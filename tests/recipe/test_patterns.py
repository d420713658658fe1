"""Recipes of temporal patterns: figures by their names, and sweeps that train side by side."""

import numpy as np
import pytest

import neurolatent as nl
from neurolatent.fitting import fit_beside
from neurolatent.models.pvrnn import PVRNN, Layer, Symbols
from neurolatent.models.pvrnn.synthetic import MACHINE, branching_case, fsm_case, primitives_case, sway_case, symbols
from neurolatent.recipe.read import Recipe
from neurolatent.recipe.run import fitted_beside, run_recipe, run_sweep
from tests.models.pvrnn.recordings import ENGINE

MODEL = {
    "name": "pvrnn",
    "layers": [{"units": 5, "latent": 1, "tau": 2}],
    "likelihood": {"kind": "symbols", "count": 3},
    "recognition": {"whole": 5},
}
QUICK = {
    "name": "minibatch_vi",
    "epochs": 6,
    "batch": "none",
    "learning_rate": 1e-2,
    "final_rate": 1e-2,
    "clip": "none",
    "validation": 0.0,
}


def recipe(tmp_path, **sections) -> Recipe:
    table = {"data": {"simulate": {"name": "fsm", "sequences": 4}}, "model": MODEL, "engine": QUICK}
    return Recipe("patterns", {**table, **sections}, tmp_path)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    test = {"simulate": {"name": "fsm", "seed": 7, "sequences": 3}}
    return run_recipe(recipe(tmp_path_factory.mktemp("recipe"), test=test))


def test_figures_have_the_names_of_the_issue(outcome):
    wanted = ("loss", "rec", "kl.1", "beta.1", "decode.accuracy", "transition.b_to_c", "illegal_share", "ngram6")
    assert set(wanted) <= set(outcome.figures)
    assert all(np.isfinite(outcome.figures[name]) for name in wanted)
    assert outcome.figures["ngram6.floor"] < 0.01
    assert {"test.loss", "test.rec", "test.kl.1", "test.elbo"} <= set(outcome.figures)
    trace = outcome.fit.idata["trace"]
    assert outcome.figures["loss"] == pytest.approx(-trace["objective"].values[0, -1])


def test_a_sweep_over_the_meta_prior_trains_side_by_side(tmp_path):
    points = [recipe(tmp_path).with_values({"model.w": w, "seed": seed}) for w in (0.01, 0.1) for seed in (0, 1)]
    together = fitted_beside(points, quiet=True)
    alone = run_recipe(points[3]).fit
    assert [fit.seed for fit in together] == [0, 1, 0, 1]
    assert together[3].model == alone.model
    for name in ("objective", "rec", "kl.1"):
        got, want = (fit.idata["trace"][name].values for fit in (together[3], alone))
        np.testing.assert_allclose(got, want, rtol=1e-4)
    other = points[0].with_values({"engine.epochs": 7})
    assert fitted_beside([points[0], other], quiet=True) == [None, None]


def test_a_sweep_tells_medians(tmp_path):
    sweep = run_sweep(recipe(tmp_path), {"model.w": [0.01, 0.1], "seed": [0, 1]})
    rows, summary = sweep.table(), sweep.summary()
    assert rows["model.w"].tolist() == [0.01, 0.01, 0.1, 0.1]
    assert summary["kl.1@w=0.1.median"] == pytest.approx(rows["kl.1"][2:].median())


def test_models_that_differ_in_more_are_refused():
    models = [PVRNN((Layer(k, 1),), likelihood=Symbols(3)) for k in (3, 4)]
    with pytest.raises(ValueError, match="may differ only in the values"):
        fit_beside(models, fsm_case(0), engine=ENGINE, seeds=(0, 1))
    with pytest.raises(ValueError, match="one seed for each model"):
        fit_beside(models[:1], fsm_case(0), engine=ENGINE, seeds=(0, 1))


def test_the_machine_is_that_of_the_data_set(real_data):
    import pandas as pd

    table = pd.read_csv(real_data / "pvrnn_fsm" / "fsm.csv")
    for split, seed, count in (("train", 0, 10), ("test", 7, 40)):
        words = [
            ["ABC"[k] for k in row] for row in fsm_case(seed, sequences=count).signal("symbol").values.reshape(-1, 24)
        ]
        assert ["".join(w) for w in words] == table[table["split"] == split]["symbols"].tolist()


def test_simulated_patterns_are_what_they_say():
    string = symbols(np.random.default_rng(0), 20_000)
    assert MACHINE[string[:-1], string[1:]].min() > 0
    assert abs((string[1:][string[:-1] == 1] == 2).mean() - 0.3) < 0.02
    paths = branching_case(0, sequences=10).signal("position").values.reshape(10, 30, 2)
    side = np.sign(paths[:, -1, 0] - paths[:, -1, 1])
    assert side.tolist() == [-1, 1] * 5
    assert np.abs(paths[::2, :10].mean(axis=0) - paths[1::2, :10].mean(axis=0)).max() < 0.02
    curves = primitives_case(0, sequences=2)
    assert curves.lengths.tolist() == [144, 144]
    assert np.abs(curves.signal("position").values[::24]).max() < 1e-9  # every curve begins at the centre
    order = curves.signal("primitive").values[::24, 0].reshape(2, 6)
    assert (np.diff(order, axis=1) != 0).all()


def test_a_swaying_movement_repeats_itself_but_for_one_slow_direction():
    values = sway_case(0, sequences=2000, steps=48).signal("posture").values.reshape(2000, 48, 14)
    movement = values.mean(axis=0)
    np.testing.assert_allclose(movement[:24], movement[24:], atol=0.01)
    assert np.abs(movement).max() == pytest.approx(0.6, abs=0.01)
    sizes, way = np.linalg.svd((values - movement).reshape(-1, 14), full_matrices=False)[1:]
    assert sizes[1] < 0.05 * sizes[0]
    sway = (values - movement) @ way[0]
    assert sway.std() == pytest.approx(0.04 * np.sqrt(14), rel=0.03)
    assert np.mean(sway[:, 1:] * sway[:, :-1]) / sway.var() == pytest.approx(np.exp(-1 / 12), rel=0.01)


def test_a_recording_with_two_signals_needs_a_name():
    with pytest.raises(ValueError, match="which signal"):
        nl.fit(PVRNN(), primitives_case(0, sequences=2), engine=ENGINE)
