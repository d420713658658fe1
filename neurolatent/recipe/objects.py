"""Tables of a recipe become frozen dataclasses, with unknown keys and wrong types refused by name."""

import dataclasses
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from neurolatent.checks import InputError, did_you_mean

T = TypeVar("T")


def refuse_unknown(table: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    """Refuse a key that is not known, with the close matches."""
    known = list(known)
    for key in table:
        if key not in known:
            raise InputError(f"{where}: unknown key {key!r}. {did_you_mean(key, known)}")


def expect_table(value: Any, where: str) -> dict[str, Any]:
    """The value, which must be a table."""
    if not isinstance(value, dict):
        raise InputError(f"{where}: a table is expected, got {value!r}")
    return value


def build(kind: type[T], table: Mapping[str, Any], where: str) -> T:
    """An instance of a frozen dataclass from a table of its fields.

    Raises:
        InputError: Unknown keys, missing fields, wrong types, values that the class refuses.
    """
    fields = {f.name: f for f in dataclasses.fields(kind) if f.init}  # type: ignore[arg-type]
    refuse_unknown(table, fields, where)
    needed = [
        n for n, f in fields.items() if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    missing = [n for n in needed if n not in table]
    if missing:
        raise InputError(f"{where}: {missing[0]!r} is missing")
    hints = typing.get_type_hints(kind)
    named = {name: f.metadata["named"] for name, f in fields.items() if "named" in f.metadata}
    values = {
        name: build_named(_with_name(value, f"{where}.{name}"), named[name], f"{where}.{name}")
        if name in named
        else convert(value, hints[name], f"{where}.{name}")
        for name, value in table.items()
    }
    try:
        return kind(**values)
    except (InputError, TypeError) as error:
        raise InputError(f"{where}: {error}") from error


def _with_name(value: Any, where: str) -> Mapping[str, Any]:
    """A bare word stands for the table that has it as its name."""
    return {"name": value} if isinstance(value, str) else expect_table(value, where)


def build_named(table: Mapping[str, Any], kinds: Mapping[str, type], where: str) -> Any:
    """An instance of the dataclass that the key ``name`` of a table tells, from its other keys."""
    rest = dict(table)
    name = rest.pop("name", None)
    if name is None:
        raise InputError(f"{where}: 'name' is missing; one of {list(kinds)}")
    if name not in kinds:
        raise InputError(f"{where}: there is no {name!r}. {did_you_mean(str(name), kinds)}")
    return build(kinds[name], rest, where)


def convert(value: Any, hint: Any, where: str) -> Any:
    """The value as the annotation wants it: lists become tuples, whole numbers floats, tables dataclasses."""
    if hint is Any:
        return value
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return _convert_union(value, typing.get_args(hint), where)
    if origin is Literal:
        choices = typing.get_args(hint)
        if value not in choices:
            raise InputError(
                f"{where}: one of {list(choices)} is expected, got {value!r}. {did_you_mean(value, choices)}"
            )
        return value
    if origin in (tuple, Sequence):
        return _convert_list(value, hint, where)
    if origin is Mapping:
        inner = typing.get_args(hint)[1]
        return {key: convert(item, inner, f"{where}.{key}") for key, item in expect_table(value, where).items()}
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return build(hint, expect_table(value, where), where)
    return _convert_plain(value, hint, where)


def _convert_list(value: Any, hint: Any, where: str) -> Any:
    inner = typing.get_args(hint)[0]
    if isinstance(value, str) and hint == Sequence[str]:
        return value  # one name where a list of names may stand
    if not isinstance(value, list):
        raise InputError(f"{where}: a list is expected, got {value!r}")
    return tuple(convert(item, inner, f"{where}[{n}]") for n, item in enumerate(value))


def _convert_plain(value: Any, hint: Any, where: str) -> Any:
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint is Path:
        raise InputError(f"{where}: text is expected, got {value!r}")
    if hint in (int, float, str, bool) and type(value) is not hint:
        raise InputError(f"{where}: a value of type {hint.__name__} is expected, got {value!r}")
    return value


def _of_kind(table: dict[str, Any], choices: tuple[Any, ...], where: str) -> Any:
    """A dataclass among several, named by ``kind``: its class's name, in any case and with or without underlines."""
    plain = lambda name: str(name).replace("_", "").lower()  # noqa: E731
    named = {plain(c.__name__): c for c in choices if dataclasses.is_dataclass(c) and isinstance(c, type)}
    kind = table.pop("kind")
    if plain(kind) not in named:
        known = [c.__name__ for c in named.values()]
        raise InputError(f"{where}: there is no kind {kind!r}. {did_you_mean(str(kind), known)}")
    return build(named[plain(kind)], table, where)


def _convert_union(value: Any, choices: tuple[Any, ...], where: str) -> Any:
    if value is None or (value == "none" and type(None) in choices):
        return None
    if isinstance(value, str) and sum(dataclasses.is_dataclass(c) for c in choices) > 1:
        value = {"kind": value}  # the bare word, where one of several dataclasses may stand
    if isinstance(value, dict) and "kind" in value:
        return _of_kind(dict(value), choices, where)
    problems = []
    for choice in [c for c in choices if c is not type(None)]:
        try:
            return convert(value, choice, where)
        except InputError as error:
            problems.append(str(error))
    raise InputError(problems[0] if problems else f"{where}: {value!r} cannot stand here")
