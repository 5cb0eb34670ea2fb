"""What goes over a connection: envelopes, where they come from, and what the server takes.

Standards: RFC 5321 4.1.1.1 (EHLO), RFC 1870 (SIZE), RFC 2920, RFC 3030, RFC 6531,
RFC 6152 (8BITMIME), RFC 3461 (DSN).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from mailout.core.delivery import Outcome
from mailout.smtp.replies import Reply


class Envelope(NamedTuple):
    """What one transaction carries: return path, the one recipient, and the message's bytes.

    `recipient` is ASCII unless it needs SMTPUTF8. `envelope_id` goes into reports about it
    (ENVID): printable ASCII without `+` and `=`.
    `message` has lines ended by CRLF, is 7-bit but for addresses in other scripts, and begins
    no line with a dot. `ticket` is the owner's: it comes back with the outcome.
    """

    sender: str
    recipient: str
    message: bytes
    ticket: object = None
    envelope_id: str = ""

    @property
    def needs_smtputf8(self) -> bool:
        """Whether the server must offer SMTPUTF8: domains are A-labels, so it is the local part."""
        return not self.recipient.isascii()


def xtext(text: str) -> str:
    """The text as it may stand in an option of DSN (RFC 3461 4)."""
    if _XCHARS.fullmatch(text):
        return text
    return "".join(c if _XCHARS.fullmatch(c) or c > "\x7f" else f"+{ord(c):02X}" for c in text)


_XCHARS = re.compile(r"[!-*,-<>-~]+")


class Source(Protocol):
    """Where a pipeline takes envelopes from and brings outcomes to. None of these may block."""

    def take(self) -> Envelope | None:
        """The next envelope; None when there is none for now (`Pipeline.wake` asks again)."""

    def finished(self, envelope: Envelope, outcome: Outcome) -> None:
        """Takes the end of an attempt."""

    def returned(self, envelope: Envelope) -> None:
        """Takes back an envelope of which nothing was accepted: the connection failed before."""

    def refused_us(self, reply: Reply) -> None:
        """Takes the reply of a relay that refuses our sender or wants a password."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What the server offered in its answer to EHLO, and how much of it is used."""

    pipelining: bool = False
    chunking: bool = False
    smtputf8: bool = False
    eight_bit: bool = False
    dsn: bool = False
    size: int = 0

    @classmethod
    def of(cls, extensions: Collection[str], size: str | None) -> Offer:
        """The offer that a set of EHLO keywords makes (any case)."""
        known = {name.lower() for name in extensions}
        return cls(
            pipelining="pipelining" in known,
            chunking="chunking" in known and "pipelining" in known,
            smtputf8="smtputf8" in known,
            eight_bit="8bitmime" in known,
            dsn="dsn" in known,
            size=int(size) if size and size.isdigit() else 0,
        )


def excluded(envelope: Envelope, offer: Offer) -> tuple[str, str] | None:
    """Why a server with that offer cannot take the envelope, as an enhanced code and words."""
    if not offer.smtputf8 and envelope.needs_smtputf8:
        return "5.6.7", "the relay cannot take an address in this script"
    if 0 < offer.size < len(envelope.message):
        return "5.3.4", f"the relay takes {offer.size} bytes, this has {len(envelope.message)}"
    return None


def commands(envelope: Envelope, offer: Offer) -> tuple[str, str]:
    """MAIL and RCPT for the envelope, each a line, with what the offer lets be added."""
    mail, rcpt = f"MAIL FROM:<{envelope.sender}>", f"RCPT TO:<{envelope.recipient}>"
    if offer.size:
        mail += f" SIZE={len(envelope.message)}"
    needs_smtputf8 = offer.smtputf8 and envelope.needs_smtputf8
    if needs_smtputf8:
        # The address stands in `To:` too, so the message is no longer 7-bit (RFC 6531 3.6).
        mail += " BODY=8BITMIME SMTPUTF8" if offer.eight_bit else " SMTPUTF8"
    if offer.dsn and envelope.envelope_id:
        # A report needs no copy of the message (RFC 3461 4.3, 4.4).
        mail += f" RET=HDRS ENVID={envelope.envelope_id}"
        # RFC 3461 4.1, 4.2; RFC 6533 3 for addresses that are not ASCII.
        kind = "utf-8" if needs_smtputf8 else "rfc822"
        rcpt += f" NOTIFY=FAILURE,DELAY ORCPT={kind};{xtext(envelope.recipient)}"
    return f"{mail}\r\n", f"{rcpt}\r\n"
