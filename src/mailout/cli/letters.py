"""`mailout letters`: the single mails that belong to no issue - confirmations, links, reports."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

import click

from mailout.cli.console import JSON, as_json, local, opened, read_site, say, table
from mailout.core.errors import TryLater
from mailout.store import letters


@click.group(name="letters")
def letters_command() -> None:
    """List and mail confirmations, links to settings, welcomes, reports."""


@letters_command.command("list")
@JSON
@click.pass_context
def list_(context: click.Context, as_json_: bool) -> None:
    """Count the letters by kind and state, and list those that fail, with the relay's words.

    No address is shown, and none is kept of a letter that has an end.

    Example: mailout letters list
    """
    site = read_site(context)
    with opened(site) as store, store.reading() as tx:
        counts = letters.counts(tx)
        failing = letters.failing(tx)
        oldest = letters.waiting(tx).since
    if as_json_:
        as_json(
            {
                "letters": [
                    {"kind": kind.value, "state": state.value, "number": number}
                    for (kind, state), number in sorted(counts.items())
                ],
                "failing": [asdict(one) for one in failing],
                "oldest_waits_since": oldest,
            }
        )
        return
    if not counts:
        say("No letter has been written.")
        return
    table(
        ["kind", "state", "#letters"],
        [(kind.value, state.value, number) for (kind, state), number in sorted(counts.items())],
    )
    if failing:
        say()
        table(
            ["written", "kind", "list", "state", "#tries", "next try", "what was said"],
            [
                (
                    local(one.created_at, site),
                    one.kind.value,
                    one.list_id,
                    one.state.value,
                    one.attempts,
                    local(one.next_at, site) if one.state.value == "queued" else "",
                    one.said,
                )
                for one in failing
            ],
        )


@letters_command.command("send")
@click.pass_context
def send(context: click.Context) -> None:
    """Mail the letters that are due, once: for cron, or to try again now.

    `mailout worker` and `mailout serve` do it every two seconds. Letters that were put off are
    tried now, too. Exit code 75 while no relay takes them.

    Example: mailout letters send
    """
    from mailout.cli.upkeep import post_once

    site = read_site(context)
    with opened(site) as store:
        with store.writing() as tx:
            letters.hasten(tx, datetime.now(UTC))
        came = post_once(site, store)
    if came.did:
        words = {"queued": "put off"}
        said = (f"{number} {words.get(state, state)}" for state, number in came.did.items())
        say(f"Letters: {', '.join(said)}.")
    elif not came.held:
        say("No letter is due.")
    if came.held:
        raise TryLater(f"held, no letter is lost: {came.held}", fix="The same command goes on.")
    if came.trouble:
        raise TryLater(f"a letter cannot be written: {came.trouble}", fix="It waits until then.")
