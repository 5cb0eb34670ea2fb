"""`mailout subscribers`: people in, people out; here who is erased, the rest beside it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import click

from mailout.cli import console
from mailout.cli.console import note, opened, read_site, say
from mailout.cli.editions import edition_
from mailout.cli.frequencies import frequency_, pause_, resume_
from mailout.cli.leave_reasons import reasons_
from mailout.cli.pending import ask_pending
from mailout.cli.subscribers_import import (
    import_command,
    imports_command,
    undo_command,
)  # fmt: skip
from mailout.cli.subscribers_notes import import_notes
from mailout.cli.subscribers_people import list_, show_
from mailout.cli.subscribers_people_change import (
    add_,
    edit_,
    merge_,
    note_,
    tag_,
)  # fmt: skip
from mailout.cli.subscribers_people_export import export_
from mailout.core.errors import MailoutError, UsageError
from mailout.roster import people


@click.group(name="subscribers")
def subscribers_command() -> None:
    """Import, list, show, add, edit, merge, export and erase people.

    \b
    Example:
      mailout subscribers import people.csv --list bulletin --consent "signed at the gate"
    """


for command in (
    list_, show_, add_, edit_, tag_, note_, merge_, export_, ask_pending,
    edition_, frequency_, pause_, resume_, reasons_,
    import_command, import_notes, imports_command, undo_command,
):  # fmt: skip
    subscribers_command.add_command(command)


@subscribers_command.command("erase")
@click.argument("address")
@click.option("--yes", is_flag=True, help="Do not ask for the address to be typed again.")
@click.pass_context
def erase(context: click.Context, address: str, yes: bool) -> None:
    """Erase a person: all that names them goes, a keyed hash of the address stays.

    The hash keeps them off every later import. There is no way back.

    Example: mailout subscribers erase anna@example.org
    """
    site = read_site(context)
    key = people.key_of(site, address)
    with opened(site) as store:
        if not yes and not people.is_erased(site, store, address):
            people.show(site, store, address)
            _ask_again(lambda text: people.key_of(site, text), key)
        gone = people.erase(site, store, address, datetime.now(UTC))
    say("Erased. Backups made before today still hold the address until they are deleted.")
    if not gone:
        note(
            "Another mailout is using the store, so its file still holds traces: "
            "erase the same address again when that one is done."
        )


def _ask_again(key_of: Callable[[str], str], key: str) -> None:
    if not console.at_terminal():
        raise UsageError("an erasure cannot be taken back", fix="Add --yes if you are sure.")
    typed = click.prompt("There is no way back. Type the address again", err=True)
    if key_of(typed) != key:
        raise MailoutError("that is another address; nobody was erased")
