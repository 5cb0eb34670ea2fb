"""`mailout receive`: whatever goes wrong, the mail server still has the mail."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mailout.store import inbound
from mailout.store.engine import Store

MAIL = b"Subject: x\n\nbody \0\xff\n"
Receive = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def receive(site_root: Path) -> Receive:
    """Runs the command as a mail server does: another folder, hardly an environment."""

    def run(
        *words: str, mail: bytes = MAIL, root: Path = site_root, **environ: str
    ) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "mailout", "--site", str(root), "receive", *words]
        return subprocess.run(
            command, input=mail, capture_output=True, cwd="/", check=False, timeout=120,
            env={"PYTHONPATH": os.pathsep.join(sys.path), **environ},
        )  # fmt: skip

    return run


@pytest.fixture
def sqlite(site_root: Path, sqlite_template: Path) -> Path:
    path = site_root / "mailout.db"
    path.write_bytes(sqlite_template.read_bytes())
    return path


def test_a_mail_is_kept_with_its_envelope_and_nothing_is_said(
    receive: Receive, sqlite: Path, sqlite_store: Callable[[], Store]
) -> None:
    from mailout.store.engine import open_store

    said = receive(ORIGINAL_RECIPIENT="bounces+t@news.example.org", SENDER="x@example.org")
    assert (said.returncode, said.stdout, said.stderr) == (0, b"", b"")
    assert receive(ORIGINAL_RECIPIENT="bounces+t@news.example.org").returncode == 0  # again
    assert receive("--recipient", "b@news.example.org", mail=MAIL + b"2\n").returncode == 0
    store = open_store("sqlite:///mailout.db", sqlite.parent)
    with store.reading() as tx:
        kept = inbound.new(tx, 10)
    store.close()
    assert [(one.raw, one.source, one.recipient, one.sender) for one in kept] == [
        (MAIL, "pipe", "bounces+t@news.example.org", "x@example.org"),
        (MAIL + b"2\n", "pipe", "b@news.example.org", ""),
    ]


def later(said: subprocess.CompletedProcess[bytes], words: str) -> None:
    assert said.returncode == 75, said.stderr
    assert words in said.stderr.decode()
    assert said.stderr.count(b"\n") == 1
    assert b"Traceback" not in said.stderr


def test_without_a_store_the_server_tries_again(receive: Receive, site_root: Path) -> None:
    later(receive(), "mailout db upgrade")
    for left in site_root.glob("mailout.db*"):
        left.unlink()
    (site_root / "mailout.db").mkdir()
    later(receive(), "store")


def test_while_the_store_is_locked_the_server_tries_again(
    receive: Receive, sqlite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With the real timeout of SQLite this would take half a minute.
    (sqlite.parent / "sitecustomize.py").write_text(
        "import mailout.store.engine as e\n"
        "e._PRAGMAS = tuple(p.replace('30000', '100') for p in e._PRAGMAS)\n"
    )
    other = sqlite3.connect(sqlite, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    path = os.pathsep.join([str(sqlite.parent), *sys.path])
    later(receive(PYTHONPATH=path), "the store is busy")
    other.execute("ROLLBACK")
    other.close()
    assert receive().returncode == 0


def test_a_database_that_does_not_answer(receive: Receive) -> None:
    later(receive(MAILOUT_STORE_URL="postgresql://nobody@127.0.0.1:1/none"), "store")


def test_mistakes_of_the_organiser_bounce_no_mail(receive: Receive, sqlite: Path) -> None:
    later(receive(root=Path("/nowhere")), "there is no config.toml")
    later(receive("--recipent", "x"), "No such option")
    later(receive("word"), "unexpected")
    config = sqlite.parent / "config.toml"
    config.write_text(config.read_text("utf-8") + "\n[inboud]\n", "utf-8")
    later(receive(), "unknown key `inboud`")


def test_nothing_on_standard_input_is_not_tried_again(receive: Receive, sqlite: Path) -> None:
    for nothing in (b"", b"\r\n\r\n"):
        said = receive(mail=nothing)
        assert (said.returncode, said.stdout) == (65, b"")
        assert said.stderr == b"mailout: there is no mail on standard input\n"


def test_a_large_mail_is_cut_and_kept(receive: Receive, sqlite: Path) -> None:
    assert receive(mail=MAIL + b"x" * 30_000_000).returncode == 0
    connection = sqlite3.connect(sqlite)
    ((size,),) = connection.execute("SELECT size FROM inbound").fetchall()
    connection.close()
    assert size == 25_000_000
