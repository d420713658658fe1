"""The linear map over time against loops, with gaps and absent modalities; one modality hidden in training."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurolatent as nl
from neurolatent import precision
from neurolatent.checks import InputError
from neurolatent.choices import MinibatchVI
from neurolatent.models.gpvae import bound, start, time_map
from neurolatent.models.gpvae.params import TimeMap
from neurolatent.models.gpvae.posterior import Message
from neurolatent.recording import Recording

TRIALS, TIME, NEURONS, OUTPUTS = 6, 16, 5, 3


def recording():
    rng = np.random.default_rng(0)
    y, x = rng.poisson(2.0, (TRIALS, TIME, NEURONS)), rng.normal(size=(TRIALS, TIME, OUTPUTS))
    return Recording.of({"spikes": list(y), "behaviour": list(x)}, kinds={"spikes": "counts"})


def model(**choices):
    sizes = {"n_neural": 1, "n_shared": 1, "n_behaviour": 1, "decoder": (4,), "behaviour_encoder": (4,)}
    return nl.GPVAE(**{**sizes, "encoder_time": "linear", **choices})


def one(over_time, message, c, sequence, latent):
    """Mean and variance of the coefficients of one latent, bin by bin; None where nothing was heard."""
    value, precise = (np.asarray(part)[sequence, latent] for part in message)
    if not (precise > 0).any():
        return None
    mean, log_sd = over_time.shift.copy(), over_time.level.copy()
    for t in range(len(value)):
        if precise[t] > 0:
            mean += over_time.mean[:, t] * value[t]
            log_sd += over_time.log_sd[:, t] * -0.5 * np.log(precise[t])
    return mean, np.exp(2 * log_sd)


@pytest.mark.parametrize("combine", ["mean", "product"])
def test_it_is_the_map_written_out(combine):
    rng, sizes = np.random.default_rng(1), (4, TIME)
    maps = tuple(TimeMap(*(rng.normal(size=s) for s in (sizes, 4, sizes, 4))) for _ in range(2))
    shape = (3, 2, TIME)
    messages = [Message(rng.normal(size=shape), rng.uniform(0.5, 2, shape)) for _ in range(2)]
    messages[0].precision[0, :, 3] = 0  # a gap
    messages[0].precision[1], messages[1].precision[2] = 0, 0  # a modality that is not there
    c = rng.uniform(0.5, 2, (3, 4))
    with precision.double():
        q = time_map.mapped(model(combine=combine), maps, *jax.tree.map(jnp.asarray, tuple(messages)), jnp.asarray(c))
    for m in range(3):
        told = [[one(over, said, c, m, n) for n in range(2)] for over, said in zip(maps, messages, strict=True)]
        shared = [t for t in (told[0][1], told[1][0]) if t is not None]
        if len(shared) == 2 and combine == "mean":
            shared = [((shared[0][0] + shared[1][0]) / 2, np.sqrt(shared[0][1] * shared[1][1]))]
        if len(shared) == 2:
            total = 1 / shared[0][1] + 1 / shared[1][1]
            shared = [((shared[0][0] / shared[0][1] + shared[1][0] / shared[1][1]) / total, 1 / total)]
        for p, own in enumerate((told[0][0], shared[0], told[1][1])):
            mean, var = own if own is not None else (np.zeros(4), c[p])
            np.testing.assert_allclose(q.mean[m, p], mean, rtol=1e-10)
            np.testing.assert_allclose(q.spread.cov[m, p], np.diag(var / c[p]), rtol=1e-10, atol=1e-14)
            assert float(q.spread.log_det[m, p]) == pytest.approx(np.log(var / c[p]).sum())


def test_a_fit_is_kept_and_only_sequences_of_its_length_are_told(tmp_path):
    whole = recording()
    fitted = nl.fit(model(), whole, engine=MinibatchVI(epochs=4), seed=0)
    told = fitted.predict(whole)["latents"].values
    assert np.isfinite(told).all()
    fitted.save(tmp_path / "fit.nc")
    np.testing.assert_array_equal(nl.Fit.load(tmp_path / "fit.nc").predict(whole)["latents"].values, told)
    longer = Recording.of(
        {n: list(np.tile(np.stack(np.split(whole.signal(n).values, TRIALS)), (1, 5, 1))) for n in whole.signals},
        kinds={"spikes": "counts"},
    )
    with pytest.raises(InputError, match=r"learned on sequences of 16 bins.*projection"):
        fitted.predict(longer)


def test_it_leads_to_fourier_coefficients_alone():
    with pytest.raises(InputError, match="fourier"):
        model(domain="time")


def test_one_modality_is_hidden_in_so_many_sequences_half_of_them_each():
    n = 4000
    data = model().select(recording(), for_training=True).data
    many = jax.tree.map(lambda a: jnp.broadcast_to(jnp.asarray(a[:1]), (n, *a.shape[1:])), data)
    heard = bound.partly_heard(model(modality_dropout=0.4), many, jax.random.key(0))
    neural, behaviour = (np.asarray(part)[:, 0, 0] for part in (heard.y_seen, heard.x_seen))
    assert neural.mean() == pytest.approx(0.8, abs=0.03)
    assert behaviour.mean() == pytest.approx(0.8, abs=0.03)
    assert (neural + behaviour).min() == 1


def test_a_bound_of_partly_heard_sequences_scores_both_modalities():
    """With dropout 1 each sequence hears one modality, and the bound is that of this posterior on all data."""
    choice = model(modality_dropout=1.0, encoder_time="projection")
    data = choice.select(recording(), for_training=True).data
    params = start.start_of(choice, data, np.random.default_rng(0), 0)
    key = jax.random.key(3)

    @jax.jit
    def both(params, data):
        free = jax.tree.map(jnp.asarray, params)
        own_key, hidden = jax.random.split(key)
        heard = bound.partly_heard(choice, data, hidden)
        terms, _ = bound.terms_of(choice, choice.params_at(free, data), data, own_key, heard=heard)
        return choice.bound(free, data, key, 1.0).elbo, terms

    with precision.double():
        got, terms = both(params, jax.tree.map(jnp.asarray, data))
        np.testing.assert_allclose(got, terms.neural + terms.behaviour - terms.kl.sum(axis=1), rtol=1e-6)
        assert float(jnp.abs(terms.behaviour).min()) > 0
        assert float(jnp.abs(terms.neural).min()) > 0


def test_a_share_beyond_one_is_refused():
    with pytest.raises(InputError, match="modality_dropout"):
        model(modality_dropout=1.5)
