"""Counting: what became of the rows of an import, as its report.

However large the file is, only so many rows are named; all of them are counted, and a mend
file has all that were refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mailout.roster import lookalikes
from mailout.roster.entry import Entry
from mailout.roster.form import ROLES, Sheaf
from mailout.roster.mending import Mend, RowReport
from mailout.roster.reading import Broken
from mailout.roster.writes import Came

MOST_NAMED = 10_000
"""Refused rows, and warnings, that a report names."""

_MOST_KINDS = 20_000  # of people by state, tags and language, before they are added up
_DUPLICATE = "duplicate"
_TOGETHER = 2_000
_MOST_DOMAINS = 100_000
_MOST_TAGS = 5_000


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of the rows: `rows_read` = added + updated + unchanged + duplicates + refused.

    `added` are new on the list. The counts by status, tag and language are of the people
    accepted, as the file describes them. `warnings` are of rows that went in all the same.
    `refused` and `warnings` name the first ten thousand, `refused_count` and `warnings_count`
    count all. `import_id` is 0 if nothing was written. `roles` are addresses such as info@.
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
    refused_count: int = 0
    warnings_count: int = 0
    roles: int = 0
    import_id: int = 0
    preset: str = ""
    kind: str = ""
    encoding: str = ""
    delimiter: str = ""
    says: tuple[str, ...] = ()

    def counts(self) -> dict[str, int]:
        """The counts that are kept on record."""
        names = ("rows_read", "added", "updated", "unchanged", "duplicates")
        return {name: getattr(self, name) for name in names} | {"refused": self.refused_count}


class Counts:
    """The counts so far; refused rows go to `mend`, and what became of every row to `rows`."""

    def __init__(self, mend: Mend | None = None, rows: RowReport | None = None) -> None:
        self.mend, self.rows = mend, rows
        self.rows_read = self.duplicates = self.roles = 0
        self.refused_count = self.warnings_count = 0
        self.came: Counter[str] = Counter()
        self.refused: list[Broken] = []
        self.warnings: list[Broken] = []
        self.taken: list[tuple[str, str, str, frozenset[str]]] = []
        self.kinds: Counter[tuple[str, str, str, frozenset[str]]] = Counter()
        self.by_status: Counter[str] = Counter()
        self.by_tag: Counter[str] = Counter()
        self.by_language: Counter[str] = Counter()
        self.domains: Counter[str] = Counter()
        self.first_row: dict[str, int] = {}

    def add(self, sheaf: Sheaf) -> None:
        """Nothing, once a chunk's rows are counted, but for what becomes of its people."""
        self.rows_read += sheaf.rows
        self.duplicates += sheaf.doubled
        self.roles += sheaf.roles
        for broken in sheaf.broken:
            self.refuse(broken)
        for warning in sheaf.warnings:
            self.warn(warning)
        if self.rows is not None:
            for number, address in sheaf.doubles:
                self.rows.add(number, address, _DUPLICATE)
        here = Counter([person.address.domain for person in sheaf.people.values()])
        if new := here.keys() - self.domains.keys():
            for person in sheaf.people.values():
                if person.address.domain in new:
                    self.first_row.setdefault(person.address.domain, person.number)
        self.domains.update(here)
        if len(self.domains) > _MOST_DOMAINS:
            self.domains = Counter(dict(self.domains.most_common(_MOST_DOMAINS // 2)))
            self.first_row = {d: row for d, row in self.first_row.items() if d in self.domains}

    def refuse(self, broken: Broken) -> None:
        """Nothing, once a row is counted as refused."""
        self.refused_count += 1
        if self.mend is not None:
            self.mend.add(broken)
        if self.rows is not None:
            self.rows.add(broken.row, broken.value, "refused", broken.why)
        if len(self.refused) < MOST_NAMED:
            self.refused.append(Broken(broken.row, broken.value, broken.why))

    def warn(self, warning: Broken) -> None:
        """Nothing, once something is told of a row that went in."""
        self.warnings_count += 1
        if self.rows is not None:
            self.rows.tell(warning.row, f"{warning.value}: {warning.why}")
        if len(self.warnings) < MOST_NAMED:
            self.warnings.append(warning)

    def take(self, person: Entry, came: Came) -> None:
        """Nothing, once an accepted person is counted."""
        # Texts, since an enum's own hash is a slow one; counted together, which is quicker.
        self.taken.append((str(came), str(person.state), person.language, person.tags))
        if len(self.taken) >= _TOGETHER:
            self._count_taken()
        if self.rows is not None:
            role = "a role: several people may read it"
            why = role if person.address.local.lower() in ROLES else ""
            self.rows.add(person.number, person.address.text, str(came), why)

    def double(self, people: Iterable[Entry]) -> None:
        """Nothing, once rows of people whom an earlier chunk had are counted."""
        for person in people:
            self.duplicates += 1
            if self.rows is not None:
                self.rows.add(person.number, person.address.text, _DUPLICATE)

    def replace(self, before: Entry, after: Entry) -> None:
        """Nothing, once a person counted before is counted as a later row has made them."""
        self._add_up()
        self.by_status[str(before.state)] -= 1
        self.by_status[str(after.state)] += 1
        self.by_tag.update(after.tags - before.tags)

    def _count_taken(self) -> None:
        self.kinds.update(self.taken)
        self.taken.clear()
        if len(self.kinds) > _MOST_KINDS:
            self._add_up()

    def _add_up(self) -> None:
        self.kinds.update(self.taken)
        self.taken.clear()
        for (came, state, language, tags), count in self.kinds.items():
            self.came[came] += count
            self.by_status[state] += count
            self.by_language[language] += count
            for tag in tags:
                self.by_tag[tag] += count
        self.kinds.clear()
        if len(self.by_tag) > 10 * _MOST_TAGS:
            self.by_tag = Counter(dict(self.by_tag.most_common(_MOST_TAGS)))

    def _slips(self) -> list[Broken]:
        told = []
        for domain, meant, count in lookalikes.found(self.domains):
            row = self.first_row.get(domain, 0)
            many = f"{count} addresses" if count > 1 else "1 address"
            why = f"looks like a slip for {meant} ({many}, the first here); taken as it stands"
            told.append(Broken(row, domain, why))
        return told

    def report(
        self,
        *,
        import_id: int,
        dry_run: bool,
        preset: str,
        kind: str,
        encoding: str,
        delimiter: str,
        says: Sequence[str],
    ) -> ImportReport:
        """What became of all rows so far."""
        self._add_up()
        for slip in self._slips():
            self.warn(slip)
        return ImportReport(
            rows_read=self.rows_read,
            added=self.came[str(Came.ADDED)],
            updated=self.came[str(Came.UPDATED)],
            unchanged=self.came[str(Came.UNCHANGED)],
            duplicates=self.duplicates,
            refused=tuple(sorted(self.refused, key=lambda broken: broken.row)),
            warnings=tuple(self.warnings),
            by_status=_sorted(self.by_status),
            by_tag=_sorted(self.by_tag),
            by_language=_sorted(self.by_language),
            dry_run=dry_run,
            refused_count=self.refused_count,
            warnings_count=self.warnings_count,
            roles=self.roles,
            import_id=import_id,
            preset=preset,
            kind=kind,
            encoding=encoding,
            delimiter=delimiter,
            says=tuple(says),
        )


def _sorted(counts: Counter[str]) -> dict[str, int]:
    """The counts that are not zero, the largest first; equal ones by their names, since databases
    tell of people in orders of their own."""
    told = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return {str(name): number for name, number in told if number}
