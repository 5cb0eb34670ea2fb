"""Undoing an import: what it added or changed is taken back, where nobody has changed it since.

| the import | since then | undone |
|---|---|---|
| added the person | nothing | removed |
| added the person | mail went to them | pending: their links work, nothing more is sent |
| added the person | they joined another list | off this list, and on the other as they were |
| added the person | somebody changed them, or they chose how they get mail | kept as they are |
| added the person | a note was written about them, which would go with them | kept as they are |
| put a known person on the list | nothing | off the list, or pending if mail went to them |
| put a known person on the list | an undo took them off all others | removed; with a note kept |
| anything | they confirmed something themselves | kept as they are |
| anything | another person was merged into them | kept as they are |
| changed a value, a tag, a state | it is still as the import left it | as it was before |
| added, put on the list, changed | a later import did something to them | kept, and on record |
| suppressed an address | - | no longer suppressed; if it was merged into another: as merged |

Whom a later import keeps here stays on record: once that is undone, the same undo takes them back,
too, and until then the import is not marked as undone.

An undo can raise a state, since that is what it takes back: a row of evidence says so. Each page
of people is one transaction; an undo that was broken off is gone on with by the same command.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from mailout.core.consent import ConsentAction
from mailout.core.errors import UsageError
from mailout.core.subscriber import Membership, Subscriber
from mailout.core.subscription import SubscriptionState
from mailout.roster import journal
from mailout.roster.entry import Choice, mark
from mailout.store import consents, imports, inserts, intake, notes, people
from mailout.store import roster as stored
from mailout.store.consents import Piece
from mailout.store.engine import Store, Tx
from mailout.store.imports import Did, ImportRun

_PAGE = 2000
_PENDING, _UNSUBSCRIBED = SubscriptionState.PENDING, SubscriptionState.UNSUBSCRIBED


CONFIRMED = "they confirmed something themselves"
MERGED = "another person was merged into them"
NOTED = "a note was written about them"
SILENT = "mail went to them, and they get no more anyway"
CHANGED = "they, or somebody, changed something"


def changed_by(import_id: int) -> str:
    """Why whom a later import changed is kept."""
    return f"import {import_id} changed them, too"


@dataclass(frozen=True, slots=True)
class Undone:
    """What became of the people of an import: `removed` are gone, `silenced` are pending since
    mail went to them, `restored` are as they were before, `kept` are as they are now, and
    `kept_why` counts them by what happened since. Those of `later` imports, the newest first,
    stay on record and can be taken back once these are undone."""

    import_id: int
    list_id: str
    file: str
    removed: int
    silenced: int
    restored: int
    kept: int
    kept_why: Mapping[str, int]
    later: tuple[int, ...]
    suppressions: int
    dry_run: bool


@dataclass(slots=True)
class _Page:
    """What is to be done to a page of people. `later_ones` are the newest later imports that have
    any of them on record, and `noted` those about whom there is a note."""

    later_ones: Mapping[int, int] = field(default_factory=dict)
    noted: Collection[int] = frozenset()
    remove: list[int] = field(default_factory=list)
    leave: list[int] = field(default_factory=list)
    states: dict[int, SubscriptionState] = field(default_factory=dict)
    since: dict[int, datetime] = field(default_factory=dict)
    details: list[tuple[str, str, str, str, int]] = field(default_factory=list)
    choices: dict[int, Choice] = field(default_factory=dict)
    untag: dict[int, list[str]] = field(default_factory=dict)
    pieces: list[Piece] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    removed: int = 0
    silenced: int = 0
    restored: int = 0
    kept: Counter[str] = field(default_factory=Counter)
    later: set[int] = field(default_factory=set)
    on_record: set[int] = field(default_factory=set)

    def keep(self, person: Subscriber, why: str) -> None:
        """Nothing, once a person stays as they are."""
        later = self.later_ones.get(person.id, 0)
        if why == CHANGED and later:
            why = changed_by(later)
            self.later.add(later)
            self.on_record.add(person.id)
        self.kept[why] += 1


def listed(store: Store, list_id: str = "") -> list[ImportRun]:
    """All imports that wrote anything, the newest first."""
    with store.reading() as tx:
        return imports.listed(tx, list_id)


def undo(store: Store, import_id: int, now: datetime, *, dry_run: bool = False) -> Undone:
    """What became of the people of an import. Raises: UsageError if there is none to undo."""
    with store.reading() as tx:
        run = imports.find(tx, import_id)
        most = imports.listed(tx)
    if run is None:
        known = ", ".join(str(one.id) for one in most[:10])
        fix = f"There are {known}." if known else "Nothing was imported yet."
        raise UsageError(f"there is no import {import_id}", fix=fix)
    if run.undone_at is not None:
        raise UsageError(f"import {import_id} is undone already")
    whole, after = _Page(), 0
    while True:
        with store.reading() if dry_run else store.writing() as tx:
            if not dry_run:
                people.await_deliveries(tx)
                stored.lock(tx)
            page = imports.people(tx, import_id, after, _PAGE)
            if not page:
                break
            after = page[-1].subscriber_id
            decided = _decide(tx, run, page)
            if not dry_run:
                _apply(tx, run, decided, now)
        for name in ("removed", "silenced", "restored", "kept"):
            setattr(whole, name, getattr(whole, name) + getattr(decided, name))
        whole.later |= decided.later
    later = tuple(sorted(whole.later, reverse=True))
    if dry_run:
        with store.reading() as tx:
            lifted = imports.suppressions_to_lift(tx, import_id)
    else:
        with store.writing() as tx:
            lifted = imports.lift_suppressions(tx, import_id)
            if later:
                on_record = sum(whole.kept[changed_by(number)] for number in later)
                imports.undone_in_part(tx, import_id, on_record)
            else:
                imports.undone(tx, import_id, now)
    return Undone(
        import_id, run.list_id, run.file, whole.removed, whole.silenced, whole.restored,
        whole.kept.total(), dict(whole.kept), later, lifted, dry_run,
    )  # fmt: skip


def _decide(tx: Tx, run: ImportRun, page: Sequence[Did]) -> _Page:
    ids = [one.subscriber_id for one in page]
    persons = {one.id: one for one in people.by_ids(tx, ids)}
    places = {(row[0], row[2]): row[1] for row in imports.members(tx, ids)}
    mailed = imports.mailed(tx, ids)
    confirmed, merged = imports.confirmed(tx, ids, run.at), imports.merged(tx, ids, run.at)
    noted = notes.of_many(tx, ids).keys()
    decided = _Page(later_ones=imports.later(tx, run.id, ids), noted=noted)
    for did in page:
        person = persons.get(did.subscriber_id)
        if person is None:
            continue
        if person.id in confirmed or person.id in merged:
            decided.keep(person, CONFIRMED if person.id in confirmed else MERGED)
            continue
        place = places.get((person.id, run.list_id), 0)
        if did.did == journal.ADDED:
            _take_back_person(decided, run, did, person, place, person.id in mailed)
        elif did.did == journal.JOINED:
            _take_back_place(decided, run, did, person, place, person.id in mailed)
        else:
            _take_back_values(decided, run, did, person, place)
    kept = decided.on_record
    decided.done = [person_id for person_id in persons if person_id not in kept]
    return decided


def _take_back_person(
    page: _Page, run: ImportRun, did: Did, person: Subscriber, place: int, mailed: bool
) -> None:
    here = _membership(person, run.list_id)
    state = str(here.state) if here is not None else ""
    fields = json.dumps(dict(person.fields), ensure_ascii=False)
    now = mark(person.name, person.language, person.country, fields, person.tags, state)
    changes = json.loads(did.changes)
    if here is None or now != did.mark or not _untouched(here, run, changes):
        page.keep(person, CHANGED)
    elif mailed:
        _silence(page, run, person, place, here)
    else:
        _take_off(page, run, person, place)


def _take_back_place(
    page: _Page, run: ImportRun, did: Did, person: Subscriber, place: int, mailed: bool
) -> None:
    changes = json.loads(did.changes)
    here = _membership(person, run.list_id)
    _restore(page, person, changes)
    if here is None or str(here.state) != changes["state"][1] or not _untouched(here, run, changes):
        page.keep(person, CHANGED)
    elif mailed:
        _silence(page, run, person, place, here)
    else:
        _take_off(page, run, person, place)


def _take_off(page: _Page, run: ImportRun, person: Subscriber, place: int) -> None:
    """Off the list, and gone if this was the only one: nobody is kept whom no list has."""
    if len(person.memberships) > 1:
        page.leave.append(place)
    elif person.id in page.noted:
        page.keep(person, NOTED)
        return
    else:
        page.remove.append(person.id)
    page.pieces.append(_piece(run, person, ConsentAction.LEFT))
    page.removed += 1


def _take_back_values(
    page: _Page, run: ImportRun, did: Did, person: Subscriber, place: int
) -> None:
    changes = json.loads(did.changes)
    here = _membership(person, run.list_id)
    restored = _restore(page, person, changes)
    restored |= here is not None and _choose_back(page, person, here, changes)
    before, after = changes.get("state", ("", ""))
    if here is not None and str(here.state) == after and _untouched(here, run, changes):
        page.states[place] = SubscriptionState(before)
        if "since" in changes:  # not in the record of an import by an older mailout
            page.since[place] = datetime.fromisoformat(changes["since"][0])
        if after == str(_UNSUBSCRIBED):
            page.pieces.append(_piece(run, person, ConsentAction.RETURNED))
        restored = True
    if restored:
        page.restored += 1
    else:
        page.keep(person, CHANGED)


def _restore(page: _Page, person: Subscriber, changes: Mapping[str, Any]) -> bool:
    """Whether a value or a tag of the person is as it was before the import."""
    held = {"name": person.name, "language": person.language, "country": person.country}
    fields = dict(person.fields)
    back = False
    for what in held:
        if what in changes and held[what] == changes[what][1]:
            held[what], back = changes[what][0], True
    for name, (before, after) in changes.get("fields", {}).items():
        if fields.get(name) == after:
            back = True
            if before is None:
                del fields[name]
            else:
                fields[name] = before
    if back:
        packed = json.dumps(fields, ensure_ascii=False)
        page.details.append((held["name"], held["language"], held["country"], packed, person.id))
    if tags := sorted(set(changes.get("tags", ())) & set(person.tags)):
        page.untag[person.id] = tags
        back = True
    return back


def _choose_back(
    page: _Page, person: Subscriber, here: Membership, changes: Mapping[str, Any]
) -> bool:
    """Whether edition or frequency are as they were before the import."""
    held = (here.edition, here.frequency)
    pairs = [changes.get(what, (None, None)) for what in journal.CHOICES]
    back = [
        before if now == after else now for now, (before, after) in zip(held, pairs, strict=True)
    ]
    if tuple(back) == held:
        return False
    page.choices[person.id] = (back[0], back[1])
    return True


def _silence(page: _Page, run: ImportRun, person: Subscriber, place: int, here: Membership) -> None:
    """Mail went to them: their links have to work, and nothing more may be sent."""
    if here.state is _UNSUBSCRIBED or here.state is _PENDING:
        page.keep(person, SILENT)
        return
    page.states[place] = _PENDING
    page.pieces.append(_piece(run, person, ConsentAction.LEFT))
    page.silenced += 1


def _membership(person: Subscriber, list_id: str) -> Membership | None:
    return next((one for one in person.memberships if one.list_id == list_id), None)


def _untouched(here: Membership, run: ImportRun, changes: Mapping[str, Any]) -> bool:
    """Whether the subscription was last changed by the import, and its reader set nothing."""
    left = tuple(changes.get(what, ("", ""))[1] for what in journal.CHOICES)
    if (here.edition, here.frequency) != left or here.paused_until is not None:
        return False
    return here.changed_at.astimezone(UTC).isoformat(timespec="microseconds") in run.times


def _piece(run: ImportRun, person: Subscriber, action: ConsentAction) -> Piece:
    source = f"undo of import {run.id}"
    return Piece(person.id, person.address_key, action.value, "", person.language, source)


def _apply(tx: Tx, run: ImportRun, page: _Page, now: datetime) -> None:
    inserts.insert(tx, consents.Chain(tx, run.list_id).linked(now, page.pieces))
    intake.change_states(tx, page.states, now, page.since)
    intake.change_choices(tx, run.list_id, page.choices)
    intake.change_details(tx, page.details)
    for subscriber_id, tags in page.untag.items():
        people.change_tags(tx, subscriber_id, (), tags)
    imports.remove_members(tx, page.leave)
    imports.forget_people(tx, run.id, page.done)
    people.remove(tx, page.remove)
