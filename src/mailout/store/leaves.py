"""The hot path of leaving: tokens looked up and subscriptions left, a batch a statement.

Plain SQL with one JSON parameter a batch, for the reasons that `store.claims` gives: in the
seconds after a send everybody leaves who is going to. A subscription is left only as it was
found: if it has changed since, or somebody else is changing it, it is not among those that
`take_off` returns, and is to be found again.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from mailout.core.subscription import SubscriptionState
from mailout.store.columns import stored_moment
from mailout.store.engine import PlainTx
from mailout.store.people import Subscription

_FIND = """
SELECT s.token, s.id, s.subscriber_id, s.list_id, s.state, p.language, p.address_key
FROM {tokens} JOIN subscription s ON s.token = t.value
JOIN subscriber p ON p.id = s.subscriber_id"""
_FIND_IN = {
    # CROSS JOIN, in SQLite's own sense: the tokens are walked, and not all subscriptions.
    "sqlite": _FIND.format(tokens="json_each(:tokens) t CROSS"),
    "postgresql": _FIND.format(tokens="json_array_elements_text(%(tokens)s::json) t(value)"),
}

# Tokens of subscriptions that were merged into another one: rare, and asked for when need be.
_FIND_MERGED = """
SELECT m.token, s.id, s.subscriber_id, s.list_id, s.state, p.language, p.address_key
FROM {tokens} JOIN merged_token m ON m.token = t.value
JOIN subscription s ON s.id = m.subscription_id
JOIN subscriber p ON p.id = s.subscriber_id"""
_FIND_MERGED_IN = {
    "sqlite": _FIND_MERGED.format(tokens="json_each(:tokens) t CROSS"),
    "postgresql": _FIND_MERGED.format(tokens="json_array_elements_text(%(tokens)s::json) t(value)"),
}

_TAKE_OFF = """
UPDATE subscription SET state = 'unsubscribed', changed_at = {at}
FROM {rows} WHERE subscription.id = r.id AND subscription.state = r.state"""
# Rows held by somebody else are passed over, so that whoever holds many never waits for
# another who does. The person is held too, and first, but not against those who only refer to
# them.
_HELD = """ AND subscription.id IN (
  SELECT s.id FROM subscription s JOIN subscriber p ON p.id = s.subscriber_id
  WHERE s.id = ANY(%(ids)s::bigint[]) FOR NO KEY UPDATE OF p, s {waiting})"""
_RETURNING = "\nRETURNING subscription.id"
_ROWS_ON_POSTGRESQL = "json_to_recordset(%(rows)s::json) AS r(id bigint, state text)"
_TAKE_OFF_ON_SQLITE = _TAKE_OFF.format(
    # LIMIT -1 makes the rows once, up front; else every subscription is held against each.
    rows="(SELECT value ->> 'id' AS id, value ->> 'state' AS state"
    " FROM json_each(:rows) LIMIT -1) AS r",
    at=":at",
)
_TAKE_OFF_ON_POSTGRESQL = _TAKE_OFF.format(rows=_ROWS_ON_POSTGRESQL, at="%(at)s")

_NOTE = """
INSERT INTO event (kind, at, subscriber_id, provider, code, enhanced, text, relay)
SELECT 'left', {at}, {rows}"""
_NOTE_ON = {
    "sqlite": _NOTE.format(
        at=":at", rows="value ->> 0, '', 0, '', value ->> 1, '' FROM json_each(:rows)"
    ),
    "postgresql": _NOTE.format(
        at="%(at)s::timestamptz",
        rows="(value ->> 0)::bigint, '', 0, '', value ->> 1, ''"
        " FROM json_array_elements(%(rows)s::json)",
    ),
}


def find(plain: PlainTx, tokens: Collection[str]) -> dict[str, Subscription]:
    """The subscriptions that leave tokens belong to, by token."""
    found = _found(plain, _FIND_IN, tokens)
    if others := set(tokens) - found.keys():
        found |= _found(plain, _FIND_MERGED_IN, others)
    return found


def _found(
    plain: PlainTx, query: Mapping[str, str], tokens: Collection[str]
) -> dict[str, Subscription]:
    asked = {"tokens": json.dumps(list(tokens))}
    rows = plain.exec_driver_sql(query[plain.dialect.name], asked)
    return {
        token: Subscription(id_, subscriber_id, list_id, SubscriptionState(state), language, key)
        for token, id_, subscriber_id, list_id, state, language, key in rows
    }


def take_off(
    plain: PlainTx, found: Sequence[Subscription], now: datetime, *, wait: bool
) -> set[int]:
    """The ids of those that are unsubscribed now, each with its event; the others are no longer
    as they were found, or, without `wait`, held by somebody else."""
    dialect = plain.dialect.name
    at = stored_moment(now, dialect)
    rows = json.dumps([{"id": one.id, "state": one.state} for one in found])
    values: dict[str, object] = {"rows": rows, "at": at}
    if dialect == "postgresql":
        values["ids"] = [one.id for one in found]
        held = _HELD.format(waiting="" if wait else "SKIP LOCKED")
        statement = _TAKE_OFF_ON_POSTGRESQL + held
    else:  # one writer at a time: nobody holds anything
        statement = _TAKE_OFF_ON_SQLITE
    done = {id_ for (id_,) in plain.exec_driver_sql(statement + _RETURNING, values)}
    about = [(one.subscriber_id, one.list_id) for one in found if one.id in done]
    if about:
        plain.exec_driver_sql(_NOTE_ON[dialect], {"rows": json.dumps(about), "at": at})
    return done
