"""`mailout consent`: the evidence of who agreed to what."""

from __future__ import annotations

import json
from pathlib import Path

import click

from mailout.cli.console import JSON, as_json, local, opened, read_site, say, table
from mailout.core.errors import MailoutError, UsageError
from mailout.roster import proof


@click.group(name="consent")
def consent_command() -> None:
    """Show how people agreed, check that nobody has changed it, and hand it on.

    Each list has a chain of evidence that is only ever added to. It names people by number and
    keyed hash, so that it holds after an erasure, too.
    """


@consent_command.command("show")
@click.argument("address")
@JSON
@click.pass_context
def show(context: click.Context, address: str, as_json_: bool) -> None:
    """Show all evidence about an address: what, when, in which words, by which page or file.

    Example: mailout consent show anna@example.org
    """
    site = read_site(context)
    with opened(site) as store:
        found = proof.of_address(site, store, address)
    if as_json_:
        as_json([proof.as_plain(link) for link in found])
        return
    if not found:
        say("There is no evidence about this address.")
        return
    table(
        ["at", "list", "no.", "what", "by", "in", "words", "version"],
        [
            (
                local(link.consent.at, site),
                link.consent.list_id,
                link.number,
                link.consent.action,
                link.consent.source,
                link.consent.language,
                link.consent.wording,
                proof.version(link.consent.wording),
            )
            for link in found
        ],
    )


@consent_command.command("verify")
@click.option("--list", "list_id", default="", help="One list's chain; else all.")
@JSON
@click.pass_context
def verify(context: click.Context, list_id: str, as_json_: bool) -> None:
    """Check every link of the chains. Exit code 1 if one was changed or taken out.

    Keep the last number and hash somewhere else: they show later that no end was cut off.

    Example: mailout consent verify
    """
    site = read_site(context)
    with opened(site) as store:
        found = proof.checked(store, list_id)
    if as_json_:
        as_json(
            [
                {"list": name, "links": one.links, "last_hash": one.last_hash,
                 "broken_at": one.broken_at}
                for name, one in found.items()
            ]
        )  # fmt: skip
    else:
        for name, one in found.items():
            end = f"broken at number {one.broken_at}" if one.broken_at else "all of it holds"
            say(f"{name}: {one.links:,} links, {end}; last {one.last_hash}")
        if not found:
            say("There is no evidence yet.")
    if broken := [name for name, one in found.items() if one.broken_at]:
        raise MailoutError(
            f"the chain of `{broken[0]}` was changed by something else than mailout",
            fix="Compare it with a backup: `mailout consent export` of both.",
        )


@consent_command.command("export")
@click.option("--list", "list_id", required=True, help="The list whose chain is written.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Else to the screen.")
@click.pass_context
def export(context: click.Context, list_id: str, out: Path | None) -> None:
    """Write a list's chain, one JSON object a line, for an auditor: no address is in it.

    Example: mailout consent export --list bulletin --out consent.jsonl
    """
    site = read_site(context)
    if out is not None and out.exists():
        raise UsageError("there is such a file already", where=str(out), fix="Name another.")
    with opened(site) as store:
        lines = (
            json.dumps(one, ensure_ascii=False) + "\n" for one in proof.exported(store, list_id)
        )
        if out is None:
            for line in lines:
                click.echo(line, nl=False)
            return
        with out.open("x", encoding="utf-8") as file:
            count = sum(1 for line in lines if file.write(line))
    say(f"{count:,} links written to {out}.")
