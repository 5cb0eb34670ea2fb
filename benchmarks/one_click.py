"""Leaving by one click, as fast as a server and a load generator on the same two cores let it.

    python benchmarks/one_click.py [--quick] [--people N] [--seconds N] [--only sqlite|postgresql]

`mailout serve` is a process of its own; `wrk` asks over 16 connections and walks through the
leave tokens of a fresh store, so that each POST is a real leave with its event and its row of
consent. What is counted afterwards is in the store, not in an answer: every leave that was
answered with 200 must be there. The guesses are random tokens; beside them one client leaves
at a steady pace, whose waiting is compared with that of a quiet hour.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import ground
import measure
from database import PostgreSQL
from sqlalchemy import text

from mailout.core.site import Site
from mailout.core.token import leave_token
from mailout.store import consents
from mailout.store.engine import Store, open_store

CONNECTIONS = 16
RATE_BAR = 2_500
P99_BAR = 60.0  # ms
_GUESSES = 100_000
_PACE = 100  # leaves a second of the client beside the guesses

# wrk asks its script for each request, and at its end for a report.
_SCRIPT = """
local tokens, at = {}, 0
for line in io.lines("%(tokens)s") do tokens[#tokens + 1] = "/u/" .. line end
wrk.method = "POST"
wrk.body = "List-Unsubscribe=One-Click"
wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
function request()
  if at < #tokens then at = at + 1 else io.open("%(over)s", "w"):close() end
  return wrk.format(nil, tokens[at])
end
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('\\n{"asked": %%d, "seconds": %%f, "p50": %%f, "p99": %%f, "most": %%f, '
    .. '"not_ok": %%d, "broken": %%d}\\n', summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3,
    e.status, e.connect + e.read + e.write + e.timeout))
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What wrk came to; times in ms. `not_ok`: answers other than 200."""

    asked: int
    seconds: float
    p50: float
    p99: float
    most: float
    not_ok: int
    broken: int

    @property
    def rate(self) -> float:
        return self.asked / self.seconds


@dataclass(slots=True)
class Ground:
    """A served site, and the leave tokens that nobody has used yet."""

    site: Site
    store: Store
    url: str
    port: int
    tokens: list[str] = field(repr=False)

    def take(self, count: int) -> list[str]:
        taken, self.tokens = self.tokens[:count], self.tokens[count:]
        return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="20,000 people, 2 seconds a load")
    parser.add_argument("--people", type=int, help="[200000]")
    parser.add_argument("--seconds", type=int, help="of each load [10]")
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    asked = parser.parse_args()
    people = asked.people or (20_000 if asked.quick else 200_000)
    seconds = asked.seconds or (2 if asked.quick else 10)
    if not shutil.which("wrk"):
        print("wrk is missing (Debian's package wrk has it): one-click is not measured.")
        return
    print(f"{people:,} people, {CONNECTIONS} connections, {seconds} seconds a load:\n")
    measure.head("store", "beside it", "req/s", "bar", "p50, ms", "p99, ms", "bar", "longest, ms",
                 "not 200", "answered 200", "leaves in the store", "whole")  # fmt: skip
    slow: list[tuple[str, list[Paced]]] = []
    with tempfile.TemporaryDirectory() as name, measure.receiver() as there:
        for kind in [asked.only] if asked.only else ["sqlite", "postgresql"]:
            with _stores(kind) as url, served(Path(name) / kind, people, url) as ours:
                measure_leaves(kind, ours, seconds)
                measure_beside_a_send(kind, ours, seconds, there.port)
                slow.append((kind, measure_guesses(ours, _GUESSES // (10 if asked.quick else 1))))
    print(f"\nOne client leaves {_PACE} times a second; guesses by {CONNECTIONS} connections:\n")
    measure.head("store", "guesses", "guesses/s", "not 404", "p50, ms", "p99, ms", "not left")
    for kind, lines in slow:
        for line in lines:
            rate = f"{line.guesses.rate:,.0f}" if line.guesses else "-"
            other = line.guesses.asked - line.guesses.not_ok if line.guesses else "-"
            count = f"{line.guesses.asked:,}" if line.guesses else "none"
            p50, p99 = (f"{line.percentile(share):.1f}" for share in (0.5, 0.99))
            measure.row(kind, count, rate, other, p50, p99, line.lost)


@contextmanager
def _stores(kind: str) -> Iterator[str]:
    if kind == "sqlite":
        yield "sqlite:///mailout.db"
        return
    with PostgreSQL() as server:
        yield server.create()


@contextmanager
def served(folder: Path, people: int, store_url: str) -> Iterator[Ground]:
    """A site of so many people, whose pages are served by a process of its own."""
    site = ground.make_site(folder, people, store_url)
    store = open_store(site.store.url, site.root)
    with store.reading() as tx:
        tokens = list(tx.scalars(text("SELECT token FROM subscription")))
    random.shuffle(tokens)
    process = subprocess.Popen(
        [sys.executable, "-m", "mailout", "--site", str(folder), "serve", "--port", "0"],
        env=_environment(store_url),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        found = re.search(r"http://\S+", process.stdout.readline())  # type: ignore[union-attr]
        assert found is not None
        yield Ground(site, store, found[0], urlsplit(found[0]).port or 0, tokens)
    finally:
        process.terminate()
        process.wait()
        store.close()


def _environment(store_url: str) -> dict[str, str]:
    return {**os.environ, "MAILOUT_STORE_URL": store_url, "PYTHONUNBUFFERED": "1"}


def measure_leaves(kind: str, ours: Ground, seconds: int) -> None:
    before = leaves(ours.store)
    load = wrk(ours, ours.take(len(ours.tokens) // 3), seconds)
    _row(kind, "nothing", ours, load, before, bars=True)


def measure_beside_a_send(kind: str, ours: Ground, seconds: int, port: int) -> None:
    """Prints what leaving comes to while an issue goes to all the rest, as fast as it can."""
    ground.make_issue(ours.store, ours.site, "beside", 10_240)
    relay = f"smtp+plain://127.0.0.1:{port}?connections={measure.CONNECTIONS}"
    command = [sys.executable, "-m", "mailout", "--site", str(ours.site.root), "send", "beside"]
    process = subprocess.Popen(
        [*command, "--segment", measure.SEGMENT, "--yes"],
        env={**_environment(ours.site.store.url), "MAILOUT_RELAY_URL": relay},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    while not _accepted(ours.store):
        assert process.poll() is None
        time.sleep(0.05)
    before, sent = leaves(ours.store), _accepted(ours.store)
    load = wrk(ours, ours.take(len(ours.tokens) // 2), seconds)
    sent, still = _accepted(ours.store) - sent, process.poll() is None
    said = f"a send ({sent / load.seconds:,.0f} mails/s)" + ("" if still else ", over too soon")
    _row(kind, said, ours, load, before, bars=False)
    assert process.wait() == 0, process.stderr.read() if process.stderr else ""
    assert not _mailed_after_leaving(ours.store)


def _row(
    kind: str, beside: str, ours: Ground, load: Load, before: tuple[int, int, int], *, bars: bool
) -> None:
    """Prints a line: what was answered, and what of it is in the store."""
    time.sleep(0.5)  # what was under way when wrk ended
    states, events, evidence = (b - a for a, b in zip(before, leaves(ours.store), strict=True))
    answered = load.asked - load.not_ok
    # wrk ends with requests under way, of which it counts no answer.
    under_way = states - answered
    whole = states == events == evidence and 0 <= under_way <= CONNECTIONS
    with ours.store.reading() as tx:
        whole = whole and consents.first_broken(tx, "bulletin") is None
    times = [f"{load.p50:.1f}", f"{load.p99:.1f}"]
    measure.row(kind, beside, f"{load.rate:,.0f}", RATE_BAR if bars else "-", *times,
                f"{P99_BAR:.0f}" if bars else "-", f"{load.most:.0f}", load.not_ok + load.broken,
                f"{answered:,}", f"{states:,}", "yes" if whole else "NO")  # fmt: skip


def leaves(store: Store) -> tuple[int, int, int]:
    """How many have left, how many events say so, and how many rows of consent."""
    with store.reading() as tx:
        return tuple(
            tx.scalar(text(f"SELECT count(*) FROM {which}"))  # noqa: S608 - our own words
            for which in (
                "subscription WHERE state = 'unsubscribed'",
                "event WHERE kind = 'left'",
                "consent WHERE action = 'left'",
            )
        )


def _accepted(store: Store) -> int:
    with store.reading() as tx:
        return tx.scalar(text("SELECT count(*) FROM delivery WHERE state = 'accepted'")) or 0


def _mailed_after_leaving(store: Store) -> int:
    """How many deliveries were begun a second or more after their reader had left."""
    with store.reading() as tx:
        rows = tx.execute(
            text(
                "SELECT s.changed_at, d.ended_at FROM delivery d JOIN subscription s"
                " ON s.subscriber_id = d.subscriber_id"
                " WHERE s.state = 'unsubscribed' AND d.state = 'accepted'"
            )
        )
        return sum(str(ended)[:19] > _second_after(str(left)) for left, ended in rows)


def _second_after(moment: str) -> str:
    from datetime import datetime, timedelta

    return str(datetime.fromisoformat(moment[:19]) + timedelta(seconds=2))


@dataclass(slots=True)
class Paced:
    """The waiting of the client that leaves at a steady pace, in ms; and the guesses beside it."""

    guesses: Load | None = None
    waits: list[float] = field(default_factory=list)
    lost: int = 0

    def percentile(self, share: float) -> float:
        return sorted(self.waits)[int(share * (len(self.waits) - 1))]


def measure_guesses(ours: Ground, count: int) -> list[Paced]:
    """The steady client alone, and beside so many guesses."""
    alone, beside = Paced(), Paced()
    over = threading.Event()
    threading.Timer(5, over.set).start()
    _leave_steadily(ours, alone, over)
    over = threading.Event()
    steady = threading.Thread(target=_leave_steadily, args=(ours, beside, over))
    steady.start()
    guesses = [leave_token(secrets.token_bytes(16)) for _ in range(count)]
    beside.guesses = wrk(ours, guesses, 600)
    over.set()
    steady.join()
    return [alone, beside]


def _leave_steadily(ours: Ground, into: Paced, over: threading.Event) -> None:
    asked: list[str] = []
    body = b"List-Unsubscribe=One-Click"
    with socket.create_connection(("127.0.0.1", ours.port), timeout=60) as wire:
        while not over.wait(1 / _PACE):
            [token] = ours.take(1)  # one thread takes at a time
            begun = time.perf_counter()
            wire.sendall(
                f"POST /u/{token} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
                "Content-Type: application/x-www-form-urlencoded\r\n\r\n".encode()
                + body
            )
            answer = b""
            while b"unsubscribed\n" not in answer:
                received = wire.recv(65536)
                assert received, answer
                answer += received
            assert answer.startswith(b"HTTP/1.1 200 ")
            into.waits.append((time.perf_counter() - begun) * 1e3)
            asked.append(token)
    # Each that was answered, by its token.
    with ours.store.reading() as tx:
        left = set(tx.scalars(text("SELECT token FROM subscription WHERE state = 'unsubscribed'")))
    into.lost = len(set(asked) - left)


def wrk(ours: Ground, tokens: Sequence[str], seconds: int) -> Load:
    """What wrk comes to that walks through the tokens, for so long or until they are used up."""
    with tempfile.TemporaryDirectory() as name:
        script, walked, over = (Path(name) / part for part in ("leave.lua", "tokens", "over"))
        walked.write_text("\n".join(tokens))
        script.write_text(_SCRIPT % {"tokens": walked, "over": over})
        command = ["wrk", "-t", "1", "-c", str(CONNECTIONS), "-d", f"{seconds}s"]
        command += ["--timeout", "60s", "-s", str(script), ours.url]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        while process.poll() is None:
            time.sleep(0.02)
            if over.exists():
                process.send_signal(signal.SIGINT)  # it reports, and ends
                break
        said = process.communicate()[0]
    return Load(**json.loads(said.splitlines()[-1]))


if __name__ == "__main__":
    main()
