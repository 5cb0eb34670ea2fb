"""`mailout subscribers`: list, show, add, tag, export and erase people."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from mailout.cli import console
from mailout.cli.console import JSON, as_json, local, note, opened, read_site, say, table
from mailout.cli.editions import edition_
from mailout.cli.frequencies import frequency_, pause_, resume_
from mailout.cli.leave_reasons import reasons_
from mailout.cli.pending import ask_pending
from mailout.cli.subscribers_import import (
    consented,
    import_command,
    imports_command,
    undo_command,
)  # fmt: skip
from mailout.core.errors import MailoutError, UsageError
from mailout.core.subscriber import Subscriber
from mailout.core.subscription import SubscriptionState
from mailout.roster import exporting, people, story
from mailout.roster.people import Newcomer, Selection

_STATES = click.Choice([state.value for state in SubscriptionState])


@click.group(name="subscribers")
def subscribers_command() -> None:
    """Import, list, show, add, tag, export and erase people.

    \b
    Example:
      mailout subscribers import people.csv --list bulletin --consent "signed at the gate"
    """


for command in (
    ask_pending,
    edition_,
    frequency_,
    pause_,
    resume_,
    reasons_,
    import_command,
    imports_command,
    undo_command,
):
    subscribers_command.add_command(command)


@subscribers_command.command("list")
@click.option("--list", "list_id", default="", help="Only people on this list.")
@click.option("--segment", default="", help="Only people of this segment.")
@click.option("--state", type=_STATES, help="Only people whose subscription is in this state.")
@click.option("--limit", default=100, type=click.IntRange(0), help="At most so many; 0: all.")
@click.option("--after", default=0, help="Go on after the person with this number.")
@JSON
@click.pass_context
def list_(
    context: click.Context,
    list_id: str,
    segment: str,
    state: str | None,
    limit: int,
    after: int,
    as_json_: bool,
) -> None:
    """List people in the order they came.

    Example: mailout subscribers list --segment unions --state active --limit 0 --json
    """
    site = read_site(context)
    selection = Selection(list_id, segment, SubscriptionState(state) if state else None)
    with opened(site) as store:
        found = list(people.listed(site, store, selection, after, limit))
    if as_json_:
        as_json([_as_object(person) for person in found])
        return
    table(
        ["#no", "address", "name", "language", "country", "tags", "lists"],
        [
            (
                person.id,
                person.address,
                person.name,
                person.language,
                person.country,
                " ".join(person.tags),
                ", ".join(f"{m.list_id}: {m.state}" for m in person.memberships),
            )
            for person in found
        ],
    )
    if limit and len(found) == limit:
        note(f"{limit} shown; go on with --after {found[-1].id}, or see all with --limit 0.")


@subscribers_command.command("show")
@click.argument("address")
@JSON
@click.pass_context
def show(context: click.Context, address: str, as_json_: bool) -> None:
    """Show all that is known of one person, and why they did or did not get an issue.

    Example: mailout subscribers show anna@example.org
    """
    site = read_site(context)
    with opened(site) as store:
        record = people.show(site, store, address)
    if as_json_:
        as_json(
            _as_object(record.person)
            | {
                "consents": [asdict(consent) for consent in record.consents],
                "suppressions": [asdict(one) for one in record.suppressions],
                "deliveries": [
                    asdict(sent) | {"last_reply": sent.last_reply} for sent in record.deliveries
                ],
                "missed": [asdict(missed) for missed in record.missed],
                "events": [asdict(event) for event in record.events],
            }
        )
        return
    for line in story.told(record, lambda moment: local(moment, site)):
        say(line)


@subscribers_command.command("add")
@click.argument("address")
@click.option("--list", "list_id", required=True, help="The list they are put on.")
@click.option("--consent", help="How they agreed, in your words; kept as evidence.")
@click.option("--name", default="")
@click.option("--language", "-l", default="", help="A code such as ru.")
@click.option("--country", default="", help="A code such as DE.")
@click.option("--tag", "tags", multiple=True)
@click.pass_context
def add(
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


@subscribers_command.command("tag")
@click.argument("address")
@click.option("--add", "given", multiple=True, help="A tag to give.")
@click.option("--remove", "taken", multiple=True, help="A tag to take away.")
@click.pass_context
def tag(
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


@subscribers_command.command("export")
@click.option("--list", "list_id", default="", help="Only people on this list.")
@click.option("--segment", default="", help="Only people of this segment.")
@click.option("--state", type=_STATES, help="Only people whose subscription is in this state.")
@click.option("--output", "-o", metavar="FILE", help="A file of your own to write; else printed.")
@click.option("--json-lines", is_flag=True, help="One JSON object a line instead of CSV.")
@JSON
@click.pass_context
def export(
    context: click.Context,
    list_id: str,
    segment: str,
    state: str | None,
    output: str | None,
    json_lines: bool,
    as_json_: bool,
) -> None:
    """Write people to a CSV file, one line a person and list.

    A cell that a spreadsheet would run as a formula gets a quote before it; `import` takes
    it off again. The file is readable by you alone: keep it so.

    Example: mailout subscribers export --list bulletin --output people.csv
    """
    site = read_site(context)
    selection = Selection(list_id, segment, SubscriptionState(state) if state else None)
    if json_lines and as_json_:
        raise UsageError("--json and --json-lines exclude each other")
    with opened(site) as store:
        found = people.listed(site, store, selection)
        if as_json_:
            as_json(list(exporting.objects(found, selection)))
            return
        write_lines = exporting.json_lines if json_lines else exporting.csv_lines
        _write(write_lines(found, selection), output)


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


def _as_object(person: Subscriber) -> dict[str, object]:
    return {
        "id": person.id,
        "address": person.address,
        "name": person.name,
        "language": person.language,
        "country": person.country,
        "tags": list(person.tags),
        "created_at": person.created_at,
        "bounce_paused_at": person.bounce_paused_at,
        "lists": [asdict(membership) for membership in person.memberships],
    }


def _write(lines: Iterable[str], output: str | None) -> None:
    if output is None:
        for line in lines:
            click.echo(line.encode(), nl=False)
        return
    path = Path(output)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise MailoutError("there is such a file already", where=output) from None
    except OSError as error:
        raise MailoutError(f"cannot be written: {error.strerror}", where=output) from None
    with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
        file.writelines(lines)
    note(f"{output} holds addresses; only you can read it.")
