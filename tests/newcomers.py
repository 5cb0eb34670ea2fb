"""People for tests, put on a list as an import would; the store as one value; a browser."""

from __future__ import annotations

import html
import re
import secrets
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
from sqlalchemy import select
from starlette.types import ASGIApp

from mailout.core.address import Address
from mailout.core.consent import Consent, ConsentAction
from mailout.core.site import Site
from mailout.core.subscription import SubscriptionState
from mailout.core.token import leave_token
from mailout.store import consents, people, roster, tables
from mailout.store.engine import Store
from mailout.web.serving import serving

LONG_AGO = datetime.now(UTC).replace(microsecond=0) - timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A person just put on a list."""

    id: int
    address: str
    address_key: str
    token: str


def join(
    store: Store,
    site: Site,
    address: str = "anna@example.org",
    *,
    list_id: str = "bulletin",
    language: str = "en",
    state: SubscriptionState = SubscriptionState.ACTIVE,
) -> Newcomer:
    """The person, on the list in `state`, with the consent row that an import writes."""
    parsed = Address.parse(address)
    key = parsed.key(site.keys.address)
    token = leave_token(secrets.token_bytes(16))
    with store.writing() as tx:
        known = people.find(tx, key)
        newcomer = roster.NewPerson(address, key, parsed.domain, "Anna", language, "DE")
        person = known.id if known else roster.add_people(tx, [newcomer], LONG_AGO)[key]
        roster.add_subscriptions(
            tx, list_id, [roster.NewSubscription(person, state, token)], LONG_AGO
        )
        evidence = Consent(
            list_id, person, key, ConsentAction.IMPORTED, LONG_AGO, "on paper", language, "test.csv"
        )
        consents.append(tx, [evidence])
    return Newcomer(person, address, key, token)


def state_of(store: Store, newcomer: Newcomer, list_id: str = "bulletin") -> SubscriptionState:
    """Where the person stands on the list now."""
    with store.reading() as tx:
        found = people.find(tx, newcomer.address_key)
    assert found is not None
    return next(m.state for m in found.memberships if m.list_id == list_id)


def actions_of(store: Store, newcomer: Newcomer) -> list[tuple[str, str]]:
    """The person's consent chain as (action, source), oldest first."""
    with store.reading() as tx:
        return [(c.action.value, c.source) for c in consents.of_subscriber(tx, newcomer.id)]


def dump(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table, in the order of its key."""
    with store.reading() as tx:
        return {
            table.name: [
                tuple(row) for row in tx.execute(select(table).order_by(*table.primary_key.columns))
            ]
            for table in tables.metadata.sorted_tables
        }


TRUSTING_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients of plain pages: to read the authorities that a machine trusts takes longer than most
tests, and each client would."""


@contextmanager
def browsing(app: ASGIApp) -> Iterator[httpx.Client]:
    """A client of the app, over a real socket; it follows no redirect and keeps no cookie."""
    with (
        serving(app) as url,
        httpx.Client(base_url=url, timeout=30, verify=TRUSTING_NOBODY) as client,
    ):
        yield client


def without_nonce(page: str) -> str:
    """The page less the one thing in which two answers differ."""
    return re.sub(r'nonce="[^"]+"', "", page)


def undo_in(page: str) -> str:
    """The undo token in the page's form; empty if there is none."""
    found = re.search(r'name="undo" value="([^"]+)"', page)
    return html.unescape(found[1]) if found else ""


def action_of(page: str) -> str:
    """Where the page's form leads to."""
    found = re.search(r'action="([^"]+)"', page)
    assert found is not None
    return html.unescape(found[1])
