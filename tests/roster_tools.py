"""An import in one line, for the tests of the roster."""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable
from datetime import UTC, datetime

from mailout.core.address import Address
from mailout.core.site import Site
from mailout.core.subscriber import Subscriber
from mailout.core.subscription import SubscriptionState
from mailout.roster import importing
from mailout.roster.counting import ImportReport
from mailout.roster.importing import Order
from mailout.store import people
from mailout.store.engine import Store

DECLARED = """
[fields.branch]
type = "choice"
choices = ["harbour", "rail", "oil, gas"]
[fields.skills]
type = "choices"
choices = ["Writing", "Drawing", "oil, gas"]
[fields.delegate]
type = "yes-no"
[fields.age]
type = "number"
[fields.since]
type = "date"
[fields.home-town]
type = "text"
"""
"""Fields of a list's own, one of each type."""

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)

HEAD = "email,name,language,country,tags,status\n"
Import = Callable[..., ImportReport]


def import_into(site: Site, store: Store, file: str | bytes, **options: object) -> ImportReport:
    """The report of importing a text or bytes; `options` are those of `importing.Order`."""
    raw = file.encode() if isinstance(file, str) else file
    order = Order(**{"list_id": "bulletin", "consent": "signed at the gate", **options})  # type: ignore[arg-type]
    return importing.import_people(
        site, store, io.BytesIO(raw), "people.csv", order, NOW, secrets.token_bytes
    )


def accounted(report: ImportReport) -> ImportReport:
    """The report, after a check that it accounts for every row."""
    taken = report.added + report.updated + report.unchanged
    assert report.rows_read == taken + report.duplicates + len(report.refused)
    assert sum(report.by_status.values()) == sum(report.by_language.values()) == taken
    return report


def person(store: Store, site: Site, address: str) -> Subscriber:
    """The person with that address, who is there."""
    with store.reading() as tx:
        found = people.find(tx, Address.parse(address).key(site.keys.address))
    assert found is not None
    return found


def state(store: Store, site: Site, address: str) -> SubscriptionState:
    """Their state on the first of their lists."""
    return person(store, site, address).memberships[0].state
