"""Mailgun: one event a request, with a signature inside the body.

| event | is |
|---|---|
| failed, permanent | by its words and code; without any dead, if its reason is a bounce |
| failed, permanent, reason suppress-bounce, suppress-complaint, suppress-unsubscribe | what that list holds |
| failed, temporary | delay: Mailgun goes on trying |
| rejected | blocked-content: Mailgun did not send it |
| complained | complaint |
| unsubscribed | unsubscribe |

The signature is an HMAC over a timestamp and a token, and not over the event. So a token counts
once (`Taken.once`): who has seen one request cannot have another event believed with it. An event's
own number is "unique within a day", so its time belongs to it.
"""  # noqa: E501 - a table

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime

from mailout.core.inbound.category import Category
from mailout.core.inbound.report import Inbound
from mailout.core.inbound.rules import Rules
from mailout.core.webhook import finding, proof
from mailout.core.webhook.event import (
    FORGED,
    NONSENSE,
    Event,
    Taken,
    Verdict,
    inside,
    kept,
    parsed,
    text,
)
from mailout.core.webhook.settings import SigningKey

NAME = "mailgun"
_KEPT = ("failed", "rejected", "complained", "unsubscribed")

C = Category


def arrivals(
    body: bytes, headers: Mapping[str, str], settings: SigningKey, now: datetime
) -> Verdict:
    """What of a request is kept."""
    request = parsed(body)
    signed = [text(request, "signature", part) for part in ("timestamp", "token", "signature")]
    timestamp, token, signature = signed
    message = f"{timestamp}{token}".encode("utf-8", "surrogatepass")
    wanted = hmac.new(settings.key.encode(), message, "sha256").hexdigest()
    # The bound between the two is not signed: a moment has ten digits for some centuries yet.
    whole = len(timestamp) == 10 and bool(token)
    if not (settings.key and proof.same(signature, wanted) and whole):
        return FORGED
    if not proof.is_recent(proof.seconds(timestamp), now):
        return FORGED
    event = inside(request, "event-data")
    if not isinstance(event, dict):
        return NONSENSE
    if text(event, "event") not in _KEPT:
        return Taken(once=token)
    identity = (text(event, "event"), text(event, "id"), text(event, "timestamp"))
    return kept(NAME, [(event, identity)], once=token)


def read(event: Event, rules: Rules) -> Inbound:
    """What one kept event tells."""
    kind, reason = text(event, "event"), text(event, "reason")
    who = text(event, "recipient") or text(event, "message", "headers", "to")
    message_id = text(event, "message", "headers", "message-id")
    if kind == "complained" or reason == "suppress-complaint":
        return finding.told(C.COMPLAINT, [who], reason, message_id)
    if kind == "unsubscribed" or reason == "suppress-unsubscribe":
        return finding.told(C.UNSUBSCRIBE, [who], reason, message_id)
    if kind == "rejected":
        words = text(event, "reject", "reason") or text(event, "reject", "description")
        report = finding.bounced(rules, who, words, label=C.BLOCKED_CONTENT, sure=True)
        return finding.bounce([report], message_id)
    if kind != "failed":
        return finding.NOTHING
    words, status = _reply(event), text(event, "delivery-status", "enhanced-code")
    if text(event, "severity") == "temporary":
        return finding.delay(rules, who, words, status=status, message_id=message_id)
    label, sure = _label(event, reason)
    report = finding.bounced(rules, who, words, status=status, label=label, sure=sure)
    return finding.bounce([report], message_id)


def _label(event: Event, reason: str) -> tuple[Category, bool]:
    """What Mailgun makes of it, and whether it knows best."""
    if reason == "suppress-bounce":
        return C.NO_MAILBOX, True
    if reason in ("old", "espblock"):  # tried until it was too old; the receiver blocks us
        return (C.UNREACHABLE if reason == "old" else C.BLOCKED_POLICY), False
    permanent = text(event, "delivery-status", "code").startswith("5")
    dead = reason == "bounce" or (permanent and not reason)
    return (C.NO_MAILBOX if dead else C.UNKNOWN), False


def _reply(event: Event) -> str:
    """The server's reply with its code in front, as it was in the session."""
    status = inside(event, "delivery-status")
    words = text(status, "message") or text(status, "description")
    code = text(status, "code")
    smtp = len(code) == 3 and code[0] in "45" and code != "498" and code != "499"
    return f"{code} {words}".strip() if smtp and not words.startswith(code) else words
