"""JSON lines: one object a line, whose keys are columns. A JSON list of objects is read, too.

Keys that are alike as names of columns are (`email` here, `Email` there) are one column: what one
object calls it harms no other.

Standards: RFC 8259 (JSON).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from mailout.core.errors import BadFile, place
from mailout.roster.entry import RISKY
from mailout.roster.headings import normal
from mailout.roster.reading import MAX_CELL, Broken, Row, Table, is_cut, shown, text_lines
from mailout.roster.source import Source

_MOST_LIST = 15_000_000  # bytes of a list, which is read whole
_FIRST = 5000  # lines that are looked at for keys
_MOST_KEYS = 500


def is_json(source: Source) -> bool:
    """Whether the first character that is no white space begins an object or a list of them."""
    for _, line in text_lines(source):
        if text := line.strip():
            return text[0] == "{" or (text[0] == "[" and (text[1:].strip() or "{")[0] == "{")
    return False


def read(source: Source) -> Table:
    """The objects as a table, whose columns are the keys of the first few thousand.

    Raises: BadFile if there is none.
    """
    objects = _objects(source)
    first: list[tuple[int, object]] = []
    keys: dict[str, str] = {}  # by what they are compared by
    for number, found in objects:
        first.append((number, found))
        if isinstance(found, dict):
            for key in found:
                keys.setdefault(normal(key), key)
        if len(first) >= _FIRST or len(keys) > _MOST_KEYS:
            break
    if not keys:
        broken = next((one for _, one in first if isinstance(one, Broken)), None)
        if broken is not None:
            raise BadFile(
                broken.why,
                where=place(source.shown, broken.row),
                fix="Write one object a line, or a list of objects.",
            )
        raise BadFile("there is no JSON object in it", where=source.shown)
    if len(keys) > _MOST_KEYS:
        raise BadFile(f"more than {_MOST_KEYS} different keys", where=source.shown)
    names = tuple(keys.values())
    return Table(Row(1, names), "", _rows(chain(first, objects), names))


def _rows(objects: Iterable[tuple[int, object]], names: tuple[str, ...]) -> Iterator[Row | Broken]:
    known = frozenset(names)
    for number, found in objects:
        if isinstance(found, Broken):
            yield found
        elif not isinstance(found, dict):
            yield Broken(number, shown(str(found)), "no JSON object")
        else:
            named = found if found.keys() <= known else _renamed(number, found, names)
            if isinstance(named, Broken):
                yield named
                continue
            cells = tuple([_text(named.get(name)) for name in names])
            yield _checked(number, names, cells)


def _renamed(
    number: int, found: Mapping[str, object], names: tuple[str, ...]
) -> dict[str, object] | Broken:
    """The object with the names of the columns for its keys, or why it is refused."""
    columns = {normal(name): name for name in names}
    named: dict[str, object] = {}
    for key, value in found.items():
        column = columns.get(normal(key))
        if column is None:
            why = f"a key that none of the first {_FIRST} lines has"
            return Broken(number, shown(key), why)
        said, held = _text(value), _text(named.get(column))
        if said and held and said != held:
            why = f"the line has it as `{shown(column, 40)}`, too, with another value"
            return Broken(number, shown(key), why)
        if said or column not in named:
            named[column] = value
    return named


def _checked(number: int, names: tuple[str, ...], cells: tuple[str, ...]) -> Row | Broken:
    """The row, refused for a value that no program means to write."""
    for name, cell in zip(names, cells, strict=True):
        if len(cell) > MAX_CELL:
            why = f"{len(cell)} characters in `{shown(name, 40)}` (at most {MAX_CELL})"
            return Broken(number, shown(cell), why)
        if "\0" in cell:
            return Broken(number, shown(cell), f"a zero byte in `{shown(name, 40)}`")
    return Row(number, cells)


def _text(value: object) -> str:
    """A value as a cell: a list's items apart by semicolons, what is within as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        # No spreadsheet wrote it: a quote before `=` is the value's own, and stays (`unquoted`).
        return f"'{value}" if value[:1] == "'" and RISKY.match(value) else value
    if isinstance(value, list) and all(isinstance(one, str | int | float) for one in value):
        return ";".join(map(str, value))
    return json.dumps(value, ensure_ascii=False)


def _objects(source: Source) -> Iterator[tuple[int, object]]:
    lines = ((number, line) for number, line in text_lines(source) if line.strip())
    begun = next(lines, (1, ""))
    if begun[1].lstrip()[:1] == "[":
        yield from _listed(source)
        return
    for number, line in chain([begun], lines):
        if is_cut(line):
            yield (
                number,
                Broken(number, shown(line), f"a line of JSON of more than {len(line)} characters"),
            )
            continue
        try:
            yield number, json.loads(line)
        except (ValueError, RecursionError) as error:
            yield number, Broken(number, shown(line.strip()), f"no JSON object: {_why(error)}")


def _listed(source: Source) -> Iterator[tuple[int, object]]:
    if source.size > _MOST_LIST:
        raise BadFile(
            f"a JSON list of more than {_MOST_LIST // 1_000_000} MB",
            where=source.shown,
            fix="Write JSON lines: one object a line.",
        )
    source.file.seek(source.skip)
    try:
        found = json.loads(source.file.read().decode(source.encoding))
    except UnicodeError:
        raise BadFile("the file was changed while it was read", where=source.shown) from None
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        raise BadFile(f"no JSON: {_why(error)}", where=place(source.shown, line)) from None
    yield from enumerate(found, 1)


def _why(error: Exception) -> str:
    """What is wrong with a text that is no JSON."""
    if isinstance(error, RecursionError):
        return "nested too deep"
    if isinstance(error, json.JSONDecodeError):
        return error.msg.removesuffix(" at")
    return "a number of thousands of digits"
