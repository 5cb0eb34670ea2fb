"""Brevo: one event a request or a batch, behind a login or a token in a header.

| event | is |
|---|---|
| hard_bounce | dead, unless the words say otherwise |
| invalid_email | no-mailbox |
| blocked | by its words; without any unknown: it is on a list of Brevo's, for whatever reason |
| soft_bounce | soft, unless the words say otherwise |
| deferred | delay; a bounce where it is for good by the words, which Brevo has been seen to do |
| spam, complaint | complaint |
| unsubscribe, unsubscribed | unsubscribe |

Events of campaigns are spelt `hardBounce`, those of single mails `hard_bounce`. Brevo numbers no
events: `id` is the webhook's. `X-Mailin-custom` may be the token header.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from mailout.core.inbound.category import Category
from mailout.core.inbound.reason import is_plain, reply_code
from mailout.core.inbound.report import Inbound
from mailout.core.inbound.rules import Rules
from mailout.core.webhook import finding, proof
from mailout.core.webhook.event import FORGED, NONSENSE, Event, Verdict, kept, objects, parsed, text
from mailout.core.webhook.settings import Login

NAME = "brevo"
_TOLD = frozenset({"spam", "complaint", "unsubscribe", "unsubscribed"})
_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_IDENTITY = ("email", "message-id", "camp_id", "ts_epoch", "ts_event", "ts")

C = Category
_BOUNCES = {
    "hard_bounce": (C.NO_MAILBOX, False),
    "invalid_email": (C.NO_MAILBOX, True),
    "invalid": (C.NO_MAILBOX, True),
    "blocked": (C.UNKNOWN, False),
    "soft_bounce": (C.RECEIVER_ERROR, False),
}
_KEPT = _TOLD | {*_BOUNCES, "deferred"}


def arrivals(body: bytes, headers: Mapping[str, str], settings: Login, now: datetime) -> Verdict:
    """What of a request is kept."""
    if not proof.shows(headers, settings):
        return FORGED
    events = objects(parsed(body))
    if events is None:
        return NONSENSE
    wanted = [event for event in events if _kind(event) in _KEPT]
    return kept(NAME, [(event, _identity(event)) for event in wanted])


def _identity(event: Event) -> tuple[str, ...]:
    parts = [text(event, part) for part in _IDENTITY]
    return (_kind(event), *parts) if any(parts[1:]) else ()


def _kind(event: Event) -> str:
    """The event's name with small letters and underscores."""
    return _CAPITAL.sub("_", text(event, "event")).lower()


def read(event: Event, rules: Rules) -> Inbound:
    """What one kept event tells."""
    kind, who = _kind(event), text(event, "email")
    if kind not in _KEPT:
        return finding.NOTHING
    words, message_id = text(event, "reason").strip(), text(event, "message-id")
    if kind in _TOLD:
        category = C.UNSUBSCRIBE if kind.startswith("unsub") else C.COMPLAINT
        return finding.told(category, [who], words, message_id)
    final = reply_code(words).startswith("5") and is_plain(rules, words)
    if kind == "deferred" and not final:
        return finding.delay(rules, who, words, message_id=message_id)
    label, sure = _BOUNCES.get(kind, (C.UNKNOWN, False))
    if kind == "blocked" and not reply_code(words):
        sure = True  # no server said so: it is about this address, and no more is known
    report = finding.bounced(
        rules, who, words, label=label, sure=sure, permanent=kind != "soft_bounce"
    )
    return finding.bounce([report], message_id)
