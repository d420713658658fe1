"""Single entries held out: how well a fit that has not seen them tells them, in bits over each channel's mean."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from neurolatent.checks import InputError, place
from neurolatent.compiling import compiled
from neurolatent.models.protocols import TellsEntries
from neurolatent.ops.metrics import bits_per
from neurolatent.precision import in_double
from neurolatent.recording import Recording
from neurolatent.result import Fit
from neurolatent.validation.baseline import baseline_of_entries


class EntryScores(NamedTuple):
    """Sums over the hidden entries of each channel."""

    log_score: Float[np.ndarray, " channels"]  # nats: logarithms of probabilities that are averaged over draws
    baseline: Float[np.ndarray, " channels"]  # nats: Poisson with the channel's mean over what the fit has seen
    events: Float[np.ndarray, " channels"]  # sums of the counts
    entries: Int[np.ndarray, " channels"]

    def bits_per_event(self, channels: Int[np.ndarray, " some"] | slice = slice(None)) -> float:
        """Bits per event (spike) by which the fit beats the baseline on some channels; NaN where nothing happened."""
        return bits_per(*(float(part[channels].sum()) for part in (self.log_score, self.baseline, self.events)))


@in_double
def entry_scores(fit: Fit, whole: Recording, shown: Recording) -> EntryScores:
    r"""Scores of the entries that ``whole`` holds and ``shown``, of which the fit was made, does not.

    .. math:: \log \tfrac1M \sum_{m=1}^M p(y_{it} \mid \theta_m)

    for each entry, over all kept draws; the entries of one draw are independent given it.

    Args:
        fit: Of ``shown``, with draws.
        whole: The recording with nothing hidden.
        shown: The same after :meth:`Recording.hide`.

    Raises:
        InputError: A model whose entries do not stand by themselves, a fit without draws, counts of other recordings,
            or no hidden entry.
    """
    if not isinstance(fit.model, TellsEntries) or fit.draws is None:
        raise InputError(f"{type(fit.model).__name__}: hidden entries are scored from draws of a model that tells each")
    prepared, given = fit.prepared(whole), fit.prepared(shown).recording
    if given.fingerprint() != fit.facts["fingerprint"]:
        raise InputError(f"{shown.title}: the fit was made of another recording: what it has seen cannot be told")
    name = fit.model.signal_of(prepared.recording)
    signal, seen = prepared.recording.signal(name), given.signal(name).observed
    if seen.shape != signal.observed.shape:
        raise InputError(
            f"{place(whole.title, f'signal {name}')}: {signal.observed.shape} entries, of which the fit was shown "
            f"{seen.shape}: give the recording that was hidden from, and what was left of it"
        )
    hidden = signal.observed & ~seen
    if not hidden.any():
        raise InputError(f"{place(whole.title, f'signal {name}')}: no entry was hidden. Hide some by Recording.hide.")
    told = np.where(hidden, np.asarray(_mean_probability(fit.model, _flat(fit.draws), prepared.data)), 0.0)
    baseline, counts = baseline_of_entries(signal, seen, hidden), np.where(hidden, signal.values, 0).astype(float)
    return EntryScores(told.sum(axis=0), baseline.sum(axis=0), counts.sum(axis=0), hidden.sum(axis=0))


def _flat(draws: Any) -> Any:
    """Draws with the leading axes (chain, draw) as one."""
    return type(draws)(*(np.reshape(leaf, (-1, *np.shape(leaf)[2:])) for leaf in draws))


@compiled(static=(0,))
def _mean_probability(model: Any, draws: Any, data: Any) -> Float[Array, "samples channels"]:
    """Logarithm of the mean over draws of each entry's probability, nats."""
    data = jax.tree.map(jnp.asarray, data)

    def add(total: Array, params: Any) -> tuple[Array, None]:
        return jnp.logaddexp(total, model.entry_log_probability(params, data)), None

    nothing = jnp.full(jnp.shape(data.counts)[::-1], -jnp.inf, data.counts.dtype)
    total, _ = jax.lax.scan(add, nothing, draws)
    return total - jnp.log(len(jax.tree.leaves(draws)[0]))
