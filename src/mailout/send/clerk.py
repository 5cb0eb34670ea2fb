"""The clerk: takes turns with the ledger, and keeps every relay's lines in work.

Each turn records what came back, has the next deliveries marked `sending` on disk, and claims
more, those of the most urgent dispatch first. Once a second it looks up which dispatches are
still to be sent: what was paused or cancelled goes back, what is new joins in.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from mailout.core.delivery import (
    ACCEPTED,
    DeliveryState,
    Outcome,
    RetryPlan,
    Verdict,
    after_attempt,
)
from mailout.core.errors import MailoutError, TryLater
from mailout.core.site import Site
from mailout.send.compose import Composer
from mailout.send.ledger import Claim, Ledger, Turn, Turned, patiently
from mailout.send.lines import Lines
from mailout.smtp.envelope import Envelope
from mailout.smtp.session import RelayProblem
from mailout.store.claims import START, Claimed, Cursor
from mailout.store.outcomes import Recorded

T = TypeVar("T")

_CLAIM = 500  # deliveries claimed at once
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
class _Stack:
    """What a dispatch has claimed and not started, and where to claim on."""

    going: Going
    claimed: deque[Claimed] = field(default_factory=deque)
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
    ended: list[Recorded] = field(default_factory=list)
    back: list[Claimed] = field(default_factory=list)
    done: Counter[DeliveryState] = field(default_factory=Counter)
    problem: MailoutError | None = None
    rests_until: datetime | None = None
    trouble: str = ""
    _stacks: dict[int, _Stack] = field(default_factory=dict)
    _composers: dict[int, Composer] = field(default_factory=dict)
    _unwanted: set[int] = field(default_factory=set)
    _postponed_until: datetime | None = None
    _waits_until: datetime | None = None
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    # --- as the desk of the lines ---------------------------------------------------------

    def compose(self, delivery: Claimed) -> Envelope:
        return self._composers[delivery.dispatch_id].envelope(delivery, time.time())

    def end(self, delivery: Claimed, outcome: Outcome) -> None:
        step = ACCEPTED
        if outcome.verdict is not Verdict.ACCEPTED:
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
                await asyncio.sleep(max(0.0, begun + _TURN - loop.time()))
        finally:
            for watcher in watchers:
                watcher.cancel()
            for lines in self.lines:
                lines.let_go()

    @property
    def _is_over(self) -> bool:
        idle = not (self.ended or self.back or any(lines.held for lines in self.lines))
        if not idle or any(stack.claimed for stack in self._stacks.values()):
            return False
        if self.stopping:
            return True
        postponed = self._postponed_until is not None and self._postponed_until > _now()
        return not (self.stay or postponed) and all(one.exhausted for one in self._stacks.values())

    def _has_work(self, now: float) -> bool:
        """Whether a turn with the ledger would come to anything."""
        if self.ended or self.back:
            return True
        claimed = any(stack.claimed for stack in self._stacks.values())
        if self.stopping:
            return claimed or any(lines.marked for lines in self.lines)
        return bool(claimed and self._room(now) > 0) or self._to_claim() is not None

    def _next_turn(self, now: float) -> Turn:
        """All that has gathered for the ledger, taken out of the run."""
        outcomes, self.ended = self.ended, []
        if self.stopping:
            for stack in self._stacks.values():
                self.back += stack.claimed
                stack.claimed.clear()
            for lines in self.lines:
                self.back += lines.take_back()
        back, self.back = self.back, []
        if self.stopping:
            return Turn(outcomes, give_back=back)
        return Turn(outcomes, self._starts(now, len(outcomes)), back, self._to_claim())

    def _starts(self, now: float, unrecorded: int) -> dict[str, list[Claimed]]:
        """The next deliveries for each relay, by its share and its room."""
        free = sum(lines.window - lines.held for lines in self.lines) - unrecorded
        rooms = {id(lines): lines.room(now) for lines in self._candidates()}
        usable = [lines for lines in self.lines if rooms.get(id(lines), 0) > 0]
        starts: dict[str, list[Claimed]] = {}
        chosen = self._most_urgent()
        for _ in range(free):
            if not usable:
                break
            lines = usable[0] if len(usable) == 1 else min(usable, key=_share_had)
            delivery = next(chosen, None)
            if delivery is None:
                break
            starts.setdefault(lines.relay.label, []).append(delivery)
            lines.given += 1
            rooms[id(lines)] -= 1
            if not rooms[id(lines)]:
                usable.remove(lines)
        return starts

    def _most_urgent(self) -> Iterator[Claimed]:
        for stack in self._stacks.values():
            while stack.claimed:
                yield stack.claimed.popleft()

    def _candidates(self) -> list[Lines]:
        """The relays that may be given mail: those of weight 0 only when all others are broken."""
        if any(lines.relay.weight and lines.problem is None for lines in self.lines):
            return [lines for lines in self.lines if lines.relay.weight]
        return self.lines

    def _room(self, now: float) -> int:
        """How many more may be marked `sending` before some are recorded."""
        free = sum(lines.window - lines.held for lines in self.lines) - len(self.ended)
        return min(free, sum(max(0, lines.room(now)) for lines in self._candidates()))

    def _to_claim(self) -> Claim | None:
        """Of which dispatch to claim more, if any: a less urgent one only when the others lack."""
        for stack in self._stacks.values():
            if len(stack.claimed) > _CLAIM // 2:
                return None
            if not stack.exhausted:
                return Claim(stack.going.dispatch_id, stack.after, _CLAIM)
        return None

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
        starts = (one.id for some in turn.starts.values() for one in some)
        claimed = (one.id for stack in self._stacks.values() for one in stack.claimed)
        back = (one.id for one in (*turn.give_back, *self.back))
        return {*starts, *claimed, *back}

    def _take_in(self, turn: Turn, turned: Turned, now: float) -> None:
        """Moves on what the turn has put on disk."""
        for item in turn.outcomes:
            self.done[item.step.state] += 1
        for delivery in reversed(turned.waiting):
            if (stack := self._stacks.get(delivery.dispatch_id)) is not None:
                stack.claimed.appendleft(delivery)
            else:
                self.back.append(delivery)
        if (claim := turn.claim) is not None:
            self._take_claimed(claim, turned)
        for delivery in turn.give_back:
            # It is due again, and stands before where the last claim ended.
            if (stack := self._stacks.get(delivery.dispatch_id)) is not None:
                stack.after, stack.exhausted = START, False
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

    def _take_claimed(self, claim: Claim, turned: Turned) -> None:
        stack = self._stacks.get(claim.dispatch_id)
        if stack is None:
            self.back += turned.claimed
            return
        stack.claimed.extend(turned.claimed)
        if turned.last is None and claim.after == START:
            stack.exhausted = True
        # Once more from the start when the end was reached: something may have come due since.
        stack.after = turned.last or START

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
        if waiting and not (self.ended or any(one.held for one in self.lines)):
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
        old, self._stacks = self._stacks, {}
        for one in going:
            stack = old.pop(one.dispatch_id, None) or _Stack(one)
            if self.stay or self._postponed_until is not None:
                stack.exhausted = False
            self._stacks[one.dispatch_id] = stack
            self._composers[one.dispatch_id] = one.composer
        for dispatch_id, stack in old.items():
            self.back += stack.claimed
            self._unwanted.add(dispatch_id)
        self._unwanted -= self._stacks.keys()
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


def _share_had(lines: Lines) -> float:
    return (lines.given + 1) / (lines.relay.weight or 1)


def _now() -> datetime:
    return datetime.now(UTC)


def counted(done: Mapping[DeliveryState, int]) -> int:
    """How many deliveries have an end, of counts by state."""
    return sum(number for state, number in done.items() if state is not DeliveryState.QUEUED)
