"""The ledger thread: the one writer of a sending process.

Connections ask for claims, starts and records; the thread takes all that has gathered
while it was writing and commits it as one transaction, so that many deliveries share one
flush to disk and no connection waits longer than two. A request is answered only after
its commit: `start` before the wire, `record` after it.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType

from mailout.store import deliveries
from mailout.store.deliveries import Claimed, Recorded
from mailout.store.engine import Store, Tx

_MOST = 500  # requests in one transaction


@dataclass(frozen=True, slots=True)
class _Request:
    """`work` runs in the transaction; its result is the answer."""

    work: Callable[[Tx], object]
    answer: asyncio.Future[object]


@dataclass(frozen=True, slots=True)
class _Start:
    delivery_id: int
    lease_until: datetime
    answer: asyncio.Future[object]


@dataclass(frozen=True, slots=True)
class _Record:
    item: Recorded
    answer: asyncio.Future[object]


class Ledger:
    """Runs in a thread of its own from `async with` to its end."""

    def __init__(self, store: Store, worker: str) -> None:
        self._store = store
        self._worker = worker
        self._requests: queue.SimpleQueue[_Request | _Start | _Record | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="ledger")

    async def __aenter__(self) -> Ledger:
        self._thread.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._requests.put(None)
        await asyncio.to_thread(self._thread.join)

    async def claim(
        self, dispatch_id: int, now: datetime, lease_until: datetime, most: int, after: int
    ) -> tuple[list[Claimed], int]:
        """As `store.deliveries.claim`, committed."""

        def work(tx: Tx) -> tuple[list[Claimed], int]:
            return deliveries.claim(tx, dispatch_id, self._worker, now, lease_until, most, after)

        answer: asyncio.Future[object] = self._loop.create_future()
        self._requests.put(_Request(work, answer))
        result = await answer
        assert isinstance(result, tuple)  # noqa: S101 - what `work` returns
        return result

    async def start(self, delivery: Claimed, lease_until: datetime) -> bool:
        """Whether the delivery is now `sending`, on disk, and this worker's to put on the wire."""
        answer: asyncio.Future[object] = self._loop.create_future()
        self._requests.put(_Start(delivery.id, lease_until, answer))
        return bool(await answer)

    async def record(self, item: Recorded) -> None:
        """Nothing, once the outcome is on disk."""
        answer: asyncio.Future[object] = self._loop.create_future()
        self._requests.put(_Record(item, answer))
        await answer

    async def extend(self, lease_until: datetime) -> None:
        """Nothing, once all that this worker holds is leased until then."""
        answer: asyncio.Future[object] = self._loop.create_future()
        self._requests.put(
            _Request(lambda tx: deliveries.extend(tx, self._worker, lease_until), answer)
        )
        await answer

    async def release(self) -> None:
        """Nothing, once what was claimed and not started is queued again."""
        answer: asyncio.Future[object] = self._loop.create_future()
        self._requests.put(_Request(lambda tx: deliveries.release(tx, self._worker), answer))
        await answer

    def _run(self) -> None:
        """The thread: a batch, a transaction, the answers; until None comes."""
        going = True
        while going:
            batch = [self._requests.get()]
            while len(batch) < _MOST and batch[-1] is not None and not self._requests.empty():
                batch.append(self._requests.get())
            if batch[-1] is None:
                going = False
                batch.pop()
            if batch:
                self._answer([request for request in batch if request is not None])

    def _answer(self, batch: list[_Request | _Start | _Record]) -> None:
        try:
            answers = self._write(batch)
        except BaseException as error:  # the asker decides: the thread goes on
            self._loop.call_soon_threadsafe(_fail, [request.answer for request in batch], error)
            return
        self._loop.call_soon_threadsafe(_resolve, answers)

    def _write(
        self, batch: list[_Request | _Start | _Record]
    ) -> list[tuple[asyncio.Future[object], object]]:
        answers: list[tuple[asyncio.Future[object], object]] = []
        records = [request for request in batch if isinstance(request, _Record)]
        starts = [request for request in batch if isinstance(request, _Start)]
        with self._store.writing() as tx:
            if records:
                deliveries.record(tx, [request.item for request in records], self._worker)
                answers += [(request.answer, None) for request in records]
            if starts:
                lease = max(request.lease_until for request in starts)
                ids = [request.delivery_id for request in starts]
                started = deliveries.start(tx, ids, self._worker, lease)
                answers += [(request.answer, request.delivery_id in started) for request in starts]
            for request in batch:
                if isinstance(request, _Request):
                    answers.append((request.answer, request.work(tx)))
        return answers


def _resolve(answers: list[tuple[asyncio.Future[object], object]]) -> None:
    for future, value in answers:
        if not future.done():
            future.set_result(value)


def _fail(futures: list[asyncio.Future[object]], error: BaseException) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(error)
