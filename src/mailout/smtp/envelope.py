"""What goes over a connection: envelopes, where they come from, and what the server takes.

Standards: RFC 5321 4.1.1.1 (EHLO), RFC 1870 (SIZE), RFC 2920, RFC 3030, RFC 6531.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from mailout.core.delivery import Outcome
from mailout.smtp.replies import Reply


class Envelope(NamedTuple):
    """What one transaction carries: return path, the one recipient, and the message's bytes.

    `message` has lines ended by CRLF, is 7-bit but for addresses in other scripts, and begins
    no line with a dot. `ticket` is the owner's: it comes back with the outcome.
    """

    sender: str
    recipient: str
    needs_smtputf8: bool
    message: bytes
    ticket: object = None


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
    size: int = 0

    @classmethod
    def of(cls, extensions: Collection[str], size: str | None) -> Offer:
        """The offer that a set of EHLO keywords makes (any case)."""
        known = {name.lower() for name in extensions}
        return cls(
            pipelining="pipelining" in known,
            chunking="chunking" in known and "pipelining" in known,
            smtputf8="smtputf8" in known,
            size=int(size) if size and size.isdigit() else 0,
        )
