"""The clerk: takes turns with the ledger, and keeps every relay's lines in work.

Each turn records what came back and has the next deliveries marked `sending` on disk, those of
the most urgent dispatch first. Twice a second it looks up which dispatches are still to be
sent: what was paused or cancelled goes back, what is new joins in.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from mailout.core.delivery import (
    DeliveryState,
    Outcome,
    RetryPlan,
    Verdict,
    after_attempt,
)
from mailout.core.errors import MailoutError, TryLater
from mailout.core.site import Relay, Site
from mailout.send.compose import Composer
from mailout.send.ledger import Ledger, Turn, Turned, patiently
from mailout.send.lines import Lines
from mailout.smtp.envelope import Envelope
from mailout.smtp.session import RelayProblem
from mailout.store.claims import START, Claimed, Cursor
from mailout.store.outcomes import Recorded

T = TypeVar("T")

_TURN = 0.006  # seconds from one turn's begin to the next, at least: many share a commit
_LOOK = 0.5  # seconds from one look at the dispatches to the next
_LONG = timedelta(minutes=11)  # a relay that takes nothing for so long ends the run


@dataclass(frozen=True, slots=True)
class Going:
    """A dispatch that is to be sent now."""

    dispatch_id: int
    priority: int
    composer: Composer


Look = Callable[[datetime], Sequence[Going]]
"""Finds what is to be sent now, the most urgent first; called in the ledger's thread."""


@dataclass(slots=True)
class _Place:
    """Where in a dispatch to look for what is due next; `exhausted` when nothing is."""

    going: Going
    after: Cursor = START
    exhausted: bool = False


@dataclass(slots=True, eq=False)
class Clerk:
    """What a run knows between two turns; the desk of its lines. `stay`: wait for more work."""

    site: Site
    plan: RetryPlan
    look: Look
    stop: asyncio.Event
    stay: bool = False
    lines: list[Lines] = field(default_factory=list)
    accepted: dict[tuple[int, str, str], dict[int, str]] = field(default_factory=dict)
    ended: list[Recorded] = field(default_factory=list)
    back: list[Claimed] = field(default_factory=list)
    done: Counter[DeliveryState] = field(default_factory=Counter)
    problem: MailoutError | None = None
    rests_until: datetime | None = None
    trouble: str = ""
    _places: dict[int, _Place] = field(default_factory=dict)
    _composers: dict[int, Composer] = field(default_factory=dict)
    _unwanted: set[int] = field(default_factory=set)
    _postponed_until: datetime | None = None
    _waits_until: datetime | None = None
    _being_recorded: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    # --- as the desk of the lines ---------------------------------------------------------

    def compose(self, delivery: Claimed) -> Envelope:
        return self._composers[delivery.dispatch_id].envelope(delivery, time.time())

    def end(self, delivery: Claimed, outcome: Outcome) -> None:
        if outcome.verdict is Verdict.ACCEPTED:
            alike = (outcome.code, outcome.enhanced, outcome.relay)
            try:
                self.accepted[alike][delivery.id] = outcome.text
            except KeyError:
                self.accepted[alike] = {delivery.id: outcome.text}
        else:
            jitter = random.random()  # noqa: S311 - spreads retries, guards nothing
            attempts = delivery.attempts + 1
            step = after_attempt(outcome, attempts, delivery.queued_at, _now(), self.plan, jitter)
            self.ended.append(Recorded(delivery, outcome, step))
        self._news.set()

    def hand_back(self, delivery: Claimed) -> None:
        self.back.append(delivery)
        self._news.set()

    def tripped(self) -> None:
        """Gives up when no relay is left that could be used."""
        problems = [lines.problem for lines in self.lines if lines.problem is not None]
        if len(problems) == len(self.lines):
            self._give_up(problems[0])

    @property
    def in_doubt(self) -> int:
        """How many deliveries are `sending` on disk: nobody could tell their end after a crash."""
        ended = len(self.ended) + sum(map(len, self.accepted.values()))
        return sum(lines.held for lines in self.lines) + ended + self._being_recorded

    @property
    def broken(self) -> dict[str, str]:
        """Why some relays cannot be used at the moment, by their labels; empty when none can, which
        ends the run and is told by that."""
        found = {one.relay.label: str(one.problem) for one in self.lines if one.problem is not None}
        return found if len(found) < len(self.lines) else {}

    # --- the loop -------------------------------------------------------------------------

    @property
    def stopping(self) -> bool:
        return self.stop.is_set() or self.problem is not None or self.rests_until is not None

    async def work(self, ledger: Ledger, report: Callable[[], None]) -> None:
        """Takes turns until there is nothing left to do; then lets the lines go."""
        loop = asyncio.get_running_loop()
        watchers = [loop.create_task(self._watch(ledger)), loop.create_task(self._notice_stop())]
        for watcher in watchers:
            watcher.add_done_callback(lambda _: self._news.set())
        try:
            self._follow(
                await self._patiently(lambda: ledger.call(lambda: self.look(_now())), report)
            )
            while True:
                begun = loop.time()
                turn = self._next_turn(loop.time())
                taken = await self._patiently(lambda turn=turn: self._take(ledger, turn), report)  # type: ignore[misc]
                self._take_in(turn, taken, loop.time())
                report()
                if self._is_over:
                    return
                while not self._has_work(loop.time()):
                    self._news.clear()
                    await self._news.wait()
                    _raise_failures(watchers)
                    if self._is_over:
                        return
                _raise_failures(watchers)
                if (rest := begun + _TURN - loop.time()) > 0:
                    await asyncio.sleep(rest)
        finally:
            for watcher in watchers:
                watcher.cancel()
            for lines in self.lines:
                lines.let_go()

    @property
    def _is_over(self) -> bool:
        if self._is_behind or any(lines.held for lines in self.lines):
            return False
        if self.stopping:
            return True
        postponed = self._postponed_until is not None and bool(self._places)
        return not (self.stay or postponed or self._has_more)

    @property
    def _is_behind(self) -> bool:
        """Whether something is to be written down."""
        return bool(self.accepted or self.ended or self.back)

    @property
    def _has_more(self) -> bool:
        """Whether a dispatch may have more that is due."""
        return any(not place.exhausted for place in self._places.values())

    def _has_work(self, now: float) -> bool:
        """Whether a turn with the ledger would come to anything."""
        if self._is_behind:
            return True
        if self.stopping:
            return any(lines.marked for lines in self.lines)
        return self._has_more and any(lines.room(now) > 0 for lines in self._candidates())

    def _next_turn(self, now: float) -> Turn:
        """All that has gathered for the ledger, taken out of the run."""
        accepted, self.accepted = self.accepted, {}
        outcomes, self.ended = self.ended, []
        if self.stopping:
            for lines in self.lines:
                self.back += lines.take_back()
        self._being_recorded = len(outcomes) + sum(map(len, accepted.values()))
        back, self.back = self.back, []
        if self.stopping or not self._has_more:
            return Turn(accepted, outcomes, back)
        places = {one: place.after for one, place in self._places.items() if not place.exhausted}
        return Turn(accepted, outcomes, back, self._room(now), places)

    def _room(self, now: float) -> Sequence[str]:
        """The relays that have room, one after the other by their shares.

        What is recorded in a turn makes room in the same one: in each commit no more than the
        window is `sending`.
        """
        rooms = {lines.relay.label: lines.room(now) for lines in self._candidates()}
        usable = [lines for lines in self.lines if rooms.get(lines.relay.label, 0) > 0]
        if len(usable) == 1:
            label = usable[0].relay.label
            return [label] * rooms[label]
        had = {lines.relay.label: lines.given for lines in usable}
        order = []
        while usable:
            lines = min(usable, key=lambda one: _share(one.relay, had[one.relay.label] + 1))
            label = lines.relay.label
            order.append(label)
            had[label] += 1
            rooms[label] -= 1
            if not rooms[label]:
                usable.remove(lines)
        return order

    def _candidates(self) -> list[Lines]:
        """The relays that may be given mail: those of weight 0 only when all others are broken."""
        if any(lines.relay.weight and lines.problem is None for lines in self.lines):
            return [lines for lines in self.lines if lines.relay.weight]
        return self.lines

    async def _take(self, ledger: Ledger, turn: Turn) -> Turned:
        if self.trouble:
            await ledger.reconcile(self._known(turn))
        return await ledger.turn(turn, _now(), self._lease())

    async def _patiently(self, work: Callable[[], Awaitable[T]], report: Callable[[], None]) -> T:
        """What `work` comes to, once the store can do it; meanwhile `trouble` says why not."""

        def tell(why: str) -> None:
            self.trouble = why
            report()

        result = await patiently(work, self.stop, tell)
        self.trouble = ""
        return result

    def _known(self, turn: Turn) -> set[int]:
        """The deliveries that this run holds."""
        known = {one.id for one in (*turn.give_back, *self.back)}
        known.update(item.delivery.id for item in (*turn.outcomes, *self.ended))
        known.update(*turn.accepted.values(), *self.accepted.values())
        return known.union(*(lines.ids for lines in self.lines))

    def _take_in(self, turn: Turn, turned: Turned, now: float) -> None:
        """Moves on what the turn has put on disk."""
        self._being_recorded = 0
        if turn.accepted:
            self.done[DeliveryState.ACCEPTED] += sum(map(len, turn.accepted.values()))
        for item in turn.outcomes:
            self.done[item.step.state] += 1
        for dispatch_id, after in turned.places.items():
            if (place := self._places.get(dispatch_id)) is not None:
                # From the start again when the end was reached: something may have come due.
                place.exhausted = after is None and place.after == START
                place.after = after or START
        for delivery in turn.give_back:
            # It is due again, and stands before where the last look ended.
            if (place := self._places.get(delivery.dispatch_id)) is not None:
                place.after, place.exhausted = START, False
        for lines in self.lines:
            label = lines.relay.label
            if started := turned.started.get(label):
                lines.give(started)
            if label in turned.waits:
                self._rest(lines, turned.waits[label], now)
        self._drop_unwanted()
        self._rest_if_all_do(now)
        if turned.postponed_until is not None:
            self._postponed_until = max(
                turned.postponed_until, self._postponed_until or turned.postponed_until
            )

    def _rest(self, lines: Lines, until: datetime, now: float) -> None:
        """Gives a relay nothing until it has room."""
        rest = until - _now()
        if rest <= timedelta(0):
            return
        lines.resume_at = max(lines.resume_at, now + rest.total_seconds())
        asyncio.get_running_loop().call_at(lines.resume_at, self._news.set)
        self._waits_until = until

    def _rest_if_all_do(self, now: float) -> None:
        """Ends the run when no relay takes anything for long, and what they took has an end."""
        waiting = all(one.resume_at > now + _LONG.total_seconds() for one in self.lines)
        if waiting and not (self._is_behind or any(one.held for one in self.lines)):
            self.rests_until = self._waits_until

    # --- what is to be sent ---------------------------------------------------------------

    async def _watch(self, ledger: Ledger) -> None:
        """Looks at the dispatches again and again, and keeps the leases of what is held."""
        loop = asyncio.get_running_loop()
        extends_at = loop.time() + self.site.sending.lease_seconds / 3
        while True:
            await asyncio.sleep(_LOOK)
            try:
                going = await ledger.call(lambda: self.look(_now()))
                if loop.time() > extends_at:
                    await ledger.extend(self._lease())
                    extends_at = loop.time() + self.site.sending.lease_seconds / 3
            except TryLater as error:
                self.trouble = self.trouble or str(error)
                continue
            self._follow(going)
            self._news.set()

    def _follow(self, going: Sequence[Going]) -> None:
        """Takes over what is to be sent now; what no longer is goes back."""
        old, self._places = self._places, {}
        for one in going:
            place = old.pop(one.dispatch_id, None) or _Place(one)
            if self.stay or self._postponed_until is not None:
                place.exhausted = False
            self._places[one.dispatch_id] = place
            self._composers[one.dispatch_id] = one.composer
        if self._postponed_until is not None and self._postponed_until <= _now():
            self._postponed_until = None  # from here on they are looked for
        self._unwanted |= old.keys()
        self._unwanted -= self._places.keys()
        self._drop_unwanted()

    def _drop_unwanted(self) -> None:
        if self._unwanted:
            for lines in self.lines:
                self.back += lines.take_back(self._unwanted)

    async def _notice_stop(self) -> None:
        await self.stop.wait()
        self._news.set()

    def _give_up(self, problem: RelayProblem) -> None:
        self.problem = self.problem or problem
        self._news.set()

    def _lease(self) -> datetime:
        return _now() + timedelta(seconds=self.site.sending.lease_seconds)


def _raise_failures(watchers: Sequence[asyncio.Task[None]]) -> None:
    """Lets no watcher die unnoticed: leases would lapse, and a pause would not be seen."""
    for watcher in watchers:
        if watcher.done() and not watcher.cancelled() and (failure := watcher.exception()):
            raise failure


def _share(relay: Relay, given: int) -> float:
    """How much of its share a relay has had, with so many given to it."""
    return given / (relay.weight or 1)


def _now() -> datetime:
    return datetime.now(UTC)


def counted(done: Mapping[DeliveryState, int]) -> int:
    """How many deliveries have an end, of counts by state."""
    return sum(number for state, number in done.items() if state is not DeliveryState.QUEUED)
