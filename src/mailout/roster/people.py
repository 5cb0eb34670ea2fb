"""People one by one: added on evidence, tagged, looked at, listed, and erased."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from mailout.catalogue import is_country
from mailout.core import language
from mailout.core.address import Address, BadAddress
from mailout.core.consent import Consent, ConsentAction
from mailout.core.errors import MailoutError, UsageError
from mailout.core.event import EventKind
from mailout.core.site import Site
from mailout.core.subscriber import Subscriber
from mailout.core.subscription import SubscriptionState
from mailout.core.suppression import SuppressionReason
from mailout.roster import entry, reading, segments
from mailout.roster.entry import Entry
from mailout.roster.evidence import Evidence, addresses_in, require_wording
from mailout.roster.writes import Writes, why_not
from mailout.store import chores, consents, erasure, events, intake
from mailout.store import people as stored
from mailout.store import roster as bulk
from mailout.store.engine import Store, Tx

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A person to add by hand, as typed; `consent` says how they agreed."""

    address: str
    list_id: str
    consent: str
    name: str = ""
    language: str = ""
    country: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """All that is known of one person, newest first but for the evidence.

    `missed` are orders to send an issue of their lists that made no delivery to them.
    """

    person: Subscriber
    consents: tuple[Consent, ...]
    suppressions: tuple[bulk.Suppression, ...]
    deliveries: tuple[bulk.Sent, ...]
    missed: tuple[bulk.Missed, ...]
    events: tuple[events.Event, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which people: of a list, in a segment, in a state; empty and None mean any."""

    list_id: str = ""
    segment: str = ""
    state: SubscriptionState | None = None


def add(
    site: Site,
    store: Store,
    newcomer: Newcomer,
    now: datetime,
    random_bytes: Callable[[int], bytes],
) -> Subscriber:
    """The person, who is now active on the list, with the evidence kept.

    Raises: UsageError for words that cannot be taken; MailoutError if they are on the list
    already, have left it, or are suppressed.
    """
    site.list_named(newcomer.list_id)
    wording = require_wording(newcomer.consent)
    person = _entry(site, newcomer)
    if person.key in addresses_in(wording, site.keys.address):
        raise UsageError(
            "the words of consent name the address, and are kept even after an erasure",
            where="--consent",
            fix="Say it without the address.",
        )
    with store.writing() as tx:
        bulk.lock(tx)
        known = intake.known(tx, [person.key], newcomer.list_id).get(person.key)
        suppressed = intake.suppressed(tx, [person.key], newcomer.list_id).get(person.key)
        if why := why_not(person, known, suppressed):
            raise MailoutError(why, where=str(person.address))
        if known is not None and known.state is not None:
            raise MailoutError(
                f"is on the list `{newcomer.list_id}` already ({known.state})",
                where=str(person.address),
                fix="Use `mailout subscribers tag` to change the tags.",
            )
        writes = Writes()
        writes.take(person, known)
        evidence = Evidence(newcomer.list_id, ConsentAction.ADDED, wording, "subscribers add", now)
        writes.write(tx, evidence, random_bytes)
        return found(tx, site, str(person.address))


def tag(
    site: Site, store: Store, address: str, add: Iterable[str], remove: Iterable[str]
) -> Subscriber:
    """The person, with every tag of `add` and none of `remove`. Raises: MailoutError."""
    given, taken = entry.given_tags(add), entry.split_tags(remove)
    if both := sorted(given & taken):
        raise UsageError(f"`{both[0]}` cannot be added and removed at once")
    with store.writing() as tx:
        person = found(tx, site, address)
        stored.change_tags(tx, person.id, given, taken)
        return found(tx, site, address)


def choose_edition(site: Site, store: Store, address: str, list_id: str, edition: str) -> None:
    """Nothing, once the person gets that edition of a list's issues; an empty one is the
    standard edition. Raises: MailoutError if they are not on the list."""
    with store.writing() as tx:
        person = found(tx, site, address)
        if not stored.set_edition(tx, person.id, list_id, edition):
            raise MailoutError(f"{person.address} is not on the list `{list_id}`")


def show(site: Site, store: Store, address: str) -> Record:
    """All that is known of the person. Raises: MailoutError if there is nobody."""
    with store.reading() as tx:
        person = found(tx, site, address)
        return Record(
            person=person,
            consents=tuple(consents.of_subscriber(tx, person.id)),
            suppressions=tuple(bulk.suppressions_of(tx, person.address_key)),
            deliveries=tuple(bulk.sent_to(tx, person.address_key)),
            missed=tuple(bulk.missed_by(tx, person)),
            events=tuple(events.listed(tx, list(EventKind), subscriber_id=person.id, limit=100)),
        )


def listed(
    site: Site, store: Store, selection: Selection, after: int = 0, limit: int = 0
) -> Iterator[Subscriber]:
    """The people of a selection with ids above `after`, at most `limit` (0: all), page by page.

    Raises: UsageError, MailoutError for a list or a segment that cannot be resolved.
    """
    list_id, conditions, asked = selection.list_id, [], None
    if list_id:
        site.list_named(list_id)
    if selection.segment:
        segment = segments.named(site, selection.segment, list_id)
        list_id = segment.list_id
        asked = segments.asked(site, segment)
    if selection.state is not None:
        list_id = list_id or _only_list(site)
        conditions.append(bulk.in_state(selection.state))

    def page(tx: Tx, start: int, most: int) -> list[Subscriber]:
        inside = [segments.condition(tx, site, asked)] if asked else []
        where = bulk.all_of([*conditions, *inside])
        return stored.page(tx, where, list_id=list_id, after=start, limit=most)

    return _pages(store, page, after, limit)


def _pages(
    store: Store,
    page: Callable[[Tx, int, int], list[Subscriber]],
    after: int,
    limit: int,
) -> Iterator[Subscriber]:
    left = limit
    while True:
        size = min(_PAGE, left) if limit else _PAGE
        with store.reading() as tx:
            people = page(tx, after, size)
        yield from people
        left -= len(people)
        if len(people) < size or (limit and left <= 0):
            return
        after = people[-1].id


def erase(site: Site, store: Store, address: str, now: datetime) -> bool:
    """Whether the person is gone from the store's files as well as from its tables.

    Their rows are deleted, what quoted them emptied, the keyed hash of the address stays
    suppressed for ever. False: another mailout was using the store; erasing the same address
    again, any time later, takes the last bytes. Raises: MailoutError if there is nobody.
    """
    if not is_erased(site, store, address):
        with store.writing() as tx:
            bulk.lock(tx)
            erasure.erase(tx, found(tx, site, address), now, "subscribers erase")
    if not erasure.scrub(store):
        return False
    with store.writing() as tx:
        chores.done(tx, chores.SCRUB)
    return True


def is_erased(site: Site, store: Store, address: str) -> bool:
    """Whether this address was erased before. Raises: UsageError if it is no address."""
    key = key_of(site, address)
    with store.reading() as tx:
        return intake.suppressed(tx, [key], "").get(key) is SuppressionReason.ERASED


def key_of(site: Site, address: str) -> str:
    """The address key of what a person typed. Raises: UsageError if it is no address."""
    try:
        return Address.parse(address).key(site.keys.address)
    except BadAddress as error:
        raise UsageError(f"`{reading.shown(address)}` is no address: {error}") from None


def found(tx: Tx, site: Site, address: str) -> Subscriber:
    """The person with that address. Raises: MailoutError if there is nobody."""
    key = key_of(site, address)
    person = stored.find(tx, key)
    if person is not None:
        return person
    reasons = [str(suppression.reason) for suppression in bulk.suppressions_of(tx, key)]
    raise MailoutError(
        "there is nobody with this address"
        + (f"; it is suppressed ({', '.join(reasons)})" if reasons else ""),
        where=address.strip(),
    )


def _entry(site: Site, newcomer: Newcomer) -> Entry:
    key = key_of(site, newcomer.address)
    code = language.normal(newcomer.language)
    if meant := language.mistaken_for(code):
        raise UsageError(f"`{code}` is a country, not a language", fix=f"Write `{meant}`.")
    if code and not language.is_code(code):
        raise UsageError(f"`{reading.shown(code)}` is not a language code", fix="Write ru or en.")
    country = newcomer.country.strip().upper()
    if country and not is_country(country):
        raise UsageError(
            f"`{reading.shown(country)}` is not a country code",
            fix="The United Kingdom is GB." if country == "UK" else "Write one such as DE.",
        )
    address, name = Address.parse(newcomer.address), newcomer.name.strip()
    for what, value in (("the address", address.text), ("the name", name)):
        if why := entry.harm(value, "this"):
            raise UsageError(why, where=what)
    return Entry(
        number=0,
        address=address,
        key=key,
        name=name,
        language=code,
        country=country,
        tags=entry.given_tags(newcomer.tags),
        state=SubscriptionState.ACTIVE,
    )


def _only_list(site: Site) -> str:
    """The site's list, where it has only one. Raises: UsageError."""
    if len(site.lists) == 1:
        return next(iter(site.lists))
    raise UsageError("a state is that of a list", fix="Add --list: " + ", ".join(site.lists) + ".")
