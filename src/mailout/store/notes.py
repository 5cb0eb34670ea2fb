"""Notes about people: written down, read; they go with the person."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, insert, select

from mailout.store.batch import KEYS, among, chunks
from mailout.store.engine import Tx
from mailout.store.roster_tables import NOTE
from mailout.store.tables import SUBSCRIBER, SUBSCRIPTION

_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Note:
    """Something an organiser wrote down about a person."""

    id: int
    text: str
    at: datetime


def add(tx: Tx, subscriber_id: int, text: str, now: datetime) -> int:
    """The number of the note, which is kept now."""
    values = {"subscriber_id": subscriber_id, "text": text, "at": now}
    return int(tx.execute(insert(NOTE).values(**values).returning(NOTE.c.id)).scalar_one())


def of(tx: Tx, subscriber_id: int) -> list[Note]:
    """The notes about a person, oldest first."""
    rows = tx.execute(
        select(NOTE.c.id, NOTE.c.text, NOTE.c.at)
        .where(NOTE.c.subscriber_id == subscriber_id)
        .order_by(NOTE.c.at, NOTE.c.id)
    )
    return [Note(*row) for row in rows]


def of_many(tx: Tx, subscriber_ids: Sequence[int]) -> dict[int, list[Note]]:
    """The notes about these people, by their ids; nothing of those about whom there is none."""
    found: dict[int, list[Note]] = {}
    for ids in chunks(subscriber_ids, KEYS):
        query = select(NOTE.c.subscriber_id, NOTE.c.id, NOTE.c.text, NOTE.c.at)
        for row in tx.execute(query.where(among(tx, NOTE.c.subscriber_id, ids))):
            found.setdefault(row[0], []).append(Note(*row[1:]))
    return found


def about(
    tx: Tx, list_id: str, conditions: Sequence[ColumnElement[bool]]
) -> Iterator[list[tuple[str, Note]]]:
    """Address and note, some at a time, of the people of a list (empty: of any) of whom all
    conditions hold."""
    people = NOTE.join(SUBSCRIBER, NOTE.c.subscriber_id == SUBSCRIBER.c.id)
    query = (
        select(SUBSCRIBER.c.id, SUBSCRIBER.c.address, NOTE.c.id, NOTE.c.text, NOTE.c.at)
        .select_from(people.join(SUBSCRIPTION, SUBSCRIPTION.c.subscriber_id == SUBSCRIBER.c.id))
        .where(*conditions)
        .distinct()  # who is on two lists
        .order_by(SUBSCRIBER.c.id, NOTE.c.at, NOTE.c.id)
    )
    if list_id:
        query = query.where(SUBSCRIPTION.c.list_id == list_id)
    for some in tx.execute(query, execution_options={"yield_per": _BATCH}).partitions(_BATCH):
        yield [(row[1], Note(*row[2:])) for row in some]


def drop(tx: Tx, subscriber_id: int, number: int) -> bool:
    """Whether there was such a note about the person; it is gone."""
    done = tx.execute(
        delete(NOTE).where(NOTE.c.subscriber_id == subscriber_id, NOTE.c.id == number)
    )
    return bool(getattr(done, "rowcount", 0))
