"""A receiver of mail that forgets nothing: it writes down who got what before it says so.

    python benchmarks/sink.py --port 2525 [--log FILE] [--chunking] [--plain]

Each message accepted is a line of the log, `recipient<TAB>Message-ID`, written before the
reply that accepts it. So the log outlives a `kill -9` of this process, and whoever was told
"accepted" stands in it. `Sink` starts, kills and reads it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

_END = b"\r\n.\r\n"
_ID = b"\r\nMessage-ID: "
_OK = b"250 2.0.0 ok\r\n"


class Accepted(NamedTuple):
    """A message for which the receiver took responsibility."""

    recipient: str
    message_id: str


@dataclass
class Sink:
    """The receiver as a process of its own, which may be killed and started again."""

    log: Path
    chunking: bool = False
    pipelining: bool = True
    port: int = 0
    _process: subprocess.Popen[bytes] | None = None
    _counted: int = 0
    _seen: int = 0

    def __enter__(self) -> Sink:
        self.port = self.port or free_port()
        self.log.touch()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Nothing, once it takes connections."""
        command = [sys.executable, __file__, "--port", str(self.port), "--log", str(self.log)]
        command += ["--chunking"] * self.chunking + ["--plain"] * (not self.pipelining)
        self._process = subprocess.Popen(command)
        for _ in range(500):
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.02)
        raise RuntimeError("the sink does not start")

    def kill(self) -> None:
        """Nothing, once it is dead: with SIGKILL, since its log needs no goodbye."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def count(self) -> int:
        """How many messages were accepted so far; looks only at what is new."""
        if self.log.stat().st_size > self._seen:
            with self.log.open("rb") as log:
                log.seek(self._seen)
                new = log.read()
            self._seen += len(new)
            self._counted += new.count(b"\n")
        return self._counted

    def settled(self) -> int:
        """The same, once nothing more comes of what is still in the sockets' buffers."""
        last, same = self.count(), 0
        while same < 5:
            time.sleep(0.02)
            same = same + 1 if self.count() == last else 0
            last = self.count()
        return last

    def accepted(self, since: int = 0) -> list[Accepted]:
        """All that were accepted, in order, from number `since` on."""
        lines = self.log.read_text().splitlines()[since:]
        return [Accepted._make(line.split("\t")) for line in lines]


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


# --- the server itself -------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class _Conversation(asyncio.Protocol):
    """One connection, as a loop over the bytes that have come in."""

    offers: tuple[bytes, ...]
    log: int
    transport: asyncio.Transport | None = None
    buffer: bytearray = field(default_factory=bytearray)
    recipient: bytes = b""
    message: bytes = b""
    in_data: bool = False
    chunk: int = -1  # bytes of a chunk still to come; -1: none is under way
    is_last: bool = False
    searched: int = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self.transport = transport  # type: ignore[assignment]  # uvloop's inherit from nothing
        self.transport.write(b"220 sink.example.org\r\n")  # type: ignore[union-attr]

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        replies: list[bytes] = []
        entries: list[bytes] = []
        while self._step(replies, entries):
            pass
        if entries and self.log >= 0:
            os.write(self.log, b"".join(entries))  # before any of them is acknowledged
        if replies and self.transport is not None:
            self.transport.write(b"".join(replies))
            if replies[-1].startswith(b"221"):
                self.transport.close()

    def _step(self, replies: list[bytes], entries: list[bytes]) -> bool:
        """Whether something whole was there and has been dealt with."""
        if self.in_data:
            return self._take_data(replies, entries)
        if self.chunk >= 0:
            return self._take_chunk(replies, entries)
        end = self.buffer.find(b"\r\n")
        if end < 0:
            return False
        line = bytes(self.buffer[:end])
        del self.buffer[: end + 2]
        self._obey(line, replies)
        return True

    def _obey(self, line: bytes, replies: list[bytes]) -> None:
        verb = line[:4].upper()
        if verb == b"MAIL":
            self.recipient = self.message = b""
            replies.append(_OK)
        elif verb == b"RCPT":
            self.recipient = line.partition(b"<")[2].partition(b">")[0]
            replies.append(_OK)
        elif verb == b"DATA":
            self.in_data, self.searched = True, 0
            replies.append(b"354 go on\r\n")
        elif verb == b"BDAT":
            words = line.split()
            self.chunk, self.is_last = int(words[1]), words[-1].upper() == b"LAST"
        elif verb in (b"EHLO", b"HELO"):
            names = [b"sink.example.org", *(self.offers if verb == b"EHLO" else ())]
            replies += [b"250-%b\r\n" % name for name in names[:-1]]
            replies.append(b"250 %b\r\n" % names[-1])
        elif verb == b"QUIT":
            replies.append(b"221 2.0.0 bye\r\n")
        else:  # RSET, NOOP
            replies.append(_OK)

    def _take_data(self, replies: list[bytes], entries: list[bytes]) -> bool:
        if self.buffer.startswith(b".\r\n"):
            end, after = 0, 3
        else:
            end = self.buffer.find(_END, self.searched)
            after = end + len(_END)
        if end < 0:
            self.searched = max(0, len(self.buffer) - len(_END))
            return False
        self.message = bytes(self.buffer[:end])
        del self.buffer[:after]
        self.in_data = False
        self._accept(replies, entries)
        return True

    def _take_chunk(self, replies: list[bytes], entries: list[bytes]) -> bool:
        if len(self.buffer) < self.chunk:
            return False
        self.message = self.message or bytes(self.buffer[: self.chunk])
        del self.buffer[: self.chunk]
        self.chunk = -1
        if self.is_last:
            self._accept(replies, entries)
        else:
            replies.append(_OK)
        return True

    def _accept(self, replies: list[bytes], entries: list[bytes]) -> None:
        begin = self.message.find(_ID) + len(_ID)
        identity = self.message[begin : self.message.find(b"\r\n", begin)]
        entries.append(b"%b\t%b\n" % (self.recipient, identity))
        replies.append(_OK)


async def _serve(port: int, offers: tuple[bytes, ...], log: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: _Conversation(offers, log), "127.0.0.1", port, backlog=512
    )
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--log", help="where accepted messages are written down")
    parser.add_argument("--chunking", action="store_true", help="offer CHUNKING (BDAT)")
    parser.add_argument("--plain", action="store_true", help="do not offer PIPELINING")
    asked = parser.parse_args()
    offers = [b"8BITMIME", b"SMTPUTF8", b"ENHANCEDSTATUSCODES"]
    offers += [b"PIPELINING"] * (not asked.plain) + [b"CHUNKING"] * asked.chunking
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    log = os.open(asked.log, flags, 0o600) if asked.log else -1
    serving = _serve(asked.port, tuple(offers), log)
    with suppress(KeyboardInterrupt):
        try:
            import uvloop
        except ImportError:
            asyncio.run(serving)
        else:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(serving)


if __name__ == "__main__":
    main()
