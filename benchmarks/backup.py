"""How long a backup and a restore take, and how much memory, for a site with many people.

    python benchmarks/backup.py [--quick] [--people N] [--no-postgresql]

People with a tag, a subscription and evidence each, and an issue with an accepted delivery to
all of them. Each step runs in a process of its own, as the command does; so the second that
scrypt takes, and the start of the interpreter, are in its time.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import ground
import measure
from database import PostgreSQL

from mailout.store.engine import open_store

_DELIVERED = """
INSERT INTO delivery (issue_id, dispatch_id, subscriber_id, address_key, language, edition, state,
  reason, attempts, queued_at, next_at, worker, ended_at, last_code, last_enhanced, last_text,
  relay)
SELECT 1, 1, id, address_key, 'en', 'full', 'accepted', '', 1, created_at, created_at, '',
  created_at, 250, '2.0.0', '2.0.0 Ok: queued as 4B1C2D3E4F', 'relay.example.org:587'
FROM subscriber"""
_DISPATCHED = """
INSERT INTO dispatch (id, issue_id, list_id, segment, exclude, priority, state, held_why, left_out,
  created_at, filled_at, ended_at)
VALUES (1, 1, 'bulletin', 'unions', '', 0, 'done', '', '{}', '2026-11-24 10:00:00',
  '2026-11-24 10:00:00', '2026-11-24 10:00:00')"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--people", type=int, default=0)
    parser.add_argument("--no-postgresql", action="store_true")
    given = parser.parse_args()
    people = given.people or (20_000 if given.quick else 200_000)
    print(f"\n{people:,} people, {people:,} deliveries\n")
    measure.head("store", "step", "seconds", "rows/s", "peak MB", "file MB")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _run("sqlite", folder / "sqlite", people, "sqlite:///mailout.db", "sqlite:///mailout.db")
        if not given.no_postgresql:
            with PostgreSQL() as server:
                _run("postgresql", folder / "pg", people, server.create(), server.create())


def _run(kind: str, folder: Path, people: int, url: str, other: str) -> None:
    folder.mkdir()
    site = ground.make_site(folder / "site", people, url)
    store = open_store(url, site.root)
    ground.make_issue(store, site, "w47", 10_000)
    with store.engine.begin() as connection:
        connection.exec_driver_sql(_DISPATCHED)
        connection.exec_driver_sql(_DELIVERED)
    store.close()
    rows = people * 5
    passphrase = folder / "passphrase"
    passphrase.write_text("six random words for a measurement\n")
    passphrase.chmod(0o600)
    file = folder / "site.backup"
    steps: Sequence[tuple[str, Sequence[str], str]] = (
        ("backup", ("--site", str(site.root), "backup", str(file)), url),
        ("verify", ("verify", str(file)), url),
        ("restore", ("restore", str(file), "--into", str(folder / "again")), other),
        ("backup, unencrypted",
         ("--site", str(site.root), "backup", str(folder / "plain"), "--unencrypted"), url),
    )  # fmt: skip
    for name, words, store_url in steps:
        seconds, peak = _timed(words, store_url, passphrase if "un" not in name else None)
        measure.row(
            kind, name, f"{seconds:.1f}", f"{rows / seconds:,.0f}", f"{peak:.0f}",
            f"{file.stat().st_size / 1e6:.1f}",
        )  # fmt: skip


def _timed(words: Sequence[str], store_url: str, passphrase: Path | None) -> tuple[float, float]:
    """The seconds that a command took, and its peak memory in MB."""
    environment = {**os.environ, "MAILOUT_STORE_URL": store_url}
    if passphrase:
        environment["MAILOUT_PASSPHRASE_FILE"] = str(passphrase)
    begun = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "mailout", *words], env=environment, stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, words
    assert isinstance(used, resource.struct_rusage)
    return time.perf_counter() - begun, used.ru_maxrss / 1024


if __name__ == "__main__":
    main()
