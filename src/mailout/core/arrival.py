"""What comes in, before anything is made of it: a mail, or a provider's notice.

However it comes - a pipe, LMTP, a folder, IMAP, a webhook - it is handed on as an `Arrival`, and
may be forgotten at its source only once it is kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

WEBHOOK = "webhook:"
"""What the sources of providers' notices begin with: `webhook:postmark`."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A mail as bytes, or one notice of a provider as JSON.

    `source` is `pipe`, `lmtp`, `maildir`, `mbox`, `imap`, or `webhook:` and a provider.
    `recipient` and `sender` are those of the envelope, empty where nobody told. `identity` is what
    tells a notice from others of its source (the provider's number of the event); where it is
    empty the bytes do.
    """

    raw: bytes
    source: str
    recipient: str = ""
    sender: str = ""
    identity: str = ""

    @property
    def digest(self) -> str:
        """64 hex digits by which it is known again, whatever way it came before."""
        if self.identity:
            return hashlib.sha256(f"{self.source}\0{self.identity}".encode()).hexdigest()
        return hashlib.sha256(self.raw).hexdigest()


class FoundBy(StrEnum):
    """How it was found whom a mail is about, the surest first.

    | found by | what it is |
    |---|---|
    | return path | it came back to an address that only we can have made |
    | token | the same, somewhere within the mail |
    | message-id | our Message-ID, which fits who is named |
    | provider | a notice of a provider, whose reader we mailed through it lately |
    | link | what one leaves a list by, in the mail's own head: it may do nothing else |
    | words | a reader is named: that proves nothing, and changes nothing |
    | forged | it came to an address that looks like ours and is not: that changes nothing |
    """

    RETURN_PATH = "return path"
    TOKEN = "token"  # noqa: S105 - no password
    MESSAGE_ID = "message-id"
    PROVIDER = "provider"
    LINK = "link"
    WORDS = "words"
    FORGED = "forged"
    NOBODY = ""

    @property
    def proves(self) -> bool:
        """Whether what the mail tells of its reader is to be believed."""
        return self not in (FoundBy.WORDS, FoundBy.FORGED, FoundBy.NOBODY)


Keep = Callable[[Sequence[Arrival]], int]
"""Keeps arrivals, and says how many of them were new; once it returns they are on disk.

Raises: TryLater if that cannot be done now; whoever brought them is to bring them again.
"""
