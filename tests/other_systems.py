"""Exports of other systems, as tests make and look at them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence

from mailout.core.address import Address
from mailout.core.site import Site
from mailout.roster.counting import ImportReport
from mailout.store import consents, people, suppressions
from mailout.store.engine import Store

Bring = Callable[..., ImportReport]


def table(header: str, *rows: Sequence[str], delimiter: str = ",") -> str:
    """A file with this header, quoted where it has to be."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow(header.split(","))
    writer.writerows(rows)
    return out.getvalue()


def standing(store: Store, site: Site, address: str) -> str:
    """A person's state, and why the address is suppressed: `unsubscribed dead`."""
    key = Address.parse(address).key(site.keys.address)
    with store.reading() as tx:
        person = people.find(tx, key)
        why = suppressions.among(tx, [key], "bulletin").get(key)
    assert person is not None, address
    return f"{person.memberships[0].state} {why or ''}".strip()


def sources(store: Store, site: Site, address: str) -> list[str]:
    with store.reading() as tx:
        person = people.find(tx, Address.parse(address).key(site.keys.address))
        assert person is not None
        return [consent.source for consent in consents.of_subscriber(tx, person.id)]
