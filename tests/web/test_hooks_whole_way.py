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
from mailout.core.webhook.settings import (
    LoginSettings,
    MailgunSettings,
    SendGrid,
    Ses,
    Webhooks,
)
from mailout.fetch import Fetched
from mailout.receive.processing import work_off
from mailout.smtp.catcher import Catcher
from mailout.store import inbound, suppressions
from mailout.store.engine import Store
from mailout.store.inbound import Listed
from mailout.web import hooks
from mailout.web.app import make_app
from newcomers import Newcomer, browsing, join
from providers import (
    CERTIFICATE_URL,
    KEY,
    PROVIDERS,
    TOPIC,
    lasting_certificate,
    sendgrid_public_key,
)
from send_desk import Desk

ADDRESS = "anna@example.org"
LOGGED_IN = LoginSettings(username="mailout", password_env="HOOK_PASSWORD")
HOOKS = Webhooks(
    ses=Ses(topics=(TOPIC,)),
    sendgrid=SendGrid(public_key=sendgrid_public_key()),
    postmark=LOGGED_IN,
    mailgun=MailgunSettings(signing_key_env="HOOK_KEY"),
    brevo=LoginSettings(header="X-Hook-Token", secret_env="HOOK_TOKEN"),
    mailjet=LOGGED_IN,
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
        self.anna: Newcomer = join(store, site, ADDRESS)
        with Catcher() as catcher:
            desk = desk.toward(catcher, token_header=token_header)
            desk.send(desk.enqueue(desk.issue()))
            (self.caught,) = catcher.messages
        self.site, self.store = desk.site, store

    def header(self, name: str) -> str:
        found = re.search(rf"(?m)^{name}: (.*)\r$", self.caught.content.decode())
        assert found, name
        return found[1]

    @property
    def message_id(self) -> str:
        return self.header("Message-ID")

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
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_PASSWORD", "an invented password")
    monkeypatch.setenv("HOOK_TOKEN", "an invented token")
    monkeypatch.setenv("HOOK_KEY", KEY)
    certificate = Fetched(lasting_certificate(), CERTIFICATE_URL)
    monkeypatch.setattr(hooks, "fetch", lambda _url, _door: certificate)


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
            "Email": ADDRESS,
            "Metadata": {"delivery": token},
        },
    )
    assert (found.found_by, found.address) == (FoundBy.TOKEN, ADDRESS)
    assert way.suppressed() is SuppressionReason.COMPLAINED


TOLD: list[tuple[str, str, Callable[[Way], Any], FoundBy]] = [
    (
        "sendgrid",
        "",
        lambda way: [
            {"event": "bounce", "type": "bounce", "email": ADDRESS, "smtp-id": way.message_id}
        ],
        FoundBy.MESSAGE_ID,
    ),
    (
        "mailgun",
        "",
        lambda way: {
            "event": "failed",
            "severity": "permanent",
            "reason": "bounce",
            "recipient": ADDRESS,
            "message": {"headers": {"message-id": way.message_id.strip("<>")}},
        },
        FoundBy.MESSAGE_ID,
    ),
    (
        "ses",
        "X-Delivery",
        lambda way: {
            "notificationType": "Bounce",
            "bounce": {
                "bounceType": "Permanent",
                "bouncedRecipients": [{"emailAddress": ADDRESS}],
            },
            "mail": {"headers": [{"name": "X-Delivery", "value": way.header("X-Delivery")}]},
        },
        FoundBy.TOKEN,
    ),
    (
        "brevo",
        "X-Mailin-custom",
        lambda way: {
            "event": "hard_bounce",
            "email": ADDRESS,
            "X-Mailin-custom": way.header("X-Mailin-custom"),
        },
        FoundBy.TOKEN,
    ),
    (
        "mailjet",
        "X-MJ-CustomID",
        lambda way: {
            "event": "bounce",
            "hard_bounce": True,
            "email": ADDRESS,
            "CustomID": way.header("X-MJ-CustomID"),
        },
        FoundBy.TOKEN,
    ),
]


@pytest.mark.parametrize(
    ("name", "token_header", "event", "by"), TOLD, ids=lambda one: str(one)[:9]
)
def test_a_bounce_stops_the_reader_whom_it_is_about(
    site: Site,
    store: Store,
    name: str,
    token_header: str,
    event: Callable[[Way], Any],
    by: FoundBy,
) -> None:
    way = Way(site, store, token_header)
    assert (b"\r\nX-Delivery: " in way.caught.content) is (token_header == "X-Delivery")
    found = way.tell(name, event(way))
    assert (found.kind, found.found_by, found.address) == ("bounce", by, ADDRESS)
    (report,) = found.reports
    assert report["category"] == "no-mailbox"
    # Nothing of ours had ever got there: the first report stops the address.
    assert way.suppressed() is SuppressionReason.DEAD


def test_who_knows_an_address_alone_changes_nothing(site: Site, store: Store) -> None:
    way = Way(site, store, "")
    event = {"RecordType": "SpamComplaint", "ID": 7, "Email": ADDRESS}
    found = way.tell("postmark", json.loads(json.dumps(event)))
    assert found.found_by == FoundBy.WORDS
    assert way.suppressed() is None
