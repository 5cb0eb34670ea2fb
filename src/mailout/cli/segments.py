"""`mailout segments`: which there are, and who is in one."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

import click

from mailout.cli.console import JSON, as_json, opened, read_site, say, table
from mailout.cli.subscribers_people import REASON
from mailout.core.errors import UsageError
from mailout.core.site import Site
from mailout.roster import exporting, segments, selecting
from mailout.roster.exporting import Form
from mailout.roster.segments import Asked, Count, Explanation

_SAMPLE = 10
_SIGNS = frozenset("=<>()")  # which no segment's name has


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
        as_json([_as_object(count, str(count.segment)) for count in found])
        return
    table(
        ["segment", "rule", "#mailed now", "#left out"],
        [(c.segment, c.rule, c.mailed, sum(c.left_out.values())) for c in found],
    )


@segments_command.command("show")
@click.argument("name", required=False)
@click.option("--rule", metavar="RULE", help="A rule to try, in place of a segment's name.")
@click.option("--list", "list_id", default="", metavar="NAME", help="The list that --rule is of.")
@click.option("--count", "only_count", is_flag=True, help="Only how many an issue would go to.")
@click.option(
    "--sample",
    type=click.IntRange(1, 1000),
    is_flag=False,
    flag_value=_SAMPLE,
    help=f"So many people, picked by chance; without a number {_SAMPLE}.",
)
@click.option("--explain", is_flag=True, help="The rule in words, its parts with their people.")
@REASON
@JSON
@click.pass_context
def show(
    context: click.Context,
    name: str | None,
    rule: str | None,
    list_id: str,
    only_count: bool,
    sample: int | None,
    explain: bool,
    reason: str,
    as_json_: bool,
) -> None:
    """Show a segment: its rule, who an issue would go to now, and who is left out and why.

    With --rule it shows the same of a rule that is not written down yet.

    \b
    Example: mailout segments show bulletin/unions --sample 5 --explain
             mailout segments show --rule "tag = unions and language in (ru, kk)" --count
    """
    site = read_site(context)
    asked = _asked(site, name, rule, list_id)
    chosen = selecting.of(site, asked)
    to_log = bool(sample and as_json_ and chosen.sensitive)
    if to_log:
        exporting.require_reason(chosen, reason)
    with opened(site) as store:
        count = segments.count_of(site, store, asked)
        people = segments.sample_of(site, store, asked, sample) if sample else []
        explanation = segments.explain_rule(site, store, asked) if explain else None
        if to_log:
            with exporting.logged(store, chosen, Form.JSON, reason, _now) as log:
                log.rows = len(people)
    if as_json_:
        value = _as_object(count, str(count.segment) if asked.name else None)
        if sample:
            value["sample"] = [person.address for person in people]
        if explanation:
            value["in_words"] = explanation.words
            value["explain"] = [asdict(step) for step in explanation.steps]
            value["found_by"] = explanation.found_by
        as_json(value)
        return
    if only_count:
        say(str(count.mailed))
    else:
        _print(count, asked)
    if people:
        table(
            ["address", "language", "tags"],
            [(person.address, person.language, " ".join(person.tags)) for person in people],
        )
    if explanation:
        _print_explanation(explanation)


def _asked(site: Site, name: str | None, rule: str | None, list_id: str) -> Asked:
    if (name is None) == (rule is None):
        raise UsageError("name a segment, or try a rule with --rule: one of the two")
    if rule is not None:
        return segments.written_down(site, rule, list_id)
    assert name is not None  # noqa: S101 - one of the two
    if _SIGNS & set(name):
        raise UsageError(
            f"`{name}` is a rule, and no segment's name", fix="Put --rule before it, to try it."
        )
    return segments.asked(site, segments.named(site, name, list_id))


def _print(count: Count, asked: Asked) -> None:
    say(f"{asked}: {count.rule}")
    people = "1 person" if count.matching == 1 else f"{count.matching} people"
    say(f"{people} on the list; an issue would go to {count.mailed} of them now.")
    rows = [(language or "(none)", number) for language, number in count.by_language.items()]
    rows += [(f"left out: {why}", number) for why, number in count.left_out.items()]
    if rows:
        table(["language", "#people"], rows)


def _print_explanation(explanation: Explanation) -> None:
    say(explanation.words)
    table(
        ["part of the rule", "#on the list"],
        [("  " * step.depth + step.text, step.count) for step in explanation.steps],
    )
    say("How the database finds them:")
    for line in explanation.found_by:
        say(f"  {line}")


def _as_object(count: Count, name: str | None) -> dict[str, object]:
    return {
        "segment": name,
        "rule": count.rule,
        "count": count.mailed,
        "matching": count.matching,
        "by_language": dict(count.by_language),
        "left_out": dict(count.left_out),
    }


def _now() -> datetime:
    return datetime.now(UTC)
