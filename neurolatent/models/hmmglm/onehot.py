r"""The one-hot prior: every coupling is inhibitory, absent or excitatory, with a connectome that the states share.

.. math::
    W_{sij} = (a_{sij,exc} - a_{sij,inh}) \tilde W_{sij}, \quad a_{sij} \sim Concrete(A_{0,ij}, \tau), \quad
    \log \tilde W \sim N(\mu_w, \sigma_w^2).

EM goes through three phases, told apart by the number of the step. First the couplings are learned without the prior.
Then types and strengths start from them and are learned by gradient steps, while the temperature of
:math:`a = softmax(L / \tau)` falls and the weight :math:`\lambda` of the entropy rises:

.. math:: loss = -Q - \sum a \log A_0 + \lambda H(a) + \sum (\log \tilde W - \mu_w)^2 / (2 \sigma_w^2).

The connectome has a closed form (counts with sparse pseudo-counts). At last every type is projected on its likeliest
value, and bias and strengths of the couplings that are left are fitted again; from there on EM is an ordinary one,
whose objective never falls.

References: Li, Kim, Rodgers, Choi and Wu (2024), ICLR, arXiv 2310.15263; Maddison, Mnih and Teh (2017), ICLR (density
of the Concrete distribution). The annealing and its settings are ours, chosen on one synthetic data set (spec of the
method, section 4.3). ``relaxation="gumbel"`` draws the types anew at every gradient step and takes the Concrete density
as prior, as the public code does, but with all trials and the prior counted once.
"""

from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.nn import log_softmax, softplus
from jax.scipy.special import gammaln, logsumexp
from jaxtyping import Array, Float

from neurolatent.checks import one_of, positive, whole_number
from neurolatent.models.hmmglm import refit
from neurolatent.models.hmmglm.data import HMMGLMData
from neurolatent.models.hmmglm.inference import coefficients
from neurolatent.models.hmmglm.layout import free_weights
from neurolatent.models.hmmglm.params import HMMGLMParams
from neurolatent.models.hmmglm.priors import Free
from neurolatent.models.hmmglm.rows import Rows, value_of
from neurolatent.models.hmmglm.update import rows_of, update_regressions

LEAST = 0.05  # strength from which a coupling that was not found starts
HALF = 2.0  # logit of the type that the first couplings indicate; that of the others is minus this
FIRST_SD = 30.0  # of the couplings in the first phase, as in Ridge
SIGNS = np.array([-1.0, 0.0, 1.0])
LOG_2PI = 1.8378770664093453

Types = Float[Array, "*any types"]


@dataclass(frozen=True)
class OneHot:
    """Choices of the one-hot prior and of its annealing."""

    threshold: float = 0.3  # smaller couplings start as "none"; about 2.5 of their standard errors
    sparse: tuple[float, float, float] = (0.05, 1.0, 0.05)  # pseudo-counts of the connectome
    log_strength: float = float(np.log(0.7))  # mu_w
    log_strength_sd: float = 0.7  # sigma_w
    first_steps: int = 15  # EM steps without the prior
    annealing_steps: int = 25  # EM steps with it
    gradient_steps: int = 15  # of Adam in each
    learning_rate: float = 0.03
    hottest: float = 1.0  # temperature at the start of the annealing
    coldest: float = 0.2  # and at its end
    project: bool = True  # False: keep the soft types
    relaxation: Literal["annealed", "gumbel"] = "annealed"
    gumbel_seed: int = 0  # of the draws of relaxation="gumbel"

    def __post_init__(self) -> None:
        for name in ("first_steps", "annealing_steps", "gradient_steps"):
            whole_number(f"prior: {name}", getattr(self, name), 1)
        for name in ("threshold", "log_strength_sd", "learning_rate", "hottest", "coldest"):
            positive(f"prior: {name}", getattr(self, name))
        one_of("prior: relaxation", self.relaxation, ("annealed", "gumbel"))
        object.__setattr__(self, "sparse", tuple(float(a) for a in self.sparse))
        for count in self.sparse:
            positive("prior: sparse", count)

    @property
    def settling(self) -> int:
        """EM steps before the objective is that of an ordinary EM."""
        return self.first_steps + self.annealing_steps

    def begin(self, weights: np.ndarray, free: Free) -> dict[str, np.ndarray]:
        """Nothing is known yet; types and strengths start after the first phase."""
        shape = (*weights.shape, 3)
        third = np.full(shape, 1 / 3)
        return {"connectome": third[0], "types": third, "strength": np.ones(weights.shape)}

    def quadratic(self, params: HMMGLMParams) -> tuple[Array, Array]:
        """Mean and precision of the first phase: next to no prior."""
        return jnp.zeros_like(params.weights), jnp.full_like(params.weights, FIRST_SD**-2)

    def temperature(self, step: Array) -> Float[Array, ""]:
        """Tau of an annealing step, falling geometrically."""
        share = jnp.clip((step - self.first_steps) / max(self.annealing_steps - 1, 1), 0.0, 1.0)
        return self.hottest * (self.coldest / self.hottest) ** share

    def log_density(self, params: HMMGLMParams, free: Free) -> Float[Array, ""]:
        """Log prior of types given the connectome, and of the strengths of what is not "none"."""
        types = jnp.asarray(params.types)
        kept = jnp.where(free, 1 - types[..., 1], 0.0)
        chosen = jnp.sum(jnp.where(free[..., None], types * jnp.log(params.connectome), 0.0))
        return chosen + jnp.sum(kept * self.log_strength_density(jnp.asarray(params.strength)))

    def log_strength_density(self, strength: Array) -> Array:
        """Log density of the logarithm of a strength."""
        distance = (jnp.log(strength) - self.log_strength) / self.log_strength_sd
        return -0.5 * (distance**2 + LOG_2PI) - jnp.log(self.log_strength_sd)

    def update(
        self, model: Any, params: HMMGLMParams, data: HMMGLMData, weight: Array, *, use_prior: bool, step: Array
    ) -> HMMGLMParams:
        """The emission part of one EM step, in the phase that the number of the step says."""

        def first(params: HMMGLMParams) -> HMMGLMParams:
            found = update_regressions(model, params, data, weight, use_prior=use_prior, steps=2)
            return jax.lax.cond(step == self.first_steps - 1, lambda p: self._indicated(p), lambda p: p, found)

        def annealed(params: HMMGLMParams) -> HMMGLMParams:
            found = self._annealed(model, params, data, weight, step)
            if not self.project:
                return found
            last = step == self.settling - 1
            return jax.lax.cond(last, lambda p: self._projected(p), lambda p: p, found)

        def refitted(params: HMMGLMParams) -> HMMGLMParams:
            size = (self.log_strength, self.log_strength_sd)
            return refit.refitted(model, params, data, weight, log_strength=size) if self.project else annealed(params)

        phase = (step >= self.first_steps).astype(int) + (step >= self.settling)
        return jax.lax.switch(phase, (first, annealed, refitted), params)

    def _indicated(self, params: HMMGLMParams) -> HMMGLMParams:
        """Types and strengths from the couplings that were found without the prior."""
        weights = params.weights
        kind = jnp.where(jnp.abs(weights) < self.threshold, 1, jnp.where(weights > 0, 2, 0))
        types = jax.nn.softmax(HALF * (2 * jax.nn.one_hot(kind, 3, dtype=weights.dtype) - 1) / self.hottest)
        strength = jnp.maximum(jnp.abs(weights), LEAST)
        return self._composed(params._replace(connectome=self._connectome(types), types=types, strength=strength))

    def _connectome(self, types: Types) -> Float[Array, "targets regressors types"]:
        counts = types.sum(axis=0) + jnp.asarray(self.sparse)
        return counts / counts.sum(axis=-1, keepdims=True)

    def _composed(self, params: HMMGLMParams) -> HMMGLMParams:
        """With the weights that types and strengths make."""
        return params._replace(weights=(params.types @ jnp.asarray(SIGNS)) * params.strength)

    def _annealed(self, model: Any, params: HMMGLMParams, data: HMMGLMData, weight: Array, step: Array) -> HMMGLMParams:
        """Gradient steps on logits, strengths and the other coefficients, then the connectome."""
        rows, free = rows_of(model, params, data, weight), jnp.asarray(free_weights(model, data))
        tau, former = self.temperature(step), self.temperature(step - 1)
        share = jnp.clip((step - self.first_steps) / max(self.annealing_steps - 1, 1), 0.0, 1.0)
        raw = params.strength + jnp.log(-jnp.expm1(-params.strength))  # inverse of softplus
        start = (former * jnp.log(jnp.maximum(params.types, 1e-30)), raw, params.bias, params.taps)
        optimiser = optax.adam(self.learning_rate)
        keys = jax.random.split(jax.random.fold_in(jax.random.key(self.gumbel_seed), step), self.gradient_steps)

        def loss(values: tuple[Array, ...], key: Array) -> Array:
            return self._loss(model, self._with(params, values, tau), rows, free, (values[0], tau, share, key))

        def ascend(carry: tuple, key: Array) -> tuple[tuple, None]:
            values, state = carry
            moves, state = optimiser.update(jax.grad(loss)(values, key), state)
            return (optax.apply_updates(values, moves), state), None

        (values, _), _ = jax.lax.scan(ascend, (start, optimiser.init(start)), keys)
        found = self._with(params, values, tau)
        return found._replace(connectome=self._connectome(found.types))

    def _with(self, params: HMMGLMParams, values: tuple[Array, ...], tau: Array) -> HMMGLMParams:
        logits, raw, bias, taps = values
        types, strength = jax.nn.softmax(logits / tau), softplus(raw)
        return self._composed(params._replace(types=types, strength=strength, bias=bias, taps=taps))

    def _loss(self, model: Any, params: HMMGLMParams, rows: Rows, free: Array, at: tuple[Array, ...]) -> Array:
        """The negative expected log density with its penalties."""
        logits, tau, share, key = at
        log_types = log_softmax(logits / tau)
        if self.relaxation == "gumbel":
            drawn = jax.nn.softmax((log_softmax(logits) + jax.random.gumbel(key, logits.shape)) / tau)
            fit = value_of(model.family, coefficients(self._composed(params._replace(types=drawn))), params.noise, rows)
            prior = concrete_log_density(log_softmax(logits), jnp.log(params.connectome), tau)
            return -fit.sum() - jnp.sum(jnp.where(free, prior, 0.0))
        fit = value_of(model.family, coefficients(params), params.noise, rows)
        entropy = -jnp.sum(jnp.exp(log_types) * log_types, axis=-1)
        cross = -jnp.sum(jnp.exp(log_types) * jnp.log(params.connectome), axis=-1)
        size = 0.5 * ((jnp.log(params.strength) - self.log_strength) / self.log_strength_sd) ** 2
        return -fit.sum() + jnp.sum(jnp.where(free, cross + share * entropy + size, 0.0))

    def _projected(self, params: HMMGLMParams) -> HMMGLMParams:
        """Every type at its likeliest value."""
        hard = jax.nn.one_hot(params.types.argmax(axis=-1), 3, dtype=params.types.dtype)
        return self._composed(params._replace(types=hard))


def concrete_log_density(log_a: Types, log_p: Types, tau: Float[Array, ""] | float) -> Float[Array, "*any"]:
    r"""Log density of the Concrete (Gumbel-softmax) distribution on the simplex.

    .. math:: \log\Gamma(k) + (k-1)\log\tau - k\,\mathrm{lse}(\log p - \tau\log a) + \sum (\log p - (\tau+1)\log a)

    It is unbounded at the corners: never compare it between models.

    Reference: Maddison, Mnih and Teh (2017), ICLR, definition 1.
    """
    size = log_a.shape[-1]
    spread = size * logsumexp(log_p - tau * log_a, axis=-1)
    return gammaln(float(size)) + (size - 1) * jnp.log(tau) - spread + jnp.sum(log_p - (tau + 1) * log_a, axis=-1)
