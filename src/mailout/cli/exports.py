"""`mailout exports`: which exports of people were made, when, and why."""

from __future__ import annotations

from dataclasses import asdict

import click

from mailout.cli.console import JSON, as_json, local, opened, read_site, table
from mailout.store import export_log


@click.command("exports")
@click.option("--limit", default=100, type=click.IntRange(0), help="At most so many; 0: all.")
@JSON
@click.pass_context
def exports_command(context: click.Context, limit: int, as_json_: bool) -> None:
    """List the exports of people that were made, the newest first: of whom, how many, and why.

    Example: mailout exports
    """
    site = read_site(context)
    with opened(site) as store, store.reading() as tx:
        found = export_log.listed(tx, limit)
    if as_json_:
        as_json([asdict(one) for one in found])
        return
    rows = [
        (
            local(one.at, site),
            one.what,
            one.form,
            one.rows if one.ended_at else f"{one.rows} (broken off)",
            one.reason,
        )
        for one in found
    ]
    table(["at", "of whom", "as", "#rows", "reason"], rows)
