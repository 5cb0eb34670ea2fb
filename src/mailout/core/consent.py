"""Consent: append-only evidence, one hash chain per list.

Each row's hash covers the row before it, so a row can be neither changed nor taken out
unseen. Rows name a person by number and keyed hash only; erasure leaves the chain valid.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from json.encoder import encode_basestring as quoted  # a text as JSON, letters as they are

GENESIS = "0" * 64
"""The `previous` of a list's first row."""

_MOST_WRITTEN = 1000


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


def links(
    previous: str,
    list_id: str,
    at: str,
    rows: Iterable[tuple[int, str, str, str, str, str]],
) -> Iterator[str]:
    """What `link` gives of each row in turn: subscriber, address key, action, wording, language,
    source. The last four are the same for thousands of rows, and written out once."""
    of_list, written = quoted(list_id), dict[tuple[str, ...], str]()
    for subscriber_id, address_key, *rest in rows:
        how = tuple(rest)
        tail = written.get(how)
        if tail is None:
            action, wording, language, source = map(quoted, rest)
            tail = f"{action},{quoted(at)},{wording},{language},{source}]"
            if len(written) < _MOST_WRITTEN:
                written[how] = tail
        body = f'["{previous}",{of_list},{subscriber_id},{quoted(address_key)},{tail}'
        previous = hashlib.sha256(body.encode()).hexdigest()
        yield previous


def moment(at: datetime) -> str:
    """A time as it stands in the chain."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")
