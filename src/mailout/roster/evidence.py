"""Evidence: how people agreed, in the organiser's own words, as rows of the consent chain."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from mailout.core.address import Address, BadAddress
from mailout.core.consent import ConsentAction
from mailout.core.errors import UsageError
from mailout.core.subscription import SubscriptionState
from mailout.roster.entry import Entry
from mailout.store.consents import Piece

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_FILE_ENDING = re.compile(r"\.(?:csv|tsv|txt|xlsx|jsonl|json)$", re.IGNORECASE)
_WORD_WITH_AT = re.compile(r"[^\s<>()\[\],;:\"]+@[^\s<>()\[\],;:\"]*[^\s<>()\[\],;:.!?\"]")


@dataclass(frozen=True, slots=True)
class Evidence:
    """How the people of one import or addition agreed, and where the words came from; `language`
    is that of the words where it is known, else each row has the person's."""

    list_id: str
    action: ConsentAction
    wording: str
    source: str
    at: datetime
    language: str = ""

    def piece(self, subscriber_id: int, person: Entry, state: SubscriptionState) -> Piece:
        """The row for one person. Who is recorded as having left did not agree to anything."""
        source = f"{self.source} {person.agreed}" if person.agreed else self.source
        if state is SubscriptionState.UNSUBSCRIBED:
            left = ConsentAction.LEFT.value
            return Piece(subscriber_id, person.key, left, "", person.language, source)
        language = self.language or person.language
        return Piece(subscriber_id, person.key, str(self.action), self.wording, language, source)


def require_wording(consent: str) -> str:
    """The words of consent, trimmed. Raises: UsageError if there are none."""
    wording = consent.strip()
    if not wording:
        raise UsageError(
            "it has to be said how these people agreed",
            where="--consent",
            fix='For example --consent "signed the list at the meeting of 3 May".',
        )
    if _CONTROL.search(wording):
        raise UsageError("the words of consent hold a control character", where="--consent")
    return wording


def addresses_in(text: str, key: bytes) -> frozenset[str]:
    """The keys of the addresses that a text holds.

    Evidence outlives the people it is about, so it must not name one of them.
    """
    found: set[str] = set()
    for word in _WORD_WITH_AT.findall(text):
        for candidate in (word, _FILE_ENDING.sub("", word)):
            try:
                found.add(Address.parse(candidate).key(key))
            except BadAddress:
                continue
    return frozenset(found)
