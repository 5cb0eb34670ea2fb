"""The store's version: migrations by Alembic, from the first table on.

`init` migrates. Every other command refuses a store that is older or newer than itself.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from mailout.core.errors import MailoutError
from mailout.store.engine import Store, said_plainly

_FOLDER = Path(__file__).parent / "migrations"


def newest() -> str:
    """The version that this program writes and reads."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    return head or ""


def current(store: Store) -> str:
    """The version of the store; empty when it has no tables yet."""
    with said_plainly(), store.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision() or ""


def upgrade(store: Store, to: str = "head") -> None:
    """Nothing, once the store has the version `to`; what it holds is kept.

    Raises: MailoutError for a store that a newer mailout wrote.
    """
    found = current(store)
    if found and found not in _known():
        raise _too_new(found)
    config = _config()
    with said_plainly(), store.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, to)


def require_newest(store: Store) -> None:
    """Nothing, if the store's version is this program's. Raises: MailoutError."""
    found, wanted = current(store), newest()
    if found == wanted:
        return
    if not found:
        raise MailoutError("the store has no tables yet", fix="Run `mailout db upgrade`.")
    if found in _known():
        raise MailoutError(
            f"the store has version {found}, this mailout needs {wanted}",
            fix="Make a copy of it, then run `mailout db upgrade`.",
        )
    raise _too_new(found)


def _too_new(found: str) -> MailoutError:
    return MailoutError(
        f"the store has version {found}, which is newer than this mailout",
        fix="Install the mailout that wrote it.",
    )


def _known() -> set[str]:
    scripts = ScriptDirectory.from_config(_config())
    return {script.revision for script in scripts.walk_revisions()}


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    return config
