"""A real Postfix on loopback, in a folder of its own: what it answers and bounces is no guess.

    with Postfix(mail=..., transports={"blocked.example.net": "error:5.7.1 No."}) as postfix:
        postfix.port

It needs root (Postfix starts in no other way), and nothing of the machine's own Postfix: its
settings, queue and locks are below one folder in the temporary one, and are gone afterwards.
Mail waits for seconds where a real one waits for days.

Standards: RFC 3461 (DSN), RFC 6531 (SMTPUTF8), RFC 2033 (LMTP).
"""

from __future__ import annotations

import os
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

PROGRAM = "postfix"
NAME = "mx.example.org"
LOCAL_DOMAIN = "people.example.org"
"""Of users of this machine. It has none of the names that tests write to."""

MOVED = {f"olga@{LOCAL_DOMAIN}": "olga@new.example.net"}
"""Addresses of whose owners Postfix knows a new one (`relocated_maps`)."""

_PATIENCE = 40.0  # seconds for what takes one or two
_MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = /dev/stdout
myhostname = {name}
mydomain = example.org
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_reject_unlisted_recipient = no
smtpd_peername_lookup = no
mydestination = {local}
local_recipient_maps =
alias_maps =
alias_database =
mail_spool_directory = {folder}/mail
relocated_maps = texthash:{folder}/etc/relocated
recipient_delimiter = +
transport_maps = texthash:{folder}/etc/transport
default_transport = {next_hop}
message_size_limit = 100000
smtp_dns_support_level = disabled
smtp_connect_timeout = 2s
smtputf8_enable = yes
smtputf8_autodetect_classes = all
delay_warning_time = {warning}
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 1s
maximal_queue_lifetime = {lifetime}
bounce_queue_lifetime = {lifetime}
smtp_destination_concurrency_failed_cohort_limit = 0
lmtp_destination_concurrency_failed_cohort_limit = 0
"""
_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


def require(program: str, package: str, root: bool = True) -> None:
    """Nothing if the program can be run here; else the test is skipped, or fails in CI."""
    lacking = ""
    if find(program) is None:
        lacking = f"apt install {package}"
    elif root and os.geteuid() != 0:
        lacking = f"{package} starts for root only"
    if not lacking:
        return
    if os.environ.get("CI"):
        pytest.fail(f"{package} cannot be run: {lacking}")
    pytest.skip(lacking)


def find(program: str) -> str | None:
    """The path of a server's program, which a person's own PATH may not lead to."""
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def wait_until(seen: Callable[[], object], what: str, patience: float = _PATIENCE) -> None:
    """Nothing, once `seen` gives something true. It fails the test when that takes too long."""
    end = time.monotonic() + patience
    while not seen():
        if time.monotonic() > end:
            pytest.fail(f"waited {patience:.0f} s in vain: {what}")
        time.sleep(0.05)


def answers(port: int) -> bool:
    """Whether a mail server greets at that port."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as peer:
        return peer.recv(3) == b"220"
    return False


class Postfix:
    """A running Postfix as a context manager.

    `next_hop` is the port of the server that gets all mail of which nothing else is said.
    `transports` maps a domain or an address to a line of transport(5), such as
    `error:5.7.1 We take no bulletins`, `retry:4.7.1 Later`, `lmtp:inet:127.0.0.1:2424` or
    `smtp:[127.0.0.1]:2526`. Mail that cannot be delivered is tried for `lifetime`; its sender
    hears of that after `warning`. `settings` are one's own, and go before all others.
    """

    def __init__(
        self,
        next_hop: int | None = None,
        transports: Mapping[str, str] | None = None,
        *,
        warning: str = "1s",
        lifetime: str = "4s",
        settings: str = "",
    ) -> None:
        self.next_hop = f"smtp:[127.0.0.1]:{next_hop}" if next_hop else "error:5.1.2 No such host"
        self.transports = dict(transports or {})
        self.warning = warning
        self.lifetime = lifetime
        self.settings = settings
        self.port = 0

    def __enter__(self) -> Postfix:
        # Not below pytest's folders: these are root's alone, and most of Postfix is not root.
        self.folder = Path(tempfile.mkdtemp(prefix="mailout-postfix-"))
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if hasattr(self, "process"):
            self._command("stop", check=False)  # it waits for what is under way, 5 s at most
            end_process(self.process)
            self._log.close()
        shutil.rmtree(self.folder)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8", "replace")

    def flush(self) -> None:
        """Nothing; what waits in the queue is tried now."""
        self._command("flush")

    @property
    def queue(self) -> str:
        """What waits in the queue, as JSON lines; empty if nothing does."""
        return self._run("postqueue", "-c", str(self._etc), "-j")

    def client(self) -> smtplib.SMTP:
        return smtplib.SMTP("127.0.0.1", self.port, "sender.example.org", timeout=20)

    @property
    def _etc(self) -> Path:
        return self.folder / "etc"

    def _start(self) -> None:
        self.folder.chmod(0o755)
        for name in ("etc", "queue", "data"):
            (self.folder / name).mkdir()
        shutil.chown(self.folder / "data", "postfix")
        self.port = free_port()
        filled = _MAIN.format(
            folder=self.folder,
            name=NAME,
            local=LOCAL_DOMAIN,
            next_hop=self.next_hop,
            warning=self.warning,
            lifetime=self.lifetime,
        )
        own = {line.partition("=")[0].strip() for line in self.settings.splitlines()}
        rest = [line for line in filled.splitlines() if line.partition("=")[0].strip() not in own]
        (self._etc / "main.cf").write_text("\n".join([*rest, self.settings, ""]))
        (self._etc / "master.cf").write_text(_MASTER.format(port=self.port))
        for name, table in (("transport", self.transports), ("relocated", MOVED)):
            lines = (f"{key}\t{value}\n" for key, value in table.items())
            (self._etc / name).write_text("".join(lines), "utf-8")
        self._log = (self.folder / "log").open("wb")
        self.process = subprocess.Popen(
            [find(PROGRAM) or PROGRAM, "-c", str(self._etc), "start-fg"],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        wait_until(lambda: answers(self.port) or self.process.poll() is not None, "Postfix")
        assert self.process.poll() is None, self.log

    def _command(self, word: str, check: bool = True) -> str:
        return self._run(PROGRAM, "-c", str(self._etc), word, check=check)

    def _run(self, program: str, *words: str, check: bool = True) -> str:
        done = subprocess.run(
            [find(program) or program, *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0 or not check, done.stdout + done.stderr + self.log
        return done.stdout


def end_process(process: subprocess.Popen[bytes]) -> None:
    """Nothing, once the process and all that it started (its session is its own) are gone."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
            break
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture(scope="session")
def postfix_here() -> Iterator[None]:
    """Asked for by whoever starts a Postfix: skips without one, and fails in CI."""
    require(PROGRAM, "postfix")
    yield
