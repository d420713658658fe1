"""A recording cut into blocks of time."""

import numpy as np
import pytest

from neurolatent.checks import InputError
from neurolatent.recording import Recording


def recording(*lengths: int) -> Recording:
    values = [np.arange(n, dtype=float)[:, None] for n in lengths]
    return Recording.of({"x": values}, bin_width=0.5, ids=[f"run{i}" for i in range(len(lengths))])


def test_blocks_keep_their_place_on_the_clock_and_name_their_sequence():
    got = recording(7, 4).blocks(3)
    assert got.ids == ["run0.1", "run0.2", "run1.1"]
    assert got.signal("x").values[:, 0].tolist() == [0, 1, 2, 3, 4, 5, 0, 1, 2]
    assert got.start.tolist() == [0.0, 1.5, 0.0]
    assert got.sequences[["of", "block"]].to_dict("list") == {"of": ["run0", "run0", "run1"], "block": [1, 2, 1]}
    assert got.history[-1] == "cut into 3 blocks of 3 samples, 2 at the ends dropped"


def test_blocks_of_one_sequence_are_numbered():
    assert recording(6).blocks(2).ids == ["1", "2", "3"]


def test_a_sequence_shorter_than_a_block_is_refused():
    with pytest.raises(InputError, match="sequence run1: its 2 samples are fewer than one block of 3"):
        recording(7, 2).blocks(3)
