"""Proof of consent: who agreed to what, when and how; and that nobody has changed that since.

A row is hashed over the one before it, so that a row changed or taken out breaks the chain from
there on. What the chain cannot show by itself is that its end was cut off: who keeps the last
number and hash elsewhere (`mailout consent verify` prints them) can show that, too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC

from mailout.core.site import Site
from mailout.roster.people import key_of
from mailout.store import chain
from mailout.store.chain import Checked, Link
from mailout.store.engine import Store

VERSION_LENGTH = 12


def of_address(site: Site, store: Store, address: str) -> list[Link]:
    """All evidence about an address, oldest first; also of an erased person.

    Raises: UsageError if it is no address.
    """
    key = key_of(site, address)
    with store.reading() as tx:
        return chain.of_key(tx, key)


def checked(store: Store, list_id: str = "") -> dict[str, Checked]:
    """For each list (or the one named) whether its chain holds."""
    with store.reading() as tx:
        names = [list_id] if list_id else chain.lists(tx)
        return {name: chain.check(tx, name) for name in names}


def exported(store: Store, list_id: str) -> Iterator[dict[str, object]]:
    """A list's chain as plain values: whoever has them can compute every hash again."""
    with store.reading() as tx:
        for link in chain.links(tx, list_id):
            yield as_plain(link)


def as_plain(link: Link) -> dict[str, object]:
    """A link as plain values; `at` as it goes into the hash."""
    consent = link.consent
    return {
        "list": consent.list_id,
        "number": link.number,
        "subscriber": consent.subscriber_id,
        "address_key": consent.address_key,
        "action": str(consent.action),
        "at": consent.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "wording": consent.wording,
        "wording_version": version(consent.wording),
        "language": consent.language,
        "source": consent.source,
        "previous": link.previous,
        "hash": link.hash,
    }


def version(wording: str) -> str:
    """A short name of exactly these words; empty for none."""
    if not wording:
        return ""
    return hashlib.sha256(wording.encode()).hexdigest()[:VERSION_LENGTH]
