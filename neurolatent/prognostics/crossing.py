r"""Remaining life as the time until the simulated signal crosses the level of failure (read-out R3).

From the filter's belief and the last p values, chain and autoregression are rolled forward; remaining life is the
first step m with a value at or below :math:`\eta`, the median value of training units at their failure (or at or above
it, where the signal rises). All rows share one set of random paths, so that the curve along time is smooth and no row
depends on how many there are.

Reference: specification of the ARPHMM, section 9, R3 (first passage by simulation).
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from neurolatent.checks import whole_number
from neurolatent.compiling import compiled, key_of, on_device
from neurolatent.models.arphmm import ARPHMM, ARPHMMParams
from neurolatent.models.arphmm.structure import expand_transition
from neurolatent.precision import in_double
from neurolatent.preparation import Learned
from neurolatent.prognostics.failure_level import failure_level
from neurolatent.prognostics.readout import Estimate, Lives
from neurolatent.prognostics.view import View

BLOCK = 256  # rows of one call: the one shape that is compiled
MARGIN = 0.5  # of the signal's range in training: how far beyond it a simulated value may go (explosive states exist)


@dataclass(frozen=True)
class Crossing:
    """First passage of the simulated signal.

    Attributes:
        n_paths: Simulated paths, shared out over the parameter sets of the fit.
        horizon: Steps after which a path counts as not crossing; also the answer then, where there is no cap.
    """

    n_paths: int = 128  # ours: the error of the mean is then a tenth of the spread of lives
    horizon: int = 300  # specification, section 9, R3

    def __post_init__(self) -> None:
        whole_number("n_paths", self.n_paths, 1)
        whole_number("horizon", self.horizon, 1)

    @property
    def name(self) -> str:
        """For figures and tables."""
        return "crossing"

    @property
    def uses_states(self) -> bool:
        """Whether the model's hidden states have a part in the answer."""
        return True

    def learn(self, view: View, lives: Lives, *, seed: int) -> Learned:
        """The level of failure, the direction of wear and the range of the signal."""
        level, sign = failure_level(view, lives, self.name)
        low, high = float(np.nanmin(view.level)), float(np.nanmax(view.level))
        reach = MARGIN * (high - low)
        return {
            "level": np.asarray(level),
            "sign": np.asarray(sign),
            "range": np.array([low - reach, high + reach]),
            "cap": np.asarray(min(lives.cap, float(self.horizon))),
            "seed": np.asarray(seed),
        }

    @in_double
    def estimate(self, view: View, learned: Learned, asked: np.ndarray) -> Estimate:
        """Mean and spread of the capped time to the crossing over paths and parameter sets."""
        steps = int(min(self.horizon, np.ceil(float(learned["cap"]))))
        plan = Plan(view.fit.model, steps, -(-self.n_paths // len(view.sets)))
        lags = _lags(view, asked)
        first, second = np.zeros(len(asked)), np.zeros(len(asked))
        for number, params in enumerate(view.sets):
            key = jax.random.fold_in(key_of(int(learned["seed"])), number)
            time = np.minimum(_all_rows(plan, params, key, learned, view.beliefs[number][asked], lags), learned["cap"])
            first, second = first + time.mean(axis=1), second + (time**2).mean(axis=1)
        mean = first / len(view.sets)
        missing = np.isnan(lags).any(axis=(1, 2))
        sd = np.sqrt(np.maximum(second / len(view.sets) - mean**2, 0.0))
        return Estimate(np.where(missing, np.nan, mean), np.where(missing, np.nan, sd))


class Plan(NamedTuple):
    """What is compiled into the program."""

    model: ARPHMM
    steps: int
    paths: int


def _lags(view: View, asked: np.ndarray) -> Float[np.ndarray, "asked order features"]:
    """The last values at each row, latest first; the first value stands for those before it."""
    order = view.fit.model.order
    back = np.minimum(np.arange(order), view.rows.position[asked, None])
    return view.level[asked[:, None] - back]


def _all_rows(
    plan: Plan, params: Any, key: PRNGKeyArray, learned: Learned, belief: np.ndarray, lags: np.ndarray
) -> Float[np.ndarray, "asked paths"]:
    """Crossing times of all rows, in blocks of one size."""
    inside = on_device(ARPHMMParams(*params))
    bounds = on_device((learned["level"], learned["sign"], learned["range"]))
    out = []
    for begin in range(0, len(belief), BLOCK):
        part, past = belief[begin : begin + BLOCK], np.nan_to_num(lags[begin : begin + BLOCK])
        spare = [(0, BLOCK - len(part))]
        whole = np.pad(part, [*spare, (0, 0)], constant_values=1.0), np.pad(past, [*spare, (0, 0), (0, 0)])
        found = _crossing_times(plan, inside, key, bounds, *on_device(whole))
        out.append(np.asarray(found)[: len(part)])
    return np.concatenate(out) if out else np.zeros((0, plan.paths))


@compiled(static=(0,))
def _crossing_times(
    plan: Plan,
    params: ARPHMMParams,
    key: PRNGKeyArray,
    bounds: tuple[Array, Array, Array],
    belief: Float[Array, "rows places"],
    lags: Float[Array, "rows order features"],
) -> Float[Array, "rows paths"]:
    """First step of each path at or beyond the level; the number of steps where there is none."""
    level, sign, limits = bounds
    substates = plan.model.n_substates
    moves = jnp.cumsum(expand_transition(params.transition, params.advance, substates), axis=1)
    sd = jnp.sqrt(params.covariance[:, 0, 0])
    key_start, key_moves, key_noise = jax.random.split(key, 3)
    uniform = jax.random.uniform(key_moves, (plan.steps, plan.paths))
    noise = jax.random.normal(key_noise, (plan.steps, plan.paths))
    places = moves.shape[0]

    def draw(sums: Float[Array, "rows paths places"], u: Float[Array, " paths"]) -> Array:
        return jnp.minimum((sums <= u[:, None] * sums[..., -1:]).sum(axis=-1), places - 1)

    def step(carry: tuple[Array, ...], inputs: tuple[Array, Array, Array]) -> tuple[tuple[Array, ...], None]:
        here, past, time = carry
        u, e, number = inputs
        here = draw(moves[here], u)
        state = here // substates
        value = params.coefficients[state, 0, -1] + sd[state] * e
        for lag in range(past.shape[-1]):
            value = value + params.coefficients[state, 0, lag] * past[..., lag]
        value = jnp.clip(value, limits[0], limits[1])
        crossed = sign * (value - level) <= 0
        time = jnp.where(crossed & (time == plan.steps), number, time)
        past = jnp.concatenate([value[..., None], past], axis=-1)[..., : past.shape[-1]]
        return (here, past, time), None

    rows = belief.shape[0]
    begin = jnp.broadcast_to(jnp.cumsum(belief, axis=1)[:, None], (rows, plan.paths, places))
    here = draw(begin, jax.random.uniform(key_start, (plan.paths,)))
    past = jnp.broadcast_to(lags[:, None, :, 0], (rows, plan.paths, lags.shape[1]))
    time = jnp.full((rows, plan.paths), float(plan.steps))
    numbers = jnp.arange(1, plan.steps + 1, dtype=time.dtype)
    (_, _, time), _ = jax.lax.scan(step, (here, past, time), (uniform, noise, numbers))
    return time
