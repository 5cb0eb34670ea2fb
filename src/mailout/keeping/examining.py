"""Examining a backup, or the store itself: is all of it there, and as it was written?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from mailout.core.backup import SITE, STORE, About, Manifest, Shape, is_fit, table_of, unpack_rows
from mailout.core.consent import GENESIS, Consent, ConsentAction, chained
from mailout.core.errors import BadFile
from mailout.keeping.container import opened
from mailout.store import chain, soundness
from mailout.store.engine import Store, session_on

SETTINGS = SITE + "config.toml"


@dataclass(frozen=True, slots=True)
class Examined:
    """A backup that is whole. `broken` has, for each list whose chain of evidence does not hold,
    the number of the first link that does not fit; `links` counts those of each list. `settings`
    is what `config.toml` says."""

    about: About
    manifest: Manifest
    files: int
    settings: bytes
    links: Mapping[str, int]
    broken: Mapping[str, int]


def examine(path: Path, passphrase: str) -> Examined:
    """What is in a backup, all of which was read and found to be as it was written.

    Raises: BadFile if it is none, damaged or of a newer program; MailoutError for a wrong
    passphrase.
    """
    with opened(path, passphrase) as reader:
        shapes = {shape.name: shape for shape in reader.about.tables}
        rows: Counter[str] = Counter()
        chains = _Chains()
        files, settings = 0, b""
        for member in reader.members():
            if member.name.startswith(SITE):
                refuse_unfit(member.name)
                files += 1
                if member.name == SETTINGS:
                    settings = member.whole()
                continue
            shape = shape_of(shapes, member.name)
            found = unpack_rows(shape, member.whole(), member.name)
            rows[shape.name] += len(found)
            if shape.name == "consent":
                chains.add(shape, found)
        assert reader.manifest is not None  # noqa: S101 - all members are read
        _refuse_other_counts(rows, reader.manifest.rows, shapes)
        return Examined(reader.about, reader.manifest, files, settings, chains.links, chains.broken)


def examine_store(store: Store) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """How many rows each table of a store in use has, and how many links each list's chain; and
    the first link that does not fit, by list.

    Raises: MailoutError if its file is damaged.
    """
    with store.snapshot() as plain:
        soundness.refuse_unsound(plain)
        tx = session_on(plain)
        found = {name: chain.check(tx, name) for name in chain.lists(tx)}
        links = {name: one.links for name, one in found.items()}
        broken = {name: one.broken_at for name, one in found.items() if one.broken_at}
        return soundness.counts(plain), links, broken


def refuse_unfit(name: str) -> None:
    """Nothing. Raises: BadFile for the name of a file that would not stay in the site."""
    if not is_fit(name.removeprefix(SITE)):
        raise BadFile(f"`{name}` must not stand in a backup", fix="Who has forged it?")


def shape_of(shapes: Mapping[str, Shape], name: str) -> Shape:
    """The shape of the table whose rows a member holds. Raises: BadFile."""
    if not name.startswith(STORE) or table_of(name) not in shapes:
        raise BadFile(f"`{name}` must not stand in a backup", fix="Who has forged it?")
    return shapes[table_of(name)]


def _refuse_other_counts(
    found: Mapping[str, int], told: Mapping[str, int], shapes: Mapping[str, Shape]
) -> None:
    for name in shapes:
        if found.get(name, 0) != told.get(name):
            raise BadFile(
                f"the backup holds {found.get(name, 0):,} rows of `{name}`"
                f" and tells of {told.get(name, 0):,}"
            )


_LINK = frozenset({"number", "previous", "hash"}) | Consent.__dataclass_fields__.keys()


@dataclass(slots=True)
class _Chains:
    """The chains of evidence, checked link by link as they come: list by list, in their order."""

    links: dict[str, int] = field(default_factory=dict)
    broken: dict[str, int] = field(default_factory=dict)
    _last: str = GENESIS

    def add(self, shape: Shape, rows: list[list[Any]]) -> None:
        names = [column.name for column in shape.columns]
        if not set(names) >= _LINK:
            raise BadFile("the backup's table `consent` is not as any version has it")
        for values in rows:
            row = dict(zip(names, values, strict=True))
            list_id = row["list_id"]
            if list_id not in self.links:
                self.links[list_id], self._last = 0, GENESIS
            fits = row["number"] == self.links[list_id] + 1 and row["previous"] == self._last
            if not (fits and row["hash"] == chained(_consent(row), self._last)):
                self.broken.setdefault(list_id, self.links[list_id] + 1)
            self.links[list_id] += 1
            self._last = row["hash"]


def _consent(row: Mapping[str, Any]) -> Consent:
    try:
        return Consent(
            list_id=row["list_id"],
            subscriber_id=row["subscriber_id"],
            address_key=row["address_key"],
            action=ConsentAction(row["action"]),
            at=datetime.fromisoformat(row["at"]),
            wording=row["wording"],
            language=row["language"],
            source=row["source"],
        )
    except (KeyError, ValueError, TypeError):
        raise BadFile("a row of `consent` in the backup is none") from None
