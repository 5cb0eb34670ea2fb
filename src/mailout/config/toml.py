"""TOML files as checked values; a mistake names file, line, key and the nearest known key."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from mailout.core.errors import BadFile, decoded, nearest, place

T = TypeVar("T")

_TABLE = re.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_PART = r"""(?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+)"""
_KEY = re.compile(rf"\s*({_PART}(?:\s*\.\s*{_PART})*)\s*=")
_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
_PLAINLY = {
    "input should be": "must be",
    "a valid integer": "a whole number",
    "a valid string": "a text in quotes",
    "a valid boolean": "true or false",
    "a valid tuple": "a list in brackets",
    "a valid array": "a list in brackets",
    "an object": "a table",
}
_POSITION = re.compile(r" \(at line (\d+), column (\d+)\)$")


def read(path: Path, shown: str) -> tuple[dict[str, Any], str]:
    """The values of a TOML file and its text; `shown` is how the file is named to people.

    Raises: BadFile with line and column.
    """
    try:
        source = decoded(path.read_bytes(), shown)
    except OSError as error:
        raise BadFile(f"cannot be read: {error.strerror}", where=shown) from None
    try:
        return tomllib.loads(source), source
    except tomllib.TOMLDecodeError as error:
        words = str(error)
        found = _POSITION.search(words)
        where = place(shown, int(found[1]), int(found[2])) if found else shown
        raise BadFile(_POSITION.sub("", words), where=where, fix=_fix(words)) from None


def _fix(words: str) -> str:
    """What to do about a fault in the spelling of a TOML file."""
    if "twice" in words or "overwrite" in words:
        return "It stands there already: put your lines there."
    return "A text needs quotes."


def check(
    shape: type[T], values: object, source: str, shown: str, table: tuple[str, ...] = ()
) -> T:
    """`values` as a `shape` (a dataclass of `core.site`); `table` is where they stand in the file.

    Raises: BadFile naming the line and what may stand there.
    """
    try:
        # As JSON, since then a list is a tuple, and yet `true` is no number.
        return _adapter(shape).validate_json(json.dumps(values, default=str), strict=True)
    except ValidationError as error:
        # A key that is missing is often one that is there, misspelt: that is told first.
        found = error.errors()
        first = min(found, key=lambda one: one["type"] not in _UNKNOWN)
        raise _complaint(shape, first, source, shown) from None


_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}


def _adapter(shape: type[T]) -> TypeAdapter[T]:
    """What checks values of a shape: making it costs more than all that it then checks."""
    if shape not in _ADAPTERS:
        _ADAPTERS[shape] = TypeAdapter(shape)
    return _ADAPTERS[shape]


def _complaint(shape: type[object], error: ErrorDetails, source: str, shown: str) -> BadFile:
    keys = tuple(str(part) for part in error["loc"])
    name = keys[-1] if keys else ""
    where = place(shown, line_of(source, keys))
    if error["type"] in _UNKNOWN:
        known = _fields(shape, keys[:-1])
        return BadFile(f"unknown key `{name}`", where=where, fix=nearest(name, known))
    if error["type"] in ("missing", "missing_argument"):
        inside = f" in [{'.'.join(keys[:-1])}]" if keys[:-1] else ""
        return BadFile(f"the key `{name}` is missing{inside}", where=where)
    said = error["msg"][:1].lower() + error["msg"][1:]
    for jargon, plainly in _PLAINLY.items():
        said = said.replace(jargon, plainly)
    return BadFile(f"`{name}` {said}", where=where)


def _fields(shape: type[object], path: tuple[str, ...]) -> set[str]:
    """The keys that may stand at `path` below a shape; empty where any may."""
    for part in path:
        hint = get_type_hints(shape).get(part)
        if hint is None:  # the name of an entry of a mapping, or an index
            continue
        arguments = [arg for arg in getattr(hint, "__args__", ()) if hasattr(arg, "__slots__")]
        shape = arguments[-1] if arguments else hint
    names = getattr(shape, "__dataclass_fields__", ())
    return {name for name in names if not name.startswith("_")}


def line_of(source: str, path: tuple[str, ...]) -> int:
    """The line (from 1) on which the key at `path` stands, or the nearest table above it."""
    best, best_depth = 1, 0
    table: tuple[str, ...] = ()
    seen: dict[tuple[str, ...], int] = {}
    for number, line in enumerate(source.splitlines(), 1):
        header = _TABLE.match(line)
        if header:
            table = _parts(header[2])
            if header[1] == "[[":
                index = seen.get(table, -1) + 1
                seen[table] = index
                table = (*table, str(index))
            full = table
        else:
            key = _KEY.match(line)
            if not key:
                continue
            full = (*table, *_parts(key[1]))
        depth = len(full)
        if full == path[:depth] and depth > best_depth:
            best, best_depth = number, depth
    return best


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(
        part.strip().strip("\"'") for part in re.findall(r"\"[^\"]*\"|'[^']*'|[^.]+", dotted)
    )
