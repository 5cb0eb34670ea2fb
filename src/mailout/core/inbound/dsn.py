r"""Delivery status notifications: who failed, and in which words and codes.

`message/delivery-status` is blocks of fields between blank lines: the first about the message,
then one for each recipient. Makers forget the first, put blank lines in the middle, encode the
part, name it `message/global-delivery-status`, or send it as plain text. OpenSMTPD calls the end of
all tries a delay.

Standards: RFC 3464 2 (blocks and fields), RFC 6533 (UTF-8), RFC 3461 4 (xtext), RFC 3463 (codes).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from mailout.core.inbound.mail import Fields, Mail, fields_of

TYPES = ("message/delivery-status", "message/global-delivery-status")
_MOST_RECIPIENTS = 500
_RECIPIENT = ("final-recipient", "original-recipient", "x-actual-recipient")
_BLANK_LINES = re.compile(r"\n[ \t]*\n\s*")
_XTEXT = re.compile(r"\+([0-9A-F]{2})")
_UNICODE = re.compile(r"\\x\{([0-9A-Fa-f]{1,6})\}")
_ACTION = re.compile(r"[a-z]{1,20}")
_EXPIRED = re.compile(r"(?m)^[^\n]{3,320}: Envelope expired[ \t\r]{0,9}$")
_LOOSE = re.compile(r"(?mi)^(?:final|original)-recipient[ \t]{0,9}:")


@dataclass(frozen=True, slots=True)
class Told:
    """What a notification says of one recipient.

    `recipients` is whom it may mean, the one that we wrote to first; `action` is empty where
    none is given; `diagnostic` are the other server's words without their type.
    """

    recipients: tuple[str, ...]
    action: str
    status: str
    diagnostic: str
    remote: str


def told(mail: Mail, words: str = "") -> tuple[Told, ...]:
    """What the notifications among a mail's parts say, recipient by recipient; `words` are those
    that stand before them."""
    found: list[Told] = []
    for part in mail.of_type(*TYPES):
        found += _blocks(part.text)
    if _EXPIRED.search(words):
        # Below it stands that this is only temporary.
        found = [replace(one, action="failed", diagnostic="Envelope expired") for one in found]
    return tuple(found[:_MOST_RECIPIENTS])


def told_in_text(text: str) -> tuple[Told, ...]:
    """The same fields where they stand in plain text, as some gateways leave them."""
    if not _LOOSE.search(text):
        return ()
    return tuple(_blocks(text)[:_MOST_RECIPIENTS])


def _blocks(text: str) -> list[Told]:
    found: list[Told] = []
    pending: dict[str, list[str]] = {}
    for block in _BLANK_LINES.split(text.strip())[: 2 * _MOST_RECIPIENTS]:
        fields = fields_of(block).by_name
        about_someone = any(name in fields for name in _RECIPIENT)
        if not about_someone and not ("action" in fields or "status" in fields):
            if pending and "diagnostic-code" in fields:  # a blank line in the middle
                pending.update(fields)
                found[-1] = _told(Fields(pending))
            continue
        if found and not about_someone and "action" not in pending:
            pending.update(fields)
            found[-1] = _told(Fields(pending))
            continue
        pending = fields
        found.append(_told(Fields(fields)))
    return found


def _told(fields: Fields) -> Told:
    people: list[str] = []
    for name in ("original-recipient", "final-recipient", "x-actual-recipient"):
        for value in fields.all(name):
            people += [one for one in _recipients(value) if one not in people]
    action = _ACTION.match(fields.get("action").strip().lower())
    status = fields.get("status")
    diagnostics = [_without_type(value) for value in fields.all("diagnostic-code")]
    remote = fields.get("remote-mta").rpartition(";")[2].strip()
    return Told(
        tuple(people), action[0] if action else "", status, " ".join(diagnostics)[:2000], remote
    )


def _without_type(value: str) -> str:
    kind, semicolon, rest = value.partition(";")
    return rest.strip() if semicolon and len(kind) <= 20 and " " not in kind.strip() else value


def _recipients(value: str) -> list[str]:
    """The readings of `rfc822; anna+2Bnews@example.org`, the likeliest first."""
    kind, semicolon, rest = value.partition(";")
    if not semicolon:
        kind, rest = "", value
    text = rest.strip().strip("<>").strip()
    if not text:
        return []
    if "utf-8" in kind.lower():  # RFC 6533 3
        return [_UNICODE.sub(lambda found: _letter(found[1]), text)]
    decoded = _XTEXT.sub(_from_xtext, text)
    return [text] if decoded == text else [decoded, text]


def _from_xtext(found: re.Match[str]) -> str:
    letter = chr(int(found[1], 16))
    # RFC 3461 4: letters and digits need no encoding, so `+19` stands for itself in a sloppy one.
    return letter if letter.isprintable() and not letter.isalnum() else found[0]


def _letter(digits: str) -> str:
    point = int(digits, 16)
    return chr(point) if 0x20 <= point < 0x110000 and not 0xD800 <= point < 0xE000 else "?"
