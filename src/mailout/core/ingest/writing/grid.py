"""Grids: which tables hold data, their cells by row, and the Markdown of them.

Standards: GitHub Flavored Markdown 0.29 (tables), as our reader has it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from mailout.core.ingest.writing.clean import INLINE

_WIDEST = 50  # columns; a `colspan` is cut to that


def rows(table: Any) -> list[list[Any]]:
    """The cells of a table by row; None where a cell reaches over from another."""
    found: list[list[Any]] = []
    reaching: dict[int, int] = {}  # column -> rows that a cell above still reaches down
    for row in table.xpath("./tr | ./thead/tr | ./tbody/tr | ./tfoot/tr"):
        cells: list[Any] = []
        for cell in row.xpath("./td | ./th"):
            while reaching.get(len(cells), 0) > 0:
                reaching[len(cells)] -= 1
                cells.append(None)
            for offset in range(min(max(_number(cell, "colspan"), 1), _WIDEST)):
                reaching[len(cells)] = _number(cell, "rowspan") - 1
                cells.append(None if offset else cell)
        if cells:
            found.append(cells)
    return found


def is_data(found: Sequence[Sequence[Any]]) -> bool:
    """Whether a table's cells hold words, not the blocks of a page's scaffolding."""
    if len(found) < 2 or max(map(len, found)) < 2:
        return False
    for cell in (cell for row in found for cell in row if cell is not None):
        inner = [part.tag for part in cell.iterdescendants() if isinstance(part.tag, str)]
        blocks = [tag for tag in inner if tag not in INLINE]
        if len(blocks) > 2 or any(tag not in ("p", "div") for tag in blocks):
            return False
    return True


def has_heads(table: Any, found: Sequence[Sequence[Any]]) -> bool:
    """Whether the first row is one of heads."""
    if table.find("thead") is not None:
        return True
    return all(cell is None or cell.tag == "th" for cell in found[0])


def markdown(cells: Sequence[Sequence[str]], heads: bool) -> str:
    """A table of written cells; without heads, a row of empty ones stands in."""
    widest = max(map(len, cells))
    lines = [[*row, *[""] * (widest - len(row))] for row in cells]
    if not heads:
        lines.insert(0, [""] * widest)
    lines.insert(1, ["---"] * widest)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _number(cell: Any, name: str) -> int:
    value = (cell.get(name) or "").strip()
    return int(value) if re.fullmatch(r"[0-9]{1,4}", value) else 1
