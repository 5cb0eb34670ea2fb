"""`mailout signatories`: who agreed to be named as a supporter."""

from __future__ import annotations

from dataclasses import asdict

import click

from mailout.cli.console import JSON, as_json, opened, read_site, say, table
from mailout.core.signatory import Signatory
from mailout.roster import signatories


@click.group(name="signatories")
def signatories_command() -> None:
    """Put down who agreed to be named as a supporter, list and remove them.

    An issue with `signatories: true` names all of them.
    """


@signatories_command.command("add")
@click.argument("address")
@click.option("--name", required=True, help="As it is to be printed.")
@click.option("--role", default="", help="Such as: branch secretary.")
@click.option("--organisation", default="", help="Such as: Dockers' Union.")
@click.option("--personal", is_flag=True, help="In a personal capacity, not for the organisation.")
@click.option("--consent", required=True, help="How they agreed to be named, in your words.")
@click.pass_context
def add(
    context: click.Context,
    address: str,
    name: str,
    role: str,
    organisation: str,
    personal: bool,
    consent: str,
) -> None:
    """Name a subscriber as a supporter; the words of consent are kept and never printed.

    Example: mailout signatories add anna@example.org --name "Anna Berg" --consent "letter of 3 May"
    """
    site = read_site(context)
    asked = Signatory(name, role, organisation, "", personal, consent)
    with opened(site) as store:
        known = signatories.add(site, store, address, asked)
    say(f"Named from the next issue on that says `signatories: true`: {_shown(known)}")


@signatories_command.command("remove")
@click.argument("address")
@click.pass_context
def remove(context: click.Context, address: str) -> None:
    """Name a person no more. What was mailed cannot be taken back.

    Example: mailout signatories remove anna@example.org
    """
    site = read_site(context)
    with opened(site) as store:
        anew, under_way = signatories.remove(site, store, address)
    say("Named no more.")
    for name in anew:
        say(f"{name} is not sent before you compile it anew: `mailout compile {name}`.")
    for name in under_way:
        say(f"{name} is under way and names them: `mailout pause {name}` stops it.")


@signatories_command.command("list")
@JSON
@click.pass_context
def list_(context: click.Context, as_json_: bool) -> None:
    """List who is named, by their names, and how each of them agreed.

    Example: mailout signatories list
    """
    site = read_site(context)
    with opened(site) as store:
        found = signatories.listed(store)
    if as_json_:
        as_json([{"address": one.address, **asdict(one.signatory)} for one in found])
        return
    table(
        ["address", "named as", "agreed"],
        [(one.address, _shown(one.signatory), one.signatory.agreed) for one in found],
    )


def _shown(one: Signatory) -> str:
    words = ", ".join(filter(None, (one.name, one.role, one.organisation, one.country)))
    return f"{words} (in a personal capacity)" if one.personal else words
