"""Editing: what is known of a person changed by hand, and notes about them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from mailout.core.errors import MailoutError, UsageError
from mailout.core.site import Site
from mailout.core.spelling import composed
from mailout.core.subscriber import Subscriber
from mailout.roster import details, entry, evidence
from mailout.roster.people import found
from mailout.roster.reading import shown
from mailout.store import members, notes
from mailout.store.engine import Store
from mailout.store.notes import Note

_CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f\ud800-\udfff]")
_LONGEST = 5000  # characters of a note


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be changed, as typed: None leaves it, an empty text empties it. `fields` are
    pairs `NAME=VALUE`."""

    name: str | None = None
    language: str | None = None
    country: str | None = None
    fields: tuple[str, ...] = ()


def edit(site: Site, store: Store, address: str, change: Change) -> Subscriber:
    """The person, changed; all of it is written or nothing.

    Raises: MailoutError if there is nobody; UsageError for a value that cannot be taken.
    """
    values: dict[str, object] = {}
    if change.name is not None:
        values["name"] = composed(change.name.strip())
        if why := entry.harm(change.name.strip(), "this"):
            raise UsageError(why, where="the name")
    if change.language is not None:
        values["language"] = details.language_of(change.language)
    if change.country is not None:
        values["country"] = details.country_of(change.country)
    pairs = [_pair(one) for one in change.fields]
    with store.writing() as tx:
        person = found(tx, site, address, hold=True)
        fields = dict(members.fields_of(tx, person.id))
        for name, typed in pairs:
            value = details.value_of(details.field_named(site, person, name), name, typed)
            if value is None:
                fields.pop(name, None)
            else:
                fields[name] = value
        if pairs:
            values["fields"] = fields
        members.change(tx, person.id, **values)
        return found(tx, site, address)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise UsageError(
            f"`{shown(text)}` names no field and value", where="--set", fix="Write NAME=VALUE."
        )
    return name.strip(), value


def note(site: Site, store: Store, address: str, text: str, now: datetime) -> Note:
    """The note about the person, which is kept until they are erased. Raises: MailoutError."""
    with store.writing() as tx:
        person = found(tx, site, address, hold=True)
        words = note_words(text, person.address_key, site.keys.address)
        number = notes.add(tx, person.id, words, now)
    return Note(number, words, now)


def note_words(text: str, address_key: str, key: bytes) -> str:
    """What was typed as a note about the person with that address key, as it is kept; `key` makes
    such keys.

    The person can read it. Whoever else is named there by an address could neither read nor
    erase it, so that such a note is refused. Raises: UsageError.
    """
    words = text.strip().replace("\r\n", "\n")
    if not words:
        raise UsageError("the note is empty")
    if _CONTROL.search(words):
        raise UsageError("the note holds a control character")
    if len(words) > _LONGEST:
        raise UsageError(f"the note is longer than {_LONGEST} characters")
    if evidence.addresses_in(words, key) - {address_key}:
        raise UsageError(
            "the note holds a mail address that is not this person's",
            fix="Whose it is could not erase it, and this person can read it. Leave it out.",
        )
    return words


def noted(site: Site, store: Store, address: str) -> list[Note]:
    """The notes about the person, oldest first. Raises: MailoutError."""
    with store.reading() as tx:
        return notes.of(tx, found(tx, site, address).id)


def drop_notes(site: Site, store: Store, address: str, numbers: Iterable[int]) -> None:
    """Nothing, once those notes about the person are gone. Raises: MailoutError for one that there
    is not."""
    with store.writing() as tx:
        person = found(tx, site, address, hold=True)
        for number in numbers:
            if not notes.drop(tx, person.id, number):
                raise MailoutError(f"there is no note {number} about them", where=person.address)
