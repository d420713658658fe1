"""A stream tells what the batch tells, keeps no more than its window, and refuses what it cannot read."""

import dataclasses
import functools

import jax
import numpy as np
import pytest

import neurolatent as nl
from neurolatent import precision
from neurolatent.choices import MinibatchVI
from neurolatent.compiling import key_of
from neurolatent.models.pvrnn import PVRNN, ErrorRegression, Layer, Softmax
from neurolatent.models.pvrnn.synthetic import branching_case
from neurolatent.recipe.patterns import foreseen_table, lead_figures, stream_figures

MODEL = PVRNN(
    (Layer(6, 1, 2.0),),
    likelihood=Softmax(5, 0.0, 1.0, 0.02),
    recognition=ErrorRegression(4, 3, horizon=3, draws=4, whole=5),
)


@functools.cache
def fitted() -> nl.Fit:
    engine = MinibatchVI(30, None, 1e-2, 1e-2, clip=None, validation=0.0)
    return nl.fit(MODEL, branching_case(0, sequences=6, steps=9), engine=engine)


def new() -> nl.Recording:
    return branching_case(1, sequences=4, steps=9)


def test_a_stream_tells_what_the_batch_tells():
    fit, values = fitted(), new().signal("position").values[:9].copy()
    values[3] = np.nan
    recording = nl.Recording.of({"position": [values]})
    with precision.double():
        data = fit.prepared(recording).data
        batch = jax.device_get(MODEL.foresee(fit.params, data, key_of(0)))
    stream = fit.stream()
    for time, row in enumerate(values):
        told = stream.update(row)
        np.testing.assert_allclose(told.mean, batch.mean[time, 0], rtol=1e-9)
        np.testing.assert_allclose(told.now, batch.told[time, 0], rtol=1e-9)
    assert (told.low <= told.high).all()
    first = stream.update(values[0]).mean
    stream.reset()
    assert not np.allclose(first, stream.update(values[0]).mean)
    np.testing.assert_allclose(stream.told.mean, batch.mean[0, 0], rtol=1e-9)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros(3), "has 2 channels, got the shape \\(3,\\)"),
        ([0.5, 2.0], "lies outside of"),
        ([0.1, np.inf], "infinite"),
    ],
)
def test_what_a_stream_cannot_read_is_refused(x, message):
    with pytest.raises(ValueError, match=message):
        fitted().stream().update(x)


def test_the_table_of_new_data_holds_what_was_foreseen():
    table = foreseen_table(fitted(), new(), 0)
    assert len(table) == 4 * (9 + 3)
    assert table.query("sequence == '0'")["lead"].tolist() == [1] * 10 + [2, 3]
    told = table.query("clock > 0 and clock < 9")
    error = np.sqrt(np.mean([(told[c] - told[f"{c}_mean"]) ** 2 for c in ("x", "y")]))
    np.testing.assert_allclose(stream_figures(fitted(), new(), 0)["rmse.lead1"], error, rtol=1e-9)


def test_errors_by_lead_are_those_of_plain_loops():
    fit, recording = fitted(), new()
    got = lead_figures(fit, recording, (1, 2), 0)
    with precision.double():
        told = jax.device_get(MODEL.foresee(fit.params, fit.prepared(recording).data, key_of(0)))
    values = recording.signal("position").values.reshape(4, 9, 2)
    error = [told.mean[t, n, 1] - values[n, t + 2] for n in range(4) for t in range(7)]
    same = [values[n, t] - values[n, t + 2] for n in range(4) for t in range(7)]
    np.testing.assert_allclose(got["repeat.rmse.lead2"], np.sqrt(np.mean(np.square(same))), rtol=1e-9)
    longer = dataclasses.replace(MODEL, recognition=dataclasses.replace(MODEL.recognition, horizon=2))
    with precision.double():
        told = jax.device_get(longer.foresee(fit.params, fit.prepared(recording).data, key_of(0)))
    error = [told.mean[t, n, 1] - values[n, t + 2] for n in range(4) for t in range(7)]
    np.testing.assert_allclose(got["rmse.lead2"], np.sqrt(np.mean(np.square(error))), rtol=1e-9)
