"""Real servers, wired as an organiser's are: Postfix takes the mail, Dovecot has the boxes.

| mail to | goes to |
|---|---|
| `box.example.org` | Dovecot, by LMTP; who has no box there is unknown |
| `news.example.org` | Dovecot: `bounces+TOKEN` is in the box `bounces` |
| anywhere else | a next hop that answers as `office.elsewhere.rules` say |
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dovecot_server
from dovecot_server import PASSWORD, Dovecot, dovecot_installed
from mailout.smtp.catcher import Catcher
from postfix_server import Postfix, postfix_here, wait_until

__all__ = ["dovecot_installed", "postfix_here"]

BOX = "box.example.org"
NEWS = "news.example.org"
_ROOM = 200_000  # bytes in each box
_SETTINGS = f"""
mail_plugins = quota
plugin {{
  quota = maildir:User quota
  quota_rule = *:bytes={_ROOM}
  quota_grace = 0
}}
"""
_INBOX = """
[[inbound.imap]]
host = "127.0.0.1"
port = {port}
tls = "none"
username = "{user}"
password_file = "imap-password"
"""


@dataclass(frozen=True)
class PostOffice:
    """The running servers."""

    postfix: Postfix
    dovecot: Dovecot
    elsewhere: Catcher

    @property
    def relay(self) -> str:
        """What `MAILOUT_RELAY_URL` has to be for a site that sends through it."""
        return f"smtp+plain://127.0.0.1:{self.postfix.port}?connections=3"

    def read_by(self, root: Path, user: str = "bounces") -> None:
        """Nothing, once the site in that folder reads the user's box over IMAP."""
        config = root / "config.toml"
        text = config.read_text("utf-8") + _INBOX.format(port=self.dovecot.imap_port, user=user)
        config.write_text(text, "utf-8")
        secret = root / "imap-password"
        secret.write_text(PASSWORD)
        secret.chmod(0o600)

    def mails(self, user: str) -> list[bytes]:
        """What is in the user's box."""
        found = sorted(self.dovecot.maildir(user).glob("[nc]*/*"))
        return [path.read_bytes() for path in found]

    def fill(self, user: str) -> None:
        """Nothing, once there is no room left in the user's box."""
        self.dovecot.put(user, [b"Subject: photographs\n\n" + b"x" * 76 * (_ROOM // 76) + b"\n"])
        # The size as it is counted is kept in a file, which this mail was put past.
        (self.dovecot.maildir(user) / "maildirsize").unlink(missing_ok=True)

    def close(self, user: str) -> None:
        """Nothing, once the user has no box there any more."""
        users = self.dovecot.folder / "users"
        kept = [line for line in users.read_text().splitlines(True) if line.split(":")[0] != user]
        users.write_text("".join(kept))
        shutil.rmtree(self.dovecot.maildir(user), ignore_errors=True)
        self.dovecot.doveadm("auth", "cache", "flush")
        # Dovecot looks at that file once a second at most.
        wait_until(lambda: not self.dovecot.knows(user), f"{user} to be unknown")

    def has_worked_off(self) -> bool:
        """Whether nothing waits in Postfix's queue.

        One look is not enough: it goes from folder to folder, and what is moved back to one that
        was seen (late mail that is tried again, each second) is in none of them.
        """
        return not any(self.postfix.queue for _ in range(3))

    def work_off(self) -> None:
        """Nothing, once nothing waits there."""
        wait_until(self.has_worked_off, "an empty queue")


@contextmanager
def post_office(users: Sequence[str], lifetime: str = "4s") -> Iterator[PostOffice]:
    """The servers, while the block lasts; these users have boxes, and `bounces` and `contact`."""
    with (
        dovecot_server.start([*users, "bounces", "contact"], _SETTINGS) as dovecot,
        Catcher() as elsewhere,
    ):
        lines = dict.fromkeys((BOX, NEWS), f"lmtp:inet:127.0.0.1:{dovecot.lmtp_port}")
        with Postfix(elsewhere.port, lines, lifetime=lifetime) as postfix:
            yield PostOffice(postfix, dovecot, elsewhere)
