"""One reader per file format; ``load`` chooses by suffix or by name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from neurolatent.checks import InputError, did_you_mean, existing_file
from neurolatent.loaders.cmapss import read_cmapss
from neurolatent.loaders.contents import Contents, Description
from neurolatent.loaders.csv import read_csv
from neurolatent.loaders.files import refuse_unknown_options
from neurolatent.loaders.netcdf import read_netcdf
from neurolatent.loaders.npz import npz_contents, read_npz
from neurolatent.loaders.nwb import nwb_contents, read_nwb
from neurolatent.loaders.parquet import read_parquet
from neurolatent.recording import Recording

READERS: dict[str, Callable[..., Recording]] = {
    "csv": read_csv,
    "parquet": read_parquet,
    "npz": read_npz,
    "netcdf": read_netcdf,
    "cmapss": read_cmapss,
    "nwb": read_nwb,
}
# Formats whose files hold more than a recording takes: what is inside is told apart from it.
CONTENTS: dict[str, Callable[[Path], Contents]] = {"npz": npz_contents, "nwb": nwb_contents}
SUFFIXES = {
    ".csv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".npz": "npz",
    ".nwb": "nwb",
    ".nc": "netcdf",
    ".nc4": "netcdf",
    ".netcdf": "netcdf",
}

__all__ = ["describe", "load"]


def load(path: str | Path, *, format: str | None = None, **options: Any) -> Recording:
    """A recording from a file.

    Args:
        path: The file; text formats may be packed with gzip.
        format: ``csv``, ``parquet``, ``npz``, ``netcdf``, ``cmapss`` or ``nwb``; None goes by the suffix.
        options: Those of the format's reader, such as :func:`neurolatent.loaders.csv.read_csv`.

    Raises:
        FileNotFoundError: No such file; the message gives the close matches.
        InputError: An unknown format, suffix or option, contents that no recording can hold.
    """
    path = Path(path)
    reader = READERS[_format_of(path, format)]
    refuse_unknown_options(options, reader, path.name)
    return reader(existing_file(path), **options)


def describe(path: str | Path, *, format: str | None = None, **options: Any) -> Description:
    """What is inside a file, what of it is left unread, and the recording that it makes without further options.

    Args:
        path: The file.
        format: As for :func:`load`.
        options: As for :func:`load`.

    Raises:
        FileNotFoundError: No such file.
        InputError: A damaged file; for the formats that are read whole, what no recording can hold.
    """
    path = existing_file(path)
    kind = _format_of(path, format)
    if kind not in CONTENTS:
        return Description(None, load(path, format=kind, **options))
    contents = CONTENTS[kind](path)
    try:
        return Description(contents, load(path, format=kind, **options))
    except InputError as error:
        return Description(contents, None, str(error))


def _format_of(path: Path, format: str | None) -> str:
    if format is not None:
        if format not in READERS:
            raise InputError(f"{path.name}: there is no format {format!r}. {did_you_mean(format, READERS)}")
        return format
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    if suffix in SUFFIXES:
        return SUFFIXES[suffix]
    existing_file(path)
    raise InputError(
        f"{path.name}: the suffix {suffix!r} tells no format. {did_you_mean(suffix, SUFFIXES)} "
        f"Or pass format=..., one of {list(READERS)}."
    )
