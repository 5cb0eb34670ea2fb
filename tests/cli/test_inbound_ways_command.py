"""`mailout inbound fetch` and `watch`: what came in and where, and what is wrong with a way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from command_line import CommandLine
from dovecot_server import PASSWORD, Dovecot
from mailout.store import inbound
from mailout.store.engine import Store


@pytest.fixture
def shell(store: Store, site_root: Path, store_url: str, capsys: pytest.CaptureFixture[str],
          monkeypatch: pytest.MonkeyPatch) -> CommandLine:  # fmt: skip
    monkeypatch.setenv("MAILOUT_STORE_URL", store_url)
    return CommandLine(site_root, capsys)


def configure(root: Path, **settings: object) -> None:
    """Puts settings in place of the defaults of [inbound]."""
    path = root / "config.toml"
    source = path.read_text("utf-8")
    head, _, tail = source.partition("\n[inbound]\n")
    for key, value in settings.items():
        lines = tail.splitlines()
        (at,) = (n for n, line in enumerate(lines) if line.startswith(f"{key} = "))
        lines[at] = f"{key} = {json.dumps(value)}"
        tail = "\n".join(lines)
    path.write_text(f"{head}\n[inbound]\n{tail}\n", "utf-8")


def maildir(root: Path, *mails: bytes) -> Path:
    for part in ("new", "cur", "tmp"):
        (root / "box" / part).mkdir(parents=True, exist_ok=True)
    for number, mail in enumerate(mails):
        (root / "box" / "new" / f"{number}.host").write_bytes(mail)
    return root / "box"


def test_fetch_reads_each_way_once_and_says_where(shell: CommandLine, store: Store) -> None:
    box = maildir(shell.root, b"Subject: one\n\n", b"Subject: two\n\n")
    (shell.root / "mbox").write_bytes(b"From x\nSubject: two\n\n\nFrom x\nSubject: three\n\n")
    configure(shell.root, maildir=["box"], mbox=["mbox"])
    said = shell("inbound", "fetch")
    assert said.out.splitlines() == [
        "where\tmails\tnew", f"{box}\t2\t2", f"{shell.root / 'mbox'}\t2\t1"
    ]  # fmt: skip
    with store.reading() as tx:
        assert len(inbound.new(tx, 10)) == 3
    assert os.listdir(box / "new") == []
    assert shell("inbound", "fetch").out == ""


def test_a_way_that_fails_is_named_and_the_others_are_read(
    shell: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = maildir(shell.root, b"Subject: one\n\n")
    configure(shell.root, maildir=["nowhere", "box"])
    said = shell("inbound", "fetch", code=1)
    assert f"{box}\t1\t1" in said.out
    assert "nowhere: this is no Maildir" in said.err
    monkeypatch.setenv("BOX", "secret")
    path = shell.root / "config.toml"
    path.write_text(
        path.read_text("utf-8")
        + '[[inbound.imap]]\nhost = "127.0.0.1"\nport = 1\ntls = "none"\nusername = "anna"\npassword_env = "BOX"\n',
        "utf-8",
    )
    configure(shell.root, maildir=["box"])
    assert "connection is lost" in shell("inbound", "fetch", code=75).err


def test_a_bounce_in_a_mailbox_is_in_the_store_and_marked(
    shell: CommandLine, store: Store, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOX", PASSWORD)
    path = shell.root / "config.toml"
    path.write_text(
        path.read_text("utf-8")
        + f'[[inbound.imap]]\nhost = "localhost"\nport = {dovecot.imap_port}\ntls = "none"\n'
        'username = "anna"\npassword_env = "BOX"\nmove_to = "Kept"\n',
        "utf-8",
    )
    dovecot.deliver("anna", b"Subject: x\r\n\r\n", recipient="anna+token@box.example.org")
    assert shell("inbound", "fetch").out.splitlines()[1:] == [
        f"localhost:{dovecot.imap_port}/INBOX\t1\t1"
    ]
    with store.reading() as tx:
        (kept,) = inbound.new(tx, 10)
    assert kept.source == "imap"
    assert b"Delivered-To: anna+token@box.example.org" in kept.raw
    assert dovecot.doveadm("search", "-u", "anna", "mailbox", "Kept", "seen").count("\n") == 1


def test_without_a_way_in_it_says_what_to_write(shell: CommandLine) -> None:
    assert "[[inbound.imap]]" in shell("inbound", "fetch", code=2).err
    assert "[[inbound.imap]]" in shell("inbound", "watch", code=2).err


def test_watch_tells_what_comes_in_and_stops_when_told_to(
    site_root: Path, sqlite_template: Path
) -> None:
    (site_root / "mailout.db").write_bytes(sqlite_template.read_bytes())
    box = maildir(site_root, b"Subject: one\n\n")
    configure(site_root, maildir=["box"], lmtp="./l.sock")
    command = [sys.executable, "-m", "mailout", "--site", str(site_root), "inbound", "watch"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [*command, "--log", "json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        first, second = (json.loads(process.stdout.readline()) for _ in range(2))
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
        assert process.stderr.read() == b""
    assert process.returncode == 0
    assert (first["event"], first["ways"]) == ("watching", 2)
    assert (second["event"], second["where"], second["mails"], second["new"]) == (
        "came in", str(box), 1, 1
    )  # fmt: skip
    assert json.loads(rest)["event"] == "stopped"
    assert not (site_root / "l.sock").exists()
