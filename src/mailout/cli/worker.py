"""`mailout worker`: sends whatever is due, as often and on as many machines as it is started."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from mailout.cli import console, incoming, upkeep
from mailout.cli.archive import refresh
from mailout.cli.console import opened, read_site
from mailout.cli.sending import in_loop, signers_of, stop_on_signals
from mailout.core.errors import MailoutError, TryLater
from mailout.core.site import Site
from mailout.send import presence
from mailout.send.clerk import Clerk, counted
from mailout.send.worker import Held, run_worker
from mailout.store.engine import Store

if TYPE_CHECKING:
    from mailout.core.dkim import Signer

_log = logging.getLogger("mailout.worker")
_BESIDE = frozenset({"slowed", "unslowed"})
_EVERY = 10.0  # seconds from one line about the progress to the next


@click.command(name="worker")
@click.option("--once", is_flag=True, help="Send what is due, then end: for cron.")
@click.option("--log", "form", type=click.Choice(["text", "json"]), default="text",
              help="How to write what happens to standard error.")  # fmt: skip
@click.option("--metrics", metavar="HOST:PORT", help="Show Prometheus metrics there.")
@click.pass_context
def worker_command(context: click.Context, once: bool, form: str, metrics: str | None) -> None:
    """Send whatever is due: scheduled and resumed sends, deferrals, what dead senders left.

    Any number may run: on one machine with SQLite, on many with PostgreSQL. SIGTERM finishes
    what is on the wire, and leaves the rest to the others. No address is ever logged.

    \b
    Example: mailout worker
             mailout worker --once
    """
    site = read_site(context)
    signing = signers_of(site)
    _write_log(form, site)
    with opened(site) as store, presence.present(site.root) as worker:
        if metrics:
            _serve_metrics(metrics, store)
        diary = _Diary({"worker": worker, "relays": len(site.relays)})
        if not once:
            diary.open()
        with nullcontext() if once else upkeep.beside(site, store, diary.tell):
            held = in_loop(_run(store, site, signing, worker, diary, once))
        if once:
            _post_and_tidy(site, store, diary)
        if diary.is_open:
            _tell("stopped", {"worker": worker})
    if held and once:
        raise TryLater(f"held, nobody was skipped: {'; '.join(map(_why, held))}")


def _post_and_tidy(site: Site, store: Store, diary: _Diary) -> None:
    """One round of what goes on beside a worker that stays."""
    try:
        came = upkeep.post_once(site, store)
        looked = incoming.look(site, store)
        upkeep.tidy_once(site, store)
    except MailoutError as error:
        diary.tell("trouble", {"why": str(error)})
        return
    if came.did:
        diary.tell("letters", came.did)
    if looked.any:
        diary.tell("inbound", {**looked.kinds, **looked.standings})
    if wrong := came.trouble or came.held:
        diary.tell("trouble", {"why": wrong})


def _why(held: Held) -> str:
    resume = f"`mailout resume {held.issue}` lets it go on."
    does = resume if held.for_a_person else "The same command goes on."
    return f"{held.issue} to {held.segment}: {held.why.removesuffix('.')}. {does}"


@dataclass(slots=True)
class _Diary:
    """Tells what happens, under a first line that says who is at work.

    With --once that line waits for something to be done, and so does what is only good to know
    beside it: cron mails every line.
    """

    who: Mapping[str, object]
    is_open: bool = False
    _beside: list[tuple[str, Mapping[str, object]]] = field(default_factory=list)

    def open(self) -> None:
        if not self.is_open:
            self.is_open = True
            _tell("started", self.who)
            for what, fields in self._beside:
                _tell(what, fields)

    def tell(self, what: str, fields: Mapping[str, object]) -> None:
        if what in _BESIDE and not self.is_open:
            self._beside.append((what, fields))
            return
        self.open()
        _tell(what, fields)


async def _run(
    store: Store, site: Site, signing: tuple[Signer, ...], worker: str, diary: _Diary, once: bool
) -> list[Held]:
    told_at, told_done, told_trouble = time.monotonic(), 0, ""
    told_broken: set[str] = set()
    begun = threading.Event()
    archiving: list[threading.Thread] = []

    def tell(what: str, fields: Mapping[str, object]) -> None:
        if what == "begun":
            begun.set()
        diary.tell(what, fields)

    def archive_what_has_begun() -> None:
        if begun.is_set():  # and is committed by now
            begun.clear()
            archiving.append(threading.Thread(target=refresh, args=(site, store)))
            archiving[-1].start()

    def report(clerk: Clerk) -> None:
        from mailout.cli import metrics

        nonlocal told_at, told_done, told_trouble, told_broken
        metrics.observe(clerk)
        archive_what_has_begun()
        now, done = time.monotonic(), counted(clerk.done)
        if clerk.trouble and clerk.trouble != told_trouble:
            diary.tell("trouble", {"why": clerk.trouble})
        told_trouble = clerk.trouble
        broken = clerk.broken
        for label in broken.keys() - told_broken:
            diary.tell("broken", {"relay": label, "why": broken[label]})
        for label in told_broken - broken.keys():
            diary.tell("mended", {"relay": label})
        told_broken = set(broken)
        if done:
            diary.open()
        if now - told_at >= _EVERY and done != told_done:
            diary.tell("progress", {state.value: number for state, number in clerk.done.items()})
            told_at, told_done = now, done

    stop = stop_on_signals()
    held = await run_worker(store, site, signing, worker, tell, report, stop, once=once)
    archive_what_has_begun()
    for thread in archiving:  # the store is closed after this
        await asyncio.to_thread(thread.join)
    return held


def _tell(what: str, fields: Mapping[str, object]) -> None:
    _log.info(what, extra={"fields": dict(fields)})


def _write_log(form: str, site: Site) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Plain(site))
    _log.handlers = [handler]
    _log.setLevel(logging.INFO)
    _log.propagate = False


class _Json(logging.Formatter):
    """One JSON object a line: when, what, and its circumstances."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = getattr(record, "fields", {})
        told = {"at": at, "event": record.getMessage(), **fields}
        return json.dumps(told, ensure_ascii=False, default=console.plain)


class _Plain(logging.Formatter):
    """A line to read: moments in the site's time zone."""

    def __init__(self, site: Site) -> None:
        super().__init__()
        self._site = site
        self._zone = ZoneInfo(site.identity.timezone)

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, self._zone)
        fields = getattr(record, "fields", {})
        told = " ".join(f"{name}={self._shown(value)}" for name, value in fields.items())
        return f"{at:%H:%M:%S %Z} {record.getMessage()} {told}".rstrip()

    def _shown(self, value: object) -> object:
        return console.local(value, self._site) if isinstance(value, datetime) else value


def _serve_metrics(where: str, store: Store) -> None:
    from mailout.cli import metrics

    metrics.serve(where, store)
    _tell("metrics", {"url": f"http://{where}/metrics"})
