r"""Bayesian bi-clustering of spike counts: neurons in clusters, bins in states, neither number fixed beforehand.

.. math::
    y_{it} \sim NB(e^{\eta_{it}}, r_i), \quad \eta_{it} = d_i + \mu_t^{(z_i)} + C_i x_t^{(z_i)}, \qquad
    \tilde x_t^{(j)} \mid \xi_t = l \sim N(A_{lj} \tilde x_{t-1}^{(j)} + b_{lj}, Q_{lj}), \quad \tilde x = (\mu, x).

Clusters: a mixture of finite mixtures, :math:`K \sim Geometric(\rho)`. States: a sticky hierarchical Dirichlet
process at the bound ``max_states``; all clusters switch at the same bin. Each cluster has dynamics of its own in each
state, so that a cluster can be born and die; the published model couples all clusters, and its births are then no
valid moves. It is there as ``coupling="full"``, to be compared with.

Reference: Wei (2023), Bayesian bi-clustering of neural spiking activity with latent structures, ICLR 2024, arXiv
2309.02213. The sampler is ours: see :mod:`neurolatent.models.bicluster.sweep`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from neurolatent.compiling import on_device
from neurolatent.models.bicluster import coupled, coupled_sweep, door, draws, names, refusals, start
from neurolatent.models.bicluster.likelihood import log_likelihood, log_probability, log_rate
from neurolatent.models.bicluster.params import BiclusterData, BiclusterParams
from neurolatent.models.bicluster.program import program
from neurolatent.models.bicluster.rearrange import settling_sweep
from neurolatent.models.bicluster.statistics import statistics
from neurolatent.models.protocols import Latents, Selected
from neurolatent.recording import Recording


@dataclass(frozen=True)
class BiClustering:
    """What the analyst chooses; nothing in it is learned. Defaults are those of the paper's code but for what is ours.

    Attributes:
        n_factors: Factors of each cluster beside its mean trajectory.
        family: Counts with a dispersion for each neuron, or Poisson counts.
        signal: Name of the counts; None takes the only signal of counts.
        max_clusters: Bound on the number of clusters; None takes half of the neurons, at least 12.
        max_states: Bound on the number of states.
        rho: P(K = 1); K is geometric. The paper takes 0.2, and 0.415 where three clusters are expected.
        concentration: Of the weights of clusters given their number.
        alpha, gamma, kappa: Concentrations of transitions, of the weights of states, and the weight added to staying.
        update_hdp: These three are drawn too, under priors of their own, and start from the values given here: see
            :mod:`neurolatent.models.bicluster.concentrations`.
        coupling: ``block``, clusters with laws of their own, or ``full``, one law for all of them, as in the paper, for
            negative binomial counts. Draws are then not of the posterior, since births and deaths put zeros in laws
            that have none under the prior. States are drawn in one block given the trajectories, not bin by bin with
            these integrated out; clusters have laws of their own while the warm-up merges and divides them. It is
            there to be compared with the paper; see :mod:`neurolatent.models.bicluster.coupled`.
        law_precision: Precision k of a law's coefficients about staying, in units of its innovation's, 1 in the paper;
            ours, see :mod:`neurolatent.models.bicluster.dynamics`.
        stable: Laws of motion have a spectral radius below 1.02; ours, see
            :mod:`neurolatent.models.bicluster.dynamics`. Not laws for all clusters together (``coupling="full"``).
        births: Tries in each sweep to give a neuron a cluster of its own; ours.
        labels: How labels are drawn: ``telescoping``, all neurons side by side given the number of clusters and their
            weights, or ``collapsed``, neuron by neuron with both integrated out; both leave the posterior as it is.
        birth: Where clusters without neurons come from: ``prior``, or ``heuristic``, the published code's splines and
            autoregressions, whose draws are not of the posterior. It is there to be compared with the paper, and for
            nothing else; see :mod:`neurolatent.models.bicluster.newcomers`.
        offset_sd: Standard deviation of the log rate's offset.
        dispersion_shape, dispersion_rate: Of the gamma law of the dispersion.
        proposal_dispersion: Of the counts as which Poisson counts are treated in proposals: larger is accepted more
            often and moves less.
    """

    n_factors: int = 2
    family: Literal["nb", "poisson"] = "nb"
    signal: str | None = None
    max_clusters: int | None = None
    max_states: int = 10
    rho: float = 0.2
    concentration: float | int = 1.0
    alpha: float | int = 5.0
    gamma: float | int = 5.0
    kappa: float | int = 10.0
    update_hdp: bool = False
    coupling: Literal["block", "full"] = "block"
    law_precision: float | int = 0.02
    stable: bool = True
    births: int = 2
    labels: Literal["telescoping", "collapsed"] = "telescoping"
    birth: Literal["prior", "heuristic"] = "prior"
    offset_sd: float | int = 1.0
    dispersion_shape: float | int = 1.0
    dispersion_rate: float | int = 1.0
    proposal_dispersion: float | int = 300.0

    def __post_init__(self) -> None:
        refusals.refuse_choices(self)

    def n_slots(self, neurons: int) -> int:
        """Clusters for which there is room."""
        return min(neurons, max(12, neurons // 2)) if self.max_clusters is None else self.max_clusters

    @property
    def is_exact(self) -> bool:
        """Whether sweeps after the warm-up leave the posterior as it is: not heuristic births, not coupled clusters."""
        return self.birth == "prior" and self.coupling == "block"

    @property
    def residual_is_normal(self) -> bool:
        """False: there are no one-step predictions."""
        return False

    # --- the door ------------------------------------------------------------------------------------------------

    def signal_of(self, recording: Recording) -> str:
        """Name of the signal of counts."""
        return door.signal_of(self, recording)

    def select(self, recording: Recording, *, for_training: bool, use_knowledge: bool = True) -> Selected:
        """Counts (neuron, bin) of the recording's only sequence.

        Raises:
            InputError: Several sequences, another kind of signal; at training what cannot be learned from.
        """
        return door.selected(self, recording, for_training=for_training)

    # --- sampling ------------------------------------------------------------------------------------------------

    def gibbs_start(self, key: PRNGKeyArray, data: BiclusterData, chain: int) -> BiclusterParams:
        """A starting point; chains start from different numbers of groups."""
        generator = np.random.default_rng([*np.asarray(jax.random.key_data(key)).tolist(), chain])
        begin = on_device(start.start_of(self, data, generator, chain))
        return coupled.uncoupled(begin) if self.coupling == "full" else begin

    def gibbs_sweep(
        self, params: BiclusterParams, data: BiclusterData, key: PRNGKeyArray, settling: Any
    ) -> tuple[BiclusterParams, dict[str, Array]]:
        """The next draw, and single numbers of it and of what became of its proposals."""
        one = coupled_sweep.sweep if self.coupling == "full" else settling_sweep
        params, moves = one(self, params, data, key, settling)
        told = {f"moved_{name}": value for name, value in moves._asdict().items()}
        return params, {**statistics(self, params, data), **told}

    def gibbs_kept(self, params: BiclusterParams) -> BiclusterParams:
        """What is kept of a draw: small integers, trajectories and laws in single precision."""
        small = {name: getattr(params, name).astype(jnp.int16) for name in names.WHOLE}
        single = {n: getattr(params, n).astype(jnp.float32) for n in draws.SINGLE}
        return params._replace(**small, **single)

    def gibbs_packed(self, kept: BiclusterParams) -> BiclusterParams:
        """Kept draws, clusters and states numbered as they occur, empty clusters cut off."""
        return draws.renumbered(kept)

    def gibbs_alike(self, packed: Sequence[BiclusterParams]) -> list[BiclusterParams]:
        """Packed draws with room for the same number of clusters."""
        return draws.alike(packed)

    # --- density -------------------------------------------------------------------------------------------------

    def log_likelihood(self, params: BiclusterParams, data: BiclusterData) -> Float[Array, " sequences"]:
        """Log probability of all observed counts given a draw with its trajectories, nats.

        Raises:
            InputError: Counts of other neurons or bins than those of the draw.
        """
        door.refuse_other(params, data)
        params, data = jax.tree.map(jnp.asarray, (params, data))
        return log_likelihood(self, params, data).sum()[None]

    def numpyro_model(self, data: BiclusterData) -> None:
        """Declare the finite version, everything sampled that the sweeps draw or integrate out; see ``program``."""
        program(self, data)

    def entry_log_probability(self, params: BiclusterParams, data: BiclusterData) -> Float[Array, "sample channel"]:
        """Log probability of each observed count given a draw with its trajectories, nats; 0 where none was."""
        door.refuse_other(params, data)
        return log_probability(self, params, data).T

    def posterior(self, params: BiclusterParams, data: BiclusterData) -> Latents:
        """Log rates in time, per bin; averaged over draws their mean and standard deviation."""
        told = self.log_likelihood(params, data)
        eta = np.asarray(log_rate(jax.tree.map(jnp.asarray, params))).T[None]
        along: Any = {"log_rate_mean": eta, "log_rate_sd": np.zeros_like(eta)}
        return Latents(along, {"log_evidence": told})

    # --- names ---------------------------------------------------------------------------------------------------

    def dimensions(self) -> Mapping[str, tuple[str, ...]]:
        """Dimensions of what a draw holds and of latent quantities."""
        return names.dimensions(self)

    def coordinates(self, recording: Recording) -> Mapping[str, list[Any]]:
        """Labels: neurons, bins on the clock, factors."""
        return names.coordinates(self, recording)

    def params_from(self, values: Mapping[str, Any]) -> BiclusterParams:
        """Draws from their names, as they stand in a file."""
        return names.params_from(self, values)
