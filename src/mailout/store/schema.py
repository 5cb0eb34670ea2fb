"""The store's version: migrations by Alembic, from the first table on.

Looking at it needs no Alembic: every command does that first, and should not wait for an import.

`init` migrates. Every other command refuses a store that is older or newer than itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from mailout.core.errors import MailoutError
from mailout.store.engine import PlainTx, Store, said_plainly

if TYPE_CHECKING:
    from alembic.config import Config

_TABLE = "alembic_version"  # where Alembic keeps the store's version
_FOLDER = Path(__file__).parent / "migrations"


def newest() -> str:
    """The version that this program writes and reads."""
    return max(_known())


def current(store: Store) -> str:
    """The version of the store; empty when it has no tables yet, or is a file that is not there,
    which is not made by looking."""
    if _is_missing(store):
        return ""
    with said_plainly(), store.engine.connect() as connection:
        if not inspect(connection).has_table(_TABLE):
            return ""
        found = connection.execute(text(f"SELECT version_num FROM {_TABLE}")).scalar()  # noqa: S608 - our own name
        return str(found or "")


def upgrade(store: Store, to: str = "head") -> None:
    """Nothing, once the store has the version `to`; what it holds is kept.

    Raises: MailoutError for a store that a newer mailout wrote.
    """
    refuse_unknown(current(store))
    with store.filling() as plain:
        upgrade_within(plain, to)


def upgrade_within(plain: PlainTx, to: str = "head") -> None:
    """What `upgrade` does, within a transaction that is kept whole or not at all."""
    from alembic import command  # slow to import, and no other command needs it

    config = _config()
    config.attributes["connection"] = plain
    command.upgrade(config, to)


def refuse_unknown(found: str) -> None:
    """Nothing. Raises: MailoutError for a version that is newer than this program."""
    if found and found not in _known():
        raise _too_new(found)


def require_newest(store: Store) -> None:
    """Nothing, if the store's version is this program's. Raises: MailoutError."""
    if _is_missing(store):
        raise missing(store)
    found, wanted = current(store), newest()
    if found == wanted:
        return
    if not found:
        raise missing(store)
    if found in _known():
        raise MailoutError(
            f"the store has version {found}, this mailout needs {wanted}",
            fix="Make a copy of it, then run `mailout db upgrade`.",
        )
    raise _too_new(found)


def _is_missing(store: Store) -> bool:
    return store.file is not None and not store.file.exists()


def missing(store: Store) -> MailoutError:
    """The error of a store without tables. Whoever has one elsewhere must not be led to a new one:
    it knows nobody who has left."""
    what = "has no tables" if store.file is None or store.file.exists() else "is not there"
    return MailoutError(
        f"the store {what}",
        where=f"{store.file}" if store.file else "",
        fix="Is it elsewhere? Then say so: `url` under [store] in config.toml, or"
        " MAILOUT_STORE_URL. A new one, which knows nobody, is made by `mailout db upgrade`.",
    )


def _too_new(found: str) -> MailoutError:
    return MailoutError(
        f"the store has version {found}, which is newer than this mailout",
        fix="Install the mailout that wrote it.",
    )


def _known() -> set[str]:
    """The versions there are: a migration's file begins with its own."""
    return {path.name[:4] for path in (_FOLDER / "versions").glob("[0-9]*.py")}


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    return config
