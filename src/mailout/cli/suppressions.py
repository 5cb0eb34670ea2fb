"""`mailout suppressions`: who is never mailed, by address or domain, and sharing that."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime

import click

from mailout.cli import console
from mailout.cli.console import JSON, as_json, local, note, opened, read_site, say, table
from mailout.cli.writing import write_lines
from mailout.config import keys
from mailout.core.errors import BadFile, MailoutError, UsageError
from mailout.core.partnership import NAME
from mailout.core.suppression import SuppressionReason
from mailout.roster import partners, suppressing

_REASONS = click.Choice([reason.value for reason in SuppressionReason])
_PARTNER = click.option("--partner", required=True, metavar="NAME", help="Whose secret it is.")


@click.group("suppressions")
def suppressions_command() -> None:
    """Say who is never mailed, by address or by domain, and share that without addresses.

    Example: mailout suppressions add boss@works.example.org --why "asked us to by phone"
    """


@suppressions_command.command("list")
@click.option("--list", "list_id", help="Only those of this list; `all`: only those of all lists.")
@click.option("--reason", type=_REASONS, help="Only those for this reason.")
@click.option("--limit", default=100, type=click.IntRange(0), help="At most so many; 0: all.")
@click.option("--after", default=0, help="Go on after the suppression with this number.")
@JSON
@click.pass_context
def list_(
    context: click.Context,
    list_id: str | None,
    reason: str | None,
    limit: int,
    after: int,
    as_json_: bool,
) -> None:
    """List suppressed domains and addresses. An address is shown only while somebody has it here;
    else there is nothing but its keyed hash.

    Example: mailout suppressions list --reason complained
    """
    site = read_site(context)
    with opened(site) as store:
        domains, addresses = suppressing.listed(
            site,
            store,
            list_id="" if list_id == "all" and "all" not in site.lists else list_id,
            reason=SuppressionReason(reason) if reason else None,
            after=after,
            limit=limit,
        )
    if as_json_:
        as_json(
            {
                "domains": [asdict(one) for one in domains],
                "addresses": [asdict(one) for one in addresses],
            }
        )
        return
    rows = [
        ("", f"@{one.domain}", one.list_id or "all", "by hand", one.evidence, local(one.at, site))
        for one in domains
    ]
    rows += [
        (
            str(one.id),
            one.address or f"(key {one.address_key[:8]}..)",
            one.list_id or "all",
            one.reason.value,
            one.evidence,
            local(one.at, site),
        )
        for one in addresses
    ]
    table(["#no", "who", "list", "reason", "evidence", "since"], rows)
    if limit and len(addresses) == limit:
        note(f"{limit} shown; go on with --after {addresses[-1].id}, or see all with --limit 0.")


@suppressions_command.command("add")
@click.argument("who", nargs=-1, required=True, metavar="ADDRESS|DOMAIN...")
@click.option("--list", "list_id", default="", help="On this list only; else on all.")
@click.option("--why", default="", help="Why, in your words; kept beside it.")
@click.pass_context
def add(context: click.Context, who: tuple[str, ...], list_id: str, why: str) -> None:
    """Never mail these addresses, or anybody in these domains, whatever an import says.

    What is queued for them is skipped. A domain does not cover those below it.

    Example: mailout suppressions add works.example.org --why "the employer reads along"
    """
    site = read_site(context)
    for word in who:
        suppressing.meant(site, word)  # all of them can be read, or none is written down
    with opened(site) as store:
        for word in who:
            new = suppressing.add(
                site, store, word, datetime.now(UTC), list_id=list_id, why=why.strip()
            )
            where = f"on the list `{list_id}`" if list_id else "on all lists"
            say(f"{word}: {'suppressed' if new else 'was suppressed already'} {where}.")


@suppressions_command.command("lift")
@click.argument("who", metavar="ADDRESS|DOMAIN")
@click.option("--list", "list_id", default="", help="The suppression of this list; else of all.")
@click.pass_context
def lift(context: click.Context, who: str, list_id: str) -> None:
    """Let an address or a domain be mailed again.

    It puts nobody on a list. Complaints and erasures cannot be lifted: only the person can end
    them, by signing up anew.

    Example: mailout suppressions lift works.example.org
    """
    site = read_site(context)
    with opened(site) as store:
        suppressing.lift(site, store, who, datetime.now(UTC), list_id)
    say(f"{who}: not suppressed {f'on the list `{list_id}`' if list_id else 'on all lists'} now.")


@suppressions_command.command("partner")
@click.argument("name", required=False)
@click.option("--take", is_flag=True, help="Take over the secret that they made; it is asked for.")
@click.option("--end", is_flag=True, help="Forget the secret, and all that came from them.")
@JSON
@click.pass_context
def partner(
    context: click.Context, name: str | None, take: bool, end: bool, as_json_: bool
) -> None:
    """Make a secret to share with one partner, take over theirs, or end it; else list partners.

    Both sides need the same secret, and no third one: give it to them over a channel that you
    trust, not by mail. docs/suppressions.md says what it lets them see.

    Example: mailout suppressions partner riverside
    """
    site = read_site(context)
    if name is None:
        if take or end:
            raise UsageError("it has to be said which partner", fix="Write a name.")
        with opened(site) as store:
            found = partners.listed(site, store)
        if as_json_:
            as_json([{**one._asdict(), "secret": one.name in site.keys.partners} for one in found])
            return
        has = site.keys.partners
        rows = [(one.name, one.hashes, "yes" if one.name in has else "no") for one in found]
        table(["partner", "#hashes from them", "secret"], rows)
        return
    if not NAME.fullmatch(name):
        raise UsageError(f"a partner cannot be called `{name}`: use a-z, 0-9 and hyphens")
    if end:
        with opened(site) as store:
            had = partners.forget(site, store, name)
        if not had and name not in site.keys.partners:
            raise partners.no_partner(site, name)
        keys.set_partner(site.root, name, "")
        say(f"{name}: the secret and all that came from them is gone.")
        return
    if name in site.keys.partners:
        raise MailoutError(
            f"there is a secret for `{name}` already, in keys.toml",
            fix=f"`mailout suppressions partner {name} --end` first, on both sides.",
        )
    secret = _typed_secret() if take else keys.fresh()
    keys.set_partner(site.root, name, secret)
    if take:
        say(f"{name}: the secret is in keys.toml.")
        return
    say(secret)
    note(
        f"That is the secret for {name}; it is in keys.toml. They type it into `mailout"
        " suppressions partner YOUR-NAME --take`. Whoever has it can try addresses on"
        " the files you exchange."
    )


def _typed_secret() -> str:
    typed = (
        click.prompt("The secret", hide_input=True, err=True)
        if console.at_terminal()
        else sys.stdin.readline()
    )
    text = str(typed).strip()
    keys.decoded(text, "the secret")
    return text


@suppressions_command.command("export")
@_PARTNER
@click.argument("file", type=click.Path(dir_okay=False))
@click.pass_context
def export(context: click.Context, partner: str, file: str) -> None:
    """Write whom you do not mail at all into a file of keyed hashes for one partner.

    No address, no reason and no name is in it. Erased people cannot be: their address is gone.

    Example: mailout suppressions export --partner riverside for-riverside.txt
    """
    site = read_site(context)
    with opened(site) as store:
        made = partners.export(site, store, partner)
        write_lines(made.lines, file)
    say(f"{file}: {_hashes(made.hashes)}.")
    for number, why in (
        (made.erased, "were erased: their addresses are gone, and nobody is told of them"),
        (made.unknown, "are suppressed by a hash alone: nobody is known by them here"),
    ):
        if number:
            note(f"{number} are not in it that {why}.")


@suppressions_command.command("import")
@_PARTNER
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.pass_context
def import_(context: click.Context, partner: str, file: str) -> None:
    """Take in a partner's file: nobody in it is mailed, now or when they come later.

    Who has signed up and confirmed here since is mailed all the same.

    Example: mailout suppressions import --partner riverside from-riverside.txt
    """
    site = read_site(context)
    with opened(site) as store, _lines_of(file) as lines:
        shown = "standard input" if file == "-" else file
        came = partners.take_in(site, store, partner, lines, shown, datetime.now(UTC))
    say(
        f"{_hashes(came.new)} that {'is' if came.new == 1 else 'are'} new;"
        f" suppressed here by all that came: {came.suppressed} more."
    )


def _hashes(number: int) -> str:
    return "1 hash" if number == 1 else f"{number} hashes"


@contextmanager
def _lines_of(file: str) -> Iterator[Iterator[str]]:
    """The lines of a file; no line of ours is longer than 100 characters."""
    if file == "-":
        yield _short(iter(sys.stdin.readline, ""), "standard input")
        return
    with open(file, encoding="ascii", errors="replace") as source:
        yield _short(iter(lambda: source.readline(1000), ""), file)


def _short(lines: Iterator[str], file: str) -> Iterator[str]:
    for line in lines:
        if len(line) > 100:
            raise BadFile("a line is too long for a file of hashes", where=file)
        yield line
