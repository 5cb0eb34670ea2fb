"""A site backed up while it sends, and gone on with from that: nobody skipped, and nobody mailed
twice without being asked."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from test_killed import CONTACT, start

from command_line import CommandLine
from mailout.cli.main import main
from mailout.smtp.catcher import Catcher

PEOPLE = 400


@pytest.fixture(autouse=True)
def passphrase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that holds one, for all commands."""
    path = tmp_path / "passphrase"
    path.write_text("six random words for a test\n", encoding="utf-8")
    path.chmod(0o600)
    monkeypatch.setenv("MAILOUT_PASSPHRASE_FILE", str(path))
    return path


@pytest.fixture
def again(shell: CommandLine, tmp_path: Path) -> CommandLine:
    """A shell in the folder that is restored to, on SQLite."""
    return CommandLine(tmp_path / "again", shell.capsys)


def restore(
    shell: CommandLine, again: CommandLine, file: Path, monkeypatch: pytest.MonkeyPatch, *words: str
) -> str:
    """What a restore says; the new store is a file, wherever the old one is."""
    monkeypatch.delenv("MAILOUT_STORE_URL", raising=False)
    return shell("restore", str(file), "--into", str(again.root), *words).out


def start_slowly(shell: CommandLine, monkeypatch: pytest.MonkeyPatch) -> subprocess.Popen[bytes]:
    """A send that takes some seconds: long enough to make a backup meanwhile."""
    with monkeypatch.context() as slowly:
        slowly.setenv("MAILOUT_RELAY_URL", f"{os.environ['MAILOUT_RELAY_URL']}&per_minute=6000")
        return start(shell)


def test_a_send_goes_on_from_a_backup_that_was_made_meanwhile(
    shell: CommandLine, again: CommandLine, catcher: Catcher, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    addresses = {f"p{n}@example.org" for n in range(PEOPLE)}
    shell.import_people("email,tags\n" + "".join(f"{one},unions\n" for one in sorted(addresses)))
    file = tmp_path / "meanwhile.backup"
    with shell.relay(catcher):
        sender = start_slowly(shell, monkeypatch)
        while catcher.accepted < 60 and sender.poll() is None:
            time.sleep(0.001)
        shell("backup", str(file))
        still_sending = sender.poll() is None
        sender.kill()  # the laptop is gone at that moment
        sender.wait()
        assert still_sending, "the backup was made while the send went on"
        had_it = {one.recipients[0] for one in catcher.messages} - {CONTACT}
        report = shell("verify", str(file), "--json").json
        assert report["rows"]["delivery"] == PEOPLE
        assert report["links"] == {"bulletin": PEOPLE}
        said = restore(shell, again, file, monkeypatch)
        assert "was under way" in said
        issue = again("status", "--json").json["issue"]
        assert f"mailout resume {issue}" in said
        # By itself nothing goes on: not by a worker, nor by the line in the crontab.
        mailed = catcher.accepted
        again("worker", "--once")
        assert "is paused" in again("send", "--segment", "unions", "--yes", code=1).err
        assert catcher.accepted == mailed
        before = again("status", "--json").json["deliveries"]
        assert before["sending"] == 0
        assert before["queued"] + before["unknown"] + before["accepted"] == PEOPLE
        again("settle", "--yes")
        again("resume", issue)
        again("resend", issue, "--missing")
        again("send", "--segment", "unions", "--yes")
    got = Counter(one.recipients[0] for one in catcher.messages)
    assert set(got) - {CONTACT} == addresses, "nobody is skipped"
    counts = again("status", "--json").json["deliveries"]
    assert counts["accepted"] == PEOPLE
    doubled = sum(number - 1 for address, number in got.items() if address != CONTACT)
    assert doubled == before["queued"] + before["unknown"] - len(addresses - had_it)


def test_a_send_that_had_gone_on_is_called_off_and_nobody_gets_it_twice(
    shell: CommandLine, again: CommandLine, catcher: Catcher, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    shell.import_people(
        "email,tags\n" + "".join(f"p{n}@example.org,unions\n" for n in range(PEOPLE))
    )
    file = tmp_path / "meanwhile.backup"
    with shell.relay(catcher):
        sender = start_slowly(shell, monkeypatch)
        while catcher.accepted < 40 and sender.poll() is None:
            time.sleep(0.001)
        shell("backup", str(file))
        assert sender.wait(60) == 0
        assert len(catcher.messages) == PEOPLE
        restore(shell, again, file, monkeypatch)
        issue = again("status", "--json").json["issue"]
        again("cancel", issue, "--yes")
        again("settle", "--yes")
        assert "Nothing was sent" in again("send", "--segment", "unions", "--yes").out
        again("worker", "--once")
    assert len(catcher.messages) == PEOPLE, "nobody has it twice"


def test_posts_that_were_sent_after_the_backup_are_not_sent_again_unasked(
    shell: CommandLine, again: CommandLine, catcher: Catcher, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    shell.import_people("email,tags\nanna@example.org,unions\n")
    file = tmp_path / "before.backup"
    shell("backup", str(file))
    with shell.relay(catcher):
        shell("send", "--segment", "unions", "--yes")
        restore(shell, again, file, monkeypatch)
        for words in (("send", "--segment", "unions", "--yes"), ("send", "--segment", "unions")):
            said = again(*words, code=1).err
            assert "would be sent again" in said
            assert "mailout settle" in said
        assert not list((again.root / "issues").glob("*.md")), "no issue was composed"
        assert len(catcher.messages) == 1
        assert "status: archived" in again("settle", "--yes").out
        assert "nothing to settle" in again("settle", "--yes").out
        for post in (again.root / "posts").glob("*.md"):
            text = post.read_text("utf-8").replace("\n---", "\nstatus: archived\n---", 1)
            post.write_text(text, "utf-8")
        assert "Nothing was sent" in again("send", "--segment", "unions", "--yes").out
    assert len(catcher.messages) == 1


def test_settling_asks_somebody(shell: CommandLine, again: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    file = tmp_path / "site.backup"
    shell("backup", str(file))
    restore(shell, again, file, monkeypatch)
    assert "nobody is there to be asked" in again("settle", code=2).err


def test_what_a_backup_says(shell: CommandLine, tmp_path: Path) -> None:
    shell.import_people("email,tags\nanna@example.org,unions\n")
    file = tmp_path / "site.backup"
    said = shell("backup", str(file), "--keep-days", "10").out
    assert "1 person" in said
    assert "tables of people (1)" in said
    assert "Delete it after" in said
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "with the keys" in shell("verify", str(file)).out
    assert "such a file already" in shell("backup", str(file), code=1).err
    report = shell("backup", str(tmp_path / "plain.backup"), "--unencrypted", "--json")
    assert report.json["encrypted"] is False
    assert "Anybody who has the file can read" in report.err
    assert "without the keys" in shell("verify", str(tmp_path / "plain.backup")).out


def test_a_restore_says_what_it_cannot_know(
    shell: CommandLine, again: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.import_people("email,tags\nanna@example.org,unions\n")
    file = tmp_path / "site.backup"
    shell("backup", str(file), "--unencrypted")
    old = os.environ.get("MAILOUT_STORE_URL", f"sqlite:///{shell.root}/mailout.db")
    said = restore(shell, again, file, monkeypatch)
    assert "is on the list again" in said
    assert "The keys are not in it" in said
    said = shell(
        "restore", str(file), "--into", str(tmp_path / "more"), "--store", "sqlite:///else.db",
        "--leaves-from", old,
    ).out  # fmt: skip
    last = said[said.rindex("Before any other command") :]
    assert 'url = "sqlite:///else.db"' in last and "mailout settle" not in last
    more = CommandLine(tmp_path / "more", shell.capsys)
    shutil.copy(shell.root / "keys.toml", more.root)
    assert "the store is not there" in more("status", code=1).err
    assert not (more.root / "mailout.db").exists()
    assert "0 leaves, 0 erasures, 0 suppressions" in said
    assert "not empty" in shell("restore", str(file), "--into", str(again.root), code=1).err
    (again.root / "keys.toml").write_bytes((shell.root / "keys.toml").read_bytes())
    (again.root / "keys.toml").chmod(0o600)
    assert "anna@example.org" in again("subscribers", "list").out


def test_the_store_of_a_site_is_verified(
    shell: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.import_people("email,tags\nanna@example.org,unions\nben@example.org,unions\n")
    assert shell("verify", "--json").json["links"] == {"bulletin": 2}
    assert "Evidence of bulletin: 2 links" in shell("verify").out


def test_a_chain_that_was_changed_is_told(shell: CommandLine, tmp_path: Path) -> None:
    from mailout.config.site import read_site
    from mailout.store.engine import open_store

    shell.import_people("email,tags\nanna@example.org,unions\nben@example.org,unions\n")
    site = read_site(shell.root)
    store = open_store(site.store.url, site.root)
    with store.engine.begin() as plain:
        plain.exec_driver_sql("UPDATE consent SET wording = 'else' WHERE number = 2")
    store.close()
    assert "does not hold from number 2 on" in shell("verify", code=1).err
    shell("backup", str(tmp_path / "site.backup"))
    assert (
        "does not hold from number 2 on"
        in shell("verify", str(tmp_path / "site.backup"), code=1).err
    )


def test_passphrases(
    shell: CommandLine, tmp_path: Path, passphrase: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "site.backup"
    passphrase.chmod(0o644)
    assert "chmod 600" in shell("backup", str(file), code=1).err
    passphrase.chmod(0o600)
    for text, said in {"\n": "no passphrase", "short\n": "six words", "\xff": "short"}.items():
        passphrase.write_text(text, encoding="utf-8")
        if said != "short":
            assert said in shell("backup", str(file), code=1).err
    passphrase.write_bytes(b"\xff\xfe\xfd\xfc\n")
    assert "not UTF-8" in shell("backup", str(file), code=1).err
    passphrase.write_text("six random words for a test\r\nmore", encoding="utf-8")
    shell("backup", str(file))
    passphrase.write_text("six other words for a test", encoding="utf-8")
    assert shell("verify", str(file), code=1).err == (
        "mailout: the passphrase does not open this backup. Type it again.\n"
    )
    monkeypatch.delenv("MAILOUT_PASSPHRASE_FILE")
    assert "nobody is there to type it" in shell("verify", str(file), code=2).err
    assert not list(tmp_path.glob(".*.part"))


def test_a_backup_needs_no_site_to_be_verified(
    shell: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "site.backup"
    shell("backup", str(file))
    monkeypatch.chdir(tmp_path)
    assert main(["verify", str(file)]) == 0
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv("MAILOUT_STORE_URL", raising=False)
    assert main(["restore", str(file)]) == 0
    assert (tmp_path / "here" / "config.toml").exists()
