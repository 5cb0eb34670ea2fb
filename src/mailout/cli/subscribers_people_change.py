"""`mailout subscribers add`, `edit`, `tag`, `note` and `merge`: one person changed by hand."""

from __future__ import annotations

import secrets
from dataclasses import asdict
from datetime import UTC, datetime

import click

from mailout.cli import console
from mailout.cli.console import JSON, as_json, local, note, opened, read_site, say, table
from mailout.cli.subscribers_import import consented
from mailout.cli.subscribers_people import as_object
from mailout.core.errors import UsageError
from mailout.roster import editing, merging, people, story
from mailout.roster.editing import Change
from mailout.roster.merging import Merge
from mailout.roster.people import Newcomer


@click.command("add")
@click.argument("address")
@click.option("--list", "list_id", required=True, help="The list they are put on.")
@click.option("--consent", help="How they agreed, in your words; kept as evidence.")
@click.option("--name", default="")
@click.option("--language", "-l", default="", help="A code such as ru, or a name.")
@click.option("--country", default="", help="A code such as DE, or a name.")
@click.option("--tag", "tags", multiple=True)
@click.pass_context
def add_(
    context: click.Context,
    address: str,
    list_id: str,
    consent: str | None,
    name: str,
    language: str,
    country: str,
    tags: tuple[str, ...],
) -> None:
    """Put one person on a list.

    Example: mailout subscribers add anna@example.org --list bulletin --consent "asked by phone"
    """
    site = read_site(context)
    consent = consented(consent, address)
    newcomer = Newcomer(address, list_id, consent, name, language, country, tags)
    with opened(site) as store:
        person = people.add(site, store, newcomer, datetime.now(UTC), secrets.token_bytes)
    say(f"{person.address} is on the list `{list_id}`.")


@click.command("edit")
@click.argument("address")
@click.option("--name", help="Their name; empty takes it away.")
@click.option("--language", "-l", help="A code such as ru, or a name; empty takes it away.")
@click.option("--country", help="A code such as DE, or a name; empty takes it away.")
@click.option("--set", "fields", multiple=True, metavar="FIELD=VALUE", help="A field of a list.")
@JSON
@click.pass_context
def edit_(
    context: click.Context,
    address: str,
    name: str | None,
    language: str | None,
    country: str | None,
    fields: tuple[str, ...],
    as_json_: bool,
) -> None:
    """Change what is known of a person. Fields are those that a list declares; an empty value
    takes one away, several choices are joined by `;`.

    Example: mailout subscribers edit anna@example.org --language ru --set branch=rail
    """
    change = Change(name, language, country, fields)
    if change == Change():
        raise UsageError("nothing to do", fix="Say what to change: --name, --set FIELD=VALUE ..")
    site = read_site(context)
    with opened(site) as store:
        person = editing.edit(site, store, address, change)
    if as_json_:
        as_json(as_object(person))
        return
    known = (person.name, person.language, person.country, story.fields_told(person))
    say(f"{person.address}: {'; '.join(filter(None, known)) or 'nothing else is known'}")


@click.command("tag")
@click.argument("address")
@click.option("--add", "given", multiple=True, help="A tag to give.")
@click.option("--remove", "taken", multiple=True, help="A tag to take away.")
@click.pass_context
def tag_(
    context: click.Context, address: str, given: tuple[str, ...], taken: tuple[str, ...]
) -> None:
    """Give tags to a person, or take them away.

    Example: mailout subscribers tag anna@example.org --add unions --remove guests
    """
    if not given and not taken:
        raise UsageError("nothing to do", fix="Say --add TAG or --remove TAG.")
    site = read_site(context)
    with opened(site) as store:
        person = people.tag(site, store, address, given, taken)
    say(f"{person.address}: {' '.join(person.tags) or 'no tags'}")


@click.command("note")
@click.argument("address")
@click.argument("text", required=False)
@click.option("--drop", type=int, multiple=True, metavar="NO", help="Take away that note.")
@JSON
@click.pass_context
def note_(
    context: click.Context, address: str, text: str | None, drop: tuple[int, ...], as_json_: bool
) -> None:
    """Write a note about a person, with today's date, or list the notes about them.

    They can read it with all else that is known of them, so name nobody else in it; it goes when
    they are erased.

    Example: mailout subscribers note anna@example.org "wants to speak at the May meeting"
    """
    if text is not None and drop:
        raise UsageError("a note is written or taken away, not both")
    site = read_site(context)
    with opened(site) as store:
        if drop:
            editing.drop_notes(site, store, address, drop)
        if text is not None:
            editing.note(site, store, address, text, datetime.now(UTC))
        found = editing.noted(site, store, address)
    if as_json_:
        as_json([asdict(one) for one in found])
        return
    table(["#no", "at", "note"], [(str(one.id), local(one.at, site), one.text) for one in found])


@click.command("merge")
@click.argument("kept", metavar="ADDRESS")
@click.argument("gone", metavar="OTHER")
@click.option("--dry-run", is_flag=True, help="Say what would become of them; write nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@JSON
@click.pass_context
def merge_(
    context: click.Context, kept: str, gone: str, dry_run: bool, yes: bool, as_json_: bool
) -> None:
    """Make two addresses of one person one person, who is mailed at the first.

    On each list the stricter state holds, unless they confirmed the other one later themselves.
    There is no way back.

    Example: mailout subscribers merge anna@example.org anna@old.example.org --dry-run
    """
    site = read_site(context)
    with opened(site) as store:
        if not (dry_run or yes):
            planned = merging.unite(site, store, kept, gone, datetime.now(UTC), dry_run=True)
            _agree(planned)
        done = merging.unite(site, store, kept, gone, datetime.now(UTC), dry_run=dry_run)
    if as_json_:
        as_json(asdict(done))
        return
    if dry_run:
        say("A dry run: nothing was written.")
    _tell(done)


def _agree(planned: Merge) -> None:
    if not console.at_terminal():
        raise UsageError("a merge cannot be taken back", fix="Add --yes if you are sure.")
    _tell(planned)
    if not click.confirm("Merge them", err=True):
        raise click.Abort


def _tell(merge: Merge) -> None:
    say(f"{merge.gone} -> {merge.kept}")
    rows = [(one.list_id, one.kept or "-", one.gone or "-", one.state) for one in merge.lists]
    if rows:
        table(["list", merge.kept, merge.gone, "holds"], rows)
    say(f"Tags: {' '.join(merge.tags) or 'none'}")
    say(f"Deliveries: {merge.deliveries} moved, {merge.skipped} skipped")
    say(f"Notes: {merge.notes} moved")
    if merge.fields:
        say(f"Fields taken over: {', '.join(merge.fields)}")
    if merge.differing:
        note(f"They differ in {', '.join(merge.differing)}: what {merge.kept} has stays.")
    for list_id, reason in merge.suppressed:
        where = f"the list {list_id}" if list_id else "all lists"
        note(f"{merge.kept} is not mailed on {where} from now on: {merge.gone} is {reason}.")
