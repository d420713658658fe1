"""Running features against loops over rows, with holes."""

import numpy as np
import pandas as pd
import pytest

from neurolatent.preparation.causal import carried, exponential_mean, first_mean, rows_of, trailing_mean

LENGTHS = np.array([1, 2, 30, 17, 5])


@pytest.fixture(params=[0.0, 0.3, 0.8])
def values(request):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(LENGTHS.sum(), 3))
    x[rng.uniform(size=x.shape) < request.param] = np.nan
    return x


def by_row(values, formula):
    """Apply a formula to each row's own past (this row last), channel by channel."""
    out = np.full(values.shape, np.nan)
    for part in rows_of(LENGTHS).slices:
        for row in range(part.start, part.stop):
            for channel in range(values.shape[1]):
                past = values[part.start : row + 1, channel]
                if not np.isnan(past).all():
                    out[row, channel] = formula(past)
    return out


def mean_or_nan(x):
    x = x[~np.isnan(x)]
    return x.mean() if len(x) else np.nan


def test_trailing_mean(values):
    got = trailing_mean(values, rows_of(LENGTHS), 4)
    np.testing.assert_allclose(got, by_row(values, lambda past: mean_or_nan(past[-4:])), atol=1e-12)


def test_carried(values):
    got = carried(values, rows_of(LENGTHS))
    np.testing.assert_array_equal(got, by_row(values, lambda past: past[~np.isnan(past)][-1]))


def test_exponential_mean(values):
    def formula(past):
        seen = np.flatnonzero(~np.isnan(past))
        weight = (1 - 2 / 11) ** (len(past) - 1 - seen)
        return (weight * past[seen]).sum() / weight.sum()

    got = exponential_mean(values, rows_of(LENGTHS), 10)
    np.testing.assert_allclose(got, by_row(values, formula), atol=1e-12)
    part = rows_of(LENGTHS).slices[2]
    np.testing.assert_allclose(got[part], pd.DataFrame(values[part]).ewm(span=10).mean(), atol=1e-12)


def test_first_mean(values):
    got = first_mean(values, rows_of(LENGTHS), 5)
    np.testing.assert_allclose(got, by_row(values, lambda past: past[~np.isnan(past)][:5].mean()), atol=1e-12)


def test_dead_for_long_keeps_its_last_value():
    x = np.full((20_000, 1), np.nan)
    x[:10, 0] = np.arange(10.0)
    got = exponential_mean(x, rows_of(np.array([20_000])), 40)
    np.testing.assert_array_equal(got[10:], np.full((19_990, 1), got[9, 0]))
