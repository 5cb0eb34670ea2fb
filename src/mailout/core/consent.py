"""Consent: append-only evidence, one hash chain per list.

Each row's hash covers the row before it, so a row can be neither changed nor taken out
unseen. Rows name a person by number and keyed hash only; erasure leaves the chain valid.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

GENESIS = "0" * 64
"""The `previous` of a list's first row."""


MOVED = "change of address"
"""The source of the evidence that somebody has confirmed another address."""


class ConsentAction(StrEnum):
    """What a person (or an organiser on evidence) did."""

    IMPORTED = "imported"
    ADDED = "added"
    JOINED = "joined"
    CONFIRMED = "confirmed"
    LEFT = "left"
    RETURNED = "returned"
    ERASED = "erased"


@dataclass(frozen=True, slots=True)
class Consent:
    """One piece of evidence. `wording` is exactly what the person was told or how they agreed;
    `source` is the file, form or command it came by."""

    list_id: str
    subscriber_id: int
    address_key: str
    action: ConsentAction
    at: datetime
    wording: str = ""
    language: str = ""
    source: str = ""


def chained(consent: Consent, previous: str) -> str:
    """The hash (64 hex digits) of `consent` after the row whose hash is `previous`."""
    body = json.dumps(
        [
            previous,
            consent.list_id,
            consent.subscriber_id,
            consent.address_key,
            consent.action.value,
            consent.at.astimezone(UTC).isoformat(timespec="microseconds"),
            consent.wording,
            consent.language,
            consent.source,
        ],
        ensure_ascii=False,
        separators=(",", ":"),
    )
    return hashlib.sha256(body.encode()).hexdigest()
