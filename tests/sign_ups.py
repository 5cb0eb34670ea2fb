"""What signing up and the settings leave in the store, and the steps a person takes, for tests."""

from __future__ import annotations

import hashlib
import html
import re
import secrets
from datetime import datetime, timedelta
from itertools import count

import httpx
from sqlalchemy import select

from mailout.core.address import Address
from mailout.core.site import Site
from mailout.core.work import BITS, is_done
from mailout.preferences import joining
from mailout.preferences.joining import SignUp
from mailout.store import people
from mailout.store.asked_tables import LETTER, REQUEST
from mailout.store.engine import Store

WORDING = "I want it."


def signing_up(address: str, list_id: str = "bulletin", **more: object) -> SignUp:
    """What somebody typed into the form."""
    return SignUp(Address.parse(address), list_id, "en", WORDING, **more)  # type: ignore[arg-type]


def ask(site: Site, store: Store, address: str, now: datetime, **more: object) -> None:
    """Signs up, as the page does."""
    joining.ask(site, store, signing_up(address, **more), now, secrets.token_bytes)


def letters(store: Store) -> list[tuple[str, str, str]]:
    """Kind, address and state of each letter, in their order."""
    with store.reading() as tx:
        rows = tx.execute(
            select(LETTER.c.kind, LETTER.c.address, LETTER.c.state).order_by(LETTER.c.id)
        )
        return [(str(kind), address, str(state)) for kind, address, state in rows]


def mailed(store: Store) -> list[str]:
    """The kinds of the letters that are to be mailed."""
    return [kind for kind, _, state in letters(store) if state == "queued"]


def token_mailed(store: Store) -> str:
    """The token of the link in the newest letter that has one."""
    with store.reading() as tx:
        rows = tx.scalars(select(LETTER.c.said).order_by(LETTER.c.id.desc()))
        return next(said["token"] for said in rows if "token" in said)


def requests_kept(store: Store) -> int:
    """How many requests wait to be confirmed."""
    with store.reading() as tx:
        return len(tx.execute(select(REQUEST.c.id)).all())


def person(site: Site, store: Store, address: str):  # type: ignore[no-untyped-def]
    """The subscriber with that address, or None."""
    with store.reading() as tx:
        return people.find(tx, Address.parse(address).key(site.keys.address))


def fields_of(page: str) -> dict[str, str]:
    """The hidden fields of the page's forms."""
    pairs = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page)
    return {html.unescape(name): html.unescape(value) for name, value in pairs}


def worked(page: str) -> dict[str, str]:
    """The hidden fields of a page, after the browser has done its work."""
    fields = fields_of(page)
    return fields | {"work": _work(fields["form"])}


def _work(token: str) -> str:
    """Digits that are the work: of a hundred thousand only those are checked that may be."""
    begun, zeros = hashlib.sha256(f"{token}:".encode()), bytes(BITS // 8)
    for number in count():
        tried = begun.copy()
        tried.update(b"%d" % number)
        if tried.digest().startswith(zeros) and is_done(token, str(number)):
            return str(number)
    raise AssertionError


def heading(answer: httpx.Response) -> str:
    found = re.search(r"<h1>(.*?)</h1>", answer.text)
    return html.unescape(found[1]) if found else ""


def days(number: float) -> timedelta:
    return timedelta(days=number)
