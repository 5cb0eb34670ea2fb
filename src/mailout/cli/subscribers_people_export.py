"""`mailout subscribers export`: people as a file."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import click

from mailout.cli.console import JSON, counted, note, opened, read_site
from mailout.cli.subscribers_people import REASON, selected, selection
from mailout.cli.writing import own_file
from mailout.core.errors import UsageError
from mailout.core.site import Site
from mailout.roster import exporting, notebook, selecting
from mailout.roster.exporting import Form
from mailout.roster.selecting import Selection


@click.command("export")
@selection
@click.option("--output", "-o", metavar="FILE", help="A file of your own to write; else printed.")
@click.option("--json-lines", is_flag=True, help="One JSON object a line instead of CSV.")
@click.option("--xlsx", is_flag=True, help="A workbook for spreadsheets instead of CSV.")
@click.option("--notes", is_flag=True, help="The notes about them, as JSON lines; with --reason.")
@REASON
@JSON
@click.pass_context
def export_(
    context: click.Context,
    list_id: str,
    segment: str,
    rule: str,
    state: str | None,
    tag: str,
    output: str | None,
    json_lines: bool,
    xlsx: bool,
    notes: bool,
    reason: str,
    as_json_: bool,
) -> None:
    """Write people to a CSV file, a workbook or JSON lines, one line a person and list.

    A cell that a spreadsheet would run as a formula gets a quote before it; `import` takes
    it off again. The status of whom you do not mail says why. Notes are in no such file: what you
    wrote about people goes out only by itself, with --notes. The file is readable by you alone:
    keep it so. `mailout exports` lists what was exported.

    Example: mailout subscribers export --list bulletin --output people.csv
    """
    site = read_site(context)
    output = None if output == "-" else output
    if json_lines + xlsx + as_json_ > 1:
        raise UsageError("--json, --json-lines and --xlsx exclude each other")
    if notes and (xlsx or as_json_):
        raise UsageError("notes are written as JSON lines", where="--notes")
    form = Form.JSON if as_json_ else Form.JSON_LINES if json_lines else Form.CSV
    form = Form.XLSX if xlsx else form
    exporting.refuse_form(form, output)
    wanted = selected(list_id, segment, rule, state, tag)
    if notes:
        _write_notes(site, wanted, output, reason)
        return
    with opened(site) as store:
        if output is None:
            exporting.write(site, store, wanted, form, sys.stdout.buffer, reason, _now)
            sys.stdout.flush()
            return
        exporting.require_reason(selecting.chosen(site, wanted), reason)
        with own_file(output) as file:
            count = exporting.write(site, store, wanted, form, file, reason, _now)
    note(f"{output} holds {count} lines with addresses; only you can read it.")


def _write_notes(site: Site, wanted: Selection, output: str | None, reason: str) -> None:
    chosen = notebook.chosen(site, wanted, reason)
    with opened(site) as store:
        if output is None:
            notebook.write(site, store, chosen, sys.stdout.buffer, reason, _now)
            sys.stdout.flush()
            return
        with own_file(output) as file:
            count = notebook.write(site, store, chosen, file, reason, _now)
    note(f"{output} holds {counted(count, 'note')}; only you can read it.")


def _now() -> datetime:
    return datetime.now(UTC)
