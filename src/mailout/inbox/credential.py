"""What opens a mailbox: a password or a bearer token, read anew for each login.

A token's command is run without a shell, and its first line is the token; so whatever keeps tokens
fresh at a provider can be used.
"""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

from mailout.core.errors import MailoutError
from mailout.core.inbox import ImapBox

_MOST_BYTES = 64 * 1024  # tokens have some thousand
_PATIENCE = 30.0  # seconds for a command


def secret_of(box: ImapBox) -> str:
    """The password or token of a mailbox. Raises: MailoutError naming where it should be."""
    if box.password_env:
        found = os.environ.get(box.password_env, "")
        where = f"the variable {box.password_env}"
    elif box.token_command:
        found, where = _said_by(box.token_command), box.token_command[0]
    else:
        where = box.password_file or box.token_file
        found = _in_file(where)
    lines = found.splitlines()
    if not lines or not lines[0].strip():
        what = "password" if box.password_env or box.password_file else "token"
        raise MailoutError(
            f"there is nothing to log in with to {box.label}",
            where=where,
            fix=f"It has to hold the {what}.",
        )
    return lines[0].strip() if box.token_file or box.token_command else lines[0]


def is_token(box: ImapBox) -> bool:
    """Whether the secret is a bearer token."""
    return bool(box.token_file or box.token_command)


def _in_file(name: str) -> str:
    try:
        with Path(name).open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            raw = file.read(_MOST_BYTES)
    except OSError as error:
        raise MailoutError(f"cannot be read: {error.strerror}", where=name) from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise MailoutError(
            "other people on this machine can read it", where=name, fix=f"Run `chmod 600 {name}`."
        )
    return raw.decode("utf-8", "replace")


def _said_by(command: tuple[str, ...]) -> str:
    try:
        ran = subprocess.run(  # noqa: S603 - the organiser's own command, no shell
            command, capture_output=True, timeout=_PATIENCE, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise MailoutError(
            f"it gives no token within {_PATIENCE:.0f} seconds", where=command[0]
        ) from None
    except OSError as error:
        raise MailoutError(f"cannot be run: {error.strerror}", where=command[0]) from None
    if ran.returncode != 0:
        said = ran.stderr.decode("utf-8", "replace").strip().splitlines()
        why = f": {said[-1][:200]}" if said else ""
        raise MailoutError(f"ended with {ran.returncode}{why}", where=command[0])
    return ran.stdout[:_MOST_BYTES].decode("utf-8", "replace")
