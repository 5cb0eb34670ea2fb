"""Import: a file of people, their consent as evidence, and a report of every row.

The walk: inspect the file (hash, encoding) -> find the columns -> read rows -> unite those
of one address -> chunk by chunk, each one transaction: look people up, decide, write, append
the evidence. A crash leaves whole chunks; importing again finds them unchanged.

| the person is | the file says | what follows |
|---|---|---|
| suppressed or erased, on the list or on all | anything | refused |
| unsubscribed | that they are active, pending or paused | refused |
| new on the list | any state | recorded, with evidence |
| on the list | paused or unsubscribed, and that is stricter | lowered |
| on the list | anything else | the state stays |

An import never raises consent: `pending` in a file is no withdrawal, `active` no confirmation
of a person who is asked to confirm.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import BinaryIO

from mailout.core.consent import ConsentAction
from mailout.core.site import Site
from mailout.core.subscription import SubscriptionState, stricter
from mailout.core.suppression import SuppressionReason
from mailout.roster import columns as columns_of
from mailout.roster import entry, reading, sheets
from mailout.roster.entry import Entry
from mailout.roster.evidence import Evidence, addresses_in, require_wording
from mailout.roster.reading import Broken
from mailout.roster.writes import Came, Writes, why_not
from mailout.store import roster as stored
from mailout.store.engine import Store, Tx

CHUNK = 2000
"""Rows of a transaction."""

Progress = Callable[[int, float], None]
"""Told after each chunk: the rows done, and the fraction of the file's bytes."""


@dataclass(frozen=True, slots=True)
class Order:
    """What an import was asked to do. `consent` says how these people agreed; `columns` maps
    column names to fields; an empty `encoding` is found from the file."""

    list_id: str
    consent: str
    tags: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    encoding: str = ""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of the rows: `rows_read` = added + updated + unchanged + duplicates + refused.

    `added` are new on the list. The counts by status, tag and language are of the people
    accepted, as the file describes them. `warnings` are of rows that went in all the same.
    """

    rows_read: int
    added: int
    updated: int
    unchanged: int
    duplicates: int
    refused: tuple[Broken, ...]
    warnings: tuple[Broken, ...]
    by_status: Mapping[str, int]
    by_tag: Mapping[str, int]
    by_language: Mapping[str, int]
    dry_run: bool


def import_people(
    site: Site,
    store: Store,
    file: BinaryIO,
    name: str,
    order: Order,
    now: datetime,
    random_bytes: Callable[[int], bytes],
    progress: Progress | None = None,
) -> ImportReport:
    """The report of importing `file`, which is called `name` and can be sought in.

    Raises: UsageError for an order that does not fit the site or the file, BadFile for a
    file that is no table of people; nothing is written then.
    """
    site.list_named(order.list_id)
    wording = sheets.spelled_out(store, require_wording(order.consent))
    source = reading.inspect(file, name, order.encoding)
    table = reading.read(source, lambda cells: columns_of.fit(cells, order.columns))
    columns = columns_of.recognise(table.header, order.columns, name)
    evidence = Evidence(
        list_id=order.list_id,
        action=ConsentAction.IMPORTED,
        wording=wording,
        source=f"import:{reading.shown(name)} sha256:{source.sha256[:16]}",
        at=now,
    )
    trip = _Import(site, store, order, evidence, random_bytes)
    if columns.ignored:
        why = "columns that are not known, ignored; --map COL=FIELD says what one is"
        trip.warnings.append(Broken(table.header.number, ", ".join(columns.ignored), why))
    rows = iter(table.rows)
    while chunk := list(islice(rows, CHUNK)):
        trip.take(chunk, columns)
        if progress is not None:
            progress(trip.rows_read, source.fraction())
    return trip.report()


@dataclass(frozen=True, slots=True)
class _Mark:
    """What is remembered of an address that the file had: few different ones, shared by all."""

    accepted: bool
    tags: frozenset[str]
    state: SubscriptionState


class _Import:
    """One import under way: the counts so far, and the addresses seen."""

    def __init__(
        self,
        site: Site,
        store: Store,
        order: Order,
        evidence: Evidence,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self.store = store
        self.evidence = evidence
        self.random_bytes = random_bytes
        self.dry_run = order.dry_run
        self.address_key = site.keys.address
        self.foreign = frozenset(site.lists) - {order.list_id}
        self.tags = entry.given_tags(order.tags)
        # Evidence is kept for ever, so it must not hold an address that may be erased.
        self.quoted = addresses_in(f"{evidence.wording} {evidence.source}", site.keys.address)
        self.rows_read = self.duplicates = 0
        self.came: Counter[Came] = Counter()
        self.refused: list[Broken] = []
        self.warnings: list[Broken] = []
        self.by_status: Counter[str] = Counter()
        self.by_tag: Counter[str] = Counter()
        self.by_language: Counter[str] = Counter()
        self.seen: dict[bytes, _Mark] = {}
        self.marks: dict[tuple[bool, frozenset[str], SubscriptionState], _Mark] = {}

    def take(self, rows: Iterable[reading.Row | Broken], columns: columns_of.Columns) -> None:
        """Nothing, once a chunk of rows is counted and, unless this is a dry run, written."""
        firsts: dict[str, Entry] = {}
        later: dict[str, Entry] = {}  # of people whom an earlier chunk had
        for row in rows:
            self.rows_read += 1
            person = self._read(row, columns)
            if person is None:
                continue
            pile = later if bytes.fromhex(person.key) in self.seen else firsts
            known = pile.get(person.key)
            pile[person.key] = known.united(person) if known else person
            self.duplicates += pile is later or known is not None
        if self.dry_run:
            with self.store.reading() as tx:
                self._decide(tx, firsts, later)
            return
        with self.store.writing() as tx:
            stored.lock(tx)
            self._decide(tx, firsts, later).write(tx, self.evidence, self.random_bytes)

    def _read(self, row: reading.Row | Broken, columns: columns_of.Columns) -> Entry | None:
        """The person in a row; None, and a line in the report, if there is none to take."""
        if isinstance(row, Broken):
            self.refused.append(row)
            return None
        found, warnings = entry.read(row, columns, self.tags, self.address_key, self.foreign)
        if isinstance(found, Broken):
            self.refused.append(found)
            return None
        if found.key in self.quoted:
            self._refuse(found, "the consent text or the file's name, kept for ever, holds it")
            return None
        self.warnings += warnings
        return found

    def _decide(self, tx: Tx, firsts: Mapping[str, Entry], later: Mapping[str, Entry]) -> Writes:
        keys = [*firsts, *later]
        known = stored.known(tx, keys, self.evidence.list_id)
        suppressed = stored.suppressed(tx, keys, self.evidence.list_id)
        writes = Writes()
        for key, person in firsts.items():
            why = why_not(person, known.get(key), suppressed.get(key))
            self._remember(person, accepted=not why)
            if why:
                self._refuse(person, why)
                continue
            self.by_status[person.state] += 1
            self.by_tag.update(person.tags)
            self.by_language[person.language] += 1
            self.came[writes.take(person, known.get(key))] += 1
            self._warn_if_waiting(person, known.get(key))
        for key, person in later.items():
            self._take_later(writes, person, known.get(key), suppressed.get(key))
        return writes

    def _take_later(
        self,
        writes: Writes,
        person: Entry,
        known: stored.Known | None,
        suppressed: SuppressionReason | None,
    ) -> None:
        """A person whom an earlier chunk had: tags are united, the stricter state wins."""
        mark = self.seen[bytes.fromhex(person.key)]
        if not mark.accepted:
            return
        state = stricter(mark.state, person.state)
        self.by_tag.update(person.tags - mark.tags)
        self.by_status[mark.state] -= 1
        self.by_status[state] += 1
        self._remember(replace(person, tags=person.tags | mark.tags, state=state), accepted=True)
        # None in a dry run, and if they left or were erased since the earlier chunk.
        if known is not None and known.state is not None and suppressed is None:
            writes.lower(person, known)
            writes.give_tags(person.tags, known)

    def _remember(self, person: Entry, *, accepted: bool) -> None:
        values = (accepted, person.tags, person.state)
        self.seen[bytes.fromhex(person.key)] = self.marks.setdefault(values, _Mark(*values))

    def _refuse(self, person: Entry, why: str) -> None:
        self.refused.append(Broken(person.number, reading.shown(person.address.text), why))

    def _warn_if_waiting(self, person: Entry, known: stored.Known | None) -> None:
        if (
            known is not None
            and known.state is SubscriptionState.PENDING
            and person.state is SubscriptionState.ACTIVE
        ):
            why = "has been asked to confirm and stays pending until then"
            self.warnings.append(Broken(person.number, reading.shown(person.address.text), why))

    def report(self) -> ImportReport:
        """What became of all rows so far."""
        return ImportReport(
            rows_read=self.rows_read,
            added=self.came[Came.ADDED],
            updated=self.came[Came.UPDATED],
            unchanged=self.came[Came.UNCHANGED],
            duplicates=self.duplicates,
            refused=tuple(sorted(self.refused, key=lambda broken: broken.row)),
            warnings=tuple(self.warnings),
            by_status=_sorted(self.by_status),
            by_tag=_sorted(self.by_tag),
            by_language=_sorted(self.by_language),
            dry_run=self.dry_run,
        )


def _sorted(counts: Counter[str]) -> dict[str, int]:
    """The counts that are not zero, the largest first."""
    return {str(name): number for name, number in counts.most_common() if number}
