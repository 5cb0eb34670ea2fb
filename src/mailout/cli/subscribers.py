"""`mailout subscribers`: people in, people out; here imports and erasures, the rest beside it."""

from __future__ import annotations

import io
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import click

from mailout.cli import console
from mailout.cli.console import JSON, as_json, note, opened, read_site, say, table
from mailout.cli.editions import edition_
from mailout.cli.frequencies import frequency_, pause_, resume_
from mailout.cli.leave_reasons import reasons_
from mailout.cli.subscribers_people import list_, show_
from mailout.cli.subscribers_people_change import (
    add_,
    consent_words,
    edit_,
    merge_,
    note_,
    tag_,
)  # fmt: skip
from mailout.cli.subscribers_people_export import export_
from mailout.core.errors import MailoutError, UsageError
from mailout.core.subscription import SubscriptionState
from mailout.roster import columns, importing, people
from mailout.roster.importing import ImportReport

_STATES = click.Choice([state.value for state in SubscriptionState])
_SHOWN_REFUSED = 50


@click.group(name="subscribers")
def subscribers_command() -> None:
    """Import, list, show, add, edit, merge, export and erase people.

    \b
    Example:
      mailout subscribers import people.csv --list bulletin --consent "signed at the gate"
    """


for command in (
    list_, show_, add_, edit_, tag_, note_, merge_, export_,
    edition_, frequency_, pause_, resume_, reasons_,
):  # fmt: skip
    subscribers_command.add_command(command)


@subscribers_command.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--list", "list_id", required=True, help="The list they are put on.")
@click.option("--consent", help="How these people agreed, in your words; kept as evidence.")
@click.option("--tag", "tags", multiple=True, help="A tag for everybody in the file.")
@click.option("--map", "mapped", multiple=True, metavar="COL=FIELD", help="What a column is.")
@click.option("--encoding", default="", help="For files that are not UTF-8: cp1251, koi8-r ..")
@click.option("--dry-run", is_flag=True, help="Report what would happen; write nothing.")
@JSON
@click.pass_context
def import_(
    context: click.Context,
    file: str,
    list_id: str,
    consent: str | None,
    tags: tuple[str, ...],
    mapped: tuple[str, ...],
    encoding: str,
    dry_run: bool,
    as_json_: bool,
) -> None:
    """Put the people of a CSV or TSV file on a list.

    The first line names the columns: email, and if you have them name, language, country,
    tags, status. A row that cannot be taken is reported and the others go in. Nobody who
    left, complained or was erased comes back by an import, and importing a file twice
    changes nothing.

    \b
    Example:
      mailout subscribers import people.csv --list bulletin --consent "signed at the gate"
    """
    site = read_site(context)
    site.list_named(list_id)
    order = importing.Order(
        list_id=list_id,
        consent=consent_words(consent, "these people"),
        tags=tags,
        columns=columns.parse_map(mapped),
        encoding=encoding,
        dry_run=dry_run,
    )
    with opened(site) as store, _readable(file) as source, _progress(not as_json_) as progress:
        report = importing.import_people(
            site,
            store,
            source,
            "standard input" if file == "-" else Path(file).name,
            order,
            datetime.now(UTC),
            secrets.token_bytes,
            progress,
        )
    if as_json_:
        as_json(asdict(report))
        return
    _print_report(report)


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


@contextmanager
def _readable(file: str) -> Iterator[BinaryIO]:
    """The file, opened so that it can be read twice; a pipe is read into memory."""
    if file == "-":
        yield io.BytesIO(sys.stdin.buffer.read())
        return
    try:
        opened_file = open(file, "rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise MailoutError(f"cannot be read: {error.strerror}", where=file) from None
    with opened_file:
        yield opened_file if opened_file.seekable() else io.BytesIO(opened_file.read())


@contextmanager
def _progress(wanted: bool) -> Iterator[importing.Progress | None]:
    if not wanted or not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns_ = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns_, console=console.err(), transient=True) as bar:
        task = bar.add_task("importing", total=1.0)

        def show_progress(rows: int, fraction: float) -> None:
            bar.update(task, completed=fraction, description=f"{rows} rows")

        yield show_progress


def _print_report(report: ImportReport) -> None:
    if report.dry_run:
        say("A dry run: nothing was written.")
    counts = ("rows_read", "added", "updated", "unchanged", "duplicates")
    rows = [(name.replace("_", " "), getattr(report, name)) for name in counts]
    table(["rows", "#count"], [*rows, ("refused", len(report.refused))])
    by = {"status": report.by_status, "tag": report.by_tag, "language": report.by_language}
    listed = [
        (what, name or "(none)", number)
        for what, numbers in by.items()
        for name, number in numbers.items()
    ]
    if listed:
        table(["of those taken", "", "#count"], listed)
    for title, broken in (("refused", report.refused), ("taken, but", report.warnings)):
        if broken:
            lines = [(one.row, one.value, one.why) for one in broken[:_SHOWN_REFUSED]]
            table(["#row", title, "why"], lines)
            if len(broken) > _SHOWN_REFUSED:
                note(f".. and {len(broken) - _SHOWN_REFUSED} more; --json lists all.")
