"""The simulated experiments of a recipe: train and test share one draw, and the yardstick knows the laws."""

import numpy as np
import pytest

from neurolatent.checks import InputError
from neurolatent.models.dkf import DKF
from neurolatent.models.dkf.experiments import EXPERIMENTS, exactly_decoded, experiment
from neurolatent.models.dkf.motion import Motion, Turning
from neurolatent.recipe.data import recording_of
from neurolatent.recipe.experiments import exact_beside, experiment_of
from neurolatent.recipe.objects import build


def table(name: str, **more) -> dict:
    return {"name": name, "bins": 300, "channels": 12, "latent": 4, **more}


def test_training_and_test_rows_are_of_one_draw():
    simulate = {"simulate": table("binary_mixture", seed=3)}
    whole = experiment("binary_mixture", 3, bins=300, channels=12, latent=4).recording
    train = recording_of(simulate | {"cut": [0, 200]}, "x", 0)
    test = recording_of(simulate | {"cut": [200]}, "x", 99)
    for name in ("seen", "latent"):
        both = np.concatenate([train.signal(name).values, test.signal(name).values])
        np.testing.assert_array_equal(both, whole.signal(name).values)


def test_what_a_table_cannot_say():
    assert experiment_of({"length": 3}, "x") is None
    assert exact_beside({"length": 3}, experiment("turning_state", 0, bins=5, channels=2).recording) == {}
    with pytest.raises(InputError, match="there is no simulation 'binary_mix'. Did you mean 'binary_mixture'"):
        recording_of({"simulate": {"name": "binary_mix"}}, "x", 0)
    with pytest.raises(InputError, match="unknown key 'channel'. Did you mean 'channels'"):
        experiment_of({"name": "binary_mixture", "channel": 3}, "x")
    for latent in (3, 20):
        with pytest.raises(InputError, match="even number of axes from 2 to 18"):
            experiment_of({"name": "binary_mixture", "latent": latent}, "x")


@pytest.mark.parametrize("name", ["linear_mixture", "binary_mixture"])
def test_the_yardstick_is_the_recursion_written_out(name):
    """Section 4.1 of the specification's source, in matrices, from the first bin's regression on."""
    made = experiment(name, 1, bins=300, channels=12, latent=4)
    test = made.recording.cut(200)
    told, state = made.observed.told(test.signal("seen").values), made.state
    inverse, prior, want = np.linalg.inv, np.linalg.inv(state.stationary), [told.mean[0]]
    cov = told.noise[0]
    for f, q in zip(told.mean[1:], told.noise[1:], strict=True):
        values, vectors = np.linalg.eigh(q)  # S is I: the rule caps its eigenvalues at 1
        heard = vectors @ np.diag(1 / np.minimum(values, 1)) @ vectors.T
        moved = state.transition @ cov @ state.transition.T + state.innovation
        cov = inverse(heard + inverse(moved) - prior)
        want.append(cov @ (heard @ f + inverse(moved) @ state.transition @ want[-1]))
    found = exactly_decoded(made, test).decoded
    np.testing.assert_allclose(found.filtered.mean[0], want, atol=1e-7)
    figures = exact_beside(table(name, seed=1), test)["exact"]
    z = test.signal("latent").values
    assert figures["nrmse"] == pytest.approx(np.sqrt(np.sum((z - np.stack(want)) ** 2) / np.sum(z**2)))
    assert figures["unfiltered.nrmse"] == pytest.approx(np.sqrt(np.sum((z - told.mean) ** 2) / np.sum(z**2)))
    assert figures["indefinite_share"] == pytest.approx(
        np.mean(np.linalg.eigvalsh(told.noise[1:])[:, -1] > 1 + 1e-9), abs=0.02
    )


def test_where_the_state_turns_the_yardstick_turns_with_it():
    made = experiment("turning_state", 0, bins=1500, channels=100, latent=4)
    found = exactly_decoded(made, made.recording)
    blind = exactly_decoded(made._replace(turns=False), made.recording)
    z = made.recording.signal("latent").values
    error, without = (np.sqrt(np.mean((z - f.decoded.filtered.mean[0]) ** 2)) for f in (found, blind))
    assert error < 0.9 * without
    assert set(EXPERIMENTS) == {"linear_mixture", "binary_mixture", "turning_state"}


def test_a_motion_is_said_in_a_recipe():
    said = {"target": "latent", "motion": {"function": {"name": "turning", "rate": 2}, "push": "extended"}}
    assert build(DKF, said, "x").motion == Motion(Turning(2), "extended")
    assert build(DKF, {"target": "latent", "motion": {"function": "turning"}}, "x").motion == Motion(Turning())
    with pytest.raises(InputError, match="there is no 'turn'. Did you mean 'turning'"):
        build(DKF, {"target": "latent", "motion": {"function": "turn"}}, "x")
