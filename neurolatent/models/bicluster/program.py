r"""The finite version as a NumPyro program: prior and likelihood as one density, for prior predictive draws and tests.

Components, states and laws of motion stand there one by one, up to the bounds, where the sampler integrates out what
it can. Weights of components are masses :math:`\sim Gamma(\gamma, 1)`, of which the first K count: divided by their
sum they have the law :math:`Dir_K(\gamma, ..., \gamma)` whatever K is. The density of the laws lacks the constant of
the restriction to stable ones.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray
from numpyro.distributions import constraints

from neurolatent.checks import InputError
from neurolatent.models.bicluster import concentrations, dynamics
from neurolatent.models.bicluster.likelihood import HIGHEST, log_rate
from neurolatent.models.bicluster.params import BiclusterData, BiclusterParams
from neurolatent.models.bicluster.states import LEAST
from neurolatent.ops import mniw, small
from neurolatent.ops.partitions import geometric_log_prior

Drawn = Any  # what NumPyro says a site gives


def program(model: Any, data: BiclusterData) -> None:
    """Declare everything that a draw holds, and the counts.

    Sites that are parts of a draw have its names; ``state`` and the three parts of ``laws`` are told from sites.
    ``handlers.uncondition`` turns it into a simulator: then the site ``counts`` is drawn, also where nothing was
    observed.

    Raises:
        InputError: Clusters are coupled.
    """
    if model.coupling == "full":
        raise InputError("the NumPyro program has clusters with laws of their own: take coupling='block'")
    neurons, bins = data.counts.shape
    label: Drawn = _label(model, neurons)
    drawn: Drawn = numpyro.deterministic("concentrations", _concentrations(model))
    weights, jumps, state = _states(model, bins, drawn)
    laws, trajectories = _paths(model, neurons, state)
    with numpyro.plate("neuron", neurons):
        offset: Drawn = numpyro.sample("offset", dist.Normal(0.0, float(model.offset_sd)))
        loadings: Drawn = numpyro.sample("loadings", dist.Normal(0.0, 1.0).expand([model.n_factors]).to_event(1))
        gamma = dist.Gamma(float(model.dispersion_shape), float(model.dispersion_rate))
        dispersion: Drawn = numpyro.sample("dispersion", gamma)
    draw = BiclusterParams(label, state, offset, loadings, dispersion, trajectories, *laws, weights, jumps, drawn)
    law = _counts(model, log_rate(draw), dispersion).mask(jnp.asarray(data.seen) > 0).to_event(2)
    numpyro.sample("counts", law, obs=jnp.asarray(data.counts))


def _categorical(logits: Float[Array, " levels"]) -> Drawn:
    """NumPyro's law by logits, whose type says that it may be none."""
    return dist.Categorical(logits=logits)


def _label(model: Any, neurons: int) -> Drawn:
    """Number of components, their masses, and the component of each neuron."""
    most = model.n_slots(neurons)
    log_prior = jnp.asarray(geometric_log_prior(model.rho, most))
    count: Drawn = numpyro.sample("further_components", _categorical(log_prior))  # beyond the first
    mass: Drawn = numpyro.sample("mass", dist.Gamma(float(model.concentration), 1.0).expand([most]).to_event(1))
    logits = jnp.where(jnp.arange(most) <= count, jnp.log(mass), -jnp.inf)
    with numpyro.plate("neuron", neurons):
        return numpyro.sample("label", _categorical(logits))


def _concentrations(model: Any) -> Float[Array, " concentration"]:
    """Concentrations: s, phi and gamma of their priors, or the model's values."""
    if not model.update_hdp:
        return jnp.asarray(concentrations.of_model(model))
    law = dist.Gamma(concentrations.SHAPE, concentrations.RATE)
    total: Drawn = numpyro.sample("total_concentration", law)
    stickiness: Drawn = numpyro.sample("stickiness", dist.Beta(concentrations.STICKY, concentrations.LOOSE))
    gamma: Drawn = numpyro.sample("weight_concentration", law)
    return concentrations.of_parts(total, stickiness, gamma)


def _states(model: Any, bins: int, given: Drawn) -> tuple[Drawn, Drawn, Drawn]:
    """Weights, transition rows, and the state of each bin, of the first that of the second."""
    states, (alpha, gamma, kappa) = model.max_states, given
    weights: Drawn = numpyro.sample("weights", dist.Dirichlet(jnp.full(states, gamma / states)))
    rows = jnp.maximum(alpha * weights + kappa * jnp.eye(states), LEAST)
    jumps: Drawn = numpyro.sample("jumps", dist.Dirichlet(rows).to_event(1))
    steps: Drawn = numpyro.sample("steps", MarkovChain(jumps, bins - 1))
    return weights, jumps, numpyro.deterministic("state", jnp.concatenate([steps[:1], steps]))


def _paths(model: Any, neurons: int, state: Int[Array, " bin"]) -> tuple[dynamics.Dynamics, Drawn]:
    """Laws of motion, and the trajectory of each component, with neurons or without."""
    shape, size = (model.max_states, model.n_slots(neurons)), model.n_factors + 1
    both: Drawn = numpyro.sample("laws", LawsOfMotion(model, shape, size))
    parts = (both[..., :size], both[..., size], both[..., size + 1 :])
    names = dynamics.Dynamics._fields
    each: list[Drawn] = [numpyro.deterministic(n, part) for n, part in zip(names, parts, strict=True)]
    laws = dynamics.Dynamics(*each)
    return laws, numpyro.sample("trajectories", Trajectories(laws, state))


def _counts(model: Any, eta: Float[Array, "neuron bin"], dispersion: Float[Array, " neuron"]) -> Drawn:
    eta = jnp.minimum(eta, HIGHEST)
    if model.family == "poisson":
        return dist.Poisson(jnp.exp(eta))
    r = dispersion[:, None]
    return dist.NegativeBinomialLogits(r, eta - jnp.log(r))


def _is_stable(transition: Float[Array, "*batch coordinate coordinate_from"]) -> Bool[Array, "*batch"]:
    return small.is_within_radius(small.entries(transition), dynamics.LARGEST)


def _repeated(draw: Callable[[PRNGKeyArray], Array], key: PRNGKeyArray, shape: tuple[int, ...]) -> Array:
    """Independent draws on leading axes."""
    if not shape:
        return draw(key)
    drawn = jax.lax.map(draw, jax.random.split(key, math.prod(shape)))
    return drawn.reshape(*shape, *drawn.shape[1:])


class MarkovChain(dist.Distribution):
    """States one after the other, the first from all alike."""

    @property
    def support(self) -> Any:
        """What a value may be."""
        return constraints.independent(constraints.nonnegative_integer, 1)

    def __init__(self, jumps: Float[Array, "state state_to"], length: int) -> None:
        self.log_jumps = jnp.log(jumps)
        super().__init__(event_shape=(length,))

    def sample(self, key: Any, sample_shape: tuple[int, ...] = ()) -> Any:
        """Draws."""
        return _repeated(self._draw, key, sample_shape)

    def _draw(self, key: PRNGKeyArray) -> Int[Array, " length"]:
        first, *_ = keys = jax.random.split(key, self.event_shape[0])

        def step(state: Array, key: Array) -> tuple[Array, Array]:
            state = jax.random.categorical(key, self.log_jumps[state])
            return state, state

        start = jax.random.randint(first, (), 0, len(self.log_jumps))
        return jnp.concatenate([start[None], jax.lax.scan(step, start, keys[1:])[1]])

    def log_prob(self, value: Any, intermediates: Any = None) -> Float[Array, ""]:
        """Log probability, nats."""
        return self.log_jumps[value[:-1], value[1:]].sum() - jnp.log(len(self.log_jumps))


class LawsOfMotion(dist.Distribution):
    """Laws [A b Q] of all states and components: the matrix-normal inverse-Wishart prior, stable ones alone."""

    @property
    def support(self) -> Any:
        """What a value may be."""
        return constraints.independent(constraints.real, 4)

    def __init__(self, model: Any, places: tuple[int, int], size: int) -> None:
        self.model, self.places, self.size = model, places, size
        super().__init__(event_shape=(*places, size, 2 * size + 1))

    def sample(self, key: Any, sample_shape: tuple[int, ...] = ()) -> Any:
        """Draws."""
        return _repeated(self._draw, key, sample_shape)

    def _draw(self, key: PRNGKeyArray) -> Float[Array, "state component coordinate number"]:
        drawn = jax.lax.map(self._one, jax.random.split(key, math.prod(self.places)))
        return drawn.reshape(self.event_shape)

    def _one(self, key: PRNGKeyArray) -> Float[Array, "coordinate number"]:
        """A law from the prior, again and again until it is stable."""
        prior, size = dynamics.prior_family(self.model, self.size), self.size
        wishart: Any = dist.WishartCholesky(prior.freedom, scale_tril=np.linalg.cholesky(np.linalg.inv(prior.scale)))
        spread = jnp.asarray(np.linalg.inv(np.linalg.cholesky(prior.precision)))

        def again(carry: tuple[Array, Array]) -> tuple[Array, Array]:
            key_left, key_noise, key_mean = jax.random.split(carry[0], 3)
            whole = small.root_of(small.entries(wishart.sample(key_noise)))  # of the precision
            root = small.from_entries(small.transposed(small.lower_inverse(whole)))  # of the covariance
            white = jax.random.normal(key_mean, (size, size + 1), root.dtype)
            both = jnp.asarray(prior.mean) + root @ white @ spread
            return key_left, jnp.concatenate([both, root @ root.T], axis=1)

        def is_outside(carry: tuple[Array, Array]) -> Array:
            return self.model.stable & ~_is_stable(carry[1][:, :size])

        return jax.lax.while_loop(is_outside, again, again((key, jnp.zeros(()))))[1]

    def log_prob(self, value: Any, intermediates: Any = None) -> Float[Array, ""]:
        """Log density without the constant of the restriction, nats; -inf where a law is not stable."""
        prior, size = dynamics.prior_family(self.model, self.size), self.size
        mean, precision = jnp.asarray(prior.mean), jnp.diagonal(jnp.asarray(prior.precision))

        def one(law: Array) -> Array:
            both, noise = law[:, : size + 1], law[:, size + 1 :]
            density = mniw.matrix_normal_log_density(both, mean, noise, precision)
            return density + mniw.inverse_wishart_log_density(noise, prior.freedom, jnp.asarray(prior.scale))

        flat = value.reshape(-1, size, 2 * size + 1)
        is_inside = _is_stable(flat[..., :size]) | (not self.model.stable)
        return jnp.where(is_inside, jax.lax.map(one, flat), -jnp.inf).sum()


class Trajectories(dist.Distribution):
    """Paths of all components along the states, from N(0, I)."""

    @property
    def support(self) -> Any:
        """What a value may be."""
        return constraints.independent(constraints.real, 3)

    def __init__(self, laws: dynamics.Dynamics, state: Int[Array, " bin"]) -> None:
        self.laws, self.state = laws, state
        super().__init__(event_shape=(laws.shift.shape[1], len(state), laws.shift.shape[2]))

    def sample(self, key: Any, sample_shape: tuple[int, ...] = ()) -> Any:
        """Draws."""
        return _repeated(lambda one: dynamics.roll_out(one, self.laws, self.state), key, sample_shape)

    def log_prob(self, value: Any, intermediates: Any = None) -> Float[Array, ""]:
        """Log density, nats."""
        x, at = jnp.swapaxes(value, 0, 1), self.state[1:]
        moved = jnp.einsum("tjab,tjb->tja", self.laws.transition[at], x[:-1])
        root = small.cholesky(small.entries(self.laws.innovation))
        inverse = small.from_entries(small.lower_inverse(root))
        white = jnp.einsum("tjab,tjb->tja", inverse[at], x[1:] - moved - self.laws.shift[at])
        white = jnp.concatenate([x[:1], white])
        half_log_det = jnp.log(jnp.diagonal(inverse, axis1=-2, axis2=-1)).sum(axis=-1)[at].sum()
        return dist.Normal(0.0, 1.0).log_prob(white).sum() + half_log_det
