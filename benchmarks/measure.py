"""What the measurements share: a receiver, a send with a clock on it, a table."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import ground
from sink import Sink, free_port

from mailout.cli.sending import in_loop
from mailout.core import dkim
from mailout.core.site import Site
from mailout.send import plan, presence, run
from mailout.send.compose import Composer, composer
from mailout.store.dispatches import Dispatch
from mailout.store.engine import Store

if TYPE_CHECKING:
    from mailout.core.dkim import Signer

CONNECTIONS = 10
SEGMENT = "unions"  # all the people of `ground.make_site` are in it


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where mail goes. `is_postfix`: it is Postfix's sink, and smtp-source is there, too."""

    port: int
    is_postfix: bool


@dataclass(frozen=True, slots=True)
class Sent:
    """Seconds that the parts of sending one issue to everybody took.

    `check` counts the people and who is left out, `enqueue` makes the deliveries, `sending`
    goes from the first connection to the last outcome on disk. `signing` is part of it.
    """

    check: float
    enqueue: float
    sending: float
    signing: float

    @property
    def whole(self) -> float:
        return self.check + self.enqueue + self.sending


@dataclass(frozen=True, slots=True)
class Called:
    """Seconds from the start of a `mailout send` to its end, and the most memory it had in MB."""

    seconds: float
    peak: float


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Postfix's sink where there is one, else ours, on a port of its own."""
    if shutil.which("smtp-sink") and shutil.which("smtp-source"):
        with ground.smtp_sink(free_port()) as port:
            yield Receiver(port, True)
        return
    print("smtp-sink or smtp-source is missing (Debian's package postfix has them): the receiver")
    print("is benchmarks/sink.py, which is slower, and the ratio to smtp-source is left out.\n")
    with TemporaryDirectory() as folder, Sink(Path(folder) / "accepted") as sink:
        yield Receiver(sink.port, False)


def send(site: Site, store: Store, name: str, size: int, signers: Sequence[Signer] = ()) -> Sent:
    """A new issue of that size is sent to everybody, as `mailout send` does it in one process."""
    issue = ground.make_issue(store, site, name, size)
    mailing_list = site.lists["bulletin"]
    begun = time.perf_counter()
    chosen = plan.choice(mailing_list, issue.id, SEGMENT, "")
    audience = plan.preview(store, chosen, datetime.now(UTC))
    checked = time.perf_counter()
    dispatch = plan.order(store, chosen, SEGMENT, "", datetime.now(UTC))
    with store.writing() as tx:
        plan.enqueue(tx, mailing_list, dispatch, datetime.now(UTC))
    queued = time.perf_counter()
    with store.reading() as tx:
        composing = composer(tx, site, mailing_list, issue.id, signers)
    with presence.present(site.root) as worker, _clock_on_signing() as signing:
        ending = in_loop(_run(store, site, dispatch, composing, worker))
    assert not ending.held and dict(ending.counts) == {"accepted": audience.total}, ending
    return Sent(checked - begun, queued - checked, ending.seconds, signing[0])


async def _run(
    store: Store, site: Site, dispatch: Dispatch, composing: Composer, worker: str
) -> run.Ending:
    # The event belongs to the loop that it is made in.
    stop = asyncio.Event()
    return await run.run(store, site, dispatch, composing, worker, lambda _: None, stop)


@contextmanager
def _clock_on_signing() -> Iterator[list[float]]:
    """A list of one number: the seconds spent inside `dkim.sign` meanwhile."""
    spent, sign, now = [0.0], dkim.sign, time.perf_counter

    def timed(signers: Sequence[Signer], message: bytes, at: float) -> bytes:
        begun = now()
        try:
            return sign(signers, message, at)
        finally:
            spent[0] += now() - begun

    dkim.sign = timed  # type: ignore[assignment]
    try:
        yield spent
    finally:
        dkim.sign = sign


def call_send(site: Site, store: Store, port: int, name: str, size: int) -> Called:
    """`mailout send --yes` of a new issue, as a process of its own, with all that it does."""
    ground.make_issue(store, site, name, size)
    relay = f"smtp+plain://127.0.0.1:{port}?connections={CONNECTIONS}"
    command = [sys.executable, "-m", "mailout", "--site", str(site.root), "send", name]
    begun = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--segment", SEGMENT, "--yes"],
        env={**os.environ, "MAILOUT_RELAY_URL": relay},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, peak_memory(process.pid))
        time.sleep(0.02)
    seconds = time.perf_counter() - begun
    said = process.communicate()[1].decode()
    assert process.returncode == 0, said
    return Called(seconds, peak)


def peak_memory(process: int | str = "self") -> float:
    """The most memory that a process has had until now, in MB; 0 if it is gone.

    Not getrusage: there a child begins with what its parent had when it was made.
    """
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0.0
    found = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    return int(found[0]) / 1000 if found else 0.0


def smtp_source(port: int, count: int, size: int) -> float:
    """Seconds that Postfix's load generator took for as many messages of that size."""
    begun = time.perf_counter()
    command = ["smtp-source", "-d", "-s", str(CONNECTIONS), "-l", str(size), "-m", str(count)]
    subprocess.run([*command, f"127.0.0.1:{port}"], check=True)
    return time.perf_counter() - begun


def head(*names: str) -> None:
    """Prints the head of a Markdown table."""
    row(*names)
    print("| --- " * len(names) + "|", flush=True)


def row(*cells: object) -> None:
    """Prints a line of a Markdown table."""
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def kilobytes(size: int) -> str:
    return f"{size / 1024:g} KB"
