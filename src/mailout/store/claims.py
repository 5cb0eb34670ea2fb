"""The hot path: deliveries claimed, started and recorded, a batch a statement.

These are plain SQL, one JSON parameter a batch: through the ORM they took a third longer,
and a batch in one parameter is worked off by the database without the interpreter. Both
databases have the same statements but for how they read JSON and who waits for whom:
PostgreSQL skips what another worker has locked, SQLite has one writer at a time.

What a test watches with EXPLAIN: the claim walks the partial index of queued deliveries in
the order of their ids, so its cost does not grow with what was sent already.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import String, bindparam, case, insert, or_, select, update

from mailout.core.delivery import DeliveryState, Outcome, Step, Verdict
from mailout.core.event import EventKind
from mailout.store.columns import UtcTime
from mailout.store.engine import Tx
from mailout.store.tables import DELIVERY, EVENT, SUBSCRIBER

_EVENT_OF = {
    Verdict.DEFERRED: EventKind.DEFERRED,
    Verdict.REFUSED: EventKind.REFUSED,
    Verdict.UNKNOWN: EventKind.UNKNOWN,
}


class Claimed(NamedTuple):
    """A delivery that a worker holds, with all that composing and deciding need.

    `language` is the variant's. `attempts` counts those before the one to come; `queued` is
    when it was queued, as the database tells it.
    """

    id: int
    issue_id: int
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


class Recorded(NamedTuple):
    """The end of one attempt: the delivery, what came of it, and where it goes."""

    delivery: Claimed
    outcome: Outcome
    step: Step


# What is due, marked as claimed. SQLite takes the ids first, all in one value, since its
# driver wakes the interpreter for each row that a statement returns.
_DUE = """
SELECT json_group_array(id) FROM (
  SELECT id FROM delivery INDEXED BY ix_delivery_queued
  WHERE dispatch_id = :dispatch AND state = 'queued' AND id > :after AND next_at <= :now
  ORDER BY id LIMIT :most
)"""
_CLAIM = {
    "sqlite": """
UPDATE delivery SET state = 'claimed', worker = :worker, lease_until = :lease
WHERE id IN (SELECT value FROM json_each(:ids))""",
    "postgresql": """
UPDATE delivery SET state = 'claimed', worker = %(worker)s, lease_until = %(lease)s
WHERE id IN (
  SELECT id FROM delivery
  WHERE dispatch_id = %(dispatch)s AND state = 'queued' AND id > %(after)s AND next_at <= %(now)s
  ORDER BY id LIMIT %(most)s FOR UPDATE SKIP LOCKED
)
RETURNING id""",
}

# The readers as they are now, and why one who has left, paused or been suppressed since the
# queueing is skipped.
_READER = """
  d.id, d.issue_id, d.address_key, d.language, d.attempts, {queued}, p.address, p.name, s.token,
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

_START = {
    "sqlite": """
UPDATE delivery SET state = 'sending', lease_until = :lease, attempts = attempts + 1
WHERE id IN (SELECT value FROM json_each(:ids)) AND state = 'claimed' AND worker = :worker""",
    "postgresql": """
UPDATE delivery SET state = 'sending', lease_until = %(lease)s, attempts = attempts + 1
WHERE id = ANY(%(ids)s::bigint[]) AND state = 'claimed' AND worker = %(worker)s""",
}

_SET_OUTCOME = """
UPDATE delivery SET state = r.state, next_at = r.next_at, ended_at = r.ended_at,
  worker = '', lease_until = NULL, last_code = r.code, last_enhanced = r.enhanced,
  last_text = CASE WHEN delivery.subscriber_id IS NULL THEN '' ELSE r.text END, relay = r.relay
FROM {rows}
WHERE delivery.id = r.id AND delivery.state = 'sending' AND delivery.worker = {worker}"""
_FIELDS = ("id", "state", "next_at", "ended_at", "code", "enhanced", "text", "relay")
_RECORD = {
    # LIMIT -1 makes the rows once, up front; else every delivery is held against each.
    "sqlite": _SET_OUTCOME.format(
        rows="(SELECT value ->> 0 AS id, value ->> 1 AS state, value ->> 2 AS next_at,"
        " value ->> 3 AS ended_at, value ->> 4 AS code, value ->> 5 AS enhanced,"
        " value ->> 6 AS text, value ->> 7 AS relay FROM json_each(:rows) LIMIT -1) AS r",
        worker=":worker",
    ),
    "postgresql": _SET_OUTCOME.format(
        rows="json_to_recordset(%(rows)s::json) AS r(id bigint, state text, next_at timestamptz,"
        " ended_at timestamptz, code int, enhanced text, text text, relay text)",
        worker="%(worker)s",
    ),
}


def claim(
    tx: Tx,
    dispatch_id: int,
    worker: str,
    now: datetime,
    lease_until: datetime,
    most: int,
    after: int = 0,
) -> tuple[list[Claimed], int]:
    """Up to `most` due deliveries with ids above `after`, now held by `worker`, and the highest
    id seen (0 when none was due).

    Those whose reader has meanwhile left, paused or been suppressed are skipped instead.
    """
    ids = _claim_ids(tx, dispatch_id, worker, now, lease_until, most, after)
    if not ids:
        return [], 0
    claimed: list[Claimed] = []
    skipped: dict[str, list[int]] = {}
    for *fields, why in _readers(tx, ids):
        if why:
            skipped.setdefault(why, []).append(fields[0])
        else:
            claimed.append(Claimed._make(fields))
    for why, skipped_ids in skipped.items():
        _skip(tx, skipped_ids, why, now)
    return claimed, max(ids)


def _claim_ids(
    tx: Tx,
    dispatch_id: int,
    worker: str,
    now: datetime,
    lease_until: datetime,
    most: int,
    after: int,
) -> list[int]:
    dialect = _dialect(tx)
    due = {
        "dispatch": dispatch_id,
        "after": after,
        "now": _moment(now, dialect),
        "most": most,
    }
    held = {"worker": worker, "lease": _moment(lease_until, dialect)}
    if dialect == "postgresql":
        return [row[0] for row in _run(tx, _CLAIM[dialect], {**due, **held})]
    ((packed,),) = _run(tx, _DUE, due)
    ids: list[int] = json.loads(packed)
    if ids:
        tx.connection().exec_driver_sql(_CLAIM[dialect], {**held, "ids": packed})
    return ids


def _readers(tx: Tx, ids: Sequence[int]) -> list[Any]:
    dialect = _dialect(tx)
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


def start(tx: Tx, ids: Sequence[int], worker: str, lease_until: datetime) -> set[int]:
    """Those of the worker's claimed deliveries that are now `sending`; commit before the wire.

    One that is missing was taken from this worker (its lease had lapsed) and is not sent by it.
    """
    dialect = _dialect(tx)
    values: dict[str, Any] = {
        "ids": json.dumps(list(ids)) if dialect == "sqlite" else list(ids),
        "worker": worker,
        "lease": _moment(lease_until, dialect),
    }
    done = tx.connection().exec_driver_sql(_START[dialect], values)
    if done.rowcount == len(ids):
        return set(ids)
    ours = select(DELIVERY.c.id).where(
        DELIVERY.c.id.in_(ids),
        DELIVERY.c.worker == worker,
        DELIVERY.c.state == DeliveryState.SENDING,
    )
    return set(tx.scalars(ours))


def record(tx: Tx, items: Sequence[Recorded], worker: str, now: datetime) -> None:
    """Nothing, once the outcomes are written, with an event for each that is no acceptance."""
    if not items:
        return
    dialect = _dialect(tx)
    at = _moment(now, dialect)
    rows = [_row(item, at, dialect) for item in items]
    packed = json.dumps(rows, ensure_ascii=False)
    tx.connection().exec_driver_sql(_RECORD[dialect], {"rows": packed, "worker": worker})
    events = [_event(item, now) for item in items if item.outcome.verdict is not Verdict.ACCEPTED]
    if events:
        tx.execute(insert(EVENT).from_select(_EVENT_COLUMNS, _EVENT_SOURCE), events)


def _row(item: Recorded, at: str, dialect: str) -> object:
    """The new values of a delivery: a list for SQLite, a mapping for PostgreSQL."""
    values = (
        item.delivery.id,
        item.step.state.value,
        _moment(item.step.next_at, dialect) if item.step.next_at else at,
        None if item.step.next_at else at,
        item.outcome.code,
        item.outcome.enhanced,
        item.outcome.text,
        item.outcome.relay,
    )
    return values if dialect == "sqlite" else dict(zip(_FIELDS, values, strict=True))


_EVENT_COLUMNS = [
    "kind", "at", "delivery_id", "issue_id", "subscriber_id", "provider",
    "code", "enhanced", "text", "relay",
]  # fmt: skip
# The person is looked up when the event is written: they may be erased by then.
_EVENT_SOURCE = select(
    bindparam("kind", type_=EVENT.c.kind.type),
    bindparam("at", type_=UtcTime),
    DELIVERY.c.id,
    DELIVERY.c.issue_id,
    DELIVERY.c.subscriber_id,
    bindparam("provider"),
    bindparam("code"),
    bindparam("enhanced"),
    # Servers' words quote addresses: none is kept of a person who is erased.
    case((DELIVERY.c.subscriber_id.is_(None), ""), else_=bindparam("text", type_=String)),
    bindparam("relay"),
).where(DELIVERY.c.id == bindparam("of_delivery"))


def _event(item: Recorded, now: datetime) -> dict[str, object]:
    expired = item.step.state is DeliveryState.EXPIRED
    return {
        "kind": EventKind.EXPIRED if expired else _EVENT_OF[item.outcome.verdict],
        "at": now,
        "of_delivery": item.delivery.id,
        "provider": item.delivery.provider,
        "code": item.outcome.code,
        "enhanced": item.outcome.enhanced,
        "text": item.outcome.text,
        "relay": item.outcome.relay,
    }


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


def _dialect(tx: Tx) -> str:
    return tx.get_bind().dialect.name


def _moment(moment: datetime, dialect: str) -> str:
    """A moment as the database's driver takes it: as `columns.UtcTime` stores it."""
    text = moment.astimezone(UTC).isoformat(sep=" ", timespec="microseconds")
    return text[:-6] if dialect == "sqlite" else text
