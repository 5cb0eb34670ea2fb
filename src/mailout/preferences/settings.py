"""A reader's settings: opened by a link mailed to them, and saved with one button.

ask_link (from the link in any mail, or by typing the address) -> letter -> open_ (the link,
once) -> a session of half an hour -> read, save, and what `preferences.rights` has.

The link in every mail can ask for that letter and nothing else: it goes to the reader's own
address, whoever holds the forwarded mail.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mailout.core.address import Address
from mailout.core.consent import Consent, ConsentAction
from mailout.core.event import EventKind
from mailout.core.letter import COUNTED_FOR, Letter, LetterKind, may_link
from mailout.core.mailing_list import MailingList
from mailout.core.request import GOOD_FOR, RequestPurpose
from mailout.core.site import Site
from mailout.core.subscriber import Membership, Subscriber
from mailout.core.subscription import SubscriptionState
from mailout.core.suppression import SuppressionReason
from mailout.core.token import leave_token, link_token, read_session, session_token
from mailout.preferences.joining import wording_of
from mailout.store import consents, events, letters, members, people, requests, roster
from mailout.store.engine import Store, Tx
from mailout.store.requests import Request

Random = Callable[[int], bytes]

_ASTRAY = timedelta(minutes=5)
"""How far a clock may be set back while a session is open. What was begun by a clock that was
days ahead is over once it is right again, and not open for days."""

_ON = (SubscriptionState.ACTIVE, SubscriptionState.PAUSED)


@dataclass(frozen=True, slots=True)
class OnList:
    """A reader's settings of one list; `on` tells whether they are on it, `chosen` has the
    segments that they have chosen."""

    list_id: str
    on: bool = False
    edition: str = ""
    frequency: str = ""
    chosen: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Settings:
    """What a reader may set. A pause is one of all their lists; it ends at `paused_until`, or
    (None) when they say so. `shown_in` is the language of the page that it was chosen on, in which
    it said what a person agrees to who joins a list; empty for `language`."""

    name: str
    language: str
    lists: Mapping[str, OnList] = field(default_factory=dict)
    paused: bool = False
    paused_until: datetime | None = None
    shown_in: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """An opened link: whose settings, in which language, and the token that goes on with it."""

    subscriber_id: int
    language: str
    token: str = field(repr=False)


def ask_link(
    site: Site, store: Store, leave: str, language: str, now: datetime, random: Random
) -> str | None:
    """The list of the leave token; a link to the settings is mailed to its reader.

    `language` is the page's, where the reader's is not known. None if the token is no token.
    """
    with store.reading() as tx:
        held = people.subscription_of_token(tx, leave)
        person = people.by_id(tx, held.subscriber_id) if held else None
    if held is None or person is None:
        return None
    address = Address.stored(person.address)
    _mail_link(site, store, address, held.list_id, language, now, random)
    return held.list_id


def ask_link_for(
    site: Site, store: Store, address: Address, language: str, now: datetime, random: Random
) -> None:
    """Nothing, once a link is mailed to the address if there is such a reader. The same work is
    done where there is none."""
    _mail_link(site, store, address, "", language, now, random)


def _mail_link(
    site: Site,
    store: Store,
    address: Address,
    list_id: str,
    language: str,
    now: datetime,
    random: Random,
) -> None:
    """Nothing, once a reader with that address is mailed a link, unless they got enough of them.

    The letter speaks for the list named, or else for the first they have been on.
    """
    key, abuse_key = address.key(site.keys.address), address.abuse_key(site.keys.address)
    token = link_token(random(16))
    with store.writing() as tx:
        person = members.mailbox(tx, key)
        sent = letters.moments(tx, abuse_key, (LetterKind.SETTINGS,), now - COUNTED_FOR)
        mailed = person is not None and may_link(sent, now)
        theirs = [one for one in person.lists if one in site.lists] if person else []
        list_id = list_id or next(iter([*theirs, *site.lists]))
        language = (person.language if person else "") or language
        letter = Letter(
            kind=LetterKind.SETTINGS,
            list_id=list_id,
            language=language,
            address=person.address if person else "",
            address_key=key,
            abuse_key=abuse_key,
            said={"token": token},
            expires_at=now + GOOD_FOR[RequestPurpose.SETTINGS],
            withheld=not mailed,
        )
        request = Request(
            purpose=RequestPurpose.SETTINGS,
            address_key=key,
            subscriber_id=person.subscriber_id if person else None,
            list_id=list_id,
            language=language,
            created_at=now,
        )
        letters.add(tx, letter, now)
        requests.add(tx, request, token)
        # What nobody will be able to use is not kept; the one that is mailed, by another token.
        requests.withdraw(tx, link_token(random(16)) if mailed else token)


def look(store: Store, token: str, now: datetime) -> str | None:
    """The language of the reader whose link this is; None if it is none, was used or is too old."""
    with store.reading() as tx:
        found = requests.look(tx, RequestPurpose.SETTINGS, token, now)
    return found.language if found else None


def open_(site: Site, store: Store, token: str, now: datetime) -> Session | None:
    """A session for the reader whose link this is, which is used up by it; None as for `look`."""
    if look(store, token, now) is None:
        return None
    with store.writing() as tx:
        found = requests.take(tx, RequestPurpose.SETTINGS, token, now)
    if found is None or found.subscriber_id is None:
        return None
    return begin(site, found.subscriber_id, found.language, now)


def begin(site: Site, subscriber_id: int, language: str, now: datetime) -> Session:
    """A session for a person who has just used a link mailed to them."""
    expires = now + GOOD_FOR[RequestPurpose.SETTINGS]
    token = session_token(site.keys.undo, subscriber_id, expires)
    return Session(subscriber_id, language, token)


def reader(site: Site, store: Store, session: str, now: datetime) -> Subscriber | None:
    """The person of a session; None if it is over, was never one, or they are erased."""
    said = read_session(site.keys.undo, session, now)
    if said is None or said.expires > now + GOOD_FOR[RequestPurpose.SETTINGS] + _ASTRAY:
        return None
    with store.reading() as tx:
        return people.by_id(tx, said.id)


def offered(site: Site, person: Subscriber) -> list[MailingList]:
    """The lists that a person may be on: theirs, and those that anybody can join."""
    return [
        one for one in site.lists.values() if one.settings.join or _on(person.membership(one.id))
    ]


def read(site: Site, person: Subscriber) -> Settings:
    """A person's settings as they are."""
    lists = {}
    for one in offered(site, person):
        held = person.membership(one.id)
        lists[one.id] = OnList(
            one.id,
            on=_on(held),
            edition=held.edition if held else "",
            frequency=held.frequency if held else "",
            chosen=frozenset(n for n, choice in one.choices.items() if choice.tag in person.tags),
        )
    paused = [one for one in person.memberships if one.state is SubscriptionState.PAUSED]
    ends = [one.paused_until for one in paused if one.paused_until]
    return Settings(person.name, person.language, lists, bool(paused), max(ends, default=None))


def save(
    site: Site, store: Store, person: Subscriber, wanted: Settings, now: datetime, random: Random
) -> Subscriber:
    """The person with these settings; only what differs from before is written.

    Joining a list and leaving one leave the same evidence as by their pages.
    """
    before = read(site, person)
    with store.writing() as tx:
        roster.let_pass(tx)
        if people.by_id(tx, person.id, hold=True) is None:
            return person  # erased in this moment: there is nothing to be set any more
        if (wanted.name, wanted.language) != (person.name, person.language):
            members.change(tx, person.id, name=wanted.name, language=wanted.language)
        for list_id, chosen in wanted.lists.items():
            if list_id in before.lists:
                if before.lists[list_id].on and _has_left(tx, person, list_id):
                    continue  # in this moment; that the form says `on` is no wish to come back
                _save_list(tx, site, person, chosen, wanted, now, random)
        _save_tags(tx, site, person, before, wanted)
        found = people.by_id(tx, person.id)
    return found or person


def _has_left(tx: Tx, person: Subscriber, list_id: str) -> bool:
    held = members.place(tx, person.id, list_id)
    return held is None or held.state not in _ON


def _save_list(
    tx: Tx,
    site: Site,
    person: Subscriber,
    chosen: OnList,
    wanted: Settings,
    now: datetime,
    random: Random,
) -> None:
    """Nothing, once the person is on the list or off it, as chosen."""
    list_id = chosen.list_id
    # Held until the end, and looked at anew: a leave may have come in this moment.
    held = members.place(tx, person.id, list_id)
    is_on = held is not None and held.state in _ON
    if not chosen.on:
        if held is not None and is_on:
            _leave(tx, person, list_id, held, now)
        return
    if not is_on:
        domain = Address.stored(person.address).domain
        reasons = members.reasons(tx, person.address_key, list_id, domain=domain)
        if SuppressionReason.BY_HAND in reasons:
            return
        shown_in = wanted.shown_in or wanted.language
        wording = wording_of(site.lists[list_id], shown_in)
        members.lift(tx, person.address_key, list_id)
        members.activate(tx, person.id, list_id, leave_token(random(16)), now)
        actions = (ConsentAction.JOINED, ConsentAction.CONFIRMED)
        evidence = [_evidence(person, list_id, one, now, wording, shown_in) for one in actions]
        consents.append(tx, evidence)
        held = members.place(tx, person.id, list_id)
    assert held is not None  # noqa: S101 - on the list, or just put on it
    values: dict[str, object] = {
        "edition": chosen.edition,
        "frequency": chosen.frequency,
        "paused_until": wanted.paused_until if wanted.paused else None,
    }
    state = SubscriptionState.PAUSED if wanted.paused else SubscriptionState.ACTIVE
    if state is not held.state:
        values |= {"state": state, "changed_at": now}
    members.set_up(tx, held.id, values)


def _leave(tx: Tx, person: Subscriber, list_id: str, held: members.Place, now: datetime) -> None:
    people.set_state(tx, held.id, SubscriptionState.UNSUBSCRIBED, now)
    events.add(tx, EventKind.LEFT, person.id, now, list_id)
    wording = f"was {held.state}"
    evidence = _evidence(person, list_id, ConsentAction.LEFT, now, wording, person.language)
    consents.append(tx, [evidence])


def _save_tags(tx: Tx, site: Site, person: Subscriber, before: Settings, wanted: Settings) -> None:
    """Nothing, once the person's tags are those of the segments they chose; others stay."""
    add, remove = set(), set()
    for list_id, old in before.lists.items():
        new = wanted.lists.get(list_id, old)
        for name, choice in site.lists[list_id].choices.items():
            if name in new.chosen and name not in old.chosen:
                add.add(choice.tag)
            elif name in old.chosen and name not in new.chosen:
                remove.add(choice.tag)
    # Two lists may know the same tag: who chose it on one has it.
    people.change_tags(tx, person.id, add=add, remove=remove - add)


def _evidence(
    person: Subscriber,
    list_id: str,
    action: ConsentAction,
    now: datetime,
    wording: str,
    language: str,
) -> Consent:
    return Consent(
        list_id=list_id,
        subscriber_id=person.id,
        address_key=person.address_key,
        action=action,
        at=now,
        wording=wording,
        language=language,
        source="settings",
    )


def _on(held: Membership | None) -> bool:
    return held is not None and held.state in _ON
