"""Whether a request is a provider's, and what of it is kept."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from mailout.core.webhook import mailgun, proof, ses
from mailout.core.webhook.event import FORGED, NONSENSE, Taken, Verdict
from mailout.core.webhook.provider import NAMES, arrivals
from mailout.core.webhook.settings import Login, Ready, SendGrid, Ses, SigningKey
from providers import (
    ANNA,
    DELIVERY,
    LOGIN,
    NOW,
    OUR_ID,
    PROVIDERS,
    SES_BOUNCE,
    TOKEN,
    TOPIC,
    Headers,
    Provider,
    basic,
    body_of,
    certificate,
    lasting_certificate,
    mailgun_signature,
    signed_by_sendgrid,
    sns,
    subscription,
)

each = pytest.mark.parametrize("provider", PROVIDERS.values(), ids=lambda one: one.name)


def judged(
    name: str, body: bytes, headers: Headers, settings: Ready | None = None, **other: Any
) -> Verdict:
    settings = settings or PROVIDERS[name].settings
    given = {"now": NOW, "certificate": lasting_certificate(), **other}
    return arrivals(name, body, headers, settings, **given)


def taken(provider: Provider, event: Any) -> Taken:
    body, headers = provider.request(event, NOW)
    found = judged(provider.name, body, headers)
    assert isinstance(found, Taken)
    return found


def test_there_is_a_provider_of_each_name() -> None:
    assert tuple(PROVIDERS) == NAMES


@each
def test_a_bounce_is_kept_with_what_names_the_delivery_and_without_traces(
    provider: Provider,
) -> None:
    (one,) = taken(provider, provider.bounce).arrivals
    assert one.source == f"webhook:{provider.name}"
    assert one.identity and one.recipient == one.sender == ""
    assert OUR_ID.strip("<>").encode() in one.raw or provider.name == "mailjet"
    assert DELIVERY.encode() in one.raw and ANNA.encode() in one.raw
    assert b"192.0.2." not in one.raw and b"Dear" not in one.raw and b"storage" not in one.raw
    assert (
        json.dumps(json.loads(one.raw), sort_keys=True, separators=(",", ":")) == one.raw.decode()
    )


@each
def test_the_same_event_is_known_by_the_same_identity(provider: Provider) -> None:
    (first,) = taken(provider, provider.bounce).arrivals
    backwards = dict(reversed(provider.bounce.items()))
    (again,) = taken(provider, backwards).arrivals
    assert again == first


@each
def test_of_opens_nothing_is_kept(provider: Provider) -> None:
    assert taken(provider, provider.opened).arrivals == ()


@each
def test_a_request_of_anybody_else_is_refused(provider: Provider) -> None:
    body, _headers = provider.request(provider.bounce, NOW)
    for name, other in PROVIDERS.items():
        strange, shown = other.request(other.bounce, NOW)
        if name != provider.name and {name, provider.name} != {"postmark", "mailjet"}:
            assert judged(provider.name, strange, shown) == FORGED
    assert judged(provider.name, b"", {}) == FORGED
    if provider.name not in ("mailgun", "ses"):
        assert judged(provider.name, body, {}) == FORGED


def test_signatures_hold_for_what_was_signed_and_for_a_day() -> None:
    for name in ("ses", "sendgrid", "mailgun"):
        provider = PROVIDERS[name]
        for age, good in ((0, True), (-10, True), (-20, False), (24 * 60, True), (1600, False)):
            at = NOW - timedelta(minutes=age)
            found = judged(name, *provider.request(provider.bounce, at))
            assert isinstance(found, Taken) is good, (name, age)
    body, headers = PROVIDERS["sendgrid"].request(PROVIDERS["sendgrid"].bounce, NOW)
    assert judged("sendgrid", body + b" ", headers) == FORGED
    later = {**headers, "x-twilio-email-event-webhook-timestamp": "1795694401"}
    assert judged("sendgrid", body, later) == FORGED
    other = SendGrid(public_key="MFkw")
    assert judged("sendgrid", body, headers, other) == FORGED


def test_mailgun_signs_the_moment_and_the_token_with_the_bound_between_them() -> None:
    signature = mailgun_signature(NOW, "5" + "a" * 49)
    event = PROVIDERS["mailgun"].bounce
    good = judged("mailgun", body_of({"signature": signature, "event-data": event}), {})
    assert isinstance(good, Taken) and good.once == signature["token"]
    moved = {
        **signature,
        "timestamp": signature["timestamp"] + "5",
        "token": signature["token"][1:],
    }
    assert judged("mailgun", body_of({"signature": moved, "event-data": event}), {}) == FORGED
    wrong = {**signature, "signature": signature["signature"].replace("a", "b")}
    assert judged("mailgun", body_of({"signature": wrong, "event-data": event}), {}) == FORGED
    assert judged("mailgun", body_of({"signature": signature}), {}) == NONSENSE
    # An empty key would sign for everybody.
    empty = mailgun.arrivals(
        body_of({"signature": signature, "event-data": event}), {}, SigningKey(key=""), NOW
    )
    assert empty == FORGED


def test_logins_and_tokens_are_compared_whole() -> None:
    assert proof.shows(basic("mailout", "an invented password"), LOGIN)
    assert proof.shows({"x-hook-token": "an invented token"}, TOKEN)
    assert proof.shows({"x-hook-token": "Bearer an invented token"}, TOKEN)
    for headers in (
        {},
        basic("mailout", "an invented passwor"),
        basic("mailout", ""),
        basic("", "an invented password"),
        {"authorization": "Basic !!"},
        {"authorization": "Bearer an invented password"},
        {"authorization": "Basic " + base64.b64encode(b"\xff\xfe").decode()},
    ):
        assert not proof.shows(headers, LOGIN)
    assert not proof.shows({"x-hook-token": ""}, TOKEN)
    assert not proof.shows({"x-hook-token": ""}, Login(header="X-Hook-Token"))
    assert not proof.shows(basic("", ""), Login())


@given(st.text(max_size=80), st.text(max_size=80))
def test_nothing_but_the_secret_opens(value: str, name: str) -> None:
    assert not proof.shows({"authorization": value, name: value}, LOGIN)
    assert not proof.shows({"x-hook-token": value}, TOKEN)


def test_no_secret_is_printed() -> None:
    for settings in (LOGIN, TOKEN, PROVIDERS["mailgun"].settings):
        assert "invented" not in repr(settings)


def test_both_versions_of_the_signature_of_sns_are_verified() -> None:
    said = json.dumps(SES_BOUNCE)
    for version in ("1", "2"):
        assert isinstance(judged("ses", body_of(sns(said, version=version)), {}), Taken)
        with_subject = sns(said, version=version, Subject="A notice")
        assert isinstance(judged("ses", body_of(with_subject), {}), Taken)
        for key in ("Message", "MessageId", "Timestamp", "Subject", "SignatureVersion"):
            changed = {**with_subject, key: "1" if with_subject[key] == "2" else "2"}
            assert judged("ses", body_of(changed), {}) == FORGED, key
    envelope = sns(said)
    for version in ("3", "", 2.5):
        assert judged("ses", body_of({**envelope, "SignatureVersion": version}), {}) == FORGED


def test_a_certificate_counts_while_it_is_valid_and_is_rsa() -> None:
    body = body_of(sns(json.dumps(SES_BOUNCE)))
    other = certificate(key=rsa.generate_private_key(public_exponent=65537, key_size=2048))
    elliptic = certificate(key=ec.generate_private_key(ec.SECP256R1()))
    old = certificate(NOW - timedelta(days=99), 9)
    for wrong in (b"", b"no certificate", other, elliptic, old):
        assert judged("ses", body, {}, certificate=wrong) == FORGED
    assert isinstance(judged("ses", body, {}, certificate=certificate()), Taken)


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0a1b2c3d4e5f.pem",
        "https://sns.eu-central-1.amazonaws.com.example.org/SimpleNotificationService-0a1b2c3d.pem",
        "https://sns.eu-central-1.amazonaws.com@example.org/SimpleNotificationService-0a1b2c3d.pem",
        "https://sns.eu-central-1.amazonaws.com:444/SimpleNotificationService-0a1b2c3d4e5f.pem",
        "https://sns.a.b.amazonaws.com/SimpleNotificationService-0a1b2c3d4e5f.pem",
        "https://sns.amazonaws.com/SimpleNotificationService-0a1b2c3d4e5f.pem",
        "https://xsns.eu-central-1.amazonaws.com/SimpleNotificationService-0a1b2c3d4e5f.pem",
        "https://sns.eu-central-1.amazonaws.com/other/key.pem",
        "https://sns.eu-central-1.amazonaws.com/\nSimpleNotificationService-0a1b2c3d4e5f.pem",
        "https://[sns/SimpleNotificationService-0a1b2c3d4e5f.pem",
        "",
        7,
        None,
    ],
)
def test_certificates_are_fetched_from_sns_alone(url: Any) -> None:
    envelope = sns(json.dumps(SES_BOUNCE), SigningCertURL=url)
    settings = Ses(topics=(TOPIC,))
    assert ses.certificate_url(body_of(envelope), settings) == ""
    assert judged("ses", body_of(envelope), {}) == FORGED


def test_certificates_are_fetched_for_topics_of_ours_alone() -> None:
    settings = Ses(topics=(TOPIC,))
    assert ses.certificate_url(body_of(sns("{}")), settings)
    assert not ses.certificate_url(body_of(sns("{}", TopicArn=f"{TOPIC}x")), settings)
    assert not ses.certificate_url(b"[]", settings)
    china = "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-0a1b2c3d4e5f.pem"
    assert ses.certificate_url(body_of(sns("{}", SigningCertURL=china)), settings) == china


def test_a_subscription_is_confirmed_at_sns_for_a_topic_of_ours() -> None:
    url = "https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&Token=t0k3n"
    assert judged("ses", body_of(subscription(url)), {}) == Taken(confirm=url)
    assert judged("ses", body_of(subscription("https://quay.example.org/")), {}) == FORGED
    assert judged("ses", body_of(subscription(url, TopicArn=f"{TOPIC}-2")), {}) == FORGED
    ended = subscription(url, Type="UnsubscribeConfirmation")
    assert judged("ses", body_of(ended), {}) == Taken(), "fetching it would subscribe again"
    assert judged("ses", body_of(subscription(url, Type="Other")), {}) == FORGED


def test_what_ses_says_when_it_is_set_up_is_no_event() -> None:
    words = "Successfully validated SNS topic for Amazon SES event publishing."
    assert judged("ses", body_of(sns(words)), {}) == Taken()
    assert judged("ses", body_of(sns("anything else")), {}) == NONSENSE


def test_a_bounce_that_two_topics_tell_of_is_one() -> None:
    said = json.dumps(SES_BOUNCE)
    (one,) = taken(PROVIDERS["ses"], said).arrivals
    other = judged("ses", body_of(sns(said, MessageId="another")), {})
    assert isinstance(other, Taken) and other.arrivals == (one,)


@pytest.mark.parametrize("name", ["sendgrid", "brevo", "mailjet"])
def test_batches_are_kept_whole_or_not_at_all(name: str) -> None:
    provider = PROVIDERS[name]
    second = {**provider.bounce, "email": "boris@quay.example.org", "sg_event_id": "event-9"}
    body, headers = provider.request([provider.bounce, provider.opened, second], NOW)
    found = judged(name, body, headers)
    assert isinstance(found, Taken) and len(found.arrivals) == 2
    assert len({one.identity for one in found.arrivals}) == 2
    for wrong in (7, None, "text", [second]):
        body, headers = provider.request([provider.bounce, wrong], NOW)
        assert judged(name, body, headers) == NONSENSE
    deep: Any = 1
    for _ in range(50):
        deep = [deep]
    body, headers = provider.request([provider.bounce, {**second, "deep": deep}], NOW)
    assert judged(name, body, headers) == NONSENSE


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"\xff\xfe", b"[" * 200_000, b'{"a":' * 100_000, b"[NaN]", b"[" + b"9" * 9000 + b"]",
        b'"text"', b"7", b"null", b"true", b"[[]]", b"[7]",
    ],
    ids=lambda body: repr(body[:8]),
)  # fmt: skip
@pytest.mark.parametrize("name", NAMES)
def test_nonsense_of_the_provider_itself_is_refused_in_one_piece(name: str, body: bytes) -> None:
    if name == "ses":
        raw = body_of(sns(body.decode("latin-1")))
        expected = [NONSENSE]
    elif name == "mailgun":
        raw, expected = body, [FORGED]
    else:
        raw, expected = body, [NONSENSE]
    headers = {**PROVIDERS[name].request({}, NOW)[1]}
    if name == "sendgrid":
        headers = dict(signed_by_sendgrid(raw, NOW))
    assert judged(name, raw, headers) in expected


def test_numbers_of_events_that_are_odd_are_hashed() -> None:
    provider = PROVIDERS["sendgrid"]
    for odd in ("x" * 500, "сообщение", "a\nb", "\ud800"):
        (one,) = taken(provider, {**provider.bounce, "sg_event_id": odd}).arrivals
        assert len(one.identity) == 64 and one.identity.isalnum()
