"""A long way on one machine: a TCP proxy that hands everything on, each way, later.

    python benchmarks/proxy.py --port 2526 --to 2525 --delay 0.025

What comes in leaves in the same order after the delay, however much it is: it is a way with a
delay and no other bound. `far` starts and ends it.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from sink import free_port


@contextmanager
def far(port: int, delay: float) -> Iterator[int]:
    """The port of a proxy before `port`, a process of its own; all is `delay` seconds late."""
    own = free_port()
    process = subprocess.Popen(
        [sys.executable, __file__, "--port", str(own), "--to", str(port), "--delay", str(delay)]
    )
    try:
        for _ in range(500):
            with suppress(OSError), socket.create_connection(("127.0.0.1", own), 1):
                break
            time.sleep(0.02)
        yield own
    finally:
        process.kill()
        process.wait()


@dataclass(slots=True, eq=False)
class _End(asyncio.Protocol):
    """One end of a connection; what comes in here goes out at the `other` end, later.

    None among what waits is the end of the stream.
    """

    delay: float
    other: _End | None = None
    transport: asyncio.Transport | None = None
    waiting: deque[tuple[float, bytes | None]] = field(default_factory=deque)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # TCP's can be written to

    def data_received(self, data: bytes) -> None:
        self._later(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._later(None)

    def _later(self, data: bytes | None) -> None:
        loop = asyncio.get_running_loop()
        self.waiting.append((loop.time() + self.delay, data))
        # One timer for the whole queue: two for the same moment might change places.
        if len(self.waiting) == 1:
            loop.call_at(self.waiting[0][0], self._hand_on)

    def _hand_on(self) -> None:
        loop = asyncio.get_running_loop()
        out = self.other.transport if self.other else None
        while self.waiting and self.waiting[0][0] <= loop.time():
            data = self.waiting.popleft()[1]
            if out is None:
                continue
            if data is None:
                out.close()
            else:
                out.write(data)
        if self.waiting:
            loop.call_at(self.waiting[0][0], self._hand_on)


@dataclass(slots=True, eq=False)
class _Near(_End):
    """The end to which one connects; with it begins the connection to the other end."""

    to: int = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        _End.connection_made(self, transport)
        self.other = _End(self.delay, self)
        _TASKS.append(asyncio.ensure_future(self._connect(self.other)))

    async def _connect(self, end: _End) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: end, "127.0.0.1", self.to)


_TASKS: list[asyncio.Future[None]] = []  # so that none is forgotten before it is done


async def _serve(port: int, to: int, delay: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Near(delay, to=to), "127.0.0.1", port)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--to", type=int, required=True, help="the port behind it")
    parser.add_argument("--delay", type=float, default=0.025, help="seconds, each way")
    asked = parser.parse_args()
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(asked.port, asked.to, asked.delay))


if __name__ == "__main__":
    main()
