"""State on disk: the same leaves come back, and another fit's state is refused."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from neurolatent import precision
from neurolatent.checks import InputError
from neurolatent.engines import checkpoint
from tests.recording.refusals import refuses


class State(NamedTuple):
    key: jax.Array
    values: jax.Array
    count: jax.Array


def state(seed: int) -> State:
    return State(jax.random.key(seed), jnp.array([seed + 1 / 3, jnp.nan]), jnp.asarray(seed))


IDENTITY = {"seed": 1, "versions": {"jax": "0.10"}}


def test_what_was_written_comes_back_to_the_bit(tmp_path):
    with precision.double():
        checkpoint.write(tmp_path / "new", state(3), IDENTITY)
        got = checkpoint.read(tmp_path / "new", state(0), IDENTITY)
        assert got.values.dtype == jnp.float64
        np.testing.assert_array_equal(got.values, state(3).values)
        np.testing.assert_array_equal(jax.random.key_data(got.key), jax.random.key_data(state(3).key))
        assert int(got.count) == 3
    assert [path.name for path in (tmp_path / "new").iterdir()] == [checkpoint.NAME]


def test_nothing_written_is_nothing_read(tmp_path):
    assert checkpoint.read(tmp_path, state(0), IDENTITY) is None


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({**IDENTITY, "seed": 2}, ("seed differ", "1 there", "2 here")),
        ({**IDENTITY, "versions": {"jax": "0.11"}}, ("versions", "0.10", "0.11")),
        ({**IDENTITY, "model": "x"}, ("model", "None there")),
    ],
)
def test_the_state_of_another_fit_is_refused(tmp_path, other, words):
    checkpoint.write(tmp_path, state(1), IDENTITY)
    with refuses("belongs to another fit", "--force", *words, error=InputError):
        checkpoint.read(tmp_path, state(0), other)


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / checkpoint.NAME).write_bytes(b"PK\x03\x04 half of it")
    with refuses("cannot be read", "--force", error=InputError):
        checkpoint.read(tmp_path, state(0), IDENTITY)
