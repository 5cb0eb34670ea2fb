"""`mailout subscribers frequency`, `pause`, `resume`: how often a reader gets mail of a list."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import click

from mailout.cli.console import opened, read_site, say
from mailout.cli.publishing import only_list
from mailout.core.errors import UsageError
from mailout.core.frequency import Frequency
from mailout.core.site import Site
from mailout.roster import choices

EVERY = "every"
_WORDS = {
    Frequency.EVERY: "every issue",
    Frequency.WEEKLY: "a weekly digest, and urgent issues at once",
    Frequency.MONTHLY: "a monthly digest, and urgent issues at once",
    Frequency.URGENT: "urgent issues only",
}
_LIST = click.option(
    "--list", "list_id", help="The mailing list; needed only if there are several."
)


@click.command("frequency")
@click.argument("address")
@click.argument("often", type=click.Choice([str(one) or EVERY for one in Frequency]))
@_LIST
@click.pass_context
def frequency_(context: click.Context, address: str, often: str, list_id: str | None) -> None:
    """Set how often a reader gets mail of a list.

    every (issue), weekly or monthly (a digest of what was sent, and what is urgent at once),
    urgent (urgent issues only).

    Example: mailout subscribers frequency anna@example.org weekly
    """
    site = read_site(context)
    mailing_list = only_list(site, list_id)
    chosen = Frequency("" if often == EVERY else often)
    with opened(site) as store:
        choices.set_frequency(site, store, address, mailing_list.id, chosen)
    say(f"{address} gets of `{mailing_list.id}`: {_WORDS[chosen]}.")


@click.command("pause")
@click.argument("address")
@_LIST
@click.option("--until", metavar="DAY", help="The day on which mail begins again: 2026-12-24.")
@click.pass_context
def pause_(context: click.Context, address: str, list_id: str | None, until: str | None) -> None:
    """Send a reader nothing of a list, until a day or until `resume`.

    Example: mailout subscribers pause anna@example.org --until 2026-12-24
    """
    site = read_site(context)
    mailing_list = only_list(site, list_id)
    now = datetime.now(UTC)
    ends = None if until is None else _beginning(until, site, now)
    with opened(site) as store:
        choices.pause(site, store, address, mailing_list.id, ends, now)
    how_long = f"until {until}" if until else "until `mailout subscribers resume`"
    say(f"{address} gets nothing of `{mailing_list.id}` {how_long}.")


@click.command("resume")
@click.argument("address")
@_LIST
@click.pass_context
def resume_(context: click.Context, address: str, list_id: str | None) -> None:
    """Let a reader who paused a list get its mail again.

    Example: mailout subscribers resume anna@example.org
    """
    site = read_site(context)
    mailing_list = only_list(site, list_id)
    with opened(site) as store:
        choices.resume(site, store, address, mailing_list.id, datetime.now(UTC))
    say(f"{address} gets mail of `{mailing_list.id}` again.")


def _beginning(text: str, site: Site, now: datetime) -> datetime:
    """The beginning of that day where the site is. Raises: UsageError for no day to come."""
    try:
        day = date.fromisoformat(text.strip())
        begins = datetime.combine(day, time(), ZoneInfo(site.identity.timezone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(f"`{text}` is no day", where="--until", fix="Write 2026-12-24.") from None
    if begins <= now:
        raise UsageError(f"`{text}` has begun already", where="--until", fix="Name a day to come.")
    return begins
