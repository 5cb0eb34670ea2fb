"""A real Exim on loopback, in a room of its own: how it answers and bounces is no guess.

    with Exim(next_hop, told={"kira@blocked.example.net": ":fail: 550 5.7.1 No."}) as exim:
        exim.port

Mail waits for seconds where a real one waits for days.

Standards: RFC 3461 (DSN), RFC 2033 (LMTP).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from closed_room import Room, require
from postfix_server import answers, free_port, wait_until

PROGRAM = "/usr/sbin/exim4"
NAME = "mx.example.org"
PEOPLE = "people.example.org"
"""The domain of Exim's own users: `full` has a box without room, of others it knows nothing."""
BOXES = "box.example.org"
"""Goes to the LMTP server."""
DOWN = "down.example.net"
"""Goes to where nobody listens."""

_USER = "Debian-exim"
_SETTINGS = f"""\
exim_path = {PROGRAM}
spool_directory = /var/spool/exim4
log_file_path = /var/log/exim4/%slog
primary_hostname = {NAME}
local_interfaces = 127.0.0.1
daemon_smtp_ports = {{port}}
disable_ipv6
tls_advertise_hosts =
host_lookup =
rfc1413_hosts =
keep_environment =
dsn_advertise_hosts = *
message_size_limit = 100K
deliver_drop_privilege
acl_smtp_rcpt = accept
acl_smtp_data = accept
delay_warning = 1s:99d
delay_warning_condition = yes
begin routers
{{routers}}
told:
  driver = redirect
  data = ${{{{lookup{{{{$local_part@$domain}}}}lsearch{{{{/etc/told}}}}}}}}
  allow_fail
  allow_defer
users:
  driver = accept
  domains = {PEOPLE}
  local_parts = full
  transport = box
boxes:
  driver = manualroute
  domains = {BOXES}
  route_list = * 127.0.0.1
  self = send
  transport = lmtp
down:
  driver = manualroute
  domains = {DOWN}
  route_list = * 127.0.0.1
  self = send
  transport = nowhere
elsewhere:
  driver = manualroute
  domains = ! {PEOPLE}
  route_list = * 127.0.0.1
  self = send
  transport = smtp
begin transports
{{transports}}
box:
  driver = appendfile
  file = /var/mail/$local_part_data
  user = {_USER}
  quota = 1
lmtp:
  driver = smtp
  protocol = lmtp
  port = {{lmtp}}
  allow_localhost
nowhere:
  driver = smtp
  port = {{nowhere}}
  allow_localhost
smtp:
  driver = smtp
  port = {{next_hop}}
  allow_localhost
begin retry
* quota
* * F,{{lifetime}},1s
"""


class Exim:
    """A running Exim as a context manager.

    `next_hop` is the port of the server that gets all mail of which nothing else is said, `lmtp`
    that of the one with the boxes. `told` maps an address to what Exim makes of it (a line of its
    redirect router): `:fail: 550 5.7.1 No.`, `:defer: 451 4.7.1 Later.` `routers` and `transports` are
    settings of one's own, before all others.
    """

    def __init__(
        self,
        next_hop: int,
        *,
        lmtp: int = 0,
        told: Mapping[str, str] | None = None,
        routers: str = "",
        transports: str = "",
        lifetime: str = "6s",
    ) -> None:
        self.next_hop = next_hop
        self.lmtp = lmtp
        self.told = dict(told or {})
        self.routers = routers
        self.transports = transports
        self.lifetime = lifetime
        self.port = 0

    def __enter__(self) -> Exim:
        self._room = Room({_USER: 64801}, PROGRAM)
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._room.close()

    @property
    def folder(self) -> Path:
        """What is the whole disk to it."""
        return self._room.folder

    @property
    def log(self) -> str:
        told = [self._room.log]
        for file in (self._room.folder / "var/log/exim4").glob("*log"):
            told.append(file.read_text("utf-8", "replace"))
        return "\n".join(told)

    def _start(self) -> None:
        self.port = free_port()
        for path in ("var/spool/exim4", "var/log/exim4", "var/mail", "run/exim4"):
            self._room.make_folder(path, _USER)
        self._room.write(
            "etc/exim4/exim4.conf",
            _SETTINGS.format(
                port=self.port,
                next_hop=self.next_hop,
                lmtp=self.lmtp or free_port(),
                nowhere=free_port(),
                lifetime=self.lifetime,
                routers=self.routers,
                transports=self.transports,
            ),
        )
        self._room.write("etc/told", "".join(f"{who}: {what}\n" for who, what in self.told.items()))
        process = self._room.run(PROGRAM, "-bdf", "-q1s")
        wait_until(lambda: answers(self.port) or process.poll() is not None, "Exim")
        assert process.poll() is None, self.log


@pytest.fixture(scope="session")
def exim_here() -> Iterator[None]:
    """Asked for by whoever starts an Exim: skips without one."""
    require("exim4-daemon-light", PROGRAM)
    yield
