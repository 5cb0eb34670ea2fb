"""Postmark: one event a request, behind a login or a header of ours.

| RecordType, Type | is |
|---|---|
| Bounce, HardBounce | dead, unless the words say otherwise |
| Bounce, BadEmailAddress | no-mailbox |
| Bounce, Blocked, DMARCPolicy, SpamNotification, VirusNotification | blocked |
| Bounce, SoftBounce, Unknown | soft, unless the words say otherwise |
| Bounce, Transient, DnsError | delay: Postmark goes on trying |
| Bounce, AutoResponder, ChallengeVerification | auto-reply, challenge |
| SpamComplaint | complaint |
| SubscriptionChange, SuppressionReason ManualSuppression | unsubscribe; other reasons repeat what was told |

`MessageID` is a number of Postmark's own. Whose it is, says `Metadata`, if the token header is
`X-PM-Metadata-..`, else what the dump of the bounce has of our headers: of the dump (`Content`)
only these lines are kept.
"""  # noqa: E501 - a table

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from mailout.core.inbound.category import Category
from mailout.core.inbound.report import Inbound
from mailout.core.inbound.rules import Rules
from mailout.core.webhook import finding, proof
from mailout.core.webhook.event import FORGED, NONSENSE, Event, Taken, Verdict, kept, parsed, text
from mailout.core.webhook.settings import Login

NAME = "postmark"
_KEPT = ("Bounce", "SpamComplaint", "SubscriptionChange")
_OURS = re.compile(r"(?im)^(?:message-id:[ \t]*<[^<>\s]{3,900}>|x-[a-z0-9-]+:[ \t]*[0-9a-f]{32})")
_MOST_DUMP = 1_000_000

C = Category
_LABELS = {
    "HardBounce": (C.NO_MAILBOX, False),
    "BadEmailAddress": (C.NO_MAILBOX, True),
    "Blocked": (C.BLOCKED_POLICY, False),
    "DMARCPolicy": (C.BLOCKED_POLICY, True),
    "SpamNotification": (C.BLOCKED_CONTENT, True),
    "VirusNotification": (C.BLOCKED_CONTENT, True),
    "SoftBounce": (C.RECEIVER_ERROR, False),
}
_TOLD = {
    "AutoResponder": C.AUTO_REPLY,
    "AddressChange": C.AUTO_REPLY,
    "ChallengeVerification": C.CHALLENGE,
    "SpamComplaint": C.COMPLAINT,
    "Unsubscribe": C.UNSUBSCRIBE,
}


def arrivals(body: bytes, headers: Mapping[str, str], settings: Login, now: datetime) -> Verdict:
    """What of a request is kept."""
    if not proof.shows(headers, settings):
        return FORGED
    event = parsed(body)
    if not isinstance(event, dict):
        return NONSENSE
    kind = text(event, "RecordType")
    if kind not in _KEPT or (kind == "SubscriptionChange" and not _is_leave(event)):
        return Taken()
    dump = text(event, "Content")[:_MOST_DUMP]
    event["Content"] = "\n".join(found[0] for found in _OURS.finditer(dump))
    number = text(event, "ID")
    when = ("MessageID", "Recipient", "ChangedAt")
    rest = (number,) if number else tuple(text(event, part) for part in when)
    return kept(NAME, [(event, (kind, *rest))])


def _is_leave(event: Event) -> bool:
    return (
        event.get("SuppressSending") is True
        and text(event, "SuppressionReason") == "ManualSuppression"
    )


def read(event: Event, rules: Rules) -> Inbound:
    """What one kept event tells."""
    kind, sort = text(event, "RecordType"), text(event, "Type")
    who = text(event, "Email") or text(event, "Recipient")
    words = text(event, "Details") or text(event, "Description")
    found = re.search(r"(?i)message-id:[ \t]*(<[^<>\s]+>)", text(event, "Content"))
    message_id = found[1] if found else ""
    if kind == "SubscriptionChange":
        return finding.told(C.UNSUBSCRIBE, [who], "", message_id)
    category = C.COMPLAINT if kind == "SpamComplaint" else _TOLD.get(sort)
    if category is not None:
        return finding.told(category, [who], words, message_id)
    if kind != "Bounce":
        return finding.NOTHING
    if sort in ("Transient", "DnsError"):
        return finding.delay(rules, who, words, message_id=message_id)
    label, sure = _LABELS.get(sort, (C.UNKNOWN, False))
    report = finding.bounced(
        rules, who, words, label=label, sure=sure, permanent=sort != "SoftBounce"
    )
    return finding.bounce([report], message_id)
