"""The objective against the worked example, against plain loops, and the laws of its parts."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from neurolatent import precision
from neurolatent.models.pvrnn import PVRNN, Layer, Softmax, Symbols
from neurolatent.models.pvrnn.cell import Heads
from neurolatent.models.pvrnn.door import PVRNNData
from neurolatent.models.pvrnn.joint import sd_of
from neurolatent.models.pvrnn.loss import divergence, objective, terms_of
from neurolatent.models.pvrnn.params import LayerWeights, PVRNNParams, Tempering, by_layer
from tests.models.pvrnn import twin

COUNT, TIME = 3, 6


@functools.partial(jax.jit, static_argnums=0)
def loss(model, params, data, noise):
    terms, *_ = terms_of(model, params, data, noise)
    return objective(model, terms, data.target.shape[2]), terms.rec, terms.kl


whole = jax.jit(terms_of, static_argnums=0)


@functools.partial(jax.jit, static_argnums=0)
def gradient(model, params, data, noise):
    return jax.grad(lambda p: loss(model, p, data, noise)[0].sum())(params)


def material(name, channels=None):
    model = twin.MODELS[name]
    channels = channels or (1 if isinstance(model.likelihood, Symbols) else 2)
    args = (channels, COUNT, TIME)
    return (
        model,
        twin.random_params(model, *args),
        twin.random_data(model, *args),
        twin.random_noise(model, COUNT, TIME),
    )


def worked() -> tuple[PVRNN, PVRNNParams, PVRNNData, tuple[np.ndarray]]:
    """Section 11 of the method's specification."""
    model = PVRNN((Layer(2, 1, 2.0),), w=0.1, w_first=0.01, normalise="none", posterior_form="free")
    one = by_layer(1)
    weights = LayerWeights(
        recurrent=np.array([[0.5, -0.3], [0.2, 0.4]]).T,
        latent=np.array([[1.0, -0.5]]),
        above=np.zeros((0, 2)),
        below=np.zeros((0, 2)),
        bias=np.array([0.1, 0.0]),
        prior=np.array([[0.7, 0.3], [-0.2, 0.1]]),
        prior_bias=np.array([0.0, -1.0]),
        posterior=np.zeros((0, 2)),
        posterior_bias=np.zeros(2),
    )
    adaptive = np.array([[[0.5, 0.0], [-0.25, -1.0], [0.0, -0.5]]])
    output, tempering = np.array([[1.0], [-1.0]]), Tempering(np.array([0.1]), np.array([0.01]))
    params = PVRNNParams(one(weights), output, np.zeros(1), one(adaptive), tempering)
    y = np.array([0.3, -0.1, 0.2]).reshape(1, 3, 1, 1)
    data = PVRNNData(y, np.zeros((1, 3, 1)), np.ones((1, 3, 1)), np.ones((1, 3)), np.zeros(1, int))
    return model, params, data, (np.array([0.2, -1.0, 0.5]).reshape(3, 1, 1),)


def test_every_entry_of_the_worked_example():
    with precision.double():
        model, *arrays = worked()
        terms, course, prior, told = whole(model, *arrays)
        each = divergence(course.told[0], prior[0])[:, 0]
        sds = [sd_of(h.log_sd)[:, 0, 0] for h in (prior[0], course.told[0])]
        got = [prior[0].mean[:, 0, 0], sds[0], course.told[0].mean[:, 0, 0], sds[1], course.z[0][:, 0, 0]]
        got += [course.hidden[0][:, 0, 0], course.hidden[0][:, 0, 1], told[:, 0, 0, 0], each]
        total = objective(model, terms, 1)
    table = """0 1 0.462117 1 0.662117 0.381059 -0.165529 0.527660 0.106776
    0.279690 0.403606 -0.244919 0.367879 -0.612798 0.049642 0.073991 -0.024255 0.852826
    0.019947 0.376163 0 0.606531 0.303265 0.227776 -0.019090 0.243004 0.323616"""
    np.testing.assert_allclose(
        np.stack(got, axis=1), [list(map(float, r.split())) for r in table.splitlines()], atol=1e-6
    )
    np.testing.assert_allclose(total, 0.148420, atol=1e-6)
    np.testing.assert_allclose(terms.kl, 1.283218, atol=1e-6)


@pytest.mark.parametrize("name", twin.MODELS)
def test_the_objective_is_that_of_plain_loops(name):
    model, params, data, noise = material(name)
    with precision.double():
        total, rec, kl = loss(model, params, data, noise)
    want = [twin.sequence_loss(model, params, data, noise, n) for n in range(COUNT)]
    np.testing.assert_allclose(total, [w[0] for w in want], rtol=1e-10)
    np.testing.assert_allclose(rec, [w[1] for w in want], rtol=1e-10)
    np.testing.assert_allclose(kl, [w[2] for w in want], rtol=1e-9)


@pytest.mark.parametrize("name", ["top-down, state", "both, free, symbols"])
def test_the_gradient_is_that_of_finite_differences(name):
    model, params, data, noise = material(name)
    with precision.double():
        slope = gradient(model, params, data, noise)
        rng = np.random.default_rng(3)
        way = jax.tree.map(lambda leaf: rng.normal(size=leaf.shape), params)
        along = sum(float(jnp.sum(a * b)) for a, b in zip(jax.tree.leaves(slope), jax.tree.leaves(way), strict=True))
        step = 1e-5
        ends = [
            float(loss(model, jax.tree.map(lambda p, d, s=s: p + s * d, params, way), data, noise)[0].sum())
            for s in (step, -step)
        ]
    np.testing.assert_allclose(along, (ends[0] - ends[1]) / (2 * step), rtol=1e-7)


def test_the_divergence_is_zero_only_where_both_are_one():
    rng = np.random.default_rng(0)
    q, p = (Heads(*jnp.asarray(rng.normal(size=(2, 200, 3)))) for _ in range(2))
    assert (divergence(q, p) > 0).all()
    np.testing.assert_allclose(divergence(q, q), 0.0, atol=1e-6)


def test_the_divergence_is_that_of_samples():
    q, p = Heads(jnp.array([0.3]), jnp.array([-0.5])), Heads(jnp.array([-0.2]), jnp.array([0.4]))
    z = 0.3 + np.exp(-0.5) * np.random.default_rng(0).normal(size=200_000)
    log_ratio = (0.4 + 0.5) - 0.5 * ((z - 0.3) / np.exp(-0.5)) ** 2 + 0.5 * ((z + 0.2) / np.exp(0.4)) ** 2
    assert abs(float(divergence(q, p)) - log_ratio.mean()) < 4 * log_ratio.std() / np.sqrt(len(z))


def test_a_time_constant_of_one_is_a_plain_network():
    model = PVRNN((Layer(4, 2, 1.0),), posterior_form="free")
    params, noise = twin.random_params(model, 2, 1, 5), twin.random_noise(model, 1, 5)
    data = twin.random_data(model, 2, 1, 5)
    with precision.double():
        _, course, _, _ = whole(model, params, data, noise)
    d, p = np.zeros(4), params.layers[0]
    for t in range(5):
        d = np.tanh(d @ p.recurrent + np.asarray(course.z[0])[t, 0] @ p.latent + p.bias)
        np.testing.assert_allclose(course.activity[0][t, 0], d, atol=1e-12)


def test_without_w_the_prior_has_no_gradient():
    model, params, data, noise = material("top-down, free, bins")
    none = params._replace(tempering=Tempering(np.zeros(2), np.zeros(2)))
    with precision.double():
        slope = gradient(model, none, data, noise)
    assert all(not np.asarray(layer.prior).any() and not np.asarray(layer.prior_bias).any() for layer in slope.layers)
    assert all(np.asarray(layer.recurrent).any() for layer in slope.layers)


@pytest.mark.parametrize("name", ["top-down, state", "both, free, symbols"])
def test_masked_steps_have_no_effect(name):
    model, params, data, noise = material(name)
    rng = np.random.default_rng(5)
    hidden = data.seen[..., None] == 0
    other = data._replace(target=np.where(hidden, rng.random(data.target.shape), data.target))
    beyond = data.valid[..., None] == 0
    moved = type(params.adaptive)(*(np.where(beyond, a + 1.0, a) for a in params.adaptive))
    with precision.double():
        want = loss(model, params, data, noise)
        got = loss(model, params._replace(adaptive=moved), other, noise)
        slope = gradient(model, params, data, noise)
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)
    assert all(not np.asarray(a)[np.broadcast_to(beyond, a.shape)].any() for a in slope.adaptive)


def test_codes_of_values_are_told_again():
    code = Softmax(10, (0.0, -1.0), (1.0, 3.0), (0.005, 0.05))
    values = np.random.default_rng(0).uniform((0.1, -0.8), (0.9, 2.8), (50, 2))
    coded = code.coded(values)
    np.testing.assert_allclose(coded.sum(axis=-1), 1.0)
    by_hand = [np.exp(-((np.linspace(-1, 3, 10) - v) ** 2) / 0.05) for v in values[:, 1]]
    np.testing.assert_allclose(coded[:, 1], [b / b.sum() for b in by_hand])
    told = code.told(jnp.log(coded + 1e-12))
    assert np.abs(told[:, 0] - values[:, 0]).max() < 0.06
    least = code.loss(jnp.log(coded + 1e-30), jnp.asarray(coded)) - code.floor(coded)
    np.testing.assert_allclose(least, 0, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers": ()}, "layers must be one Layer or more"),
        ({"w": (0.1, 0.2, 0.3)}, "w: one number, or one for each of the 2 layers"),
        ({"w": -1.0}, "w must be at least 0"),
        ({"prior_first": "learned", "w_first": 0.3}, "w_first belongs to prior_first='unit'"),
        ({"weight_sd": 0.0}, "weight_sd must be a number above 0"),
    ],
)
def test_choices_that_make_no_model_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(PVRNN(twin.LAYERS), **change)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ((3, 0), "latent must be a whole number of at least 1, got 0"),
        ((3, 1, 0.5), "tau must be at least 1"),
        ((3, 1, (1.0, 2.0)), "one for each of the 3 units, got 2"),
    ],
)
def test_layers_that_cannot_be_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Layer(*fields)


def test_beta_is_told_by_the_normaliser():
    assert PVRNN(twin.LAYERS, w=(0.3, 0.2)).betas(2).tolist() == pytest.approx([0.3, 0.4])
    coded = PVRNN(twin.LAYERS, likelihood=Softmax(10), w=(0.01, 0.005), normalise="bins")
    assert coded.betas(2).tolist() == pytest.approx([0.1, 0.1])
    assert PVRNN(twin.LAYERS, w=0.5, normalise="none").betas(2).tolist() == [0.5, 0.5]
