"""The send loop: claim -> compose -> start -> submit -> outcome -> after_attempt -> record.

Three parties share a `_Run`, all on one event loop:

- the *clerk* takes turns with the ledger: records the outcomes that came in, has the next
  deliveries marked `sending` on disk, claims more. At most `_WINDOW` deliveries a connection
  are marked and not yet recorded: so many may be in doubt after a crash;
- the *lines* are connections to the relay, opened again when they break; each pulls marked
  deliveries as fast as the wire takes them (`smtp.pipeline`);
- the *heart* keeps the leases alive.

When the relay itself fails, what is held goes back and the dispatch is held with the reason:
an issue never "finishes" with nothing sent.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from mailout.core.delivery import (
    OPEN_STATES,
    DeliveryState,
    Outcome,
    RetryPlan,
    Step,
    Verdict,
    after_attempt,
)
from mailout.core.dispatch import DispatchState
from mailout.core.errors import MailoutError
from mailout.core.message import BadHeader
from mailout.core.site import Relay, Site
from mailout.send.compose import Composer
from mailout.send.ledger import Ledger, Turn, Turned
from mailout.send.plan import retry_plan
from mailout.smtp.envelope import Envelope
from mailout.smtp.pipeline import Pipeline
from mailout.smtp.replies import Reply
from mailout.smtp.session import RelayProblem, open_pipeline, refuses_us
from mailout.store import deliveries, dispatches, issues
from mailout.store.claims import Claimed
from mailout.store.dispatches import Dispatch
from mailout.store.engine import Store
from mailout.store.outcomes import Recorded

_WINDOW = 20  # deliveries a connection that are `sending` and not recorded, at most
_CLAIM = 500  # deliveries claimed at once
_TURN = 0.010  # seconds from one turn's begin to the next, at least: many share a commit


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
    """What clerk and lines share; the source and sink of the pipelines."""

    site: Site
    relay: Relay
    composer: Composer
    plan: RetryPlan
    stop: asyncio.Event
    claimed: deque[Claimed] = field(default_factory=deque)
    marked: deque[Claimed] = field(default_factory=deque)
    back: list[Claimed] = field(default_factory=list)
    ended: list[Recorded] = field(default_factory=list)
    on_wire: int = 0
    lines: int = 0
    exhausted: bool = False
    over: bool = False
    problem: MailoutError | None = None
    news: asyncio.Event = field(default_factory=asyncio.Event)
    work: asyncio.Event = field(default_factory=asyncio.Event)
    pipelines: set[Pipeline] = field(default_factory=set)
    done: Counter[DeliveryState] = field(default_factory=Counter)

    # --- as the source of the pipelines (smtp.pipeline.Source) ---------------------------

    def take(self) -> Envelope | None:
        while self.marked:
            delivery = self.marked.popleft()
            try:
                envelope = self.composer.envelope(delivery, _now())
            except BadHeader as error:
                # The message for this one reader cannot be made; the others' can.
                self._end(delivery, Outcome(Verdict.REFUSED, text=str(error)))
                continue
            self.on_wire += 1
            return envelope
        self.work.clear()
        return None

    def finished(self, envelope: Envelope, outcome: Outcome) -> None:
        self.on_wire -= 1
        assert isinstance(envelope.ticket, Claimed)  # noqa: S101 - the composer's
        self._end(envelope.ticket, outcome)

    def returned(self, envelope: Envelope) -> None:
        self.on_wire -= 1
        assert isinstance(envelope.ticket, Claimed)  # noqa: S101 - the composer's
        if self.stopping:
            self.back.append(envelope.ticket)
        else:
            self.marked.appendleft(envelope.ticket)
            self.work.set()
        self.news.set()

    def refused_us(self, reply: Reply) -> None:
        self.give_up(refuses_us(self.relay, reply))

    def _end(self, delivery: Claimed, outcome: Outcome) -> None:
        self.ended.append(Recorded(delivery, outcome, self._step(delivery, outcome)))
        self.news.set()

    def _step(self, delivery: Claimed, outcome: Outcome) -> Step:
        now = _now()
        attempts = delivery.attempts + 1
        jitter = random.random()  # noqa: S311 - spreads retries, guards nothing
        return after_attempt(outcome, attempts, delivery.queued_at, now, self.plan, jitter)

    # --- the rest of the run -------------------------------------------------------------

    @property
    def stopping(self) -> bool:
        return self.stop.is_set() or self.problem is not None

    @property
    def is_idle(self) -> bool:
        """Whether nothing is claimed, marked, on the wire or to be recorded any more."""
        return not (self.claimed or self.marked or self.back or self.ended or self.on_wire)

    @property
    def has_work(self) -> bool:
        """Whether a turn with the ledger would come to anything."""
        if self.ended or self.back:
            return True
        if self.stopping:
            return bool(self.claimed or self.marked) or self.is_idle
        return bool(self.claimed and self._room() > 0) or self._claims_more()

    def next_turn(self, after: int) -> Turn:
        """All that has gathered for the ledger, taken out of the run."""
        outcomes, self.ended = self.ended, []
        if self.stopping:
            back = [*self.back, *self.claimed, *self.marked]
            for held in (self.back, self.claimed, self.marked):
                held.clear()
            return Turn(outcomes, give_back=back)
        starts = [self.claimed.popleft() for _ in range(min(self._room(), len(self.claimed)))]
        return Turn(outcomes, starts, claim=_CLAIM if self._claims_more() else 0, after=after)

    def _room(self) -> int:
        """How many more may be marked `sending` before some are recorded."""
        in_doubt = len(self.marked) + self.on_wire + len(self.ended)
        return max(0, _WINDOW * self.relay.connections - in_doubt)

    def _claims_more(self) -> bool:
        return not self.exhausted and len(self.claimed) <= _CLAIM // 2

    def mark(self, started: Sequence[Claimed]) -> None:
        """Gives deliveries that are `sending` on disk to the lines."""
        self.marked.extend(started)
        if self.marked:
            self.work.set()
        for pipeline in list(self.pipelines):
            if not self.marked:
                break
            pipeline.wake()

    def give_up(self, problem: MailoutError) -> None:
        """Ends the run because of the relay; the first reason stands."""
        self.problem = self.problem or problem
        self.news.set()

    def let_go(self) -> None:
        """Ends the lines: there is nothing for them any more."""
        self.over = True
        self.work.set()
        for pipeline in list(self.pipelines):
            pipeline.quit()


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

    Setting `stop` drains: what is on the wire is finished and recorded, the rest stays queued.
    """
    started = _now()
    shared = _Run(site, relay_of(site), composer, retry_plan(site.sending), stop)
    with store.writing() as tx:
        dispatches.set_state(tx, dispatch.id, DispatchState.SENDING)
        total = deliveries.count(tx, dispatch_id=dispatch.id).get(DeliveryState.QUEUED, 0)
    with Ledger(store, worker, dispatch.id) as ledger:
        try:
            async with asyncio.TaskGroup() as tasks:
                heart = tasks.create_task(_keep_leases(ledger, site))
                for _ in range(max(1, min(shared.relay.connections, total))):
                    tasks.create_task(_line(shared))
                await _clerk(shared, ledger, lambda: report(Progress(total, shared.done)))
                heart.cancel()
        except* MailoutError as failures:
            raise failures.exceptions[0] from None
    return _conclude(store, dispatch, shared, started)


def relay_of(site: Site) -> Relay:
    """The relay to send through. Raises: RelayProblem if the site has none."""
    if not site.relays:
        raise RelayProblem(
            "the site has no relay", where="config.toml", fix="Write a [[relays]] table."
        )
    return site.relays[0]


async def _clerk(shared: _Run, ledger: Ledger, report: Callable[[], None]) -> None:
    """Takes turns with the ledger until there is nothing left to do; then lets the lines go."""
    loop = asyncio.get_running_loop()
    watch = loop.create_task(_notice_stop(shared))
    after = 0
    try:
        while True:
            begun = loop.time()
            turn = shared.next_turn(after)
            turned = await ledger.turn(turn, _now(), _lease(shared.site))
            after = _take_in(shared, turn, turned)
            report()
            if shared.is_idle and (shared.exhausted or shared.stopping):
                return
            while not shared.has_work:
                shared.news.clear()
                await shared.news.wait()
            await asyncio.sleep(max(0.0, begun + _TURN - loop.time()))
    finally:
        watch.cancel()
        shared.let_go()


def _take_in(shared: _Run, turn: Turn, turned: Turned) -> int:
    """Moves on what the turn has put on disk; gives the id above which to claim next."""
    for item in turn.outcomes:
        shared.done[item.step.state] += 1
    shared.claimed.extend(turned.claimed)
    shared.mark(turned.started)
    if not turn.claim:
        return turn.after
    if turned.last == 0 and turn.after == 0:
        shared.exhausted = True
    return turned.last  # 0: once more from the start, since deferrals may have come due


async def _notice_stop(shared: _Run) -> None:
    await shared.stop.wait()
    shared.news.set()


async def _line(shared: _Run) -> None:
    """One connection to the relay, opened when there is something to send, again if it breaks."""
    settings = shared.site.sending
    shared.lines += 1
    try:
        while True:
            await shared.work.wait()
            if shared.over:
                return
            pipeline = await open_pipeline(
                shared.relay, shared.site.ehlo, settings.timeout_seconds, shared
            )
            shared.pipelines.add(pipeline)
            await pipeline.closed.wait()
            shared.pipelines.discard(pipeline)
    except RelayProblem as problem:
        # The others may go on: a relay may allow fewer connections than we would like.
        if shared.lines == 1:
            shared.give_up(problem)
    finally:
        shared.lines -= 1


async def _keep_leases(ledger: Ledger, site: Site) -> None:
    while True:
        await asyncio.sleep(site.sending.lease_seconds / 3)
        await ledger.extend(_lease(site))


def _conclude(store: Store, dispatch: Dispatch, shared: _Run, started: datetime) -> Ending:
    """Writes down what the run leaves behind: done, held with the reason, or going on."""
    now = _now()
    held = str(shared.problem) if shared.problem else ""
    with store.writing() as tx:
        counts = deliveries.count(tx, dispatch_id=dispatch.id)
        due = deliveries.next_due(tx, dispatch.id)
        if held:
            dispatches.set_state(tx, dispatch.id, DispatchState.HELD, why=held)
        elif not any(counts.get(state) for state in OPEN_STATES):
            dispatches.set_state(tx, dispatch.id, DispatchState.DONE, ended_at=now)
            issues.mark_sent(tx, dispatch.issue_id, now)
    return Ending(
        counts=counts,
        held=held,
        stopped=shared.stop.is_set() and not held,
        next_due=due,
        seconds=(now - started).total_seconds(),
    )


def _lease(site: Site) -> datetime:
    return _now() + timedelta(seconds=site.sending.lease_seconds)


def _now() -> datetime:
    return datetime.now(UTC)
