"""Where a file lies: relative to a folder, or to the folder of real recordings after ``data:``."""

import os
from pathlib import Path

from neurolatent.checks import InputError, existing_file

DATA_PREFIX = "data:"


def located(text: str | Path, folder: Path) -> Path:
    """The whole path of a file.

    Raises:
        InputError: It stands after ``data:``, and NEUROLATENT_DATA is not set.
    """
    text = str(text)
    if not text.startswith(DATA_PREFIX):
        return (folder / text).resolve()
    root = os.environ.get("NEUROLATENT_DATA")
    if not root:
        raise InputError(
            f"{text!r} lies in the folder of real recordings, but the environment variable NEUROLATENT_DATA is not "
            "set. Set it to that folder."
        )
    return (Path(root) / text.removeprefix(DATA_PREFIX)).resolve()


def given_file(path: Path) -> Path:
    """A file named on the command line, as it was named where it lies in no folder of recordings.

    Raises:
        InputError: As for :func:`located`; it is a folder.
        FileNotFoundError: It does not exist; the close matches are named.
    """
    return existing_file(located(path, Path.cwd()) if str(path).startswith(DATA_PREFIX) else path)
