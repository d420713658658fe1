"""E1, E2 and E4 of the published experiments, on fewer seeds: the curves go the way that the papers say."""

from pathlib import Path

import numpy as np
import pytest

from neurolatent.recipe import read_recipe, run_sweep

MODELS = Path(__file__).parents[1] / "models"
AGREEMENT = "states.agreement"

pytestmark = pytest.mark.slow


def test_e1_agreement_falls_and_spreads_as_labels_say_less():
    grid = {
        "data.knowledge.labels.nu": [0.0, 0.5, 0.9, 1.0],
        "data.simulate.length": [100, 300],
        "seed": list(range(12)),
    }
    _, series = run_sweep(read_recipe(MODELS / "arphmm_e1.toml"), grid).series(AGREEMENT)
    short, long = series["length 100"], series["length 300"]
    mean, spread = short.mean(axis=0), short.std(axis=0)
    assert mean[0] > mean[-1] + 0.05  # supervised against unsupervised
    assert mean[0] >= mean[1] - 0.03  # gracefully: the middle lies between the ends
    assert mean[1] >= mean[-1] - 0.03
    assert spread[-1] > spread[0]
    assert spread[2] <= spread[3] + 0.01  # nu = .9 still reduces the spread
    assert long.mean(axis=0)[0] - long.mean(axis=0)[-1] < mean[0] - mean[-1]  # smaller with 300 steps


def test_e2_soft_labels_never_fall_below_none_and_hard_ones_go_to_zero():
    grid = {
        "data.knowledge.noisy_labels.error": [0.0, 0.5, 0.8, 1.0],
        "data.knowledge.noisy_labels.use": ["soft", "hard", "none"],
        "seed": list(range(12)),
    }
    _, series = run_sweep(read_recipe(MODELS / "arphmm_e2.toml"), grid).series(AGREEMENT)
    soft, hard, none = (series[f"use {use}"].mean(axis=0) for use in ("soft", "hard", "none"))
    assert (soft >= none - 0.03).all()
    assert soft[1] > none[1]
    assert abs(hard[-1]) < 0.15
    assert hard[-1] < none[-1]
    np.testing.assert_allclose(soft[-1], none[-1], atol=0.05)  # an error of one says nothing


def test_e4_agreement_rises_with_the_share_of_labels():
    grid = {"data.knowledge.labels.share": [0.0, 0.25, 1.0], "data.simulate.sequences": [1, 10], "seed": list(range(4))}
    sweep = run_sweep(read_recipe(MODELS / "arphmm_e4.toml"), grid)
    _, series = sweep.series(AGREEMENT)
    for mean in (series["sequences 1"].mean(axis=0), series["sequences 10"].mean(axis=0)):
        assert mean[0] < mean[1] + 0.02 < mean[2] + 0.04
        assert mean[2] > mean[0] + 0.05
    gain = {name: values.mean(axis=0)[-1] - values.mean(axis=0)[0] for name, values in series.items()}
    assert gain["sequences 1"] > gain["sequences 10"]  # labels help most where data are few
    assert all(point["forecast.rmse"] > 0 for point in sweep.figures)
