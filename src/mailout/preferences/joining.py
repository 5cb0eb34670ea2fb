"""Joining a list by its page: asked for by anybody, done by whoever holds the mailbox.

ask -> request and letter -> the link in the letter -> confirm -> person, subscription, evidence.

| the address | gets |
|---|---|
| new, or not on the list (any more) | `confirm`: a link that is good for 7 days, once |
| on the list already | `known`: nothing has changed |
| suppressed by an organiser's hand, or had enough letters | nothing |

Whoever asks learns nothing of that: the answer is the same, and so is the work behind it. A
person who confirms has opted in anew, which ends what kept them off the list - a leave, a
complaint, an erasure, a dead address - but not what an organiser decided.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mailout.catalogue import words
from mailout.core.address import Address
from mailout.core.consent import Consent, ConsentAction
from mailout.core.letter import COUNTED_FOR, SIGN_UP, Letter, LetterKind, may_sign_up
from mailout.core.mailing_list import MailingList
from mailout.core.request import GOOD_FOR, RequestPurpose
from mailout.core.site import Site
from mailout.core.subscription import SubscriptionState
from mailout.core.suppression import SuppressionReason
from mailout.core.token import leave_token, link_token
from mailout.store import consents, letters, members, people, requests, roster
from mailout.store.engine import Store, Tx
from mailout.store.requests import Request

Random = Callable[[int], bytes]

_MEMBER = (SubscriptionState.ACTIVE, SubscriptionState.PAUSED)


@dataclass(frozen=True, slots=True)
class SignUp:
    """What somebody typed into the form of a list; `language` is the one that they want to read.

    `wording` is what they agree to, in the language `shown_in` (empty for `language`), `source`
    the page it stood on.
    """

    address: Address
    list_id: str
    language: str
    wording: str
    name: str = ""
    segments: tuple[str, ...] = ()
    source: str = "page"
    shown_in: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a confirmation link is for: all that its holder may see. `wording`, in the language
    `shown_in`, is what they agree to."""

    list_id: str
    language: str
    wording: str
    shown_in: str


@dataclass(frozen=True, slots=True)
class Joined:
    """The person who has just confirmed."""

    subscriber_id: int
    list_id: str
    language: str


def wording_of(mailing_list: MailingList, language: str) -> str:
    """What a person agrees to who signs up, in that language: the list's own words, or ours."""
    own = mailing_list.settings.consent.get(language)
    general = words(language).gettext(
        "I want to get “%(list)s” by mail. I can leave it at any time, by the link in every mail."
    )
    return own or general % {"list": mailing_list.settings.name}


def ask(site: Site, store: Store, asked: SignUp, now: datetime, random: Random) -> None:
    """Nothing, once whoever holds the mailbox can confirm; or need not, or is left in peace.

    The same work is done for every address.
    """
    key, abuse_key = (
        asked.address.key(site.keys.address),
        asked.address.abuse_key(site.keys.address),
    )
    token = link_token(random(16))
    with store.writing() as tx:
        kind, withheld = _answer(tx, asked, key, abuse_key, now)
        said: dict[str, str] = {"token": token} if kind is LetterKind.CONFIRM else {}
        letters.add(
            tx,
            Letter(
                kind=kind,
                list_id=asked.list_id,
                language=asked.language,
                address=asked.address.text,
                address_key=key,
                abuse_key=abuse_key,
                said=said,
                expires_at=now + GOOD_FOR[RequestPurpose.JOIN],
                withheld=withheld,
            ),
            now,
        )
        requests.add(tx, _request(asked, key, now), token)
        # What nobody will be able to confirm is not kept; the one that is, by another token.
        kept = kind is LetterKind.CONFIRM and not withheld
        requests.withdraw(tx, link_token(random(16)) if kept else token)


def _answer(
    tx: Tx, asked: SignUp, key: str, abuse_key: str, now: datetime
) -> tuple[LetterKind, bool]:
    """The letter for an address, and whether it is withheld."""
    reasons = members.reasons(tx, key, asked.list_id, domain=asked.address.domain)
    sent = letters.moments(tx, abuse_key, SIGN_UP, now - COUNTED_FOR)
    state = members.state_of(tx, key, asked.list_id)
    kind = LetterKind.KNOWN if state in _MEMBER and not reasons else LetterKind.CONFIRM
    withheld = SuppressionReason.BY_HAND in reasons or not may_sign_up(sent, now)
    return kind, withheld


def _request(asked: SignUp, key: str, now: datetime) -> Request:
    return Request(
        purpose=RequestPurpose.JOIN,
        address_key=key,
        list_id=asked.list_id,
        language=asked.language,
        said={
            "address": asked.address.text,
            "name": asked.name,
            "segments": list(asked.segments),
            "wording": asked.wording,
            "source": asked.source,
            "shown_in": asked.shown_in or asked.language,
        },
        created_at=now,
    )


def look(store: Store, token: str, now: datetime) -> Asked | None:
    """What the link of a confirmation is for; None if it is none, was used, or is too old."""
    with store.reading() as tx:
        found = requests.look(tx, RequestPurpose.JOIN, token, now)
    if found is None:
        return None
    said: Any = found.said
    return Asked(found.list_id, found.language, said["wording"], _shown_in(found))


def confirm(site: Site, store: Store, token: str, now: datetime, random: Random) -> Joined | None:
    """The person, who is on the list from now on; None as for `look`, and for an address that an
    organiser has suppressed since."""
    if look(store, token, now) is None:
        return None  # strangers' tokens end here: guessing them makes no writer wait
    with store.writing() as tx:
        # In the order in which an erasure has them: the person, then what was asked for.
        roster.let_pass(tx)
        if asked := requests.look(tx, RequestPurpose.JOIN, token, now):
            people.hold(tx, asked.address_key)
        found = requests.take(tx, RequestPurpose.JOIN, token, now)
        if found is None:
            return None  # the other of two clicks was first
        said: Any = found.said
        domain = Address.stored(said["address"]).domain
        reasons = members.reasons(tx, found.address_key, found.list_id, domain=domain)
        if SuppressionReason.BY_HAND in reasons:
            return None
        requests.drop(tx, RequestPurpose.JOIN, found.address_key, found.list_id)
        subscriber_id = _take_in(tx, site, found, now)
        members.lift(tx, found.address_key, found.list_id)
        leave = members.activate(tx, subscriber_id, found.list_id, leave_token(random(16)), now)
        consents.append(tx, _evidence(found, subscriber_id, now))
        letters.add(tx, _welcome(site, found, leave, now), now)
    return Joined(subscriber_id, found.list_id, found.language)


def _take_in(tx: Tx, site: Site, found: Request, now: datetime) -> int:
    """The number of the person, with what they said of themselves."""
    said: Any = found.said
    address = Address.stored(said["address"])
    subscriber_id = members.make(tx, address, found.address_key, now)
    # They read the letter: the address lives, whatever a server has said of it.
    details: dict[str, object] = {"language": found.language}
    details |= {"bounce_paused_at": None, "probe_from": None}
    if said["name"]:
        details["name"] = said["name"]
    members.change(tx, subscriber_id, **details)
    if found.list_id in site.lists:
        choices = site.lists[found.list_id].choices
        tags = [choices[name].tag for name in said["segments"] if name in choices]
        people.change_tags(tx, subscriber_id, add=tags)
    return subscriber_id


def _evidence(found: Request, subscriber_id: int, now: datetime) -> list[Consent]:
    """That they signed up, with the words they agreed to, and that they confirmed it."""
    said: Any = found.said

    def row(action: ConsentAction, at: datetime, source: str) -> Consent:
        return Consent(
            list_id=found.list_id,
            subscriber_id=subscriber_id,
            address_key=found.address_key,
            action=action,
            at=at,
            wording=said["wording"],
            language=_shown_in(found),
            source=source,
        )

    return [
        row(ConsentAction.JOINED, found.created_at, said["source"]),
        row(ConsentAction.CONFIRMED, now, "mailed link"),
    ]


def _shown_in(found: Request) -> str:
    """The language of the words agreed to; what was asked for by an older version has none."""
    said: Any = found.said
    return str(said.get("shown_in") or found.language)


def _welcome(site: Site, found: Request, leave: str, now: datetime) -> Letter:
    said: Any = found.said
    address = Address.stored(said["address"])
    return Letter(
        kind=LetterKind.WELCOME,
        list_id=found.list_id,
        language=found.language,
        address=address.text,
        address_key=found.address_key,
        abuse_key=address.abuse_key(site.keys.address),
        said={"leave": leave},
        expires_at=now + GOOD_FOR[RequestPurpose.JOIN],
    )
