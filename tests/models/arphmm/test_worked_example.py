"""Four samples, one lag, two states: every number computed by hand elsewhere, to all its digits."""

import jax.numpy as jnp
import numpy as np
import pytest

from neurolatent import precision
from neurolatent.models.arphmm.data import lagged
from neurolatent.models.arphmm.emission import WeightedRows, log_emission, residual_scatter, weighted_moments
from neurolatent.models.arphmm.mstep import shaped_covariance, update_initial, update_transition
from neurolatent.models.arphmm.structure import pooled_jumps
from neurolatent.ops import hmm
from neurolatent.ops.mniw import regression_mode
from neurolatent.ops.padding import pad
from neurolatent.recording import make_signal

CLOSE = {"rtol": 0, "atol": 1e-7}
INITIAL, TRANSITION = np.array([0.6, 0.4]), np.array([[0.9, 0.1], [0.2, 0.8]])
COEFFICIENTS, VARIANCE = np.array([[[0.5, 0.2]], [[-0.5, 0.0]]]), np.array([[[1.0]], [[0.25]]])
IGNORANT, INFORMED = np.ones((3, 2)), np.array([[1.0, 0.3], [1.0, 1.0], [0.1, 1.0]])


@pytest.fixture
def rows():
    signal = make_signal(np.array([0.0, 1.0, 0.5, -0.25]))
    made = lagged(signal, np.array([4]), 1, pads_start=False)
    return [pad(part, np.array([4]), 1, 3, 0.0) for part in (made.y, made.z, made.usable)]


def chain(rows, weights):
    scores = log_emission(*map(jnp.asarray, (*rows, COEFFICIENTS, VARIANCE))) + jnp.log(weights)[None]
    return jnp.asarray(INITIAL)[None], jnp.asarray(TRANSITION), scores, jnp.array([3])


def test_emissions(rows):
    with precision.double():
        got = log_emission(*map(jnp.asarray, (*rows, COEFFICIENTS, VARIANCE)))[0]
        want = [[-1.23893853, -2.22579135], [-0.93893853, -2.22579135], [-1.16393853, -0.22579135]]
        np.testing.assert_allclose(got, want, **CLOSE)


@pytest.mark.parametrize(
    ("weights", "evidence", "smoothed", "jumps", "path", "score"),
    [
        (
            IGNORANT,
            -3.6037759302,
            [[0.85916817, 0.14083183], [0.85562715, 0.14437285], [0.67928631, 0.32071369]],
            [[1.4772704, 0.23752492], [0.05764306, 0.22756162]],
            [0, 0, 0],
            -4.0633622547,
        ),
        (
            INFORMED,
            -4.7512916334,
            [[0.90384487, 0.09615513], [0.77648988, 0.22351012], [0.20442082, 0.79557918]],
            [[0.96609096, 0.71424378], [0.01481973, 0.30484552]],
            [0, 0, 1],
            -5.3224396515,
        ),
    ],
    ids=["ignorant", "informed"],
)
def test_posterior(rows, weights, evidence, smoothed, jumps, path, score):
    with precision.double():
        arguments = chain(rows, weights)
        got, best = hmm.smooth_states(*arguments), hmm.viterbi(*arguments)
        np.testing.assert_allclose(got.log_evidence, [evidence], rtol=0, atol=1e-9)
        np.testing.assert_allclose(got.smoothed[0], smoothed, **CLOSE)
        np.testing.assert_allclose(got.jumps, jumps, **CLOSE)
        np.testing.assert_array_equal(best.states[0], path)
        np.testing.assert_allclose(best.log_score, [score], rtol=0, atol=1e-9)


def test_mstep_of_the_chain(rows):
    with precision.double():
        posterior = hmm.smooth_states(*chain(rows, INFORMED))
        flat = np.ones(2), np.ones((2, 2))
        initial = update_initial(posterior.smoothed[:, 0], flat[0])
        former = jnp.asarray(TRANSITION)
        transition, advance = update_transition(
            former, 1 - jnp.diagonal(former), pooled_jumps(posterior.jumps, 1), flat[1]
        )
        np.testing.assert_allclose(initial, [0.90384487, 0.09615513], **CLOSE)
        np.testing.assert_allclose(transition, [[0.57493959, 0.42506041], [0.04636017, 0.95363983]], **CLOSE)
        np.testing.assert_allclose(advance, 1 - np.diag(transition), **CLOSE)


@pytest.mark.parametrize(
    ("ridge", "coefficients"),
    [
        (0.0, [[-0.51652533, 0.89924422], [0.09550554, -0.04512209]]),
        (1e-6, [[-0.51652309, 0.89924270], [0.09550395, -0.04512117]]),
    ],
)
def test_mstep_of_the_regression(rows, ridge, coefficients):
    with precision.double():
        posterior = hmm.smooth_states(*chain(rows, INFORMED))
        weighted = WeightedRows(jnp.asarray(rows[0]), jnp.asarray(rows[1]), posterior.smoothed)
        moments, zero, penalty = weighted_moments(weighted), jnp.zeros((1, 2)), jnp.full(2, ridge)
        got = jnp.stack(
            [regression_mode(type(moments)(*(leaf[k] for leaf in moments)), zero, penalty) for k in range(2)]
        )
        np.testing.assert_allclose(got[:, 0], coefficients, **CLOSE)
        covariance = shaped_covariance(residual_scatter(weighted, got), moments.weight, "full")
        np.testing.assert_allclose(covariance[:, 0, 0], [0.09663597, 0.18021852], **CLOSE)
