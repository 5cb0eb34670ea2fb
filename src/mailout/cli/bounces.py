"""`mailout bounces`: the bounce log - refusals and bounces in the servers' own words."""

from __future__ import annotations

import click

from mailout.cli.console import JSON, as_json, local, opened, read_site, say, table
from mailout.cli.issues import known_issue
from mailout.core.delivery import reply_line
from mailout.core.event import EventKind
from mailout.core.site import Site
from mailout.store import events
from mailout.store.engine import Store
from mailout.store.events import Event

FAILURES = (EventKind.REFUSED, EventKind.BOUNCED, EventKind.EXPIRED)


@click.group(name="bounces")
def bounces_command() -> None:
    """List refusals and bounces with the servers' own words."""


@bounces_command.command("list")
@click.option("--issue", help="Only of this issue.")
@click.option("--deferred", is_flag=True, help="Also what was put off and is tried again.")
@JSON
@click.pass_context
def list_(context: click.Context, issue: str | None, deferred: bool, as_json_: bool) -> None:
    """List what came back, the newest first: refused in the session, bounced, expired.

    Example: mailout bounces list --issue 2026-11-20-bulletin
    """
    site = read_site(context)
    kinds = (*FAILURES, EventKind.DEFERRED, EventKind.UNKNOWN) if deferred else FAILURES
    with opened(site) as store:
        issue_id = known_issue(store, issue).id if issue else 0
        found = bounce_log(store, issue_id, kinds)
    if as_json_:
        as_json([shown(event) for event in found])
        return
    if not found:
        say("Nothing has come back.")
        return
    print_log(found, site)


def bounce_log(
    store: Store, issue_id: int = 0, kinds: tuple[EventKind, ...] = FAILURES
) -> list[Event]:
    """The newest thousand entries of the bounce log."""
    with store.reading() as tx:
        return events.listed(tx, kinds, issue_id=issue_id)


def print_log(found: list[Event], site: Site) -> None:
    """Prints the entries as a table."""
    table(
        ["when", "address", "what", "reply", "issue"],
        [
            (
                local(event.at, site),
                event.address or "(erased)",
                event.kind.value,
                reply(event),
                event.issue or "",
            )
            for event in found
        ],
    )


def reply(event: Event) -> str:
    """The server's reply on one line: `550 5.1.1 no such person here`."""
    return reply_line(event.code, event.enhanced, event.text)


def shown(event: Event) -> dict[str, object]:
    """The keys are a contract: scripts read them."""
    return {
        "at": event.at,
        "kind": event.kind.value,
        "issue": event.issue,
        "address": event.address,
        "provider": event.provider,
        "code": event.code,
        "enhanced": event.enhanced,
        "text": event.text,
        "reply": reply(event),
    }
