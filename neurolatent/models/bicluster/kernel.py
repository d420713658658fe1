"""The sampler as a kernel of NumPyro, for those who drive ``numpyro.infer.MCMC`` themselves."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray
from numpyro.infer.mcmc import MCMCKernel

from neurolatent.models.bicluster.model import BiClustering
from neurolatent.models.bicluster.params import BiclusterData, BiclusterParams


class KernelState(NamedTuple):
    """The state that NumPyro carries; ``draw`` is what is collected."""

    draw: dict[str, Array]
    rng_key: PRNGKeyArray


class BiclusterKernel(MCMCKernel):
    """One sweep a sample: ``MCMC(BiclusterKernel(model), ...).run(key, data)``, data as ``model.select`` gives them.

    Wants double precision, as a scope around ``run`` (:func:`neurolatent.precision.double`). Chains are run one after
    the other or in parallel; a kernel without a program cannot go through ``from_numpyro``, so take ``from_dict``.
    """

    def __init__(self, model: BiClustering) -> None:
        self.model = model

    @property
    def sample_field(self) -> str:
        """The field of the state that holds the draw."""
        return "draw"

    def init(
        self, rng_key: PRNGKeyArray, num_warmup: int, init_params: Any, model_args: tuple, model_kwargs: dict
    ) -> KernelState:
        """Where the chain starts: the starting point of the first chain, or a draw that is given."""
        (data,) = model_args
        key_start, key_run = jax.random.split(rng_key)
        start = self.model.gibbs_start(key_start, data, 0)._asdict() if init_params is None else dict(init_params)
        draw = {name: jnp.asarray(value) for name, value in start.items()}
        after = jax.eval_shape(lambda now: self.sample(now, model_args, {}), KernelState(draw, key_run))
        return KernelState({name: value.astype(after.draw[name].dtype) for name, value in draw.items()}, key_run)

    def sample(self, state: KernelState, model_args: tuple, model_kwargs: dict) -> KernelState:
        """The next draw."""
        data = BiclusterData(*(jnp.asarray(leaf) for leaf in model_args[0]))
        key, key_sweep = jax.random.split(state.rng_key)
        params, _ = self.model.gibbs_sweep(BiclusterParams(**state.draw), data, key_sweep, jnp.zeros(()))
        return KernelState(params._asdict(), key)

    def postprocess_fn(self, model_args: tuple, model_kwargs: dict) -> Any:
        """The identity: draws are in their own units."""
        return lambda draw: draw
