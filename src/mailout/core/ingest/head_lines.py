"""Head lines: a status and a mark changed in a file's front matter, and nothing else in it.

Whoever edited a post finds their own words, order, quotes and remarks again. Front matter that is
not written as an import writes it (TOML, a mark on one line) is written anew; the text stays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mailout.core import front_matter
from mailout.core.errors import BadFile

_MARK = re.compile(r"imported:[ \t]*\r?")
_FENCE = re.compile(r"---[ \t]*\r?")
_INDENT = re.compile(r"([ \t]+)\S")


def amended(text: str, file: str, status: str, mark: Mapping[str, str]) -> str:
    """The file's text with this status, and these values in its mark; an empty one goes.

    Raises: BadFile for front matter that cannot be read.
    """
    head = front_matter.split(text, file)
    values = _changed(head.values, {"status": "" if status == "ready" else status})
    values["imported"] = _changed(head.values.get("imported") or {}, mark)
    lines = _in_place(text, status, mark)
    if lines is not None:
        try:
            found = front_matter.split(lines, file)
        except BadFile:
            pass  # two keys on one line, and the like
        else:
            if (found.values, found.body) == (values, head.body):
                return lines
    return front_matter.join(values, head.body)


def _changed(values: Mapping[str, Any], changes: Mapping[str, str]) -> dict[str, Any]:
    kept = {key: value for key, value in values.items() if changes.get(key) != ""}
    return kept | {key: value for key, value in changes.items() if value}


def _in_place(text: str, status: str, mark: Mapping[str, str]) -> str | None:
    """The text with its lines changed; None if they are not the ones that an import writes."""
    lines = text.split("\n")
    end = next((n for n, line in enumerate(lines[1:], 1) if _FENCE.fullmatch(line)), None)
    begin = next((n for n, line in enumerate(lines[:end]) if _MARK.fullmatch(line)), None)
    if end is None or begin is None:
        return None
    after = begin + 1
    while after < end and _INDENT.match(lines[after]):
        after += 1
    first = _INDENT.match(lines[begin + 1])
    if first is None:
        return None
    block = lines[begin + 1 : after]
    for key, value in mark.items():
        _set(block, f"{first[1]}{key}", value and f"'{value}'", len(block), lines[begin])
    above, below = lines[:begin], lines[after:]
    last = below[: end - after]
    if any(line.startswith("status:") for line in last):
        _set(last, "status", "" if status == "ready" else status, len(last), lines[begin])
    else:
        _set(above, "status", "" if status == "ready" else status, len(above), lines[begin])
    return "\n".join([*above, lines[begin], *block, *last, *below[end - after :]])


def _set(lines: list[str], key: str, value: str, at: int, pattern: str) -> None:
    """Changes the line of a key, takes it out, or puts it in; its end is that of `pattern`."""
    ending = "\r" if pattern.endswith("\r") else ""
    found = next((n for n, line in enumerate(lines) if line.startswith(f"{key}:")), None)
    if found is not None:
        lines[found : found + 1] = [f"{key}: {value}{ending}"] if value else []
    elif value:
        lines.insert(at, f"{key}: {value}{ending}")
