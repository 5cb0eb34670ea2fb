"""A session's opening and end, each step with each fault: the relay is to blame, and nobody else."""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from mailout.core.delivery import Verdict
from mailout.core.site import Relay
from mailout.smtp.envelope import Envelope
from mailout.smtp.session import RelayProblem, submit_all

ENVELOPE = Envelope("b@news.example.org", "a@example.org", b"To: a\r\n\r\nText\r\n")
PATIENCE = 1.0

USUAL = {
    "GREETING": "220 mx.example.org",
    "EHLO": "250-mx.example.org\r\n250-STARTTLS\r\n250-AUTH PLAIN\r\n250 PIPELINING",
    "STARTTLS": "220 go on",
    "AUTH": "235 2.7.0 welcome",
    "MAIL": "250 2.1.0 ok",
    "RCPT": "250 2.1.5 ok",
    "DATA": "354 go on",
    "END": "250 2.0.0 taken",
    "QUIT": "221 2.0.0 bye",
}
FAULTS = {
    "closes": "CLOSE",
    "hangs": "HANG",
    "goes": "421 4.3.2 closing",
    "refuses": "554 5.7.1 not you",
    "says what is no reply": "hello there",
    "says half a code": "25",
    "says bytes that are no text": "\udcff\udcfe",
    "talks without end": "ENDLESS",
}


class Server:
    """Says the usual at every step but one; keeps what it was told."""

    def __init__(self, step: str, fault: str) -> None:
        self.says = {**USUAL, step: fault}
        self.told: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._say("GREETING", writer)
            while line := (await reader.readline()).decode("latin-1"):
                verb = line[:8].split()[0].upper()
                self.told.append(verb)
                await self._say(verb, writer)
                if verb == "DATA":
                    await reader.readuntil(b"\r\n.\r\n")
                    await self._say("END", writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _say(self, step: str, writer: asyncio.StreamWriter) -> None:
        reply = self.says.get(step, "500 5.5.2 what?")
        if reply == "CLOSE":
            raise ConnectionError
        if reply == "HANG":
            await asyncio.sleep(3600)
        while reply == "ENDLESS":
            writer.write(b"250-" + b"x" * 1000 + b"\r\n")
            await writer.drain()
        writer.write(reply.encode("utf-8", "surrogateescape") + b"\r\n")
        await writer.drain()


@asynccontextmanager
async def serving(step: str, fault: str) -> AsyncIterator[tuple[Server, int]]:
    server = Server(step, fault)
    tasks: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.ensure_future(server.serve(reader, writer)))

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server, listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        for task in tasks:
            task.cancel()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("step", ["GREETING", "EHLO", "STARTTLS", "AUTH"])
async def test_an_opening_that_fails_is_the_relays_affair(step: str, fault: str) -> None:
    async with serving(step, FAULTS[fault]) as (server, port):
        relay = Relay(
            host="127.0.0.1",
            port=port,
            tls="starttls" if step == "STARTTLS" else "none",
            username="user" if step == "AUTH" else "",
            password="secret" if step == "AUTH" else "",
        )
        before, begun = peak(), time.monotonic()
        with pytest.raises(RelayProblem) as problem:
            await submit_all(relay, "news.example.org", PATIENCE, [ENVELOPE])
        assert time.monotonic() - begun < 4 * PATIENCE
    assert f"127.0.0.1:{port}" in str(problem.value) and len(str(problem.value)) < 1000
    assert "MAIL" not in server.told and "secret" not in str(problem.value)
    assert peak() - before < 64, "a reply without end is not kept"


@pytest.mark.parametrize("fault", FAULTS)
async def test_an_end_that_fails_takes_back_nothing(fault: str) -> None:
    async with serving("QUIT", FAULTS[fault]) as (_, port):
        relay = Relay(host="127.0.0.1", port=port, tls="none")
        before, begun = peak(), time.monotonic()
        (outcome,) = await submit_all(relay, "news.example.org", PATIENCE, [ENVELOPE])
        assert time.monotonic() - begun < 8.0, "nobody waits long for a good-bye"
    assert outcome.verdict is Verdict.ACCEPTED
    assert peak() - before < 64


def peak() -> float:
    """The most memory that this process has had so far, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
