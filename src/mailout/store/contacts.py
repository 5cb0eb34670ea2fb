"""Letters to a list's contact, written so that nobody is flooded: an alert at most once an hour."""

from __future__ import annotations

from datetime import datetime, timedelta

from mailout.core.address import Address
from mailout.core.letter import Alarm, Letter, LetterKind
from mailout.core.site import Site
from mailout.store import letters
from mailout.store.engine import Tx

EVERY = timedelta(hours=1)
"""How long the same alert of a list is not repeated."""

_GOOD_FOR = timedelta(days=3)  # after that it is no news


def alert(
    tx: Tx, site: Site, list_id: str, alarm: Alarm, subject: str, text: str, now: datetime
) -> bool:
    """Whether an alert was written to the list's contact: not if it had the same one less than an
    hour ago, or the list is gone."""
    letters.hold_notices(tx, list_id)
    recent = letters.notices(tx, LetterKind.ALERT, now - EVERY, list_id)
    if any(one.about == alarm for one in recent):
        return False
    return write(tx, site, list_id, LetterKind.ALERT, alarm, subject, text, now)


def write(
    tx: Tx,
    site: Site,
    list_id: str,
    kind: LetterKind,
    about: str,
    subject: str,
    text: str,
    now: datetime,
    *,
    answer_to: str = "",
) -> bool:
    """Whether a letter to the list's contact is written: not if the list is gone. Who answers it
    writes to `answer_to`, where that is given."""
    if list_id not in site.lists:
        return False
    contact = Address.parse(site.lists[list_id].settings.contact)
    said = {"about": about, "subject": subject, "text": text}
    if answer_to:
        said["answer_to"] = answer_to
    letters.add(
        tx,
        Letter(
            kind=kind,
            list_id=list_id,
            language="en",
            address=contact.text,
            address_key=contact.key(site.keys.address),
            abuse_key="",  # nobody but us can have one sent
            said=said,
            expires_at=now + _GOOD_FOR,
        ),
        now,
    )
    return True
