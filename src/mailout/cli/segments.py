"""`mailout segments`: which there are, and who is in one."""

from __future__ import annotations

from dataclasses import asdict

import click

from mailout.cli.console import JSON, as_json, opened, read_site, say, table
from mailout.roster import segments
from mailout.roster.segments import Count


@click.group(name="segments")
def segments_command() -> None:
    """List the segments and show who is in one.

    A segment is a rule of a list (lists/*.toml), evaluated anew at every send.

    Example: mailout segments show unions --explain
    """


@segments_command.command("list")
@JSON
@click.pass_context
def list_(context: click.Context, as_json_: bool) -> None:
    """List the segments with their rules, and how many people an issue would go to now.

    Example: mailout segments list
    """
    site = read_site(context)
    with opened(site) as store:
        found = segments.listing(site, store)
    if as_json_:
        as_json([_as_object(count) for count in found])
        return
    table(
        ["segment", "rule", "#mailed now", "#left out"],
        [(c.segment, c.rule, c.mailed, sum(c.left_out.values())) for c in found],
    )


@segments_command.command("show")
@click.argument("name")
@click.option("--count", "only_count", is_flag=True, help="Only how many an issue would go to.")
@click.option("--sample", type=click.IntRange(1, 1000), help="So many people, picked by chance.")
@click.option("--explain", is_flag=True, help="The rule's parts, each with its people.")
@JSON
@click.pass_context
def show(
    context: click.Context,
    name: str,
    only_count: bool,
    sample: int | None,
    explain: bool,
    as_json_: bool,
) -> None:
    """Show a segment: its rule, who an issue would go to now, and who is left out and why.

    Example: mailout segments show bulletin/unions --sample 5 --explain
    """
    site = read_site(context)
    segment = segments.named(site, name)
    with opened(site) as store:
        count = segments.count(site, store, segment)
        people = segments.sample(site, store, segment, sample) if sample else []
        steps = segments.explain(site, store, segment) if explain else []
    if as_json_:
        value = _as_object(count)
        if sample:
            value["sample"] = [person.address for person in people]
        if explain:
            value["explain"] = [asdict(step) for step in steps]
        as_json(value)
        return
    if only_count:
        say(str(count.mailed))
    else:
        _print(count)
    if people:
        table(
            ["address", "language", "tags"],
            [(person.address, person.language, " ".join(person.tags)) for person in people],
        )
    if steps:
        table(
            ["part of the rule", "#on the list"],
            [("  " * step.depth + step.text, step.count) for step in steps],
        )


def _print(count: Count) -> None:
    say(f"{count.segment}: {count.rule}")
    say(f"{count.matching} people on the list; an issue would go to {count.mailed} of them now.")
    rows = [(language or "(none)", number) for language, number in count.by_language.items()]
    rows += [(f"left out: {why}", number) for why, number in count.left_out.items()]
    if rows:
        table(["language", "#people"], rows)


def _as_object(count: Count) -> dict[str, object]:
    return {
        "segment": str(count.segment),
        "rule": count.rule,
        "count": count.mailed,
        "matching": count.matching,
        "by_language": dict(count.by_language),
        "left_out": dict(count.left_out),
    }
