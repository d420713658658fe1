"""The page of a decoded signal: what is drawn, and tables that stay readable with many outputs."""

import numpy as np

from neurolatent.report.decoding import SHOWN, _sources, liveliest


def test_the_stretch_drawn_is_where_the_signal_moves_not_where_it_is_large():
    course = np.full((1000, 1), 500.0)
    course[600:, 0] = 20 + 10 * np.sin(np.arange(400) / 5)
    course[300:600, 0] = np.linspace(500, 20, 300)
    part = liveliest(course)
    assert part.stop - part.start == SHOWN
    assert part.start >= 300
    assert part.stop <= 600
    assert liveliest(course[:50]) == slice(0, 50)


def test_many_outputs_tell_their_own_weight_and_the_range_of_the_others():
    transition = np.arange(64.0).reshape(8, 8)
    names, values = _sources(transition, [f"z{n}" for n in range(8)])
    assert names == ["from itself", "least from another", "most from another"]
    np.testing.assert_array_equal(values[3], [27, 24, 31])
    few = _sources(transition[:2, :2], ["x", "y"])
    assert few[0] == ["from x", "from y"]
    np.testing.assert_array_equal(few[1], [[0, 1], [8, 9]])
