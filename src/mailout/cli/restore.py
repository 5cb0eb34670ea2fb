"""`mailout restore` and `mailout settle`: a site out of a backup, and what to look at then."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailout.cli.backup import FILE, passphrase_for, people
from mailout.cli.console import Options, at_terminal, counted, opened, read_site, say
from mailout.cli.passphrase import PASSPHRASE_FILE
from mailout.core.errors import UsageError
from mailout.store import restored
from mailout.store.restored import Open

if TYPE_CHECKING:
    from mailout.keeping.restoring import Restored


@click.command(name="restore")
@FILE
@click.option(
    "--into", type=click.Path(path_type=Path), help="A new or empty folder; else the current one."
)
@PASSPHRASE_FILE
@click.option("--store", "store_url", default="", help="Where the store is to be; an empty one.")
@click.option("--leaves-from", metavar="URL", help="The old store, if it can still be read.")
@click.pass_context
def restore_command(
    context: click.Context,
    file: Path,
    into: Path | None,
    passphrase_file: Path | None,
    store_url: str,
    leaves_from: str | None,
) -> None:
    """Make a site out of a backup, in an empty folder: all of it, or nothing.

    Sends that were under way are held, since they may have gone on after the backup was made.
    Whoever left since then is on the list again, unless --leaves-from names the old store.

    \b
    Example:
      mailout restore bulletin-2026-11-26.backup --into bulletin
    """
    from mailout.keeping import carrying, restoring

    options = context.find_object(Options) or Options()
    target = into or Path(options.site or ".")
    store_url = store_url or os.environ.get("MAILOUT_STORE_URL", "")
    restoring.refuse_occupied(target)  # before anybody types a passphrase
    old = carrying.old_store(leaves_from, Path.cwd()) if leaves_from else None
    try:
        found = restoring.restore(
            file,
            passphrase_for(file, passphrase_file),
            target,
            datetime.now(UTC),
            store_url=store_url,
            old=old,
        )
    finally:
        if old is not None:
            old.close()
    _say_restored(found, target)


def _say_restored(found: Restored, target: Path) -> None:
    about = found.examined.about
    rows = found.examined.manifest.rows
    age = _age(datetime.now(UTC) - about.made_at)
    say(
        f"Restored {about.site} into {target}: {people(rows)},"
        f" {counted(found.examined.files, 'file')}, as of {about.made_at:%Y-%m-%d %H:%M} UTC,"
        f" {age}."
    )
    if not about.holds_keys:
        say(
            f"\nThe keys are not in it. Copy keys.toml and dkim/ back into {target} first of all:\n"
            "without them nobody is recognised, not even those who were erased."
        )
    say("\nWhat happened since then is not in it.")
    if found.carried is None:
        say(
            "Who left, was erased or complained since then is on the list again. If the old\n"
            "store can still be read, restore once more with --leaves-from. Else go through what\n"
            "readers have written to you since, before you send anything."
        )
    else:
        carried = found.carried
        say(
            f"From the old store: {counted(carried.left, 'leave')},"
            f" {counted(carried.erased, 'erasure')},"
            f" {counted(sum(carried.suppressed.values()), 'suppression')}."
        )
    if found.letters:
        say(f"{counted(found.letters, 'letter')} that waited will not be mailed.")
    if found.examined.broken:
        say("A chain of evidence did not hold in the backup: see `mailout consent verify`.")
    _say_open(found.held)
    say("\nNothing is sent before you have looked at that: `mailout settle`.")
    if datetime.now(UTC).date() > about.keep_until:
        say(f"This backup was to be deleted after {about.keep_until}.")
    if found.store_url != found.settings_url:  # last, since all that comes next depends on it
        say(
            f"\nBefore any other command: {target / 'config.toml'} names another store than the one"
            " that was\nrestored, perhaps one that is in use. Write there, under [store]:"
            f'\n  url = "{found.store_url}"'
            "\nOr set MAILOUT_STORE_URL to it for all that runs there: commands, serve, worker."
        )


def _age(age: timedelta) -> str:
    hours = int(age.total_seconds() // 3600)
    if hours < 1:
        return "less than an hour ago"
    return f"{counted(hours // 24, 'day') if hours >= 48 else counted(hours, 'hour')} ago"


def _say_open(held: Sequence[Open]) -> None:
    """Prints the sends that are held, and what can be done about each."""
    for one in held:
        say(
            f"\n{one.issue} to {one.list_id}/{one.segment} was under way: {one.queued} queued,"
            f" {one.unknown} not known to have it.\n"
            f"  It went on after the backup:  mailout cancel {one.issue}\n"
            f"  It did not:                   mailout resume {one.issue}\n"
            f"  Those who may have it, too:   mailout resend {one.issue} --missing"
        )


@click.command(name="settle")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def settle_command(context: click.Context, yes: bool) -> None:
    """After a restore: show what may have been sent since the backup, and let sending go on.

    \b
    Example:
      mailout settle
    """
    site = read_site(context)
    with opened(site) as store:
        with store.reading() as tx:
            made_at, held = restored.since(tx), restored.open_ones(tx)
        if made_at is None:
            say("There is nothing to settle.")
            return
        say(
            f"The store is that of {made_at:%Y-%m-%d %H:%M} UTC. Posts that were mailed after that"
            " would be mailed\nagain: write `status: archived` into them. Who left since then would"
            " be mailed, too."
        )
        _say_open(held)
        if not yes:
            if not at_terminal():
                raise UsageError("nobody is there to be asked", fix="Say --yes.")
            click.confirm("\nIs all of that seen to?", abort=True, err=True)
        with store.writing() as tx:
            restored.settle(tx)
    say("Sending may go on. What is paused stays so until you say otherwise.")
