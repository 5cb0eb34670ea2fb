"""A real Dovecot on loopback, in a folder of its own: IMAP, IMAP over TLS, LMTP.

`dovecot` is one server for the session; `start(...)` makes another with settings of its own. It runs
without systemd. As root, mail belongs to the user `mail`, as Dovecot refuses to serve root.
"""

from __future__ import annotations

import base64
import grp
import hashlib
import hmac
import json
import os
import pwd
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme

NAME = "mail.box.example.org"
PASSWORD = "correct horse battery staple"
_KEY = b"a key of thirty-two bytes or more"
_PROGRAM = "/usr/sbin/dovecot"
_START_SECONDS = 20.0


@dataclass
class Dovecot:
    """A running server. Every user of `users` has the password `PASSWORD`; mail to `user+any@..`
    is theirs, too."""

    folder: Path
    imap_port: int
    imaps_port: int
    lmtp_port: int
    authority: trustme.CA
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def maildir(self, user: str) -> Path:
        """Where a user's mail is; the folder may not be there before the first one."""
        return self.folder / "mail" / user

    def deliver(self, user: str, *mails: bytes, sender: str = "", recipient: str = "") -> None:
        """Mails to a user, by LMTP; `recipient` is an address of theirs (`user+token@..`)."""
        with smtplib.LMTP("127.0.0.1", self.lmtp_port) as wire:
            for mail in mails:
                wire.sendmail(sender, [recipient or f"{user}@box.example.org"], mail)

    def put(self, user: str, mails: Sequence[bytes]) -> None:
        """Mails to a user, straight into the Maildir: for many, or for what LMTP would alter."""
        for part in ("new", "cur", "tmp"):
            (self.maildir(user) / part).mkdir(parents=True, exist_ok=True)
        for number, mail in enumerate(mails):
            name = f"{int(time.time())}.M{number:06}P{os.getpid()}.box.example.org"
            (self.maildir(user) / "new" / name).write_bytes(mail)
        self.give_away()

    def give_away(self) -> None:
        """Nothing, once all mail belongs to whom Dovecot serves."""
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", "mail:mail", str(self.folder / "mail")], check=True)

    def doveadm(self, *words: str) -> str:
        """What Dovecot's own tool says: `doveadm("search", "-u", "anna", "all")`."""
        command = ["doveadm", "-c", str(self.folder / "dovecot.conf"), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def knows(self, user: str) -> bool:
        """Whether the user has a box here, as the server itself sees it."""
        command = ["doveadm", "-c", str(self.folder / "dovecot.conf"), "user", user]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0

    def kick(self, user: str) -> None:
        """Nothing, once every connection of a user is cut (`*`: of all)."""
        there = self._processes()
        command = ["doveadm", "-c", str(self.folder / "dovecot.conf"), "kick", user]
        subprocess.run(command, check=False, capture_output=True)  # 68: there was none
        # It says so at once, and they go a little later.
        gives_up = time.monotonic() + 10
        while user != "*" and there & self._processes() and time.monotonic() < gives_up:
            time.sleep(0.02)

    def _processes(self) -> set[str]:
        """The processes of those who are logged in."""
        return set(re.findall(r"\d+", " ".join(re.findall(r"\(([\d ]+)\)", self.doveadm("who")))))

    def token(self, user: str, seconds: int = 600) -> str:
        """An access token (OAuth 2.0) that this server takes for a user."""
        head = {"alg": "HS256", "typ": "JWT"}
        now = int(time.time())
        claims = {"sub": user, "email": user, "iat": now - 10, "exp": now + seconds}
        signed = f"{_base64(head)}.{_base64(claims)}"
        mac = hmac.new(_KEY, signed.encode(), hashlib.sha256).digest()
        return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"

    def run(self) -> None:
        """Nothing, once it answers. Fails the test if it does not."""
        log = (self.folder / "output").open("ab")
        self.process = subprocess.Popen(
            [_PROGRAM, "-F", "-c", str(self.folder / "dovecot.conf")], stdout=log, stderr=log
        )
        log.close()
        until = time.monotonic() + _START_SECONDS
        while time.monotonic() < until and self.process.poll() is None:
            if _answers(self.imap_port) and _answers(self.lmtp_port):
                return
            time.sleep(0.02)
        said = (_text(self.folder / "output") + _text(self.folder / "log"))[-5000:]
        self.stop()
        pytest.fail(f"Dovecot does not start:\n{said}")

    def stop(self) -> None:
        """Nothing, once it and every connection to it has ended."""
        if self.process is not None:
            self.kick("*")  # a connection outlives the server by some seconds else
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None


@contextmanager
def start(users: Sequence[str], settings: str = "") -> Iterator[Dovecot]:
    """A Dovecot while the block lasts; `settings` are more lines of its configuration."""
    # Its sockets need short paths, and its user has to come in: not below pytest's folders.
    folder = Path(tempfile.mkdtemp(prefix="mailout-dovecot-"))
    folder.chmod(0o755)
    server = Dovecot(folder, *_free_ports(3), trustme.CA())
    try:
        _write(server, users, settings)
        server.run()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def dovecot_installed() -> None:
    """Skips where there is no Dovecot; a machine that runs the tests for us must have it."""
    if not Path(_PROGRAM).exists() or not Path("/usr/lib/dovecot/lmtp").exists():
        if os.environ.get("CI"):
            pytest.fail("Dovecot is not installed")
        pytest.skip("apt install dovecot-imapd dovecot-lmtpd")


@pytest.fixture(scope="session")
def session_dovecot(dovecot_installed: None) -> Iterator[Dovecot]:
    with start(["anna", "bela"]) as server:
        yield server


@pytest.fixture
def dovecot(session_dovecot: Dovecot) -> Iterator[Dovecot]:
    """A running server with the users `anna` and `bela`, whose boxes are empty."""
    yield session_dovecot
    for user in ("anna", "bela"):
        session_dovecot.kick(user)
        shutil.rmtree(session_dovecot.maildir(user), ignore_errors=True)


def _write(server: Dovecot, users: Sequence[str], settings: str) -> None:
    folder = server.folder
    for name in ("mail", "run", "keys/default/HS256"):
        (folder / name).mkdir(parents=True)
    (folder / "keys/default/HS256/default").write_bytes(base64.b64encode(_KEY))
    (folder / "oauth2").write_text(
        "introspection_mode = local\nusername_attribute = sub\n"
        f"local_validation_key_dict = fs:posix:prefix={folder}/keys/\n"
    )
    certificate = server.authority.issue_cert("localhost", NAME)
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    with (folder / "certificate.pem").open("wb") as file:
        for part in certificate.cert_chain_pems:
            file.write(part.bytes())
    (folder / "users").write_text("".join(f"{user}:{{PLAIN}}{PASSWORD}::::::\n" for user in users))
    (folder / "dovecot.conf").write_text(
        _CONFIGURATION.format(server=server, **_owners()) + settings
    )
    server.give_away()


def _owners() -> Mapping[str, str]:
    """Whom processes and mail belong to: of its own users if root, else to who runs the tests."""
    if os.geteuid() == 0:
        return {
            "inner": "dovecot",
            "login": "dovenull",
            "user": "mail",
            "group": "mail",
            "chroot": "login",
        }
    me, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
    return {"inner": me, "login": me, "user": me, "group": group, "chroot": ""}


_CONFIGURATION = """\
protocols = imap lmtp
base_dir = {server.folder}/run
state_dir = {server.folder}/run
log_path = {server.folder}/log
listen = 127.0.0.1
default_internal_user = {inner}
default_login_user = {login}
default_internal_group = {group}
first_valid_uid = 1
mail_uid = {user}
mail_gid = {group}
mail_location = maildir:{server.folder}/mail/%n
mail_fsync = never
recipient_delimiter = +
auth_username_format = %Ln
disable_plaintext_auth = no
auth_mechanisms = plain login xoauth2 oauthbearer
auth_failure_delay = 0 secs
mail_max_userip_connections = 100
ssl = yes
ssl_cert = <{server.folder}/certificate.pem
ssl_key = <{server.folder}/key.pem
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {server.folder}/oauth2
}}
passdb {{
  driver = passwd-file
  args = {server.folder}/users
}}
userdb {{
  driver = passwd-file
  args = {server.folder}/users
}}
namespace inbox {{
  inbox = yes
}}
service imap-login {{
  chroot = {chroot}
  inet_listener imap {{
    port = {server.imap_port}
  }}
  inet_listener imaps {{
    port = {server.imaps_port}
    ssl = yes
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    port = {server.lmtp_port}
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
"""


def _free_ports(number: int) -> list[int]:
    listening = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [one.getsockname()[1] for one in listening]
    for one in listening:
        one.close()
    return ports


def _answers(port: int) -> bool:
    with socket.socket() as plain:
        return plain.connect_ex(("127.0.0.1", port)) == 0


def _base64(value: Mapping[str, object]) -> str:
    raw = json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""
