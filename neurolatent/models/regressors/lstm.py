r"""A long short-term memory over the bins of a window, read out after the last one; trained with early stopping.

.. math::
    i, f, o = \sigma(W x + U h + b)_{i, f, o}, \quad g = \tanh(W x + U h + b)_g, \quad
    c \leftarrow f c + i g, \quad h \leftarrow o \tanh(c)

References: Hochreiter and Schmidhuber (1997), Neural Computation 9(8):1735-1780; Burkhart et al. (2020), Neural
Computation 32(5):969-1017 (three bins, 20 units, a linear read-out, no filter after it). Adam with early stopping in
the place of a fixed number of rounds is ours.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy.special import expit

from neurolatent.checks import InputError, positive, whole_number, within
from neurolatent.compiling import compiled
from neurolatent.models.regressors.protocol import Inputs, Targets


class Memory(NamedTuple):
    """What is learned; the gates stand in the order i, f, g, o."""

    inputs_weights: Float[np.ndarray, "gates bin_inputs"]  # W
    hidden_weights: Float[np.ndarray, "gates units"]  # U
    gates_level: Float[np.ndarray, " gates"]  # b
    readout: Float[np.ndarray, "outputs units"]
    readout_level: Float[np.ndarray, " outputs"]


@dataclass(frozen=True)
class LSTM:
    """A recurrent network over a window of bins; training it needs equinox, the extra ``networks``.

    Attributes:
        bins: In the window, oldest first: 1 + ``bins_before`` + ``bins_after`` of the model.
        rate: Of Adam.
        batch: Rows of a step.
        rounds: At most so many times through the rows.
        patience: Rounds without a smaller error on held-out rows before it stops; the best round's weights are kept.
        held_out: Share of the rows, the last ones in time, that only tell when to stop.
    """

    bins: int = 3
    units: int = 20
    rate: float = 1e-2
    batch: int = 200
    rounds: int = 100
    patience: int = 15
    held_out: float = 0.2

    def __post_init__(self) -> None:
        for name in ("bins", "units", "batch", "rounds", "patience"):
            whole_number(name, getattr(self, name), 1)
        positive("rate", self.rate)
        within("held_out", self.held_out, 0.01, 0.9)

    def learn(self, x: Inputs, z: Targets, generator: np.random.Generator, tuned: Memory | None = None) -> Memory:
        """The weights of the round with the least error on the last rows."""
        if x.shape[1] % self.bins:
            raise InputError(f"{x.shape[1]} inputs are not those of {self.bins} bins: set bins_before={self.bins - 1}")
        windows = x.reshape(len(x), self.bins, -1).astype(np.float32)
        last = round(self.held_out * len(x))
        rows, later = (windows[:-last], z[:-last].astype(np.float32)), (windows[-last:], z[-last:].astype(np.float32))
        state = _start(self, windows.shape[2], z.shape[1], int(generator.integers(2**31)))
        kept, least, since = state[0], np.inf, 0
        for _ in range(self.rounds):
            state, error = _round(self, state, _batches(self.batch, rows, generator), later)
            if float(error) < least:
                kept, least, since = state[0], float(error), 0
            else:
                since += 1
            if since >= self.patience:
                break
        cell, readout = kept
        arrays = cell.weight_ih, cell.weight_hh, cell.bias, readout.weight, readout.bias
        return Memory(*(np.asarray(a, float) for a in arrays))

    def predict(self, learned: Memory, x: Inputs) -> Targets:
        """The read-out after the last bin of each row's window."""
        windows = x.reshape(len(x), self.bins, -1)
        hidden = carried = np.zeros((len(x), learned.hidden_weights.shape[1]))
        for number in range(self.bins):
            gates = windows[:, number] @ learned.inputs_weights.T + hidden @ learned.hidden_weights.T
            enter, forget, new, leave = np.split(gates + learned.gates_level, 4, axis=1)
            carried = expit(forget) * carried + expit(enter) * np.tanh(new)
            hidden = expit(leave) * np.tanh(carried)
        return hidden @ learned.readout.T + learned.readout_level

    def restored(self, values: dict[str, np.ndarray]) -> Memory:
        """The weights, from their arrays by name."""
        return Memory(**values)


def _batches(size: int, rows: tuple[np.ndarray, np.ndarray], generator: np.random.Generator) -> Any:
    """All rows once, in random order, cut into batches; the few that are left over wait for the next round."""
    count = max(len(rows[0]) // size, 1)
    order = generator.permutation(len(rows[0]))[: count * size]
    return tuple(a[order].reshape(count, -1, *a.shape[1:]) for a in rows)


def _start(choices: LSTM, inputs: int, outputs: int, seed: int) -> tuple[Any, Any]:
    """Random weights, and the state of the optimiser."""
    try:
        import equinox as eqx
    except ImportError as error:
        raise InputError("LSTM needs equinox. Install it: pip install 'neurolatent[networks]'") from error
    key_cell, key_readout = jax.random.split(jax.random.key(seed))
    cell = eqx.nn.LSTMCell(inputs, choices.units, dtype=jnp.float32, key=key_cell)
    network = cell, eqx.nn.Linear(choices.units, outputs, dtype=jnp.float32, key=key_readout)
    return network, _optimiser(choices).init(network)


def _optimiser(choices: LSTM) -> Any:
    import optax  # slow to import

    return optax.adam(choices.rate)


@compiled(static=(0,))
def _round(choices: LSTM, state: Any, batches: Any, later: Any) -> tuple[Any, Any]:
    """Once through the batches; and then the mean squared error of the held-out rows."""
    optimiser = _optimiser(choices)

    def step(state: Any, batch: Any) -> tuple[Any, None]:
        network, memory = state
        change, memory = optimiser.update(jax.grad(_error)(network, *batch), memory)
        return (jax.tree.map(jnp.add, network, change), memory), None

    state, _ = jax.lax.scan(step, state, batches)
    return state, _error(state[0], *later)


def _error(network: Any, windows: Any, z: Any) -> Any:
    cell, readout = network

    def told(window: Any) -> Any:
        start = jnp.zeros(cell.hidden_size, window.dtype)
        last, _ = jax.lax.scan(lambda carry, row: (cell(row, carry), None), (start, start), window)
        return readout(last[0])

    return jnp.mean((jax.vmap(told)(windows) - z) ** 2)
