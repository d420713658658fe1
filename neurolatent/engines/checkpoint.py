"""A running fit on disk: the leaves of its state in one npz file, written atomically, refused where it does not fit."""

import json
import os
import zipfile
from pathlib import Path
from typing import Any, TypeVar

import jax
import numpy as np

from neurolatent.checks import InputError

State = TypeVar("State")
NAME = "state.npz"


def is_key(leaf: Any) -> bool:
    """Whether a leaf is a random key of the new style, which cannot be made an array directly."""
    return isinstance(leaf, jax.Array) and jax.numpy.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def write(folder: Path, state: Any, identity: dict[str, Any]) -> None:
    """Write the state and what it belongs to; a killed run leaves the former file or the new one, never half of one."""
    folder.mkdir(parents=True, exist_ok=True)
    leaves = [jax.random.key_data(leaf) if is_key(leaf) else leaf for leaf in jax.tree.leaves(state)]
    arrays = {f"leaf_{n}": np.asarray(leaf) for n, leaf in enumerate(jax.device_get(leaves))}
    words = np.frombuffer(json.dumps(identity, sort_keys=True).encode(), np.uint8)
    temporary = folder / f".{NAME}.{os.getpid()}"
    with temporary.open("wb") as file:
        np.savez(file, **{"identity": words, **arrays})  # type: ignore[arg-type]
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(folder / NAME)


def read(folder: Path, like: State, identity: dict[str, Any]) -> State | None:
    """The state that was written, in the structure of ``like``; None where nothing was written.

    Raises:
        InputError: The checkpoint belongs to another fit: the message names what differs.
    """
    path = folder / NAME
    if not path.exists():
        return None
    file = _arrays(path)
    former = json.loads(bytes(file["identity"]).decode())
    _refuse_other(path, former, identity)
    leaves, tree = jax.tree.flatten(like)
    restored = [
        jax.random.wrap_key_data(jax.numpy.asarray(file[f"leaf_{n}"]))
        if is_key(old)
        else jax.numpy.asarray(file[f"leaf_{n}"])
        for n, old in enumerate(leaves)
    ]
    return jax.tree.unflatten(tree, restored)


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with path.open("rb") as handle, np.load(handle, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} cannot be read ({error}). Start afresh with --force.") from error


def _refuse_other(path: Path, former: dict[str, Any], identity: dict[str, Any]) -> None:
    wanted = json.loads(json.dumps(identity))
    different = sorted(k for k in {*former, *wanted} if former.get(k) != wanted.get(k))
    if different:
        key = different[0]
        raise InputError(
            f"{path} belongs to another fit: {', '.join(different)} differ ({key}: {former.get(key)!r} there, "
            f"{wanted.get(key)!r} here). Resume with the same settings and versions, or start afresh with --force."
        )
