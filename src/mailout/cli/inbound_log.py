"""`mailout inbound list|show|process|replay`: the mails that came in, and what was made of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator

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
from mailout.core.arrival import FoundBy
from mailout.core.errors import MailoutError, UsageError
from mailout.core.inbound.category import Kind
from mailout.core.site import Site
from mailout.receive.processing import Done
from mailout.store import bounces, inbound
from mailout.store.inbound import Listed

_WHOSE = {
    FoundBy.RETURN_PATH: "it came back to a return path of ours",
    FoundBy.TOKEN: "a return path of ours stands in it",
    FoundBy.MESSAGE_ID: "it names a mail of ours and its reader",
    FoundBy.PROVIDER: "a provider tells of its reader, whom we mailed through it lately",
    FoundBy.LINK: "what one leaves by stands in it: that may leave the list, and do nothing else",
    FoundBy.WORDS: "it only names the reader: that proves nothing, and changed nothing",
    FoundBy.FORGED: "it came to a return path that is not ours: a forgery, which changed nothing",
    FoundBy.NOBODY: "nothing in it tells",
}


@click.command("list")
@click.option("--kind", type=click.Choice([kind.value for kind in Kind]), help="Only of that kind.")
@click.option("--since", metavar="MOMENT", help="Only what came in since then.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 100_000))
@JSON
@click.pass_context
def list_command(
    context: click.Context, kind: str | None, since: str | None, limit: int, as_json_: bool
) -> None:
    """List the mails that came in, the newest first: what each is, and whom it is about.

    Example: mailout inbound list --kind reply
    """
    site = read_site(context)
    with opened(site) as store, store.reading() as tx:
        begun = past_moment(since, site, "--since") if since else None
        found = inbound.listed(tx, kind=kind or "", since=begun, limit=limit)
        waiting = inbound.count_new(tx)
    if as_json_:
        as_json([shown(one) for one in found])
        return
    if not found:
        say("Nothing has come in.")
        return
    table(
        ["#number", "when", "by", "what", "about", "subject"],
        [
            (
                one.id,
                local(one.came_at, site),
                one.source,
                _what(one),
                one.address or ("(nobody)" if one.done_at else ""),
                one.said,
            )
            for one in found
        ],
    )
    if waiting:
        say(f"{waiting} not looked at yet: `mailout inbound process` does.")


@click.command("show")
@click.argument("number", type=int)
@click.option("--raw", is_flag=True, help="Print the mail itself.")
@JSON
@click.pass_context
def show_command(context: click.Context, number: int, raw: bool, as_json_: bool) -> None:
    """Show one of the mails that came in: what was made of it, or the mail itself.

    \b
    Example:
      mailout inbound show 7 --raw
    """
    if raw and as_json_:
        raise UsageError("--raw prints the mail itself, which is no JSON", fix="Leave one out.")
    site = read_site(context)
    with opened(site) as store, store.reading() as tx:
        one = _known(inbound.listed(tx, id_=number, limit=1), number)
        kept = inbound.raw(tx, number) if raw else None
    if raw:
        if kept is None:
            raise MailoutError(
                f"mail {number} itself is not kept any more",
                fix="`keep_days` of [inbound] says for how long mails are.",
            )
        sys.stdout.buffer.write(kept)
        return
    if as_json_:
        as_json(shown(one))
        return
    for line in _told(one, site):
        say(line)


def _known(found: list[Listed], number: int) -> Listed:
    if not found:
        raise UsageError(
            f"no mail {number} came in", fix="`mailout inbound list` shows their numbers."
        )
    return found[0]


def _told(one: Listed, site: Site) -> Iterator[str]:
    yield f"Mail {one.id} of {local(one.came_at, site)}, by {one.source}, {one.size:,} bytes"
    if one.said:
        yield f"  subject: {one.said}"
    if one.sender or one.recipient:
        yield f"  envelope: from {one.sender or '<>'} to {one.recipient or '(not told)'}"
    if one.done_at is None:
        yield "  It was not looked at yet: `mailout inbound process` does."
        return
    yield f"  It is {_what(one)}."
    of = f", and {one.issue}" if one.issue else ""
    yield f"  It is about {one.address or 'nobody we know'}{of}: {_WHOSE[FoundBy(one.found_by)]}."
    for report in one.reports:
        said = report["diagnostic"] or report["status"] or ""
        yield f"  {report['recipient'] or '(no name)'}: {report['category']}  {said}"
    if not one.is_kept:
        yield "  The mail itself is not kept any more."


@click.command("process")
@JSON
@click.pass_context
def process_command(context: click.Context, as_json_: bool) -> None:
    """Look at all that came in and was not looked at, and do what it asks for.

    `mailout worker` and `mailout serve` do this by themselves.

    Example: mailout inbound process
    """
    site = read_site(context)
    with opened(site) as store:
        done = incoming.look(site, store)
    if as_json_:
        as_json(_as_object(done))
        return
    _say(done)


@click.command("replay")
@click.argument("numbers", nargs=-1, type=int)
@click.option("--all", "everything", is_flag=True, help="All that is kept, and all refusals.")
@JSON
@click.pass_context
def replay_command(
    context: click.Context, numbers: tuple[int, ...], everything: bool, as_json_: bool
) -> None:
    """Look at mails once more, as if they had just come in: after a change of the rules, say.

    What follows from them is judged anew, and nothing is done twice. With --all refusals in the
    session are read once more, too.

    \b
    Example:
      mailout inbound replay 7
      mailout inbound replay --all
    """
    if bool(numbers) == everything:
        what = "say either numbers or --all, not both" if numbers else "say which mails, or --all"
        raise UsageError(what, fix="Example: mailout inbound replay 7")
    site = read_site(context)
    with opened(site) as store:
        incoming.look(site, store)
        with store.writing() as tx:
            for number in numbers:
                _known(inbound.listed(tx, id_=number, limit=1), number)
            again = inbound.again(tx, None if everything else numbers)
            refusals = bounces.unjudge(tx) if everything else 0
        if not as_json_:
            what = f"{counted(again, 'mail')} and {counted(refusals, 'refusal')}"
            say(f"{what} to look at once more.")
        done = incoming.look(site, store)
    if as_json_:
        as_json({"mails": again, "refusals": refusals, **_as_object(done)})
        return
    _say(done)


def _as_object(done: Done) -> dict[str, object]:
    """The keys are a contract: scripts read them."""
    return {"kinds": dict(done.kinds), "standings": dict(done.standings)}


def _say(done: Done) -> None:
    say(f"Looked at: {incoming.kinds(done) or 'nothing'}.")
    if words := incoming.standings(done):
        say(f"Addresses: {words}.")


def _what(one: Listed) -> str:
    if one.done_at is None:
        return "(not looked at)"
    categories = dict.fromkeys(str(report["category"]) for report in one.reports)
    told = ", ".join(name for name in categories if name != one.kind)
    return f"{one.kind} ({told})" if told and one.kind == Kind.BOUNCE else one.kind


def shown(one: Listed) -> dict[str, object]:
    """The keys are a contract: scripts read them."""
    return {
        "id": one.id,
        "at": one.came_at,
        "source": one.source,
        "kind": one.kind or None,
        "looked_at": one.done_at,
        "found_by": one.found_by or None,
        "address": one.address,
        "issue": one.issue,
        "subject": one.said,
        "sender": one.sender,
        "recipient": one.recipient,
        "size": one.size,
        "kept": one.is_kept,
        "reports": list(one.reports),
    }


COMMANDS = (list_command, show_command, process_command, replay_command)
