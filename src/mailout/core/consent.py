"""Consent: append-only evidence, one hash chain per list.

Each row's hash covers the row before it, so a row can be neither changed nor taken out
unseen. Rows name a person by number and keyed hash only; erasure leaves the chain valid.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from json.encoder import encode_basestring as quoted  # a text as JSON, letters as they are

GENESIS = "0" * 64
"""The `previous` of a list's first row."""


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
    return link(
        previous,
        consent.list_id,
        consent.subscriber_id,
        consent.address_key,
        consent.action.value,
        moment(consent.at),
        consent.wording,
        consent.language,
        consent.source,
    )


def link(
    previous: str,
    list_id: str,
    subscriber_id: int,
    address_key: str,
    action: str,
    at: str,
    wording: str,
    language: str,
    source: str,
) -> str:
    """What `chained` gives, of the parts of a consent; `at` is a `moment`.

    The hash is over a JSON list without blanks, put together by hand: an import makes a
    million of them (tests/core/test_consent_chain.py holds that it is what `json` writes).
    """
    body = (
        f"[{quoted(previous)},{quoted(list_id)},{subscriber_id},{quoted(address_key)},"
        f"{quoted(action)},{quoted(at)},{quoted(wording)},{quoted(language)},{quoted(source)}]"
    )
    return hashlib.sha256(body.encode()).hexdigest()


def moment(at: datetime) -> str:
    """A time as it stands in the chain."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")
