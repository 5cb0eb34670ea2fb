"""The hot path out: what became of deliveries, recorded a batch a statement.

Plain SQL for the reasons that `store.claims` gives. A refusal, a deferral or an unknown end
leaves an event too, with the server's words.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import String, bindparam, case, insert, select

from mailout.core.delivery import DeliveryState, Outcome, Step, Verdict
from mailout.core.event import EventKind
from mailout.store.claims import Claimed
from mailout.store.columns import UtcTime, dialect_of, stored_moment
from mailout.store.engine import PlainTx, Tx
from mailout.store.tables import DELIVERY, EVENT

_EVENT_OF = {
    Verdict.DEFERRED: EventKind.DEFERRED,
    Verdict.REFUSED: EventKind.REFUSED,
    Verdict.UNKNOWN: EventKind.UNKNOWN,
}


class Recorded(NamedTuple):
    """The end of one attempt: the delivery, what came of it, and where it goes."""

    delivery: Claimed
    outcome: Outcome
    step: Step


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


Accepted = Mapping[tuple[int, str, str], Mapping[int, str]]
"""Acceptances by code, enhanced code and relay: the delivery's number -> the server's words."""

_SET_ACCEPTED = """
UPDATE delivery SET state = 'accepted', next_at = {at}, ended_at = {at},
  worker = '', lease_until = NULL, last_code = {code}, last_enhanced = {enhanced},
  last_text = CASE WHEN delivery.subscriber_id IS NULL THEN '' ELSE r.value END, relay = {relay}
FROM {words}
WHERE delivery.id = r.id AND delivery.state = 'sending' AND delivery.worker = {worker}"""
_NAMES = ("at", "code", "enhanced", "relay", "worker")
_ACCEPT = {
    "sqlite": _SET_ACCEPTED.format(
        words="(SELECT key + 0 AS id, value FROM json_each(:words) LIMIT -1) AS r",
        **{name: f":{name}" for name in _NAMES},
    ),
    "postgresql": _SET_ACCEPTED.format(
        words="(SELECT key::bigint AS id, value FROM json_each_text(%(words)s::json)) AS r",
        **{name: f"%({name})s" for name in _NAMES},
    ),
}


def accept(plain: PlainTx, accepted: Accepted, worker: str, now: datetime) -> None:
    """Nothing, once the worker's deliveries are written down as accepted.

    Nearly every outcome is one, and they differ in the server's words only: those go in as
    one object, which is a third of the work.
    """
    dialect = plain.dialect.name
    at = stored_moment(now, dialect)
    for (code, enhanced, relay), words in accepted.items():
        values = {"at": at, "code": code, "enhanced": enhanced, "relay": relay, "worker": worker}
        packed = json.dumps(words, ensure_ascii=False)
        plain.exec_driver_sql(_ACCEPT[dialect], {**values, "words": packed})


def record(tx: Tx, items: Sequence[Recorded], worker: str, now: datetime) -> None:
    """Nothing, once outcomes that are no acceptances are written, with an event for each."""
    if not items:
        return
    dialect = dialect_of(tx)
    at = stored_moment(now, dialect)
    events = [{**_event(item, now), "of_worker": worker} for item in items]
    tx.execute(insert(EVENT).from_select(_EVENT_COLUMNS, _EVENT_SOURCE), events)
    packed = json.dumps([_row(item, at, dialect) for item in items], ensure_ascii=False)
    tx.connection().exec_driver_sql(_RECORD[dialect], {"rows": packed, "worker": worker})


def _row(item: Recorded, at: str, dialect: str) -> object:
    """The new values of a delivery: a list for SQLite, a mapping for PostgreSQL."""
    values = (
        item.delivery.id,
        item.step.state.value,
        stored_moment(item.step.next_at, dialect) if item.step.next_at else at,
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
).where(
    # A turn that is taken twice, or too late, leaves one event.
    DELIVERY.c.id == bindparam("of_delivery"),
    DELIVERY.c.state == DeliveryState.SENDING,
    DELIVERY.c.worker == bindparam("of_worker"),
)


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
