"""A mailbox elsewhere, over IMAP: log in, fetch what is unseen, mark what was kept, wait for more.

```
connect -> log in -> SELECT -> UID SEARCH UNSEEN -> sizes -> bodies, a batch at a time -> Keep
        -> \\Seen -> MOVE -> IDLE, or NOOP after a while -> SELECT again
```

A body is fetched with PEEK, so that nothing is marked before `Keep` has returned. Nothing is ever
expunged but copies of ours that were copied to `move_to` first, by their own numbers (UIDPLUS): an
EXPUNGE alone would take what others have marked. Numbers of mails are not remembered from one
connection to the next; but where the folder may only be read, those that were kept are, together
with UIDVALIDITY.

Standards: RFC 3501 and 9051 (IMAP), RFC 2177 (IDLE), RFC 4315 (UIDPLUS), RFC 6851 (MOVE),
RFC 7628 (OAUTHBEARER), RFC 8314 (TLS).
"""

from __future__ import annotations

import imaplib
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from imapclient import SEEN, IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientError, LoginError

from mailout.core.arrival import Arrival, Keep
from mailout.core.errors import MailoutError, TryLater
from mailout.core.inbox import ImapBox
from mailout.inbox import credential
from mailout.inbox.batch import MOST_BYTES, MOST_MAILS, Came

_CONNECT_SECONDS = 15.0
_READ_SECONDS = 60.0
# Networks forget a silent connection, some after ten minutes; RFC 2177 allows 29.
_IDLE_SECONDS = 540.0
_LOOK = 1.0  # seconds between looks at whether to stop
_SPAN = 50_000  # mails asked for by one search: an answer is one line, and lines have a bound
_MOST_WORDS = 300
# What a server that talks nonsense, or a connection that breaks off, can lead to in the library.
_BROKEN = (imaplib.IMAP4.error, OSError, ValueError, LookupError, AssertionError, TypeError)


class LoginRefused(MailoutError):
    """The server does not let us in: asking again at once locks some accounts."""


@contextmanager
def session(box: ImapBox, context: ssl.SSLContext | None = None) -> Iterator[Session]:
    """A session while the block lasts; certificates are checked against `context`, or as the
    system has it.

    Raises: MailoutError if the mailbox cannot be opened; TryLater if it is out of reach.
    """
    secret = credential.secret_of(box)  # before the connection: a command may take its time
    with _said_plainly(box):
        client = _connected(box, context or ssl.create_default_context())
    try:
        with _said_plainly(box):
            _log_in(client, box, secret)
            opened = Session(box, client)
            opened.prepare()
        yield opened
    except BaseException:
        # Whatever state the wire is in, no word more.
        with suppress(*_BROKEN):
            client.shutdown()
        raise
    with suppress(*_BROKEN):
        client.logout()


@dataclass(slots=True)
class Session:
    """An open connection to one folder. Made by `session`."""

    box: ImapBox
    _client: IMAPClient
    _validity: int = 0
    _writable: bool = True
    _kept: set[int] = field(default_factory=set)
    _refused: list[str] = field(default_factory=list)

    def prepare(self) -> None:
        """Nothing, once the folder that kept mail goes to is there."""
        folder = self.box.move_to
        if folder and not self._client.folder_exists(folder):
            self._client.create_folder(folder)
            self._client.subscribe_folder(folder)

    def fetch(self, keep: Keep, most: int) -> Iterator[Came]:
        """What is unseen, a batch after the other; of each mail the first `most` bytes.

        Raises: TryLater if the connection breaks off; MailoutError if, once all others are kept,
        the server does not give a mail; whatever `keep` raises.
        """
        self._refused.clear()
        with _said_plainly(self.box):
            unseen = self._unseen()
        for start in range(0, len(unseen), MOST_MAILS):
            numbers = unseen[start : start + MOST_MAILS]
            with _said_plainly(self.box):
                sizes = self._sizes(numbers, most)
            for batch in _within(sizes):
                with _said_plainly(self.box):
                    found = self._bodies(batch, most)
                if not found:  # gone by now
                    continue
                new = keep([Arrival(raw, "imap") for raw in found.values()])
                with _said_plainly(self.box):
                    self._mark(list(found))
                yield Came(self.box.label, len(found), new)
        if self._refused:
            raise MailoutError(
                f"the server does not give {len(self._refused)} of the mails: {self._refused[0]}",
                where=self.box.label,
                fix="They stay unseen; can another mail program open them?",
            )

    def wait(self, stop: threading.Event) -> None:
        """Nothing, once there may be new mail, or it is to stop. Raises: TryLater."""
        if not (self.box.idle and self._client.has_capability("IDLE")):
            stop.wait(self.box.poll_seconds)
            return
        with _said_plainly(self.box):
            self._client.idle()
            until = time.monotonic() + _IDLE_SECONDS
            while not stop.is_set() and time.monotonic() < until:
                begun = time.monotonic()
                told = self._client.idle_check(timeout=_LOOK)
                # Silence before its time is the end of the connection, which DONE will find out.
                if _is_news(told) or (not told and time.monotonic() - begun < _LOOK / 2):
                    break
            self._client.idle_done()

    def _unseen(self) -> list[int]:
        told = self._client.select_folder(self.box.folder)
        validity = int(told.get(b"UIDVALIDITY", 0))
        if validity != self._validity:  # the numbers mean other mails now
            self._kept.clear()
        self._validity = validity
        self._writable = not told.get(b"READ-ONLY", False)
        exists = int(told.get(b"EXISTS", 0))
        found: list[int] = []
        for low in range(1, exists + 1, _SPAN):
            high = min(low + _SPAN - 1, exists)
            found += self._client.search([f"{low}:{high}", "UNSEEN", "UNDELETED"])
        return [number for number in sorted(found) if number not in self._kept]

    def _sizes(self, numbers: Sequence[int], most: int) -> dict[int, int]:
        """How many bytes will come of each mail that is still there."""
        answer = self._client.fetch(numbers, ["RFC822.SIZE"])
        return {
            number: min(int(answer[number].get(b"RFC822.SIZE", most)), most)
            for number in numbers
            if number in answer
        }

    def _bodies(self, numbers: Sequence[int], most: int) -> dict[int, bytes]:
        """The mails by their numbers, without those that are gone or are not given."""
        try:
            answer = self._client.fetch(numbers, [f"BODY.PEEK[]<0.{most}>"])
        except imaplib.IMAP4.abort:
            raise
        except IMAPClientError as error:
            # One that is broken at the server must not keep the others.
            if len(numbers) == 1:
                self._refused.append(_words(error))
                return {}
            singly = [self._bodies([number], most) for number in numbers]
            return {number: raw for one in singly for number, raw in one.items()}
        found = {}
        for number in numbers:
            # A server that knows no parts of a body gives it whole.
            told = answer.get(number, {})
            raw = told.get(b"BODY[]<0>", told.get(b"BODY[]"))
            if isinstance(raw, bytes):
                found[number] = raw[:most]
        return found

    def _mark(self, numbers: list[int]) -> None:
        if not self._writable:
            self._kept.update(numbers)
            return
        self._client.add_flags(numbers, [SEEN], silent=True)
        if not self.box.move_to:
            return
        if self._client.has_capability("MOVE"):
            self._client.move(numbers, self.box.move_to)
            return
        self._client.copy(numbers, self.box.move_to)
        if self._client.has_capability("UIDPLUS"):
            self._client.delete_messages(numbers, silent=True)
            self._client.uid_expunge(numbers)


def _within(sizes: dict[int, int]) -> Iterator[list[int]]:
    """Numbers of mails that may be in memory together."""
    batch: list[int] = []
    total = 0
    for number, size in sizes.items():
        if batch and total + size > MOST_BYTES:
            yield batch
            batch, total = [], 0
        batch.append(number)
        total += size
    if batch:
        yield batch


def _is_news(told: Sequence[tuple[object, ...]]) -> bool:
    return any(b"EXISTS" in one or b"RECENT" in one or b"BYE" in one for one in told)


def _connected(box: ImapBox, context: ssl.SSLContext) -> IMAPClient:
    try:
        client = IMAPClient(
            box.host,
            port=box.real_port,
            ssl=box.tls == "tls",
            ssl_context=context,
            timeout=SocketTimeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS),
        )
    except OSError as error:
        raise _no_connection(box, error) from None
    if box.tls == "starttls":
        try:
            client.starttls(context)
        except _BROKEN as error:
            with suppress(*_BROKEN):
                client.shutdown()
            raise _no_connection(box, error) from None
    return client


def _log_in(client: IMAPClient, box: ImapBox, secret: str) -> None:
    try:
        if not credential.is_token(box):
            # LOGIN cannot say a password that is not ASCII.
            if client.has_capability("AUTH=PLAIN"):
                client.plain_login(box.username, secret)
            else:
                client.login(box.username, secret)
        elif client.has_capability("AUTH=OAUTHBEARER"):
            client.oauthbearer_login(box.username, secret)
        else:
            client.oauth2_login(box.username, secret)
    except LoginError as error:
        if isinstance(error.__context__, imaplib.IMAP4.abort):
            raise _lost(box, error) from None
        raise LoginRefused(
            f"{box.username} may not log in: {_words(error)}",
            where=box.label,
            fix="Check `username` and "
            + ("the token." if credential.is_token(box) else "the password."),
        ) from None


@contextmanager
def _said_plainly(box: ImapBox) -> Iterator[None]:
    """Turns what the library raises into what a person can read."""
    try:
        yield
    except IMAPClientError as error:
        if isinstance(error, imaplib.IMAP4.abort):
            raise _lost(box, error) from None
        raise MailoutError(
            f"the server refuses: {_words(error)}",
            where=box.label,
            fix="Is there such a folder, and may this account use it?",
        ) from None
    except _BROKEN as error:
        raise _lost(box, error) from None


def _no_connection(box: ImapBox, error: Exception) -> MailoutError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return MailoutError(
            f"its certificate is not valid: {error.verify_message}",
            where=box.label,
            fix="Nothing was said to it, the password least of all.",
        )
    if isinstance(error, imaplib.IMAP4.error):
        return MailoutError(
            f"it offers no TLS here: {_words(error)}",
            where=box.label,
            fix='Write `tls = "tls"` if it has TLS from the first byte (port 993).',
        )
    return _lost(box, error)


def _lost(box: ImapBox, error: Exception) -> TryLater:
    if isinstance(error, TimeoutError):
        return TryLater("it does not answer in time", where=box.label)
    why = error.strerror if isinstance(error, OSError) else ""
    return TryLater(
        f"the connection is lost: {why or _words(error) or type(error).__name__}", where=box.label
    )


def _words(error: Exception) -> str:
    """A server's own words, short and printable."""
    text = " ".join(str(error).split())[:_MOST_WORDS]
    return "".join(letter for letter in text if letter.isprintable())
