"""Messages: what is common to an issue and language is encoded once, the rest is filled in.

| header | why |
|---|---|
| From, Reply-To, List-Id | the list's own |
| To | the reader's address and nobody else's |
| List-Unsubscribe, List-Unsubscribe-Post | RFC 8058 one-click; written by hand, never encoded |
| Message-ID | keyed hash of issue and address: the same on a resend |
| Precedence, X-Auto-Response-Suppress | keep auto-repliers quiet (RFC 3834 5) |
| `token_header`, if there is one | the return path's token, where a provider replaces that |

Nothing here names a segment, a machine or a library.

Standards: RFC 5322, RFC 2047 (encoded words), RFC 2919 (List-Id), RFC 2369, RFC 8058.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.header import Header
from email.utils import format_datetime
from functools import lru_cache
from typing import NamedTuple

from mailout.core.address import Address, BadAddress
from mailout.core.errors import MailoutError
from mailout.core.issue import Variant
from mailout.core.mailing_list import MailingList
from mailout.core.mime import Base64, Part, between_soft_breaks, prepare
from mailout.core.site import Site
from mailout.core.slot import Slot

_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_ENCODED_WORD = re.compile(r"=\?[^?]*\?[bqBQ]\?")
_MARKUP = re.compile(r'[&<>"]')
_LINE = 998  # RFC 5322 2.1.1: no line may be longer
_FOLDED = 78  # RFC 5322 2.1.1: none should be


class BadHeader(MailoutError):
    """A value that would break out of its header, or hide in it."""


@dataclass(frozen=True, slots=True)
class Sender:
    """A list's mailbox: the name shown and the address."""

    name: str
    address: Address

    @classmethod
    def parse(cls, text: str) -> Sender:
        """From `Name <address>` or a bare address. Raises: BadHeader."""
        match = re.fullmatch(r"\s*(?P<name>[^<>]*?)\s*<(?P<mail>[^<>]+)>\s*", text)
        name, mail = (match["name"].strip('"'), match["mail"]) if match else ("", text)
        try:
            return cls(safe(name, "the sender's name"), Address.parse(mail))
        except BadAddress as error:
            raise BadHeader(f"`{mail}` is no sender: {error}") from None

    @property
    def header(self) -> str:
        return named(self.name, self.address.wire) if self.name else self.address.wire


@dataclass(frozen=True, slots=True)
class ListHeaders:
    """What the list gives to every message. `leave_url` ends where the leave token follows;
    `token_header` is the field that names the delivery, empty for none."""

    sender: Sender
    reply_to: Address | None
    list_id: str
    list_name: str
    leave_url: str
    token_header: str = ""
    return_path: str = ""


def list_headers(site: Site, mailing_list: MailingList) -> ListHeaders:
    """The headers that a list of the site gives to all its messages. Raises: BadHeader."""
    settings = mailing_list.settings
    return ListHeaders(
        sender=Sender.parse(settings.sender),
        reply_to=Address.parse(settings.reply_to) if settings.reply_to else None,
        list_id=settings.list_id,
        list_name=settings.name,
        leave_url=site.leave_url,
        return_path=site.return_path if site.inbound.leave_by_mail else "",
        token_header=site.sending.token_header,
    )


class Reader(NamedTuple):
    """What one message needs to know of its reader; `address` as it stands on the wire.

    `delivery` is the token of the return path, `leave_path` the one by which a mail leaves the
    list; both are empty for what is no delivery, such as a proof.
    """

    address: str
    token: str
    greeting: str
    delivery: str = ""
    leave_path: str = ""


class Quoted(NamedTuple):
    """Which pieces of a message hold a slot's value in quoted-printable."""

    tokens: tuple[int, ...]
    greetings: tuple[int, ...]
    greetings_in_html: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Prepared:
    """One variant of an issue, ready to be filled. Made by `prepare_message`.

    `pieces` are the whole message, with an empty one wherever something of the reader's
    goes: first the reader's own headers, then each slot. `quoted` tells where values go in
    quoted-printable; `whole` tells where a part in base64 goes, which is filled as one, and
    whether it is HTML.
    """

    pieces: tuple[bytes, ...]
    quoted: Quoted
    whole: tuple[tuple[int, Base64, bool], ...]
    leave_url: str
    token_header: str = ""
    by_mail: tuple[str, str] | None = None

    def compose(self, reader: Reader, message_id: str, now: float) -> bytes:
        """The whole message for one reader, lines ended by CRLF, ready for the wire.

        `now` is in seconds since 1970. Raises: BadHeader if the reader's values cannot stand
        in a header.
        """
        address, token, greeting, delivery, leave_path = reader
        mark = by_mail = ""
        if delivery and self.token_header:
            mark = f"{self.token_header}: {delivery}\r\n"
        if leave_path and self.by_mail is not None:
            before, after = self.by_mail
            by_mail = f",\r\n <mailto:{before}{leave_path}{after}>"
        out = [*self.pieces]
        out[_OWN] = (
            f"To: {safe(address, 'the address')}\r\n"
            f"Message-ID: {message_id}\r\n"
            f"Date: {_date(int(now))}\r\n"
            f"List-Unsubscribe: <{self.leave_url}{token}>{by_mail}\r\n{mark}\r\n"
        ).encode()  # ASCII unless the address needs SMTPUTF8 (RFC 6532)
        tokens, greetings, greetings_in_html = self.quoted
        escaped = _escaped(greeting)
        if tokens:
            filled = between_soft_breaks(token)
            for at in tokens:
                out[at] = filled
        if greetings or greetings_in_html:
            filled = between_soft_breaks(greeting)
            for at in greetings:
                out[at] = filled
            if escaped is not greeting:
                filled = between_soft_breaks(escaped)
            for at in greetings_in_html:
                out[at] = filled
        for at, part, in_html in self.whole:
            out[at] = part.fill({_TOKEN: token, _GREETING: escaped if in_html else greeting})
        return b"".join(out)


_OWN = 1  # the piece that holds the reader's own headers
_TOKEN, _GREETING = Slot.TOKEN.value, Slot.GREETING.value


def prepare_message(variant: Variant, headers: ListHeaders) -> Prepared:
    """The variant with everything common to all its readers encoded.

    Raises: BadHeader for a subject or list value that cannot stand in a header.
    """
    subject = unstructured(variant.subject, "the subject")
    boundary = f"=_{variant.hash[:32]}"  # `=_` occurs in neither encoding
    lines = [
        f"From: {headers.sender.header}",
        f"Subject: {subject}",
    ]
    if headers.reply_to is not None:
        lines.append(f"Reply-To: {headers.reply_to.wire}")
    lines += [
        f"List-Id: {named(headers.list_name, safe(headers.list_id, 'the List-Id'))}",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
        "Precedence: bulk",
        "X-Auto-Response-Suppress: OOF, AutoReply",
        f"Content-Language: {variant.language}",
        "MIME-Version: 1.0",
    ]
    parts = [("plain", prepare(variant.text))]
    delimiter = b""
    if variant.html:
        parts.append(("html", prepare(variant.html)))
        lines.append(f'Content-Type: multipart/alternative;\r\n boundary="{boundary}"')
        delimiter = f"--{boundary}\r\n".encode()
    else:  # the text edition is a message of one part, whose head is the message's own
        lines += _part_lines(*parts[0])
    pieces = ["".join(f"{line}\r\n" for line in lines).encode("ascii"), b""]
    places: dict[tuple[str, bool], list[int]] = {}
    whole = []
    for subtype, part in parts:
        in_html = subtype == "html"
        if delimiter:
            head = "".join(f"{line}\r\n" for line in _part_lines(subtype, part))
            pieces.append(delimiter + head.encode() + b"\r\n")
        if isinstance(part, Base64):
            whole.append((len(pieces), part, in_html))
            pieces.append(b"")
        else:
            for at, name in part.slots:
                places.setdefault((name, in_html), []).append(len(pieces) + at)
            pieces += part.pieces
        pieces.append(b"\r\n")
    if delimiter:
        pieces.append(delimiter[:-2] + b"--\r\n")
    return Prepared(
        pieces=tuple(pieces),
        quoted=Quoted(
            tokens=tuple(places.get((_TOKEN, False), []) + places.get((_TOKEN, True), [])),
            greetings=tuple(places.get((_GREETING, False), [])),
            greetings_in_html=tuple(places.get((_GREETING, True), [])),
        ),
        whole=tuple(whole),
        leave_url=headers.leave_url,
        by_mail=_leave_by_mail(headers.return_path),
        token_header=headers.token_header,
    )


def _leave_by_mail(return_path: str) -> tuple[str, str] | None:
    """What stands before and behind a delivery's token in the link that leaves by a mail."""
    if not return_path:
        return None
    local, _, domain = return_path.partition("@")
    return f"{local}+", f"@{domain}?subject=unsubscribe"


@lru_cache(maxsize=8)
def _date(second: int) -> str:
    """The date of a header (RFC 5322 3.3), in UTC; the same for all messages of a second."""
    return format_datetime(datetime.fromtimestamp(second, UTC))


def safe(value: str, what: str) -> str:
    """The value, unchanged. Raises: BadHeader for controls, line breaks, bidi overrides and
    encoded words, each of which has been used to forge headers (CVE-2024-6923)."""
    if value.isascii() and value.isprintable() and "=?" not in value and len(value) < _FOLDED:
        return value  # nearly every address
    if _FORBIDDEN.search(value):
        raise BadHeader(f"{what} holds a control character or a line break", fix="Remove it.")
    if _ENCODED_WORD.search(value):
        raise BadHeader(f"{what} holds an encoded word (=?..?=)", fix="Write it as plain text.")
    if len(value.encode()) > _LINE - 100:
        raise BadHeader(f"{what} is too long for a header", fix="Shorten it.")
    return value


def unstructured(value: str, what: str) -> str:
    """The value as it stands in a subject, encoded and folded. Raises: BadHeader."""
    safe(value, what)
    charset = "us-ascii" if value.isascii() else "utf-8"
    return Header(value, charset, maxlinelen=76, header_name="Subject").encode(linesep="\r\n")


def named(phrase: str, angle: str) -> str:
    """`phrase <angle>`, folded before the angle when the line would grow too long."""
    written = _phrase(phrase)
    last = written.rpartition("\r\n")[2]
    # Ten characters for the header's own name on the first line; further lines have none.
    gap = " " if 10 + len(last) + len(angle) + 3 <= _FOLDED else "\r\n "
    return f"{written}{gap}<{angle}>"


def _phrase(value: str) -> str:
    """A display name: quoted when ASCII, encoded words otherwise (RFC 5322 3.2.5, RFC 2047 5)."""
    safe(value, "a name")
    if not value.isascii():
        return Header(value, "utf-8", maxlinelen=76, header_name="Reply-To").encode(linesep="\r\n")
    if re.fullmatch(r"[A-Za-z0-9 !#$%&'*+/=?^_`{|}~-]*", value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _part_lines(subtype: str, part: Part) -> list[str]:
    return [
        f"Content-Type: text/{subtype}; charset=utf-8",
        f"Content-Transfer-Encoding: {part.transfer_encoding}",
    ]


def _escaped(value: str) -> str:
    if not _MARKUP.search(value):
        return value
    return (
        value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    )
