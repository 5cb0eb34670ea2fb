"""The file of a backup from outside: what stands behind its end, and how it is packed."""

from __future__ import annotations

import gzip
import random
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from dumped_tables import fill
from mailout.core.backup import TAR_NAME
from mailout.core.errors import BadFile, MailoutError
from mailout.core.site import Site
from mailout.keeping.backup import make
from mailout.keeping.examining import examine
from mailout.store.engine import Store, open_store
from mailout.store.inbound_tables import metadata

NOW = datetime(2026, 11, 24, 18, 30, tzinfo=UTC)


def backup(site: Site, store: Store, path: Path) -> Path:
    make(
        site, store, path, site.root / "keys.toml",
        seal=None, program="0.1.0", now=NOW, keep_until=date(2026, 12, 24),
    )  # fmt: skip
    return path


@pytest.fixture
def file(site: Site, store: Store, tmp_path: Path) -> Path:
    fill(store, metadata, random.Random(1))
    return backup(site, store, tmp_path / "site.backup")


def test_what_stands_behind_the_end_is_refused(file: Path) -> None:
    whole = file.read_bytes()
    streams = [gzip.compress(text) for text in (b"", b"more", b"\0" * 512)]
    for behind in (*streams, b"\0", b"\n", whole):
        file.write_bytes(whole + behind)
        with pytest.raises(BadFile, match="goes on after its end"):
            examine(file, "")
    file.write_bytes(whole)
    assert examine(file, "").manifest.rows["subscriber"]


def test_what_stands_behind_the_end_of_the_tar_is_refused(file: Path) -> None:
    """Within one stream, so that gzip's own sum fits."""
    inside = gzip.decompress(file.read_bytes())
    with file.open("wb") as raw, gzip.GzipFile(TAR_NAME, "wb", fileobj=raw) as packed:
        packed.write(inside + b"more")
    with pytest.raises(BadFile, match="goes on after its end"):
        examine(file, "")


def test_a_wrong_sum_is_damage_and_a_missing_one_a_cut(file: Path) -> None:
    whole = file.read_bytes()
    for place in (len(whole) - 1, len(whole) - 8):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(BadFile, match=r"is damaged: .* Take another copy"):
            examine(file, "")
    file.write_bytes(whole[:-1])
    with pytest.raises(BadFile, match="is cut off"):
        examine(file, "")


def test_a_backup_that_was_packed_once_more_is_none(file: Path) -> None:
    file.write_bytes(gzip.compress(file.read_bytes()))
    with pytest.raises(BadFile, match="no backup of mailout"):
        examine(file, "")


def test_there_is_no_backup_of_a_store_that_is_not_there(site: Site, tmp_path: Path) -> None:
    store = open_store("sqlite:///elsewhere.db", tmp_path)
    with pytest.raises(MailoutError, match=r"is not there.* elsewhere"):
        backup(site, store, tmp_path / "site.backup")
    store.close()
    assert {path.name for path in tmp_path.iterdir()} <= {"site"}
