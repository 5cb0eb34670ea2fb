"""A site in a file and out of it, on both databases: all of it, or nothing."""

from __future__ import annotations

import gzip
import io
import os
import random
import resource
import shutil
import stat
import tarfile
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from dumped_tables import content, fill
from mailout.config.dkim import write_new
from mailout.config.site import read_site
from mailout.core import sealing
from mailout.core.backup import TAR_NAME
from mailout.core.errors import BadFile, MailoutError
from mailout.core.sealing import new_seal
from mailout.core.site import Site
from mailout.keeping import container
from mailout.keeping.backup import Made, make
from mailout.keeping.examining import examine
from mailout.keeping.restoring import Restored, restore
from mailout.store import dump, restored, schema
from mailout.store.engine import Store, open_store
from mailout.store.inbound_tables import metadata

NOW = datetime(2026, 11, 24, 18, 30, tzinfo=UTC)
LATER = NOW + timedelta(days=2)
WORDS = "six random words for a test"
# What a restore changes by itself: what was under way, and the mark that it was restored.
_HELD = ("delivery", "dispatch", "letter", "chore")


def backup(site: Site, store: Store, path: Path, *, sealed: bool = True) -> Made:
    seal = new_seal(WORDS, os.urandom(16), cost=10) if sealed else None
    return make(
        site, store, path, site.root / "keys.toml",
        seal=seal, program="0.1.0", now=NOW, keep_until=date(2026, 12, 24),
    )  # fmt: skip


def restore_to(path: Path, target: Path, url: str = "") -> Restored:
    return restore(path, WORDS, target, LATER, store_url=url)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "again"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "site.backup"


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "sqlite":
        yield "sqlite:///mailout.db"
        return
    server = request.getfixturevalue("postgresql")
    name = server.create()
    yield server.url(name)
    server.drop(name)


@pytest.mark.parametrize("sealed", [True, False])
def test_a_site_comes_back_whole(
    site: Site, store: Store, file: Path, target: Path, empty_url: str, sealed: bool
) -> None:
    fill(store, metadata, random.Random(1))
    (site.root / "posts").mkdir()
    (site.root / "posts" / "забастовка.ru.md").write_text("# Да\n", encoding="utf-8")
    (site.root / "posts" / ("long-" * 45 + ".md")).write_bytes(b"x" * 70_000)
    before = content(store, metadata)
    made = backup(site, store, file, sealed=sealed)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert made.about.holds_keys is sealed
    assert examine(file, WORDS).manifest == made.manifest
    found = restore_to(file, target, empty_url)
    assert found.examined.files == made.files
    assert _files(target) - {"mailout.db"} == _files(site.root) - {"mailout.db"} - (
        set() if sealed else {"keys.toml"}
    )
    assert (target / "posts" / "забастовка.ru.md").read_text("utf-8") == "# Да\n"
    again = open_store(empty_url, target)
    after = content(again, metadata)
    again.close()
    assert {name: rows for name, rows in after.items() if name not in _HELD} == {
        name: rows for name, rows in before.items() if name not in _HELD
    }
    if sealed:
        assert (target / "keys.toml").read_bytes() == (site.root / "keys.toml").read_bytes()
        assert read_site(target).keys == site.keys
        assert stat.S_IMODE((target / "keys.toml").stat().st_mode) == 0o600


def test_what_is_no_ones_business_or_is_made_again_stays_out(
    site: Site, store: Store, file: Path, tmp_path: Path
) -> None:
    root = site.root
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("x")
    for path, text in {
        "build/w47/ru.html": "x", "venv/pyvenv.cfg": "x", "venv/lib/x.py": "x", ".git/config": "x",
        "people/all.txt": "x", "people.csv": "x", "lists/old.XLSX": "x", "notes.lock": "x",
        "mailout.db.before": "SQLite format 3\0", "old.backup": sealing.MAGIC.decode(),
        "posts/build/kept.md": "x", "posts/a.md~": "x",
    }.items():  # fmt: skip
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    (root / "posts" / "link.md").symlink_to(outside / "secret")
    (root / "more").symlink_to(outside)
    os.mkfifo(root / "posts" / "pipe")
    made = backup(site, store, file)
    names = {name for name in made.manifest.members if name.startswith("site/")}
    assert names == {
        "site/config.toml", "site/keys.toml", "site/lists/bulletin.toml", "site/posts/build/kept.md",
    }  # fmt: skip
    assert sorted(made.links) == ["more", "posts/link.md"]
    assert made.left_out["tables of people"] == 3
    assert made.left_out["backups and copies of a store"] == 2


def test_keys_are_in_a_sealed_backup_only(site: Site, store: Store, tmp_path: Path) -> None:
    write_new(site.root, "news.example.org", "2026a", "ed25519")
    (site.root / "relay.key").write_text("secret")
    sealed = backup(site, store, tmp_path / "sealed").manifest.members
    plain = backup(site, store, tmp_path / "plain", sealed=False).manifest.members
    keys = {"site/keys.toml", "site/dkim/2026a.pem", "site/dkim/.gitignore", "site/relay.key"}
    assert sealed.keys() - plain.keys() == keys
    raw = (tmp_path / "plain").read_bytes()
    assert b"BEGIN PRIVATE KEY" not in gzip.decompress(raw)
    assert (site.root / "keys.toml").read_text().split('"')[1].encode() not in gzip.decompress(raw)


def test_the_backup_may_lie_within_the_site(site: Site, store: Store) -> None:
    for name in ("first.backup", "second.backup"):
        made = backup(site, store, site.root / name)
    assert made.left_out["backups and copies of a store"] == 1
    assert not list(site.root.glob(".*.part"))


def test_nothing_that_is_there_is_overwritten(
    site: Site, store: Store, file: Path, target: Path
) -> None:
    backup(site, store, file)
    raw = file.read_bytes()
    with pytest.raises(MailoutError, match="such a file already"):
        backup(site, store, file)
    assert file.read_bytes() == raw
    target.mkdir()
    (target / "mine.txt").write_text("x")
    with pytest.raises(MailoutError, match="not empty, and nothing is overwritten"):
        restore_to(file, target, "sqlite:///mailout.db")
    assert _files(target) == {"mine.txt"}


def test_a_folder_with_git_only_is_empty_enough(
    site: Site, store: Store, file: Path, target: Path
) -> None:
    backup(site, store, file)
    (target / ".git").mkdir(parents=True)
    restore_to(file, target, "sqlite:///mailout.db")
    assert (target / "config.toml").exists()


def test_a_store_that_is_there_is_not_touched(
    site: Site, store: Store, store_url: str, file: Path, target: Path
) -> None:
    fill(store, metadata, random.Random(2))
    backup(site, store, file)
    if store.is_sqlite:
        with pytest.raises(MailoutError, match="would not be in the folder"):
            restore_to(file, target, f"sqlite:///{site.root}/mailout.db")
    else:
        with pytest.raises(MailoutError, match="there are tables"):
            restore_to(file, target, store_url)
    assert not target.exists()
    assert all(content(store, metadata).values())


@pytest.mark.parametrize("sealed", [True, False])
def test_a_damaged_backup_is_found_and_nothing_is_restored(
    site: Site, store: Store, file: Path, target: Path, sealed: bool
) -> None:
    fill(store, metadata, random.Random(3))
    backup(site, store, file, sealed=sealed)
    raw = file.read_bytes()
    rng = random.Random(4)
    damaged = [
        raw[:length] for length in (0, 5, 30, 100, len(raw) // 2, len(raw) - 9, len(raw) - 1)
    ]
    for _ in range(30):
        place = rng.randrange(28, len(raw))  # after the name in gzip's head, which nobody misses
        damaged.append(raw[:place] + bytes([raw[place] ^ 1 << rng.randrange(8)]) + raw[place + 1 :])
    for one in damaged:
        file.write_bytes(one)
        with pytest.raises(MailoutError) as caught:
            restore_to(file, target, "sqlite:///mailout.db")
        assert str(file) in str(caught.value) or "passphrase" in str(caught.value)
        assert not target.exists()


def test_what_is_no_backup_is_told_plainly(tmp_path: Path) -> None:
    for name, raw in {
        "text": b"hello",
        "zip": b"PK\3\4",
        "gz": gzip.compress(b"x"),
        "none": b"",
    }.items():
        (tmp_path / name).write_bytes(raw)
        with pytest.raises(BadFile, match=r"no backup of mailout|cut off"):
            examine(tmp_path / name, WORDS)
    with pytest.raises(BadFile, match="cannot be read: No such file"):
        examine(tmp_path / "missing", WORDS)
    with pytest.raises(BadFile, match="cannot be read: Is a directory"):
        examine(tmp_path, WORDS)


def test_a_wrong_passphrase_is_one_clear_line(
    site: Site, store: Store, file: Path, target: Path
) -> None:
    backup(site, store, file)
    with pytest.raises(MailoutError, match="passphrase does not open this backup"):
        restore(file, "six other words for a test", target, LATER)
    assert not target.exists()


def _forge(file: Path, change: Callable[[list[tuple[tarfile.TarInfo, bytes]]], None]) -> None:
    """Writes the backup anew, unsealed, with other members: their sums fit all the same."""
    with tarfile.open(fileobj=gzip.GzipFile(file)) as tar:
        members = [(one, tar.extractfile(one).read()) for one in tar]  # type: ignore[union-attr]
    change(members)
    with (
        file.open("wb") as raw,
        gzip.GzipFile(TAR_NAME, "wb", fileobj=raw) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for told, text in members:
            tar.addfile(told, io.BytesIO(text) if told.isreg() else None)


def _member(
    name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 1
) -> tarfile.TarInfo:
    told = tarfile.TarInfo(name)
    told.type, told.linkname, told.size = kind, link, size if kind == tarfile.REGTYPE else 0
    return told


@pytest.mark.parametrize(
    "told",
    [
        _member("site/../../evil"), _member("/etc/evil"), _member("site//etc/evil"),
        _member("site/.git/hooks/pre-commit"), _member("elsewhere/x"), _member("store/nothing/1.jsonl"),
        _member("site/x", tarfile.SYMTYPE, "/etc"), _member("site/x", tarfile.LNKTYPE, "/etc/passwd"),
        _member("site/x", tarfile.DIRTYPE), _member("site/x", tarfile.CHRTYPE),
        _member("site/x", tarfile.FIFOTYPE), _member("site/config.toml"), _member("site/new.md"),
    ],
    ids=lambda told: f"{told.name}-{told.type.decode()}",
)  # fmt: skip
def test_a_forged_member_leads_nowhere(
    sqlite_site: tuple[Site, Store], file: Path, target: Path, told: tarfile.TarInfo
) -> None:
    backup(*sqlite_site, file, sealed=False)
    _forge(file, lambda members: members.insert(-1, (told, b"x")))
    with pytest.raises(BadFile):
        restore_to(file, target)
    assert not target.exists()
    assert not list(target.parent.rglob("evil"))


def test_a_member_that_was_changed_is_named(sqlite_site: tuple[Site, Store], file: Path) -> None:
    def change(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        place = next(n for n, (told, _) in enumerate(members) if told.name == "site/config.toml")
        members[place] = (members[place][0], members[place][1].replace(b"a", b"b"))

    backup(*sqlite_site, file, sealed=False)
    _forge(file, change)
    with pytest.raises(BadFile, match=r"`site/config.toml` is not as it was written"):
        examine(file, "")


def test_a_member_that_was_taken_out_is_named(sqlite_site: tuple[Site, Store], file: Path) -> None:
    def change(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        members.pop(-2)

    backup(*sqlite_site, file, sealed=False)
    _forge(file, change)
    with pytest.raises(BadFile, match=r"`site/lists/bulletin.toml` is missing from the backup"):
        examine(file, "")


def test_a_very_long_head_of_tar_is_not_read(sqlite_site: tuple[Site, Store], file: Path) -> None:
    def change(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        told = tarfile.TarInfo("site/x")
        told.pax_headers = {"comment": "x" * 200_000}
        members.insert(-1, (told, b""))

    backup(*sqlite_site, file, sealed=False)
    _forge(file, change)
    with pytest.raises(BadFile, match="never writes"):
        examine(file, "")


def test_a_full_disk_leaves_nothing_of_a_backup(
    sqlite_site: tuple[Site, Store], file: Path
) -> None:
    site, store = sqlite_site
    (site.root / "posts").mkdir()
    (site.root / "posts" / "picture.jpg").write_bytes(random.Random(1).randbytes(3_000_000))
    with _FilesOfAtMost(1_000_000), pytest.raises(MailoutError, match="cannot be written"):
        backup(site, store, file)
    assert not file.exists()
    assert [path.name for path in file.parent.iterdir()] == ["site"]


def test_a_full_disk_leaves_nothing_of_a_site(
    sqlite_site: tuple[Site, Store], file: Path, target: Path
) -> None:
    site, store = sqlite_site
    (site.root / "posts").mkdir()
    (site.root / "posts" / "picture.jpg").write_bytes(random.Random(1).randbytes(3_000_000))
    backup(site, store, file)
    with _FilesOfAtMost(2_000_000), pytest.raises(MailoutError, match="cannot be written"):
        restore_to(file, target)
    assert not target.exists()
    target.mkdir()
    with _FilesOfAtMost(2_000_000), pytest.raises(MailoutError):
        restore_to(file, target)
    assert list(target.iterdir()) == []
    restore_to(file, target)
    assert read_site(target).identity == site.identity


def test_a_failure_leaves_nothing_in_the_database(
    site: Site, store: Store, file: Path, target: Path, empty_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    fill(store, metadata, random.Random(5))
    backup(site, store, file)

    def fail(*_: object) -> None:
        raise MailoutError("no more")

    monkeypatch.setattr(restored, "hold", fail)
    with pytest.raises(MailoutError, match="no more"):
        restore_to(file, target, empty_url)
    assert not target.exists()
    monkeypatch.undo()
    restore_to(file, target, empty_url)


def test_a_backup_of_an_older_store_is_brought_up_to_date(
    site: Site, bare_store: Store, file: Path, target: Path, empty_url: str
) -> None:
    schema.upgrade(bare_store, "0004")
    with bare_store.engine.begin() as connection:
        for statement in _OLD:
            connection.exec_driver_sql(statement)
    made = backup(site, bare_store, file)
    assert made.about.store_version == "0004"
    found = restore_to(file, target, empty_url)
    assert (found.held[0].issue, found.held[0].queued) == ("w47", 1)
    again = open_store(empty_url, target)
    schema.require_newest(again)
    with again.reading() as tx:
        made_at = restored.since(tx)
    again.close()
    assert made_at == NOW


def test_a_backup_of_a_newer_store_is_refused(
    site: Site, store: Store, file: Path, target: Path
) -> None:
    with store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    backup(site, store, file)
    with pytest.raises(MailoutError, match="9999, which is newer"):
        restore_to(file, target)
    assert not target.exists()


def test_new_numbers_begin_where_none_was_given(
    site: Site, store: Store, file: Path, target: Path, empty_url: str
) -> None:
    backup(site, store, file)
    restore_to(file, target, empty_url)
    again = open_store(empty_url, target)
    with again.snapshot() as plain:
        numbers = dump.last_numbers(plain, dump.shapes(plain))
    again.close()
    assert set(numbers.values()) == {int(LATER.timestamp() * 1_000_000)}


def test_members_are_read_in_pieces(sqlite_site: tuple[Site, Store], file: Path) -> None:
    site, store = sqlite_site
    (site.root / "film.mp4").write_bytes(b"x" * 5_000_000)
    backup(site, store, file)
    with container.opened(file, WORDS) as reader:
        sizes = [
            len(piece)
            for member in reader.members()
            if member.name == "site/film.mp4"
            for piece in member.pieces()
        ]
    assert sum(sizes) == 5_000_000
    assert max(sizes) <= 1024 * 1024


@pytest.fixture
def sqlite_site(site_root: Path, sqlite_template: Path) -> Iterator[tuple[Site, Store]]:
    """For what does not depend on the database."""
    shutil.copy(sqlite_template, site_root / "mailout.db")
    store = open_store("sqlite:///mailout.db", site_root)
    yield read_site(site_root), store
    store.close()


class _FilesOfAtMost:
    """While the block lasts, a file that would grow larger fails, as on a full disk."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __enter__(self) -> None:
        self.before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, self.before[1]))

    def __exit__(self, *_: object) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self.before)


def _files(root: Path) -> set[str]:
    return {
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.is_file() and not path.name.startswith("mailout.db-")
    }


_OLD = (
    "INSERT INTO issue (id, name, list_id, state, content_hash, approved_hash, created_at)"
    " VALUES (1, 'w47', 'bulletin', 'approved', 'x', 'x', '2026-11-24 10:00:00')",
    "INSERT INTO dispatch (id, issue_id, list_id, segment, exclude, priority, state, held_why,"
    " left_out, created_at)"
    " VALUES (1, 1, 'bulletin', 'unions', '', 0, 'sending', '', '{}', '2026-11-24 10:00:00')",
    "INSERT INTO delivery (id, issue_id, dispatch_id, address_key, language, edition, state, reason,"
    " attempts, queued_at, next_at, worker, last_code, last_enhanced, last_text, relay)"
    " VALUES (1, 1, 1, 'key', 'en', 'full', 'queued', '', 0, '2026-11-24 10:00:00',"
    " '2026-11-24 10:00:00', '', 0, '', '', '')",
)
