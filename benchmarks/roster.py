"""How fast people come in: an import, the same file again, and the bare INSERTs of its rows.

    python benchmarks/roster.py [--quick] [--rows N] [--database sqlite|postgresql]

The file is made up here: names in two scripts, two tags, a language, a country and a status each.
The import is the whole command as a process of its own: it checks and normalises addresses, looks
for doubles, keeps consent and a record to undo it by, and reports. Bare is `executemany` of the
rows that it wrote, in transactions as large, into an empty store with the same settings.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

import ground
import measure
from database import PostgreSQL

from mailout.core.site import Site
from mailout.roster.importing import CHUNK
from mailout.store import schema
from mailout.store.engine import Store, open_store
from mailout.store.intake import widen
from mailout.store.tables import metadata

BARS = {"sqlite": 25_000, "postgresql": 20_000}  # rows a second of an import
AGAIN = 50_000
MEMORY = 300  # MB, of the command and its reader together

_BARE = 200_000  # people, at most, for the bare INSERTs
_TABLES = ("import_run", "subscriber", "subscriber_tag", "subscription", "consent", "import_person")
_FIRST = ("Anna", "Boris", "Carol", "Dave", "Erin", "Frank", "Айгүл", "Борис", "Эльвира", "Jörg")
_LAST = ("Weiss", "Orlov", "Smith", "Müller", "Орлов", "Garcia", "Nkosi", "Lee")
_TAGS = ("unions", "press", "delegates", "members", "harbour", "volunteers")


@dataclass(frozen=True, slots=True)
class Ran:
    """Seconds that a command took, the most memory that it and its children had (MB), and what
    it said."""

    seconds: float
    peak: float
    said: Any


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="100,000 rows")
    parser.add_argument("--rows", type=int, help="in the file [1,000,000; quick: 100,000]")
    parser.add_argument("--database", choices=tuple(BARS), help="only this one")
    asked = parser.parse_args()
    rows = asked.rows or (100_000 if asked.quick else 1_000_000)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = write_file(folder / "people.csv", rows)
        print(f"A file of {rows} people, {file.stat().st_size / 1e6:.0f} MB; ", end="")
        print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}.\n")
        measure.head("what", "seconds", "rows/s", "bar", "MB", "bar")
        for database in [asked.database] if asked.database else BARS:
            server = PostgreSQL() if database == "postgresql" else nullcontext()
            with server as running:
                url = running.create() if running else "sqlite:///mailout.db"
                site = ground.make_site(folder / database, 0, url)
                _measure(database, site, file, rows, running.create() if running else "")


def _measure(database: str, site: Site, file: Path, rows: int, empty: str) -> None:
    first = _command(site, file)
    assert first.said["added"] == rows, first.said
    again, once_more = _command(site, file), _command(site, file)
    assert again.said["unchanged"] == once_more.said["unchanged"] == rows, again.said
    rate = rows / first.seconds
    for what, ran, bar in (
        (database, first, BARS[database]),
        ("again", again, AGAIN),
        ("once more", once_more, AGAIN),  # the database has tidied up after the first by then
    ):
        measure.row(
            what, f"{ran.seconds:.1f}", f"{rows / ran.seconds:.0f}", f">= {bar}",
            f"{ran.peak:.0f}", f"<= {MEMORY}",
        )  # fmt: skip
    people, seconds = _bare(site, empty)
    measure.row("bare INSERTs", f"{seconds:.1f}", f"{people / seconds:.0f}", "-", "-", "-")
    print(f"import : bare = {rate / (people / seconds):.2f}\n")


def _command(site: Site, file: Path) -> Ran:
    """The command `mailout subscribers import`, with a look at its memory ten times a second."""
    command = [
        sys.executable, "-m", "mailout", "--site", str(site.root), "subscribers", "import",
        str(file), "--list", "bulletin", "--consent", "signed at the gate", "--json",
    ]  # fmt: skip
    begun = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, env={**os.environ, "MAILOUT_STORE_URL": site.store.url}
    ) as process:
        peaks, over = [0.0], Event()

        def watch() -> None:
            while not over.wait(0.1):
                peaks[0] = max(peaks[0], _memory(process.pid))

        watcher = Thread(target=watch)
        watcher.start()
        said = process.communicate()[0]
        over.set()
        watcher.join()
    seconds = time.perf_counter() - begun
    assert process.returncode == 0
    return Ran(seconds, peaks[0], json.loads(said))


def _memory(pid: int) -> float:
    """Megabytes that a process and its children have in memory; 0 where nobody can tell."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0.0
    own = next((line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")), "0")
    return int(own) / 1024 + sum(_memory(int(child)) for child in children)


def _bare(site: Site, empty: str) -> tuple[int, float]:
    """How many people's rows went into an empty store, and the seconds that it took."""
    full = open_store(site.store.url, site.root)
    held = {name: _rows_of(full, name) for name in _TABLES}
    full.close()
    store = open_store(empty or "sqlite:///bare.db", site.root)
    schema.upgrade(store)
    people = len(held["subscriber"])
    begun = time.perf_counter()
    for at in range(0, people, CHUNK):
        with store.writing() as tx:
            widen(tx)
            for name, rows in held.items():
                each = max(1, len(rows) // people)
                some = rows[at * each : (at + CHUNK) * each]
                if some:
                    tx.connection().exec_driver_sql(_insert(store, name), some)
    seconds = time.perf_counter() - begun
    store.close()
    return people, seconds


def _rows_of(store: Store, name: str) -> list[tuple[Any, ...]]:
    key = ", ".join(column.name for column in metadata.tables[name].primary_key)
    # As text, as the driver is given it again.
    columns = ", ".join(
        f"{column.name}::text"
        if not store.is_sqlite and str(column.type) == "JSON"
        else column.name
        for column in metadata.tables[name].columns
    )
    where = (
        "" if name == "import_run" else f"LIMIT {_BARE * (2 if name == 'subscriber_tag' else 1)}"
    )
    with store.engine.connect() as connection:
        query = f"SELECT {columns} FROM {name} ORDER BY {key} {where}"  # noqa: S608 - our own
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def _insert(store: Store, name: str) -> str:
    columns = [column.name for column in metadata.tables[name].columns]
    holes = ", ".join(["?" if store.is_sqlite else "%s"] * len(columns))
    return f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({holes})"  # noqa: S608 - our own


def write_file(path: Path, rows: int) -> Path:
    """A file of so many people, the same at every run."""
    chance = random.Random(1)  # noqa: S311 - names, no secrets
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["email", "name", "language", "country", "tags", "status"])
        for number in range(rows):
            address = (
                f"person{number}.{chance.randrange(10**6)}@p{chance.randrange(97)}.example.org"
            )
            name = f"{chance.choice(_FIRST)} {chance.choice(_LAST)}"
            language, country = chance.choice(("en", "ru", "de", "kk")), chance.choice(("DE", "KZ"))
            tags = ";".join(chance.sample(_TAGS, 2))
            writer.writerow([address, name, language, country, tags, "active"])
    return path


if __name__ == "__main__":
    main()
