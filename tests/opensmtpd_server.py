"""A real OpenSMTPD on loopback, in a room of its own: how it answers and bounces is no guess.

    with OpenSmtpd(next_hop) as opensmtpd:
        opensmtpd.port

Mail waits for seconds where a real one waits for days.

Standards: RFC 3464 (DSN), RFC 2033 (LMTP).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from closed_room import Room, require, where
from postfix_server import answers, free_port, wait_until

PROGRAM = "/usr/sbin/smtpd"
NAME = "mx.example.org"
PEOPLE = "people.example.org"
"""The domain of its own users: it has none, and says so while the sender is there."""
BOXES = "box.example.org"
"""Goes to the LMTP server."""

_LMTP = "/usr/libexec/opensmtpd/mail.lmtp"  # no other server has this one
_SHELL = "/bin/sh"  # starts it
_USERS = {"opensmtpd": 64801, "opensmtpq": 64802, "mailout": 64803}
_SETTINGS = f"""\
queue ttl {{lifetime}}
bounce warn-interval 1s
smtp max-message-size 100K
table boxes {{{{ "@" = "mailout" }}}}
listen on 127.0.0.1 port {{port}} hostname {NAME}
{{settings}}
action users mbox
action boxes lmtp "127.0.0.1:{{lmtp}}" rcpt-to virtual <boxes>
action elsewhere relay host "smtp://127.0.0.1:{{next_hop}}"
match from any for domain "{PEOPLE}" action users
match from any for domain "{BOXES}" action boxes
match from any for any action elsewhere
"""


class OpenSmtpd:
    """A running OpenSMTPD as a context manager.

    `next_hop` is the port of the server that gets all mail of which nothing else is said, `lmtp`
    that of the one with the boxes. `settings` are one's own, before all others.
    """

    def __init__(
        self, next_hop: int, *, lmtp: int = 0, settings: str = "", lifetime: str = "6s"
    ) -> None:
        self.next_hop = next_hop
        self.lmtp = lmtp
        self.settings = settings
        self.lifetime = lifetime
        self.port = 0

    def __enter__(self) -> OpenSmtpd:
        self._room = Room(_USERS, PROGRAM, _LMTP, _SHELL)
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._room.close()

    @property
    def log(self) -> str:
        return self._room.log

    def _start(self) -> None:
        self.port = free_port()
        self._room.make_folder("var/lib/opensmtpd/empty")
        self._room.make_folder("var/spool/smtpd", rights=0o711)
        self._room.write("etc/mailname", NAME + "\n")
        self._room.write(
            "etc/smtpd.conf",
            _SETTINGS.format(
                port=self.port,
                next_hop=self.next_hop,
                lmtp=self.lmtp or free_port(),
                settings=self.settings,
                lifetime=self.lifetime,
            ),
        )
        process = self._room.run(PROGRAM, "-d")
        wait_until(lambda: answers(self.port) or process.poll() is not None, "OpenSMTPD")
        assert process.poll() is None, self.log


@pytest.fixture(scope="session")
def opensmtpd_here() -> Iterator[None]:
    """Asked for by whoever starts an OpenSMTPD: skips without one."""
    # Postfix has a program of that name as well, elsewhere.
    require("opensmtpd", PROGRAM, _LMTP)
    assert where(_SHELL)
    yield
