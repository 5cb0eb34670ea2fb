"""The hot path in: due deliveries found, and marked `sending`, a batch a statement.

These are plain SQL, one JSON parameter a batch: through the ORM they took a third longer,
and a batch in one parameter is worked off by the database without the interpreter. Both
databases have the same statements but for how they read JSON and who waits for whom:
PostgreSQL skips what another worker has locked, SQLite has one writer at a time.

What a test watches with EXPLAIN: looking for what is due walks the partial index of queued
deliveries in that order, from where it last stood, so its cost grows neither with what was
sent already nor with what is due later.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import bindparam, or_, select, update

from mailout.core.delivery import DeliveryState
from mailout.store.columns import stored_moment
from mailout.store.engine import PlainTx, Tx
from mailout.store.tables import DELIVERY, SUBSCRIBER


class Cursor(NamedTuple):
    """Where a look at what is due stopped: `at` is a due time as the database tells it."""

    at: str = "0001-01-01"
    id: int = 0


START = Cursor()
"""Before the first delivery."""


class Claimed(NamedTuple):
    """A delivery that a worker takes on, with all that composing and deciding need.

    `language` and `edition` are the variant's, `country` is the reader's (empty if not known).
    `attempts` counts those before the one to come; `queued` is
    when it was queued, as the database tells it.
    """

    id: int
    address_key: str
    language: str
    edition: str
    attempts: int
    queued: str
    address: str
    name: str
    country: str
    token: str
    issue_id: int
    dispatch_id: int

    @property
    def queued_at(self) -> datetime:
        return datetime.fromisoformat(self.queued).replace(tzinfo=UTC)

    @property
    def provider(self) -> str:
        """The domain of the address, lower case."""
        return self.address.rpartition("@")[2].lower()


# The readers as they are now, and why one who has left, paused, been suppressed or chosen another
# frequency since the queueing is skipped (`core.dispatch.LeftOut`, `core.frequency.MISSED`).
_READER = """
  d.id, d.address_key, d.language, d.edition, d.attempts, {queued},
  p.address, p.name, p.country, s.token,
  CASE WHEN p.id IS NULL THEN 'erased'
       WHEN EXISTS (SELECT 1 FROM suppression x
                    WHERE x.address_key = d.address_key AND {then}x.list_id IN ('', i.list_id))
         OR EXISTS (SELECT 1 FROM suppressed_domain x
                    WHERE x.domain = p.domain AND {then}x.list_id IN ('', i.list_id))
       THEN 'suppressed'
       WHEN s.state IS NULL THEN 'unsubscribed'
       WHEN s.state <> 'active' AND
            (s.state <> 'paused' OR s.paused_until IS NULL OR s.paused_until > {now}) THEN s.state
       WHEN p.bounce_paused_at IS NOT NULL AND (p.probe_from IS NULL OR d.queued_at < p.probe_from)
       THEN 'paused for bounces'
       WHEN NOT i.urgent AND s.frequency = 'urgent' THEN 'urgent mail only'
       WHEN NOT i.urgent AND i.digest = '' AND s.frequency <> '' THEN 'digest'
       ELSE '' END"""
_WITH_READERS = """
JOIN issue i ON i.id = d.issue_id
LEFT JOIN subscriber p ON p.id = d.subscriber_id
LEFT JOIN subscription s ON s.subscriber_id = p.id AND s.list_id = i.list_id"""
_QUEUED = """
  SELECT id, issue_id, subscriber_id, address_key, language, edition, attempts, queued_at, next_at
  FROM delivery INDEXED BY ix_delivery_queued
  WHERE dispatch_id = :dispatch AND state = 'queued'
    AND next_at <= :now AND (next_at, id) > (:after_at, :after_id)
  ORDER BY next_at, id LIMIT :most"""
_QUEUED_AND_FREE = """
  SELECT id, issue_id, subscriber_id, address_key, language, edition, attempts, queued_at, next_at
  FROM delivery
  WHERE dispatch_id = %(dispatch)s AND state = 'queued'
    AND next_at <= %(now)s AND (next_at, id) > (%(after_at)s::timestamptz, %(after_id)s)
  ORDER BY next_at, id LIMIT %(most)s FOR UPDATE SKIP LOCKED"""
# All in one value: SQLite's driver wakes the interpreter for each row of an answer.
_ALL_IN_ONE = """
SELECT json_group_array(json_array({reader})), max(d.issue_id), max(d.next_at)
FROM ({due}) d {more}"""
_ONE_BY_ONE = "SELECT {reader}, d.issue_id, {moment} FROM ({due}) d {more} ORDER BY d.next_at, d.id"
_DUE = {
    "sqlite": _ALL_IN_ONE.format(
        # Nearly nobody is suppressed: one look by the key tells it, for all lists (the `+`).
        reader=_READER.format(queued="d.queued_at", now=":now", then="+"),
        due=_QUEUED,
        more=_WITH_READERS,
    ),
    "postgresql": _ONE_BY_ONE.format(
        reader=_READER.format(
            queued="to_char(d.queued_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')",
            now="%(now)s::timestamptz",
            then="",
        ),
        moment="to_char(d.next_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US+00')",
        due=_QUEUED_AND_FREE,
        more=_WITH_READERS,
    ),
}
_START = {
    "sqlite": """
UPDATE delivery SET state = 'sending', worker = :worker, lease_until = :lease,
  attempts = attempts + 1
WHERE id IN (SELECT value FROM json_each(:ids))""",
    "postgresql": """
UPDATE delivery SET state = 'sending', worker = %(worker)s, lease_until = %(lease)s,
  attempts = attempts + 1
WHERE id = ANY(%(ids)s::bigint[])""",
}


def due(
    plain: PlainTx, dispatch_id: int, now: datetime, most: int, after: Cursor = START
) -> tuple[list[Claimed], Cursor | None]:
    """Up to `most` due deliveries that come behind `after`, in the order in which they are due,
    and where to go on (None when fewer were due than asked for).

    No other worker has them before this transaction ends: `start` or `postpone` them within
    it, or leave them. Those whose reader has left, paused, been suppressed or chosen another
    frequency since the queueing are skipped instead.
    """
    dialect = plain.dialect.name
    asked = {
        "dispatch": dispatch_id,
        "after_at": after.at,
        "after_id": after.id,
        "now": stored_moment(now, dialect),
        "most": most,
    }
    result = plain.exec_driver_sql(_DUE[dialect], asked)
    rows: list[Any] = list(result.cursor.fetchall()) if result.cursor else []
    result.close()
    issue_id, last_at = 0, ""
    if dialect == "sqlite":
        ((packed, issue_id, last_at),) = rows
        rows = json.loads(packed)
    elif rows:
        *_, issue_id, last_at = rows[-1]
        rows = [[*row[:-2]] for row in rows]
    last = Cursor(last_at, rows[-1][0]) if len(rows) == most else None
    reasons = [row.pop() for row in rows]
    if any(reasons):
        _skip(plain, {row[0]: why for row, why in zip(rows, reasons, strict=True) if why}, now)
        rows = [row for row, why in zip(rows, reasons, strict=True) if not why]
    of = (issue_id, dispatch_id)
    return [Claimed._make((*row, *of)) for row in rows], last


def _skip(plain: PlainTx, unwanted: Mapping[int, str], now: datetime) -> None:
    """Nothing, once those deliveries are skipped, each for its reason."""
    for why in set(unwanted.values()):
        ids = [one for one, reason in unwanted.items() if reason == why]
        plain.execute(
            update(DELIVERY)
            .where(DELIVERY.c.id.in_(ids))
            .values(state=DeliveryState.SKIPPED, reason=why, ended_at=now)
        )


def start(plain: PlainTx, ids: Sequence[int], worker: str, lease_until: datetime) -> None:
    """Nothing, once deliveries that this transaction found due are `sending`, held by `worker`.

    Commit before the wire.
    """
    dialect = plain.dialect.name
    values: dict[str, Any] = {
        "ids": json.dumps(ids) if dialect == "sqlite" else list(ids),
        "worker": worker,
        "lease": stored_moment(lease_until, dialect),
    }
    plain.exec_driver_sql(_START[dialect], values)


def give_back(tx: Tx, ids: Iterable[int], worker: str) -> None:
    """Nothing, once deliveries of which nothing went on the wire are queued again, untried."""
    tx.execute(
        update(DELIVERY)
        .where(DELIVERY.c.id == bindparam("of_id"), DELIVERY.c.state == DeliveryState.SENDING)
        .where(DELIVERY.c.worker == worker)
        .values(
            state=DeliveryState.QUEUED,
            worker="",
            lease_until=None,
            attempts=DELIVERY.c.attempts - 1,
        ),
        [{"of_id": one} for one in ids] or [{"of_id": 0}],
    )


def postpone(tx: Tx, moments: Mapping[datetime, Sequence[int]]) -> None:
    """Nothing, once deliveries that this transaction found due are due at the moment that is
    theirs."""
    for moment, ids in moments.items():
        tx.execute(update(DELIVERY).where(DELIVERY.c.id.in_(ids)).values(next_at=moment))


def held_by(tx: Tx, worker: str) -> set[int]:
    """The deliveries that the worker holds: they are `sending`."""
    return set(tx.scalars(select(DELIVERY.c.id).where(DELIVERY.c.worker == worker)))


def extend(tx: Tx, worker: str, lease_until: datetime) -> None:
    """Nothing, once all that the worker holds is leased until then."""
    tx.execute(update(DELIVERY).where(DELIVERY.c.worker == worker).values(lease_until=lease_until))


def holders(tx: Tx) -> list[str]:
    """The workers that hold deliveries now."""
    return list(tx.scalars(select(DELIVERY.c.worker).where(DELIVERY.c.worker != "").distinct()))


def lapsed(tx: Tx, now: datetime, dead_workers: Sequence[str]) -> dict[str, list[Claimed]]:
    """The `sending` deliveries whose worker is gone, by that worker: their end is unknown."""
    gone = or_(DELIVERY.c.lease_until < now, DELIVERY.c.worker.in_(dead_workers))
    rows = tx.execute(
        select(DELIVERY, SUBSCRIBER.c.address)
        .outerjoin(SUBSCRIBER, SUBSCRIBER.c.id == DELIVERY.c.subscriber_id)
        .where(DELIVERY.c.state == DeliveryState.SENDING, DELIVERY.c.worker != "", gone)
    )
    found: dict[str, list[Claimed]] = {}
    for row in rows:
        delivery = Claimed(
            id=row.id,
            issue_id=row.issue_id,
            dispatch_id=row.dispatch_id,
            address_key=row.address_key,
            language=row.language,
            edition=row.edition,
            attempts=row.attempts,
            queued=row.queued_at.isoformat(sep=" ", timespec="microseconds")[:-6],
            address=row.address or "",
            name="",
            country="",
            token="",
        )
        found.setdefault(row.worker, []).append(delivery)
    return found
