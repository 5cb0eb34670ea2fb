"""From a mail on the wire to what a provider tells of it, and to what becomes of the reader."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from mailout.config.bounce_rules import standard_rules
from mailout.core.arrival import FoundBy
from mailout.core.site import Site
from mailout.core.suppression import SuppressionReason
from mailout.core.webhook.settings import LoginSettings, SendGrid, Webhooks
from mailout.receive.processing import work_off
from mailout.smtp.catcher import Catcher
from mailout.store import inbound, suppressions
from mailout.store.engine import Store
from mailout.store.inbound import Listed
from mailout.web.app import make_app
from newcomers import Newcomer, browsing, join
from providers import PROVIDERS, sendgrid_public_key
from send_desk import Desk

HOOKS = Webhooks(
    sendgrid=SendGrid(public_key=sendgrid_public_key()),
    postmark=LoginSettings(username="mailout", password_env="HOOK_PASSWORD"),
)


class Way:
    """A mail sent to Anna through a provider that puts another return path on it."""

    def __init__(self, site: Site, store: Store, token_header: str) -> None:
        bulletin = site.lists["bulletin"]
        everyone = replace(next(iter(bulletin.settings.segments.values())), rule="everyone")
        settings = replace(
            bulletin.settings,
            segments={**bulletin.settings.segments, "everyone": everyone},
            languages=("en", "ru"),
        )
        lists = {"bulletin": replace(bulletin, settings=settings)}
        desk = Desk(replace(site, lists=lists, webhooks=HOOKS), store)
        self.anna: Newcomer = join(store, site, "anna@example.org")
        with Catcher() as catcher:
            desk = desk.toward(catcher, token_header=token_header)
            desk.send(desk.enqueue(desk.issue()))
            (self.caught,) = catcher.messages
        self.site, self.store = desk.site, store

    def header(self, name: str) -> str:
        found = re.search(rf"(?m)^{name}: (.*)\r$", self.caught.content.decode())
        assert found, name
        return found[1]

    def tell(self, name: str, event: Any) -> Listed:
        """What the store says of the event, once the provider has told it."""
        body, headers = PROVIDERS[name].request(event, datetime.now(UTC))
        with browsing(make_app(self.site, self.store)) as client:
            answer = client.post(f"/hooks/{name}", content=body, headers=headers)
        assert answer.status_code == 200
        work_off(self.store, self.site, standard_rules(), datetime.now(UTC))
        with self.store.reading() as tx:
            return inbound.listed(tx, limit=1)[0]

    def suppressed(self) -> SuppressionReason | None:
        with self.store.reading() as tx:
            return suppressions.among(tx, [self.anna.address_key], "bulletin").get(
                self.anna.address_key
            )


@pytest.fixture
def store(sqlite_store: Callable[[], Store]) -> Iterator[Store]:
    store = sqlite_store()
    yield store
    store.close()


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_PASSWORD", "an invented password")


def test_the_token_header_names_the_delivery_as_the_return_path_does(
    site: Site, store: Store
) -> None:
    way = Way(site, store, "X-PM-Metadata-delivery")
    token = way.header("X-PM-Metadata-delivery")
    assert way.caught.sender.partition("@")[0].endswith(f"+{token}")
    found = way.tell(
        "postmark",
        {
            "RecordType": "SpamComplaint",
            "ID": 7,
            "Email": "anna@example.org",
            "Metadata": {"delivery": token},
        },
    )
    assert (found.found_by, found.address) == (FoundBy.TOKEN, "anna@example.org")
    assert way.suppressed() is SuppressionReason.COMPLAINED


def test_our_message_id_does_where_a_provider_keeps_it(site: Site, store: Store) -> None:
    way = Way(site, store, "")
    assert b"\r\nX-Delivery" not in way.caught.content
    event = {
        **PROVIDERS["sendgrid"].bounce,
        "email": "anna@example.org",
        "smtp-id": way.header("Message-ID"),
    }
    event.pop("delivery")
    found = way.tell("sendgrid", event)
    assert (found.kind, found.found_by) == ("bounce", FoundBy.MESSAGE_ID)
    assert found.address == "anna@example.org"
    (report,) = found.reports
    assert report["category"] == "no-mailbox"


def test_who_knows_an_address_alone_changes_nothing(site: Site, store: Store) -> None:
    way = Way(site, store, "")
    event = {"RecordType": "SpamComplaint", "ID": 7, "Email": "anna@example.org"}
    found = way.tell("postmark", json.loads(json.dumps(event)))
    assert found.found_by == FoundBy.WORDS
    assert way.suppressed() is None
