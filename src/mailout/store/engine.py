"""Opening the store: SQLite in a file, or PostgreSQL, each set up so that a commit is kept.

One SQLite file is shared by every process of the site: WAL, a long busy timeout, and
write transactions that begin IMMEDIATE, so that two writers wait instead of failing.
`synchronous=FULL` makes a commit survive a power cut, `secure_delete` overwrites what is
erased.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlmodel import Session

from mailout.core.errors import MailoutError, TryLater, UsageError
from mailout.core.spelling import folded

Tx = Session
"""A transaction: what every function of the store takes first."""
PlainTx = Connection
"""A transaction for plain SQL, without what a `Tx` can do beyond it: for the hot paths."""

_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = ON",
    "PRAGMA busy_timeout = 30000",
    # 2 MB a connection. A larger one fills up with the store and makes no send faster.
    "PRAGMA cache_size = -2000",
)
_COLLIDED = ("40001", "40P01")  # PostgreSQL's words for two that wait for each other
_OVERTAKEN = ("23503", "23505")  # what is referred to is gone since, or what is made is there
_LOOK_AGAIN = 0.001  # seconds between two looks whether the other writer has ended


@dataclass(frozen=True, slots=True)
class Store:
    """An open store. Make it with `open_store`."""

    engine: Engine

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @property
    def file(self) -> Path | None:
        """The file that SQLite keeps it in; None on a server."""
        return Path(self.engine.url.database or "") if self.is_sqlite else None

    @contextmanager
    def reading(self) -> Iterator[Tx]:
        """A transaction that only reads: it sees one moment, and keeps no writer waiting."""
        with said_plainly(), Session(self.engine) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Tx]:
        """A transaction that is kept whole at its end, or not at all."""
        with said_plainly(), Session(self.engine, expire_on_commit=False) as session:
            session.connection(execution_options={"mailout_begin": "BEGIN IMMEDIATE"})
            with _committing(session):
                yield session

    @contextmanager
    def snapshot(self) -> Iterator[PlainTx]:
        """One moment of the whole store, for as long as it takes to read all of it: others go on
        writing, and are not seen."""
        options: dict[str, Any] = {"stream_results": True}
        if not self.is_sqlite:
            options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        with said_plainly(), self.engine.connect().execution_options(**options) as connection:
            yield connection

    @contextmanager
    def filling(self) -> Iterator[PlainTx]:
        """A transaction to make a store in: tables and all are kept at its end, or nothing."""
        with said_plainly(), self.engine.begin() as connection:
            yield connection

    def writer(self) -> Writer:
        """A connection that is kept, for one thread that writes again and again."""
        return Writer(self)

    def close(self) -> None:
        self.engine.dispose()


@dataclass(slots=True)
class Writer:
    """A kept connection: a transaction on it costs a fifth of one that gathers its own.

    Used by one thread. It opens when it is first needed, and anew after a failure.
    """

    store: Store
    _connection: Connection | None = None

    @contextmanager
    def writing(self) -> Iterator[PlainTx]:
        """A transaction that is kept whole at its end, or not at all; `session_on` it for what
        wants a `Tx`."""
        with self._beginning("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[PlainTx]:
        """A transaction that only reads: it keeps no other writer waiting."""
        with self._beginning("BEGIN") as connection:
            yield connection

    @contextmanager
    def _beginning(self, begin: str) -> Iterator[PlainTx]:
        with said_plainly():
            if self._connection is None:
                self._connection = self.store.engine.connect()
            connection = self._connection.execution_options(mailout_begin=begin)
            try:
                with connection.begin():
                    yield connection
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Gives the connection back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def session_on(plain: PlainTx) -> Tx:
    """A `Tx` within the same transaction, kept or not with that."""
    return Session(plain, expire_on_commit=False)


@contextmanager
def _committing(session: Session) -> Iterator[None]:
    try:
        yield
    except BaseException:
        session.rollback()
        raise
    session.commit()


def open_store(url: str, root: Path) -> Store:
    """The store at `url`; a relative SQLite path is relative to `root`. Creates no tables.

    Raises: UsageError for an address that is none.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise UsageError(
            "the store's address cannot be read",
            where="[store] url",
            fix="Write `sqlite:///mailout.db` or `postgresql://user@host/database`.",
        ) from None
    if parsed.get_backend_name() == "sqlite":
        path = Path(parsed.database or "mailout.db")
        parsed = parsed.set(drivername="sqlite", database=str(root / path))
        engine = create_engine(parsed, hide_parameters=True)
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return Store(engine)
    if parsed.get_backend_name() in ("postgresql", "postgres"):
        engine = create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            hide_parameters=True,  # the words of an error quote no address
            connect_args={"connect_timeout": 10},
        )
        return Store(engine)
    raise UsageError(
        f"a store of the kind `{parsed.get_backend_name()}` is not supported",
        where="[store] url",
        fix="Use sqlite:/// or postgresql://.",
    )


def _set_up_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # we begin transactions ourselves, below
    for pragma in _PRAGMAS:
        connection.execute(pragma).close()
    # SQLite's own knows no letters but a-z: `name = эльвира` would find no Эльвира.
    connection.create_function("lower", 1, _lower, deterministic=True)
    connection.create_function("folded", 1, _folded, deterministic=True)


def _lower(value: object) -> str | None:
    return None if value is None else str(value).lower()


def _folded(value: object) -> str | None:
    return None if value is None else folded(str(value))


def _begin_sqlite(connection: Connection) -> None:
    begin = connection.get_execution_options().get("mailout_begin", "BEGIN")
    if begin == "BEGIN IMMEDIATE" and _begun_in_time(connection):
        return
    connection.exec_driver_sql(begin)


def _begun_in_time(connection: Connection) -> bool:
    """Whether a write transaction has begun, within the connection's busy timeout.

    SQLite itself looks again after ever longer breaks, up to a tenth of a second: between the
    turns of a send it would find the door open by chance only.
    """
    raw = connection.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)  # noqa: S101 - the dialect's own
    [patience] = raw.execute("PRAGMA busy_timeout").fetchone()
    raw.execute("PRAGMA busy_timeout = 0").close()
    gives_up = time.monotonic() + patience / 1000
    try:
        while True:
            try:
                raw.execute("BEGIN IMMEDIATE").close()
                return True
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    return False
            if time.monotonic() > gives_up:
                return False
            time.sleep(_LOOK_AGAIN)
    finally:
        raw.execute(f"PRAGMA busy_timeout = {patience}").close()


@contextmanager
def said_plainly() -> Iterator[None]:
    """Turns what a database says into something an organiser can act on."""
    try:
        yield
    except PoolTimeout as error:
        raise TryLater("the store is busy: too many ask at once", fix="Try again.") from error
    except OperationalError as error:
        words = str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else "no reply"
        if getattr(error.orig, "sqlstate", "") in _COLLIDED:
            raise TryLater(
                "the store is busy: somebody else is changing the same people", fix="Try again."
            ) from error
        if "locked" in words or "busy" in words:
            raise TryLater(
                "the store is busy: another mailout is writing to it", fix="Try again in a minute."
            ) from error
        if "full" in words or "No space" in words:
            raise TryLater(
                f"the store cannot be written: {words}", fix="Make room on the disk, then go on."
            ) from error
        if "unable to open" in words or "readonly" in words:
            raise MailoutError(
                f"the store cannot be opened: {words}",
                fix="Check that the site's folder exists and that you may write to it.",
            ) from error
        if isinstance(error.orig, sqlite3.Error):
            raise TryLater(
                f"the store's file cannot be read or written: {words}",
                fix="Is the disk full? Make room on it, then go on.",
            ) from error
        raise TryLater(
            f"the store does not answer: {words}", fix="Is the database server up?"
        ) from error
    except IntegrityError as error:
        # On PostgreSQL others go on between a look and a write. SQLite has one writer.
        if getattr(error.orig, "sqlstate", "") in _OVERTAKEN:
            raise TryLater(
                "somebody else has just changed the same people", fix="Try again."
            ) from error
        raise
    except DatabaseError as error:
        if isinstance(error.orig, sqlite3.DatabaseError) and "not a database" in str(error.orig):
            raise MailoutError(
                "the store's file is not a SQLite database", fix="Restore it from a backup."
            ) from error
        raise
