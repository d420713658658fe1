"""Draws as they are reported and kept: numbered as clusters and states occur, without room for what is empty."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int

from neurolatent.models.bicluster.params import BiclusterParams
from neurolatent.ops.partitions import relabelled

SINGLE = ("trajectories", "transition", "shift", "innovation", "jumps")  # kept in single precision
CLUSTER_AXIS = {"trajectories": 0, "transition": 1, "shift": 1, "innovation": 1}  # behind those of the draws
FROM_AXIS, COUPLED_AXES = 3, 5  # of laws that couple clusters: the axis of those that drive, and the number of axes


def renumbered(kept: BiclusterParams) -> BiclusterParams:
    """Draws with clusters in the order of their first neuron and states in that of their first bin.

    There is room for as many clusters as the draw with most of them has; what others do not use is 0.
    """
    plain = BiclusterParams(*(np.asarray(leaf) for leaf in kept))
    lead = plain.label.ndim - 1
    label, order = relabelled(plain.label), _order(plain.label, plain.trajectories.shape[lead])
    state_order = _order(plain.state, plain.weights.shape[-1])
    width = int(label.max(initial=-1)) + 1
    used = np.arange(width) <= label.max(axis=-1, keepdims=True)
    changed = {"label": label, "state": relabelled(plain.state)}
    for name, axis in CLUSTER_AXIS.items():
        value = getattr(plain, name)
        for at in _cluster_axes(name, value.ndim - lead):
            value = _taken(value, order[..., :width], lead, at)
            value = np.where(_along(used, value.ndim, lead, at), value, value.dtype.type(0))
        changed[name] = _taken(value, state_order, lead, 0) if axis == 1 else value
    changed["weights"] = _taken(plain.weights, state_order, lead, 0)
    changed["jumps"] = _taken(_taken(plain.jumps, state_order, lead, 0), state_order, lead, 1)
    return plain._replace(**changed)


def alike(packed: Sequence[BiclusterParams]) -> list[BiclusterParams]:
    """Draws (leading axis) with room for as many clusters as those with most of them have."""
    width = max(part.trajectories.shape[1] for part in packed)
    return [_widened(part, width) for part in packed]


def _widened(part: BiclusterParams, width: int) -> BiclusterParams:
    """With so much room; what is added is 0."""
    missing = width - part.trajectories.shape[1]
    if missing == 0:
        return part
    changed = {}
    for name in CLUSTER_AXIS:
        value = getattr(part, name)
        axes = _cluster_axes(name, value.ndim - 1)
        changed[name] = np.pad(value, [(0, missing * (n - 1 in axes)) for n in range(value.ndim)])
    return part._replace(**changed)


def _cluster_axes(name: str, axes: int) -> tuple[int, ...]:
    """Axes of clusters of an array that has so many behind those of the draws."""
    return (CLUSTER_AXIS[name], FROM_AXIS) if axes == COUPLED_AXES else (CLUSTER_AXIS[name],)


def _taken(value: np.ndarray, order: Int[np.ndarray, "*draws count"], lead: int, axis: int) -> np.ndarray:
    """Each draw's entries in its order along one of its axes."""
    return np.take_along_axis(value, _along(order, value.ndim, lead, axis), axis=lead + axis)


def _along(
    values: Int[np.ndarray, "*draws count"] | Bool[np.ndarray, "*draws count"], axes: int, lead: int, axis: int
) -> np.ndarray:
    """Values of each draw along one axis of an array with so many axes."""
    shape = [*values.shape[:lead], *(values.shape[-1] if n == lead + axis else 1 for n in range(lead, axes))]
    return values.reshape(shape)


def _order(labels: Int[np.ndarray, "*draws items"], count: int) -> Int[np.ndarray, "*draws count"]:
    """Numbers of the blocks in the order in which they first occur, then those that do not."""
    flat, out = labels.reshape(-1, labels.shape[-1]), np.empty((labels[..., 0].size, count), int)
    for row, given in enumerate(flat):
        used, first = np.unique(given, return_index=True)
        ordered = used[np.argsort(first)]
        out[row] = np.r_[ordered, np.setdiff1d(np.arange(count), ordered)]
    return out.reshape(*labels.shape[:-1], count)
