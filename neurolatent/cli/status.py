"""What every command ends with: an exit status, and one JSON object where it was asked for."""

from typing import Any

DONE, FAILED, REFUSED, INTERRUPTED = 0, 1, 2, 130
KEPT = -INTERRUPTED  # of a command that was interrupted and has written what there is


def print_json(value: Any) -> None:
    """Print a result as one JSON object."""
    from neurolatent.recipe.folder import to_json

    print(to_json(value))
