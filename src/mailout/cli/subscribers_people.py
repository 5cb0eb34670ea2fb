"""`mailout subscribers list` and `show`: people, many or one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import click

from mailout.cli.console import JSON, as_json, local, note, opened, read_site, say, table
from mailout.core.errors import UsageError
from mailout.core.subscriber import Subscriber
from mailout.core.subscription import SubscriptionState
from mailout.roster import exporting, people, selecting, story
from mailout.roster.exporting import Form
from mailout.roster.selecting import Selection
from mailout.store.people import SORTS

_STATES = click.Choice([state.value for state in SubscriptionState])
_ORDERS = click.Choice([name for one in SORTS for name in (one, f"-{one}")])

REASON = click.option("--reason", default="", help="Why; needed for sensitive segments, and kept.")


def selection(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which people are meant."""
    for option in (
        click.option("--tag", default="", help="Only people with this tag."),
        click.option("--state", type=_STATES, help="Only people in this state on the list."),
        click.option("--rule", default="", help="Only people of whom this rule is true."),
        click.option("--segment", default="", help="Only people of this segment."),
        click.option("--list", "list_id", default="", help="Only people on this list."),
    ):
        command = option(command)
    return command


def selected(list_id: str, segment: str, rule: str, state: str | None, tag: str) -> Selection:
    """What the options mean."""
    return Selection(list_id, segment, SubscriptionState(state) if state else None, rule, tag)


@click.command("list")
@selection
@click.option("--sort", type=_ORDERS, help="By what; with `-` the other way round; else as come.")
@click.option("--limit", default=100, type=click.IntRange(0), help="At most so many; 0: all.")
@click.option("--page", default=1, type=click.IntRange(1), help="The pages before are left out.")
@click.option("--after", default=0, help="Go on after the person with this number.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, as `export` does; it is logged.")
@REASON
@JSON
@click.pass_context
def list_(
    context: click.Context,
    list_id: str,
    segment: str,
    rule: str,
    state: str | None,
    tag: str,
    sort: str | None,
    limit: int,
    page: int,
    after: int,
    as_csv: bool,
    reason: str,
    as_json_: bool,
) -> None:
    """List people: all, or those of a list, a segment, a rule, a state, a tag.

    Example: mailout subscribers list --rule "country = KZ and tag = unions" --sort -joined
    """
    site = read_site(context)
    if as_csv and as_json_:
        raise UsageError("--json and --csv exclude each other")
    if sort and after:
        raise UsageError("--after goes on in the order of numbers", fix="Use --page with --sort.")
    if page > 1 and not limit:
        raise UsageError("there is one page only with --limit 0")
    wanted = selected(list_id, segment, rule, state, tag)
    chosen = selecting.chosen(site, wanted)
    if as_csv or (as_json_ and chosen.sensitive):
        exporting.require_reason(chosen, reason)
    with opened(site) as store:
        found = list(
            people.listed(
                site, store, wanted, after, limit, sort=sort or "", skip=(page - 1) * limit
            )
        )
        if as_csv:
            with exporting.logged(store, chosen, Form.CSV, reason, _now) as log:
                exporting.write_people(store, found, chosen, sys.stdout.buffer, log)
                sys.stdout.flush()
            return
        if as_json_ and chosen.sensitive:
            with exporting.logged(store, chosen, Form.JSON, reason, _now) as log:
                log.rows = len(found)
    if as_json_:
        as_json([as_object(person) for person in found])
        return
    table(
        ["#no", "address", "name", "language", "country", "tags", "lists"],
        [
            (
                str(person.id),
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
        go_on = f"--page {page + 1}" if sort or page > 1 else f"--after {found[-1].id}"
        note(f"{limit} shown; go on with {go_on}, or see all with --limit 0.")


@click.command("show")
@click.argument("address")
@JSON
@click.pass_context
def show_(context: click.Context, address: str, as_json_: bool) -> None:
    """Show all that is known of one person, and why they did or did not get an issue.

    Example: mailout subscribers show anna@example.org
    """
    site = read_site(context)
    with opened(site) as store:
        record = people.show(site, store, address)
    if as_json_:
        as_json(
            as_object(record.person)
            | {
                "consents": [asdict(consent) for consent in record.consents],
                "suppressions": [asdict(one) for one in record.suppressions],
                "suppressed_domains": [
                    {"domain": one.domain, "list_id": one.list_id, "at": one.at}
                    for one in record.domains
                ],
                "deliveries": [
                    asdict(sent) | {"last_reply": sent.last_reply} for sent in record.deliveries
                ],
                "missed": [asdict(missed) for missed in record.missed],
                "events": [asdict(event) for event in record.events],
                "notes": [asdict(one) for one in record.notes],
                "imports": [
                    {
                        "import": run.id,
                        "list": run.list_id,
                        "file": run.file,
                        "at": run.at,
                        "did": did,
                    }
                    for run, did in record.imports
                ],
            }
        )
        return
    for line in story.told(record, lambda moment: local(moment, site)):
        say(line)


def as_object(person: Subscriber) -> dict[str, object]:
    """A person as commands print them in JSON."""
    return {
        "id": person.id,
        "address": person.address,
        "name": person.name,
        "language": person.language,
        "country": person.country,
        "tags": list(person.tags),
        "fields": dict(person.fields),
        "created_at": person.created_at,
        "bounce_paused_at": person.bounce_paused_at,
        "lists": [asdict(membership) for membership in person.memberships],
    }


def _now() -> datetime:
    return datetime.now(UTC)
