"""Notices of providers over HTTP: what is kept, and the one answer to all that is wrong.

On SQLite only: what is answered does not depend on the database.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailout.core.arrival import FoundBy
from mailout.core.errors import MailoutError, TryLater
from mailout.core.site import Site
from mailout.core.webhook.settings import (
    LoginSettings,
    MailgunSettings,
    SendGrid,
    Ses,
    Webhooks,
)
from mailout.fetch import Fetched
from mailout.store import inbound
from mailout.store.engine import Store
from mailout.store.inbound import Kept, Looked
from mailout.web import hooks
from mailout.web.app import make_app
from newcomers import browsing, without_nonce
from providers import (
    ANNA,
    CERTIFICATE_URL,
    KEY,
    PROVIDERS,
    SES_BOUNCE,
    TOPIC,
    Provider,
    basic,
    body_of,
    lasting_certificate,
    mailgun_signature,
    sendgrid_public_key,
    sns,
    subscription,
)

LOGGED_IN = LoginSettings(username="mailout", password_env="HOOK_PASSWORD")
ALL = Webhooks(
    ses=Ses(topics=(TOPIC,)),
    sendgrid=SendGrid(public_key=sendgrid_public_key()),
    postmark=LOGGED_IN,
    mailgun=MailgunSettings(signing_key_env="HOOK_KEY"),
    brevo=LoginSettings(header="X-Hook-Token", secret_env="HOOK_TOKEN"),
    mailjet=LOGGED_IN,
)
each = pytest.mark.parametrize("provider", PROVIDERS.values(), ids=lambda one: one.name)


@dataclass
class Inbox:
    """What the store has kept; it may be down."""

    store: Store
    monkeypatch: pytest.MonkeyPatch

    @property
    def kept(self) -> list[Kept]:
        with self.store.reading() as tx:
            return inbound.new(tx, 100)

    @contextmanager
    def down(self) -> Iterator[None]:
        def fail(*_: object) -> int:
            raise TryLater("the store does not answer")

        with self.monkeypatch.context() as patched:
            patched.setattr(inbound, "keep", fail)
            yield


class Sns(dict[str, bytes]):
    """What stands at addresses of SNS, in place of the network."""

    def __init__(self) -> None:
        super().__init__({CERTIFICATE_URL: lasting_certificate()})
        self.asked: list[str] = []
        self.down = False

    def __call__(self, url: str, door: Any) -> Fetched:
        self.asked.append(url)
        if self.down:
            raise TryLater("no connection")
        if url not in self:
            raise MailoutError("answers 404")
        return Fetched(self[url], url)


@pytest.fixture
def amazon(monkeypatch: pytest.MonkeyPatch) -> Sns:
    found = Sns()
    monkeypatch.setattr(hooks, "fetch", found)
    return found


@pytest.fixture
def store(sqlite_store: Callable[[], Store]) -> Iterator[Store]:
    store = sqlite_store()
    yield store
    store.close()


@pytest.fixture
def inbox(store: Store, monkeypatch: pytest.MonkeyPatch) -> Inbox:
    return Inbox(store, monkeypatch)


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_PASSWORD", "an invented password")
    monkeypatch.setenv("HOOK_TOKEN", "an invented token")
    monkeypatch.setenv("HOOK_KEY", KEY)


@contextmanager
def serving_hooks(site: Site, store: Store, webhooks: Webhooks = ALL) -> Iterator[httpx.Client]:
    with browsing(make_app(replace(site, webhooks=webhooks), store)) as client:
        yield client


@pytest.fixture
def client(
    site: Site, store: Store, inbox: Inbox, amazon: Sns, secrets: None
) -> Iterator[httpx.Client]:
    with serving_hooks(site, store) as client:
        yield client


def post(client: httpx.Client, provider: Provider, event: Any) -> httpx.Response:
    body, headers = provider.request(event, datetime.now(UTC))
    return client.post(f"/hooks/{provider.name}", content=body, headers=headers)


@each
def test_a_notice_is_kept_once_however_often_it_comes(
    client: httpx.Client, inbox: Inbox, provider: Provider
) -> None:
    for _ in range(3):
        answer = post(client, provider, provider.bounce)
        assert (answer.status_code, answer.text) == (200, "ok\n")
        assert answer.headers["cache-control"] == "no-store"
    (one,) = inbox.kept
    assert one.source == f"webhook:{provider.name}" and ANNA.encode() in one.raw
    assert post(client, provider, provider.opened).status_code == 200
    assert len(inbox.kept) == 1


@each
def test_what_is_forged_gets_the_neutral_page_and_nothing_is_kept(
    client: httpx.Client, inbox: Inbox, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    neutral = without_nonce(client.get("/nothing").text)
    with caplog.at_level(logging.DEBUG):
        for headers in ({}, basic("mailout", "wrong"), {"x-hook-token": "wrong"}):
            body = json.dumps({**provider.bounce, "Signature": "AAAA"}).encode()
            answer = client.post(f"/hooks/{provider.name}", content=body, headers=headers)
            assert answer.status_code == 403
            assert without_nonce(answer.text) == neutral
    assert not inbox.kept
    assert ANNA not in caplog.text and "wrong" not in caplog.text
    assert f"a request to the webhook {provider.name} is not from there" in caplog.text


@each
def test_a_store_that_is_down_makes_the_provider_try_again(
    client: httpx.Client, inbox: Inbox, provider: Provider
) -> None:
    with inbox.down():
        answer = post(client, provider, provider.bounce)
    assert answer.status_code == 503 and answer.headers["retry-after"]
    assert post(client, provider, provider.bounce).status_code == 200
    assert len(inbox.kept) == 1


def test_providers_that_are_not_set_up_are_as_anything_unknown(
    site: Site, store: Store, inbox: Inbox, secrets: None
) -> None:
    with serving_hooks(site, store, Webhooks(postmark=LOGGED_IN)) as client:
        unknown = client.post("/hook/nothing")
        for name in ("ses", "sendgrid", "mailgun", "brevo", "mailjet", "nothing", "POSTMARK"):
            answer = client.post(f"/hooks/{name}", content=b"{}")
            assert answer.status_code == unknown.status_code == 404
            assert without_nonce(answer.text) == without_nonce(unknown.text)
        assert client.post("/hooks/postmark/more").status_code == 404
        for name in ("postmark", "ses"):
            assert client.get(f"/hooks/{name}").status_code == 405
    assert not inbox.kept


def test_without_its_secret_a_provider_is_asked_to_try_again(
    site: Site, store: Store, inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    with serving_hooks(site, store) as client:
        for name in ("postmark", "mailgun", "brevo", "mailjet"):
            answer = post(client, PROVIDERS[name], PROVIDERS[name].bounce)
            assert answer.status_code == 503
    assert "HOOK_PASSWORD is not set" in caplog.text
    assert not inbox.kept


@each
def test_nonsense_and_too_much_are_refused(
    client: httpx.Client, inbox: Inbox, provider: Provider
) -> None:
    for event in (7, [7], ["[" * 9000], None):
        if provider.name == "sendgrid":
            event = [event]
        assert post(client, provider, event).status_code == 400
    _, headers = provider.request({}, datetime.now(UTC))
    large = b" " * (hooks.MOST_BODY + 1)
    answer = client.post(f"/hooks/{provider.name}", content=large, headers=headers)
    assert answer.status_code == 413
    deep = b"[" * hooks.MOST_BODY
    answer = client.post(f"/hooks/{provider.name}", content=deep, headers=headers)
    assert answer.status_code in (400, 403)
    assert not inbox.kept


@each
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    body=st.binary(max_size=200)
    | st.recursive(
        st.none() | st.text(max_size=9) | st.integers() | st.floats(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
        max_leaves=6,
    ).map(body_of)
)
def test_any_body_has_a_clean_answer(
    client: httpx.Client, inbox: Inbox, provider: Provider, body: bytes
) -> None:
    headers = dict(provider.request({}, datetime.now(UTC))[1])
    answer = client.post(f"/hooks/{provider.name}", content=body, headers=headers)
    # What is a JSON object behind the right login is an event that is of no interest.
    assert answer.status_code in ((200, 400) if headers else (403,)) or (
        provider.name == "sendgrid" and answer.status_code == 403
    )
    assert not inbox.kept


def test_a_batch_with_one_broken_event_is_not_half_kept(client: httpx.Client, inbox: Inbox) -> None:
    provider = PROVIDERS["sendgrid"]
    assert post(client, provider, [provider.bounce, 7]).status_code == 400
    assert not inbox.kept
    assert post(client, provider, [provider.bounce, provider.opened]).status_code == 200
    assert len(inbox.kept) == 1


def test_a_token_of_mailgun_is_good_for_one_event(client: httpx.Client, inbox: Inbox) -> None:
    signature = mailgun_signature(datetime.now(UTC), "b" * 50)

    def send(**other: Any) -> int:
        event = {**PROVIDERS["mailgun"].bounce, **other}
        body = body_of({"signature": signature, "event-data": event})
        return client.post("/hooks/mailgun", content=body).status_code

    with inbox.down():
        assert send() == 503
    assert send() == 200, "a try that failed has used nothing up"
    assert send() == 200
    assert send(id="another", recipient="boris@quay.example.org") == 403
    assert len(inbox.kept) == 1


def test_no_restart_makes_a_used_token_or_an_old_notice_good_again(
    site: Site, store: Store, inbox: Inbox, amazon: Sns, secrets: None
) -> None:
    signature = mailgun_signature(datetime.now(UTC), "c" * 50)

    def send(client: httpx.Client, what: str) -> int:
        event = {**PROVIDERS["mailgun"].bounce, "event": what}
        body = body_of({"signature": signature, "event-data": event})
        return client.post("/hooks/mailgun", content=body).status_code

    with serving_hooks(site, store) as client:
        assert send(client, "opened") == 200, "of no interest, and used up all the same"
    with serving_hooks(site, store) as client:
        assert send(client, "complained") == 403
        assert send(client, "opened") == 200
    assert not inbox.kept
    for _ in range(2):  # what was kept, and even emptied since, is known again
        for provider in PROVIDERS.values():
            with serving_hooks(site, store) as client:
                assert post(client, provider, provider.bounce).status_code == 200
        with store.writing() as tx:
            inbound.done(tx, [Looked(one.id, "", FoundBy.NOBODY) for one in inbound.new(tx, 100)],
                         datetime.now(UTC))  # fmt: skip
            inbound.empty(tx, datetime.now(UTC) + timedelta(days=1))
            assert len(inbound.listed(tx)) == len(PROVIDERS)


def test_a_certificate_is_fetched_once(client: httpx.Client, inbox: Inbox, amazon: Sns) -> None:
    for number in range(3):
        event = json.dumps({**SES_BOUNCE, "bounce": {"feedbackId": str(number)}})
        assert post(client, PROVIDERS["ses"], event).status_code == 200
    assert len(inbox.kept) == 3
    assert amazon.asked == [CERTIFICATE_URL]


def test_while_sns_is_down_amazon_is_asked_to_try_again(
    client: httpx.Client, inbox: Inbox, amazon: Sns
) -> None:
    amazon.down = True
    assert post(client, PROVIDERS["ses"], SES_BOUNCE).status_code == 503
    amazon.down = False
    assert post(client, PROVIDERS["ses"], SES_BOUNCE).status_code == 200
    assert len(inbox.kept) == 1


def test_strangers_cannot_have_anything_fetched(client: httpx.Client, amazon: Sns) -> None:
    now = datetime.now(UTC)
    for other in (
        {"TopicArn": f"{TOPIC}-of-others"},
        {"SigningCertURL": "https://quay.example.org/SimpleNotificationService-0a1b2c3d.pem"},
        {"SigningCertURL": "https://sns.eu-central-1.amazonaws.com/anything"},
    ):
        body = body_of(sns(json.dumps(SES_BOUNCE), now, **other))
        assert client.post("/hooks/ses", content=body).status_code == 403
    assert amazon.asked == []


def test_a_subscription_is_confirmed_before_it_is_answered(
    client: httpx.Client, inbox: Inbox, amazon: Sns
) -> None:
    url = "https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&Token=t0k3n"
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")

    def send(**other: Any) -> int:
        body = body_of(subscription(url, Timestamp=at, **other))
        return client.post("/hooks/ses", content=body).status_code

    assert send(TopicArn=f"{TOPIC}-of-others") == 403
    assert send(Type="UnsubscribeConfirmation") == 200
    assert url not in amazon.asked
    assert send() == 503, "SNS did not take it"
    amazon[url] = b"<ConfirmSubscriptionResponse/>"
    assert send() == 200
    assert amazon.asked.count(url) == 2
    assert not inbox.kept
