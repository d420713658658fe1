"""Principal components against scikit-learn, their sign, and rows with holes."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from neurolatent.checks import InputError
from neurolatent.preparation import PrincipalComponents, prepare
from tests.preparation.fleets import assert_lawful, assert_same, fleet, with_values


@pytest.mark.parametrize("n_components", [1, 2, 4])
def test_matches_scikit_learn_up_to_sign(n_components):
    values = fleet().signal("sensors").values
    z = (values - values.mean(axis=0)) / values.std(axis=0)
    reference = PCA(n_components, svd_solver="full").fit(z)
    (done, _), (learned,) = prepare(fleet(), [PrincipalComponents(n_components)])
    np.testing.assert_allclose(np.abs(learned["weights"]), np.abs(reference.components_), atol=1e-10)
    np.testing.assert_allclose(learned["share"], reference.explained_variance_ratio_)
    got = done.signal("components")
    np.testing.assert_allclose(np.abs(got.values), np.abs(reference.transform(z)), atol=1e-9)
    assert got.names == [f"component {n + 1}" for n in range(n_components)]


def test_largest_weight_is_positive_whatever_the_order_of_units():
    turned = fleet().take(fleet().ids[::-1])
    a, b = PrincipalComponents(3).learn(fleet()), PrincipalComponents(3).learn(turned)
    np.testing.assert_allclose(a["weights"], b["weights"], atol=1e-9)
    for weights in a["weights"]:
        assert weights[np.abs(weights).argmax()] > 0
        np.testing.assert_allclose(np.linalg.norm(weights), 1)


@pytest.mark.parametrize("missing", [0.0, 0.1])
def test_is_lawful(missing):
    assert_lawful(PrincipalComponents(2), fleet(missing=missing))


def test_silent_channels_are_left_out():
    values = fleet().signal("sensors").values.copy()
    values[:, 1] = np.nan
    assert PrincipalComponents().learn(with_values(fleet(), values))["channels"].tolist() == ["s0", "s2", "s3"]


def test_row_with_a_hole_has_no_score_and_a_unit_without_scores_is_refused():
    recording = fleet()
    learned, values = PrincipalComponents().learn(recording), recording.signal("sensors").values.copy()
    values[3, 1] = np.nan
    values[recording.slices()[2], 2] = np.nan
    done, refused = PrincipalComponents().apply(with_values(recording, values), learned)
    assert refused == {"unit2": "no row has all channels of 'sensors'; s2 is missing most often."}
    assert np.flatnonzero(~done.signal("components").observed[:, 0]).tolist() == [3]
    assert done.n_sequences == 5


def test_restore_changes_nothing_and_other_signals_stay():
    step = PrincipalComponents()
    learned = step.learn(fleet())
    np.testing.assert_array_equal(step.restore("components", np.eye(1), learned), np.eye(1))
    assert_same(step.apply(fleet(), learned).recording.select("sensors"), fleet())


@pytest.mark.parametrize(
    ("make", "n_components", "message"),
    [
        (fleet, 5, "fleet, signal sensors: 4 channels vary, n_components is 5. Lower it"),
        (lambda: fleet(lengths=(4,)), 1, "4 rows have all 4 channels, which is too few"),
        (lambda: fleet(missing=0.9), 1, "which is too few to learn from. Leave out"),
    ],
)
def test_bad_input_is_refused(make, n_components, message):
    with pytest.raises(InputError, match=message):
        PrincipalComponents(n_components).learn(make())


def test_bad_settings_name_the_value():
    with pytest.raises(InputError, match="n_components must be a whole number of at least 1, got 0"):
        PrincipalComponents(0)
