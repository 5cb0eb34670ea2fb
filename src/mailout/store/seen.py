"""Seen: the address keys that a file had so far, in a file of its own that goes at the end.

An import has to know of each row whether an earlier one had the address. The store cannot
tell in a dry run, and memory is bounded: SQLite keeps the keys on the disk, in a nameless
file. It holds keyed hashes, states and tags, no addresses. Many people have the same state
and tags, so most have a number there instead.

Most keys of most files come once. A bit for each, at a place that several may share, tells
that a key is new without a look at the disk.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping
from typing import Self

from mailout.store.inserts import ready

_MEMORY = 4_000  # kilobytes that are kept off the disk
_PLACES = 1 << 27
"""Bits, 16 MB: of the new keys of a file of a million, one in 270 shares its place with another."""
_MOST_TEXTS = 20_000


class Seen:
    """What an import remembers of each address key: one short text."""

    def __enter__(self) -> Self:
        # An empty name is a temporary database on the disk; nobody else can open it.
        self._held = sqlite3.connect("", isolation_level=None)
        for statement in (
            f"PRAGMA cache_size = -{_MEMORY}",
            "PRAGMA journal_mode = OFF",
            "PRAGMA synchronous = OFF",
            "CREATE TABLE seen (key TEXT PRIMARY KEY, said NOT NULL) WITHOUT ROWID",
        ):
            self._held.execute(statement)
        self._bits = bytearray(_PLACES >> 3)
        self._numbers: dict[str, int] = {}
        self._texts: list[str] = []
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def among(self, keys: Collection[str]) -> dict[str, str]:
        """Those of the keys that were seen, with what is remembered of them."""
        bits = self._bits
        places = [hash(key) % _PLACES for key in keys]
        maybe = [
            key
            for key, place in zip(keys, places, strict=True)
            if bits[place >> 3] >> (place & 7) & 1
        ]
        if not maybe:
            return {}
        rows = self._held.execute(
            "SELECT s.key, s.said FROM json_each(?) k CROSS JOIN seen s ON s.key = k.value",
            (json.dumps(maybe),),
        )
        texts = self._texts
        return {key: texts[said] if isinstance(said, int) else said for key, said in rows}

    def remember(self, said: Mapping[str, str]) -> None:
        """Nothing, once each key is seen with its text; what was remembered before is replaced."""
        bits, again = self._bits, []
        for key in said:
            place = hash(key) % _PLACES
            at, bit = place >> 3, 1 << (place & 7)
            if bits[at] & bit:
                again.append((key,))
            bits[at] |= bit
        # In order, neighbours fall on one page.
        rows = [(key, self._short(said[key])) for key in sorted(said)]
        self._held.execute("BEGIN")
        self._held.executemany("DELETE FROM seen WHERE key = ?", again)
        for statement, values in ready("sqlite", "seen", "key, said", rows):
            self._held.execute(statement, values)
        self._held.execute("COMMIT")

    def _short(self, text: str) -> int | str:
        """The number of a text that stands for many; itself when there are too many of them."""
        number = self._numbers.get(text)
        if number is not None:
            return number
        if len(self._texts) >= _MOST_TEXTS:
            return text
        self._texts.append(text)
        self._numbers[text] = len(self._texts) - 1
        return len(self._texts) - 1
