"""`mailout subscribers ask-pending`: have people confirm whom a file called pending."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

import click

from mailout.cli.asking import ask_for_count
from mailout.cli.console import JSON, as_json, note, opened, read_site, say
from mailout.cli.publishing import only_list
from mailout.preferences import asking

_MOST = 500


@click.command("ask-pending")
@click.option("--list", "list_id", help="The mailing list; needed only if there are several.")
@click.option("--most", type=click.IntRange(1), default=_MOST, show_default=True,
              help="How many to ask now; call it again for the next ones.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Count who would be asked; write nothing.")
@click.option("--yes", is_flag=True, help="Do not ask for the count.")
@JSON
@click.pass_context
def ask_pending(
    context: click.Context,
    list_id: str | None,
    most: int,
    dry_run: bool,
    yes: bool,
    as_json_: bool,
) -> None:
    """Mail a confirmation link to people who are pending, such as those a file called that.

    Who does not answer stays pending and gets nothing else. Suppressed addresses are left out, and
    so is whoever got such a letter in the last 37 days. `serve`, `worker` or `mailout letters send`
    mails the letters.

    \b
    Example: mailout subscribers ask-pending --list bulletin --dry-run
             mailout subscribers ask-pending --list bulletin
    """
    site = read_site(context)
    mailing_list = only_list(site, list_id)
    now = datetime.now(UTC)
    with opened(site) as store:
        chosen = asking.choose(site, store, mailing_list, now, most)
        total, asked = len(chosen.people), 0
        note(f"Pending on `{mailing_list.id}`: {total} can be asked to confirm.")
        for why, number in sorted(chosen.left_out.items()):
            note(f"Left out, {why}: {number}.")
        if chosen.more:
            note(f"Another {chosen.more} can be asked after them (--most).")
        if total and not dry_run:
            if not yes:
                ask_for_count(total, "ask them", "nobody was asked")
            asked = asking.ask(site, store, mailing_list, chosen, now, secrets.token_bytes)
    if as_json_:
        found = {"can_be_asked": total, "asked": asked, "left_out": chosen.left_out}
        as_json({"list": mailing_list.id, **found, "more": chosen.more, "dry_run": dry_run})
    elif dry_run:
        say(f"{total} would be asked.")
    else:
        say(f"{asked} asked to confirm.")
