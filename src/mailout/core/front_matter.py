"""Front matter: what stands between two `---` lines (YAML) or two `+++` lines (TOML) at the head
of a post or an issue.

What comes back knows on which line each value stands, however deep, so that every later
complaint can name it.
Standards: YAML 1.1, TOML 1.0.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from mailout.core.errors import BadFile, nearest, place

_FENCE = "---"
_TOML_FENCE = "+++"
_TOML_KEY = re.compile(r"\s*(\[{0,2})\s*(?:\"([^\"]+)\"|'([^']+)'|([\w-]+))\s*[.=\]].*")
_UNQUOTED = 'A text needs quotes around it, as in `title = "Strike vote"`.'
_TOML_PLACE = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)")

Path = tuple[str | int, ...]
"""The way to a value: keys of mappings and positions (from 0) in lists, from the outside in."""

At = Callable[..., str]
"""Where a value stands (`file:line`), by the way to it from the value that this is about."""


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """The values, the line (from 1) of each value, the body, and the body's first line."""

    file: str
    values: Mapping[str, Any]
    lines: Mapping[Path, int]
    body: str
    body_line: int

    def at(self, *path: str | int) -> str:
        """`file:line` of a value, else of what it should stand in, else of the head."""
        known = (path[:length] for length in range(len(path), 0, -1) if path[:length] in self.lines)
        return place(self.file, self.lines.get(next(known, ()), 1))

    def refuse_unknown(self, known: Collection[str]) -> None:
        """Nothing, if every key is known. Raises: BadFile naming line and nearest known key."""
        for key in self.values:
            if key not in known:
                raise BadFile(f"unknown key `{key}`", where=self.at(key), fix=nearest(key, known))

    def text(self, key: str, default: str = "") -> str:
        """The value as text; numbers and dates are taken as written. Raises: BadFile."""
        value = self.values.get(key)
        if value is None:
            return default
        if isinstance(value, (dict, list)):
            raise BadFile(f"`{key}` must be a text", where=self.at(key))
        return str(value).strip()

    def texts(self, key: str) -> tuple[str, ...]:
        """The value as a list of texts; a single text counts as a list of one. Raises: BadFile."""
        value = self.values.get(key)
        if value is None:
            return ()
        items = value if isinstance(value, list) else [value]
        if any(isinstance(item, (dict, list)) or item is None for item in items):
            raise BadFile(f"`{key}` must be a list of texts", where=self.at(key))
        return tuple(str(item).strip() for item in items)

    def flag(self, key: str, default: bool = False) -> bool:
        """The value as yes or no. Raises: BadFile."""
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            raise BadFile(f"`{key}` must be true or false", where=self.at(key))
        return value


def split(text: str, file: str) -> FrontMatter:
    """The front matter and body of a file's `text`; without front matter, no values.

    Raises: BadFile with line and column for a head that never ends or is not YAML or TOML.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise BadFile("a NUL character", where=place(file, line), fix="Is this a text file?")
    lines = text.split("\n")
    fence = lines[0].rstrip()
    if fence == "{":
        raise BadFile(
            "front matter in JSON is not read here",
            where=place(file, 1),
            fix="`mailout posts import markdown FILE` makes a post of it.",
        )
    if fence not in (_FENCE, _TOML_FENCE):
        return FrontMatter(file, {}, {}, text, 1)
    end = next((n for n, line in enumerate(lines[1:], 1) if line.rstrip() == fence), None)
    if end is None:
        raise BadFile(
            "the front matter that begins here has no end",
            where=place(file, 1),
            fix=f"Close it with a line that holds only `{fence}`.",
        )
    read = _read_yaml if fence == _FENCE else _read_toml
    values, where = read("\n".join(lines[1:end]), file)
    return FrontMatter(file, values, where, "\n".join(lines[end + 1 :]), end + 2)


def join(values: Mapping[str, Any], body: str) -> str:
    """The text of a file with this front matter and body: the inverse of `split`."""
    head = yaml.safe_dump(dict(values), allow_unicode=True, sort_keys=False, width=100)
    return f"{_FENCE}\n{head}{_FENCE}\n{body}"


def _read_yaml(source: str, file: str) -> tuple[dict[str, Any], dict[Path, int]]:
    try:
        values, lines = _values_and_lines(source, file)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = place(file, mark.line + 2, mark.column + 1) if mark else file
        raise BadFile(
            f"the front matter is not YAML: {error.problem or 'unreadable'}",
            where=where,
            fix="A text with a colon or a quote in it needs quotes around the whole of it.",
        ) from None
    except RecursionError:
        raise BadFile("the front matter is nested too deeply", where=place(file, 1)) from None
    except (yaml.YAMLError, ValueError) as error:
        first = (str(error).splitlines() or ["unreadable"])[0]
        raise BadFile(f"the front matter is not YAML: {first}", where=place(file, 1)) from None
    if values is None:
        return {}, {}
    if not isinstance(values, dict):
        raise BadFile("the front matter must be lines of `key: value`", where=place(file, 2))
    return {str(key): value for key, value in values.items()}, lines


def _values_and_lines(source: str, file: str) -> tuple[Any, dict[Path, int]]:
    """The document's values and where they stand. Raises: yaml.YAMLError."""
    try:
        return _load(source, file, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError:
        return _load(source, file, yaml.SafeLoader)  # slower, and says better what is wrong


def _load(source: str, file: str, kind: type[yaml.SafeLoader]) -> tuple[Any, dict[Path, int]]:
    loader = kind(source)
    try:
        node = loader.get_single_node()
        if node is None:
            return None, {}
        lines = _yaml_lines(node, file)  # before `<<` is merged into it
        return loader.construct_document(node), lines
    finally:
        loader.dispose()


def _yaml_lines(top: yaml.Node, file: str) -> dict[Path, int]:
    """The line of each value. Raises: BadFile for a key that stands twice in one mapping."""
    lines: dict[Path, int] = {}
    ahead: list[tuple[Path, yaml.Node]] = [((), top)]
    seen: set[int] = set()  # an alias is the node itself again, perhaps within itself
    while ahead:
        path, node = ahead.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            for position, item in enumerate(node.value):
                lines[*path, position] = item.start_mark.line + 2
                ahead.append(((*path, position), item))
        elif isinstance(node, yaml.MappingNode):
            for key_node, value in node.value:
                inner, line = (*path, str(key_node.value)), key_node.start_mark.line + 2
                if inner in lines:
                    raise BadFile(
                        f"the key `{key_node.value}` stands twice",
                        where=place(file, line),
                        fix=f"It stands on line {lines[inner]} already.",
                    )
                lines[inner] = line
                ahead.append((inner, value))
    return lines


def _read_toml(source: str, file: str) -> tuple[dict[str, Any], dict[Path, int]]:
    try:
        values = tomllib.loads(source)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        what = str(error) or "unreadable"
        found = _TOML_PLACE.search(what)
        last = source.count("\n") + 2
        where = (
            place(file, int(found[1]) + 1, int(found[2]))
            if found and found[1]
            else place(file, last)
        )
        raise BadFile(
            f"the front matter is not TOML: {_TOML_PLACE.sub('', what)}",
            where=where,
            fix=_UNQUOTED if what.startswith("Invalid value") else "",
        ) from None
    return values, _toml_lines(source, values)


def _toml_lines(source: str, values: Mapping[str, Any]) -> dict[Path, int]:
    """The line of each key and table, as far as each has a line of its own."""
    lines: dict[Path, int] = {}
    table: Path = ()
    for number, line in enumerate(source.split("\n"), 2):
        found = _TOML_KEY.fullmatch(line)
        if found is None:
            continue
        brackets, key = found[1], found[2] or found[3] or found[4]
        if not brackets:
            path = (*table, key)
        elif brackets == "[":
            path = table = (key,)
        else:  # the next of an array of tables
            count = sum(1 for known in lines if len(known) == 2 and known[0] == key)
            path = table = (key, count)
            lines.setdefault((key,), number)
        if _is_there(values, path):
            lines.setdefault(path, number)
    return lines


def _is_there(values: Any, path: Path) -> bool:
    for step in path:
        if isinstance(values, Mapping) != isinstance(step, str):
            return False
        try:
            values = values[step]
        except (LookupError, TypeError):
            return False
    return True
