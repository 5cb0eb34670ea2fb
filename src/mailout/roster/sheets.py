"""Sheets to sign up on: made to be printed, found again when the signatures come in."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from mailout.core import sheet
from mailout.core.errors import UsageError
from mailout.core.mailing_list import MailingList
from mailout.core.sheet import Sheet
from mailout.store import sheets
from mailout.store.engine import Store

_NAMED = re.compile(r"sheet\s+([0-9a-z]{4}-?[0-9a-z]{4})\b", re.IGNORECASE)


def make(
    store: Store,
    mailing_list: MailingList,
    language: str,
    wording: str,
    now: datetime,
    random: Callable[[int], bytes],
) -> Sheet:
    """A new sheet for a list, whose words are kept with its code."""
    made = Sheet(sheet.code(random(8)), mailing_list.id, language, wording, now)
    with store.writing() as tx:
        sheets.add(tx, made)
    return made


def found(store: Store, code: str) -> Sheet:
    """The sheet of a code as typed. Raises: UsageError if there is none."""
    with store.reading() as tx:
        known = sheets.find(tx, sheet.normal(code))
    if known is None:
        raise UsageError(
            f"there is no sheet `{code.strip()}`",
            where="--consent",
            fix="The code stands at the foot of the sheet; `mailout sheets list` has all of them.",
        )
    return known


def listed(store: Store) -> list[Sheet]:
    """All sheets, the newest first."""
    with store.reading() as tx:
        return sheets.all_(tx)


def spelled_out(store: Store, consent: str, list_id: str) -> tuple[str, str]:
    """The words of consent of an import, and their language where it is known: words that begin
    with `sheet CODE` go on with those that stood over the signatures. Raises: UsageError if there
    is no such sheet, or it is one of another list: nobody signed up to this one there."""
    named = _NAMED.match(consent)
    if not named:
        return consent, ""
    signed = found(store, named[1])
    if signed.list_id != list_id:
        raise UsageError(
            f"sheet {signed.code} is one of the list `{signed.list_id}`: whoever signed it did not "
            f"sign up to `{list_id}`",
            where="--consent",
            fix=f"Import them with --list {signed.list_id}.",
        )
    return f"{consent}: {signed.wording}", signed.language
