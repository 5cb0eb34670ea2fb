"""The ledger of a sending process: all that happened since the last turn, in one transaction.

A turn records the outcomes that have come in, marks the next deliveries `sending`, and
claims more - one commit, one flush to disk, in a thread of its own with the loop running on.
What it marked goes on the wire only after the commit; what came back counts only after it.

A turn that failed is taken again as it was: what its first try may have put on disk after
all is found there and not done twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import TypeVar

from mailout.core.delivery import DeliveryState
from mailout.core.errors import TryLater
from mailout.send.pace import Pace, Starts
from mailout.store import claims, deliveries, outcomes
from mailout.store.claims import Claimed, Cursor
from mailout.store.engine import Store, Tx
from mailout.store.outcomes import Recorded

T = TypeVar("T")


_PATIENCE = 600.0  # seconds that a store may be away before a run gives up
_WAITS = (0.25, 5.0)  # seconds between two tries: at first, and at most


async def patiently(
    work: Callable[[], Awaitable[T]], stop: asyncio.Event, trouble: Callable[[str], None]
) -> T:
    """What `work` comes to, tried until the store can do it: it may be away for a while, or its
    disk full. Each failure is told as `trouble`.

    Raises: TryLater if the store stays away too long, or `stop` is set meanwhile.
    """
    loop = asyncio.get_running_loop()
    gives_up, wait = loop.time() + _PATIENCE, _WAITS[0]
    while True:
        try:
            return await work()
        except TryLater as error:
            if stop.is_set() or loop.time() > gives_up:
                raise
            trouble(str(error))
            await asyncio.sleep(wait)
            wait = min(wait * 2, _WAITS[1])


@dataclass(frozen=True, slots=True)
class Claim:
    """How many more deliveries of a dispatch to claim, behind `after`."""

    dispatch_id: int
    after: Cursor
    most: int


@dataclass(frozen=True, slots=True)
class Turn:
    """What one transaction is to do."""

    outcomes: Sequence[Recorded] = ()
    starts: Starts = field(default_factory=dict)
    give_back: Sequence[Claimed] = ()
    claim: Claim | None = None


@dataclass(frozen=True, slots=True)
class Turned:
    """What it came to: the deliveries now `sending` by relay, those whose relay is not to have
    them yet (still claimed), those claimed, and where to claim on (None: at the beginning).

    `waits` says for a relay when it may have more, `postponed_until` when the last of those
    is due whose provider is to have them later.
    """

    started: Starts
    waiting: Sequence[Claimed]
    claimed: Sequence[Claimed]
    last: Cursor | None
    waits: dict[str, datetime]
    postponed_until: datetime | None


@dataclass(slots=True)
class Ledger:
    """Writes for one worker, from `with` to its end."""

    store: Store
    worker: str
    pace: Pace
    _thread: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="ledger")
    )

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._thread.shutdown()

    async def turn(self, turn: Turn, now: datetime, lease_until: datetime) -> Turned:
        """What the turn came to, once it is on disk. Raises: MailoutError if the store fails."""
        return await self.call(lambda: self._write(turn, now, lease_until))

    async def extend(self, lease_until: datetime) -> None:
        """Nothing, once all that the worker holds is leased until then."""
        await self.call(lambda: self._extend(lease_until))

    async def reconcile(self, known: Collection[int]) -> None:
        """Nothing, once the worker holds no claim but those `known` to it.

        A turn whose commit failed may be on disk all the same, with claims nobody has heard of.
        """
        await self.call(lambda: self._reconcile(known))

    async def call(self, work: Callable[[], T]) -> T:
        """The result of `work`, done by the ledger's thread between two turns."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _write(self, turn: Turn, now: datetime, lease_until: datetime) -> Turned:
        with self.store.writing() as tx:
            outcomes.record(tx, turn.outcomes, self.worker, now)
            if turn.give_back:
                claims.give_back(tx, [one.id for one in turn.give_back], self.worker)
                deliveries.cancel_rest(tx, now)
            admitted = self.pace.admit(tx, turn.outcomes, turn.starts, now)
            claims.postpone(
                tx,
                {due: [one.id for one in late] for due, late in admitted.postponed.items()},
                self.worker,
            )
            started = self._start(tx, admitted.starts, now, lease_until)
            claimed: Sequence[Claimed] = ()
            last = None
            if (more := turn.claim) is not None:
                claimed, last = claims.claim(
                    tx, more.dispatch_id, self.worker, now, lease_until, more.most, more.after
                )
        return Turned(
            started,
            admitted.waiting,
            claimed,
            last,
            admitted.waits,
            max(admitted.postponed, default=None),
        )

    def _start(self, tx: Tx, starts: Starts, now: datetime, lease_until: datetime) -> Starts:
        ids = [one.id for some in starts.values() for one in some]
        if not ids:
            return {}
        ours = claims.start(tx, ids, self.worker, now, lease_until)
        if len(ours) == len(ids):
            return starts
        return {label: [one for one in some if one.id in ours] for label, some in starts.items()}

    def _extend(self, lease_until: datetime) -> None:
        with self.store.writing() as tx:
            claims.extend(tx, self.worker, lease_until)

    def _reconcile(self, known: Collection[int]) -> None:
        with self.store.writing() as tx:
            held = claims.held_by(tx, self.worker)
            strays = [
                one
                for one, state in held.items()
                if state is DeliveryState.CLAIMED and one not in known
            ]
            if strays:
                claims.give_back(tx, strays, self.worker)
