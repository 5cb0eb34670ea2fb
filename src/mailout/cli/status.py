"""`mailout status`: what was sent, what is under way, what is held, who is mailed slower; what came
back, letters that wait, and alerts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click

from mailout.cli.console import JSON, as_json, local, opened, read_site, say, table
from mailout.cli.issues import known_issue
from mailout.cli.reports import (
    alert_report,
    alert_words,
    inbound_report,
    inbound_words,
    issue_report,
    leaving_out,
    letters_report,
    letters_words,
    slowed_report,
    slowed_words,
)
from mailout.core.site import Site
from mailout.store import issues, restored
from mailout.store.engine import Tx


@click.command(name="status")
@click.argument("issue", required=False)
@JSON
@click.pass_context
def status_command(context: click.Context, issue: str | None, as_json_: bool) -> None:
    """Show what became of ISSUE (or the newest), person by person counted, and its sends.

    Example: mailout status 2026-11-20-bulletin --json
    """
    site = read_site(context)
    with opened(site) as store:
        if issue is None:
            with store.reading() as tx:
                known = issues.newest_first(tx)
                around = _around(tx, datetime.now(UTC))
            if not known:
                if as_json_:
                    as_json({"issue": None, "deliveries": {}, "dispatches": [], **around})
                else:
                    _say_unsettled(around)
                    say("No issue has been compiled yet.")
                    _say_around(around, site)
                return
            found = known[0]
        else:
            found = known_issue(store, issue)
        with store.reading() as tx:
            report = issue_report(tx, found)
            around = _around(tx, datetime.now(UTC))
    if as_json_:
        as_json({**report, **around})
        return
    _say_unsettled(around)
    say(f"{found.name} of the list {found.list_id}: {found.state.value}")
    counts = {state: n for state, n in report["deliveries"].items() if n}
    if counts:
        table(["state", "#deliveries"], counts.items())
    for dispatch in report["dispatches"]:
        line = f"  to {dispatch['segment']}: {dispatch['state']}"
        begun = any(dispatch["deliveries"].values())
        if dispatch["at"] and not begun and dispatch["state"] in ("queued", "paused"):
            line += f" (scheduled for {local(dispatch['at'], site)})"
        if dispatch["held_why"]:
            line += f" - {dispatch['held_why']}"
        if dispatch["left_out"]:
            line += f" (left out: {leaving_out(dispatch['left_out'])})"
        say(line)
    _say_around(around, site)


def _around(tx: Tx, now: datetime) -> dict[str, Any]:
    """What is told with any issue, since it is of none."""
    return {
        "restored_from": restored.since(tx),
        "slow_providers": slowed_report(tx, now),
        "inbound": inbound_report(tx, now),
        "letters": letters_report(tx),
        "alerts": alert_report(tx, now),
    }


def _say_unsettled(around: Mapping[str, Any]) -> None:
    """Prints first of all why nothing is sent, where a restore has to be looked at."""
    if made_at := around["restored_from"]:
        what = restored.unsettled(made_at)
        say(f"{what[0].upper()}{what[1:]}. {restored.TO_SETTLE}\n")


def _say_around(around: Mapping[str, Any], site: Site) -> None:
    for one in around["slow_providers"]:
        say(f"  {slowed_words(one, site)}")
    for line in inbound_words(around["inbound"], site):
        say(f"  {line}")
    if around["letters"]["waiting"]:
        say(f"  {letters_words(around['letters'], datetime.now(UTC))}")
    for one in around["alerts"]:
        say(f"  {alert_words(one, site)}")
