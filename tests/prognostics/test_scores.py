import numpy as np
import pytest

from neurolatent.checks import InputError
from neurolatent.prognostics.scores import accuracy, challenge_score, life_scores, percentage_error, rmse


@pytest.mark.parametrize(("error", "score"), [(-13.0, 1.718282), (10.0, 1.718282), (0.0, 0.0), (20.0, 6.389056)])
def test_challenge_score_at_the_worked_values(error, score):
    assert challenge_score(np.array([error])) == pytest.approx(score, abs=5e-7)


def test_challenge_score_adds_up_and_stays_in_double():
    errors = np.array([-13.0, 10.0, 20.0])
    assert challenge_score(errors) == pytest.approx(sum(challenge_score(errors[[n]]) for n in range(3)))
    assert challenge_score(np.array([200.0])) == pytest.approx(np.exp(20) - 1)
    assert challenge_score(np.float32([200.0])) == pytest.approx(4.8516519e8, rel=1e-7)


def test_challenge_score_is_quiet_where_the_other_branch_overflows():
    with np.errstate(all="raise"):
        assert challenge_score(np.array([-9000.0, 9.0])) > 1e300
        assert challenge_score(np.array([7000.0])) > 1e300
        assert challenge_score(np.array([np.inf])) == np.inf


def test_accuracy_counts_both_ends():
    assert accuracy(np.array([-13.0, -13.1, 10.0, 10.1, 0.0])) == pytest.approx(60.0)


def test_percentage_error():
    assert percentage_error(np.array([8.0, 12.0]), np.array([10.0, 10.0])) == pytest.approx(20.0)
    with pytest.raises(InputError, match="above 0; unit number 1 has 0"):
        percentage_error(np.array([8.0, 12.0]), np.array([10.0, 0.0]))


def test_life_scores_cap_the_estimates_and_name_both_errors():
    estimate, truth = np.array([300.0, 20.0, 30.0]), np.array([150.0, 20.0, 40.0])
    scores = life_scores(estimate, truth)
    assert scores["rmse"] == pytest.approx(rmse(np.array([125.0, 20.0, 30.0]), truth))
    assert scores["rmse_capped125"] == pytest.approx(np.sqrt(100 / 3))
    assert scores["mae"] == pytest.approx((25 + 0 + 10) / 3)
    assert scores["early"] == pytest.approx(2 / 3)
    assert scores["late"] == pytest.approx(1 / 3)  # a hit counts as late, as in the published code
    assert scores["score"] == pytest.approx(np.exp(25 / 13) + np.exp(10 / 13) - 2)


def test_open_lives_are_capped_before_they_are_scored():
    scores = life_scores(np.array([np.inf]), np.array([100.0]))
    assert scores["rmse"] == pytest.approx(25.0)
