"""What a person wrote to the address that bounces come back to: passed on to the list's contact.

Whoever answers that letter writes to the person. Our own letters never come back this way: a mail
with a Message-ID of ours is not passed on, so that no letter goes round for ever.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from mailout.core.inbound.category import Kind
from mailout.core.inbound.mail import open_mail
from mailout.core.inbound.traces import traces
from mailout.core.letter import COUNTED_FOR, LetterKind
from mailout.core.site import Site
from mailout.receive.attribution import Mail
from mailout.store import contacts, letters
from mailout.store.engine import Tx

_MOST_TEXT = 20_000
_MOST_A_DAY = 200  # of readers' replies, to a list's contact
_MOST_OF_STRANGERS = 20  # anybody can write to the address
_DAY = timedelta(days=1)


def pass_on(tx: Tx, site: Site, mail: Mail, now: datetime) -> bool:
    """Whether the contact is written a letter with what the person wrote."""
    list_id = _list_of(site, mail)
    if not list_id or _is_ours(site, mail):
        return False
    about = f"mail {mail.kept.id}"
    written = letters.notices(tx, LetterKind.REPLY, now - COUNTED_FOR, list_id)
    if any(one.about == about for one in written):
        return False  # it is looked at again
    most = _MOST_A_DAY if mail.by.proves else _MOST_OF_STRANGERS
    if sum(now - one.created_at < _DAY for one in written) >= most:
        return False  # `mailout inbound list` has it
    sender = mail.sender or mail.kept.sender
    subject = " ".join(mail.fields.get("subject").split()) or "(no subject)"
    words = _words(mail)
    asks = mail.found.kind is Kind.UNSUBSCRIBE
    head = [
        f"{sender or 'Somebody'} wrote to the address that bounces come back to:",
        "They ask to leave, from an address or with a mail that does not prove who they are. "
        f"`mailout suppressions add {sender or 'ADDRESS'} --list {list_id}` takes them off."
        if asks
        else "Your answer to this mail goes to them.",
    ]
    text = "\n\n".join([*head, "-" * 40, words])
    return contacts.write(
        tx,
        site,
        list_id,
        LetterKind.REPLY,
        about,
        f"Reply: {subject[:200]}",
        text,
        now,
        answer_to=sender,
    )


def _list_of(site: Site, mail: Mail) -> str:
    """The list that a mail belongs to: that of the mail it answers, or else the first."""
    if mail.theirs is not None and mail.theirs.list_id in site.lists:
        return mail.theirs.list_id
    return next(iter(site.lists), "")


def _is_ours(site: Site, mail: Mail) -> bool:
    """Whether the mail was written by this program: its own Message-ID is one of ours."""
    domain = site.identity.message_id_domain.lower()
    own = traces(mail.fields.get("message-id").encode()).message_ids
    return any(one.endswith(f"@{domain}>") for one in own)


def _words(mail: Mail) -> str:
    opened = open_mail(mail.kept.raw)
    texts = [part.text for part in opened.parts if part.type.startswith("text/")]
    return "\n\n".join(texts[:1]).replace("\r", "").strip()[:_MOST_TEXT] or "(it holds no text)"
