"""Clusters that drive one another, their neurons told: updates leave the prior as it is, and find what drives what."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from neurolatent import precision
from neurolatent.models.bicluster import BiclusterParams, coupled, dynamics
from neurolatent.models.bicluster.likelihood import Gaussian, augmented, log_rate
from neurolatent.models.bicluster.params import data_of
from neurolatent.ops import mniw
from tests.models.bicluster import geweke
from tests.models.bicluster.small import NEURONS, case, model_of
from tests.models.bicluster.test_conditionals import on_device

FULL = model_of(coupling="full", law_precision=1.0)
SIZE = 4  # coordinates of the two clusters with neurons


def of_prior(params: BiclusterParams, rng: np.random.Generator, bins: int, both, cov) -> BiclusterParams:
    """Offsets, states and trajectories of two clusters of two neurons each, from the prior, given laws of it."""
    state = np.zeros(bins, np.int32)
    state[1] = rng.integers(2)
    for t in range(2, bins):
        state[t] = rng.choice(2, p=params.jumps[state[t - 1]])
    x = np.zeros((bins, SIZE))
    x[0] = rng.normal(size=SIZE)
    for t in range(1, bins):
        mean = both[state[t]] @ np.r_[x[t - 1], 1.0]
        x[t] = mean + np.linalg.cholesky(cov[state[t]]) @ rng.normal(size=SIZE)
    transition, innovation = np.zeros((2, 3, 2, 3, 2)), np.zeros((2, 3, 2, 3, 2))
    transition[:, :2, :, :2] = both[..., :-1].reshape(2, 2, 2, 2, 2)
    innovation[:, :2, :, :2] = cov.reshape(2, 2, 2, 2, 2)
    shift, paths = np.zeros((2, 3, 2)), np.zeros((3, bins, 2))
    shift[:, :2], paths[:2] = both[..., -1].reshape(2, 2, 2), np.moveaxis(x.reshape(bins, 2, 2), 1, 0)
    return params._replace(
        label=np.array([0, 0, 1, 1], np.int32),
        state=np.r_[state[1], state[1:]],
        offset=rng.normal(size=NEURONS),
        loadings=rng.normal(size=(NEURONS, 1)),
        trajectories=paths,
        transition=transition,
        shift=shift,
        innovation=innovation,
    )


def told_by(params: BiclusterParams) -> dict[str, jax.Array]:
    """Bounded or logarithmic numbers of a draw: laws of the prior have heavy tails."""
    x, at = params.trajectories[:2], params.state[1:]
    cov = params.innovation[at][:, :2, :, :2].reshape(-1, SIZE, SIZE)
    transition = jnp.tanh(params.transition[at])
    return {
        "path": jnp.log(x**2).mean(),
        "end": jnp.log(x[:, -1] ** 2).mean(),
        "step": jnp.log((x[:, 1:] - x[:, :-1]) ** 2).mean(),
        "together": jnp.tanh(x[0] * x[1]).mean(),
        "own": jnp.trace(transition[:, 0, :, 0], axis1=1, axis2=2).mean(),
        "cross": (transition[:, 0, :, 1] ** 2).mean(),
        "noise": jnp.linalg.slogdet(cov)[1].mean(),
        "one noise": jnp.log(cov[:, 0, 0]).mean(),
        "noise together": jnp.tanh(100 * cov[:, 0, 2] ** 2).mean(),
        "shift": jnp.log(params.shift[at][:, :2] ** 2).mean(),
        "offset": (params.offset**2).mean(),
        "switches": (at[1:] != at[:-1]).sum().astype(x.dtype),
        "log rate": jnp.tanh(log_rate(params) ** 2).mean(),
    }


@pytest.mark.record
def test_with_the_partition_held_updates_leave_the_prior_as_it_is(key):
    """As in the joint-distribution test, with normal data of variance 1 in the place of counts."""
    model, chains, sweeps, rng = dataclasses.replace(FULL, births=0), 1000, 12, np.random.default_rng(0)
    (params, _), family, draws, none = case(0), dynamics.prior_family(FULL, SIZE), 8000, jnp.zeros(3, bool)

    def one(now: BiclusterParams, key):
        keys = jax.random.split(key, 5)
        eta = log_rate(now)
        told = Gaussian(jnp.ones_like(eta), eta + jax.random.normal(keys[0], eta.shape, eta.dtype))
        now = now._replace(trajectories=coupled.draw_trajectories(now, told, keys[1]))
        now = coupled.translate(model, now, keys[2])
        now = coupled.draw_laws(model, now, none, keys[3])[0]
        now = now._replace(state=coupled.draw_states_given_paths(now, keys[4]))
        return now, told_by(now)

    def chain(given):
        start, key = given
        told = jax.lax.scan(one, start, jax.random.split(key, sweeps))[1]
        return jax.tree.map(lambda values: values.mean(), told)

    with precision.double():
        laws = (part.reshape(-1, 2, *part.shape[1:]) for part in mniw.draw(family, 2 * draws, rng))
        each = [of_prior(params, rng, 8, *law) for law in zip(*laws, strict=True)]
        many = on_device(jax.tree.map(lambda *parts: np.stack(parts), *each))
        prior = jax.device_get(jax.jit(lambda given: jax.lax.map(told_by, given))(many))
        starts = jax.tree.map(lambda part: part[:chains], many)
        found = jax.device_get(
            jax.jit(lambda given: jax.lax.map(chain, given))((starts, jax.random.split(key, chains)))
        )
    scores = geweke.scores(prior, found)
    print({name: round(score, 2) for name, score in scores.items()})
    assert max(abs(score) for score in scores.values()) < 4


@pytest.mark.slow
def test_what_drives_another_cluster_is_found(key):
    """Two clusters of four neurons; the mean of the second follows that of the first one bin later."""
    bins, truth = 400, np.zeros((2, 2, 2, 2))
    truth[0, :, 0] = truth[1, :, 1] = 0.6 * np.eye(2)
    truth[1, 0, 0, 0] = 0.5
    rng = np.random.default_rng(0)
    x = np.zeros((bins, 4))
    for t in range(1, bins):
        x[t] = truth.reshape(4, 4) @ x[t - 1] + 0.3 * rng.normal(size=4)
    params, _ = case(0)
    label = np.repeat([0, 1], 4).astype(np.int32)
    with precision.double():
        params = coupled.uncoupled(params)._replace(
            label=label,
            state=np.zeros(bins, np.int32),
            offset=np.full(8, 2.0),
            loadings=rng.normal(size=(8, 1)),
            dispersion=np.full(8, 20.0),
            trajectories=np.concatenate([np.moveaxis(x.reshape(bins, 2, 2), 1, 0), np.zeros((1, bins, 2))]),
        )
        params = on_device(params)
        rate = np.exp(np.asarray(log_rate(params)))
        counts = rng.poisson(rate * rng.gamma(20.0, 1 / 20.0, rate.shape)).astype(float)
        data = on_device(jax.device_get(data_of(counts, np.ones_like(counts))))
        start = params._replace(trajectories=jnp.zeros_like(params.trajectories))

        def step(now, number):
            keys = jax.random.split(jax.random.fold_in(key, number), 3)
            told = augmented(keys[0], data, log_rate(now), now.dispersion)
            now = now._replace(trajectories=coupled.draw_trajectories(now, told, keys[1]))
            now = coupled.draw_laws(FULL, now, jnp.ones(3, bool), keys[2])[0]
            return now, now.transition[0, :2, 0, :2, 0]

        means = np.asarray(jax.jit(lambda: jax.lax.scan(step, start, jnp.arange(300))[1])())[100:]
    got, spread = means.mean(axis=0), means.std(axis=0)
    print(got.round(3), spread.round(3))
    np.testing.assert_allclose(got, truth[:, 0, :, 0], atol=0.15)
    assert (np.abs(got - truth[:, 0, :, 0]) < 4 * spread).all()
    assert got[1, 0] > 4 * spread[1, 0]
