"""`mailout backup` and `mailout verify`: the whole site in one file; is all of it there?"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from mailout import __version__
from mailout.cli.console import (
    JSON,
    as_json,
    counted,
    note,
    opened,
    read_site,
    say,
)
from mailout.cli.passphrase import PASSPHRASE_FILE, asked
from mailout.core.errors import MailoutError, UsageError

FILE = click.argument("file", type=click.Path(path_type=Path))


@click.command(name="backup")
@FILE
@PASSPHRASE_FILE
@click.option("--unencrypted", is_flag=True, help="Anybody can read it; without the keys.")
@click.option(
    "--keep-days", type=click.IntRange(1, 3650), default=30, show_default=True,
    help="After how many days it is to be deleted.",
)  # fmt: skip
@JSON
@click.pass_context
def backup_command(
    context: click.Context,
    file: Path,
    passphrase_file: Path | None,
    unencrypted: bool,
    keep_days: int,
    as_json_: bool,
) -> None:
    """Write the whole site, store and keys, to FILE, encrypted under a passphrase.

    It may be made at any time, while a send goes on, too. FILE must not be there yet, and can be
    read by you alone. Without the passphrase nobody can open it, nor can you.

    \b
    Example:
      mailout backup /media/stick/bulletin-2026-11-26.backup
    """
    from mailout.config import keys
    from mailout.keeping import backup, folder

    site = read_site(context)
    if unencrypted and passphrase_file:
        raise UsageError("--unencrypted and --passphrase-file do not go together")
    now = datetime.now(UTC)
    with opened(site, any_version=True) as store:
        made = backup.make(
            site,
            store,
            file,
            keys.path_of(site.root),
            seal=None if unencrypted else _new_seal(passphrase_file),
            program=__version__,
            now=now,
            keep_until=(now + timedelta(days=keep_days)).date(),
        )
    if unencrypted:
        note("Anybody who has the file can read who is on the lists. The keys are not in it.")
        if "@" in site.store.url and ":" in site.store.url.partition("://")[2].partition("@")[0]:
            note("config.toml is in it, and says the password of the database.")
    for path in made.links:
        note(f"Not in it, since it is a link: {path}")
    for path in folder.keys_outside(site):
        note(f"Not in it, since it is outside of the site: {path}")
    if as_json_:
        as_json(
            {
                "file": str(file), "size": made.size, "encrypted": not unencrypted,
                "files": made.files, "rows": dict(made.manifest.rows),
                "left_out": dict(made.left_out), "keep_until": f"{made.about.keep_until}",
            }
        )  # fmt: skip
        return
    say(
        f"{file}: {made.size:,} bytes, {people(made.manifest.rows)},"
        f" {counted(made.files, 'file')} of the site."
    )
    if made.left_out:
        told = ", ".join(f"{why} ({number})" for why, number in sorted(made.left_out.items()))
        say(f"Left out: {told}.")
    say(f"Delete it after {made.about.keep_until}: who is erased until then is still in it.")


def _new_seal(passphrase_file: Path | None) -> Any:
    from mailout.core import sealing

    passphrase = asked(passphrase_file, twice=True)
    sealing.refuse_weak(passphrase)
    return sealing.new_seal(passphrase, os.urandom(sealing.SALT))


@click.command(name="verify")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@PASSPHRASE_FILE
@JSON
@click.pass_context
def verify_command(
    context: click.Context, file: Path | None, passphrase_file: Path | None, as_json_: bool
) -> None:
    """Read a backup to its end and check all of it; without FILE, check the store of the site.

    Exit code 1 if anything is missing or not as it was written, or a chain of evidence does not
    hold.

    \b
    Example:
      mailout verify /media/stick/bulletin-2026-11-26.backup
    """
    from mailout.keeping import examining

    if file is None:
        site = read_site(context)
        with opened(site) as store:
            rows, links, broken = examining.examine_store(store)
        report: dict[str, Any] = {"database": "sqlite" if store.is_sqlite else "postgresql"}
    else:
        found = examining.examine(file, passphrase_for(file, passphrase_file))
        rows, links, broken = dict(found.manifest.rows), dict(found.links), dict(found.broken)
        about = found.about
        report = {
            "file": str(file), "made_at": about.made_at, "keep_until": f"{about.keep_until}",
            "program": about.program, "store_version": about.store_version,
            "database": about.database, "holds_keys": about.holds_keys, "files": found.files,
        }  # fmt: skip
    if as_json_:
        as_json({**report, "rows": dict(rows), "links": dict(links), "broken_at": dict(broken)})
    else:
        _say_verified(report, rows, links)
    for name, number in broken.items():
        raise MailoutError(
            f"the chain of evidence of `{name}` does not hold from number {number} on",
            fix="Compare it with an older backup.",
        )


def _say_verified(
    report: Mapping[str, Any], rows: Mapping[str, int], links: Mapping[str, int]
) -> None:
    if "file" in report:
        say(
            f"{report['file']}: made {report['made_at']:%Y-%m-%d %H:%M} UTC by mailout"
            f" {report['program']} from {report['database']}, store version"
            f" {report['store_version']}."
        )
        keys = "with the keys" if report["holds_keys"] else "without the keys"
        say(f"{counted(report['files'], 'file')} of the site, {keys}; all as they were written.")
        if datetime.now(UTC).date().isoformat() > report["keep_until"]:
            note(f"It was to be deleted after {report['keep_until']}.")
    for name, number in sorted(rows.items()):
        if number:
            say(f"  {name:<16} {number:>12,}")
    for name, number in sorted(links.items()):
        say(f"Evidence of {name}: {counted(number, 'link')}.")


def passphrase_for(file: Path, passphrase_file: Path | None) -> str:
    """The passphrase of a backup; empty if it needs none. Raises: BadFile if it is no backup."""
    from mailout.keeping import container

    return asked(passphrase_file) if container.is_sealed(file) else ""


def people(rows: Mapping[str, int]) -> str:
    """How many people the rows are about."""
    number = rows.get("subscriber", 0)
    return f"{number:,} {'person' if number == 1 else 'people'}"
