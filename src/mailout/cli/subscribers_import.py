"""`mailout subscribers import`, `imports` and `undo`: people in from a file, and back out."""

from __future__ import annotations

import io
import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from mailout.cli import console
from mailout.cli.console import (
    JSON,
    as_json,
    at_terminal,
    counted,
    local,
    note,
    opened,
    read_site,
    say,
    table,
)  # fmt: skip
from mailout.cli.subscribers_guide import guided, require_answers
from mailout.core.errors import MailoutError, UsageError

if TYPE_CHECKING:
    from mailout.core.site import Site
    from mailout.roster.counting import ImportReport
    from mailout.roster.importing import Order, Progress
    from mailout.roster.mending import Mend, RowReport
    from mailout.roster.reading import Broken
    from mailout.roster.undoing import Undone
    from mailout.store.engine import Store
    from mailout.store.imports import ImportRun

_SHOWN_REFUSED = 50
_SHOWN_TAGS = 30


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--list", "list_id", required=True, help="The list they are put on.")
@click.option("--consent", help="How these people agreed, in your words; kept as evidence.")
@click.option("--tag", "tags", multiple=True, help="A tag for everybody in the file.")
@click.option("--map", "mapped", multiple=True, metavar="COLUMN=FIELD", help="What a column is.")
@click.option("--preset", default="", help="The system it comes from: mailchimp, ghost ..")
@click.option("--status", default="", help="What everybody in the file is, if it does not say.")
@click.option("--encoding", default="", help="If it is guessed wrong: cp1251, koi8-r ..")
@click.option("--delimiter", default="", help="If it is guessed wrong: a character, or `tab`.")
@click.option("--mend", metavar="FILE", help="A file for the refused rows, to import again.")
@click.option("--report", "rows", metavar="FILE", help="A file for what became of each row.")
@click.option("--guide", is_flag=True, help="Show what each column is taken for, and ask.")
@click.option("--dry-run", is_flag=True, help="Report what would happen; write nothing.")
@JSON
@click.pass_context
def import_command(
    context: click.Context,
    file: str,
    list_id: str,
    consent: str | None,
    tags: tuple[str, ...],
    mapped: tuple[str, ...],
    preset: str,
    status: str,
    encoding: str,
    delimiter: str,
    mend: str | None,
    rows: str | None,
    guide: bool,
    dry_run: bool,
    as_json_: bool,
) -> None:
    """Put the people of a file on a list: CSV, TSV, XLSX, JSON lines, or one address a line.

    The first line names the columns: email, and if you have them name, language, country,
    tags, status. Exports of Mailchimp and other systems are known by their columns. A row that
    cannot be taken is reported and the others go in. Nobody who left, complained or was erased
    comes back by an import, and importing a file twice changes nothing.

    \b
    Example:
      mailout subscribers import people.csv --list bulletin --consent "signed at the gate"
    """
    from mailout.roster import columns, importing, opening
    from mailout.roster.mending import Mend, RowReport, require_two_files

    site = read_site(context)
    site.list_named(list_id)
    require_two_files(mend, rows)
    # Before any question: these refuse a file that is there.
    mender = Mend(mend) if mend else nullcontext()
    row_report = RowReport(rows) if rows else nullcontext()
    if guide:
        require_answers(as_json_)
    order = importing.Order(
        list_id=list_id,
        consent=consent or "",
        tags=tags,
        columns=columns.parse_map(mapped),
        encoding=encoding,
        delimiter=opening.delimiter_named(delimiter) if delimiter else "",
        preset=preset,
        status=status,
        dry_run=dry_run,
    )
    name = "standard input" if file == "-" else Path(file).name
    with opened(site) as store, readable(file) as source:
        if guide:
            order = guided(site, order, source, name)
        order = replace(order, consent=consented(consent, "these people"))
        if guide and not dry_run:
            _print_report(_imported(site, store, source, name, replace(order, dry_run=True)))
            if not click.confirm(f"Put them on the list `{list_id}`?", err=True):
                note("Nothing was written.")
                return
        with mender as refused, row_report as became:
            show = not as_json_
            report = _imported(site, store, source, name, order, refused, became, show=show)
    if as_json_:
        as_json(_as_object(report))
        return
    _print_report(report)
    if mend:
        _tell_of_mending(mend, report)
    if rows and not report.rows_read:
        note(f"No row was read, so there is no {rows}.")
    elif rows:
        note(f"{rows} says what became of each row. It holds addresses: delete it when it is read.")


def _imported(
    site: Site,
    store: Store,
    source: BinaryIO,
    name: str,
    order: Order,
    mend: Mend | None = None,
    rows: RowReport | None = None,
    *,
    show: bool = True,
) -> ImportReport:
    from mailout.roster import importing

    with _progress(show) as progress:
        return importing.import_people(
            site, store, source, name, order, datetime.now(UTC), secrets.token_bytes,
            progress, mend, rows,
        )  # fmt: skip


@click.command("imports")
@click.option("--list", "list_id", default="", help="Only those of this list.")
@JSON
@click.pass_context
def imports_command(context: click.Context, list_id: str, as_json_: bool) -> None:
    """List the imports that wrote anything, the newest first.

    Example: mailout subscribers imports --list bulletin
    """
    from mailout.roster import undoing

    site = read_site(context)
    if list_id:
        site.list_named(list_id)
    with opened(site) as store:
        found = undoing.listed(store, list_id)
    if as_json_:
        as_json(
            [
                {
                    "import": one.id, "list": one.list_id, "file": one.file,
                    "sha256": one.sha256, "preset": one.preset, "at": one.at,
                    "ended_at": one.ended_at, "undone_at": one.undone_at, **one.counts,
                }
                for one in found
            ]
        )  # fmt: skip
        return
    table(
        ["#import", "at", "list", "file", "#added", "#updated", "#refused", "state"],
        [
            (
                one.id, local(one.at, site), one.list_id, one.file,
                *(one.counts.get(count, "") for count in ("added", "updated", "refused")),
                _state(one),
            )
            for one in found
        ],
    )  # fmt: skip


def _state(run: ImportRun) -> str:
    if run.undone_at:
        return "undone"
    if run.counts.get("kept"):
        return "undone in part"
    return "done" if run.ended_at else "broken off"


@click.command("undo")
@click.argument("number", metavar="IMPORT", type=click.IntRange(1))
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Report what would happen; write nothing.")
@JSON
@click.pass_context
def undo_command(
    context: click.Context, number: int, yes: bool, dry_run: bool, as_json_: bool
) -> None:
    """Take back what an import added or changed, where nobody has changed it since.

    People to whom mail has gone since stay known, and get nothing more. `mailout subscribers
    imports` lists the numbers.

    Example: mailout subscribers undo 3
    """
    from dataclasses import asdict

    from mailout.roster import undoing

    site = read_site(context)
    now = datetime.now(UTC)
    with opened(site) as store:
        undone = undoing.undo(store, number, now, dry_run=True)
        if not dry_run:
            if not yes:
                _tell_of_later(undone)
                _ask_to_undo(undone.removed + undone.silenced + undone.restored, undone.file)
            undone = undoing.undo(store, number, now)
    if as_json_:
        as_json(asdict(undone))
        return
    if dry_run:
        say("A dry run: nothing was written.")
    counts = ("removed", "silenced", "restored", "kept", "suppressions")
    told = ("removed", "pending, since mail went to them", "as they were before",
            "changed since, and kept", "suppressions lifted")  # fmt: skip
    rows = [(words, getattr(undone, count)) for words, count in zip(told, counts, strict=True)]
    table(["people", "#count"], rows)
    if undone.kept:
        table(["kept, since", "#count"], sorted(undone.kept_why.items()))
    if dry_run or yes:
        _tell_of_later(undone)


def _tell_of_later(undone: Undone) -> None:
    """Prints which imports have to be undone first, so that nobody is kept for their sake."""
    if not undone.later:
        return
    numbers = ", ".join(map(str, undone.later))
    it = "them" if len(undone.later) > 1 else "it"
    note(
        f"Import {numbers} changed people of this one. Undo {it} first, or undo import "
        f"{undone.import_id} once more afterwards: they stay on its record until then."
    )


def _ask_to_undo(people: int, file: str) -> None:
    if not at_terminal():
        raise UsageError("an undo removes people", fix="Add --yes if you are sure.")
    question = f"Take back what `{file}` did to {people} people?"
    if not click.confirm(question, err=True):
        raise MailoutError("nothing was undone")


def consented(given: str | None, who: str) -> str:
    """The words of consent, asked for at a terminal. Raises: UsageError."""
    if given is not None:
        return given
    if not console.at_terminal():
        raise UsageError(
            "it has to be said how these people agreed",
            fix='Add --consent "signed the list at the meeting of 3 May".',
        )
    return str(click.prompt(f"How did {who} agree to get this mail", err=True))


@contextmanager
def readable(file: str) -> Iterator[BinaryIO]:
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
def _progress(wanted: bool) -> Iterator[Progress | None]:
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
    rows: list[tuple[str, object]] = [
        (name.replace("_", " "), getattr(report, name)) for name in counts
    ]
    table(["rows", "#count"], [*rows, ("refused", report.refused_count)])
    by = {"status": report.by_status, "tag": report.by_tag, "language": report.by_language}
    listed = [
        (what, name or "(none)", number)
        for what, numbers in by.items()
        for name, number in islice(numbers.items(), _SHOWN_TAGS)
    ]
    if report.roles:
        listed.append(("role", "info@ and the like", report.roles))
    if listed:
        table(["of those taken", "", "#count"], listed)
    _print_rows("refused", report.refused, report.refused_count)
    _print_rows("taken, but", report.warnings, report.warnings_count)
    how = ", ".join(dict.fromkeys(filter(None, (report.kind, report.encoding, report.delimiter))))
    note(f"Read as {how}.")
    for line in report.says:
        note(f"{line[0].upper()}{line[1:]}.")
    if report.import_id:
        note(f"Import {report.import_id}: `mailout subscribers undo {report.import_id}` undoes it.")


def _print_rows(title: str, broken: Sequence[Broken], count: int) -> None:
    if not broken:
        return
    table(
        ["#row", title, "why"], [(one.row, one.value, one.why) for one in broken[:_SHOWN_REFUSED]]
    )
    if count > _SHOWN_REFUSED:
        more = "--json names ten thousand" + (", --mend has all" if title == "refused" else "")
        note(f".. and {count - _SHOWN_REFUSED} more; {more}.")


def _tell_of_mending(mend: str, report: ImportReport) -> None:
    if not report.refused_count:
        note(f"No row was refused, so there is no {mend}.")
        return
    rows = counted(report.refused_count, "refused row")
    note(f"{mend} has the {rows}. It holds addresses: delete it when it is mended and imported.")


def _as_object(report: ImportReport) -> dict[str, object]:
    names = (
        "rows_read", "added", "updated", "unchanged", "duplicates", "refused", "warnings",
        "by_status", "by_tag", "by_language", "dry_run", "refused_count", "warnings_count",
        "roles", "import_id", "preset", "kind", "encoding", "delimiter", "says",
    )  # fmt: skip
    found = {name: getattr(report, name) for name in names}
    for name in ("refused", "warnings"):
        found[name] = [{"row": one.row, "value": one.value, "why": one.why} for one in found[name]]
    return found
