"""A server of SMTP that does what a test tells it: what it offers, and how each step ends.

aiosmtpd knows no CHUNKING and cannot be made to talk nonsense; this one does both. It keeps
what it accepted, and counts how often it waited for its client: the round trips.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

Answer = Callable[[str, int], str | None]
"""From a step (`MAIL`, `RCPT`, `DATA`, `END`, `BDAT`) and the message's number (from 0) to a
reply; None for the usual one. `CLOSE` hangs up, `HANG` never answers."""

_USUAL = {
    "MAIL": "250 2.1.0 ok",
    "RCPT": "250 2.1.5 ok",
    "DATA": "354 go on",
    "END": "250 2.0.0 taken",
}


def usual(step: str, number: int) -> str | None:
    return None


@dataclass
class Scripted:
    """`offers` are the EHLO keywords. Replies go out `together` when it waits for its client, as
    those of most servers do, or each for itself."""

    offers: tuple[str, ...] = ("PIPELINING",)
    answer: Answer = usual
    together: bool = True
    accepted: list[tuple[str, bytes]] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    reads: int = 0
    number: int = -1
    port: int = 0
    tasks: list[asyncio.Task[object]] = field(default_factory=list)
    _server: asyncio.Server | None = None

    async def __aenter__(self) -> Scripted:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**24)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self.tasks:
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.append(task)
        try:
            await self._converse(reader, _Replies(writer, self.together))
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: _Replies) -> None:
        writer.write(b"220 scripted.example.org\r\n")
        recipient, open_transaction = "", False
        while True:
            if not reader._buffer:  # type: ignore[attr-defined]  # it waits: a round trip
                self.reads += 1
                await writer.flush()
            line = (await reader.readline()).decode()
            if not line:
                return
            verb = line[:4].upper()
            self.commands.append(verb)
            self.lines.append(line.strip())
            if verb == "EHLO":
                lines = ["scripted.example.org", *self.offers]
                shown = [f"250-{one}" for one in lines[:-1]] + [f"250 {lines[-1]}"]
                writer.write("".join(f"{one}\r\n" for one in shown).encode())
            elif verb == "MAIL":
                self.number += 1
                if open_transaction:
                    writer.write(b"503 5.5.1 nested MAIL\r\n")
                    continue
                reply = await self._reply("MAIL", writer)
                open_transaction = reply[0] == "2"
                recipient = ""
            elif verb == "RCPT":
                if not open_transaction:
                    writer.write(b"503 5.5.1 need MAIL\r\n")
                    continue
                reply = await self._reply("RCPT", writer)
                recipient = line.split("<")[1].split(">")[0] if reply[0] == "2" else ""
            elif verb == "DATA":
                if not recipient:
                    writer.write(b"503 5.5.1 need RCPT\r\n")
                    continue
                if (await self._reply("DATA", writer))[0] != "3":
                    continue
                await writer.flush()
                body = await reader.readuntil(b"\r\n.\r\n")
                if (await self._reply("END", writer))[0] == "2":
                    self.accepted.append((recipient, body[:-3]))
                recipient, open_transaction = "", False
            elif verb == "BDAT":
                body = await reader.readexactly(int(line.split()[1]))
                if not recipient:
                    writer.write(b"503 5.5.1 need RCPT\r\n")
                    continue
                if (await self._reply("END", writer))[0] == "2":
                    self.accepted.append((recipient, body))
                recipient, open_transaction = "", False
            elif verb == "RSET":
                writer.write(b"250 2.0.0 ok\r\n")
                recipient, open_transaction = "", False
            elif verb == "QUIT":
                writer.write(b"221 2.0.0 bye\r\n")
                await writer.flush()
                return
            else:
                writer.write(b"500 5.5.2 what?\r\n")

    async def _reply(self, step: str, writer: _Replies) -> str:
        reply = self.answer(step, self.number) or _USUAL[step]
        if reply == "CLOSE":
            await writer.flush()
            raise ConnectionError
        if reply == "HANG":
            await writer.flush()
            await asyncio.sleep(3600)
        writer.write(reply.encode() + b"\r\n")
        if reply.startswith("421"):
            await writer.flush()
            raise ConnectionError
        return reply


@dataclass
class _Replies:
    """What the server says: kept until it is flushed, or written at once."""

    writer: asyncio.StreamWriter
    together: bool
    held: bytearray = field(default_factory=bytearray)

    def write(self, data: bytes) -> None:
        if self.together:
            self.held += data
        else:
            self.writer.write(data)

    async def flush(self) -> None:
        self.writer.write(bytes(self.held))
        self.held.clear()
        await self.writer.drain()
