"""A page's tree, as the readers of pages and of HTML files take it apart."""

from __future__ import annotations

from typing import Any

from mailout.core.errors import BadFile
from mailout.core.ingest.pages import addresses, body, head
from mailout.core.ingest.pages.head import Head
from mailout.core.ingest.writing import clean


def read(text: str, shown: str, url: str, warnings: list[str]) -> tuple[Any, Head]:
    """The tree of a page, sanitised and with its hidden addresses written out, and what its head
    tells. What was left out is added to the warnings. Raises: BadFile."""
    hidden: list[str] = []
    noted: dict[str, None] = {}
    text = addresses.revealed(text, hidden)
    try:
        root = clean.tree(clean.readable(text, noted), body.TAGS, body.ATTRIBUTES)
    except BadFile as error:
        raise BadFile(error.what, where=shown, fix=error.fix) from None
    told = head.read(text, url)
    warnings += [f"{shown}: {line}" for line in (*hidden, *noted, *told.warnings)]
    return root, told
