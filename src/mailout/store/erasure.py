"""Erasing a person: rows go, keyed hashes stay, and the file forgets the bytes.

On SQLite `secure_delete` overwrites what a row held, but an older copy of the page may stay
in the write-ahead log: only `VACUUM` and a truncating checkpoint leave nothing. On
PostgreSQL a `VACUUM` of the tables takes the dead rows out.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime

from sqlalchemy import delete, or_, update

from mailout.core.consent import Consent, ConsentAction
from mailout.core.errors import MailoutError
from mailout.core.subscriber import Subscriber
from mailout.core.suppression import SuppressionReason
from mailout.store import (
    chores,
    consents,
    events,
    inbound,
    issues,
    letters,
    merged,
    people,
    requests,
    signatories,
    suppressions,
)
from mailout.store.engine import Store, Tx, said_plainly
from mailout.store.tables import DELIVERY, SUPPRESSION

_TABLES = (
    "subscriber", "subscriber_tag", "subscription", "delivery", "event", "suppression", "request",
    "letter", "inbound", "import_person", "note", "merged_address", "merged_token",
)  # fmt: skip


def erase(tx: Tx, person: Subscriber, now: datetime, source: str) -> None:
    """Nothing, once the person is gone from all tables; `source` says who had it done.

    What the tables' files still hold of them is due to be taken out: `scrub`.
    """
    consents.append(
        tx,
        [
            Consent(
                one.list_id, person.id, person.address_key, ConsentAction.ERASED, now, source=source
            )
            for one in person.memberships
        ],
    )
    if signatories.put(tx, person.id, None):
        issues.withdraw_names(tx)  # which a compiled one still holds
    inbound.forget(tx, person.id, person.address)
    letters.forget(tx, person.address_key, person.address)
    forget(tx, person.id, person.address_key, now)
    chores.ask(tx, chores.SCRUB, now)


def forget(tx: Tx, subscriber_id: int, address_key: str, now: datetime) -> None:
    """Nothing, once nothing names the person but the keyed hash of the address.

    Deliveries keep issue and state; the hash is suppressed on all lists as erased.
    """
    # An older suppression may quote a server that named the address; this one covers it.
    tx.execute(delete(SUPPRESSION).where(SUPPRESSION.c.address_key == address_key))
    suppressions.add(tx, address_key, SuppressionReason.ERASED, now)
    for key in merged.addresses_of(tx, subscriber_id):
        tx.execute(delete(SUPPRESSION).where(SUPPRESSION.c.address_key == key))
        suppressions.add(tx, key, SuppressionReason.ERASED, now)
        letters.forget(tx, key)
        requests.forget(tx, key)
    events.forget_words_about(tx, subscriber_id)
    tx.execute(
        update(DELIVERY)
        .where(
            or_(DELIVERY.c.subscriber_id == subscriber_id, DELIVERY.c.address_key == address_key)
        )
        .values(last_text="")
    )
    # A letter may be on its way to an address that they wanted to change to.
    for key in (address_key, *requests.keys_of(tx, subscriber_id)):
        letters.forget(tx, key)
        requests.forget(tx, key)
    people.remove(tx, [subscriber_id])


def checkpoint(store: Store) -> None:
    """Nothing, once the newest writes are in SQLite's file itself, where nobody was reading: what
    was overwritten there is in the write-ahead log no more."""
    if store.is_sqlite:
        with said_plainly(), store.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def scrub(store: Store) -> bool:
    """Whether the erased bytes are out of the store's files.

    False when another process was reading or writing: then `scrub` again later.
    """
    return _scrub_sqlite(store) if store.is_sqlite else _scrub_postgresql(store)


def _scrub_sqlite(store: Store) -> bool:
    # Below SQLAlchemy, which would begin a transaction: VACUUM runs in none.
    connection = store.engine.raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute("PRAGMA busy_timeout = 2000")
        cursor.execute("VACUUM")
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        busy = bool(next(iter(cursor.fetchall()))[0])
        cursor.close()
    except sqlite3.OperationalError as error:
        if "locked" in str(error) or "busy" in str(error):
            return False
        raise MailoutError(
            f"the person is erased, but the store's file could not be rewritten: {error}",
            fix="Make room on the disk, then erase the same address again.",
        ) from error
    finally:
        connection.invalidate()  # its busy_timeout is not the one that others expect
        connection.close()
    return not busy


def _scrub_postgresql(store: Store) -> bool:
    engine = store.engine.execution_options(isolation_level="AUTOCOMMIT")
    with said_plainly(), engine.connect() as connection:
        for table in _TABLES:
            connection.exec_driver_sql(f"VACUUM {table}")
    return True
