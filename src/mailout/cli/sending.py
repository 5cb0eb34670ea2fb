"""Running a dispatch at the command line: signals, progress, and staying for what comes later."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from mailout.cli import console, endings
from mailout.cli.console import note
from mailout.cli.reports import all_states, state_counts
from mailout.core.delivery import DeliveryState
from mailout.core.dispatch import DispatchState
from mailout.core.mailing_list import MailingList
from mailout.core.site import Site
from mailout.send import presence, recovery, run
from mailout.send.clerk import counted
from mailout.send.compose import Composer, composer
from mailout.send.pace import Pace
from mailout.send.run import Ending, Progress
from mailout.store.dispatches import Dispatch
from mailout.store.engine import Store

if TYPE_CHECKING:
    from mailout.core.dkim import Signer

T = TypeVar("T")
Report = Callable[[Progress], None]

_STOPS = (signal.SIGINT, signal.SIGTERM)
_LOOK_AGAIN = 1.0  # seconds between looks at the clock and at other senders
_HELD = (15.0, 300.0)  # seconds until a held send is tried again with --wait: at first, at most


def work(
    site: Site,
    store: Store,
    mailing_list: MailingList,
    dispatch: Dispatch,
    *,
    wait: bool,
    json_lines: bool = False,
) -> Ending:
    """How sending the dispatch ended; with `wait` not before deferred deliveries have an end."""
    with store.reading() as tx:
        composing = composer(tx, site, mailing_list, dispatch.issue_id, signers_of(site))
    patience = _HELD[0]
    pace, told_unanswered = Pace(site), False
    with presence.present(site.root) as worker:
        while True:
            lost = recovery.recover(store, site, datetime.now(UTC))
            if lost:
                then = "go out again" if site.sending.unknown == "resend" else "are kept for you"
                note(f"{lost} were on the wire when a sender died; they {then}.")
            with _lines() if json_lines else _bar() as report:
                ending = in_loop(
                    _until_stopped(store, site, dispatch, composing, worker, report, pace)
                )
            if pace.unanswered and not told_unanswered:
                told_unanswered = True
                note(_without_mx(pace.unanswered))
            if ending.stopped or ending.state not in (DispatchState.SENDING, DispatchState.HELD):
                return ending
            if ending.held:
                if not wait or ending.for_a_person:
                    return ending
                note(f"Held: {ending.held} Trying again in {patience:.0f} seconds.")
                _sleep_until(datetime.now(UTC) + timedelta(seconds=patience))
                patience = min(patience * 2, _HELD[1])
            elif _others_hold(ending):
                # Another sender is at it. It may die: then its part is ours.
                time.sleep(_LOOK_AGAIN)
            elif wait and (due := ending.rests_until or ending.next_due) is not None:
                note(f"{endings.waiting(ending, site)}. Staying for them.")
                _sleep_until(due)
            else:
                return ending


def signers_of(site: Site) -> tuple[Signer, ...]:
    """What signs the site's mail; empty if it has no `[[dkim]]`. Raises: MailoutError."""
    if not site.dkim:
        return ()
    from mailout.config.dkim import signers  # its library is slow to import

    return signers(site)


def in_loop(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine, run on the fast event loop where there is one."""
    # That loop keeps the signals to itself when it is closed: nothing would stop us afterwards.
    before = {number: signal.getsignal(number) for number in _STOPS}
    try:
        import uvloop
    except ImportError:  # not on every system
        return asyncio.run(work)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(work)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stop_on_signals() -> asyncio.Event:
    """An event that SIGINT and SIGTERM set: what is on the wire is finished, then all stops."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _STOPS:
        loop.add_signal_handler(number, stop.set)
    return stop


async def _until_stopped(
    store: Store,
    site: Site,
    dispatch: Dispatch,
    composing: Composer,
    worker: str,
    report: Report,
    pace: Pace,
) -> Ending:
    stop = stop_on_signals()
    return await run.run(store, site, dispatch, composing, worker, report, stop, pace)


def _without_mx(domains: int) -> str:
    return (
        f"No name server told the mail servers of {console.counted(domains, 'domain')}: mail there "
        "went without the limit of a provider that has `mx`."
    )


def _others_hold(ending: Ending) -> bool:
    """Whether deliveries are in the hands of another sender."""
    return bool(ending.counts.get(DeliveryState.SENDING))


def _sleep_until(due: datetime) -> None:
    while (left := (due - datetime.now(UTC)).total_seconds()) > 0:
        time.sleep(min(left, _LOOK_AGAIN))


@contextmanager
def _lines() -> Iterator[Report]:
    """One JSON object a second on standard output; the keys are a contract."""
    started = last = time.monotonic()

    def report(progress: Progress) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < _LOOK_AGAIN:
            return
        last = now
        done = counted(progress.done)
        rate = done / (now - started)
        print_line(
            {
                "event": "progress",
                "total": progress.total,
                "done": done,
                "rate": round(rate, 1),
                "seconds_left": round((progress.total - done) / rate) if rate else None,
                "deliveries": all_states(progress.done),
                "trouble": progress.trouble,
                "slow_providers": sorted(progress.slow),
                "broken_relays": dict(progress.broken),
            }
        )

    yield report


def print_line(value: dict[str, Any]) -> None:
    """Prints one JSON object on one line, at once."""
    print(json.dumps(value, ensure_ascii=False, default=console.plain), flush=True)


@contextmanager
def _bar() -> Iterator[Report]:
    """A progress bar on a terminal; elsewhere it would only be noise."""
    if not sys.stderr.isatty():
        yield _only_trouble()
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
            done = counted(progress.done)
            rate = done / max(time.monotonic() - started, 0.001)
            words = state_counts(progress.done)
            if progress.slow:
                words += f"; slower to {', '.join(sorted(progress.slow)[:3])}, as they asked"
            if progress.broken:
                words += f"; without {', '.join(progress.broken)}"
            bar.update(
                task,
                total=progress.total,
                completed=done,
                rate=f"{rate:,.0f}/s",
                states=progress.trouble or words,
            )

        yield report


def _only_trouble() -> Report:
    told, told_broken = "", set[str]()

    def report(progress: Progress) -> None:
        nonlocal told
        for label in progress.broken.keys() - told_broken:
            note(f"{progress.broken[label]} The other relays take its share.")
        told_broken.update(progress.broken)
        if progress.trouble and progress.trouble != told:
            note(f"{progress.trouble} Trying again.")
        told = progress.trouble

    return report
