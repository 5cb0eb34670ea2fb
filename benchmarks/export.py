"""How fast people are exported, and in how much memory.

    python benchmarks/export.py [--quick] [--people N] [--no-postgresql]

The people are those of `benchmarks/segments.py`: names, tags, a field of the list's own for every
fifth of them, a second list for every tenth. Each form is written once, to nowhere.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import measure
from database import PostgreSQL
from segments import populate

from mailout.roster import exporting
from mailout.roster.exporting import Form
from mailout.store import extracts, schema
from mailout.store.engine import open_store
from mailout.store.extracts import Row

_Rows = Sequence[Row]

BAR = 150_000  # rows a second, of a million people


class Nowhere(io.RawIOBase):
    """Takes bytes and counts them."""

    size = 0

    def write(self, text: object) -> int:
        self.size += len(text)  # type: ignore[arg-type]
        return len(text)  # type: ignore[arg-type]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="100,000 people")
    parser.add_argument("--people", type=int, help="[1000000; quick: 100000]")
    parser.add_argument("--no-postgresql", action="store_true", help="SQLite alone")
    asked = parser.parse_args()
    people = asked.people or (100_000 if asked.quick else 1_000_000)
    with tempfile.TemporaryDirectory() as name:
        measure_store("sqlite:///mailout.db", Path(name), people)
        if not asked.no_postgresql:
            with PostgreSQL() as server:
                measure_store(server.create(), Path(name), people)


def measure_store(url: str, folder: Path, people: int) -> None:
    """Prints what exports of a new store at that address take."""
    store = open_store(url, folder)
    schema.upgrade(store)
    populate(store, people)
    print(f"\n{'SQLite' if store.is_sqlite else 'PostgreSQL'}, {people:,} people:\n")
    measure.head("form", "rows", "rows/s", "bar", "MB", "peak memory, MB")
    for form in (Form.CSV, Form.JSON_LINES):
        out, begun, rows = Nowhere(), time.perf_counter(), 0
        with store.reading() as tx:
            own = [name for name in extracts.own_fields(tx) if name != "signatory"]

            def counted(batches: Iterable[_Rows]) -> Iterator[_Rows]:
                nonlocal rows
                for some in batches:
                    rows += len(some)
                    yield some

            for text in exporting.texts(counted(extracts.rows(tx, "", [])), own, form):
                out.write(text.encode())
        rate = rows / (time.perf_counter() - begun)
        bar = f">= {BAR:,}: {'yes' if rate >= BAR else 'no'}" if people == 1_000_000 else "-"
        size, peak = out.size / 1e6, measure.peak_memory()
        measure.row(form, f"{rows:,}", f"{rate:,.0f}", bar, f"{size:.0f}", f"{peak:.0f}")
    store.close()


if __name__ == "__main__":
    main()
