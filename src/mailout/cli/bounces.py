"""`mailout bounces`: the bounce log - refusals and reports in the servers' own words, and why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import click

from mailout.cli import incoming
from mailout.cli.console import (
    JSON,
    as_json,
    counted,
    local,
    opened,
    past_moment,
    read_site,
    say,
    table,
)
from mailout.cli.issues import known_issue
from mailout.core.address import Address, BadAddress
from mailout.core.delivery import reply_line
from mailout.core.errors import MailoutError, UsageError
from mailout.core.event import EventKind
from mailout.core.inbound.category import Category
from mailout.core.site import Site
from mailout.core.standing import Health, Standing
from mailout.receive import judging
from mailout.store import bounces, people, records, rests, suppressions
from mailout.store.bounces import Asked, Bounce
from mailout.store.engine import Store
from mailout.store.suppressions import Held

FAILURES = (EventKind.REFUSED, EventKind.BOUNCED, EventKind.EXPIRED, EventKind.COMPLAINED)
_MORE = (
    EventKind.DEFERRED,
    EventKind.UNKNOWN,
    EventKind.DELAYED,
    EventKind.AUTO_REPLIED,
    EventKind.CHALLENGED,
    EventKind.LEFT,
    EventKind.PAUSED,
    EventKind.STOPPED,
    EventKind.LIFTED,
)

_ISSUE = click.option("--issue", help="Only of this issue.")
_PROVIDER = click.option("--provider", metavar="DOMAIN", help="Only of addresses there.")
_CATEGORY = click.option(
    "--category",
    "categories",
    multiple=True,
    type=click.Choice([one.value for one in Category]),
    help="Only for that reason; may be given more than once.",
)
_SINCE = click.option("--since", metavar="MOMENT", help="Only since then.")
_UNTIL = click.option("--until", metavar="MOMENT", help="Only before then.")


@click.group(name="bounces")
def bounces_command() -> None:
    """List what came back, with the servers' own words, and why; lift what was decided."""


@bounces_command.command("list")
@_ISSUE
@_PROVIDER
@_CATEGORY
@_SINCE
@_UNTIL
@click.option("--deferred", is_flag=True, help="Also what was put off and is tried again.")
@click.option("--all", "everything", is_flag=True, help="Also delays, leaves and decisions.")
@click.option("--limit", default=1000, show_default=True, type=click.IntRange(1, 1_000_000))
@JSON
@click.pass_context
def list_(
    context: click.Context,
    issue: str | None,
    provider: str | None,
    categories: tuple[str, ...],
    since: str | None,
    until: str | None,
    deferred: bool,
    everything: bool,
    limit: int,
    as_json_: bool,
) -> None:
    """List what came back, the newest first: refused in the session, bounced, expired, complained.

    \b
    Example:
      mailout bounces list --issue 2026-11-20-bulletin
      mailout bounces list --provider example.net --category blocked-policy
    """
    site = read_site(context)
    kinds: tuple[EventKind, ...] = FAILURES
    if deferred:
        kinds += (EventKind.DEFERRED, EventKind.UNKNOWN)
    if everything:
        kinds = FAILURES + _MORE
    with opened(site) as store:
        asked = _asked(store, site, kinds, issue, provider, categories, since, until)
        found = bounce_log(store, asked, limit)
    if as_json_:
        as_json([shown(one) for one in found])
        return
    if not found:
        say("Nothing has come back.")
        return
    print_log(found, site)


@bounces_command.command("show")
@click.argument("address")
@JSON
@click.pass_context
def show(context: click.Context, address: str, as_json_: bool) -> None:
    """Show all that came back from one ADDRESS, and how the address stands.

    Example: mailout bounces show anna@example.org
    """
    site = read_site(context)
    with opened(site) as store:
        incoming.look(site, store)
        with store.reading() as tx:
            person = people.find(tx, _key(site, address))
            if person is None:
                raise _nobody(address)
            standing = judging.standing_of(tx, site, person.id, datetime.now(UTC))
            held = suppressions.of_key(tx, person.address_key, ["", *site.lists])
        asked = Asked(FAILURES + _MORE, subscriber_id=person.id)
        found = bounce_log(store, asked, 1000)
    if as_json_:
        as_json(
            {
                "address": person.address,
                "standing": standing.health.value,
                "since": standing.since,
                "probe_from": standing.probe_from,
                "why": standing.why,
                "score": standing.score,
                "suppressed": _as_objects(held),
                "events": [shown(one) for one in found],
            }
        )
        return
    say(f"{person.address}: {_standing_words(standing, site)}")
    for one in held:
        where = f"the list {one.list_id}" if one.list_id else "all lists"
        say(f"  never mailed on {where} since {local(one.at, site)}: {one.reason}")
    if found:
        print_log(found, site)


def _as_objects(held: Sequence[Held]) -> list[dict[str, object]]:
    return [{"list": one.list_id or None, "reason": one.reason, "at": one.at} for one in held]


def _standing_words(standing: Standing, site: Site) -> str:
    """How an address stands, in words."""
    if standing.health is Health.STOPPED:
        return f"stopped since {local(standing.since, site)} ({standing.why}); it is mailed no more"
    if standing.health is Health.PAUSED:
        return (
            f"paused since {local(standing.since, site)} ({standing.why}); "
            f"an issue from {local(standing.probe_from, site)} on goes there as a probe"
        )
    score = f"; {counted(standing.score, 'soft failure')} in a row" if standing.score else ""
    return f"well{score}"


@bounces_command.command("stats")
@click.option(
    "--by",
    "by",
    multiple=True,
    type=click.Choice(list(bounces.BY)),
    default=("category",),
    show_default=True,
    help="What to count by; may be given more than once.",
)
@_ISSUE
@_PROVIDER
@_CATEGORY
@_SINCE
@_UNTIL
@JSON
@click.pass_context
def stats(
    context: click.Context,
    by: tuple[str, ...],
    issue: str | None,
    provider: str | None,
    categories: tuple[str, ...],
    since: str | None,
    until: str | None,
    as_json_: bool,
) -> None:
    """Count what came back, by reason, provider, issue, kind or day.

    \b
    Example:
      mailout bounces stats --by provider --by category --since 2026-11-01
    """
    site = read_site(context)
    by = tuple(dict.fromkeys(by))
    with opened(site) as store:
        incoming.look(site, store)
        asked = _asked(store, site, FAILURES, issue, provider, categories, since, until)
        with store.reading() as tx:
            found = bounces.counted(tx, asked, by)
            accepted = bounces.accepted(tx, asked)
    if as_json_:
        counts = [{**dict(zip(by, names, strict=True)), "count": number} for names, number in found]
        as_json({"accepted": accepted, "counts": counts})
        return
    if not found:
        say("Nothing has come back.")
        return
    faults = "category" in by
    rows: list[list[object]] = []
    for names, number in found:
        named = dict(zip(by, names, strict=True))
        fault = [_fault(named["category"])] if faults else []
        rows.append([*names, *fault, number, f"{number / max(accepted, 1):.2%}"])
    table([*by, *(["fault"] if faults else []), "#count", "#of accepted"], rows)


def _fault(category: str) -> str:
    return Category(category).fault.value if category else ""


@bounces_command.command("lift")
@click.argument("address")
@JSON
@click.pass_context
def lift(context: click.Context, address: str, as_json_: bool) -> None:
    """Make an ADDRESS well again that was paused or stopped for bounces: you know better.

    What came back by now is not counted any more. A complaint is not lifted: only a new sign-up of
    their own brings somebody back.

    Example: mailout bounces lift anna@example.org
    """
    site = read_site(context)
    with opened(site) as store, store.writing() as tx:
        person = people.find(tx, _key(site, address))
        if person is None:
            raise _nobody(address)
        lifted = records.lift(tx, person.id, datetime.now(UTC))
        held = suppressions.of_key(tx, person.address_key, ["", *site.lists])
    if not lifted:
        why = ", ".join(sorted({one.reason.value for one in held}))
        raise MailoutError(
            f"{person.address} was neither paused nor stopped for bounces",
            fix=f"It is never mailed for another reason: {why}." if held else "",
        )
    if as_json_:
        as_json({"address": person.address, "standing": "well", "suppressed": _as_objects(held)})
        return
    say(f"{person.address} is well again.")
    if held:
        reasons = ", ".join(sorted({one.reason.value for one in held}))
        say(f"  It is still never mailed, for another reason: {reasons}.")


@bounces_command.command("resume")
@click.argument("provider")
@JSON
@click.pass_context
def resume(context: click.Context, provider: str, as_json_: bool) -> None:
    """Let mail go on to a PROVIDER that rests, since it blocked us or had an outage.

    Example: mailout bounces resume example.net
    """
    site = read_site(context)
    now = datetime.now(UTC)
    with opened(site) as store, store.writing() as tx:
        ended = rests.end(tx, provider.lower(), now)
        resting = [one.provider for one in rests.listed(tx, now)]
    if not ended:
        raise MailoutError(
            f"`{provider}` does not rest",
            fix=f"These do: {', '.join(resting)}." if resting else "No provider does.",
        )
    if as_json_:
        as_json({"provider": provider.lower(), "resting": resting})
        return
    say(f"Mail goes on to {provider}, slowly at first.")


def _asked(
    store: Store,
    site: Site,
    kinds: tuple[EventKind, ...],
    issue: str | None,
    provider: str | None,
    categories: tuple[str, ...],
    since: str | None,
    until: str | None,
) -> Asked:
    return Asked(
        kinds=kinds,
        issue_id=known_issue(store, issue).id if issue else 0,
        domain=(provider or "").lower(),
        categories=categories,
        since=past_moment(since, site, "--since") if since else None,
        until=past_moment(until, site, "--until") if until else None,
    )


def _key(site: Site, address: str) -> str:
    try:
        return Address.parse(address).key(site.keys.address)
    except BadAddress as error:
        raise UsageError(f"`{address}`: {error}") from None


def _nobody(address: str) -> UsageError:
    return UsageError(f"nobody has the address {address}")


def bounce_log(store: Store, asked: Asked | None = None, limit: int = 1000) -> list[Bounce]:
    """The newest entries of the bounce log."""
    with store.reading() as tx:
        return bounces.listed(tx, asked or Asked(FAILURES), limit)


def print_log(found: Sequence[Bounce], site: Site) -> None:
    """Prints the entries as a table."""
    table(
        ["when", "address", "what", "why", "reply", "issue"],
        [
            (
                local(one.at, site),
                one.address or "(erased)",
                one.kind.value,
                one.category + ("" if one.counts else " (not counted)"),
                reply(one),
                one.issue or "",
            )
            for one in found
        ],
    )


def reply(one: Bounce) -> str:
    """The server's reply on one line: `550 5.1.1 no such person here`."""
    said = " ".join(one.text.split())
    return reply_line(one.code, one.enhanced if one.enhanced not in said else "", said)


def shown(one: Bounce) -> dict[str, object]:
    """The keys are a contract: scripts read them."""
    return {
        "at": one.at,
        "kind": one.kind.value,
        "issue": one.issue,
        "address": one.address,
        "provider": one.provider,
        "category": one.category or None,
        "fault": _fault(one.category) or None,
        "counts": one.counts,
        "code": one.code,
        "enhanced": one.enhanced,
        "text": one.text,
        "reply": reply(one),
        "inbound": one.inbound_id,
    }
