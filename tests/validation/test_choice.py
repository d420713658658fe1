"""The choice by held-out scores: sums, paired errors, the one-standard-error rule, and its words."""

import numpy as np
import pandas as pd
import pytest

from neurolatent.validation import Choice

NATS = {"one": [-10.0, -12.0, -9.0, -11.0], "two": [-6.0, -7.0, -6.5, -6.6], "three": [-5.9, -7.2, -6.2, -6.6]}


def choice(nats=NATS, **facts) -> Choice:
    scores = [
        {"candidate": name, "fold": "ab"[n // 2], "sequence": str(n), "log_score": value, "baseline": -12.0,
         "amount": 10.0 + n, "values": 20.0, "unit": "spike", "converged": True}
        for name, values in nats.items() for n, value in enumerate(values)
    ]  # fmt: skip
    rows = [
        {"candidate": name, "parameters": 5 * n, "bic": float(n), "rarest": 0.3, "restarts": 5, "restarts_at_best": 3,
         "converged": True} | {key: values[n - 1] for key, values in facts.items()}
        for n, name in enumerate(nats, 1)
    ]  # fmt: skip
    return Choice(pd.DataFrame(scores), pd.DataFrame(rows))


def test_differences_are_paired_over_held_out_pieces():
    row = choice().row("two")
    gap = np.array(NATS["two"]) - np.array(NATS["three"])
    assert row["difference"] == pytest.approx(gap.sum())
    assert row["standard_error"] == pytest.approx(2 * gap.std(ddof=1))
    assert row["bits_per_spike"] == pytest.approx((sum(NATS["two"]) + 48) / (46 * np.log(2)))
    assert row["log_score_per_value"] == pytest.approx(sum(NATS["two"]) / 80)


def test_folds_have_bits_of_their_own():
    bits = choice().by_fold()
    assert bits.columns.tolist() == ["one", "two", "three"]
    assert bits.loc["b", "one"] == pytest.approx((-20.0 + 24) / (25 * np.log(2)))


def test_the_simplest_within_one_standard_error_is_recommended():
    found = choice()
    assert (found.best, found.chosen) == ("three", "two")
    assert found.words()[0].startswith("Choose two (")
    assert (
        "three has the highest held-out log likelihood, but two has fewer parameters and lies 0.2 nats below"
        in (found.words()[0])
    )
    clear = choice({**NATS, "three": [v + 3 for v in NATS["three"]]})
    assert clear.chosen == "three"
    assert "Choose three: no other candidate tells held-out data better" in clear.words()[0]


def test_doubts_are_told():
    words = " ".join(
        choice(rarest=[1.0, 0.3, 0.011], restarts_at_best=[5, 1, 5], converged=[True, False, True]).words()
    )
    assert "three: its rarest state holds 1.1% of the samples" in words
    assert "two: only 1 of 5 restarts ended at the best optimum" in words
    assert "two: 1 of 3 fits had not converged" in words
    assert "The best score stands at the end of the range, three" in words
    assert "The BIC, which holds nothing out, would take one" in words


def test_a_single_piece_has_no_error_and_the_best_is_taken():
    assert choice({"one": [-3.0], "two": [-2.0]}).chosen == "two"


def test_figures_have_flat_names():
    figures = choice().figures()
    assert figures["cv.bits_per_spike"] == figures["cv.bits_per_spike@two"]
    assert {"cv.loglik@one", "cv.loglik_per_bin_neuron@three", "bic@two", "states.rarest@one"} <= set(figures)
