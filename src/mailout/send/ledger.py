"""The ledger of a sending process: all that happened since the last turn, in one transaction.

A turn records the outcomes that have come in, finds the deliveries that are due next and marks
them `sending` - one commit, one flush to disk, in a thread of its own with the loop running on.
What it marked goes on the wire only after the commit; what came back counts only after it.

A turn that failed is taken again as it was: what its first try may have put on disk after
all is found there and not done twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import TypeVar

from mailout.core.errors import TryLater
from mailout.send.pace import Pace, Starts
from mailout.store import claims, deliveries, outcomes
from mailout.store.claims import START, Claimed, Cursor
from mailout.store.engine import PlainTx, Store, Tx, Writer, session_on
from mailout.store.outcomes import Accepted, Recorded

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
class Turn:
    """What one transaction is to do. `outcomes` are those that are no acceptance.

    `room` names the relay of each delivery that may be started, in the order in which they get
    them; `places` says for each dispatch, the most urgent first, where to look for more.
    """

    accepted: Accepted = field(default_factory=dict)
    outcomes: Sequence[Recorded] = ()
    give_back: Sequence[Claimed] = ()
    room: Sequence[str] = ()
    places: Mapping[int, Cursor] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Turned:
    """What it came to: the deliveries now `sending` by relay, and for the dispatches that were
    looked at where to look on (None: nothing more is due behind the place that was asked for).

    `waits` says for a relay when it may have more, `postponed_until` when the last of those
    is due whose provider is to have them later.
    """

    started: Starts
    places: Mapping[int, Cursor | None]
    waits: Mapping[str, datetime]
    postponed_until: datetime | None


@dataclass(slots=True)
class Ledger:
    """Writes for one worker, from `with` to its end."""

    store: Store
    worker: str
    pace: Pace
    _writer: Writer = field(init=False)
    _thread: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="ledger")
    )

    def __post_init__(self) -> None:
        self._writer = self.store.writer()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._thread.submit(self._writer.close)
        self._thread.shutdown()

    async def turn(self, turn: Turn, now: datetime, lease_until: datetime) -> Turned:
        """What the turn came to, once it is on disk. Raises: MailoutError if the store fails."""
        return await self.call(lambda: self._write(turn, now, lease_until))

    async def extend(self, lease_until: datetime) -> None:
        """Nothing, once all that the worker holds is leased until then."""
        await self.call(lambda: self._extend(lease_until))

    async def reconcile(self, known: Collection[int]) -> None:
        """Nothing, once the worker holds no delivery but those `known` to it.

        A turn whose commit failed may be on disk all the same, with deliveries marked that
        nobody has heard of: nothing of them is on the wire.
        """
        await self.call(lambda: self._reconcile(known))

    async def call(self, work: Callable[[], T]) -> T:
        """The result of `work`, done by the ledger's thread between two turns."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _write(self, turn: Turn, now: datetime, lease_until: datetime) -> Turned:
        with self._writer.writing() as plain:
            outcomes.accept(plain, turn.accepted, self.worker, now)
            if turn.outcomes or turn.give_back:
                self._write_rare(session_on(plain), turn, now)
            found, places = self._find(plain, turn, now)
            admitted = self.pace.admit(lambda: session_on(plain), turn.outcomes, found, now)
            for put_off in filter(None, (admitted.postponed, admitted.resting)):
                claims.postpone(
                    session_on(plain),
                    {due: [one.id for one in late] for due, late in put_off.items()},
                )
            if ids := [one.id for some in admitted.starts.values() for one in some]:
                claims.start(plain, ids, self.worker, lease_until)
        for dispatch_id in admitted.waiting:
            places[dispatch_id] = START  # some were left there
        return Turned(
            admitted.starts, places, admitted.waits, max(admitted.postponed, default=None)
        )

    def _write_rare(self, tx: Tx, turn: Turn, now: datetime) -> None:
        outcomes.record(tx, turn.outcomes, self.worker, now)
        if turn.give_back:
            claims.give_back(tx, [one.id for one in turn.give_back], self.worker)
            deliveries.cancel_rest(tx, now)

    def _find(
        self, plain: PlainTx, turn: Turn, now: datetime
    ) -> tuple[Starts, dict[int, Cursor | None]]:
        """The due deliveries that there is room for, by relay, and where to look on."""
        found: list[Claimed] = []
        places: dict[int, Cursor | None] = {}
        for dispatch_id, place in turn.places.items():
            most = len(turn.room) - len(found)
            if most == 0:
                break
            due, places[dispatch_id] = claims.due(plain, dispatch_id, now, most, place)
            found += due
        starts: dict[str, list[Claimed]] = {}
        for label, delivery in zip(turn.room, found, strict=False):
            starts.setdefault(label, []).append(delivery)
        return starts, places

    def _extend(self, lease_until: datetime) -> None:
        with self.store.writing() as tx:
            claims.extend(tx, self.worker, lease_until)

    def _reconcile(self, known: Collection[int]) -> None:
        with self.store.writing() as tx:
            if strays := claims.held_by(tx, self.worker).difference(known):
                claims.give_back(tx, strays, self.worker)
