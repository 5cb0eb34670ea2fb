"""What kept events tell: the same values as mails that came back would."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailout.config.bounce_rules import standard_rules
from mailout.core.inbound.category import Category, Kind
from mailout.core.inbound.report import Inbound
from mailout.core.webhook import ses
from mailout.core.webhook.event import Taken, canonical
from mailout.core.webhook.provider import NAMES, arrivals, read
from providers import ANNA, NOW, OUR_ID, PROVIDERS, SES_BOUNCE, lasting_certificate

RULES = standard_rules()
C = Category


def told(name: str, event: Any) -> Inbound:
    return read(f"webhook:{name}", canonical(event), RULES)


def ses_bounce(kind: str, sub: str, *, status: str = "", words: str = "") -> dict[str, Any]:
    person = {"emailAddress": ANNA}
    person |= {"status": status} if status else {}
    person |= {"diagnosticCode": words} if words else {}
    bounce = {"bounceType": kind, "bounceSubType": sub, "bouncedRecipients": [person]}
    return {**SES_BOUNCE, "bounce": bounce}


def sendgrid(event: str, **other: Any) -> dict[str, Any]:
    return {"event": event, "email": ANNA, "smtp-id": OUR_ID, **other}


def postmark(kind: str, words: str = "") -> dict[str, Any]:
    return {"RecordType": "Bounce", "Type": kind, "Email": ANNA, "Details": words}


def mailgun(severity: str, reason: str = "", code: int = 0, words: str = "") -> dict[str, Any]:
    return {
        "event": "failed",
        "severity": severity,
        "reason": reason,
        "recipient": ANNA,
        "delivery-status": {"code": code, "message": words},
        "message": {"headers": {"message-id": OUR_ID.strip("<>")}},
    }


def brevo(event: str, words: str = "") -> dict[str, Any]:
    return {"event": event, "email": ANNA, "reason": words, "message-id": OUR_ID}


def mailjet(event: str, error: str = "", comment: str = "", **other: Any) -> dict[str, Any]:
    return {"event": event, "email": ANNA, "error": error, "comment": comment, **other}


HARD = {"hard_bounce": True}
FULL = "552 5.2.2 The mailbox is full"
LISTED = "550 5.7.1 Service unavailable; client host [192.0.2.7] blocked using zen.spamhaus.org"

CASES: list[tuple[str, dict[str, Any], Kind, Category]] = [
    ("ses", SES_BOUNCE, Kind.BOUNCE, C.NO_MAILBOX),
    ("ses", ses_bounce("Permanent", "General"), Kind.BOUNCE, C.NO_MAILBOX),
    ("ses", ses_bounce("Permanent", "NoEmail"), Kind.BOUNCE, C.NO_MAILBOX),
    ("ses", ses_bounce("Permanent", "Suppressed"), Kind.BOUNCE, C.NO_MAILBOX),
    ("ses", ses_bounce("Permanent", "OnAccountSuppressionList"), Kind.BOUNCE, C.UNKNOWN),
    ("ses", ses_bounce("Permanent", "General", words=f"smtp; {LISTED}"), Kind.BOUNCE, C.BLOCKED_REPUTATION),
    ("ses", ses_bounce("Permanent", "General", status="5.7.1", words="smtp; 550 5.7.1 no"), Kind.BOUNCE, C.BLOCKED_POLICY),
    ("ses", ses_bounce("Transient", "General", status="5.4.4", words="smtp; 550 5.4.4 invalid domain"), Kind.BOUNCE, C.NO_DOMAIN),
    ("ses", ses_bounce("Transient", "ContentRejected"), Kind.BOUNCE, C.BLOCKED_CONTENT),
    ("ses", ses_bounce("Transient", "ContentRejected", words="smtp; 550 5.1.1 no"), Kind.BOUNCE, C.BLOCKED_CONTENT),
    ("ses", ses_bounce("Transient", "MessageTooLarge"), Kind.BOUNCE, C.TOO_BIG),
    ("ses", ses_bounce("Transient", "MailboxFull"), Kind.BOUNCE, C.MAILBOX_FULL),
    ("ses", ses_bounce("Transient", "General"), Kind.BOUNCE, C.UNKNOWN),
    ("ses", ses_bounce("Transient", "General", status="4.4.7"), Kind.BOUNCE, C.RECEIVER_ERROR),
    ("ses", ses_bounce("Transient", "General", words="I am out of office until Monday"), Kind.AUTO_REPLY, C.AUTO_REPLY),
    ("ses", ses_bounce("Undetermined", "Undetermined"), Kind.BOUNCE, C.UNKNOWN),
    ("ses", {"notificationType": "Complaint", "complaint": {"complainedRecipients": [{"emailAddress": ANNA}], "complaintFeedbackType": "abuse"}}, Kind.FEEDBACK, C.COMPLAINT),
    ("ses", {"eventType": "DeliveryDelay", "deliveryDelay": {"delayType": "MailboxFull", "delayedRecipients": [{"emailAddress": ANNA, "status": "4.2.2", "diagnosticCode": "smtp; 452 4.2.2 full"}]}}, Kind.DELAY, C.DELAY),
    ("ses", {"eventType": "Reject", "reject": {"reason": "Bad content"}, "mail": {"destination": [ANNA]}}, Kind.BOUNCE, C.BLOCKED_CONTENT),
    ("ses", {"eventType": "Subscription", "mail": {"destination": [ANNA]}}, Kind.FEEDBACK, C.UNSUBSCRIBE),
    ("sendgrid", dict(PROVIDERS["sendgrid"].bounce), Kind.BOUNCE, C.NO_MAILBOX),
    ("sendgrid", sendgrid("bounce", type="bounce", reason="no reply was kept"), Kind.BOUNCE, C.NO_MAILBOX),
    ("sendgrid", sendgrid("bounce", type="bounce", reason=LISTED), Kind.BOUNCE, C.BLOCKED_REPUTATION),
    ("sendgrid", sendgrid("bounce", type="blocked", reason="550 not today"), Kind.BOUNCE, C.BLOCKED_POLICY),
    ("sendgrid", sendgrid("bounce", type="blocked", reason="550 5.1.1 nobody of this name"), Kind.BOUNCE, C.NO_MAILBOX),
    ("sendgrid", sendgrid("blocked", reason=FULL), Kind.BOUNCE, C.MAILBOX_FULL),
    ("sendgrid", sendgrid("bounce", type="expired", reason="unable to get mx info"), Kind.BOUNCE, C.UNREACHABLE),
    ("sendgrid", sendgrid("bounce", type="bounce", reason="550 no", bounce_classification="Reputation"), Kind.BOUNCE, C.BLOCKED_REPUTATION),
    ("sendgrid", sendgrid("bounce", type="blocked", reason="550 no", bounce_classification="Unclassified"), Kind.BOUNCE, C.BLOCKED_POLICY),
    ("sendgrid", sendgrid("dropped", reason="Bounced Address"), Kind.BOUNCE, C.NO_MAILBOX),
    ("sendgrid", sendgrid("dropped", reason="Invalid"), Kind.BOUNCE, C.NO_MAILBOX),
    ("sendgrid", sendgrid("dropped", reason="Invalid SMTPAPI header"), Kind.BOUNCE, C.UNKNOWN),
    ("sendgrid", sendgrid("dropped", reason="Spam Content"), Kind.BOUNCE, C.BLOCKED_CONTENT),
    ("sendgrid", sendgrid("dropped", reason="Spam Reporting Address"), Kind.FEEDBACK, C.COMPLAINT),
    ("sendgrid", sendgrid("dropped", reason="Unsubscribed Address"), Kind.FEEDBACK, C.UNSUBSCRIBE),
    ("sendgrid", sendgrid("deferred", response="451 4.7.1 try again later"), Kind.DELAY, C.DELAY),
    ("sendgrid", sendgrid("spamreport"), Kind.FEEDBACK, C.COMPLAINT),
    ("sendgrid", sendgrid("group_unsubscribe", asm_group_id=7), Kind.FEEDBACK, C.UNSUBSCRIBE),
    ("postmark", dict(PROVIDERS["postmark"].bounce), Kind.BOUNCE, C.NO_MAILBOX),
    ("postmark", postmark("HardBounce"), Kind.BOUNCE, C.NO_MAILBOX),
    ("postmark", postmark("HardBounce", f"smtp;{LISTED}"), Kind.BOUNCE, C.BLOCKED_REPUTATION),
    ("postmark", postmark("BadEmailAddress"), Kind.BOUNCE, C.NO_MAILBOX),
    ("postmark", postmark("Blocked", "smtp;550 no"), Kind.BOUNCE, C.BLOCKED_POLICY),
    ("postmark", postmark("DMARCPolicy"), Kind.BOUNCE, C.BLOCKED_POLICY),
    ("postmark", postmark("SpamNotification", "smtp;550 5.1.1 spam"), Kind.BOUNCE, C.BLOCKED_CONTENT),
    ("postmark", postmark("SoftBounce", f"smtp;{FULL}"), Kind.BOUNCE, C.MAILBOX_FULL),
    ("postmark", postmark("SoftBounce"), Kind.BOUNCE, C.RECEIVER_ERROR),
    ("postmark", postmark("Transient", "smtp;451 4.4.1 no answer"), Kind.DELAY, C.DELAY),
    ("postmark", postmark("DnsError"), Kind.DELAY, C.DELAY),
    ("postmark", postmark("AutoResponder"), Kind.AUTO_REPLY, C.AUTO_REPLY),
    ("postmark", postmark("ChallengeVerification"), Kind.CHALLENGE, C.CHALLENGE),
    ("postmark", postmark("Unknown", "nobody knows"), Kind.BOUNCE, C.UNKNOWN),
    ("postmark", {"RecordType": "SpamComplaint", "Email": ANNA}, Kind.FEEDBACK, C.COMPLAINT),
    ("postmark", {"RecordType": "SubscriptionChange", "Recipient": ANNA}, Kind.FEEDBACK, C.UNSUBSCRIBE),
    ("mailgun", dict(PROVIDERS["mailgun"].bounce), Kind.BOUNCE, C.NO_MAILBOX),
    ("mailgun", mailgun("permanent", "bounce", 550), Kind.BOUNCE, C.NO_MAILBOX),
    ("mailgun", mailgun("permanent", "bounce", 550, "5.7.1 blocked using zen.spamhaus.org"), Kind.BOUNCE, C.BLOCKED_REPUTATION),
    ("mailgun", mailgun("permanent", "suppress-bounce", 605, "Not delivering to previously bounced address"), Kind.BOUNCE, C.NO_MAILBOX),
    ("mailgun", mailgun("permanent", "suppress-complaint", 607), Kind.FEEDBACK, C.COMPLAINT),
    ("mailgun", mailgun("permanent", "suppress-unsubscribe", 606), Kind.FEEDBACK, C.UNSUBSCRIBE),
    ("mailgun", mailgun("permanent", "old", 602, "Too old"), Kind.BOUNCE, C.UNREACHABLE),
    ("mailgun", mailgun("permanent", "generic", 552, "5.2.2 The mailbox is full"), Kind.BOUNCE, C.MAILBOX_FULL),
    ("mailgun", mailgun("temporary", "generic", 452, "4.2.2 full"), Kind.DELAY, C.DELAY),
    ("mailgun", {"event": "complained", "recipient": ANNA}, Kind.FEEDBACK, C.COMPLAINT),
    ("mailgun", {"event": "unsubscribed", "recipient": ANNA}, Kind.FEEDBACK, C.UNSUBSCRIBE),
    ("mailgun", {"event": "rejected", "reject": {"reason": "Virus"}, "message": {"headers": {"to": ANNA}}}, Kind.BOUNCE, C.BLOCKED_CONTENT),
    ("brevo", dict(PROVIDERS["brevo"].bounce), Kind.BOUNCE, C.NO_MAILBOX),
    ("brevo", brevo("hard_bounce"), Kind.BOUNCE, C.NO_MAILBOX),
    ("brevo", brevo("hardBounce", LISTED), Kind.BOUNCE, C.BLOCKED_REPUTATION),
    ("brevo", brevo("invalid_email"), Kind.BOUNCE, C.NO_MAILBOX),
    ("brevo", brevo("blocked", "blocked : due to blacklist user"), Kind.BOUNCE, C.UNKNOWN),
    ("brevo", brevo("soft_bounce", FULL), Kind.BOUNCE, C.MAILBOX_FULL),
    ("brevo", brevo("softBounce"), Kind.BOUNCE, C.RECEIVER_ERROR),
    ("brevo", brevo("deferred", "451 4.7.1 later"), Kind.DELAY, C.DELAY),
    ("brevo", brevo("deferred", "550 RecipientError: 550 5.1.1 <anna@quay.example.org>: user unknown"), Kind.BOUNCE, C.NO_MAILBOX),
    ("brevo", brevo("spam"), Kind.FEEDBACK, C.COMPLAINT),
    ("brevo", brevo("complaint"), Kind.FEEDBACK, C.COMPLAINT),
    ("brevo", brevo("unsubscribed"), Kind.FEEDBACK, C.UNSUBSCRIBE),
    ("mailjet", dict(PROVIDERS["mailjet"].bounce), Kind.BOUNCE, C.NO_MAILBOX),
    ("mailjet", mailjet("bounce", "user unknown", **HARD), Kind.BOUNCE, C.NO_MAILBOX),
    ("mailjet", mailjet("bounce", **HARD), Kind.BOUNCE, C.NO_MAILBOX),
    ("mailjet", mailjet("bounce", "user unknown", LISTED, **HARD), Kind.BOUNCE, C.BLOCKED_REPUTATION),
    ("mailjet", mailjet("bounce", "quota exceeded"), Kind.BOUNCE, C.MAILBOX_FULL),
    ("mailjet", mailjet("bounce", "greylisted", hard_bounce=False), Kind.DELAY, C.DELAY),
    ("mailjet", mailjet("bounce"), Kind.BOUNCE, C.RECEIVER_ERROR),
    ("mailjet", mailjet("blocked", "preblocked"), Kind.BOUNCE, C.UNKNOWN),
    ("mailjet", mailjet("bounce", "blacklisted", **HARD), Kind.BOUNCE, C.UNKNOWN),
    ("mailjet", mailjet("bounce", "protocol issue"), Kind.BOUNCE, C.RECEIVER_ERROR),
    ("mailjet", mailjet("blocked", "content blocked"), Kind.BOUNCE, C.BLOCKED_CONTENT),
    ("mailjet", mailjet("blocked", "spam reporter"), Kind.FEEDBACK, C.COMPLAINT),
    ("mailjet", mailjet("spam", source="JMRPP"), Kind.FEEDBACK, C.COMPLAINT),
    ("mailjet", mailjet("unsub"), Kind.FEEDBACK, C.UNSUBSCRIBE),
]  # fmt: skip


@pytest.mark.parametrize(("name", "event", "kind", "category"), CASES)
def test_events_tell_what_happened(
    name: str, event: dict[str, Any], kind: Kind, category: Category
) -> None:
    found = told(name, event)
    assert (found.kind, [one.category for one in found.reports]) == (kind, [category])
    assert found.reports[0].recipient == ANNA


def test_reports_have_what_a_mail_would_have() -> None:
    for name, provider in PROVIDERS.items():
        found = told(name, provider.bounce)
        (report,) = found.reports
        assert (report.action, report.status, report.permanent) == ("failed", "5.1.1", True), name
        assert report.diagnostic is not None and "nobody of this name" in report.diagnostic
        assert found.original_message_id == (None if name == "mailjet" else OUR_ID)


def test_only_what_is_kept_is_read_and_all_that_is_kept_is() -> None:
    for name, provider in PROVIDERS.items():
        assert told(name, provider.opened).reports == ()
        body, headers = provider.request(provider.bounce, NOW)
        found = arrivals(name, body, headers, provider.settings, NOW, lasting_certificate())
        assert isinstance(found, Taken)
        kept = read(found.arrivals[0].source, found.arrivals[0].raw, RULES)
        assert kept == told(name, provider.bounce)
    assert read("webhook:other", b"{}", RULES).kind is Kind.OTHER
    assert read("pipe", b"{}", RULES).kind is Kind.OTHER


def test_of_several_recipients_each_has_a_report() -> None:
    people = [
        {"emailAddress": ANNA, "diagnosticCode": "smtp; 550 5.1.1 nobody of this name"},
        {"emailAddress": "boris@quay.example.org", "diagnosticCode": f"smtp; {FULL}"},
    ]
    event = ses_bounce("Permanent", "General")
    event["bounce"]["bouncedRecipients"] = people
    found = told("ses", event)
    assert [one.category for one in found.reports] == [C.NO_MAILBOX, C.MAILBOX_FULL]


def test_a_complaint_that_is_taken_back_is_none() -> None:
    event = {"eventType": "Complaint", "complaint": {"complaintFeedbackType": "not-spam"}}
    assert told("ses", event).reports == ()


def test_nobody_is_dead_by_a_label_whose_words_speak_of_something_else() -> None:
    for words in ("550 5.7.1 refused", "554 5.7.0 refused", "421 4.7.0 slow down"):
        for name, event in (
            ("sendgrid", sendgrid("bounce", type="bounce", reason=words)),
            ("postmark", postmark("HardBounce", words)),
            ("brevo", brevo("hard_bounce", words)),
            ("mailjet", mailjet("bounce", "user unknown", words, **HARD)),
        ):
            assert not told(name, event).reports[0].category.is_dead, (name, words)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)


def _keys(event: Any) -> set[str]:
    if isinstance(event, dict):
        return set(event).union(*(_keys(one) for one in event.values()))
    return set().union(*(_keys(one) for one in event)) if isinstance(event, list) else set()


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_event_raises_whatever_it_holds(name: str, data: st.DataObject) -> None:
    event = json.loads(
        json.dumps(data.draw(st.sampled_from([c[1] for c in CASES if c[0] == name])))
    )
    known = st.sampled_from(sorted(_keys(event)))
    for _ in range(data.draw(st.integers(0, 3))):
        place: Any = event
        key = data.draw(known)
        while isinstance(place, dict) and key not in place:
            inner = [one for one in place.values() if isinstance(one, dict)]
            if not inner:
                break
            place = data.draw(st.sampled_from(inner))
        if isinstance(place, dict):
            place[key] = data.draw(VALUES | st.text(max_size=200))
    module = __import__(f"mailout.core.webhook.{name}", fromlist=["read"])
    raw = canonical(event)
    module.read(json.loads(raw), RULES)  # without the net of `provider.read`
    assert read(f"webhook:{name}", raw, RULES).kind in Kind


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None)
@given(body=st.binary(max_size=300) | VALUES.map(lambda one: json.dumps(one).encode()))
def test_no_body_raises_and_none_is_half_kept(name: str, body: bytes) -> None:
    provider = PROVIDERS[name]
    headers = dict(provider.request({}, NOW)[1])
    found = arrivals(name, body, headers, provider.settings, NOW, lasting_certificate())
    assert not isinstance(found, Taken) or not found.arrivals
    if name == "ses":
        assert ses.certificate_url(body, provider.settings) == ""  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None)
@given(event=VALUES)
def test_no_authentic_nonsense_raises(name: str, event: Any) -> None:
    provider = PROVIDERS[name]
    body, headers = provider.request(event, NOW)
    found = arrivals(name, body, headers, provider.settings, NOW, lasting_certificate())
    assert not isinstance(found, Taken) or not found.arrivals


@given(st.text(), st.text(max_size=30))
def test_what_is_kept_is_one_spelling(text: str, key: str) -> None:
    raw = canonical({key: text, "list": [{"name": "Received", "value": "x"}]})
    assert canonical(json.loads(raw)) == raw
    assert b"Received" not in raw or "Received" in text + key


def test_what_is_kept_is_found_by_an_address_in_any_script() -> None:
    assert "инфо@письмо.example.org".encode() in canonical({"email": "инфо@письмо.example.org"})


@pytest.mark.parametrize("trace", ["192.0.2.7", "2001:db8::7", "::1"])
def test_network_addresses_are_not_kept_whatever_their_field_is_called(trace: str) -> None:
    event = {"a": trace, "b": [trace, {"ses:outgoing-ip": [trace]}], "UserAgent": "x", "c": "1.5"}
    assert json.loads(canonical(event)) == {
        "a": None,
        "b": [None, {"ses:outgoing-ip": [None]}],
        "c": "1.5",
    }
