"""One sample at a time gives what the whole recording gives."""

import jax
import numpy as np
import pytest

from neurolatent import precision
from neurolatent.checks import InputError
from neurolatent.models.arphmm import ARPHMM
from neurolatent.recording import Recording
from tests.models.arphmm import twin
from tests.recording.refusals import refuses


@pytest.mark.parametrize(
    ("model", "features"),
    [
        (ARPHMM(3, order=2, transitions="ergodic"), 2),
        (ARPHMM(2, order=1, first="pad"), 1),
        (ARPHMM(2, order=0, transitions="ergodic"), 1),
        (ARPHMM(2, order=1, n_substates=3), 1),
    ],
    ids=["two lags", "padded", "no lags", "sub-states"],
)
def test_stream_is_the_batch_filter(model, features):
    case = twin.random_case(1, model, [40], features, missing=0.15)
    params = twin.random_params(2, model, features)
    with precision.double():
        data = model.select(Recording.of({"signal": case.y}), for_training=False, use_knowledge=False).data
        batch = np.asarray(model.posterior(params, data).along_time["filtered"])[0]
    state, stream = model.filter_start(params), []
    for sample in case.y[0]:
        state, belief = model.filter_step(params, state, sample)
        stream.append(belief)
    assert stream[0].dtype == np.float64
    skipped = model.skipped
    assert np.isnan(stream[:skipped]).all()
    np.testing.assert_allclose(stream[skipped:], batch[: 40 - skipped], atol=1e-12)


def test_stream_survives_gaps_of_thousands_of_nats():
    model = ARPHMM(2, order=0, transitions="left_right")
    params = twin.random_params(3, model, 1)
    state = model.filter_start(params)
    for sample in (0.0, 1e3, -1e3, 0.0):
        state, belief = model.filter_step(params, state, [sample])
        np.testing.assert_allclose(belief.sum(), 1.0, rtol=1e-12)


def test_a_sample_of_the_wrong_width_is_refused():
    model = ARPHMM(2)
    params = twin.random_params(0, model, 2)
    with refuses("2 features", "(3,)", error=InputError):
        model.filter_step(params, model.filter_start(params), np.zeros(3))
    with jax.enable_x64(False):
        state, _ = model.filter_step(params, model.filter_start(params), np.zeros(2))
        assert state.log_belief.dtype == np.float64
