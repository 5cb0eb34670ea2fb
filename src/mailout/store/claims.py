"""The hot path in: deliveries claimed and started, a batch a statement.

These are plain SQL, one JSON parameter a batch: through the ORM they took a third longer,
and a batch in one parameter is worked off by the database without the interpreter. Both
databases have the same statements but for how they read JSON and who waits for whom:
PostgreSQL skips what another worker has locked, SQLite has one writer at a time.

What a test watches with EXPLAIN: the claim walks the partial index of queued deliveries in
the order in which they are due, from where it last stood, so its cost grows neither with what
was sent already nor with what is due later.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import bindparam, or_, select, update

from mailout.core.delivery import DeliveryState
from mailout.store.columns import dialect_of, stored_moment
from mailout.store.engine import Tx
from mailout.store.tables import DELIVERY, SUBSCRIBER


class Cursor(NamedTuple):
    """Where a claim stopped: `at` is a due time as the database tells it."""

    at: str = "0001-01-01"
    id: int = 0


START = Cursor()
"""Before the first delivery."""


class Claimed(NamedTuple):
    """A delivery that a worker holds, with all that composing and deciding need.

    `language` is the variant's. `attempts` counts those before the one to come; `queued` is
    when it was queued, as the database tells it.
    """

    id: int
    issue_id: int
    dispatch_id: int
    address_key: str
    language: str
    attempts: int
    queued: str
    address: str
    name: str
    token: str

    @property
    def queued_at(self) -> datetime:
        return datetime.fromisoformat(self.queued).replace(tzinfo=UTC)

    @property
    def provider(self) -> str:
        """The domain of the address, lower case."""
        return self.address.rpartition("@")[2].lower()


# What is due, marked as claimed. SQLite takes the ids first, all in one value, since its
# driver wakes the interpreter for each row that a statement returns.
_DUE = """
SELECT json_group_array(id), max(next_at) FROM (
  SELECT id, next_at FROM delivery INDEXED BY ix_delivery_queued
  WHERE dispatch_id = :dispatch AND state = 'queued'
    AND next_at <= :now AND (next_at, id) > (:after_at, :after_id)
  ORDER BY next_at, id LIMIT :most
)"""
_CLAIM = {
    "sqlite": """
UPDATE delivery SET state = 'claimed', worker = :worker, lease_until = :lease
WHERE id IN (SELECT value FROM json_each(:ids))""",
    "postgresql": """
UPDATE delivery SET state = 'claimed', worker = %(worker)s, lease_until = %(lease)s
WHERE id IN (
  SELECT id FROM delivery
  WHERE dispatch_id = %(dispatch)s AND state = 'queued'
    AND next_at <= %(now)s AND (next_at, id) > (%(after_at)s::timestamptz, %(after_id)s)
  ORDER BY next_at, id LIMIT %(most)s FOR UPDATE SKIP LOCKED
)
RETURNING id, to_char(next_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US+00')""",
}

# The readers as they are now, and why one who has left, paused or been suppressed since the
# queueing is skipped.
_READER = """
  d.id, d.issue_id, d.dispatch_id, d.address_key, d.language, d.attempts, {queued},
  p.address, p.name, s.token,
  CASE WHEN p.id IS NULL THEN 'erased'
       WHEN EXISTS (SELECT 1 FROM suppression x
                    WHERE x.address_key = d.address_key AND x.list_id IN ('', i.list_id))
       THEN 'suppressed'
       WHEN s.state IS NULL THEN 'unsubscribed'
       WHEN s.state <> 'active' THEN s.state
       WHEN p.bounce_paused_at IS NOT NULL THEN 'paused for bounces'
       ELSE '' END"""
_FROM = """
FROM {ids} JOIN delivery d ON d.id = ids.value
JOIN issue i ON i.id = d.issue_id
LEFT JOIN subscriber p ON p.id = d.subscriber_id
LEFT JOIN subscription s ON s.subscriber_id = p.id AND s.list_id = i.list_id"""
_ALL_IN_ONE = "SELECT json_group_array(json_array({reader})) {source}"
_ONE_BY_ONE = "SELECT {reader} {source} ORDER BY d.id"
_READERS = {
    "sqlite": _ALL_IN_ONE.format(
        reader=_READER.format(queued="d.queued_at"),
        source=_FROM.format(ids="(SELECT value FROM json_each(:ids) LIMIT -1) AS ids"),
    ),
    "postgresql": _ONE_BY_ONE.format(
        reader=_READER.format(
            queued="to_char(d.queued_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"
        ),
        source=_FROM.format(ids="unnest(%(ids)s::bigint[]) AS ids(value)"),
    ),
}

# Marked only while the reader still wants it: a claim may be minutes old on a slow wire.
_MARK = """
UPDATE delivery SET state = 'sending', lease_until = {lease}, attempts = attempts + 1
WHERE {chosen} AND state = 'claimed' AND worker = {worker}
  AND (SELECT s.state FROM subscription s
       WHERE s.subscriber_id = delivery.subscriber_id AND s.list_id = {list}) = 'active'
  AND NOT EXISTS (SELECT 1 FROM suppression x
                  WHERE x.address_key = delivery.address_key AND x.list_id IN ('', {list}))"""
# Asked for by unique keys: a join lets a planner without statistics walk a whole list for each.
_LIST = "(SELECT i.list_id FROM issue i WHERE i.id = delivery.issue_id)"
_START = {
    "sqlite": _MARK.format(
        lease=":lease",
        worker=":worker",
        chosen="id IN (SELECT value FROM json_each(:ids))",
        list=_LIST,
    ),
    "postgresql": _MARK.format(
        lease="%(lease)s",
        worker="%(worker)s",
        chosen="id = ANY(%(ids)s::bigint[])",
        list=_LIST,
    ),
}


def claim(
    tx: Tx,
    dispatch_id: int,
    worker: str,
    now: datetime,
    lease_until: datetime,
    most: int,
    after: Cursor = START,
) -> tuple[list[Claimed], Cursor | None]:
    """Up to `most` due deliveries that come behind `after`, now held by `worker`, and where to
    go on (None when none was due).

    Those whose reader has meanwhile left, paused or been suppressed are skipped instead.
    """
    ids, last = _claim_ids(tx, dispatch_id, worker, now, lease_until, most, after)
    return (_wanted(tx, ids, now), last) if ids else ([], None)


def _wanted(tx: Tx, ids: Sequence[int], now: datetime) -> list[Claimed]:
    """Those of the deliveries whose readers still want them; the others are skipped."""
    wanted: list[Claimed] = []
    skipped: dict[str, list[int]] = {}
    for *fields, why in _readers(tx, ids):
        if why:
            skipped.setdefault(why, []).append(fields[0])
        else:
            wanted.append(Claimed._make(fields))
    for why, skipped_ids in skipped.items():
        _skip(tx, skipped_ids, why, now)
    return wanted


def _claim_ids(
    tx: Tx,
    dispatch_id: int,
    worker: str,
    now: datetime,
    lease_until: datetime,
    most: int,
    after: Cursor,
) -> tuple[list[int], Cursor | None]:
    dialect = dialect_of(tx)
    due = {
        "dispatch": dispatch_id,
        "after_at": after.at,
        "after_id": after.id,
        "now": stored_moment(now, dialect),
        "most": most,
    }
    held = {"worker": worker, "lease": stored_moment(lease_until, dialect)}
    if dialect == "postgresql":
        rows = _run(tx, _CLAIM[dialect], {**due, **held})
        last = max((Cursor(at, one) for one, at in rows), default=None)
        return [row[0] for row in rows], last
    ((packed, last_at),) = _run(tx, _DUE, due)
    ids: list[int] = json.loads(packed)
    if not ids:
        return [], None
    tx.connection().exec_driver_sql(_CLAIM[dialect], {**held, "ids": packed})
    return ids, Cursor(last_at, ids[-1])


def _readers(tx: Tx, ids: Sequence[int]) -> list[Any]:
    dialect = dialect_of(tx)
    if dialect == "postgresql":
        return _run(tx, _READERS[dialect], {"ids": ids})
    ((packed,),) = _run(tx, _READERS[dialect], {"ids": json.dumps(ids)})
    rows: list[Any] = json.loads(packed)
    return rows


def _skip(tx: Tx, ids: Sequence[int], why: str, now: datetime) -> None:
    tx.execute(
        update(DELIVERY)
        .where(DELIVERY.c.id.in_(ids))
        .values(state=DeliveryState.SKIPPED, reason=why, worker="", lease_until=None, ended_at=now)
    )


def start(
    tx: Tx, ids: Sequence[int], worker: str, now: datetime, lease_until: datetime
) -> set[int]:
    """Those of the worker's claimed deliveries that are now `sending`; commit before the wire.

    One that is missing was taken from this worker (its lease had lapsed), or its reader has
    left since the claim: then it is skipped now.
    """
    dialect = dialect_of(tx)
    values: dict[str, Any] = {
        "ids": json.dumps(list(ids)) if dialect == "sqlite" else list(ids),
        "worker": worker,
        "lease": stored_moment(lease_until, dialect),
    }
    done = tx.connection().exec_driver_sql(_START[dialect], values)
    if done.rowcount == len(ids):
        return set(ids)
    held = select(DELIVERY.c.id, DELIVERY.c.state).where(
        DELIVERY.c.id.in_(ids), DELIVERY.c.worker == worker
    )
    states = {row.id: row.state for row in tx.execute(held)}
    unwanted = [one for one, state in states.items() if state is DeliveryState.CLAIMED]
    if unwanted:
        _wanted(tx, unwanted, now)
    return {one for one, state in states.items() if state is DeliveryState.SENDING}


def give_back(tx: Tx, ids: Iterable[int], worker: str) -> None:
    """Nothing, once deliveries of which nothing went on the wire are queued again, untried."""
    for state, attempts in ((DeliveryState.SENDING, 1), (DeliveryState.CLAIMED, 0)):
        tx.execute(
            update(DELIVERY)
            .where(DELIVERY.c.id == bindparam("of_id"), DELIVERY.c.state == state)
            .where(DELIVERY.c.worker == worker)
            .values(
                state=DeliveryState.QUEUED,
                worker="",
                lease_until=None,
                attempts=DELIVERY.c.attempts - attempts,
            ),
            [{"of_id": one} for one in ids] or [{"of_id": 0}],
        )


def postpone(tx: Tx, due: Mapping[datetime, Sequence[int]], worker: str) -> None:
    """Nothing, once claimed deliveries are queued again until the moment that is theirs."""
    for moment, ids in due.items():
        tx.execute(
            update(DELIVERY)
            .where(DELIVERY.c.id.in_(ids), DELIVERY.c.state == DeliveryState.CLAIMED)
            .where(DELIVERY.c.worker == worker)
            .values(state=DeliveryState.QUEUED, worker="", lease_until=None, next_at=moment)
        )


def held_by(tx: Tx, worker: str) -> dict[int, DeliveryState]:
    """The deliveries that the worker holds, `claimed` or `sending`, by their ids."""
    held = select(DELIVERY.c.id, DELIVERY.c.state).where(DELIVERY.c.worker == worker)
    return {row.id: row.state for row in tx.execute(held)}


def extend(tx: Tx, worker: str, lease_until: datetime) -> None:
    """Nothing, once all that the worker holds is leased until then."""
    tx.execute(update(DELIVERY).where(DELIVERY.c.worker == worker).values(lease_until=lease_until))


def holders(tx: Tx) -> list[str]:
    """The workers that hold deliveries now."""
    return list(tx.scalars(select(DELIVERY.c.worker).where(DELIVERY.c.worker != "").distinct()))


def lapsed(tx: Tx, now: datetime, dead_workers: Sequence[str]) -> dict[str, list[Claimed]]:
    """The `sending` deliveries whose worker is gone, by that worker: their end is unknown.

    Claimed ones of such workers are queued again on the way: nothing was on the wire.
    """
    gone = or_(DELIVERY.c.lease_until < now, DELIVERY.c.worker.in_(dead_workers))
    held = DELIVERY.c.worker != ""
    tx.execute(
        update(DELIVERY)
        .where(DELIVERY.c.state == DeliveryState.CLAIMED, held, gone)
        .values(state=DeliveryState.QUEUED, worker="", lease_until=None)
    )
    rows = tx.execute(
        select(DELIVERY, SUBSCRIBER.c.address)
        .outerjoin(SUBSCRIBER, SUBSCRIBER.c.id == DELIVERY.c.subscriber_id)
        .where(DELIVERY.c.state == DeliveryState.SENDING, held, gone)
    )
    found: dict[str, list[Claimed]] = {}
    for row in rows:
        delivery = Claimed(
            id=row.id,
            issue_id=row.issue_id,
            dispatch_id=row.dispatch_id,
            address_key=row.address_key,
            language=row.language,
            attempts=row.attempts,
            queued=row.queued_at.isoformat(sep=" ", timespec="microseconds")[:-6],
            address=row.address or "",
            name="",
            token="",
        )
        found.setdefault(row.worker, []).append(delivery)
    return found


def _run(tx: Tx, sql: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """The rows of a statement, as the driver gives them."""
    result = tx.connection().exec_driver_sql(sql, dict(values))
    rows = list(result.cursor.fetchall()) if result.cursor else []
    result.close()
    return rows
