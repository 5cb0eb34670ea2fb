"""Signatories: who agreed to be named, put down and taken back by an organiser.

Being named can cost a person a job: nobody is one by an import, a tag or a mistake, only by name
and with the words by which they agreed.
"""

from __future__ import annotations

from mailout.core.errors import MailoutError, UsageError
from mailout.core.signatory import Signatory
from mailout.core.site import Site
from mailout.roster import people
from mailout.roster.evidence import require_wording
from mailout.store import issues
from mailout.store import signatories as stored
from mailout.store.engine import Store
from mailout.store.signatories import Named


def add(site: Site, store: Store, address: str, signatory: Signatory) -> Signatory:
    """The signatory as recorded; said again it replaces what was said before.

    Raises: UsageError for a name or words that are empty or hold control characters;
    MailoutError if nobody has that address.
    """
    words = {key: getattr(signatory, key).strip() for key in ("name", "role", "organisation")}
    for key, value in words.items():
        if any(not char.isprintable() for char in value):
            raise UsageError("a control character", where=f"--{key}")
    if not words["name"]:
        raise UsageError("under which name?", where="--name")
    agreed = require_wording(signatory.agreed)
    with store.writing() as tx:
        person = people.found(tx, site, address, hold=True)
        known = Signatory(
            **words, country=person.country, personal=signatory.personal, agreed=agreed
        )
        stored.put(tx, person.id, known)
    return known


def remove(site: Site, store: Store, address: str) -> tuple[list[str], list[str]]:
    """The issues that must be compiled anew, and those under way, which name the person still.

    Raises: MailoutError if they were no signatory.
    """
    with store.writing() as tx:
        person = people.found(tx, site, address, hold=True)
        if not stored.put(tx, person.id, None):
            raise MailoutError(f"{person.address} is no signatory")
        return issues.withdraw_names(tx)


def listed(store: Store) -> list[Named]:
    """All signatories by their names."""
    with store.reading() as tx:
        return sorted(stored.everybody(tx), key=lambda one: one.signatory.name.casefold())
