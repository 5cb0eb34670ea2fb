"""The send loop: claim -> compose -> start -> submit -> outcome -> after_attempt -> record.

One feeder claims in small batches what is due; as many connections as the relay allows
take from it. A connection composes a message while it is nobody's turn yet, has the
delivery marked `sending` on disk, and only then writes to the wire. When the relay itself
fails, what is claimed goes back and the dispatch is held, with the reason: an issue never
"finishes" with nothing sent.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from mailout.core.delivery import DeliveryState, Outcome, Verdict, after_attempt
from mailout.core.dispatch import DispatchState
from mailout.core.errors import MailoutError
from mailout.core.message import BadHeader
from mailout.core.site import Relay, Site
from mailout.send.compose import Composer
from mailout.send.ledger import Ledger
from mailout.send.plan import retry_plan
from mailout.smtp.session import RelayProblem, Session
from mailout.store import deliveries, dispatches, issues
from mailout.store.deliveries import Claimed, Recorded
from mailout.store.dispatches import Dispatch
from mailout.store.engine import Store

_BATCH = 100


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: what this run has recorded so far, by state, out of `total` due."""

    total: int
    done: Mapping[DeliveryState, int]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended; `held` says why it could not go on, `next_due` when deferred ones are."""

    counts: Mapping[DeliveryState, int]
    held: str = ""
    stopped: bool = False
    next_due: datetime | None = None
    seconds: float = 0.0


@dataclass(slots=True)
class _Run:
    """What the tasks of one run share."""

    site: Site
    relay: Relay
    composer: Composer
    ledger: Ledger
    jobs: asyncio.Queue[Claimed | None]
    total: int
    report: Callable[[Progress], None]
    stop: asyncio.Event
    done: Counter[DeliveryState] = field(default_factory=Counter)
    problem: MailoutError | None = None

    def lease(self) -> datetime:
        return _now() + timedelta(seconds=self.site.sending.lease_seconds)

    def give_up(self, problem: MailoutError) -> None:
        """Ends the run because of the relay; the first reason stands."""
        self.problem = self.problem or problem
        self.stop.set()


async def run(
    store: Store,
    site: Site,
    dispatch: Dispatch,
    composer: Composer,
    worker: str,
    report: Callable[[Progress], None],
    stop: asyncio.Event,
) -> Ending:
    """How sending the dispatch ended: all that was due has an outcome, or says why not.

    Setting `stop` drains: what is on the
    wire is finished and recorded, the rest stays queued.
    """
    started = _now()
    relay = relay_of(site)
    with store.writing() as tx:
        dispatches.set_state(tx, dispatch.id, DispatchState.SENDING)
        total = deliveries.count(tx, dispatch_id=dispatch.id).get(DeliveryState.QUEUED, 0)
    async with Ledger(store, worker) as ledger:
        shared = _Run(
            site=site,
            relay=relay,
            composer=composer,
            ledger=ledger,
            jobs=asyncio.Queue(maxsize=2 * relay.connections),
            total=total,
            report=report,
            stop=stop,
        )
        await _work(shared, dispatch.id)
        await ledger.release()
    return _conclude(store, dispatch, shared, started)


async def _work(shared: _Run, dispatch_id: int) -> None:
    """Runs feeder and connections to their end. Raises: MailoutError if the store fails."""
    connections = max(1, min(shared.relay.connections, shared.total))
    try:
        async with asyncio.TaskGroup() as tasks:
            heart = tasks.create_task(_keep_leases(shared))
            lines = [tasks.create_task(_connection(shared)) for _ in range(connections)]
            tasks.create_task(_feed(shared, dispatch_id, connections))
            await asyncio.wait(lines)
            heart.cancel()
    except* MailoutError as failures:
        raise failures.exceptions[0] from None


def relay_of(site: Site) -> Relay:
    """The relay to send through. Raises: RelayProblem if the site has none."""
    if not site.relays:
        raise RelayProblem(
            "the site has no relay", where="config.toml", fix="Write a [[relays]] table."
        )
    return site.relays[0]


async def _feed(shared: _Run, dispatch_id: int, connections: int) -> None:
    """Claims what is due, batch by batch, until nothing is; then one end mark a connection."""
    after = 0
    while not shared.stop.is_set():
        claimed, last = await shared.ledger.claim(
            dispatch_id, _now(), shared.lease(), _BATCH, after
        )
        if last == 0:
            if after == 0:
                break
            after = 0  # once more from the start: deferrals may have come due
            continue
        after = last
        for delivery in claimed:
            await shared.jobs.put(delivery)
    for _ in range(connections):
        await shared.jobs.put(None)


async def _connection(shared: _Run) -> None:
    """One line to the relay, opened when there is something to send and again when it breaks."""
    session: Session | None = None
    try:
        while (delivery := await shared.jobs.get()) is not None:
            if shared.stop.is_set():
                continue  # stays claimed; `release` queues it again
            try:
                if session is None:
                    opening = Session(
                        shared.relay, shared.site.ehlo, shared.site.sending.timeout_seconds
                    )
                    session = await opening.__aenter__()
                await _deliver(shared, session, delivery)
            except RelayProblem as problem:
                shared.give_up(problem)
            if session is not None and session.broken:
                await session.__aexit__(None, None, None)
                session = None
    finally:
        if session is not None:
            await session.__aexit__(None, None, None)


async def _deliver(shared: _Run, session: Session, delivery: Claimed) -> None:
    if not await shared.ledger.start(delivery, shared.lease()):
        return  # its lease had lapsed and another worker has it
    try:
        outcome = await session.submit(shared.composer.envelope(delivery, _now()))
    except BadHeader as error:
        # The message for this one reader cannot be made; the others' can.
        outcome = Outcome(Verdict.REFUSED, text=str(error))
    except RelayProblem as problem:
        # Our account or sender is refused, not the reader: the delivery waits.
        refusal = Outcome(Verdict.DEFERRED, text=problem.what, relay=shared.relay.label)
        step = after_attempt(refusal, 1, _now(), _now(), retry_plan(shared.site.sending), 0)
        step = type(step)(step.state, _now())
        await shared.ledger.record(Recorded(delivery, refusal, step, _now()))
        raise
    ended = _now()
    step = after_attempt(
        outcome,
        delivery.attempts + 1,
        delivery.queued_at,
        ended,
        retry_plan(shared.site.sending),
        random.random(),  # noqa: S311 - spreads retries, guards nothing
    )
    await shared.ledger.record(Recorded(delivery, outcome, step, ended))
    shared.done[step.state] += 1
    shared.report(Progress(shared.total, shared.done))


async def _keep_leases(shared: _Run) -> None:
    while True:
        await asyncio.sleep(shared.site.sending.lease_seconds / 3)
        await shared.ledger.extend(shared.lease())


def _conclude(store: Store, dispatch: Dispatch, shared: _Run, started: datetime) -> Ending:
    """Writes down what the run leaves behind: done, held with the reason, or going on."""
    now = _now()
    with store.writing() as tx:
        counts = deliveries.count(tx, dispatch_id=dispatch.id)
        due = deliveries.next_due(tx, dispatch.id)
        is_open = any(
            counts.get(state, 0)
            for state in (DeliveryState.QUEUED, DeliveryState.CLAIMED, DeliveryState.SENDING)
        )
        held = str(shared.problem) if shared.problem else ""
        if held:
            dispatches.set_state(tx, dispatch.id, DispatchState.HELD, why=held)
        elif not is_open:
            dispatches.set_state(tx, dispatch.id, DispatchState.DONE, ended_at=now)
            issues.mark_sent(tx, dispatch.issue_id, now)
    return Ending(
        counts=counts,
        held=held,
        stopped=shared.stop.is_set() and not held,
        next_due=due,
        seconds=(now - started).total_seconds(),
    )


def _now() -> datetime:
    return datetime.now(UTC)
