"""Running a dispatch at the command line: signals, the progress bar, and staying for deferrals."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from mailout.cli import console
from mailout.cli.console import note
from mailout.cli.reports import state_counts
from mailout.core.delivery import DeliveryState
from mailout.core.site import MailingList, Site
from mailout.send import presence, recovery, run
from mailout.send.compose import Composer, composer
from mailout.send.run import Ending, Progress
from mailout.store.dispatches import Dispatch
from mailout.store.engine import Store

Report = Callable[[Progress], None]

_LOOK_AGAIN = 1.0  # seconds between looks at the clock and at other senders


def work(
    site: Site, store: Store, mailing_list: MailingList, dispatch: Dispatch, *, wait: bool
) -> Ending:
    """How sending the dispatch ended; with `wait` not before deferred deliveries have an end."""
    composing = composer(store, site, mailing_list, dispatch.issue_id)
    with presence.present(site.root) as worker:
        while True:
            lost = recovery.recover(store, site, datetime.now(UTC))
            if lost:
                note(f"{lost} were on the wire when a sender died; they go out again.")
            with _bar() as report:
                running = _until_stopped(store, site, dispatch, composing, worker, report)
                ending = asyncio.run(running)
            if ending.held or ending.stopped:
                return ending
            if _others_hold(ending):
                # Another sender is at it. It may die: then its part is ours.
                time.sleep(_LOOK_AGAIN)
            elif wait and ending.next_due is not None:
                note(f"Deferred ones are due at {console.local(ending.next_due, site)}; waiting.")
                _sleep_until(ending.next_due)
            else:
                return ending


async def _until_stopped(
    store: Store, site: Site, dispatch: Dispatch, composing: Composer, worker: str, report: Report
) -> Ending:
    """Runs the dispatch; SIGINT and SIGTERM finish what is on the wire and stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return await run.run(store, site, dispatch, composing, worker, report, stop)


def _others_hold(ending: Ending) -> bool:
    """Whether deliveries are in the hands of another sender."""
    held = (DeliveryState.CLAIMED, DeliveryState.SENDING)
    return any(ending.counts.get(state) for state in held)


def _sleep_until(due: datetime) -> None:
    while (left := (due - datetime.now(UTC)).total_seconds()) > 0:
        time.sleep(min(left, _LOOK_AGAIN))


@contextmanager
def _bar() -> Iterator[Report]:
    """A progress bar on a terminal; elsewhere it would only be noise."""
    if not sys.stderr.isatty():
        yield lambda progress: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("Sending"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[states]}"),
    )
    with Bar(*columns, console=console.err()) as bar:
        task = bar.add_task("send", total=None, rate="", states="")
        started = time.monotonic()

        def report(progress: Progress) -> None:
            done = sum(progress.done.values())
            rate = done / max(time.monotonic() - started, 0.001)
            bar.update(
                task,
                total=progress.total,
                completed=done,
                rate=f"{rate:,.0f}/s",
                states=state_counts(progress.done),
            )

        yield report
