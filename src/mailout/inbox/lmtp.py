"""A listener for the mail server of this machine: LMTP on loopback, or on a socket in a folder.

After the data each recipient gets a reply of its own: 250 once the mail is kept, 451 while it
cannot be, so that the mail server tries again. Every recipient is taken: this sends nothing on,
and who may write to whom is that server's to decide.

Standards: RFC 2033 (LMTP), RFC 1870 (SIZE), RFC 6152 (8BITMIME), RFC 6531 (SMTPUTF8).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import socket
import stat
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, AnyStr

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import Envelope, Session

from mailout.core.arrival import Arrival, Keep
from mailout.core.errors import MailoutError
from mailout.inbox.batch import Came

_NAME = "localhost"
_LOOK = 0.2  # seconds between looks at whether to stop
_GRACE = 10.0  # seconds for mails that are being kept when it is to stop
_BACKLOG = 100
# Bounces break the bound on a line's length (RFC 5321 4.5.3.1.6) all the time.
_LONGEST_LINE = 1_000_000
_KEPT = "250 2.0.0 kept"
_LATER = "451 4.3.0 cannot be kept now, try again later"

Came_in = Callable[[Came], None]


def listen(
    where: str,
    keep: Keep,
    most: int,
    came: Came_in,
    trouble: Callable[[str], None],
    stop: threading.Event,
) -> None:
    """Nothing, once it is to stop and what came in until then has its replies.

    `where` is `127.0.0.1:PORT`, or the path of a socket. `came` hears of mails that were kept,
    `trouble` why others could not be; neither is to wait.

    Raises: MailoutError if it cannot listen there.
    """
    with _listening(where) as plain:
        asyncio.run(_serve(plain, _Mailbox(where, keep, came, trouble), most, stop))


async def _serve(plain: socket.socket, mailbox: _Mailbox, most: int, stop: threading.Event) -> None:
    loop = asyncio.get_running_loop()
    talks: set[_Talk] = set()
    begin = partial(_Talk, talks, mailbox, data_size_limit=most, hostname=_NAME, ident="LMTP",
                    enable_SMTPUTF8=True, loop=loop)  # fmt: skip
    if plain.family == socket.AF_UNIX:
        server = await loop.create_unix_server(begin, sock=plain, backlog=_BACKLOG)
    else:
        server = await loop.create_server(begin, sock=plain, backlog=_BACKLOG)
    while not stop.is_set():  # noqa: ASYNC110 - the event is a thread's
        await asyncio.sleep(_LOOK)
    server.close()
    until = loop.time() + _GRACE
    while mailbox.busy and loop.time() < until:  # noqa: ASYNC110
        await asyncio.sleep(_LOOK)
    for talk in list(talks):
        talk.hang_up()
    await asyncio.sleep(0)


class _Talk(LMTP):
    """One connection."""

    line_length_limit = _LONGEST_LINE

    def __init__(self, talks: set[_Talk], mailbox: _Mailbox, **settings: Any) -> None:
        super().__init__(mailbox, **settings)
        self._talks = talks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._talks.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._talks.discard(self)
        super().connection_lost(error)

    def hang_up(self) -> None:
        """Nothing, once the connection is closed."""
        if self.transport is not None:
            self.transport.close()

    async def push(self, status: AnyStr) -> None:
        """aiosmtpd says once of too much data what each recipient has to be told."""
        said = _TOO_MUCH.get(status) if isinstance(status, str) else None
        if said and self.envelope is not None:
            await super().push(_for_each(said, self.envelope))
        else:
            await super().push(status)


def _arrivals(raw: bytes, sender: str, recipients: Sequence[str]) -> list[Arrival]:
    """One for each recipient: the same bytes came to each, and each return path may be another."""
    if len(recipients) == 1:
        return [Arrival(raw, "lmtp", recipients[0], sender)]
    known = hashlib.sha256(raw).hexdigest()
    return [Arrival(raw, "lmtp", one, sender, f"{known} {one}") for one in recipients]


def _for_each(reply: str, envelope: Envelope) -> str:
    """The replies after the data: as many as there are recipients (RFC 2033 4.2)."""
    return "\r\n".join([reply] * len(envelope.rcpt_tos))


_TOO_MUCH = {
    "552 Error: Too much mail data": "552 5.3.4 the mail is too big",
    "500 Line too long (see RFC5321 4.5.3.1.6)": "500 5.5.2 a line is too long",
}


class _Mailbox:
    """aiosmtpd's hooks: each returns the reply."""

    def __init__(
        self, where: str, keep: Keep, came: Came_in, trouble: Callable[[str], None]
    ) -> None:
        self.busy = 0
        self._where, self._keep, self._came, self._trouble = where, keep, came, trouble

    async def handle_LHLO(
        self, _server: LMTP, session: Session, _envelope: Envelope, name: str, replies: list[str]
    ) -> list[str]:
        session.host_name = name
        return replies

    handle_EHLO = handle_LHLO

    async def handle_DATA(self, _server: LMTP, _session: Session, envelope: Envelope) -> str:
        raw = envelope.original_content or b""
        sender = (envelope.mail_from or "").removeprefix("<>")  # the null sender
        arrivals = _arrivals(raw, sender, envelope.rcpt_tos)
        self.busy += 1
        try:
            new = await asyncio.to_thread(self._keep, arrivals)
        except MailoutError as error:
            self._trouble(str(error))
            return _for_each(_LATER, envelope)
        except Exception as error:  # the last one who can: else the mail would be refused for good
            frame = traceback.extract_tb(error.__traceback__)[-1]
            self._trouble(f"{type(error).__name__} at {frame.filename}:{frame.lineno}")
            return _for_each(_LATER, envelope)
        finally:
            self.busy -= 1
        self._came(Came(self._where, len(arrivals), new))
        return _for_each(_KEPT, envelope)


@contextmanager
def _listening(where: str) -> Iterator[socket.socket]:
    """A socket that listens while the block lasts. Raises: MailoutError."""
    logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # aiosmtpd's own; it holds addresses
    try:
        plain = _at_path(where) if where.startswith("/") else _at_port(where)
    except OSError as error:
        raise MailoutError(f"cannot listen there: {error.strerror}", where=where) from None
    try:
        yield plain
    finally:
        plain.close()
        if where.startswith("/"):
            with suppress(OSError):
                os.unlink(where)


def _at_port(where: str) -> socket.socket:
    host, _, port = where.rpartition(":")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    return socket.create_server((host.strip("[]"), int(port)), family=family)


def _at_path(where: str) -> socket.socket:
    _remove_left_over(where)
    plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        plain.bind(where)
        # The mail server is another user; who may come near is the folder's to say.
        os.chmod(where, 0o666)  # noqa: S103
    except OSError:
        plain.close()
        raise
    return plain


def _remove_left_over(path: str) -> None:
    """Removes the socket that a process which died has left. Raises: OSError if one answers."""
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return  # bind will say that it is in the way
        with socket.socket(socket.AF_UNIX) as asking:
            if asking.connect_ex(path) != 0:
                os.unlink(path)
