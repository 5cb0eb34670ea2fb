"""SendGrid: batches of events, signed as a whole.

| event | is |
|---|---|
| bounce, type bounce | dead, unless the words say otherwise |
| bounce, type blocked | blocked, unless the words say otherwise |
| bounce, type expired | unreachable |
| bounce with a `bounce_classification` | that class, unless the words say otherwise |
| dropped | what its reason says: an earlier bounce, complaint or leave, or spam |
| deferred | delay |
| spamreport | complaint |
| unsubscribe, group_unsubscribe | unsubscribe |

The signature is ECDSA over the timestamp and the body. `smtp-id` is our Message-ID.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from mailout.core.inbound.category import Category
from mailout.core.inbound.report import Inbound
from mailout.core.inbound.rules import Rules
from mailout.core.webhook import finding, proof
from mailout.core.webhook.event import FORGED, NONSENSE, Event, Verdict, kept, objects, parsed, text
from mailout.core.webhook.settings import SendGrid

NAME = "sendgrid"
SIGNATURE = "x-twilio-email-event-webhook-signature"
TIMESTAMP = "x-twilio-email-event-webhook-timestamp"
_KEPT = frozenset(
    {
        *("bounce", "blocked", "dropped", "deferred", "spamreport"),
        *("unsubscribe", "group_unsubscribe"),
    }
)

C = Category
_BOUNCES = {"bounce": C.NO_MAILBOX, "blocked": C.BLOCKED_POLICY, "expired": C.UNREACHABLE}
# How SendGrid classes a reply (`bounce_classification`), in small letters, as it begins. Any other
# class says no more than the type.
_CLASSES = (
    ("invalid address", C.NO_MAILBOX),
    ("content", C.BLOCKED_CONTENT),
    ("reputation", C.BLOCKED_REPUTATION),
    ("frequency", C.RATE_LIMITED),
    ("technical", C.RECEIVER_ERROR),
)
# In small letters, as they begin: what SendGrid's own lists and limits say is not in doubt.
_DROPS = (
    ("bounced address", C.NO_MAILBOX),
    ("invalid", C.NO_MAILBOX),
    ("spam content", C.BLOCKED_CONTENT),
    ("recipient list over", C.RATE_LIMITED),
)


def arrivals(body: bytes, headers: Mapping[str, str], settings: SendGrid, now: datetime) -> Verdict:
    """What of a request is kept."""
    timestamp = headers.get(TIMESTAMP, "")
    signature = headers.get(SIGNATURE, "")
    if not signature or not proof.is_recent(proof.seconds(timestamp), now):
        return FORGED
    if not proof.ecdsa_signed(settings.public_key, signature, timestamp.encode() + body):
        return FORGED
    events = objects(parsed(body))
    if events is None:
        return NONSENSE
    wanted = [event for event in events if text(event, "event") in _KEPT]
    return kept(NAME, [(event, _identity(event)) for event in wanted])


def _identity(event: Event) -> tuple[str, ...]:
    number = text(event, "sg_event_id")
    parts = ("event", "email", "sg_message_id", "timestamp")
    return (number,) if number else tuple(text(event, part) for part in parts)


def read(event: Event, rules: Rules) -> Inbound:
    """What one kept event tells."""
    kind, who = text(event, "event"), text(event, "email")
    words = text(event, "reason") or text(event, "response")
    message_id = text(event, "smtp-id")
    if kind in ("spamreport", "unsubscribe", "group_unsubscribe"):
        category = C.COMPLAINT if kind == "spamreport" else C.UNSUBSCRIBE
        return finding.told(category, [who], words, message_id)
    if kind == "deferred":
        status = text(event, "status")
        return finding.delay(rules, who, words, status=status, message_id=message_id)
    if kind == "dropped":
        return _dropped(rules, who, words, message_id)
    if kind not in ("bounce", "blocked"):
        return finding.NOTHING
    sort = "blocked" if kind == "blocked" else text(event, "type")
    expired = sort == "expired"  # its words are the last that were heard before it was too old
    named = None if expired else _beginning(text(event, "bounce_classification"), _CLASSES)
    report = finding.bounced(
        rules,
        who,
        words,
        status=text(event, "status"),
        label=named or _BOUNCES.get(sort, C.UNKNOWN),
        sure=expired,
    )
    return finding.bounce([report], message_id)


def _dropped(rules: Rules, who: str, words: str, message_id: str) -> Inbound:
    said = words.strip().lower()
    if said.startswith("spam report"):
        return finding.told(C.COMPLAINT, [who], words, message_id)
    if said.startswith(("unsubscribed", "group unsubscribe")):
        return finding.told(C.UNSUBSCRIBE, [who], words, message_id)
    # `Invalid SMTPAPI header` is no address that is invalid.
    label = None if "smtpapi" in said else _beginning(said, _DROPS)
    return finding.bounce(
        [finding.bounced(rules, who, words, label=label or C.UNKNOWN, sure=True)], message_id
    )


def _beginning(words: str, known: tuple[tuple[str, Category], ...]) -> Category | None:
    said = words.strip().lower()
    return next((category for begin, category in known if said.startswith(begin)), None)
