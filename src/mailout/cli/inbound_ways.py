"""`mailout inbound fetch` and `watch`: mail is picked up where it lies."""

from __future__ import annotations

import json
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType

import click

from mailout.cli.console import JSON, as_json, note, opened, read_site, say, table
from mailout.core.errors import MailoutError, TryLater, UsageError
from mailout.core.site import Site


@click.command("fetch")
@JSON
@click.pass_context
def fetch_command(context: click.Context, as_json_: bool) -> None:
    """Pick up what came in, by each way that [inbound] names, and stop: for cron.

    Prints where new mail was found, how many mails, and how many of them were not known yet. A way
    that fails is named; the others are read all the same. 75 if trying again may help.

    \b
    Example:
      mailout inbound fetch
    """
    from mailout.inbox import watch
    from mailout.receive.intake import keeper

    site = read_site(context)
    if not site.inbound.is_read:
        raise UsageError(
            "there is nothing to fetch from",
            where="config.toml [inbound]",
            fix="Name a `maildir`, an `mbox`, or add [[inbound.imap]].",
        )
    ways: list[dict[str, object]] = []
    failed: list[MailoutError] = []
    with opened(site) as store:
        keep = keeper(store, site.inbound.max_bytes)
        for name, read in watch.ways(site.inbound):
            mails = new = 0
            wrong = None
            try:
                for came in read(keep):
                    mails, new = mails + came.mails, new + came.new
            except MailoutError as error:
                failed.append(error)
                wrong = str(error)
            ways.append({"where": name, "mails": mails, "new": new, "error": wrong})
    if as_json_:
        as_json(ways)
    elif rows := [(way["where"], way["mails"], way["new"]) for way in ways if way["new"]]:
        table(["where", "#mails", "#new"], rows)
    elif not failed and sys.stdout.isatty():  # cron mails every line
        say("Nothing new came in.")
    for one in failed[:-1]:
        note(f"mailout: {one}")
    if failed:
        later = all(isinstance(one, TryLater) for one in failed)
        last = failed[-1]
        raise (TryLater if later else MailoutError)(last.what, where=last.where, fix=last.fix)


@click.command("watch")
@click.option("--log", "form", type=click.Choice(["text", "json"]), default="text",
              help="How to write what happens.")  # fmt: skip
@click.pass_context
def watch_command(context: click.Context, form: str) -> None:
    """Pick up what comes in as it comes, and listen for LMTP, until it is stopped.

    Prints a line for what came in and where, and for what is wrong with a way: that is tried again,
    ever less often, and the others go on. SIGTERM lets it finish what it is keeping. No address of
    a reader is ever written.

    \b
    Example:
      mailout inbound watch
    """
    from mailout.inbox import watch
    from mailout.receive.intake import keeper

    site = read_site(context)
    if not (site.inbound.is_read or site.inbound.lmtp):
        raise UsageError(
            "there is nothing to watch",
            where="config.toml [inbound]",
            fix="Name a `maildir`, an `mbox` or an `lmtp` listener, or add [[inbound.imap]].",
        )
    lock = threading.Lock()

    def tell(what: str, fields: Mapping[str, object]) -> None:
        line = _json(what, fields) if form == "json" else _plain(what, fields)
        with lock:  # each way has a thread of its own
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()

    with opened(site) as store, _stopped_by_signals() as stop:
        tell("watching", {"ways": _ways(site)})
        watch.watch(site.inbound, keeper(store, site.inbound.max_bytes), tell, stop)
        tell("stopped", {})


COMMANDS = (fetch_command, watch_command)


def _ways(site: Site) -> int:
    inbound = site.inbound
    return len(inbound.imap) + len(inbound.maildir) + len(inbound.mbox) + bool(inbound.lmtp)


def _plain(what: str, fields: Mapping[str, object]) -> str:
    return " ".join([what, *(f"{name}={value}" for name, value in fields.items())])


def _json(what: str, fields: Mapping[str, object]) -> str:
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    return json.dumps({"at": at, "event": what, **fields}, ensure_ascii=False)


@contextmanager
def _stopped_by_signals() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set while the block lasts."""
    stop = threading.Event()

    def hear(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
