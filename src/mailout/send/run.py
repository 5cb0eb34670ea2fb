"""The send loop: start -> compose -> submit -> outcome -> after_attempt -> record.

Three parties share the event loop of a run:

- the *clerk* takes turns with the ledger (`send.clerk`): at most `WINDOW` deliveries a
  connection are marked `sending` and not yet recorded, so many may be in doubt after a crash;
- the *lines* are connections to a relay, opened again when they break (`send.lines`); each
  pulls marked deliveries as fast as the wire takes them (`smtp.pipeline`);
- the *pace* says who may go now (`send.pace`).

When no relay can be used, what is held goes back and the dispatches are held with the reason:
an issue never "finishes" with nothing sent.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from mailout.core.delivery import DeliveryState
from mailout.core.dispatch import DispatchState
from mailout.core.errors import MailoutError
from mailout.core.site import Relay, Site
from mailout.send import alerts, control
from mailout.send.clerk import Clerk, Going
from mailout.send.compose import Composer
from mailout.send.ledger import Ledger, patiently
from mailout.send.lines import Lines
from mailout.send.pace import Pace
from mailout.send.plan import retry_plan
from mailout.smtp.session import RelayProblem
from mailout.store import deliveries, dispatches, issues
from mailout.store.dispatches import Dispatch
from mailout.store.engine import Store, Tx

TRY_AGAIN = timedelta(seconds=15)
"""After so long a worker, if one runs, tries what was held because of the relays."""

_GARBAGE = 20_000  # objects between two looks for garbage: a send makes hardly any in circles


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: what it has recorded so far, by state, out of `total` due.

    `trouble` says what the store says while it cannot be written, `slow` whose providers have
    asked for less mail, `broken` why some relays (by their labels) cannot be used while others can.
    """

    total: int
    done: Mapping[DeliveryState, int]
    trouble: str = ""
    slow: frozenset[str] = frozenset()
    broken: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ending:
    """How sending a dispatch ended; `held` says why it could not go on (`for_a_person`: only a
    person lets it), `next_due` when the queued ones are, of which so many `untried` wait for a
    limit, as nothing was deferred yet. `rests_until` is set when the relays' ceiling for today is
    reached; `state` is the dispatch's, which may have been paused, held or cancelled meanwhile."""

    counts: Mapping[DeliveryState, int]
    state: DispatchState
    held: str = ""
    for_a_person: bool = False
    stopped: bool = False
    next_due: datetime | None = None
    untried: int = 0
    rests_until: datetime | None = None
    seconds: float = 0.0


async def run(
    store: Store,
    site: Site,
    dispatch: Dispatch,
    composer: Composer,
    worker: str,
    report: Callable[[Progress], None],
    stop: asyncio.Event,
    pace: Pace | None = None,
) -> Ending:
    """How sending the dispatch ended: all that was due has an outcome, or says why not.

    Setting `stop` drains: what is on the wire is finished and recorded, the rest stays queued.
    One `pace` for all runs of a command spares asking again for what it knows.
    """
    started = _now()
    with store.writing() as tx:
        # The command was given: that ends what held it.
        dispatches.set_state(tx, dispatch.id, DispatchState.SENDING, of=(DispatchState.HELD,))
        total = deliveries.count(tx, dispatch_id=dispatch.id).get(DeliveryState.QUEUED, 0)
    pace = pace or Pace(site)

    def look(now: datetime) -> Sequence[Going]:
        with store.writing() as tx:
            pace.look(tx, now)
            deliveries.cancel_rest(tx, now)
            state = dispatches.get(tx, dispatch.id).state
        going = state is DispatchState.SENDING
        return [Going(dispatch.id, dispatch.priority, composer)] if going else []

    clerk = Clerk(site, retry_plan(site.sending), look, stop)
    await work(
        store,
        clerk,
        pace,
        worker,
        lambda: report(
            Progress(total, clerk.done, clerk.trouble, frozenset(pace.slow), clerk.broken)
        ),
        at_most=total,
    )
    return await patiently(
        lambda: asyncio.to_thread(_conclude, store, dispatch, clerk, started),
        stop,
        lambda why: report(Progress(total, clerk.done, why)),
    )


async def work(
    store: Store,
    clerk: Clerk,
    pace: Pace,
    worker: str,
    report: Callable[[], None],
    at_most: int = sys.maxsize,
) -> None:
    """Nothing, once the clerk has no work left and the lines are closed.

    Raises: MailoutError if the store fails for good; RelayProblem if the site has no relay.
    """
    relays = clerk.site.relays
    if not relays:
        raise _no_relay()
    clerk.lines += [Lines(relay, clerk.site, clerk) for relay in relays]
    failed: BaseException | None = None
    with Ledger(store, worker, pace) as ledger, _in_haste():
        try:
            async with asyncio.TaskGroup() as tasks:
                for lines in clerk.lines:
                    for _ in range(max(1, min(lines.relay.connections, at_most))):
                        tasks.create_task(lines.keep_one())
                await clerk.work(ledger, report)
        except* MailoutError as failures:
            failed = failures.exceptions[0]
    if failed is not None:  # raised within `except*` it would come in a group (Python 3.11.2)
        raise failed


@contextmanager
def _in_haste() -> Iterator[None]:
    """While mail goes out, what was loaded before is not looked through for garbage again and
    again."""
    thresholds = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_GARBAGE, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def relay_of(site: Site) -> Relay:
    """The relay that proofs go through. Raises: RelayProblem if the site has none."""
    if not site.relays:
        raise _no_relay()
    return site.relays[0]


def _no_relay() -> RelayProblem:
    return RelayProblem(
        "the site has no relay", where="config.toml", fix="Write a [[relays]] table."
    )


def _conclude(store: Store, dispatch: Dispatch, clerk: Clerk, started: datetime) -> Ending:
    """Writes down what the run leaves behind: done, held with the reason, or going on."""
    now = _now()
    held = str(clerk.problem) if clerk.problem else ""
    with store.writing() as tx:
        deliveries.cancel_rest(tx, now)
        counts = deliveries.count(tx, dispatch_id=dispatch.id)
        due = deliveries.next_due(tx, dispatch.id)
        untried = deliveries.count_untried(tx, dispatch.id)
        if held:
            dispatches.set_state(
                tx,
                dispatch.id,
                DispatchState.HELD,
                of=(DispatchState.SENDING,),
                why=held,
                again_at=now + TRY_AGAIN,
            )
            alerts.held(tx, clerk.site, dispatch, held, now)
        else:
            finish_if_done(tx, clerk.site, dispatch, now)
        left = dispatches.get(tx, dispatch.id)
        state = left.state
        if state is DispatchState.HELD:
            held = held or left.held_why  # by another: for complaints, say
        if state is DispatchState.CANCELLED:
            control.settle_cancelled(tx, dispatch.issue_id, now)
    return Ending(
        counts=counts,
        state=state,
        held=held,
        for_a_person=state is DispatchState.HELD and left.again_at is None,
        stopped=clerk.stop.is_set() and not held,
        next_due=due,
        untried=untried,
        rests_until=clerk.rests_until,
        seconds=(now - started).total_seconds(),
    )


def finish_if_done(tx: Tx, site: Site, dispatch: Dispatch, now: datetime) -> bool:
    """Whether the dispatch is done: none of its deliveries has work to do any more. Then the list's
    contact gets a report."""
    if deliveries.are_open(tx, dispatch.id):
        return False
    done = dispatches.set_state(
        tx, dispatch.id, DispatchState.DONE, of=(DispatchState.SENDING,), ended_at=now
    )
    if done:
        issues.mark_sent(tx, dispatch.issue_id, now)
        alerts.report(tx, site, dispatch, now)
    return done


def _now() -> datetime:
    return datetime.now(UTC)
