"""The ledger of a sending process: all that happened since the last turn, in one transaction.

A turn records the outcomes that have come in, marks the next deliveries `sending`, and
claims more - one commit, one flush to disk, in a thread of its own with the loop running on.
What it marked goes on the wire only after the commit; what came back counts only after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType

from mailout.store import claims, outcomes
from mailout.store.claims import Claimed
from mailout.store.engine import Store
from mailout.store.outcomes import Recorded


@dataclass(frozen=True, slots=True)
class Turn:
    """What one transaction is to do. `claim` is how many more to claim, above the id `after`."""

    outcomes: Sequence[Recorded] = ()
    starts: Sequence[Claimed] = ()
    give_back: Sequence[Claimed] = ()
    claim: int = 0
    after: int = 0


@dataclass(frozen=True, slots=True)
class Turned:
    """What it came to: the deliveries now `sending`, those claimed, the highest id seen."""

    started: Sequence[Claimed] = ()
    claimed: Sequence[Claimed] = ()
    last: int = 0


@dataclass(slots=True)
class Ledger:
    """Writes for one worker and one dispatch, from `with` to its end."""

    store: Store
    worker: str
    dispatch_id: int
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
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._write, turn, now, lease_until)

    async def extend(self, lease_until: datetime) -> None:
        """Nothing, once all that the worker holds is leased until then."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._extend, lease_until)

    def _write(self, turn: Turn, now: datetime, lease_until: datetime) -> Turned:
        with self.store.writing() as tx:
            outcomes.record(tx, turn.outcomes, self.worker, now)
            if turn.give_back:
                claims.give_back(tx, [one.id for one in turn.give_back], self.worker)
            started: Sequence[Claimed] = ()
            if turn.starts:
                ids = [one.id for one in turn.starts]
                ours = claims.start(tx, ids, self.worker, now, lease_until)
                started = [one for one in turn.starts if one.id in ours]
            claimed: Sequence[Claimed] = ()
            last = 0
            if turn.claim:
                claimed, last = claims.claim(
                    tx, self.dispatch_id, self.worker, now, lease_until, turn.claim, turn.after
                )
        return Turned(started, claimed, last)

    def _extend(self, lease_until: datetime) -> None:
        with self.store.writing() as tx:
            claims.extend(tx, self.worker, lease_until)
