"""From a letter to an envelope: the site's template in the reader's language, headers, signed.

A template is given plain values only, and never more of a person than their own links. Words
in right-to-left letters that may be in other ones (names of lists and of the site) stand
between marks that keep the line in order.

Standards: Unicode UAX 9 (first strong isolate), RFC 8058 (the link that leaves).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from mailout import catalogue
from mailout.core import plain
from mailout.core.address import Address, BadAddress
from mailout.core.errors import BadFile, MailoutError
from mailout.core.language import direction, normal, stated
from mailout.core.mailing_list import MailingList
from mailout.core.message import BadHeader, list_headers, safe
from mailout.core.plain_mail import LINKS, PlainMail, letter_message_id, subject_and_text
from mailout.core.render import Templates
from mailout.core.site import Site
from mailout.send.compose import signed
from mailout.smtp.envelope import Envelope
from mailout.store.letters import Posted

if TYPE_CHECKING:
    from mailout.core.dkim import Signer

_ISOLATED = "\u2068{}\u2069"


class Undeliverable(MailoutError):
    """A letter that cannot be mailed, whatever is mended."""


class ListGone(MailoutError):
    """A letter of a list that was taken away since it was written."""


@dataclass(slots=True)
class LetterComposer:
    """Composes letters from the `sources` of the site's templates."""

    site: Site
    sources: Mapping[str, str]
    signers: Sequence[Signer] = ()
    _templates: dict[str, Templates] = field(default_factory=dict)

    def envelope(self, letter: Posted, now: datetime) -> Envelope:
        """What goes on the wire for a letter; the Message-ID is the same at every try.

        Raises: ListGone, Undeliverable; another MailoutError for what the organiser can mend.
        """
        mailing_list = self.site.lists.get(letter.list_id)
        if mailing_list is None:
            raise ListGone(f"the list `{letter.list_id}` was taken away")
        wire = Address.stored(letter.address).wire
        try:
            safe(wire, "the address")
        except BadHeader as error:
            raise Undeliverable(error.what) from None
        language, subject, text = self.render(letter, mailing_list)
        token = letter.said.get("leave", "")
        mail = PlainMail(
            headers=list_headers(self.site, mailing_list),
            address=wire,
            message_id=self.message_id(letter),
            language=language,
            subject=subject,
            text=text,
            leave_url=f"{self.site.leave_url}{token}" if token else "",
            answer_to=_on_the_wire(letter.said.get("answer_to", "")),
        )
        message = signed(mail.compose(now), self.signers, now.timestamp())
        return Envelope(self.site.return_path, wire, message, letter)

    def message_id(self, letter: Posted) -> str:
        """The Message-ID of a letter."""
        secret, domain = self.site.keys.message_id, self.site.identity.message_id_domain
        return letter_message_id(secret, letter.id, letter.created_at, domain)

    def render(self, letter: Posted, mailing_list: MailingList) -> tuple[str, str, str]:
        """Language, subject and text of a letter.

        Raises: BadFile naming the template if it cannot be rendered.
        """
        code = spoken(letter.language, mailing_list)
        name = f"letters/{letter.kind.value.replace(' ', '-')}.txt.j2"
        if code not in self._templates:
            self._templates[code] = Templates(self.sources, catalogue.words(code))
        rendered = self._templates[code].render(name, self._values(letter, mailing_list, code))
        try:
            subject, text = subject_and_text(rendered)
        except ValueError as error:
            raise BadFile(str(error), where=f"templates/{name}") from None
        return code, subject, text

    def _values(self, letter: Posted, mailing_list: MailingList, code: str) -> Mapping[str, object]:
        settings, identity = mailing_list.settings, self.site.identity
        isolated = _ISOLATED.format if direction(code) == "rtl" else str
        token = letter.said.get("leave", "")
        return {
            "language": code,
            "dir": direction(code),
            "site": {"name": isolated(identity.name)},
            "list": {
                "name": isolated(settings.name),
                "contact": settings.contact,
                "postal_address": settings.postal_address,
            },
            "url": self._link(letter),
            "pending": "pending" in letter.said,
            "leave_url": f"{self.site.leave_url}{token}" if token else "",
            "preferences_url": f"{identity.url}/p/{token}" if token else "",
            "welcome": welcome_text(mailing_list, letter.language),
            "subject": letter.said.get("subject", ""),
            "text": letter.said.get("text", "").strip(),
        }

    def _link(self, letter: Posted) -> str:
        page, token = LINKS.get(letter.kind), letter.said.get("token", "")
        return f"{self.site.identity.url}{page}{token}" if page and token else ""


def _on_the_wire(typed: str) -> str:
    """An address that somebody gave as theirs, as it stands in a header; empty if it is none."""
    try:
        wire = Address.parse(typed).wire
    except BadAddress:
        return ""
    return wire if wire.isascii() else ""


def spoken(language: str, mailing_list: MailingList) -> str:
    """The language that a letter is in: the reader's, if there is a catalogue of it, else the one
    that stands in for it on that list."""
    code = normal(language)
    settings = mailing_list.settings
    for step in (code, code.split("-")[0], *stated(code, settings.fallback), *settings.languages):
        if step in catalogue.languages():
            return step
    return "en"


def welcome_text(mailing_list: MailingList, language: str) -> str:
    """The list's own welcome as plain text, in the reader's language or the one that the list says
    stands in for it; empty where it has none."""
    own, code = mailing_list.settings.welcome, normal(language)
    steps = (code, code.split("-")[0], *stated(code, mailing_list.settings.fallback))
    found = next((own[step] for step in steps if step in own), "")
    return plain.tidy(plain.to_text(found)).strip() if found.strip() else ""
