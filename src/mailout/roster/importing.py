"""Import: a file of people, their consent as evidence, and a report of every row.

The walk: open the file (hash, encoding, kind, columns) -> read rows -> unite those of one
address -> chunk by chunk, each one transaction: look people up, decide, write, append the
evidence, record what was done. A crash leaves whole chunks; importing the same file again
goes on with the same import, and finds them unchanged.

| the person is | the file says | what follows |
|---|---|---|
| erased | anything | refused |
| suppressed, on the list or on all | anything; but that a known member left | refused |
| unsubscribed | that they are active, pending or paused | refused |
| new on the list | any state | recorded, with evidence |
| on the list | paused or unsubscribed, and that is stricter | lowered |
| on the list | anything else | the state stays |
| on the list | rarer mail than they get, or an edition, and they chose none | taken |

An import never raises consent: `pending` in a file is no withdrawal, `active` no confirmation
of a person who is asked to confirm. A dead address, a complaint or a block is suppressed on all
lists as well.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, NamedTuple

from mailout.core.consent import ConsentAction
from mailout.core.errors import UsageError
from mailout.core.site import Site
from mailout.core.subscription import SubscriptionState
from mailout.core.suppression import SuppressionReason
from mailout.roster import (
    entry,
    journal,
    opening,
    own,
    reader,
    reading,
    remembering,
    sheets,
    statuses,
)
from mailout.roster.counting import Counts, ImportReport
from mailout.roster.entry import NO_CHOICE, Choice, Entry
from mailout.roster.evidence import Evidence, addresses_in, require_wording
from mailout.roster.form import Form, Sheaf
from mailout.roster.mending import Mend, RowReport
from mailout.roster.opening import Opened
from mailout.roster.reading import Broken
from mailout.roster.statuses import Standing, strictest
from mailout.roster.writes import Writes, why_not
from mailout.roster.writing import Writing
from mailout.store import imports, intake, suppressions
from mailout.store import roster as stored
from mailout.store.engine import Store, Tx
from mailout.store.intake import Known
from mailout.store.pen import Pen
from mailout.store.seen import Seen

CHUNK = 10_000
"""Rows of a transaction: half a second of work, in which nobody else can write."""

_PART = 2500
"""People who are decided while those before them are written."""

Progress = Callable[[int, float], None]
"""Told after each chunk: the rows done, and the fraction of the file's bytes."""


@dataclass(frozen=True, slots=True)
class Order:
    """What an import was asked to do. `consent` says how these people agreed; `columns` maps
    column names to fields; `status` holds of every row. What is empty is found from the file."""

    list_id: str
    consent: str
    tags: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    encoding: str = ""
    delimiter: str = ""
    preset: str = ""
    status: str = ""
    dry_run: bool = False


def import_people(
    site: Site,
    store: Store,
    file: BinaryIO,
    name: str,
    order: Order,
    now: datetime,
    random_bytes: Callable[[int], bytes],
    progress: Progress | None = None,
    mend: Mend | None = None,
    rows: RowReport | None = None,
) -> ImportReport:
    """The report of importing `file`, which is called `name` and can be sought in. Refused rows
    go to `mend`, too, and what became of each row to `rows`.

    Raises: UsageError for an order that does not fit the site or the file, BadFile for a
    file that is no table of people; nothing is written then.
    """
    site.list_named(order.list_id)
    consent = require_wording(order.consent)
    wording, language = sheets.spelled_out(store, consent, order.list_id)
    tags = entry.given_tags(order.tags)
    opened = look(site, file, name, order)
    standing = _standing(opened, name, order.status)
    if standing.state is not SubscriptionState.UNSUBSCRIBED:
        opened.require_told()
    evidence = Evidence(
        list_id=order.list_id,
        action=ConsentAction.IMPORTED,
        wording=wording,
        source=f"import:{reading.shown(name)} sha256:{opened.source.sha256[:16]}",
        at=now,
        language=language,
    )
    form = Form(
        opened.columns,
        tags,
        site.keys.address,
        frozenset(site.lists) - {order.list_id},
        standing,
        own.declared(site),
        opened.table.header.cells,
        keep_cells=mend is not None or rows is not None,
    )
    if mend is not None:
        mend.header = opened.table.header.cells
        if order.status or statuses.of_file(name) is not None:
            mend.status = statuses.word(standing)
    if opened.kind == "xlsx":
        gc.collect()  # what opening it left behind: 85 MB
    with _unswept(), Seen() as seen, Pen(store) as pen:
        counts = Counts(mend, rows)
        trip = _Import(site, store, order, opened, evidence, random_bytes, seen, pen, counts)
        with reader.sheaves(opened, form, CHUNK) as sheaves:
            for sheaf, fraction in sheaves:
                trip.take(sheaf)
                if progress is not None:
                    progress(trip.counts.rows_read, fraction)
        pen.wait()
        return trip.end()


@contextmanager
def _unswept() -> Iterator[None]:
    """While it lasts, nobody looks for rings of objects: an import makes none, and millions of
    objects to look through."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def look(site: Site, file: BinaryIO, name: str, order: Order) -> Opened:
    """The file as the order says, read as far as its header. Raises: UsageError, BadFile."""
    return opening.opened(
        file,
        name,
        mapped=order.columns,
        encoding=order.encoding,
        delimiter=order.delimiter,
        preset=order.preset,
        fields=tuple(own.declared(site)),
    )


def _standing(opened: Opened, name: str, status: str) -> Standing:
    """What holds of all rows. Raises: UsageError for a status that is none, or must be said."""
    told = statuses.of_file(name)
    if status:
        said = statuses.standing(status)
        if said is None:
            raise UsageError(
                f"there is no status `{reading.shown(status)}`",
                where="--status",
                fix="Say subscribed, pending, paused, unsubscribed, cleaned or complained.",
            )
        return strictest(said, told or statuses.ACTIVE)
    preset = opened.columns.preset
    positions = opened.columns.positions
    speaks = any(positions.get(what) for what in ("status", "left", "dead"))
    if preset.status_in_name and told is None and not speaks:
        raise UsageError(
            f"a {preset.title} export tells in its file's name whether these people are "
            "subscribed, and this name does not",
            where=name,
            fix="Give it its old name back (subscribed_.., unsubscribed_.., cleaned_..), or say "
            "--status subscribed, if that is what it was.",
        )
    return told or statuses.ACTIVE


class _Held(NamedTuple):
    """What the store holds of the people of a part: those it knows, why some are not mailed, and
    what members of whom the file says it have chosen."""

    known: Mapping[str, Known]
    suppressed: Mapping[str, SuppressionReason]
    chose: Mapping[int, Choice]


class _Import:
    """One import under way: the counts so far, and what it has on record."""

    def __init__(
        self,
        site: Site,
        store: Store,
        order: Order,
        opened: Opened,
        evidence: Evidence,
        random_bytes: Callable[[int], bytes],
        seen: Seen,
        pen: Pen,
        counts: Counts,
    ) -> None:
        self.pen, self.store, self.evidence, self.random_bytes = pen, store, evidence, random_bytes
        self.seen, self.opened = seen, opened
        self.dry_run = order.dry_run
        # Evidence is kept for ever, so it must not hold an address that may be erased.
        self.quoted = addresses_in(f"{evidence.wording} {evidence.source}", site.keys.address)
        self.file = reading.shown(opened.source.shown)
        self.import_id = 0
        with store.reading() as tx:
            self.begun = imports.unfinished(tx, order.list_id, opened.source.sha256)
        self.counts = counts
        if opened.columns.ignored:
            why = "columns that are not known, ignored; --map COLUMN=FIELD says what one is"
            ignored = reading.shown(", ".join(opened.columns.ignored), 400)
            self.counts.warn(Broken(opened.table.header.number, ignored, why))

    def take(self, sheaf: Sheaf) -> None:
        """Nothing, once a chunk is counted and, unless this is a dry run, given to be written."""
        self.counts.add(sheaf)
        for key in self.quoted & sheaf.people.keys():
            why = "the consent text or the file's name, kept for ever, holds it"
            self._refuse(sheaf.people.pop(key), why)
        with self.pen.reading() if self.dry_run else self.pen.writing():
            if not self.dry_run:
                self.pen.write(stored.lock)
                self.pen.write(intake.widen)
            self._take_in(sheaf.people)
        if self.counts.rows is not None:
            self.counts.rows.flush()

    def _take_in(self, people: Mapping[str, Entry]) -> None:
        """Nothing, once it is decided what becomes of these people, and it is written but for
        what the pen still has to do."""
        pen, list_id, every = self.pen, self.evidence.list_id, list(people.items())
        parts = [dict(every[at : at + _PART]) for at in range(0, len(every), _PART)]
        coming = [pen.ask(_held, part, list_id) for part in parts]
        domains = pen.ask(suppressions.domains_held, list_id)
        marks = self.seen.among(people)
        self.counts.double(people[key] for key in marks)

        def newcomers() -> int:
            """How many there may be, once all have been looked up."""
            return sum(len(part.keys() - one().known.keys() - marks.keys())
                       for part, one in zip(parts, coming, strict=True))  # fmt: skip

        writing = Writing(pen, self.evidence, self.random_bytes, newcomers, self._begin)
        said: dict[str, str] = {}
        for part, one in zip(parts, coming, strict=True):
            held = one()
            writes = Writes(held.chose)
            firsts = [(key, who) for key, who in part.items() if key not in marks]
            self._decide(firsts, held, domains(), writes, said)
            for key in part.keys() & marks.keys():
                if marks[key] != remembering.REFUSED:
                    said[key] = self._take_later(writes, part[key], marks[key], held)
            if not self.dry_run:
                writing.write(writes)
        self.seen.remember(said)  # the pen is at work meanwhile

    def _begin(self, tx: Tx) -> int:
        """The number of this import, which is on record from now on."""
        if not self.import_id:
            source, at = self.opened.source, self.evidence.at
            preset = self.opened.columns.preset.name
            list_id = self.evidence.list_id
            self.import_id = imports.begin(tx, list_id, self.file, source.sha256, preset, at)
        return self.import_id

    def _decide(
        self,
        people: Sequence[tuple[str, Entry]],
        held: _Held,
        domains: Collection[str],
        writes: Writes,
        said: dict[str, str],
    ) -> None:
        """Nothing, once it is decided what becomes of each of these people."""
        take = self.counts.take
        for key, person in people:
            known, reason = held.known.get(key), held.suppressed.get(key)
            why = "" if known is None and reason is None else why_not(person, known, reason)
            domain = person.address.domain
            if not why and domain in domains and not _leaves(person, known):
                why = f"suppressed with its domain; `mailout suppressions lift {domain}` ends that"
            if why:
                self._refuse(person, why)
                said[key] = remembering.REFUSED
                continue
            take(person, writes.take(person, known, reason))
            said[key] = remembering.mark(person)
            if known is not None:
                self._warn_if_waiting(person, known)

    def _take_later(self, writes: Writes, person: Entry, mark: str, held: _Held) -> str:
        """A person whom an earlier chunk had: tags are united, the stricter state wins."""
        known, suppressed = held.known.get(person.key), held.suppressed.get(person.key)
        before = remembering.before(person, mark)
        both = before.united(person)
        self.counts.replace(before, both)
        # None in a dry run, and if they left or were erased since the earlier chunk.
        if known is not None and known.state is not None and not why_not(both, known, suppressed):
            writes.lower(both, known)
            writes.give_tags(person.tags, known)
            writes.choose(person, known)
            if person.suppressed is not None and suppressed is None:
                writes.suppressed[person.key] = person.suppressed
        return remembering.mark(both)

    def _refuse(self, person: Entry, why: str) -> None:
        value = reading.shown(person.address.text)
        self.counts.refuse(Broken(person.number, value, why, person.cells))

    def _warn_if_waiting(self, person: Entry, known: Known) -> None:
        waits = known.state is SubscriptionState.PENDING
        if waits and person.state is SubscriptionState.ACTIVE:
            why = "has been asked to confirm and stays pending until then"
            self.counts.warn(Broken(person.number, reading.shown(person.address.text), why))

    def end(self) -> ImportReport:
        """The report, once the import has its end on record, if it has written anything."""
        opened = self.opened
        says = opened.says()
        if self.begun is not None and not self.dry_run:
            says.append(f"went on with import {self.begun.id}, which was broken off")
            self.import_id = self.begun.id
        report = self.counts.report(
            import_id=self.import_id,
            dry_run=self.dry_run,
            preset=opened.columns.preset.name,
            kind=opened.kind,
            encoding=opened.source.encoding,
            delimiter=opened.delimiter,
            says=says,
        )
        if self.import_id:
            with self.store.writing() as tx:
                intake.narrow(tx)
                counts = report.counts()
                if self.begun is not None:  # what is in since the first try counts, too
                    counts = journal.counted(counts, imports.tally(tx, self.import_id))
                imports.finish(tx, self.import_id, counts, self.evidence.at)
            with self.store.writing() as tx:
                imports.settle(tx, report.added)
        return report


def _held(tx: Tx, people: Mapping[str, Entry], list_id: str) -> _Held:
    keys = list(people)
    known = intake.known(tx, keys, list_id)
    # Edition and frequency are looked up of those of whom the file says either.
    said = [key for key, one in people.items() if one.choice != NO_CHOICE]
    ids = [known[key].subscription_id for key in said if key in known]
    return _Held(
        known, intake.suppressed(tx, keys, list_id), intake.choices(tx, ids) if ids else {}
    )


def _leaves(person: Entry, known: Known | None) -> bool:
    """Whether the file says of a member that they left: that is taken of anybody."""
    on_list = known is not None and known.state is not None
    return on_list and person.state is SubscriptionState.UNSUBSCRIBED
