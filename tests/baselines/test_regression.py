"""Plain regressions against scikit-learn."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge as PeerRidge

from neurolatent.baselines.regression import BoostedTrees, Constant, Ridge
from neurolatent.checks import InputError


def table(seed: int = 0, rows: int = 400) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 5)) * [1.0, 100.0, 0.01, 1.0, 1.0] + [0.0, 5.0, 3.0, 0.0, 0.0]
    y = np.sin(x[:, 0]) + 0.01 * x[:, 1] + rng.normal(size=rows) * 0.1
    x[rng.random(x.shape) < 0.1] = np.nan
    return x, y


def test_trees_answer_as_scikit_learn_does_on_new_rows():
    (x, y), (new, _) = table(), table(1)
    settings = BoostedTrees(trees=30, leaves=12, least_rows=5, rate=0.05)
    peer = HistGradientBoostingRegressor(
        max_iter=30, max_leaf_nodes=12, min_samples_leaf=5, learning_rate=0.05, max_features=0.3,
        l2_regularization=1.0, early_stopping=False, random_state=7,
    ).fit(x, y)  # fmt: skip
    learned = settings.learn(x, y, seed=7)
    np.testing.assert_allclose(settings.predict(new, learned), peer.predict(new), rtol=1e-12)


def test_trees_take_columns_that_never_change_or_were_never_seen():
    x, y = table()
    x = np.concatenate([x, np.full((len(x), 1), np.nan), np.ones((len(x), 1))], axis=1)
    settings = BoostedTrees(trees=10)
    assert np.isfinite(settings.predict(x, settings.learn(x, y, seed=0))).all()


def test_ridge_is_that_of_scikit_learn_on_standardised_features():
    x, y = table()
    full = np.where(np.isnan(x), np.nanmean(x, axis=0), x)
    centre, sd = full.mean(axis=0), full.std(axis=0)
    peer = PeerRidge(alpha=0.5 * len(y)).fit((full - centre) / sd, y)
    settings = Ridge(penalty=0.5)
    learned = settings.learn(full, y, seed=0)
    np.testing.assert_allclose(settings.predict(full, learned), peer.predict((full - centre) / sd), rtol=1e-9)


def test_ridge_leaves_out_what_never_changes_and_takes_missing_for_the_mean():
    x, y = table()
    x = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    learned = Ridge().learn(x, y, seed=0)
    assert learned["weight"][5] == 0.0
    blank = np.full((1, 6), np.nan)
    assert Ridge().predict(blank, learned)[0] == pytest.approx(y.mean())


def test_constant_is_the_mean():
    x, y = table()
    assert Constant().predict(x[:3], Constant().learn(x, y, seed=0)).tolist() == [y.mean()] * 3


@pytest.mark.parametrize("settings", [BoostedTrees(trees=20), Ridge(), Constant()])
def test_no_row_changes_with_its_neighbours(settings):
    x, y = table()
    learned = settings.learn(x, y, seed=0)
    np.testing.assert_array_equal(settings.predict(x[7:8], learned), settings.predict(x, learned)[7:8])


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(InputError, match="leaves must be a whole number of at least 2, got 1"):
        BoostedTrees(leaves=1)
    with pytest.raises(InputError, match="penalty must be at least 0"):
        Ridge(penalty=-1)
