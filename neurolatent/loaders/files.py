"""Bytes and text of a file, plain or gzip; what cannot be read is refused with the file's name and a remedy."""

import gzip
import inspect
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from neurolatent.checks import InputError, did_you_mean, existing_file

GZIP = b"\x1f\x8b"


def read_bytes(path: str | Path) -> bytes:
    """All bytes of a file, unpacked if it is gzip.

    Raises:
        FileNotFoundError: No such file; the message gives the close matches.
        InputError: A folder, an empty file, a gzip file that is cut short or damaged, a file that may not be read.
    """
    path = existing_file(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path.name}: the file cannot be read ({error.strerror}). Check its permissions.") from error
    if path.suffix == ".gz" or raw.startswith(GZIP):
        raw = _unpacked(raw, path.name)
    if not raw.strip():
        raise InputError(f"{path.name}: the file is empty. Copy or download it again.")
    return raw


def _unpacked(raw: bytes, name: str) -> bytes:
    if not raw.startswith(GZIP):
        raise InputError(
            f"{name}: the file is not gzip, although its name says so. Take .gz off its name, or copy it again."
        )
    try:
        return gzip.decompress(raw)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(
            f"{name}: the gzip file is cut short or damaged ({error}). Copy or download it again."
        ) from error


def read_text(path: str | Path) -> str:
    """All text of a UTF-8 file, plain or gzip, without a byte order mark.

    Raises:
        FileNotFoundError: No such file.
        InputError: What :func:`read_bytes` refuses, bytes that are no text or not UTF-8; the message gives the row.
    """
    raw, name = read_bytes(path), Path(path).name
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{name}: the file is UTF-16 text. Save it as UTF-8.")
    zero = raw.find(b"\0")
    if zero >= 0:
        raise InputError(f"{name}: the file is not text (a zero byte at position {zero}). Is another format meant?")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = raw.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{name}, line {row}: the byte 0x{raw[error.start]:02x} is not UTF-8 text. "
            "Save the file as UTF-8, or check that it is a text file."
        ) from error


def beside(path: Path, other: str | Path) -> Path:
    """A second file, found from here or else in the folder of the first."""
    other = Path(other)
    return other if other.is_absolute() or other.exists() else path.parent / other


def refuse_unknown_options(options: Iterable[str], reader: Callable[..., Any], where: str) -> None:
    """Refuse option names that ``reader`` does not take as keywords; the message gives the close matches."""
    parameters = inspect.signature(reader).parameters.values()
    known = [p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY]
    for option in options:
        if option not in known:
            raise InputError(f"{where}: there is no option {option!r}. {did_you_mean(option, known)}")
