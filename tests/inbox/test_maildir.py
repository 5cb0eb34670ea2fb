"""A Maildir is emptied of what is new, and of nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dovecot_server import Dovecot
from keeping import Kept
from mailout.core.errors import MailoutError, TryLater
from mailout.inbox.batch import MOST_MAILS, Came
from mailout.inbox.maildir import fetch

MOST = 1_000_000


@pytest.fixture
def box(tmp_path: Path) -> Path:
    for part in ("new", "cur", "tmp"):
        (tmp_path / "box" / part).mkdir(parents=True)
    return tmp_path / "box"


def test_a_new_mail_is_kept_then_moved_as_seen(box: Path) -> None:
    (box / "new" / "1.a.host").write_bytes(b"one")
    kept = Kept(before=lambda: (box / "new" / "1.a.host").stat())
    assert list(fetch(str(box), kept, MOST)) == [Came(str(box), 1, 1)]
    assert [one.source for one in kept.arrivals] == ["maildir"]
    assert (box / "cur" / "1.a.host:2,S").read_bytes() == b"one"
    assert list(fetch(str(box), kept, MOST)) == []


def test_what_a_mail_program_has_listed_but_nobody_has_seen_is_new(box: Path) -> None:
    (box / "cur" / "1.a.host:2,").write_bytes(b"listed")
    (box / "cur" / "2.a.host:2,F").write_bytes(b"flagged")
    (box / "cur" / "3.a.host:2,RS").write_bytes(b"seen and answered")
    kept = Kept()
    list(fetch(str(box), kept, MOST))
    assert kept.raw == {b"listed", b"flagged"}
    assert sorted(os.listdir(box / "cur")) == ["1.a.host:2,S", "2.a.host:2,FS", "3.a.host:2,RS"]


def test_nothing_moves_while_the_store_is_down(box: Path) -> None:
    (box / "new" / "1.a.host").write_bytes(b"one")
    with pytest.raises(TryLater):
        list(fetch(str(box), Kept(works=0), MOST))
    assert os.listdir(box / "new") == ["1.a.host"]


def test_what_was_kept_before_the_store_went_down_is_marked_and_the_rest_is_not(box: Path) -> None:
    for number in range(MOST_MAILS + 20):
        (box / "new" / f"{number:05}.host").write_bytes(b"%d" % number)
    kept = Kept(works=1)
    with pytest.raises(TryLater):
        list(fetch(str(box), kept, MOST))
    assert len(os.listdir(box / "new")) == 20
    kept.works = None
    assert list(fetch(str(box), kept, MOST)) == [Came(str(box), 20, 20)]


def test_a_mail_that_vanishes_before_it_is_read_or_marked(box: Path) -> None:
    (box / "new" / "1.host").write_bytes(b"one")
    (box / "new" / "2.host").write_bytes(b"two")

    def vanish() -> None:
        (box / "new" / "1.host").unlink(missing_ok=True)

    kept = Kept(before=vanish)
    list(fetch(str(box), kept, MOST))
    assert kept.raw == {b"one", b"two"}
    assert os.listdir(box / "cur") == ["2.host:2,S"]


def test_names_of_odd_bytes(box: Path) -> None:
    name = os.fsencode(box) + b"/new/1.\xff\xfe \n.host"
    Path(os.fsdecode(name)).write_bytes(b"odd")
    kept = Kept()
    list(fetch(str(box), kept, MOST))
    assert kept.raw == {b"odd"}
    assert os.listdir(os.fsencode(box / "cur")) == [b"1.\xff\xfe \n.host:2,S"]


def test_only_files_that_are_mails_are_read(box: Path) -> None:
    (box / "tmp" / "1.host").write_bytes(b"half written")
    (box / "new" / ".hidden").write_bytes(b"not a mail")
    (box / "new" / "folder").mkdir()
    (box / "new" / "link").symlink_to("/etc/hostname")
    os.mkfifo(box / "new" / "pipe")
    kept = Kept()
    assert list(fetch(str(box), kept, MOST)) == []
    assert kept.arrivals == []


def test_another_mail_of_the_same_name_is_not_written_over(box: Path) -> None:
    (box / "cur" / "1.host:2,S").write_bytes(b"theirs")
    (box / "new" / "1.host").write_bytes(b"ours")
    kept = Kept()
    list(fetch(str(box), kept, MOST))
    assert kept.raw == {b"ours"}
    assert (box / "cur" / "1.host:2,S").read_bytes() == b"theirs"


def test_of_a_large_mail_only_the_beginning_is_read(box: Path) -> None:
    (box / "new" / "1.host").write_bytes(b"x" * 30_000_000)
    (box / "new" / "2.host").write_bytes(b"after\0it")
    kept = Kept()
    list(fetch(str(box), kept, MOST))
    assert sorted(len(raw) for raw in kept.raw) == [8, MOST]


def test_a_mail_that_cannot_be_read_is_named_and_the_others_are_kept(
    box: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        (box / "new" / f"{number}.host").write_bytes(b"%d" % number)
    opened = os.open

    def refuse_the_first(path: bytes, *how: int) -> int:
        if path.endswith(b"/0.host"):  # root may read everything: the right is taken away here
            raise PermissionError(13, "Permission denied")
        return opened(path, *how)

    monkeypatch.setattr(os, "open", refuse_the_first)
    kept = Kept()
    with pytest.raises(MailoutError, match=r"new/0\.host: cannot be read: Permission denied"):
        list(fetch(str(box), kept, MOST))
    assert kept.raw == {b"1", b"2"}
    assert os.listdir(box / "new") == ["0.host"]


def test_a_maildir_that_may_not_be_changed(box: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (box / "new" / "1.host").write_bytes(b"one")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "rename", refuse)
    kept = Kept()
    with pytest.raises(MailoutError, match="kept, but cannot be moved"):
        list(fetch(str(box), kept, MOST))
    assert kept.raw == {b"one"}


def test_a_folder_that_is_no_maildir(tmp_path: Path) -> None:
    with pytest.raises(MailoutError, match=r"no Maildir: it has no folder `new`"):
        list(fetch(str(tmp_path), Kept(), MOST))


def test_a_folder_of_dovecot_within_a_maildir(dovecot: Dovecot) -> None:
    dovecot.deliver("anna", b"Subject: one\r\n\r\nx\r\n")
    dovecot.doveadm("mailbox", "create", "-u", "anna", "Bounces")
    dovecot.doveadm("move", "-u", "anna", "Bounces", "mailbox", "INBOX", "all")
    kept = Kept()
    assert list(fetch(str(dovecot.maildir("anna")), kept, MOST)) == []
    (came,) = fetch(str(dovecot.maildir("anna") / ".Bounces"), kept, MOST)
    assert (came.mails, came.new) == (1, 1)
    dovecot.give_away()
    assert dovecot.doveadm("search", "-u", "anna", "mailbox", "Bounces", "unseen") == ""


def test_a_pass_that_is_given_up_leaves_the_rest(box: Path) -> None:
    for number in range(MOST_MAILS * 2):
        (box / "new" / f"{number:05}.host").write_bytes(b"%d" % number)
    passing = fetch(str(box), Kept(), MOST)
    assert isinstance(passing, Iterator)
    next(passing)
    passing.close()
    assert len(os.listdir(box / "new")) == MOST_MAILS
