"""`mailout deliveries`: one person a line, with the last words of the server; and settling one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import click

from mailout.cli.console import JSON, as_json, opened, read_site, say, table
from mailout.cli.issues import known_issue
from mailout.core.address import Address, BadAddress
from mailout.core.delivery import DeliveryState
from mailout.core.errors import MailoutError, UsageError
from mailout.core.site import Site
from mailout.core.token import message_id
from mailout.send import control
from mailout.store import deliveries
from mailout.store.deliveries import Listed
from mailout.store.engine import Store


@click.group(name="deliveries")
def deliveries_command() -> None:
    """List the deliveries of an issue, one person a line; settle unknown ones."""


@deliveries_command.command("list")
@click.argument("issue")
@click.option(
    "--state",
    type=click.Choice([state.value for state in DeliveryState]),
    help="Only those in this state.",
)
@JSON
@click.pass_context
def list_(context: click.Context, issue: str, state: str | None, as_json_: bool) -> None:
    """List ISSUE's deliveries: address, state, attempts, and the server's last reply.

    Example: mailout deliveries list 2026-11-20-bulletin --state refused
    """
    site = read_site(context)
    with opened(site) as store:
        found = known_issue(store, issue)
        wanted = DeliveryState(state) if state else None
        rows = list(_all(store, found.id, wanted))
    if as_json_:
        as_json([_shown(site, found.id, row) for row in rows])
        return
    table(
        ["address", "state", "#attempts", "last reply"],
        [
            (row.address or "(erased)", row.state.value, row.attempts, row.reason or row.last_reply)
            for row in rows
        ],
    )


def _all(store: Store, issue_id: int, state: DeliveryState | None) -> Iterator[Listed]:
    """Page by page, so that no reader keeps the writers' log from being checkpointed."""
    after = 0
    while True:
        with store.reading() as tx:
            page = deliveries.listed(tx, issue_id, state, after)
        if not page:
            return
        yield from page
        after = page[-1].id


def _shown(site: Site, issue_id: int, row: Listed) -> dict[str, object]:
    """The keys are a contract: scripts read them."""
    domain = site.identity.message_id_domain
    return {
        "address": row.address,
        "state": row.state.value,
        "reason": row.reason,
        "attempts": row.attempts,
        "language": row.language,
        "message_id": message_id(site.keys.message_id, issue_id, row.address_key, domain),
        "last_reply": row.last_reply,
        "next_at": row.next_at if row.state is DeliveryState.QUEUED else None,
        "ended_at": row.ended_at,
    }


@deliveries_command.command("resolve")
@click.argument("issue")
@click.argument("address")
@click.option("--arrived", "arrived", flag_value=True, type=bool, default=None,
              help="The reader has it: it counts as accepted.")  # fmt: skip
@click.option("--again", "arrived", flag_value=False, type=bool,
              help="Send it again, with the same Message-ID.")  # fmt: skip
@click.pass_context
def resolve(context: click.Context, issue: str, address: str, arrived: bool | None) -> None:
    """Settle a delivery of ISSUE whose end is unknown.

    It ended so because a connection or a sender died with the message on the wire, and its
    retries are used up, or `unknown = "hold"` leaves all of them to you.

    Example: mailout deliveries resolve 2026-11-20-bulletin anna@example.org --arrived
    """
    site = read_site(context)
    if arrived is None:
        raise UsageError("did it arrive?", fix="Add --arrived or --again.")
    try:
        key = Address.parse(address).key(site.keys.address)
    except BadAddress as error:
        raise UsageError(f"`{address}`: {error}") from None
    with opened(site) as store:
        found = known_issue(store, issue)
        if not control.resolve(store, found, key, arrived, datetime.now(UTC)):
            raise MailoutError(
                f"no delivery of {found.name} to {address} has an unknown end",
                fix=f"`mailout deliveries list {found.name} --state unknown` shows those.",
            )
    if arrived:
        say("It counts as accepted.")
    else:
        say("It is queued again: a running worker, or the next `mailout send`, sends it.")
