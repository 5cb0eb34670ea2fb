"""Amazon SES, whose notices come through SNS: signed, and subscribed to.

| Type | does |
|---|---|
| Notification | its `Message` is the event, as JSON in a string |
| SubscriptionConfirmation | begins a subscription once its address is fetched |
| UnsubscribeConfirmation | nothing: fetching its address would take the end back |

| event | is |
|---|---|
| Bounce, Permanent | dead, unless the words say otherwise |
| Bounce, Permanent, OnAccountSuppressionList | unknown: the account's own list, of bounces and complaints |
| Bounce, Transient | soft; ContentRejected and the like blocked; General without a reply is an absence note as often as not, and unknown |
| Complaint | complaint |
| DeliveryDelay | delay |
| Reject | blocked-content: SES found a virus |
| Subscription | unsubscribe |

Our own Message-ID and the token header are in `mail.headers`, if the headers are included.
"""  # noqa: E501 - a table

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlsplit

from mailout.core.inbound.category import Category
from mailout.core.inbound.report import Inbound, Report
from mailout.core.inbound.rules import Rules
from mailout.core.webhook import finding, proof
from mailout.core.webhook.event import (
    FORGED,
    NONSENSE,
    Event,
    Taken,
    Verdict,
    inside,
    items,
    kept,
    parsed,
    text,
)
from mailout.core.webhook.settings import Ses

NAME = "ses"
_HOST = re.compile(r"sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?")
_CERTIFICATE = re.compile(r"/SimpleNotificationService-[A-Za-z0-9]{8,80}\.pem")
_TOLD = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_ASKED = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_SIGNED = {
    "Notification": _TOLD,
    "SubscriptionConfirmation": _ASKED,
    "UnsubscribeConfirmation": _ASKED,
}
_KEPT = ("Bounce", "Complaint", "DeliveryDelay", "Reject", "Subscription")

C = Category
# Of these SES is surer than the words: it counted, or looked, by itself.
_SURE = {
    "MailboxFull": C.MAILBOX_FULL,
    "MessageTooLarge": C.TOO_BIG,
    "ContentRejected": C.BLOCKED_CONTENT,
    "AttachmentRejected": C.BLOCKED_CONTENT,
    "CustomTimeoutExceeded": C.UNREACHABLE,
    "Suppressed": C.NO_MAILBOX,
    "OnAccountSuppressionList": C.UNKNOWN,
    "UnsubscribedRecipient": C.UNKNOWN,
}


def certificate_url(body: bytes, settings: Ses) -> str:
    """Where the certificate is that a request is signed with; empty if it is not to be fetched,
    since the request is of no topic of ours or the address of no server of SNS."""
    envelope = parsed(body)
    url = text(envelope, "SigningCertURL")
    ours = text(envelope, "TopicArn") in settings.topics
    return url if ours and is_of_sns(url) and _CERTIFICATE.fullmatch(urlsplit(url).path) else ""


def is_of_sns(url: str) -> bool:
    """Whether this is an https address of a server of SNS, at the usual port."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    # `urlsplit` passes over line breaks and tabs; nobody else has to.
    plain = url.isascii() and url.isprintable() and " " not in url
    return plain and parts.scheme == "https" and bool(_HOST.fullmatch(parts.netloc))


def arrivals(
    body: bytes,
    headers: Mapping[str, str],
    settings: Ses,
    now: datetime,
    certificate: bytes = b"",
) -> Verdict:
    """What of a request is kept; `certificate` is what stands at `certificate_url`."""
    envelope = parsed(body)
    kind = text(envelope, "Type")
    if not certificate or not certificate_url(body, settings):
        return FORGED
    message = _to_be_signed(envelope, kind)
    version = text(envelope, "SignatureVersion")
    if not message or version not in ("1", "2"):
        return FORGED
    signature = text(envelope, "Signature")
    if not proof.rsa_signed(certificate, signature, message, sha1=version == "1", now=now):
        return FORGED
    if not proof.is_recent(proof.iso(text(envelope, "Timestamp")), now):
        return FORGED
    if kind == "SubscriptionConfirmation":
        url = text(envelope, "SubscribeURL")
        return Taken(confirm=url) if is_of_sns(url) else FORGED
    return _notified(envelope) if kind == "Notification" else Taken()


def _to_be_signed(envelope: Event, kind: str) -> bytes:
    """The text that SNS signs: names and values by turns, a line each; empty if one is missing."""
    lines = []
    for name in _SIGNED.get(kind, ()):
        value = inside(envelope, name)
        if value is None and name == "Subject":
            continue
        if not isinstance(value, str):
            return b""
        lines += [name, value]
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")


def _notified(envelope: Event) -> Verdict:
    said = text(envelope, "Message")
    if said.startswith("Successfully validated SNS topic"):
        return Taken()  # what SES says once when events are switched on
    event = parsed(said.encode("utf-8", "surrogatepass"))
    if not isinstance(event, dict):
        return NONSENSE
    kind = _kind(event)
    if kind not in _KEPT:
        return Taken()
    # Two topics may tell of the same bounce: its own number is the same in both.
    number = text(event, kind.lower(), "feedbackId") or text(envelope, "MessageId")
    return kept(NAME, [(event, (kind, number))])


def _kind(event: Event) -> str:
    return text(event, "eventType") or text(event, "notificationType")


def read(event: Event, rules: Rules) -> Inbound:
    """What one kept event tells."""
    message_id = _message_id(event)
    kind = _kind(event)
    if kind == "Bounce":
        return _bounce(event, rules, message_id)
    if kind == "Complaint":
        people = _addresses(event, "complaint", "complainedRecipients")
        # What has `not-spam` for its type takes a complaint back.
        words = text(event, "complaint", "complaintFeedbackType")
        if words == "not-spam":
            return finding.NOTHING
        return finding.told(C.COMPLAINT, people, words, message_id)
    if kind == "DeliveryDelay":
        late = items(event, "deliveryDelay", "delayedRecipients")
        first: Event = late[0] if late else {}
        words = text(first, "diagnosticCode") or text(event, "deliveryDelay", "delayType")
        status = text(first, "status")
        who = text(first, "emailAddress")
        return finding.delay(rules, who, words, status=status, message_id=message_id)
    if kind == "Reject":
        words = text(event, "reject", "reason")
        found = [
            finding.bounced(rules, who, words, label=C.BLOCKED_CONTENT, sure=True)
            for who in _destination(event)
        ]
        return finding.bounce(found, message_id)
    if kind == "Subscription":
        return finding.told(C.UNSUBSCRIBE, _destination(event), "", message_id)
    return finding.NOTHING


def _bounce(event: Event, rules: Rules, message_id: str) -> Inbound:
    subtype = text(event, "bounce", "bounceSubType")
    permanent = text(event, "bounce", "bounceType") == "Permanent"
    label = C.NO_MAILBOX if permanent else C.RECEIVER_ERROR
    people = items(event, "bounce", "bouncedRecipients")
    found: list[Report] = []
    for one in people:
        who, words = text(one, "emailAddress"), text(one, "diagnosticCode")
        status = text(one, "status")
        if not permanent and finding.answers_by_itself(rules, words):
            return finding.told(C.AUTO_REPLY, [who], words, message_id)
        own = _SURE.get(subtype, label)
        if not permanent and subtype in ("General", "Undetermined") and not (words or status):
            own = C.UNKNOWN
        found.append(
            finding.bounced(
                rules,
                who,
                words,
                status=status,
                label=own,
                sure=subtype in _SURE,
                permanent=permanent,
            )
        )
    return finding.bounce(found, message_id)


def _addresses(event: Event, *path: str) -> list[str]:
    return [text(one, "emailAddress") for one in items(event, *path)]


def _destination(event: Event) -> list[str]:
    found = inside(event, "mail", "destination")
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []


def _message_id(event: Event) -> str:
    """Ours: SES gives a mail another one, and tells ours among the headers."""
    for header in items(event, "mail", "headers"):
        if text(header, "name").lower() == "message-id":
            return text(header, "value")
    return text(event, "mail", "commonHeaders", "messageId")
