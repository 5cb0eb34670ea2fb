"""All ways at once: what fails is told and tried again, and the others go on."""

from __future__ import annotations

import smtplib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from dovecot_server import PASSWORD, Dovecot
from keeping import Kept
from mailout.core.inbox import ImapBox, Inbox
from mailout.inbox import watch


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_EVERY", 0.02)
    monkeypatch.setattr(watch, "_WAITS", (0.02,))
    monkeypatch.setattr(watch, "_REFUSED", 0.02)
    monkeypatch.setenv("BOX_PASSWORD", PASSWORD)


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    for part in ("new", "cur"):
        (tmp_path / "box" / part).mkdir(parents=True)
    return tmp_path / "box"


@contextmanager
def watching(inbox: Inbox, kept: Kept) -> Iterator[list[tuple[str, Mapping[str, object]]]]:
    told: list[tuple[str, Mapping[str, object]]] = []
    stop = threading.Event()
    thread = threading.Thread(
        target=watch.watch,
        args=(inbox, kept, lambda what, fields: told.append((what, fields)), stop),
    )
    thread.start()
    try:
        yield told
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive()


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.01)


def words(told: list[tuple[str, Mapping[str, object]]]) -> list[str]:
    return [what for what, _ in told]


def test_mail_comes_in_by_every_way(dovecot: Dovecot, maildir: Path, tmp_path: Path) -> None:
    box = ImapBox(
        host="localhost", port=dovecot.imap_port, tls="none", username="anna",
        password_env="BOX_PASSWORD",
    )  # fmt: skip
    socket = tmp_path / "l"
    inbox = Inbox(
        imap=(box,), maildir=(str(maildir),), mbox=(str(tmp_path / "mbox"),), lmtp=str(socket)
    )
    kept = Kept()
    with watching(inbox, kept) as told:
        (maildir / "new" / "1.host").write_bytes(b"by maildir")
        (tmp_path / "mbox").write_bytes(b"From x\nSubject: by mbox\n\n")
        until(lambda: len(kept.arrivals) == 2)
        dovecot.deliver("anna", b"Subject: by imap\r\n\r\n")
        until(socket.exists)
        with smtplib.LMTP(str(socket)) as wire:
            wire.sendmail("", ["bounces@news.example.org"], b"by lmtp\r\n")
        until(lambda: len(told) == 4)
    assert {one.source for one in kept.arrivals} == {"maildir", "mbox", "imap", "lmtp"}
    assert {fields["where"] for _, fields in told} == {
        str(maildir), str(tmp_path / "mbox"), box.label, str(socket)
    }  # fmt: skip
    assert words(told) == ["came in"] * 4


def test_while_the_store_is_down_it_is_said_once_and_nothing_is_lost(maildir: Path) -> None:
    kept = Kept(works=0)
    tries = []
    kept.before = lambda: tries.append(1)
    (maildir / "new" / "1.host").write_bytes(b"one")
    with watching(Inbox(maildir=(str(maildir),)), kept) as told:
        until(lambda: len(tries) > 3)
        assert words(told) == ["trouble"]
        kept.works = None
        until(lambda: len(told) == 3)
    assert words(told) == ["trouble", "came in", "well again"]


def test_a_server_that_goes_and_comes_back(dovecot: Dovecot) -> None:
    box = ImapBox(
        host="localhost", port=dovecot.imap_port, tls="none", username="anna",
        password_env="BOX_PASSWORD",
    )  # fmt: skip
    kept = Kept()
    with watching(Inbox(imap=(box,)), kept) as told:
        dovecot.deliver("anna", b"one\r\n")
        until(lambda: len(kept.arrivals) == 1)
        dovecot.stop()
        until(lambda: "trouble" in words(told))
        dovecot.run()
        dovecot.deliver("anna", b"two\r\n")
        until(lambda: len(kept.arrivals) == 2)
        until(lambda: "well again" in words(told))


def test_one_way_that_fails_does_not_keep_the_others(maildir: Path, tmp_path: Path) -> None:
    (maildir / "new" / "1.host").write_bytes(b"one")
    refused = ImapBox(
        host="localhost", port=1, tls="none", username="anna", password_env="BOX_PASSWORD"
    )
    inbox = Inbox(
        maildir=(str(tmp_path / "nowhere"), str(maildir)),
        lmtp=str(tmp_path / "no" / "folder"),
        imap=(refused,),
    )
    kept = Kept()
    with watching(inbox, kept) as told:
        until(lambda: len(told) == 4)
    assert sorted(words(told)) == ["came in", "trouble", "trouble", "trouble"]


def test_a_mistake_of_ours_is_told_without_its_words(maildir: Path) -> None:
    def fail() -> None:
        raise ZeroDivisionError("anna@example.org")

    (maildir / "new" / "1.host").write_bytes(b"one")
    with watching(Inbox(maildir=(str(maildir),)), Kept(before=fail)) as told:
        until(lambda: len(told) == 1)
    assert str(told[0][1]["why"]).startswith("ZeroDivisionError at ")
    assert "anna" not in str(told)


def test_each_failure_is_waited_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_WAITS", (5.0, 15.0, 60.0))
    waits = watch._Waits()
    seen = []
    for _ in range(4):
        waits.longer()
        seen.append(waits.left)
    assert seen == [5.0, 15.0, 60.0, 60.0]
    waits.longer(900.0)
    assert waits.left == 900.0
    assert not waits.is_over(899.0)
    assert waits.is_over(1.0)
    waits.reset()
    waits.longer()
    assert waits.left == 5.0


def test_with_nobody_to_tell_all_ways_stop(maildir: Path, tmp_path: Path) -> None:
    def tell(_what: str, _fields: Mapping[str, object]) -> None:
        raise BrokenPipeError

    (maildir / "new" / "1.host").write_bytes(b"one")
    inbox = Inbox(maildir=(str(maildir),), lmtp=str(tmp_path / "l"))
    with pytest.raises(BrokenPipeError):
        watch.watch(inbox, Kept(), tell, threading.Event())
    assert list((maildir / "cur").iterdir())  # what was kept is marked all the same
