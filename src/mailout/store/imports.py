"""Imports on record: which files were taken in, and what each did to whom.

An import has a row as soon as it has written something. It is written in the same
transactions as the people, so that after a crash what is on record is what is in the store.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import func, insert, select, update

from mailout.core.consent import ConsentAction
from mailout.core.event import EventKind
from mailout.core.suppression import SuppressionReason
from mailout.store.batch import KEYS, among, chunks, plan_anew
from mailout.store.engine import Tx
from mailout.store.import_tables import IMPORT_PERSON, IMPORT_RUN
from mailout.store.inserts import Inserts, ready
from mailout.store.roster_tables import MERGED_ADDRESS
from mailout.store.tables import CONSENT, DELIVERY, EVENT, SUBSCRIPTION, SUPPRESSION

_MANY = 1000  # new people from which on PostgreSQL is told of them
_FILLED = (
    "subscriber", "subscriber_tag", "subscription", "consent", "import_person", "suppression"
)  # fmt: skip
_COLUMNS = "subscriber_id, import_id, did, mark, changes"


@dataclass(frozen=True, slots=True)
class ImportRun:
    """One import; `times` are those at which it began and went on. One without an end was
    broken off, and the same file goes on with it."""

    id: int
    list_id: str
    file: str
    sha256: str
    preset: str
    times: tuple[str, ...]
    counts: Mapping[str, int]
    at: datetime
    ended_at: datetime | None
    undone_at: datetime | None


class Did(NamedTuple):
    """What an import did to one person. `changes` is JSON: see `roster.journal`."""

    subscriber_id: int
    did: str
    mark: str
    changes: str


def begin(tx: Tx, list_id: str, file: str, sha256: str, preset: str, now: datetime) -> int:
    """The number of the import of this file: a new one, or that of one that was broken off."""
    known = unfinished(tx, list_id, sha256)
    if known is not None:
        times = [*known.times, moment(now)]
        tx.execute(update(IMPORT_RUN).where(IMPORT_RUN.c.id == known.id).values(times=times))
        return known.id
    made = tx.execute(
        insert(IMPORT_RUN).values(
            list_id=list_id, file=file, sha256=sha256, preset=preset, times=[moment(now)],
            counts={}, at=now,
        )
    )  # fmt: skip
    return int(made.inserted_primary_key[0])  # type: ignore[attr-defined]


def unfinished(tx: Tx, list_id: str, sha256: str) -> ImportRun | None:
    """The import of this file that was broken off, if there is one."""
    row = tx.execute(
        select(IMPORT_RUN)
        .where(
            IMPORT_RUN.c.sha256 == sha256,
            IMPORT_RUN.c.list_id == list_id,
            IMPORT_RUN.c.ended_at.is_(None),
            IMPORT_RUN.c.undone_at.is_(None),
        )
        .order_by(IMPORT_RUN.c.id.desc())
        .limit(1)
    ).first()
    return _run(row) if row else None


def finish(tx: Tx, import_id: int, counts: Mapping[str, int], now: datetime) -> None:
    """Nothing, once the import has its end and its counts."""
    tx.execute(
        update(IMPORT_RUN)
        .where(IMPORT_RUN.c.id == import_id)
        .values(ended_at=now, counts=dict(counts))
    )


def settle(tx: Tx, added: int) -> None:
    """Nothing, once what an import has written is planned for: an appeal is sent right after it."""
    if added >= _MANY:
        plan_anew(tx, _FILLED)


def tally(tx: Tx, import_id: int) -> dict[str, int]:
    """How many people the import has on record, by what it did to them."""
    did = select(IMPORT_PERSON.c.did, func.count()).where(IMPORT_PERSON.c.import_id == import_id)
    return {done: number for done, number in tx.execute(did.group_by(IMPORT_PERSON.c.did))}


def find(tx: Tx, import_id: int) -> ImportRun | None:
    """The import of that number."""
    row = tx.execute(select(IMPORT_RUN).where(IMPORT_RUN.c.id == import_id)).first()
    return _run(row) if row else None


def listed(tx: Tx, list_id: str = "") -> list[ImportRun]:
    """All imports (of a list), the newest first."""
    query = select(IMPORT_RUN).order_by(IMPORT_RUN.c.id.desc())
    if list_id:
        query = query.where(IMPORT_RUN.c.list_id == list_id)
    return [_run(row) for row in tx.execute(query)]


def records(dialect: str, import_id: int, done: Sequence[Did]) -> Inserts:
    """The rows that keep on record what the import did to these people, none of them twice."""
    rows = [(one[0], import_id, one[1], one[2], one[3]) for one in done]
    return ready(dialect, "import_person", _COLUMNS, rows)


def recorded(tx: Tx, import_id: int, subscriber_ids: Sequence[int]) -> dict[int, Did]:
    """What is on record of these people, by their ids."""
    found: dict[int, Did] = {}
    for ids in chunks(subscriber_ids, KEYS):
        rows = tx.execute(
            select(IMPORT_PERSON).where(
                IMPORT_PERSON.c.import_id == import_id,
                among(tx, IMPORT_PERSON.c.subscriber_id, ids),
            )
        )
        found.update((row.subscriber_id, _did(row)) for row in rows)
    return found


def amend(tx: Tx, import_id: int, done: Sequence[Did]) -> None:
    """Nothing, once what is on record of these people is this instead."""
    for one in done:
        tx.execute(
            update(IMPORT_PERSON)
            .where(
                IMPORT_PERSON.c.import_id == import_id,
                IMPORT_PERSON.c.subscriber_id == one.subscriber_id,
            )
            .values(did=one.did, mark=one.mark, changes=json.loads(one.changes))
        )


def people(tx: Tx, import_id: int, after: int, limit: int) -> list[Did]:
    """What is on record of up to `limit` people with ids above `after`, in their order."""
    rows = tx.execute(
        select(IMPORT_PERSON)
        .where(IMPORT_PERSON.c.import_id == import_id, IMPORT_PERSON.c.subscriber_id > after)
        .order_by(IMPORT_PERSON.c.subscriber_id)
        .limit(limit)
    )
    return [_did(row) for row in rows]


def of_person(tx: Tx, subscriber_id: int) -> list[tuple[ImportRun, str]]:
    """The imports that have a person on record, oldest first, and what each did to them."""
    rows = tx.execute(
        select(IMPORT_RUN, IMPORT_PERSON.c.did)
        .join(IMPORT_PERSON, IMPORT_PERSON.c.import_id == IMPORT_RUN.c.id)
        .where(IMPORT_PERSON.c.subscriber_id == subscriber_id)
        .order_by(IMPORT_RUN.c.id)
    )
    return [(_run(row), row.did) for row in rows]


def later(tx: Tx, import_id: int, subscriber_ids: Sequence[int]) -> dict[int, int]:
    """The newest of the later imports that have these people on record, by their ids."""
    found: dict[int, int] = {}
    for ids in chunks(subscriber_ids, KEYS):
        query = (
            select(IMPORT_PERSON.c.subscriber_id, func.max(IMPORT_PERSON.c.import_id))
            .where(
                among(tx, IMPORT_PERSON.c.subscriber_id, ids),
                IMPORT_PERSON.c.import_id > import_id,
            )
            .group_by(IMPORT_PERSON.c.subscriber_id)
        )
        found.update((row[0], row[1]) for row in tx.execute(query))
    return found


def forget_people(tx: Tx, import_id: int, subscriber_ids: Sequence[int]) -> None:
    """Nothing, once these people are no longer on record of the import."""
    for ids in chunks(subscriber_ids, KEYS):
        tx.execute(
            IMPORT_PERSON.delete().where(
                IMPORT_PERSON.c.import_id == import_id,
                among(tx, IMPORT_PERSON.c.subscriber_id, ids),
            )
        )


def undone(tx: Tx, import_id: int, now: datetime) -> None:
    """Nothing, once the import is marked as taken back."""
    tx.execute(update(IMPORT_RUN).where(IMPORT_RUN.c.id == import_id).values(undone_at=now))


def undone_in_part(tx: Tx, import_id: int, kept: int) -> None:
    """Nothing, once it is on record that the import still has so many people to be taken back."""
    run = find(tx, import_id)
    if run is not None:
        counts = {**run.counts, "kept": kept}
        tx.execute(update(IMPORT_RUN).where(IMPORT_RUN.c.id == import_id).values(counts=counts))


def moment(at: datetime) -> str:
    """A moment as it stands in the record of an import."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def suppression_evidence(import_id: int) -> str:
    """What stands as evidence in suppressions that an import made."""
    return f"import {import_id}"


def suppressions_to_lift(tx: Tx, import_id: int) -> int:
    """How many suppressions `lift_suppressions` would end."""
    merged_ones = SUPPRESSION.c.address_key.in_(select(MERGED_ADDRESS.c.address_key))
    query = select(func.count()).where(
        SUPPRESSION.c.evidence == suppression_evidence(import_id),
        ~((SUPPRESSION.c.list_id == "") & merged_ones),
    )
    return int(tx.execute(query).scalar_one())


def lift_suppressions(tx: Tx, import_id: int) -> int:
    """How many suppressions that the import made are gone now.

    An address that was merged into another one since stays one that no import brings back.
    """
    tx.execute(
        update(SUPPRESSION)
        .where(
            SUPPRESSION.c.evidence == suppression_evidence(import_id),
            SUPPRESSION.c.list_id == "",
            SUPPRESSION.c.address_key.in_(select(MERGED_ADDRESS.c.address_key)),
        )
        .values(reason=SuppressionReason.MERGED, evidence="")
    )
    done = tx.execute(
        SUPPRESSION.delete().where(SUPPRESSION.c.evidence == suppression_evidence(import_id))
    )
    return int(getattr(done, "rowcount", 0))


def members(tx: Tx, subscriber_ids: Sequence[int]) -> Iterator[tuple[int, int, str, str, datetime]]:
    """Every subscription of these people: person, its own id, list, state, since when."""
    for ids in chunks(subscriber_ids, KEYS):
        rows = tx.execute(
            select(
                SUBSCRIPTION.c.subscriber_id, SUBSCRIPTION.c.id, SUBSCRIPTION.c.list_id,
                SUBSCRIPTION.c.state, SUBSCRIPTION.c.changed_at,
            ).where(among(tx, SUBSCRIPTION.c.subscriber_id, ids))
        )  # fmt: skip
        for row in rows:
            yield row[0], row[1], row[2], row[3], row[4]


def mailed(tx: Tx, subscriber_ids: Sequence[int]) -> set[int]:
    """Those of the people who have a delivery, whatever became of it."""
    found: set[int] = set()
    for ids in chunks(subscriber_ids, KEYS):
        query = select(DELIVERY.c.subscriber_id).where(among(tx, DELIVERY.c.subscriber_id, ids))
        found.update(id_ for id_ in tx.scalars(query.distinct()) if id_ is not None)
    return found


def confirmed(tx: Tx, subscriber_ids: Sequence[int], since: datetime) -> set[int]:
    """Those of the people who confirmed anything since then: their own word outlasts a file."""
    found: set[int] = set()
    for ids in chunks(subscriber_ids, KEYS):
        query = select(CONSENT.c.subscriber_id).where(
            among(tx, CONSENT.c.subscriber_id, ids),
            CONSENT.c.action == ConsentAction.CONFIRMED,
            CONSENT.c.at >= since,
        )
        found.update(tx.scalars(query.distinct()))
    return found


def merged(tx: Tx, subscriber_ids: Sequence[int], since: datetime) -> set[int]:
    """Those of the people into whom another person was merged since then: they are more than
    the import knew."""
    found: set[int] = set()
    for ids in chunks(subscriber_ids, KEYS):
        query = select(EVENT.c.subscriber_id).where(
            among(tx, EVENT.c.subscriber_id, ids),
            EVENT.c.kind == EventKind.MERGED,
            EVENT.c.at >= since,
        )
        found.update(tx.scalars(query.distinct()))
    return found


def remove_members(tx: Tx, subscription_ids: Sequence[int]) -> None:
    """Nothing, once these subscriptions are gone."""
    for ids in chunks(subscription_ids, KEYS):
        tx.execute(SUBSCRIPTION.delete().where(among(tx, SUBSCRIPTION.c.id, ids)))


def _run(row: Any) -> ImportRun:
    return ImportRun(
        row.id, row.list_id, row.file, row.sha256, row.preset, tuple(row.times),
        row.counts, row.at, row.ended_at, row.undone_at,
    )  # fmt: skip


def _did(row: Any) -> Did:
    return Did(row.subscriber_id, row.did, row.mark, json.dumps(row.changes, ensure_ascii=False))
