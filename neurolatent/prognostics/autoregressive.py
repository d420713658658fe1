r"""Remaining life by one regression per state, mixed by what the filter says of the states (read-out R1).

With x the last P values of the signal and an intercept, :math:`r_t = C_k x_t + e`, :math:`e \sim N(0, \sigma_k^2)`,
and filtered probabilities q,

.. math:: E[r_t] = \sum_k q_k C_k x_t, \quad Var[r_t] = \sum_k q_k (\sigma_k^2 + m_k^2) - E[r_t]^2, \quad m_k = C_k x_t.

Source: the read-out of Juesas, Ramasso, Drujont and Placet (2016), with a window that looks back and not ahead, an
intercept, and filtered beliefs in place of labels, so that training and running units are read by the same rule.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from neurolatent.checks import at_least, whole_number
from neurolatent.preparation import Learned
from neurolatent.prognostics.readout import Estimate, Lives, weighted_rows
from neurolatent.prognostics.view import View

LEAST_WEIGHT = 10.0  # rows that a state needs for a regression of its own: below it the pooled one stands


@dataclass(frozen=True)
class Autoregressive:
    """One regression of remaining life per state.

    Attributes:
        window: Values of the signal that a regression sees, the latest included.
        ridge: Penalty, relative to the mean square of the regressors; not on the intercept.
    """

    window: int = 7  # P of the authors' code
    ridge: float | int = 1e-6  # specification of the method, section 9, R1

    def __post_init__(self) -> None:
        whole_number("window", self.window, 1)
        at_least("ridge", self.ridge, 0.0)

    @property
    def name(self) -> str:
        """For figures and tables."""
        return "autoregressive"

    @property
    def uses_states(self) -> bool:
        """Whether the model's hidden states have a part in the answer."""
        return True

    def learn(self, view: View, lives: Lives, *, seed: int) -> Learned:
        """Coefficients (states, regressors) and noise (states,)."""
        x, belief = windows(view, self.window), state_belief(view)
        known = lives.known[np.isfinite(x[lives.known]).all(axis=1)]
        x, target = x[known], lives.target[known]
        pooled = _regression(x, target, np.ones(len(known)), float(self.ridge))
        coefficients, noise = [], []
        for weight in belief[known].T:
            own = _regression(x, target, weight, float(self.ridge)) if weight.sum() > LEAST_WEIGHT else pooled
            total = weight.sum() if weight.sum() > LEAST_WEIGHT else 1.0
            error = (weight * (target - x @ own) ** 2).sum() / total
            coefficients.append(own)
            noise.append(error if total > 1.0 else np.mean((target - x @ pooled) ** 2))
        return {"coefficients": np.stack(coefficients), "noise": np.sqrt(noise), "cap": np.asarray(lives.cap)}

    def estimate(self, view: View, learned: Learned, asked: np.ndarray) -> Estimate:
        """Mean and spread of the mixture over states."""
        x, q = windows(view, self.window)[asked], state_belief(view)[asked]
        means = np.stack([weighted_rows(x, c) for c in learned["coefficients"]], axis=1)
        means = np.clip(means, 0.0, float(learned["cap"]))
        mean = sum(q[:, k] * means[:, k] for k in range(q.shape[1]))
        square = sum(q[:, k] * (means[:, k] ** 2 + float(learned["noise"][k]) ** 2) for k in range(q.shape[1]))
        return Estimate(np.asarray(mean), np.sqrt(np.maximum(square - mean**2, 0.0)))


def windows(view: View, size: int) -> Float[np.ndarray, "rows regressors"]:
    """The last ``size`` values of each feature, latest first, and a one; the first value stands for those before it."""
    back = np.minimum(np.arange(size), view.rows.position[:, None])
    rows = np.arange(len(view.rows.position))[:, None] - back
    return np.concatenate([*(view.level[:, d][rows] for d in range(view.level.shape[1])), np.ones_like(rows[:, :1])], 1)


def state_belief(view: View) -> Float[np.ndarray, "rows states"]:
    """The belief of each state: its places together."""
    belief, substates = view.belief, view.fit.model.n_substates
    return belief.reshape(len(belief), -1, substates).sum(axis=2)


def _regression(x: np.ndarray, target: np.ndarray, weight: np.ndarray, ridge: float) -> np.ndarray:
    gram = (x * weight[:, None]).T @ x
    penalty = ridge * np.trace(gram) / len(gram) * np.eye(len(gram))
    penalty[-1, -1] = 0.0
    return np.linalg.solve(gram + penalty, (x * weight[:, None]).T @ target)
