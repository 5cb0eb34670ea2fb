"""People one by one: added on evidence, tagged, looked at, listed, and erased."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from mailout.core.address import Address, BadAddress
from mailout.core.consent import Consent, ConsentAction
from mailout.core.errors import MailoutError, UsageError
from mailout.core.event import EventKind
from mailout.core.site import Site
from mailout.core.spelling import composed
from mailout.core.subscriber import Subscriber
from mailout.core.subscription import SubscriptionState
from mailout.core.suppression import SuppressionReason
from mailout.roster import entry, reading, selecting
from mailout.roster.details import country_of, language_of
from mailout.roster.entry import Entry
from mailout.roster.evidence import Evidence, addresses_in, require_wording
from mailout.roster.selecting import Selection
from mailout.roster.writes import Writes, why_not
from mailout.roster.writing import Writing
from mailout.store import (
    chores,
    consents,
    erasure,
    events,
    imports,
    intake,
    merged,
    notes,
    suppressions,
)
from mailout.store import people as stored
from mailout.store import roster as bulk
from mailout.store.batch import chunks
from mailout.store.engine import Store, Tx
from mailout.store.imports import ImportRun
from mailout.store.notes import Note
from mailout.store.pen import Here
from mailout.store.suppressions import HeldDomain

_PAGE = 500
_MANY = 10_000  # issues and events of one person: all that there are, while memory is bounded


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

    `missed` are orders to send an issue of their lists that made no delivery to them; `imports`
    those that brought or changed them, oldest first, and which of the two.
    """

    person: Subscriber
    consents: tuple[Consent, ...]
    suppressions: tuple[bulk.Suppression, ...]
    deliveries: tuple[bulk.Sent, ...]
    missed: tuple[bulk.Missed, ...]
    events: tuple[events.Event, ...]
    notes: tuple[Note, ...] = ()
    domains: tuple[HeldDomain, ...] = ()
    imports: tuple[tuple[ImportRun, str], ...] = ()


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
        if suppressions.domain_is_held(tx, person.address.domain, newcomer.list_id):
            raise MailoutError(
                f"the domain {person.address.domain} is suppressed",
                where=str(person.address),
                fix=f"`mailout suppressions lift {person.address.domain}` ends that.",
            )
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
        Writing(Here(tx), evidence, random_bytes, lambda: len(writes.newcomers)).write(writes)
        return found(tx, site, str(person.address))


def tag(
    site: Site, store: Store, address: str, add: Iterable[str], remove: Iterable[str]
) -> Subscriber:
    """The person, with every tag of `add` and none of `remove`. Raises: MailoutError."""
    given, taken = entry.given_tags(add), entry.split_tags(remove)
    if both := sorted(given & taken):
        raise UsageError(f"`{both[0]}` cannot be added and removed at once")
    with store.writing() as tx:
        person = found(tx, site, address, hold=True)
        # One may be kept with its letters in pieces, from before that was minded.
        gone = {one for one in person.tags if composed(one) in taken}
        stored.change_tags(tx, person.id, given, gone)
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
            deliveries=tuple(bulk.sent_to(tx, person.address_key, _MANY)),
            missed=tuple(bulk.missed_by(tx, person, _MANY)),
            events=tuple(events.listed(tx, list(EventKind), subscriber_id=person.id, limit=_MANY)),
            notes=tuple(notes.of(tx, person.id)),
            domains=tuple(suppressions.of_domain(tx, Address.stored(person.address).domain)),
            imports=tuple(imports.of_person(tx, person.id)),
        )


def listed(
    site: Site,
    store: Store,
    selection: Selection,
    after: int = 0,
    limit: int = 0,
    *,
    sort: str = "",
    skip: int = 0,
) -> Iterator[Subscriber]:
    """The people of a selection with ids above `after`, at most `limit` (0: all), page by page,
    `skip` of them passed over; sorted by one of `stored.SORTS` (`-name`: turned round).

    Raises: UsageError, MailoutError for a list or a segment that cannot be resolved.
    """
    asked = selecting.chosen(site, selection)
    if sort:
        # All of them at one moment: to sort anew for each page takes longer with every page, and
        # who is renamed meanwhile would be on two or on none.
        with store.reading() as tx:
            where = bulk.all_of(asked.conditions(tx, site))
            ids = stored.in_order(tx, sort, where, list_id=asked.list_id, limit=limit, skip=skip)
        for some in chunks(ids, _PAGE):
            with store.reading() as tx:
                known = {one.id: one for one in stored.by_ids(tx, some)}
            yield from (known[one] for one in some if one in known)
        return
    left = limit
    while True:
        size = min(_PAGE, left) if limit else _PAGE
        with store.reading() as tx:
            where = bulk.all_of(asked.conditions(tx, site))
            people = stored.page(
                tx, where, list_id=asked.list_id, after=after, limit=size, skip=skip
            )
        yield from people
        left -= len(people)
        if len(people) < size or (limit and left <= 0):
            return
        after, skip = people[-1].id, 0


def erase(site: Site, store: Store, address: str, now: datetime) -> bool:
    """Whether the person is gone from the store's files as well as from its tables.

    Their rows are deleted, what quoted them emptied, the keyed hash of the address stays
    suppressed for ever. False: another mailout was using the store; erasing the same address
    again, any time later, takes the last bytes. Raises: MailoutError if there is nobody.
    """
    if not is_erased(site, store, address):
        with store.writing() as tx:
            stored.await_deliveries(tx)
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


def found(tx: Tx, site: Site, address: str, *, hold: bool = False) -> Subscriber:
    """The person with that address; with `hold`, which comes first in a transaction, nobody else
    changes or erases them until its end. Raises: MailoutError if there is nobody."""
    key = key_of(site, address)
    if hold:
        bulk.let_pass(tx)
        stored.hold(tx, key)
    person = stored.find(tx, key)
    if person is not None:
        return person
    if now := merged.address_now(tx, key):
        raise MailoutError(
            f"this address was merged into {now}", where=address.strip(), fix="Name that one."
        )
    reasons = [str(suppression.reason) for suppression in bulk.suppressions_of(tx, key)]
    raise MailoutError(
        "there is nobody with this address"
        + (f"; it is suppressed ({', '.join(reasons)})" if reasons else ""),
        where=address.strip(),
    )


def _entry(site: Site, newcomer: Newcomer) -> Entry:
    key = key_of(site, newcomer.address)
    code, country = language_of(newcomer.language), country_of(newcomer.country)
    address, name = Address.parse(newcomer.address), composed(newcomer.name.strip())
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
