"""The lines of docs/inbound.md for mail servers, given to real ones: each hands mail to the listener,
and the token is in the recipient."""

from __future__ import annotations

import re
import smtplib
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from exim_server import Exim, exim_here
from keeping import Kept
from mailout.inbox import lmtp
from opensmtpd_server import OpenSmtpd, opensmtpd_here
from places import REPOSITORY
from postfix_server import Postfix, free_port, postfix_here, wait_until

__all__ = ["exim_here", "opensmtpd_here", "postfix_here"]

PAGE = (REPOSITORY / "docs" / "inbound.md").read_text("utf-8")
TO = "bounces+0123456789abcdef0123456789abcdef@news.example.org"


def block(begin: str, holds: str) -> str:
    """The lines of the page that begin so, and hold that."""
    blocks = re.findall(r"(?ms)^```\w*\n(.*?)^```$", PAGE)
    [found] = [one for one in blocks if one.startswith(begin) and holds in one]
    return str(found)


@contextmanager
def listening(where: str) -> Iterator[Kept]:
    kept, stop = Kept(), threading.Event()
    trouble: list[str] = []
    arguments = (where, kept, 200_000, lambda _came: None, trouble.append, stop)
    thread = threading.Thread(target=lmtp.listen, args=arguments)
    thread.start()
    try:
        yield kept
    finally:
        stop.set()
        thread.join()
    assert trouble == []


def hand_over(port: int, kept: Kept) -> None:
    """Nothing, once a mail to a return path is here as it was given to the server at that port."""
    with smtplib.SMTP("127.0.0.1", port, "mx.example.net", timeout=20) as client:
        client.sendmail("mailer@example.net", [TO], "Subject: Returned mail\r\n\r\nSee below.\r\n")
    wait_until(lambda: kept.arrivals, "a mail by LMTP")
    [arrival] = kept.arrivals
    assert (arrival.recipient, arrival.sender) == (TO, "mailer@example.net")
    assert b"Subject: Returned mail" in arrival.raw


def test_postfix(postfix_here: None) -> None:
    port = free_port()
    settings = block("recipient_delimiter = +", "lmtp:inet").replace("8024", str(port))
    # Not below pytest's folders, which are root's alone.
    with tempfile.TemporaryDirectory() as folder, listening(f"127.0.0.1:{port}") as kept:
        Path(folder).chmod(0o755)
        boxes = Path(folder) / "mailout-boxes"
        boxes.write_text("bounces@news.example.org yes\n")
        settings = settings.replace("/etc/postfix/mailout-boxes", str(boxes))
        with Postfix(settings=settings) as postfix:
            hand_over(postfix.port, kept)


def test_exim(exim_here: None) -> None:
    routers, transports = block("mailout:", "mailout_lmtp").split("\n\n")
    with Exim(free_port(), routers=routers, transports=transports) as exim:
        socket = exim.folder / "run/mailout/lmtp.sock"
        socket.parent.mkdir()
        with listening(str(socket)) as kept:
            hand_over(exim.port, kept)


def test_opensmtpd(opensmtpd_here: None) -> None:
    port = free_port()
    settings = block("table bounces", "rcpt-to").replace("8024", str(port))
    with (
        listening(f"127.0.0.1:{port}") as kept,
        OpenSmtpd(free_port(), settings=settings) as opensmtpd,
    ):
        hand_over(opensmtpd.port, kept)
