"""`mailout subscribers edition`: the form in which a reader gets the issues of a list."""

from __future__ import annotations

import click

from mailout.cli.console import opened, read_site, say
from mailout.cli.publishing import only_list
from mailout.core import edition
from mailout.roster import people

STANDARD = "standard"


@click.command("edition")
@click.argument("address")
@click.argument("form", type=click.Choice([choice or STANDARD for choice in edition.CHOICES]))
@click.option("--list", "list_id", help="The mailing list; needed only if there are several.")
@click.pass_context
def edition_(context: click.Context, address: str, form: str, list_id: str | None) -> None:
    """Set the form in which a reader gets a list's issues.

    standard (excerpts, where an issue shortens), full (every post whole), low-data (small, no
    pictures), text (no HTML at all).

    Example: mailout subscribers edition anna@example.org low-data
    """
    site = read_site(context)
    mailing_list = only_list(site, list_id)
    chosen = "" if form == STANDARD else form
    with opened(site) as store:
        people.choose_edition(site, store, address, mailing_list.id, chosen)
    say(f"{address} gets the {form} edition of `{mailing_list.id}`.")
    say("An issue that is compiled already has it only if somebody had chosen it before.")
