"""Dropping channels that say nothing."""

import warnings

import numpy as np
import pytest

from neurolatent.checks import InputError
from neurolatent.preparation import DropSilent, PreparationWarning
from tests.preparation.fleets import assert_lawful, assert_same, fleet, with_values


def partly_silent():
    values = fleet().signal("sensors").values.copy()
    values[:, 1], values[:, 3] = np.nan, 518.67
    return with_values(fleet(), values)


def test_names_what_it_drops():
    with pytest.warns(PreparationWarning, match="fleet, signal sensors: dropped s1, s3: constant or never observed"):
        learned = DropSilent().learn(partly_silent())
    done = DropSilent().apply(partly_silent(), learned).recording
    assert done.signal("sensors").names == ["s0", "s2"]
    assert done.history[-1] == "dropped s1, s3 of sensors: silent in the training data"
    np.testing.assert_array_equal(done.signal("sensors").values, partly_silent().signal("sensors").values[:, [0, 2]])


def test_new_recording_loses_the_same_channels_whatever_they_hold():
    with pytest.warns(PreparationWarning):
        learned = DropSilent("sensors").learn(partly_silent())
    values = fleet().signal("sensors").values.copy()
    values[:, 0] = 1.0  # silent now, but not at training
    done = DropSilent("sensors").apply(with_values(fleet(), values), learned).recording
    assert done.signal("sensors").names == ["s0", "s2"]


def test_nothing_silent_changes_nothing_and_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        learned = DropSilent().learn(fleet())
    done = DropSilent().apply(fleet(), learned).recording
    assert_same(done, fleet())
    assert done.history == fleet().history


def test_is_lawful():
    assert_lawful(DropSilent(), fleet(missing=0.1))


def test_rounding_does_not_make_a_constant_vary():
    values = fleet().signal("sensors").values.copy()
    values[:, 0] = 0.1  # its mean differs from 0.1 in the last bit
    with pytest.warns(PreparationWarning, match="dropped s0"):
        DropSilent().learn(with_values(fleet(), values))


def test_restore_changes_nothing():
    learned = DropSilent().learn(fleet())
    np.testing.assert_array_equal(DropSilent().restore("sensors", np.eye(4), learned, is_spread=True), np.eye(4))


def test_all_silent_is_refused():
    with pytest.raises(InputError, match="fleet, signal sensors: every channel is constant or was never observed"):
        DropSilent().learn(with_values(fleet(), np.ones((fleet().n_samples, 4))))
