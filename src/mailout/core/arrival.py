"""What comes in, before anything is made of it: a mail, or a provider's notice.

However it comes - a pipe, LMTP, a folder, IMAP, a webhook - it is handed on as an `Arrival`, and
may be forgotten at its source only once it is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

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


Keep = Callable[[Sequence[Arrival]], int]
"""Keeps arrivals, and says how many of them were new; once it returns they are on disk.

Raises: TryLater if that cannot be done now; whoever brought them is to bring them again.
"""
