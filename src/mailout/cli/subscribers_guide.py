"""`mailout subscribers import --guide`: what each column is taken for, shown and asked about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

import click

from mailout.cli.console import at_terminal, note, table
from mailout.core.errors import MailoutError, UsageError

if TYPE_CHECKING:
    from mailout.core.site import Site
    from mailout.roster.importing import Order
    from mailout.roster.opening import Opened

_SAMPLES = 3
_MOST_COLUMNS = 200


def require_answers(as_json: bool) -> None:
    """Nothing, if there is somebody who can be asked. Raises: UsageError."""
    if as_json or not at_terminal():
        raise UsageError("--guide asks questions, which needs a terminal, and no --json")


def guided(site: Site, order: Order, source: BinaryIO, name: str) -> Order:
    """The order, with the columns as the person at the terminal wants them. Raises: UsageError
    for an order that no answer makes right."""
    from mailout.roster import columns, importing

    before = mapped = dict(order.columns)
    while True:
        order = replace(order, columns=mapped)
        try:
            found = importing.look(site, source, name, order)
        except UsageError as error:
            if mapped == before:
                raise
            note(str(error))  # the last answer names no column of the file: as if it was not given
            mapped = before
            continue
        except MailoutError as error:
            note(str(error))
        else:
            _show_columns(found)
        before = mapped
        answer = click.prompt(
            "Enter to go on, or COLUMN=FIELD to change one", default="", show_default=False,
            err=True,
        ).strip()  # fmt: skip
        try:
            if answer:
                mapped = mapped | columns.parse_map([answer])
            else:
                importing.look(site, source, name, order).require_told()
                return order
        except MailoutError as error:
            note(str(error))


def _show_columns(found: Opened) -> None:
    """Prints what each column is taken for, beside its first cells."""
    header = found.table.header.cells
    fields = {
        at: field for field, places in found.columns.positions.items() for at in places
    }  # fmt: skip
    samples = [
        row.cells for row in islice(found.table.rows, 50) if not _is_broken(row)
    ][:_SAMPLES]  # fmt: skip
    note(
        f"{found.source.shown}: {found.kind}, {found.source.encoding}"
        + (f", {found.delimiter}" if found.delimiter else "")
        + f", {found.columns.preset.title}"
    )
    for line in found.says():
        note(line)
    table(
        ["column", "taken for", *(f"row {n}" for n in range(1, len(samples) + 1))],
        [
            (name or "(no name)", fields.get(at, "-"), *(_short(cells, at) for cells in samples))
            for at, name in enumerate(header[:_MOST_COLUMNS])
        ],
    )


def _is_broken(row: object) -> bool:
    from mailout.roster.reading import Broken

    return isinstance(row, Broken)


def _short(cells: Sequence[str], at: int) -> str:
    from mailout.roster.reading import shown

    return shown(cells[at], 30) if at < len(cells) else ""
