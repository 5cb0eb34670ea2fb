"""`mailout subscribers import-notes`: notes about people, from a file."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from mailout.cli.console import JSON, as_json, note, opened, read_site, say, table
from mailout.cli.subscribers_import import readable
from mailout.roster import notebook
from mailout.roster.notebook import Taken

_SHOWN = 50


@click.command("import-notes")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--column", default="", help="The column with the notes, if not `note`.")
@click.option("--dry-run", is_flag=True, help="Report what would happen; write nothing.")
@JSON
@click.pass_context
def import_notes(
    context: click.Context, file: str, column: str, dry_run: bool, as_json_: bool
) -> None:
    """Write down notes about people who are known, from what `export --notes` wrote, or from
    another table with their addresses. A note that is there already is not written twice.

    Example: mailout subscribers import-notes notes.jsonl
    """
    site = read_site(context)
    name = "standard input" if file == "-" else Path(file).name
    with opened(site) as store, readable(file) as source:
        now = datetime.now(UTC)
        taken = notebook.take_in(site, store, source, name, column, now, dry_run=dry_run)
    if as_json_:
        as_json(_as_object(taken))
        return
    if dry_run:
        say("A dry run: nothing was written.")
    counts = ("rows_read", "added", "unchanged", "empty", "refused_count")
    told = ("rows read", "added", "there already", "without a note", "refused")
    table(["notes", "#count"], [(w, getattr(taken, c)) for w, c in zip(told, counts, strict=True)])
    if taken.refused:
        rows = [(one.row, one.value, one.why) for one in taken.refused[:_SHOWN]]
        table(["#row", "refused", "why"], rows)
    if taken.refused_count > _SHOWN:
        note(f".. and {taken.refused_count - _SHOWN} more; --json names ten thousand.")


def _as_object(taken: Taken) -> dict[str, object]:
    names = ("rows_read", "added", "unchanged", "empty", "refused_count", "dry_run")
    refused = [{"row": one.row, "value": one.value, "why": one.why} for one in taken.refused]
    return {name: getattr(taken, name) for name in names} | {"refused": refused}
