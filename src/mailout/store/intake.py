"""The hot path of an import: what it looks up and writes for thousands of people at a time.

Plain SQL through the driver, since at a million people whatever is done for each of them is
what an import takes. Keys to look up go in one bound value; new rows are made ready for
`store.inserts`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from mailout.core.subscription import SubscriptionState
from mailout.core.suppression import SuppressionReason
from mailout.store.batch import KEYS, among, chunks
from mailout.store.columns import dialect_of, stored_moment
from mailout.store.engine import Tx
from mailout.store.inserts import Inserts, ready
from mailout.store.tables import SUBSCRIPTION

_STATES = {state.value: state for state in SubscriptionState}
_KEYS = 5000
"""Keys of one statement: enough that its cost does not count, few enough for the memory."""
_CACHE = 49_152  # kilobytes
_LOG = 32_768  # pages: 128 MB
_TAGS_APART = "\x1f"  # no tag holds a control character


class Known(NamedTuple):
    """What the store holds of a person; `state` and `subscription_id` are of the list asked for,
    None and 0 if the person is not on it. `fields` is JSON as stored."""

    id: int
    name: str
    language: str
    country: str
    fields: str
    subscription_id: int
    state: SubscriptionState | None
    tags: frozenset[str]


class NewMember(NamedTuple):
    """A person's place on the list; `token` is a fresh leave token."""

    subscriber_id: int
    state: str
    token: str


# CROSS JOIN keeps the order: the keys first, then the index. What is found comes as one text: for
# each row of its own the driver would have to wait until the other thread lets it have Python.
_KNOWN_SQLITE = """SELECT json_group_array(json_array(
 s.address_key, s.id, s.name, s.language, s.country, s.fields, p.id, p.state,
 (SELECT group_concat(t.tag, char(31)) FROM subscriber_tag t WHERE t.subscriber_id = s.id)))
 FROM json_each(?) k CROSS JOIN subscriber s ON s.address_key = k.value
 LEFT JOIN subscription p ON p.subscriber_id = s.id AND p.list_id = ?"""
_KNOWN_POSTGRESQL = """SELECT s.address_key, s.id, s.name, s.language, s.country, s.fields::text,
 p.id, p.state,
 (SELECT string_agg(t.tag, chr(31)) FROM subscriber_tag t WHERE t.subscriber_id = s.id)
 FROM subscriber s LEFT JOIN subscription p ON p.subscriber_id = s.id AND p.list_id = %s
 WHERE s.address_key = ANY(string_to_array(%s, ','))"""
_SUPPRESSED_SQLITE = """SELECT json_group_array(json_array(p.address_key, p.reason))
 FROM json_each(?) k CROSS JOIN suppression p ON p.address_key = k.value
 WHERE p.list_id IN ('', ?)"""
_SUPPRESSED_POSTGRESQL = """SELECT address_key, reason FROM suppression
 WHERE list_id IN ('', %s) AND address_key = ANY(string_to_array(%s, ','))"""


# Thousands of keys make PostgreSQL's planner read the whole table of subscriptions for each lot
# of them: at a million people that takes ten times as long as looking each up.
_BY_KEYS_ONLY = (
    "SELECT set_config('enable_hashjoin', 'off', true),"
    " set_config('enable_mergejoin', 'off', true), set_config('enable_seqscan', 'off', true)"
)


def widen(tx: Tx) -> None:
    """Nothing, once SQLite keeps more pages in memory for this connection, and folds its log
    into the file less often: keys and tokens fall all over their indexes."""
    if dialect_of(tx) == "sqlite":
        tx.connection().exec_driver_sql(f"PRAGMA cache_size = -{_CACHE}")
        tx.connection().exec_driver_sql(f"PRAGMA wal_autocheckpoint = {_LOG}")


def narrow(tx: Tx) -> None:
    """Nothing, once this connection is as `engine` set it up."""
    if dialect_of(tx) == "sqlite":
        tx.connection().exec_driver_sql("PRAGMA cache_size = -2000")
        tx.connection().exec_driver_sql("PRAGMA wal_autocheckpoint = 1000")


def known(tx: Tx, address_keys: Sequence[str], list_id: str) -> dict[str, Known]:
    """Those of the keys that belong to a person, with what is known of them."""
    found: dict[str, Known] = {}
    tags_of: dict[str | None, frozenset[str]] = {None: frozenset()}
    if dialect_of(tx) == "postgresql":
        tx.connection().exec_driver_sql(_BY_KEYS_ONLY)  # until the transaction ends
    for row in _asked(tx, address_keys, list_id, _KNOWN_SQLITE, _KNOWN_POSTGRESQL):
        key, id_, name, language, country, fields, subscription_id, state, joined = row
        tags = tags_of.get(joined)
        if tags is None:  # the same few over and over
            tags = tags_of[joined] = frozenset(joined.split(_TAGS_APART))
        found[key] = Known(
            id_, name, language, country, fields, subscription_id or 0,
            None if state is None else _STATES[state], tags,
        )  # fmt: skip
    return found


def suppressed(tx: Tx, address_keys: Sequence[str], list_id: str) -> dict[str, SuppressionReason]:
    """Those of the keys that are suppressed on the list or on all, with the reason.

    Of two reasons `erased` is the one: nothing of that person may come in again.
    """
    connection = tx.connection()
    if connection.exec_driver_sql("SELECT 1 FROM suppression LIMIT 1").first() is None:
        return {}
    found: dict[str, SuppressionReason] = {}
    for key, reason in _asked(
        tx, address_keys, list_id, _SUPPRESSED_SQLITE, _SUPPRESSED_POSTGRESQL
    ):
        if found.get(key) is not SuppressionReason.ERASED:
            found[key] = SuppressionReason(reason)
    return found


def numbers(tx: Tx, count: int) -> range:
    """So many ids that no subscriber has or ever had. Nobody else adds people meanwhile."""
    connection = tx.connection()
    if dialect_of(tx) == "sqlite":
        last = connection.exec_driver_sql(
            "SELECT seq FROM sqlite_sequence WHERE name = 'subscriber'"
        ).scalar()
        first = int(last or 0) + 1
        return range(first, first + count)
    # All at once: `lock` keeps everybody else from adding people, and so from taking a number.
    sequence = "pg_get_serial_sequence('subscriber', 'id')"
    ask = f"SELECT setval({sequence}, nextval({sequence}) + %s)"
    last = int(connection.exec_driver_sql(ask, (count - 1,)).scalar_one())
    return range(last - count + 1, last + 1)


def new_people(dialect: str, rows: Sequence[tuple[Any, ...]], now: datetime) -> Inserts:
    """The rows of new people: id, address, key, domain, name, language, country, fields as JSON."""
    at = stored_moment(now, dialect)
    columns = "id, address, address_key, domain, name, language, country, fields, created_at"
    return ready(dialect, "subscriber", columns, [(*row, at) for row in rows])


def new_tags(dialect: str, rows: Sequence[tuple[int, str]]) -> Inserts:
    """The rows of tags of new people, by their ids."""
    return ready(dialect, "subscriber_tag", "subscriber_id, tag", rows)


def new_members(dialect: str, list_id: str, members: Sequence[NewMember], now: datetime) -> Inserts:
    """The rows that put these people on the list, since `now`."""
    at = stored_moment(now, dialect)
    columns = "subscriber_id, state, token, list_id, edition, joined_at, changed_at"
    rows = [(*member, list_id, "", at, at) for member in members]
    return ready(dialect, "subscription", columns, rows)


def add_tags(tx: Tx, rows: Sequence[tuple[int, str]]) -> None:
    """Nothing, once each person (by id) has the tag, too."""
    # Somebody may give the same tag at this moment; that is no collision.
    _each(
        tx,
        "INSERT INTO subscriber_tag (subscriber_id, tag) VALUES (?, ?) ON CONFLICT DO NOTHING",
        rows,
    )


def change_details(tx: Tx, rows: Sequence[tuple[str, str, str, str, int]]) -> None:
    """Nothing, once these people have the name, language, country and fields (as JSON); the id
    is last."""
    _each(
        tx, "UPDATE subscriber SET name = ?, language = ?, country = ?, fields = ? WHERE id = ?",
        rows,
    )  # fmt: skip


def choices(tx: Tx, subscription_ids: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Edition and frequency of these subscriptions, by their ids."""
    found: dict[int, tuple[str, str]] = {}
    for some in chunks(subscription_ids, KEYS):
        query = select(SUBSCRIPTION.c.id, SUBSCRIPTION.c.edition, SUBSCRIPTION.c.frequency)
        for row in tx.execute(query.where(among(tx, SUBSCRIPTION.c.id, some))):
            found[row.id] = (row.edition, row.frequency)
    return found


def since(tx: Tx, subscription_ids: Sequence[int]) -> dict[int, datetime]:
    """Since when each of these subscriptions, by their ids, is in its state."""
    found: dict[int, datetime] = {}
    for some in chunks(subscription_ids, KEYS):
        query = select(SUBSCRIPTION.c.id, SUBSCRIPTION.c.changed_at)
        for row in tx.execute(query.where(among(tx, SUBSCRIPTION.c.id, some))):
            found[row.id] = row.changed_at
    return found


def change_choices(tx: Tx, list_id: str, choices: Mapping[int, tuple[str, str]]) -> None:
    """Nothing, once each person (by id) gets that edition of the list's mail, and that often."""
    _each(
        tx,
        "UPDATE subscription SET edition = ?, frequency = ?"
        " WHERE subscriber_id = ? AND list_id = ?",
        [(*choice, subscriber_id, list_id) for subscriber_id, choice in choices.items()],
    )


def change_states(
    tx: Tx,
    states: Mapping[int, SubscriptionState],
    now: datetime,
    since: Mapping[int, datetime] | None = None,
) -> None:
    """Nothing, once each subscription (by id) is in its new state since `now`, or since the
    moment that `since` has for it."""
    dialect = dialect_of(tx)
    at = stored_moment(now, dialect)
    before = {id_: stored_moment(moment, dialect) for id_, moment in (since or {}).items()}
    _each(
        tx, "UPDATE subscription SET state = ?, changed_at = ? WHERE id = ?",
        [(state.value, before.get(id_, at), id_) for id_, state in states.items()],
    )  # fmt: skip


def suppress(tx: Tx, keys: Mapping[str, SuppressionReason], evidence: str, now: datetime) -> None:
    """Nothing, once each key is suppressed on all lists; an older suppression stays as it is."""
    at = stored_moment(now, dialect_of(tx))
    _each(
        tx,
        "INSERT INTO suppression (address_key, list_id, reason, evidence, at)"
        " VALUES (?, '', ?, ?, ?) ON CONFLICT DO NOTHING",
        [(key, reason.value, evidence, at) for key, reason in keys.items()],
    )


def _each(tx: Tx, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
    """The statement, for every row; its holes are written as SQLite has them."""
    if rows := list(rows):
        if dialect_of(tx) != "sqlite":
            statement = statement.replace("?", "%s")
        tx.connection().exec_driver_sql(statement, rows)


def _asked(
    tx: Tx, address_keys: Sequence[str], list_id: str, sqlite: str, postgresql: str
) -> Iterable[Sequence[Any]]:
    # The driver's own rows: those of SQLAlchemy take as long again to be made.
    connection = tx.connection()
    driver: Any = connection.connection.driver_connection
    is_sqlite, dbapi = dialect_of(tx) == "sqlite", connection.dialect.loaded_dbapi
    for begin in range(0, len(address_keys), _KEYS):
        keys = list(address_keys[begin : begin + _KEYS])
        query, values = (sqlite, (json.dumps(keys), list_id)) if is_sqlite else (
            postgresql, (list_id, ",".join(keys))
        )  # fmt: skip
        try:
            found = driver.execute(query, values).fetchall()
        except dbapi.Error as error:  # said as SQLAlchemy would say it
            raise DBAPIError.instance(query, None, error, dbapi.Error) from error
        yield from json.loads(found[0][0]) if is_sqlite else found
