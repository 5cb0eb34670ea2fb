"""What the chaos happens to: a site, its store, its relay, and a `mailout` that can be killed.

`World` prepares it, starts the program as a process of its own, and tells what the store
says; `judge` compares that with what the relay really got.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp

import ground
from sink import Accepted, Sink
from sqlalchemy import text

from mailout.core.site import Site
from mailout.store.engine import Store, open_store

CONNECTIONS = 10
WINDOW = 20  # in doubt at a kill, a connection, at most (docs/delivery.md)
SIZE = 10_240
CONTACT = "contact@news.example.org"  # of the list, as the starter site has it
PATIENCE = 180.0  # seconds after which something that is still not done counts as hanging

CHANCE = random.Random()  # noqa: S311 - moments of a kill, no secrets

_IN_DOUBT = """
SELECT p.address FROM delivery d JOIN subscriber p ON p.id = d.subscriber_id
WHERE d.state = 'sending'"""


@dataclass
class Result:
    """What a scenario came to. `faults` says what must not be; empty is good."""

    what: str
    kills: int
    people: int
    lost: int = 0
    doubled: int = 0
    in_doubt: int = 0
    at_most: int = 0
    strange_ids: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)


@dataclass
class Mailout:
    """A `mailout` at work; what it says on standard error is kept."""

    process: subprocess.Popen[bytes]
    errors: Path

    @property
    def is_over(self) -> bool:
        return self.process.poll() is not None

    @property
    def said(self) -> str:
        return self.errors.read_text(errors="replace")

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def ended(self, within: float = PATIENCE) -> int:
        """Its exit code. Raises: subprocess.TimeoutExpired."""
        return self.process.wait(within)


@dataclass
class World:
    """A site with people, and a relay that takes their mail."""

    site: Site
    sink: Sink
    people: frozenset[str]
    started: list[Mailout] = field(default_factory=list)
    _issues: int = 0

    @property
    def url(self) -> str:
        return self.site.store.url

    def store(self) -> Store:
        return open_store(self.url, self.site.root)

    def new_issue(self) -> str:
        """The name of a compiled and approved issue that nobody has been sent yet."""
        self._issues += 1
        name = f"chaos-{self._issues}"
        store = self.store()
        ground.make_issue(store, self.site, name, SIZE)
        store.close()
        return name

    def start(self, *words: str, root: Path | None = None, port: int = 0) -> Mailout:
        """`mailout WORDS`, running."""
        root = root or self.site.root
        relay = f"smtp+plain://127.0.0.1:{port or self.sink.port}?connections={CONNECTIONS}"
        errors = Path(mkdtemp(dir=self.sink.log.parent)) / "stderr"
        with errors.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "mailout", "--site", str(root), *words],
                env={**os.environ, "MAILOUT_RELAY_URL": relay, "MAILOUT_STORE_URL": self.url},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=file,
            )
        self.started.append(Mailout(process, errors))
        return self.started[-1]

    def send(self, root: Path | None = None, port: int = 0) -> Mailout:
        """`mailout send` to everybody: what begins an issue, and what goes on with it."""
        return self.start("send", "--segment", "unions", "--yes", root=root, port=port)

    def in_doubt(self, worker: str = "") -> list[str]:
        """The addresses that are `sending` in the store (those of one worker, if named).

        SQLite's files are copied for that, since opening them would tidy up what a kill left.
        """
        if self.url.startswith("sqlite"):
            copy = copy_store(self.site.root, self.site.root.with_name("looked-at"))
            with sqlite3.connect(copy / "mailout.db") as connection:
                rows = connection.execute(_IN_DOUBT).fetchall()
                (fine,) = connection.execute("PRAGMA quick_check").fetchone()
            connection.close()
            assert fine == "ok", f"the store was damaged: {fine}"
            return [row[0] for row in rows]
        store = self.store()
        time.sleep(0.05)  # a commit that was on its way to the server is done by then
        query = _IN_DOUBT + (" AND d.worker = :worker" if worker else "")
        with store.reading() as tx:
            found = list(tx.scalars(text(query), {"worker": worker} if worker else {}))
        store.close()
        return found

    def asked(self, query: str, **values: object) -> list[tuple[object, ...]]:
        """The rows that the store has for a query."""
        store = self.store()
        with store.reading() as tx:
            rows = [tuple(row) for row in tx.execute(text(query), values)]
        store.close()
        return rows

    def is_done(self) -> bool:
        """Whether no dispatch is unfinished."""
        return not self.asked("SELECT 1 FROM dispatch WHERE ended_at IS NULL")

    def states(self, issue: str) -> dict[str, int]:
        """How many deliveries of the issue are in each state."""
        query = (
            "SELECT d.state, count(*) FROM delivery d JOIN issue i ON i.id = d.issue_id"
            " WHERE i.name = :issue GROUP BY d.state"
        )
        return dict(self.asked(query, issue=issue))  # type: ignore[arg-type]

    def wait_for(self, count: int, process: Mailout) -> bool:
        """Whether the relay has accepted so many, before the process ended by itself."""
        gives_up = time.monotonic() + PATIENCE
        while self.sink.count() < count:
            if process.is_over or time.monotonic() > gives_up:
                return False
            time.sleep(0.001)
        return True

    def clean_up(self) -> list[str]:
        """Faults that what was started shows: tracebacks; and none of it runs any more."""
        faults = []
        for one in self.started:
            if not one.is_over:
                one.kill()
            if "Traceback" in one.said:
                faults.append("a traceback:\n" + one.said[-3000:])
        self.started.clear()
        return faults


@contextmanager
def world(
    folder: Path,
    people: int,
    url: str = "sqlite:///mailout.db",
    *,
    chunking: bool = False,
    disk: Path | None = None,
) -> Iterator[World]:
    """A world with so many people in a new folder below `folder`; the site itself on `disk`.

    What is deferred is due again at once: the waits are not what is tried here.
    """
    place = Path(mkdtemp(dir=folder))
    site = ground.make_site((disk or place) / "site", people, url)
    config = site.root / "config.toml"
    settings = config.read_text().replace("[5, 15, 30, 60, 120, 240]", "[0]")
    config.write_text(settings)
    # Without posts `mailout send` cannot go on to compose an issue of its own.
    shutil.rmtree(site.root / "posts")
    (site.root / "posts").mkdir()
    names = frozenset(f"person{n}@p{n % 97}.example.org" for n in range(people))
    with Sink(place / "accepted", chunking=chunking) as sink:
        made = World(site, sink, names)
        try:
            yield made
        finally:
            made.clean_up()
    shutil.rmtree(place, ignore_errors=True)


def copy_store(root: Path, target: Path) -> Path:
    """The folder of a copy of a site, its SQLite files and all, as they are at this moment."""
    shutil.rmtree(target, ignore_errors=True)
    # The index of the write-ahead log lies in memory only: a power cut leaves none.
    shutil.copytree(root, target, ignore=shutil.ignore_patterns("*-shm"))
    return target


def judge(
    result: Result, people: frozenset[str], got: Iterable[Accepted], doubts: Iterable[str]
) -> None:
    """Adds to the result what an issue's people got; `doubts` has an address once for each kill
    at which its delivery was in doubt: so often may it have come too often."""
    ids: dict[str, list[str]] = defaultdict(list)
    for recipient, identity in got:
        if recipient != CONTACT:  # who gets the reports and alerts, which are no deliveries
            ids[recipient].append(identity)
    allowed = Counter(doubts)
    result.lost += len(people - ids.keys())
    result.doubled += sum(len(found) - 1 for found in ids.values())
    result.in_doubt += allowed.total()
    result.strange_ids += sum(len(set(found)) > 1 for found in ids.values())
    if people - ids.keys():
        result.faults.append(f"lost: {sorted(people - ids.keys())[:5]} ..")
    if strangers := ids.keys() - people:
        result.faults.append(f"mailed although not on the list: {sorted(strangers)[:5]}")
    over = [one for one, found in ids.items() if len(found) - 1 > allowed[one]]
    if over:
        result.faults.append(f"{len(over)} came too often without having been in doubt: {over[:5]}")


def timed(scenario: Callable[[], Result]) -> Result:
    """The scenario's result, with the seconds that it took."""
    begun = time.monotonic()
    result = scenario()
    result.seconds = time.monotonic() - begun
    return result
