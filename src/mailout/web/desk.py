"""The desk where leaves are taken in: all that wait are written down in one commit.

A flush to the disk costs the same for one leave as for a hundred, and SQLite has one writer
at a time. So nobody writes for themselves: while one batch is on its way to the disk, the
next gathers.

```
requests (event loop) --- ask ---> waiting --- all of it ---> the desk's thread ---> store
          ^                                                        |
          +---- answers, once the commit is on disk ---------------+
```

1. Whoever asks first sends for the thread; it goes on until nobody waits.
2. It looks all the tokens up. What is no token is answered, and never reaches the writer.
3. The rest are one transaction (`preferences.leaving.leave_all`).
4. If that cannot be done, each is tried alone, so that one that fails takes no other with it.

When nobody waits the connection is given back, before the last answer, so there is nothing to
stop: a server that has answered its open requests has an empty desk. A leave that is being
written while its process ends is written, and nobody was told so.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from mailout.core.errors import TryLater
from mailout.core.keys import Keys
from mailout.preferences.leaving import Ask, Left, find_all, leave_all
from mailout.store.engine import Store
from mailout.web.house import now

_MOST = 500
"""How many are served at once. Fewer wait, but in a crowd."""

_BREATH = 0.001
"""Seconds between two crowds, in which the next one grows: twice as many to a commit."""

_End = Left | Exception | None


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """Somebody who waits for the end of a leave, in the event loop of their request."""

    token: str
    source: str
    loop: asyncio.AbstractEventLoop
    end: asyncio.Future[Left | None]


class Desk:
    """Takes leaves in for one store, from any event loop."""

    def __init__(self, store: Store, keys: Keys) -> None:
        self._keys = keys
        self._writer = store.writer()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="desk")
        self._lock = threading.Lock()
        self._waiting: list[_Waiting] = []
        self._at_work = False

    async def leave(self, token: str, source: str) -> Left | None:
        """The leave, once it is on disk, as `preferences.leaving.leave` says.

        Raises: TryLater if the store cannot do it now.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(token, source, loop, loop.create_future())
        with self._lock:
            self._waiting.append(waiting)
            if not self._at_work:
                self._thread.submit(self._work)
                self._at_work = True
        return await waiting.end

    def _work(self) -> None:
        """Nothing, once nobody waits."""
        while some := self._next():
            self._serve(some)
            if len(some) > 1:  # a crowd: those just answered may be followed by others
                time.sleep(_BREATH)

    def _next(self) -> list[_Waiting]:
        """Who is served next, all at once; none if nobody waits."""
        with self._lock:
            some, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
            self._at_work = bool(some)
        return some

    def _serve(self, some: Sequence[_Waiting]) -> None:
        """Nothing, once each of them has an answer."""
        try:
            found = find_all(self._writer, [one.token for one in some])
            known = [(one, it) for one, it in zip(some, found, strict=True) if it is not None]
            if len(known) < len(some):
                self._answer((one, None) for one, it in zip(some, found, strict=True) if it is None)
                some = [one for one, _ in known]
            if not known:
                return
            asks = [Ask(it, one.source) for one, it in known]
            ends: Sequence[_End] = leave_all(self._writer, self._keys, asks, now())
        except TryLater as error:  # the store cannot: nor could it for each alone
            ends = [TryLater(error.what, fix=error.fix) for _ in some]
        except Exception as error:
            if len(some) > 1:
                self._serve_each(some)
                return
            ends = [error]
        self._answer((one, end) for one, end in zip(some, ends, strict=True) if end is not None)
        self._serve_each(one for one, end in zip(some, ends, strict=True) if end is None)

    def _serve_each(self, some: Iterable[_Waiting]) -> None:
        for one in some:
            self._serve([one])

    def _answer(self, ends: Iterable[tuple[_Waiting, _End]]) -> None:
        """Nothing, once they are told. Where nobody else waits the connection is given back
        before: whoever has the last answer may close the store."""
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Waiting, _End]]] = {}
        for one, end in ends:
            by_loop.setdefault(one.loop, []).append((one, end))
        if by_loop and not self._waiting:
            with suppress(Exception):  # broken: what was done with it is done
                self._writer.close()
        for loop, some in by_loop.items():
            try:
                loop.call_soon_threadsafe(_tell, some)
            except RuntimeError:  # the loop is closed: nobody waits there any more
                continue


def _tell(ends: Iterable[tuple[_Waiting, _End]]) -> None:
    for one, end in ends:
        if one.end.done():  # its request was given up
            continue
        if isinstance(end, Exception):
            one.end.set_exception(end)
        else:
            one.end.set_result(end)
