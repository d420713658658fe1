"""R-hat against the package that computes it, and where it has no limit."""

import arviz_stats
import numpy as np
import pytest
import xarray as xr

from neurolatent.diagnostics.mixing import rhat, stand_apart

CHAINS, DRAWS = 2, 101  # an odd number: halves leave the middle draw out


def still(*values: float) -> np.ndarray:
    """(chains, draws) that stay at one value each."""
    return np.asarray(values)[:, None] * np.ones(DRAWS)


def halves(first: float, second: float) -> np.ndarray:
    """(chains, draws) that all step once, in the middle."""
    return np.where(np.arange(DRAWS) < DRAWS // 2, first, second) * np.ones((CHAINS, 1))


def around(centre: float, width: float) -> np.ndarray:
    """(draws,) that go to and fro."""
    return centre + width * (-1.0) ** np.arange(DRAWS)


def dataset(**values: np.ndarray) -> xr.Dataset:
    return xr.Dataset({n: (("chain", "draw", "entry")[: v.ndim], v) for n, v in values.items()})


def test_draws_that_move_have_the_number_of_arviz():
    draws = np.random.default_rng(0).normal(size=(CHAINS, DRAWS, 3)) + np.arange(CHAINS)[:, None, None]
    data = dataset(one=draws[..., 0], many=draws)
    got, want = rhat(data), arviz_stats.rhat(data)
    for name in data.data_vars:
        np.testing.assert_array_equal(got[name], want[name])
        assert np.isfinite(got[name]).all()


@pytest.mark.parametrize(
    ("draws", "is_apart"),
    [
        (still(3, 4), True),
        (still(0.1, 0.2), True),
        (still(3, 3), False),
        (halves(3, 4), True),
        (np.stack([still(3)[0], around(3.0, 1.0)]), True),  # one chain never, the other always one away from the median
        (np.stack([still(3)[0], np.r_[around(3.0, 1.0)[:-1], 3.0]]), False),
    ],
)
def test_halves_that_stay_apart_have_no_limit(draws, is_apart):
    assert stand_apart(draws) == is_apart
    if np.ptp(draws) > 0:
        found = float(rhat(dataset(x=draws))["x"])
        assert np.isposinf(found) == is_apart


def test_only_the_entries_that_stay_apart_are_infinite():
    draws = np.random.default_rng(0).normal(size=(CHAINS, DRAWS, 3))
    draws[..., 1] = still(1, 2)
    assert np.isinf(rhat(dataset(x=draws))["x"]).values.tolist() == [False, True, False]


def test_a_single_chain_has_no_number():
    assert np.isnan(float(rhat(dataset(x=still(1, 2)[:1]))["x"]))
