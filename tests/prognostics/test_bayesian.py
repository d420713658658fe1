"""Posterior draws carried into remaining life: every read-out is averaged over them, and NUTS and SVI agree."""

import functools

import numpy as np
import pytest

from neurolatent.choices import NUTS, SVI
from neurolatent.fitting import fit
from neurolatent.models.arphmm import ARPHMM
from neurolatent.preparation import HealthIndicator
from neurolatent.prognostics.absorbing import AbsorptionTime
from neurolatent.prognostics.absorption import HORIZON, Absorption, life_by_place
from neurolatent.prognostics.crossing import Crossing
from neurolatent.prognostics.prognosis import Prognosis, prognose
from neurolatent.prognostics.readout import lives_of
from neurolatent.prognostics.settings import RemainingLife
from neurolatent.prognostics.view import MOST_SETS, look
from neurolatent.result import Fit
from tests.prognostics.fleets import SETTINGS, known_fleet, running

pytestmark = pytest.mark.slow
ENGINES = {"nuts": NUTS(chains=2, warmup=150, draws=100), "svi": SVI(steps=2000)}


@functools.cache
def drawn(name: str) -> Fit:
    return fit(ARPHMM(2), known_fleet(), [HealthIndicator()], ENGINES[name], seed=0)


@functools.cache
def prognosis(name: str) -> Prognosis:
    light = tuple(r for r in SETTINGS.readouts if r.name in ("absorption", "crossing", "autoregressive", "features"))
    return prognose(drawn(name), known_fleet(), RemainingLife(light, cap=60, folds=3, cuts=6, least_seen=5))


@pytest.mark.parametrize("name", ENGINES)
def test_absorption_is_averaged_over_the_draws(name):
    view = look(drawn(name), running()).view
    assert len(view.sets) == MOST_SETS
    train = look(drawn(name), known_fleet()).view
    learned = AbsorptionTime().learn(train, lives_of(train, 60.0), seed=0)
    last = np.array([part.stop - 1 for part in view.rows.slices])
    got = AbsorptionTime().estimate(view, learned, last)
    leaving, capped = Absorption.of(drawn(name)).leaving, np.minimum(np.arange(HORIZON + 1.0), 60.0)
    means, squares = [], []
    for belief, params in zip(view.beliefs, view.sets, strict=True):
        mass = belief[last] @ life_by_place(leaving, drawn(name).model.chain_transition(params))
        mass = np.concatenate([mass, 1 - mass.sum(axis=1, keepdims=True)], axis=1)
        means.append(mass @ capped)
        squares.append(mass @ capped**2)
    np.testing.assert_allclose(got.mean, np.mean(means, axis=0), rtol=1e-6)
    np.testing.assert_allclose(got.sd**2, np.mean(squares, axis=0) - np.mean(means, axis=0) ** 2, rtol=1e-4)


@pytest.mark.parametrize("name", ENGINES)
def test_crossing_shares_its_paths_out_over_the_draws(name):
    train, view = (look(drawn(name), units).view for units in (known_fleet(), running()))
    learned = Crossing().learn(train, lives_of(train, 60.0), seed=0)
    last = np.array([part.stop - 1 for part in view.rows.slices])
    whole = Crossing(n_paths=4000).estimate(view, learned, last)
    each = [
        Crossing(n_paths=200).estimate(view._replace(sets=[p], beliefs=b[None]), learned, last)
        for p, b in zip(view.sets, view.beliefs, strict=True)
    ]
    error = 4 * whole.sd * np.sqrt(2 / 4000)
    assert (np.abs(whole.mean - np.mean([e.mean for e in each], axis=0)) < error + 0.2).all()


def test_nuts_and_svi_tell_the_same_lives():
    a, b = (prognosis(name).predict(running()) for name in ENGINES)
    width = (a["quantile"].sel(level=0.95) - a["quantile"].sel(level=0.05)).values
    assert (np.abs(a["mean"].values - b["mean"].values) < 0.25 * width + 1.0).all()


@pytest.mark.parametrize("name", ENGINES)
def test_saved_with_its_draws(name, tmp_path):
    it = prognosis(name)
    again = Prognosis.load(it.save(tmp_path / "prognosis.nc"))
    np.testing.assert_array_equal(again.predict(running())["quantile"].values, it.predict(running())["quantile"].values)
