"""Plain mails: the bytes of a letter, one part of text to one address.

| header | why |
|---|---|
| From, Reply-To | the list's own |
| To | the one address |
| Message-ID | keyed hash of the letter's number: the same at every try |
| Auto-Submitted | no robot answers it (RFC 3834 5) |
| X-Auto-Response-Suppress | nor do those that do not know that header |
| List-Id, List-Unsubscribe, List-Unsubscribe-Post | only to somebody who is on the list |

List-Id tells that a mail belongs to a list (RFC 2919 3): a confirmation goes to somebody who is
on none, so only the welcome has it, and with it the way out. Nothing here names a machine or
a library.

Standards: RFC 5322, RFC 2047, RFC 2045 6.7 and 6.8, RFC 3834, RFC 2919, RFC 8058, RFC 6532.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

from mailout.core.letter import LetterKind
from mailout.core.message import ListHeaders, named, safe, unstructured
from mailout.core.mime import quoted_printable

_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ISOLATES = str.maketrans("", "", "\u2066\u2067\u2068\u2069\u200e\u200f")

LINKS = {
    LetterKind.CONFIRM: "/j/",
    LetterKind.SETTINGS: "/s/",
    LetterKind.NEW_ADDRESS: "/a/",
}
"""What of the site's pages a letter's link opens; its token follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainMail:
    """What a letter says, and to whom. `address` is as it stands on the wire.

    `leave_url` is the whole link that leaves the list; empty for whoever is not on it. Answers go
    to `answer_to` (an address as it stands on the wire), or else where the list wants them.
    """

    headers: ListHeaders
    address: str
    message_id: str
    language: str
    subject: str
    text: str
    leave_url: str = ""
    answer_to: str = ""

    def compose(self, now: datetime) -> bytes:
        """The whole message, lines ended by CRLF, 7-bit but for an address that is not.

        Raises: BadHeader for a value that cannot stand in a header.
        """
        encoding, body = _encoded(self.text)
        lines = [
            f"From: {self.headers.sender.header}",
            f"To: {safe(self.address, 'the address')}",
            f"Subject: {unstructured(self.subject, 'the subject')}",
            f"Date: {format_datetime(now.astimezone(UTC).replace(microsecond=0))}",
            f"Message-ID: {self.message_id}",
        ]
        if self.answer_to:
            lines.append(f"Reply-To: {safe(self.answer_to, 'the address to answer to')}")
        elif self.headers.reply_to is not None:
            lines.append(f"Reply-To: {self.headers.reply_to.wire}")
        if self.leave_url:
            list_id = safe(self.headers.list_id, "the List-Id")
            lines += [
                f"List-Id: {named(self.headers.list_name, list_id)}",
                f"List-Unsubscribe: <{safe(self.leave_url, 'the link that leaves')}>",
                "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
            ]
        lines += [
            "Auto-Submitted: auto-generated",
            "X-Auto-Response-Suppress: OOF, AutoReply",
            f"Content-Language: {safe(self.language, 'the language')}",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
            f"Content-Transfer-Encoding: {encoding}",
        ]
        head = "".join(f"{line}\r\n" for line in lines).encode()
        return head + b"\r\n" + body


def letter_message_id(secret: bytes, number: int, written_at: datetime, domain: str) -> str:
    """`<...@domain>`: the same at every try of the letter, and no issue's.

    The moment of its writing is part of it, since numbers begin anew with a new store.
    """
    named_by = f"letter:{number}:{written_at.astimezone(UTC).isoformat()}"
    made = hashlib.blake2b(named_by.encode(), key=secret, digest_size=20)
    return f"<{made.hexdigest()}@{domain}>"


def subject_and_text(rendered: str) -> tuple[str, str]:
    """The subject and the text of a rendered template, whose first line is `Subject: ..`.

    Raises: ValueError if that line is missing or says nothing.
    """
    first, _, rest = rendered.lstrip("\n").partition("\n")
    name, colon, subject = first.partition(":")
    # Marks of direction are for the text; in a header they would only hide something.
    subject = " ".join(subject.translate(_ISOLATES).split())
    if name != "Subject" or not colon or not subject:
        raise ValueError("its first line must be `Subject: ..`")
    return subject, rest.strip("\n") + "\n"


def _encoded(text: str) -> tuple[str, bytes]:
    """The name of the transfer encoding that makes the text smaller, and the text in it."""
    raw = _CONTROL.sub(" ", text.replace("\r\n", "\n")).replace("\n", "\r\n").encode()
    quoted = quoted_printable(raw)
    if len(quoted) <= len(raw) * 4 / 3:
        return "quoted-printable", quoted
    return "base64", base64.encodebytes(raw).replace(b"\n", b"\r\n")
