"""`[inbound]` of `config.toml`: the ways in, and how much of a mail is kept for how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

_STRICT: dict[str, object] = {"extra": "forbid"}
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_PORTS = {"tls": 993, "starttls": 143, "none": 143}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImapBox:
    """`[[inbound.imap]]`: a folder of a mailbox elsewhere.

    Exactly one of `password_env`, `password_file`, `token_file` and `token_command` is set; the
    last two give an OAuth 2.0 bearer token, asked for at each login. A `port` of 0 is the usual
    one. What was kept is marked as seen, and moved to `move_to` if that is set. A server that
    cannot tell of new mail (IDLE), or is not to be asked to, is looked at every `poll_seconds`.
    """

    __pydantic_config__: ClassVar = _STRICT
    host: str
    username: str
    port: int = 0
    tls: Literal["tls", "starttls", "none"] = "tls"
    password_env: str = ""
    password_file: str = ""
    token_file: str = ""
    token_command: tuple[str, ...] = ()
    folder: str = "INBOX"
    move_to: str = ""
    idle: bool = True
    poll_seconds: int = 60

    @property
    def real_port(self) -> int:
        return self.port or _PORTS[self.tls]

    @property
    def label(self) -> str:
        return f"{self.host}:{self.real_port}/{self.folder}"

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.host)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """`[inbound]`: the ways in. Paths are absolute once the file is read.

    Of a mail its first `max_bytes` are kept, for `keep_days`. `lmtp` is `127.0.0.1:PORT` or the
    path of a socket; empty for no listener. With `empty_mbox` an mbox file is emptied once all of
    it is kept. With `leave_by_mail` each mail offers to leave by a mail to its return path, too.
    """

    __pydantic_config__: ClassVar = _STRICT
    max_bytes: int = 25_000_000
    keep_days: int = 30
    imap: tuple[ImapBox, ...] = ()
    maildir: tuple[str, ...] = ()
    mbox: tuple[str, ...] = ()
    empty_mbox: bool = False
    lmtp: str = ""
    leave_by_mail: bool = False

    @property
    def is_read(self) -> bool:
        """Whether there is a way in that has to be looked at."""
        return bool(self.imap or self.maildir or self.mbox)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    return host in _LOOPBACK or host.startswith("127.")
