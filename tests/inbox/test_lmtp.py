"""The listener for the mail server of this machine: a reply for each recipient, and none too soon."""

from __future__ import annotations

import os
import smtplib
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from keeping import Kept
from mailout.core.arrival import Arrival
from mailout.core.errors import MailoutError
from mailout.inbox import lmtp
from mailout.inbox.batch import Came

MOST = 200_000
ANNA, BELA = "bounces+anna@news.example.org", "bounces+bela@news.example.org"


class Listener:
    """A listener in a thread: what came, and what went wrong."""

    def __init__(self, where: str, kept: Kept) -> None:
        self.where = where
        self.came: list[Came] = []
        self.trouble: list[str] = []
        self.stop = threading.Event()
        self.thread = threading.Thread(
            target=lmtp.listen,
            args=(where, kept, MOST, self.came.append, self.trouble.append, self.stop),
        )


@contextmanager
def listening(where: str, kept: Kept) -> Iterator[Listener]:
    listener = Listener(where, kept)
    listener.thread.start()
    try:
        while not _answers(where):
            assert listener.thread.is_alive()
        yield listener
    finally:
        listener.stop.set()
        listener.thread.join()


def _answers(where: str) -> bool:
    if where.startswith("/"):
        with socket.socket(socket.AF_UNIX) as plain:
            return plain.connect_ex(where) == 0
    with socket.socket() as plain:
        return plain.connect_ex(("127.0.0.1", int(where.rpartition(":")[2]))) == 0


def client(where: str) -> smtplib.LMTP:
    if where.startswith("/"):
        return smtplib.LMTP(where)
    return smtplib.LMTP("127.0.0.1", int(where.rpartition(":")[2]))


@pytest.fixture(params=["tcp", "socket"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "socket":
        return str(tmp_path / "lmtp.sock")
    with socket.create_server(("127.0.0.1", 0)) as plain:
        return f"127.0.0.1:{plain.getsockname()[1]}"


def test_each_recipient_is_an_arrival_and_has_a_reply(where: str) -> None:
    kept = Kept()
    with listening(where, kept) as listener, client(where) as wire:
        # The standard library's client reads one reply, whatever it asked.
        assert _raw(where, b"Subject: x\r\n\r\n..dot")[:2] == [b"250 2.0.0 kept"] * 2
        wire.sendmail("mailer@example.org", [ANNA], b"second\0\xff\r\n")
    assert [replace(one, identity="") for one in kept.arrivals] == [
        Arrival(b"Subject: x\r\n\r\n.dot\r\n", "lmtp", ANNA, ""),
        Arrival(b"Subject: x\r\n\r\n.dot\r\n", "lmtp", BELA, ""),
        Arrival(b"second\0\xff\r\n", "lmtp", ANNA, "mailer@example.org"),
    ]
    assert listener.came == [Came(where, 2, 2), Came(where, 1, 1)]
    # Each is known again by its recipient, and one alone by its bytes, as by every other way.
    assert [bool(one.identity) for one in kept.arrivals] == [True, True, False]
    assert len({one.digest for one in kept.arrivals}) == 3


def _raw(where: str, data: bytes) -> list[bytes]:
    """The replies after the data, for two recipients."""
    wire = client(where)
    wire.ehlo("there")
    wire.mail("")
    for recipient in (ANNA, BELA):
        wire.rcpt(recipient)
    wire.docmd("DATA")
    wire.send(data + b"\r\n.\r\nNOOP\r\n")
    file = wire.file or wire.sock.makefile("rb")  # type: ignore[union-attr]
    replies = [file.readline().strip() for _ in range(3)]
    wire.close()
    return replies


def test_while_the_store_is_down_each_is_told_to_try_again(where: str) -> None:
    kept = Kept(works=0)
    with listening(where, kept) as listener:
        assert _raw(where, b"x") == [b"451 4.3.0 cannot be kept now, try again later"] * 2 + [
            b"250 OK"
        ]
        kept.works = None
        assert _raw(where, b"x")[:2] == [b"250 2.0.0 kept"] * 2
    assert listener.trouble == ["the store is down"]


def test_a_mistake_of_ours_loses_no_mail(where: str) -> None:
    def fail() -> None:
        raise ZeroDivisionError("anna@example.org")

    with listening(where, Kept(before=fail)) as listener:
        assert _raw(where, b"x")[0].startswith(b"451 ")
    assert listener.trouble[0].startswith("ZeroDivisionError at ")
    assert "anna" not in listener.trouble[0]


def test_what_is_too_big_is_refused_before_or_after_it_comes(where: str) -> None:
    kept = Kept()
    with listening(where, kept), client(where) as wire:
        wire.ehlo("there")
        assert wire.esmtp_features["size"] == str(MOST)
        assert wire.mail("", [f"SIZE={MOST + 1}"])[0] == 552
        assert _raw(where, b"y" * 70 * 5000) == [b"552 5.3.4 the mail is too big"] * 2 + [b"250 OK"]
    assert kept.arrivals == []


def test_a_line_may_be_long(where: str) -> None:
    kept = Kept()
    with listening(where, kept):
        assert _raw(where, b"y" * 150_000)[:2] == [b"250 2.0.0 kept"] * 2


def test_a_client_that_goes_away_in_the_middle_leaves_nothing(where: str) -> None:
    kept = Kept()
    with listening(where, kept):
        wire = client(where)
        wire.ehlo("there")
        wire.mail("")
        wire.rcpt(ANNA)
        wire.docmd("DATA")
        wire.send(b"half a ma")
        wire.close()
        assert _raw(where, b"whole")[0] == b"250 2.0.0 kept"
    assert kept.raw == {b"whole\r\n"}


def test_it_stops_although_somebody_stays(where: str) -> None:
    with listening(where, Kept()) as listener, client(where):
        listener.stop.set()
        listener.thread.join(20)
        assert not listener.thread.is_alive()


def test_smtp_is_not_spoken_here(where: str) -> None:
    with listening(where, Kept()), client(where) as wire:
        assert wire.docmd("EHLO there")[0] == 500
        assert wire.docmd("HELO there")[0] == 500


def test_the_socket_can_be_used_by_the_mail_server_and_goes_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "lmtp.sock"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()  # what a process that was killed leaves
    with listening(str(path), Kept()):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o666
        with pytest.raises(MailoutError, match="cannot listen there: Address already in use"):
            lmtp.listen(str(path), Kept(), MOST, print, print, threading.Event())
    assert not path.exists()


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "lmtp.sock").write_text("mine")
    with pytest.raises(MailoutError, match="cannot listen there"):
        lmtp.listen(str(tmp_path / "lmtp.sock"), Kept(), MOST, print, print, threading.Event())
    assert (tmp_path / "lmtp.sock").read_text() == "mine"
