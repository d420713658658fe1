"""From what an engine returns to a Fit with labelled ArviZ groups."""

import hashlib
import platform
from importlib import metadata
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from neurolatent.compiling import compiled
from neurolatent.models.protocols import DrawsPart, HasErrors, Selected
from neurolatent.recording import Recording
from neurolatent.result.labels import label_latents, parameter_dataset, sample_coordinates

OF_STEPS = ("objective", "elbo", "held_out", "rec", "kl")  # an engine's trace per restart and step; kl.1, kl.2, ...
OF_RUN = ("best", "settling", "best_epoch", "reached")  # and of the whole run, or per restart
PACKAGES = ("neurolatent", "jax", "jaxlib", "numpyro", "numpy", "scipy", "pandas", "xarray", "arviz-base")


class Learned(NamedTuple):
    """What groups are made of, where no engine ran."""

    params: Any
    trace: dict[str, np.ndarray]
    draws: None = None


def versions() -> dict[str, str]:
    """Versions of what computed the result."""
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in PACKAGES}}


def facts_of(recording: Recording, signal: str) -> dict[str, Any]:
    """What the training recording was, in plain values."""
    return {
        "name": recording.name,
        "signal": signal,
        "fingerprint": recording.fingerprint(),
        "n_sequences": recording.n_sequences,
        "n_samples": recording.n_samples,
        "clock_unit": recording.clock_unit,
        "bin_width": recording.bin_width,
        "history": list(recording.history),
        "knowledge": recording.knowledge.describe(),
        "failed": recording.sequences["failed"].astype(bool).tolist() if "failed" in recording.sequences else None,
    }


def digest(data: Any) -> str:
    """Short hash of all arrays that a model takes of a recording, knowledge included."""
    found = hashlib.sha256()
    for leaf in jax.tree.leaves(data):
        found.update(f"{np.shape(leaf)}".encode() + np.ascontiguousarray(leaf).tobytes())
    return found.hexdigest()[:16]


def groups(model: Any, trained: Any, selected: Selected, latents: Any) -> xr.DataTree:
    """The ArviZ groups of a fit."""
    coords = model.coordinates(selected.recording)
    observed = selected.recording.signal(model.signal_of(selected.recording))
    tree = {
        "point_estimate": parameter_dataset(model, trained.params, coords),
        "latents": label_latents(latents, selected, model),
        "observed_data": xr.Dataset(
            {"y": (("sample", "feature"), observed.values.reshape(len(observed.values), -1))},
            {"feature": coords["feature"], **sample_coordinates(selected.recording)},
        ),
        "trace": _trace(trained.trace),
    }
    if trained.draws is None:
        tree |= _errors(model, trained.params, selected, latents, coords)
        return xr.DataTree.from_dict(tree)
    import arviz_base  # slow to import, and only draws need it

    posterior = parameter_dataset(model, trained.draws, coords, ("chain", "draw"))
    parts: dict[str, Any] = {"posterior": {name: posterior[name].values for name in posterior.data_vars}}
    parts["sample_stats"] = _statistics(trained.trace)
    if not isinstance(model, DrawsPart):  # else the evidence of its inputs is no density of what was drawn
        parts["log_likelihood"] = {"sequences": _log_likelihood(model, trained.draws, selected)}
    sampled = arviz_base.from_dict(
        {name: arrays for name, arrays in parts.items() if arrays},
        dims={**{name: list(posterior[name].dims[2:]) for name in posterior.data_vars}, "sequences": ["sequence"]},
        coords={**{d: list(v) for d, v in coords.items() if d in posterior.dims}, "sequence": selected.recording.ids},
    )
    return xr.DataTree.from_dict({**{k: v.to_dataset() for k, v in sampled.children.items()}, **tree})


def _errors(model: Any, params: Any, selected: Selected, latents: Any, coords: Any) -> dict[str, xr.Dataset]:
    """Standard errors of the parameters given the states, of a model that has them."""
    if not isinstance(model, HasErrors):
        return {}
    errors = model.standard_errors(params, selected.data, latents.along_time["smoothed"])
    own: Any = model
    return {"standard_error": parameter_dataset(own, errors, coords)}


def _trace(trace: dict[str, np.ndarray]) -> xr.Dataset:
    """The objective, where the engine climbs one; else its single figures."""
    if "objective" not in trace:
        return xr.Dataset({name: ((), value) for name, value in trace.items() if np.ndim(value) == 0})
    steps = {name: (("restart", "step"), trace[name]) for name in trace if name.partition(".")[0] in OF_STEPS}
    run = {name: (("restart",) * np.ndim(trace[name]), trace[name]) for name in OF_RUN if name in trace}
    return xr.Dataset({**steps, **run})


def _statistics(trace: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What there is per draw, by the names of the ArviZ schema."""
    names = {"num_steps": "n_steps", "accept_prob": "acceptance_rate", "potential_energy": "lp"}
    signs = {"potential_energy": -1.0}
    kinds = {"diverging": bool, "num_steps": int}
    return {
        names.get(key, key): (np.asarray(value) * signs.get(key, 1.0)).astype(kinds.get(key, float))
        for key, value in trace.items()
        if key not in (*OF_STEPS, *OF_RUN) and np.ndim(value) == 2
    }


def _log_likelihood(model: Any, draws: Any, selected: Selected) -> np.ndarray:
    """(chain, draw, sequence) log evidence of every sequence under every draw."""
    data = jax.tree.map(jnp.asarray, selected.data)
    chains = [type(draws)(*(leaf[chain] for leaf in draws)) for chain in range(len(draws[0]))]
    each = [np.asarray(_map_log_likelihood(model, jax.tree.map(jnp.asarray, chain), data)) for chain in chains]
    return np.stack(each).reshape(*np.shape(draws[0])[:2], -1)


@compiled(static=(0,))
def _map_log_likelihood(model: Any, draws: Any, data: Any) -> jax.Array:
    return jax.lax.map(lambda params: model.log_likelihood(params, data), draws)
