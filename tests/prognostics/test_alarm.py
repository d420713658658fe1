import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurolatent.prognostics.alarm import alarm_step, since_step

PATHS = st.lists(st.sampled_from([0.0, 0.4, 0.6, 0.95, 0.96, 1.0, float("nan")]), max_size=15).map(np.array)


@pytest.mark.parametrize(
    ("fault", "step"),
    [
        ([], None),
        ([1.0, 1.0], None),
        ([1.0, 1.0, 1.0], 2),
        ([0.96, 0.96, 0.95, 0.96, 0.96, 0.96], 5),  # 0.95 itself is not above
        ([0.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0], 6),
        ([np.nan, 1.0, 1.0, np.nan, 1.0, 1.0, 1.0], 6),
        ([0.9] * 20, None),
    ],
)
def test_alarm_comes_with_the_third_step_in_a_row_above(fault, step):
    assert alarm_step(np.array(fault)) == step


@given(PATHS)
def test_alarm_is_the_first_step_that_ends_three_above(fault):
    ends = [t for t in range(2, len(fault)) if all(fault[t - 2 : t + 1] > 0.95)]
    assert alarm_step(fault) == (ends[0] if ends else None)


@given(PATHS, st.integers(0, 15))
def test_alarm_depends_on_the_past_only(fault, kept):
    whole, part = alarm_step(fault), alarm_step(fault[:kept])
    assert part == (whole if whole is not None and whole < kept else None)


@given(PATHS)
def test_since_is_the_begin_of_the_last_run_above_one_half(fault):
    begin = len(fault)
    while begin and fault[begin - 1] > 0.5:
        begin -= 1
    assert since_step(fault) == (begin if begin < len(fault) else None)


def test_other_thresholds():
    fault = np.array([0.0, 0.7, 0.7, 0.7, 0.7])
    assert alarm_step(fault, threshold=0.6, consecutive=4) == 4
    assert alarm_step(fault, threshold=0.6, consecutive=1) == 1
    assert since_step(fault, level=0.8) is None
