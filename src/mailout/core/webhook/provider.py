"""All providers by name: whether a request is theirs, and what a kept event tells."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from mailout.core.arrival import WEBHOOK
from mailout.core.inbound.report import Inbound
from mailout.core.inbound.rules import Rules
from mailout.core.webhook import brevo, finding, mailgun, mailjet, postmark, sendgrid, ses
from mailout.core.webhook.event import FORGED, Verdict, parsed
from mailout.core.webhook.settings import Login, Ready, SendGrid, Ses, SigningKey

NAMES = ("ses", "sendgrid", "postmark", "mailgun", "brevo", "mailjet")
"""The providers whose notices are understood; also the last part of the address of each."""

_RELAYS = {
    "ses": r"email-smtp(?:-fips)?\.[a-z0-9.-]{1,60}\.amazonaws\.com",
    "sendgrid": r"[a-z0-9.-]{1,60}\.sendgrid\.net",
    "postmark": r"[a-z0-9.-]{1,60}\.postmarkapp\.com",
    "mailgun": r"[a-z0-9.-]{1,60}\.mailgun\.org",
    "brevo": r"[a-z0-9.-]{1,60}\.(?:brevo|sendinblue)\.com",
    "mailjet": r"[a-z0-9.-]{1,60}\.mailjet\.com",
}
_LOGGED_IN = {
    "postmark": postmark.arrivals,
    "brevo": brevo.arrivals,
    "mailjet": mailjet.arrivals,
}
_READERS = {
    "ses": ses.read,
    "sendgrid": sendgrid.read,
    "postmark": postmark.read,
    "mailgun": mailgun.read,
    "brevo": brevo.read,
    "mailjet": mailjet.read,
}


def arrivals(
    name: str,
    body: bytes,
    headers: Mapping[str, str],
    settings: Ready,
    now: datetime,
    certificate: bytes = b"",
) -> Verdict:
    """What is kept of a request to the provider's address; the names of `headers` are in small
    letters. `certificate` is for SES alone (`ses.certificate_url`)."""
    if isinstance(settings, Ses):
        return ses.arrivals(body, headers, settings, now, certificate)
    if isinstance(settings, SendGrid):
        return sendgrid.arrivals(body, headers, settings, now)
    if isinstance(settings, SigningKey):
        return mailgun.arrivals(body, headers, settings, now)
    if isinstance(settings, Login) and name in _LOGGED_IN:
        return _LOGGED_IN[name](body, headers, settings, now)
    return FORGED


def takes_mail_at(source: str, relay: str) -> bool:
    """Whether a relay (`host:port`) is one of the provider whose notices come from that source."""
    pattern = _RELAYS.get(source.removeprefix(WEBHOOK))
    host = relay.rpartition(":")[0].lower()
    return pattern is not None and re.fullmatch(pattern, host) is not None


def read(source: str, raw: bytes, rules: Rules) -> Inbound:
    """What one kept event tells (`source` and `raw` of its `Arrival`). It raises on nothing."""
    reader = _READERS.get(source.removeprefix(WEBHOOK))
    event = parsed(raw)
    if reader is None or not isinstance(event, dict):
        return finding.NOTHING
    try:
        return reader(event, rules)
    except Exception:  # whatever an event holds, it must not stop those behind it
        return finding.NOTHING
