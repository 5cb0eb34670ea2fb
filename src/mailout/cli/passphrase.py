"""Where a backup's passphrase comes from: a file, or a person who is asked for it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import click

from mailout.cli import console
from mailout.core.errors import MailoutError, UsageError

VARIABLE = "MAILOUT_PASSPHRASE_FILE"
_LONGEST = 4096

PASSPHRASE_FILE = click.option(
    "--passphrase-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"Whose first line is the passphrase; else {VARIABLE}, else it is asked for.",
)
"""The option of every command that reads or writes a backup."""


def asked(file: Path | None, *, twice: bool = False) -> str:
    """The passphrase: of the file, or typed by a person (`twice`, for a new one).

    Raises: UsageError if nobody can be asked, MailoutError for a file that others can read.
    """
    named = str(file) if file else os.environ.get(VARIABLE, "")
    if named:
        return _read(Path(named))
    if not console.at_terminal():
        raise UsageError(
            "the backup needs a passphrase, and nobody is there to type it",
            fix=f"Name a file that holds it: --passphrase-file, or {VARIABLE}.",
        )
    return str(click.prompt("Passphrase", hide_input=True, confirmation_prompt=twice, err=True))


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            raw = file.read(_LONGEST)
    except OSError as error:
        raise MailoutError(f"cannot be read: {error.strerror}", where=str(path)) from None
    # A pipe, such as a password manager's, has no mode that says anything.
    if stat.S_ISREG(mode) and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise MailoutError(
            "other people on this machine can read the passphrase",
            where=str(path),
            fix=f"Run `chmod 600 {path}`.",
        )
    try:
        found = raw.decode("utf-8-sig").split("\n", 1)[0].rstrip("\r")
    except UnicodeDecodeError:
        raise MailoutError("the passphrase is not UTF-8", where=str(path)) from None
    if not found:
        raise MailoutError("there is no passphrase in it", where=str(path))
    return found
