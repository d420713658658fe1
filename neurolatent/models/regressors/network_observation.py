r"""A nonlinear observation model, :math:`x = h(z) + N(0, \Lambda)` with a neural network :math:`h`, and its filters.

The extended and the unscented Kalman filter and the bootstrap particle filter, with which a discriminative filter is
compared. :math:`\Lambda` is the mean outer product of residuals of rows that the network has not seen.

Reference: Burkhart et al. (2020), Neural Computation 32(5):969-1017 (a network of 10 tanh units, for both Kalman
filters).
"""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Bool, Float

from neurolatent.checks import at_least, one_of, whole_number
from neurolatent.compiling import compiled
from neurolatent.models.regressors.mlp import MLP, Network
from neurolatent.models.regressors.protocol import Inputs, OwnFiltered, Targets
from neurolatent.ops.kalman import Dynamics, Filtered, predict
from neurolatent.ops.nonlinear_kalman import Moving, Observing, filter_observed, linearised, observe, unscented
from neurolatent.ops.particle import Swarm, particle_filter, weigh

PUSHES = {"ekf": linearised, "ukf": unscented}
SHARE = 0.7  # of the rows, for the network; the others are for its noise, as for a regression
FLOOR = 1e-6  # of a particle filter's covariances, relative to the stationary one: few particles may span no volume


class Emission(NamedTuple):
    """What is learned: a network of one hidden layer from the state to the inputs, and its noise."""

    hidden: Float[np.ndarray, "outputs units"]
    hidden_level: Float[np.ndarray, " units"]
    readout: Float[np.ndarray, "units inputs"]
    readout_level: Float[np.ndarray, " inputs"]
    noise: Float[np.ndarray, "inputs inputs"]  # Lambda
    stationary: Float[np.ndarray, "outputs outputs"]  # of the state, under which a row alone speaks of it
    seed: Float[np.ndarray, ""]  # of the particles


@dataclass(frozen=True)
class NetworkObservation:
    """Inputs follow from the state by a small network, with Gaussian noise; filtered in one of three ways.

    Attributes:
        filter: ``ekf`` linearises the network at the prediction, ``ukf`` asks it at 2d points, ``particle`` at many.
        units, penalty, steps: Of the network, see :class:`neurolatent.models.regressors.MLP`.
        particles: Number of particles.
    """

    filter: Literal["ekf", "ukf", "particle"] = "ukf"
    units: int = 10
    penalty: float | int = 1e-2
    steps: int = 300
    particles: int = 1000

    def __post_init__(self) -> None:
        one_of("filter", self.filter, ("ekf", "ukf", "particle"))
        for name in ("units", "steps", "particles"):
            whole_number(name, getattr(self, name), 1)
        at_least("penalty", self.penalty, 0.0)

    def learn(self, x: Inputs, z: Targets, generator: np.random.Generator, tuned: Emission | None = None) -> Emission:
        """The network and its noise; the noise of ``tuned`` is kept."""
        network = MLP(self.units, self.penalty, self.steps)
        if tuned is not None:
            return Emission(*network.learn(z, x, generator), *tuned[len(Network._fields) :])
        order = generator.permutation(len(x))
        first, second = np.split(order, [round(SHARE * len(x))])
        learned = network.learn(z[first], x[first], generator)
        left = x[second] - network.predict(learned, z[second])
        stationary = np.cov(z, rowvar=False).reshape(z.shape[1], -1)
        return Emission(*learned, left.T @ left / len(left), stationary, np.asarray(float(generator.integers(2**31))))

    def predict(self, learned: Emission, x: Inputs) -> Targets:
        """The state that each row speaks for, alone."""
        mean = np.zeros(len(learned.stationary))
        return jax.device_get(_alone(self.filter, self.particles, learned, mean, learned.stationary, x)[0])

    def filtered(
        self,
        learned: Emission,
        dynamics: Dynamics,
        x: Float[np.ndarray, "sequences time inputs"],
        heard: Bool[np.ndarray, "sequences time"],
    ) -> OwnFiltered:
        """Beliefs of every bin, started at the law of ``dynamics``."""
        numbers = np.arange(len(x), dtype=np.uint32)
        return jax.device_get(_filtered(self.filter, self.particles, learned, dynamics, (x, heard, numbers)))

    def restored(self, values: dict[str, np.ndarray]) -> Emission:
        """The network and its noise, from their arrays by name."""
        return Emission(**values)


def _network(learned: Emission, z: Array) -> Array:
    """The inputs that follow from states, of any leading axes."""
    return jnp.tanh(z @ learned.hidden + learned.hidden_level) @ learned.readout + learned.readout_level


def _whitened(learned: Emission, x: Array) -> tuple[Array, Array]:
    """Rows of inputs whose noise has the identity as covariance, and the level of their log density."""
    root = jnp.linalg.cholesky(jnp.asarray(learned.noise))
    level = -jnp.sum(jnp.log(jnp.diagonal(root))) - 0.5 * len(root) * jnp.log(2 * jnp.pi)
    return solve_triangular(root, x.T, lower=True).T, level


def _drawn(key: Any, cov: Array, count: int) -> Array:
    return jax.random.normal(key, (count, len(cov)), cov.dtype) @ jnp.linalg.cholesky(cov).T


@compiled(static=(0, 1), runs_once=True)
def _alone(how: str, count: int, learned: Emission, mean: Any, cov: Any, x: Any) -> tuple[Array, Array]:
    """Mean of the state given each row alone, and log density of the row, under N(mean, cov) before it."""
    return _each_alone(how, count, learned, mean, cov, x)


def _each_alone(how: str, count: int, learned: Emission, mean: Any, cov: Any, x: Any) -> tuple[Array, Array]:
    mean, cov, x = map(jnp.asarray, (mean, cov, x))
    if how in PUSHES:
        observing = Observing(lambda z: _network(learned, z), jnp.asarray(learned.noise))
        found = jax.vmap(lambda row: observe(mean, cov, row, observing, push=PUSHES[how]))(x)
        return found[0], found[2]
    points = mean + _drawn(_key(learned), cov, count)
    seen, level = _whitened(learned, x)
    told, _ = _whitened(learned, _network(learned, points))
    logs = level - 0.5 * jnp.sum(seen**2, 1)[:, None] - 0.5 * jnp.sum(told**2, 1) + seen @ told.T
    found = jax.lax.map(lambda row: weigh(points, row)[1], logs)
    return found.mean, found.log_increments


def _key(learned: Emission) -> Any:
    return jax.random.key(jnp.asarray(learned.seed).astype(jnp.uint32))


@compiled(static=(0, 1))
def _filtered(how: str, count: int, learned: Emission, dynamics: Dynamics, data: tuple) -> OwnFiltered:
    return jax.vmap(lambda *one: _sequence(how, count, learned, dynamics, one))(*data)


def _sequence(how: str, count: int, learned: Emission, dynamics: Dynamics, data: tuple) -> OwnFiltered:
    x, heard, number = data
    alone = _each_alone(how, count, learned, dynamics.mean, dynamics.cov, x)[1]
    if how in PUSHES:
        moving = Moving(lambda z: dynamics.transition @ z, dynamics.innovation, dynamics.mean, dynamics.cov)
        observing = Observing(lambda z: _network(learned, z), jnp.asarray(learned.noise))
        found = filter_observed(moving, observing, x, heard, push=PUSHES[how])
        return OwnFiltered(found._replace(log_increments=jnp.where(heard, found.log_increments - alone, 0.0)))
    return _swarm(count, learned, dynamics, (x, heard, number), alone)


def _swarm(count: int, learned: Emission, dynamics: Dynamics, data: tuple, alone: Array) -> OwnFiltered:
    x, heard, number = data
    seen, level = _whitened(learned, x)
    swarm = Swarm(
        lambda key: dynamics.mean + _drawn(key, dynamics.cov, count),
        lambda key, points: points @ dynamics.transition.T + _drawn(key, dynamics.innovation, count),
    )

    def log_density(row: Array, points: Array) -> Array:
        return level - 0.5 * jnp.sum((row - _whitened(learned, _network(learned, points))[0]) ** 2, axis=1)

    found = particle_filter(jax.random.fold_in(_key(learned), number), swarm, log_density, seen, heard)
    cov = found.cov + FLOOR * dynamics.cov
    ahead = jax.vmap(lambda mean, spread: predict(mean, spread, dynamics))(found.mean[:-1], cov[:-1])
    before = [jnp.concatenate([a[None], b]) for a, b in zip((dynamics.mean, dynamics.cov), ahead, strict=True)]
    gains = jnp.where(heard, found.log_increments - alone, 0.0)
    return OwnFiltered(Filtered(found.mean, cov, before[0], before[1], gains), found.effective)
