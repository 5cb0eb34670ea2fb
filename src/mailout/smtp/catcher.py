"""The catching SMTP server of the demo and the tests: takes mail, keeps it, sends none on.

It runs in a thread of this process, on loopback, and can be told to behave like the servers
of real life: to refuse people, to defer, to hang up, to want a password.

Standards: RFC 5321, RFC 1870 (SIZE), RFC 2920 (PIPELINING), RFC 3207 (STARTTLS),
RFC 4954 (AUTH), RFC 6152 (8BITMIME), RFC 6531 (SMTPUTF8).
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections import Counter, deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

NAME = "catcher.example.org"

_MOST_KEPT = 5000  # about 150 MB of bulletins; the oldest go first
_START_SECONDS = 10.0
_BACKLOG = 512

Moment = Literal["", "mail", "data", "body", "end"]
"""When a fault strikes: at MAIL, at DATA, with half of the body read, or after its end."""


@dataclass(frozen=True, slots=True)
class Caught:
    """One accepted transaction, numbered from 1; `content` is the message as it came."""

    number: int
    sender: str
    recipients: tuple[str, ...]
    content: bytes
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What goes wrong. `close` hangs up, `hang` never answers, `busy` answers 421 at MAIL.

    `times` limits how often these three strike (0: always). `defer_first` greylists: so many
    tries of each recipient get 451. `credentials` (name, password) are demanded by AUTH.
    """

    close: Moment = ""
    hang: Moment = ""
    busy: bool = False
    times: int = 0
    defer_first: int = 0
    credentials: tuple[str, str] | None = field(default=None, repr=False)


class Catcher:
    """A catching server as a context manager: `with Catcher() as catcher: catcher.port`.

    `rules` maps a domain or an address (lower case) to the reply at RCPT, such as
    `550 5.1.1 no such person here`; an address goes before its domain. `data_rules` is the
    same for the reply after the body. `messages` is what was caught, oldest first.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        rules: Mapping[str, str] | None = None,
        *,
        data_rules: Mapping[str, str] | None = None,
        faults: Faults | None = None,
        tls: ssl.SSLContext | None = None,
        pipelining: bool = True,
        most_kept: int = _MOST_KEPT,
    ) -> None:
        self.host = host
        self.port = port
        self.rules = dict(rules or {})
        self.data_rules = dict(data_rules or {})
        self.faults = faults or Faults()
        self.accepted = 0
        self.connections = 0
        self._tls = tls
        self._pipelining = pipelining
        self._kept: deque[Caught] = deque(maxlen=most_kept)
        self._tries: Counter[str] = Counter()
        self._struck = 0
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._conversations: set[_Conversation] = set()

    def __enter__(self) -> Catcher:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def messages(self) -> list[Caught]:
        with self._lock:
            return list(self._kept)

    @property
    def open_connections(self) -> int:
        return len(self._conversations)

    def message(self, number: int) -> Caught | None:
        """The message of that number; None if there is none, or none any more."""
        return next((caught for caught in self.messages if caught.number == number), None)

    def clear(self) -> None:
        """Nothing, once what was caught is forgotten; numbers go on."""
        with self._lock:
            self._kept.clear()

    def start(self) -> Catcher:
        """Itself, listening; `port` is then the real one. Raises: OSError if it is taken."""
        listening = socket.create_server((self.host, self.port), backlog=_BACKLOG)
        # Inherited by every connection. asyncio does it only for sockets that it made itself,
        # and without it each small reply waits 40 ms for an acknowledgement.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = listening.getsockname()[1]
        ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._run, args=(self._loop, listening, ready), name="catcher", daemon=True
        )
        self._thread.start()
        if not ready.wait(_START_SECONDS):
            raise OSError("the catching server does not start")
        return self

    def stop(self) -> None:
        """Nothing, once every connection is closed and the thread has ended."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        self._loop = self._thread = None
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_START_SECONDS)

    def _run(
        self, loop: asyncio.AbstractEventLoop, listening: socket.socket, ready: threading.Event
    ) -> None:
        asyncio.set_event_loop(loop)
        server = loop.run_until_complete(
            loop.create_server(lambda: self._converse(loop), sock=listening, backlog=_BACKLOG)
        )
        loop.call_soon(ready.set)
        try:
            loop.run_forever()
        finally:
            server.close()
            # Who is just being let in is known only a few turns of the loop later.
            loop.run_until_complete(_some_turns())
            for conversation in list(self._conversations):
                conversation.hang_up()
            loop.run_until_complete(_end_tasks())
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    def _converse(self, loop: asyncio.AbstractEventLoop) -> _Conversation:
        self.connections += 1
        conversation = _Conversation(
            _Handler(self),
            hostname=NAME,
            ident="ESMTP",
            enable_SMTPUTF8=True,
            tls_context=self._tls,
            auth_require_tls=False,
            authenticator=self._authenticate,
            loop=loop,
        )
        # As an argument it would warn of passwords in the clear, which loopback may see.
        conversation._auth_required = self.faults.credentials is not None
        return conversation

    def _authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
    ) -> AuthResult:
        given = (
            (data.login.decode(errors="replace"), data.password.decode(errors="replace"))
            if isinstance(data, LoginPassword)
            else None
        )
        return AuthResult(success=given == self.faults.credentials, handled=False)

    def _fault_at(self, moment: Moment) -> Literal["", "close", "hang"]:
        """What goes wrong now, counted against `times`."""
        if moment not in (self.faults.close, self.faults.hang) or not self._strikes():
            return ""
        return "close" if moment == self.faults.close else "hang"

    def _strikes(self) -> bool:
        self._struck += 1
        return not self.faults.times or self._struck <= self.faults.times

    def _keep(self, envelope: Envelope) -> None:
        content = envelope.original_content or b""
        with self._lock:
            self.accepted += 1
            self._kept.append(
                Caught(
                    number=self.accepted,
                    sender=envelope.mail_from or "",
                    recipients=tuple(envelope.rcpt_tos),
                    content=content,
                    at=datetime.now(UTC),
                )
            )


class _Conversation(SMTP):
    """One connection; beyond aiosmtpd's it can break off where a test wants it to."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.event_handler.catcher._conversations.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self.event_handler.catcher._conversations.discard(self)
        super().connection_lost(error)

    def hang_up(self) -> None:
        """Nothing, once the connection is cut without a word."""
        if isinstance(self.transport, asyncio.WriteTransport):
            with suppress(AttributeError):  # of Python 3.11.2, where TLS has just ended by itself
                self.transport.abort()

    def close(self) -> None:
        """Nothing, once the connection is closed behind what was said last."""
        if self.transport is not None:
            self.transport.close()

    async def strike(self, moment: Moment) -> None:
        """Nothing, unless a fault strikes now: then it never returns, the connection's end is
        the task's."""
        fault = self.event_handler.catcher._fault_at(moment)
        if fault:
            if moment == "body":
                await self.push("354 End data with <CR><LF>.<CR><LF>")
                await self._reader.readuntil(b"\r\n")
            if fault == "close":
                self.hang_up()
            await asyncio.Event().wait()

    async def smtp_DATA(self, arg: str) -> None:
        await self.strike("data")
        if self.envelope is not None and self.envelope.rcpt_tos:
            await self.strike("body")
        await super().smtp_DATA(arg)


class _Handler:
    """aiosmtpd's hooks: each returns the reply."""

    def __init__(self, catcher: Catcher) -> None:
        self.catcher = catcher

    async def handle_EHLO(
        self,
        _server: SMTP,
        session: Session,
        _envelope: Envelope,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        session.host_name = hostname
        # aiosmtpd answers command by command from a buffer, which is all that pipelining asks.
        offered = ["250-PIPELINING"] if self.catcher._pipelining else []
        wanted = [
            line
            for line in responses
            if not line.startswith("250-AUTH") or self.catcher.faults.credentials
        ]
        return [wanted[0], *offered, "250-ENHANCEDSTATUSCODES", *wanted[1:]]

    async def handle_MAIL(
        self,
        server: _Conversation,
        _session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        if self.catcher.faults.busy and self.catcher._strikes():
            server.loop.call_soon(server.close)
            return "421 4.3.2 busy, come back later"
        await server.strike("mail")
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        if reply := _ruled(self.catcher.rules, address):
            return reply
        self.catcher._tries[address.lower()] += 1
        if self.catcher._tries[address.lower()] <= self.catcher.faults.defer_first:
            return "451 4.7.1 greylisted, come back later"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(
        self, server: _Conversation, _session: Session, envelope: Envelope
    ) -> str:
        for recipient in envelope.rcpt_tos:
            if reply := _ruled(self.catcher.data_rules, recipient):
                return reply
        await server.strike("end")
        self.catcher._keep(envelope)
        return f"250 2.0.0 OK: message {self.catcher.accepted}"


def _ruled(rules: Mapping[str, str], address: str) -> str:
    address = address.lower()
    return rules.get(address) or rules.get(address.rpartition("@")[2]) or ""


async def _end_tasks() -> None:
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await _some_turns()  # the transports' own farewells


async def _some_turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)
