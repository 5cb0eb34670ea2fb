"""An mbox file is read under its locks, and emptied only when told to."""

from __future__ import annotations

import fcntl
import io
import mailbox
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeping import Kept
from mailout.core.errors import BadFile, TryLater
from mailout.inbox import mbox
from mailout.inbox.mbox import fetch, mails

MOST = 1_000_000
TWO = b"""\
From MAILER-DAEMON Thu Nov 26 10:00:00 2026
Subject: one

Hello,
From here on no mail goes.
>From the start it was lost.
>>From a quote.

From - Thu Nov 26 10:00:01 2026
Subject: two

body
"""


@pytest.fixture
def box(tmp_path: Path) -> Path:
    (tmp_path / "box").write_bytes(TWO)
    return tmp_path / "box"


def test_mails_are_told_apart_and_what_was_quoted_is_not(box: Path) -> None:
    kept = Kept()
    (came,) = fetch(str(box), kept, MOST)
    assert (came.mails, came.new) == (2, 2)
    assert [(one.source, one.raw) for one in kept.arrivals] == [
        (
            "mbox",
            b"Subject: one\n\nHello,\nFrom here on no mail goes.\nFrom the start it was lost.\n>From a quote.\n",
        ),
        ("mbox", b"Subject: two\n\nbody\n"),
    ]


def test_reading_again_finds_nothing_new_and_changes_nothing(box: Path) -> None:
    kept = Kept()
    assert [came.new for _ in range(2) for came in fetch(str(box), kept, MOST)] == [2, 0]
    assert box.read_bytes() == TWO
    assert os.listdir(box.parent) == ["box"]


def test_it_is_emptied_only_when_told_to_and_all_is_kept(box: Path) -> None:
    with pytest.raises(TryLater):
        list(fetch(str(box), Kept(works=0), MOST, empty=True))
    assert box.read_bytes() == TWO
    list(fetch(str(box), Kept(), MOST, empty=True))
    assert box.read_bytes() == b""


def test_it_is_not_emptied_of_what_came_in_meanwhile(box: Path) -> None:
    def append() -> None:
        with box.open("ab") as file:
            file.write(b"\nFrom x\n\nlate\n")

    kept = Kept(before=append)
    list(fetch(str(box), kept, MOST, empty=True))
    assert b"late" in box.read_bytes()


def test_a_lock_of_another_program_is_waited_for(
    box: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mbox, "_PATIENCE", 0.0)
    lock = box.with_name("box.lock")
    lock.touch()
    with pytest.raises(TryLater, match="lock"):
        list(fetch(str(box), Kept(), MOST))
    assert lock.exists()
    lock.unlink()
    pid = os.fork()
    if pid == 0:  # locks of one process do not keep each other out
        with box.open("r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX)
            (box.parent / "ready").touch()
            while not (box.parent / "done").exists():
                pass
        os._exit(0)
    while not (box.parent / "ready").exists():
        pass
    with pytest.raises(TryLater, match="locked"):
        list(fetch(str(box), Kept(), MOST))
    (box.parent / "done").touch()
    os.waitpid(pid, 0)
    assert [came.new for came in fetch(str(box), Kept(), MOST)] == [2]
    assert not lock.exists()


def test_what_the_standard_library_writes(tmp_path: Path) -> None:
    written = mailbox.mbox(tmp_path / "box")
    bodies = [b"Subject: a\n\nFrom me\n", b"Subject: b\n\n\n\n", b"Subject: c\n\nno end"]
    for body in bodies:
        written.add(body)
    written.close()
    kept = Kept()
    list(fetch(str(tmp_path / "box"), kept, MOST))
    assert [one.raw.strip() for one in kept.arrivals] == [body.strip() for body in bodies]


def test_a_file_that_is_not_there_yet_or_empty_holds_nothing(tmp_path: Path) -> None:
    assert list(fetch(str(tmp_path / "box"), Kept(), MOST)) == []
    (tmp_path / "box").touch()
    assert list(fetch(str(tmp_path / "box"), Kept(), MOST)) == []


def test_what_is_no_mbox_is_named(tmp_path: Path) -> None:
    (tmp_path / "box").write_bytes(b"Subject: a mail alone\n\nx\n")
    with pytest.raises(BadFile, match=r"box: this is no mbox"):
        list(fetch(str(tmp_path / "box"), Kept(), MOST))


def test_a_line_without_end_and_a_mail_that_is_too_long(tmp_path: Path) -> None:
    (tmp_path / "box").write_bytes(
        b"From x\n\n" + b"y" * 30_000_000 + b"\n\nFrom x\n\nsecond\0\xff\n"
    )
    kept = Kept()
    list(fetch(str(tmp_path / "box"), kept, MOST))
    assert [len(one.raw) for one in kept.arrivals] == [MOST, 10]


@given(st.binary(max_size=300), st.integers(1, 50))
def test_any_bytes_are_mails_or_no_mbox(raw: bytes, most: int) -> None:
    try:
        assert all(len(mail) <= most for mail in mails(io.BytesIO(raw), "box", most))
    except BadFile as error:
        assert "no mbox" in str(error)
