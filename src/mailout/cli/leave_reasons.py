"""`mailout subscribers reasons`: why people left, as they said it."""

from __future__ import annotations

from collections import Counter

import click

from mailout.cli.console import JSON, as_json, opened, read_site, say, table
from mailout.core.leave_reason import LeaveReason
from mailout.preferences import leave_reasons

_WORDS = {
    LeaveReason.TOO_MANY: "too many mails",
    LeaveReason.NOT_EXPECTED: "not what they expected",
    LeaveReason.NEVER_JOINED: "never signed up",
    LeaveReason.CONTENT: "the content",
    LeaveReason.NOT_SAFE: "not safe for them",
    LeaveReason.OTHER: "something else",
}


@click.command("reasons")
@click.option("--list", "list_id", default="", help="Only of this list.")
@JSON
@click.pass_context
def reasons_(context: click.Context, list_id: str, as_json_: bool) -> None:
    """Count why people left, and show what they wrote. Nothing tells who it was.

    Example: mailout subscribers reasons --list bulletin
    """
    site = read_site(context)
    if list_id:
        site.list_named(list_id)
    with opened(site) as store:
        found = leave_reasons.listed(store, list_id)
    counts = Counter(one.reason for one in found)
    written = [one for one in found if one.words]
    if as_json_:
        as_json(
            {
                "counts": {reason.value: counts[reason] for reason in LeaveReason},
                "words": [
                    {
                        "day": one.at.date().isoformat(),
                        "list": one.list_id,
                        "reason": one.reason.value,
                        "words": one.words,
                    }
                    for one in written
                ],
            }
        )
        return
    if not found:
        say("Nobody said why.")
        return
    table(["#people", "reason"], [(counts[one], _WORDS[one]) for one in _WORDS if counts[one]])
    if written:
        say("")
        table(
            ["day", "list", "reason", "in their words"],
            [
                (one.at.date().isoformat(), one.list_id, _WORDS[one.reason], one.words)
                for one in written
            ],
        )
