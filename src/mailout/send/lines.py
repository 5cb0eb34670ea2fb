"""The connections to one relay: opened when there is work, again when they break.

A relay that cannot be used trips its *breaker*: it gets nothing for a while, ever longer,
then one delivery to try, and all of its share again once that was accepted.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mailout.core.delivery import Outcome, Verdict
from mailout.core.message import BadHeader
from mailout.core.site import Relay, Site
from mailout.smtp.envelope import Envelope
from mailout.smtp.pipeline import Pipeline
from mailout.smtp.replies import Reply
from mailout.smtp.session import RelayProblem, open_pipeline, refuses_us
from mailout.store.claims import Claimed

WINDOW = 20
"""Deliveries a connection that are `sending` and not recorded, at most."""

_BREAK = (5.0, 300.0)  # seconds that a relay gets nothing: at first, and at most
_BARREN = (0.25, 30.0)  # the same after a session that accepted nothing
_FEWER = 30.0  # seconds until one connection more is tried, if the relay allows fewer


class Desk(Protocol):
    """Where envelopes come from and outcomes go to: the clerk."""

    @property
    def stopping(self) -> bool: ...
    def compose(self, delivery: Claimed) -> Envelope: ...
    def end(self, delivery: Claimed, outcome: Outcome) -> None: ...
    def hand_back(self, delivery: Claimed) -> None: ...
    def tripped(self) -> None: ...


@dataclass(slots=True, eq=False)
class Lines:
    """All connections of a run to one relay; the source of their pipelines.

    Before `resume_at` (of the loop's clock) its limits allow it nothing more.
    """

    relay: Relay
    site: Site
    desk: Desk
    marked: deque[Claimed] = field(default_factory=deque)
    on_wire: int = 0
    given: int = 0
    problem: RelayProblem | None = None
    resume_at: float = 0.0
    _rests_until: float = 0.0
    _failures: int = 0
    _barren: int = 0
    _over: bool = False
    _work: asyncio.Event = field(default_factory=asyncio.Event)
    _pipelines: set[Pipeline] = field(default_factory=set)
    _opening: set[asyncio.Future[Pipeline]] = field(default_factory=set)

    # --- as the source of the pipelines (smtp.envelope.Source) ----------------------------

    def take(self) -> Envelope | None:
        marked = self.marked
        while marked:
            delivery = marked.popleft()
            try:
                envelope = self.desk.compose(delivery)
            except BadHeader as error:
                # The message for this one reader cannot be made; the others' can.
                self.desk.end(delivery, Outcome(Verdict.REFUSED, text=str(error)))
                continue
            self.on_wire += 1
            return envelope
        if not self._over:  # a last look after that must keep no line waiting for ever
            self._work.clear()
        return None

    def finished(self, envelope: Envelope, outcome: Outcome) -> None:
        self.on_wire -= 1
        if outcome.verdict is Verdict.ACCEPTED or outcome.verdict is Verdict.REFUSED:
            self.problem = None
            self._failures = self._barren = 0
        self.desk.end(envelope.ticket, outcome)  # type: ignore[arg-type]  # the composer's

    def returned(self, envelope: Envelope) -> None:
        self.on_wire -= 1
        delivery: Claimed = envelope.ticket  # type: ignore[assignment]
        if self.problem is not None or self.desk.stopping:
            self.desk.hand_back(delivery)
        else:
            self.marked.appendleft(delivery)
            self._work.set()

    def refused_us(self, reply: Reply) -> None:
        self._trip(refuses_us(self.relay, reply))

    # --- for the clerk --------------------------------------------------------------------

    @property
    def window(self) -> int:
        return WINDOW * self.relay.connections

    @property
    def held(self) -> int:
        """How many are marked or on the wire."""
        return len(self.marked) + self.on_wire

    @property
    def ids(self) -> set[int]:
        """The deliveries that are marked or on the wire."""
        found = {delivery.id for delivery in self.marked}
        for pipeline in self._pipelines:
            found.update(one.ticket.id for one in pipeline.under_way)  # type: ignore[attr-defined]
        return found

    def room(self, now: float) -> int:
        """How many more it may be given; one to try it, after its breaker has tripped."""
        if now < self.resume_at or now < self._rests_until:
            return 0
        free = self.window - self.held
        return min(free, 1 - self.held) if self.problem is not None else free

    def give(self, started: Sequence[Claimed]) -> None:
        """Takes deliveries that are `sending` on disk."""
        self.marked.extend(started)
        self.given += len(started)
        self._work.set()
        for pipeline in list(self._pipelines):
            if not self.marked:
                break
            pipeline.wake()

    def take_back(self, unwanted: set[int] | None = None) -> list[Claimed]:
        """The marked deliveries (only those of the `unwanted` dispatches, if given)."""
        taken, kept = [], deque[Claimed]()
        for delivery in self.marked:
            if unwanted is None or delivery.dispatch_id in unwanted:
                taken.append(delivery)
            else:
                kept.append(delivery)
        self.marked = kept
        return taken

    def let_go(self) -> None:
        """Ends the lines: there is nothing for them any more."""
        self._over = True
        self._work.set()
        for opening in self._opening:
            opening.cancel()  # a relay may take a minute to greet
        for pipeline in list(self._pipelines):
            pipeline.quit()

    # --- the lines themselves -------------------------------------------------------------

    async def keep_one(self) -> None:
        """Keeps one connection, while there is work for it."""
        loop = asyncio.get_running_loop()
        while True:
            await self._work.wait()
            if self._over:
                return
            if (rest := self._rests_until - loop.time()) > 0 and not self._pipelines:
                await asyncio.sleep(min(rest, 0.5))
                continue
            try:
                pipeline = await self._open()
            except RelayProblem as problem:
                # The others may go on: a relay may allow fewer connections than we would like.
                if self._pipelines:
                    await self._wait_for_room()
                else:
                    self._trip(problem)
                continue
            if pipeline is None:
                return
            self._pipelines.add(pipeline)
            if self._over:  # let go while it was being opened
                pipeline.quit()
            try:
                await pipeline.closed.wait()
            finally:
                pipeline.cut()  # open still, if the run itself has failed
                self._pipelines.discard(pipeline)
            if not pipeline.accepted and not self._over:
                self._barren += 1
                self._rest(_BARREN, self._barren)

    async def _open(self) -> Pipeline | None:
        """A connection at work; None if the lines were let go before it was open.

        Raises: RelayProblem.
        """
        settings = self.site.sending
        opening = asyncio.ensure_future(
            open_pipeline(self.relay, self.site.ehlo, settings.timeout_seconds, self)
        )
        self._opening.add(opening)
        try:
            return await opening
        except (asyncio.CancelledError, RelayProblem):
            if self._over:
                return None
            raise
        finally:
            self._opening.discard(opening)

    async def _wait_for_room(self) -> None:
        """Returns after a while, or when another connection ends, which this one then replaces."""
        others = [asyncio.ensure_future(one.closed.wait()) for one in self._pipelines]
        await asyncio.wait(others, timeout=_FEWER, return_when=asyncio.FIRST_COMPLETED)
        for other in others:
            other.cancel()

    def _trip(self, problem: RelayProblem) -> None:
        """Breaks the circuit: what is marked goes back, and a while passes until the next try."""
        if self.problem is None or self.held:
            self._failures += 1
            self._rest(_BREAK, self._failures)
        self.problem = problem
        if not self._over:
            self._work.clear()
        for delivery in self.take_back():
            self.desk.hand_back(delivery)
        for pipeline in list(self._pipelines):
            pipeline.quit()
        self.desk.tripped()

    def _rest(self, bounds: tuple[float, float], times: int) -> None:
        shortest, longest = bounds
        until = asyncio.get_running_loop().time() + min(longest, shortest * 2 ** (times - 1))
        self._rests_until = max(self._rests_until, until)
