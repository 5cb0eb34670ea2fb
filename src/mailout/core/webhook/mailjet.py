"""Mailjet: single events, or batches where events are grouped, behind a login in the address.

| event | is |
|---|---|
| bounce, hard_bounce true | dead, unless its words or `error` say otherwise |
| bounce, hard_bounce false | soft, unless they say otherwise |
| blocked | what its `error` says; unknown for a list of Mailjet's own |
| spam | complaint |
| unsub | unsubscribe |

`error` is one of Mailjet's own readings of a reply; the reply itself may be in `comment`.
`MessageID` is Mailjet's own. `CustomID` is the token, if the token header is `X-MJ-CustomID`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from mailout.core.inbound.category import Category
from mailout.core.inbound.report import Inbound
from mailout.core.inbound.rules import Rules
from mailout.core.webhook import finding, proof
from mailout.core.webhook.event import FORGED, NONSENSE, Event, Verdict, kept, objects, parsed, text
from mailout.core.webhook.settings import Login

NAME = "mailjet"
_KEPT = ("bounce", "blocked", "spam", "unsub")
_IDENTITY = ("event", "email", "MessageID", "Message_GUID", "time")

C = Category
_ERRORS = {
    "user unknown": C.NO_MAILBOX,
    "invalid domain": C.NO_DOMAIN,
    "no mail host": C.NO_DOMAIN,
    "typofix": C.NO_DOMAIN,
    "mailbox inactive": C.DISABLED,
    "quota exceeded": C.MAILBOX_FULL,
    "relay/access denied": C.RELAY_DENIED,
    "greylisted": C.RATE_LIMITED,
    "throttled": C.RATE_LIMITED,
    "connection issue": C.UNREACHABLE,
    "protocol error": C.RECEIVER_ERROR,
    "protocol issue": C.RECEIVER_ERROR,
    "system issue": C.RECEIVER_ERROR,
    "sender blocked": C.BLOCKED_REPUTATION,
    "content blocked": C.BLOCKED_CONTENT,
    "policy issue": C.BLOCKED_POLICY,
    "bad or empty template": C.BLOCKED_CONTENT,
    # Lists and rules of Mailjet's own: what put an address there is not told.
    "preblocked": C.UNKNOWN,
    "blacklisted": C.UNKNOWN,
    "duplicate in campaign": C.UNKNOWN,
}


def arrivals(body: bytes, headers: Mapping[str, str], settings: Login, now: datetime) -> Verdict:
    """What of a request is kept."""
    if not proof.shows(headers, settings):
        return FORGED
    events = objects(parsed(body))
    if events is None:
        return NONSENSE
    wanted = [event for event in events if text(event, "event") in _KEPT]
    identities = [tuple(text(event, part) for part in _IDENTITY) for event in wanted]
    return kept(NAME, list(zip(wanted, identities, strict=True)))


def read(event: Event, rules: Rules) -> Inbound:
    """What one kept event tells."""
    kind, who = text(event, "event"), text(event, "email")
    error = text(event, "error").strip().lower()
    reply = text(event, "comment") or text(event, "smtp_reply")
    if kind in ("spam", "unsub"):
        category = C.COMPLAINT if kind == "spam" else C.UNSUBSCRIBE
        return finding.told(category, [who], text(event, "source"))
    if kind == "blocked" and error == "spam reporter":
        return finding.told(C.COMPLAINT, [who], error)
    if kind not in _KEPT:
        return finding.NOTHING
    hard = event.get("hard_bounce") is True
    if error == "greylisted" and not hard:
        return finding.delay(rules, who, reply or error)
    fallback = C.UNKNOWN if kind == "blocked" else C.NO_MAILBOX if hard else C.RECEIVER_ERROR
    label = _ERRORS.get(error, fallback)
    if label.is_dead and kind == "bounce" and not hard:
        label = C.RECEIVER_ERROR  # not for good, says Mailjet itself
    # Where there is no reply its reading by Mailjet is all there is.
    report = finding.bounced(
        rules, who, reply or error, label=label, sure=not reply, permanent=hard
    )
    return finding.bounce([report])
