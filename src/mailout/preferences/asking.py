"""Asking people who are pending to confirm: whoever a file called that has never said yes to us.

choose -> ask: a request and a letter each -> the link in it -> `preferences.joining.confirm`.

| left out because | |
|---|---|
| suppressed | the address complained, is dead, was erased, or somebody suppressed it by hand |
| asked already | a letter that asks went to that mailbox in the last 37 days |

Once, then silence for those 37 days: who does not answer stays pending, and is rather a case for
erasure than for a second letter. These letters count with those of sign-ups, so that no mailbox
gets more of both together than of one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from mailout.core.address import Address
from mailout.core.letter import COUNTED_FOR, SIGN_UP, Letter, LetterKind
from mailout.core.mailing_list import MailingList
from mailout.core.request import GOOD_FOR, RequestPurpose
from mailout.core.site import Site
from mailout.core.subscription import SubscriptionState
from mailout.core.token import link_token
from mailout.preferences.joining import wording_of
from mailout.store import letters, members, requests
from mailout.store.engine import Store, Tx
from mailout.store.members import Waiting
from mailout.store.requests import Request

Random = Callable[[int], bytes]

_BATCH = 200


@dataclass(slots=True)
class Chosen:
    """Who would be asked, and how many are left out, by reason; `more` are left for later."""

    people: list[Waiting] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)
    more: int = 0


def choose(site: Site, store: Store, mailing_list: MailingList, now: datetime, most: int) -> Chosen:
    """Up to `most` people who are pending on the list and may be asked, the first to come first."""
    chosen, mailboxes = Chosen(), set[str]()
    for one in _pending(store, mailing_list.id):
        abuse_key = Address.stored(one.address).abuse_key(site.keys.address)
        with store.reading() as tx:
            why = _why_not(tx, one, mailing_list.id, abuse_key, now)
        if not why and abuse_key in mailboxes:
            why = "asked already"
        if why:
            chosen.left_out[why] = chosen.left_out.get(why, 0) + 1
        elif len(chosen.people) == most:
            chosen.more += 1
        else:
            chosen.people.append(one)
            mailboxes.add(abuse_key)
    return chosen


def ask(
    site: Site,
    store: Store,
    mailing_list: MailingList,
    chosen: Chosen,
    now: datetime,
    random: Random,
) -> int:
    """How many were written a letter; who is pending no more, or was asked meanwhile, is not."""
    asked = 0
    for start in range(0, len(chosen.people), _BATCH):
        with store.writing() as tx:
            for one in chosen.people[start : start + _BATCH]:
                asked += _ask(tx, site, mailing_list, one, now, random)
    return asked


def _pending(store: Store, list_id: str) -> Iterator[Waiting]:
    after = 0
    while True:
        with store.reading() as tx:
            some = members.waiting(tx, list_id, after, _BATCH)
        yield from some
        if len(some) < _BATCH:
            return
        after = some[-1].id


def _why_not(tx: Tx, one: Waiting, list_id: str, abuse_key: str, now: datetime) -> str:
    """Why the person is not asked; empty if they may be."""
    if members.reasons(tx, one.address_key, list_id):
        return "suppressed"
    if letters.moments(tx, abuse_key, SIGN_UP, now - COUNTED_FOR):
        return "asked already"
    return ""


def _ask(
    tx: Tx, site: Site, mailing_list: MailingList, one: Waiting, now: datetime, random: Random
) -> bool:
    abuse_key = Address.stored(one.address).abuse_key(site.keys.address)
    held = members.place(tx, one.subscriber_id, mailing_list.id)
    if held is None or held.state is not SubscriptionState.PENDING:
        return False
    if _why_not(tx, one, mailing_list.id, abuse_key, now):
        return False
    language = one.language or mailing_list.default_language
    token = link_token(random(16))
    letter = Letter(
        kind=LetterKind.CONFIRM,
        list_id=mailing_list.id,
        language=language,
        address=one.address,
        address_key=one.address_key,
        abuse_key=abuse_key,
        said={"token": token, "pending": "yes"},
        expires_at=now + GOOD_FOR[RequestPurpose.JOIN],
    )
    request = Request(
        purpose=RequestPurpose.JOIN,
        address_key=one.address_key,
        list_id=mailing_list.id,
        language=language,
        said={
            "address": one.address,
            "name": "",
            "segments": [],
            "wording": wording_of(mailing_list, language),
            "source": "asked while pending",
        },
        created_at=now,
    )
    letters.add(tx, letter, now)
    requests.add(tx, request, token)
    return True
