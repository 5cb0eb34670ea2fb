"""`mailout pause`, `resume`, `cancel` and `resend`: a hand on what is being sent."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType

import click

from mailout.cli import console, sending
from mailout.cli.console import JSON, as_json, note, opened, read_site, say
from mailout.cli.endings import exit_code
from mailout.cli.issues import known_issue
from mailout.cli.reports import issue_report, state_counts
from mailout.core.delivery import DeliveryState
from mailout.core.errors import MailoutError, UsageError
from mailout.core.site import Site
from mailout.send import control
from mailout.store import deliveries, issues
from mailout.store.dispatches import Dispatch
from mailout.store.engine import Store
from mailout.store.issues import Issue

_SENDERS_NEED = 2.0  # seconds: they look twice a second, and finish what is on the wire
_LOOK_AGAIN = 0.1
_SEGMENT = click.option("--segment", default="", help="Only the send to this segment.")


@click.command(name="pause")
@click.argument("issue")
@_SEGMENT
@JSON
@click.pass_context
def pause_command(context: click.Context, issue: str, segment: str, as_json_: bool) -> None:
    """Let the sending of ISSUE rest, within a second, wherever it is being sent from.

    What is on the wire is finished; everybody else stays queued until `mailout resume`.

    Example: mailout pause 2026-11-20-bulletin
    """
    site = read_site(context)
    with opened(site) as store:
        found = known_issue(store, issue)
        changed, resting = control.pause(store, found, _segment(site, found, segment))
        said = {one.id: "was paused already" for one in resting}
        _show(store, found, [*changed, *resting], "paused", as_json_, said)


@click.command(name="resume")
@click.argument("issue")
@_SEGMENT
@JSON
@click.pass_context
def resume_command(context: click.Context, issue: str, segment: str, as_json_: bool) -> None:
    """Let a paused or held ISSUE go on: by a running worker, or the next `mailout send`.

    Example: mailout resume 2026-11-20-bulletin
    """
    site = read_site(context)
    with opened(site) as store:
        found = known_issue(store, issue)
        now = datetime.now(UTC)
        changed = control.resume(store, found, _segment(site, found, segment), now)
        _show(store, found, changed, "may go on", as_json_)


@click.command(name="cancel")
@click.argument("issue")
@_SEGMENT
@click.option("--yes", is_flag=True, help="Do not ask.")
@JSON
@click.pass_context
def cancel_command(
    context: click.Context, issue: str, segment: str, yes: bool, as_json_: bool
) -> None:
    """Call off what is not sent yet of ISSUE.

    Who has it keeps it; the others can be reached by `mailout resend ISSUE --cancelled`. If
    nobody has it and no segment is named, the issue is cancelled as a whole, for good, and
    its posts are free for another.

    Example: mailout cancel 2026-11-20-bulletin --yes
    """
    site = read_site(context)
    with opened(site) as store:
        found = known_issue(store, issue)
        only = _segment(site, found, segment)
        if not yes:
            if not console.at_terminal():
                raise UsageError("nobody is there to be asked", fix="Add --yes in scripts.")
            if not click.confirm(f"Call off {found.name}?", err=True):
                raise MailoutError("nothing was called off")
        changed = control.cancel(store, found, only, datetime.now(UTC))
        settled = _wait_for_senders(store, found, whole=not only)
        if not as_json_:
            with store.reading() as tx:
                counts = [deliveries.count(tx, dispatch_id=one.id) for one in changed]
            called_off = sum(one.get(DeliveryState.CANCELLED, 0) for one in counts)
            say(f"{called_off} deliveries were called off.")
        _show(store, found, changed, "cancelled", as_json_)
        if not settled:
            note(
                "A sender still has some on the wire: these counts may change. "
                f"`mailout status {found.name}` shows what became of them."
            )


def _wait_for_senders(store: Store, issue: Issue, *, whole: bool) -> bool:
    """Whether no sender holds anything any more of what was called off; waits for that."""
    ends = time.monotonic() + _SENDERS_NEED
    while True:
        with store.writing() as tx:
            if control.settle_cancelled(tx, issue.id, datetime.now(UTC), whole=whole):
                return True
        if time.monotonic() > ends:
            return False
        time.sleep(_LOOK_AGAIN)


@click.command(name="resend")
@click.argument("issue")
@click.option("--missing", is_flag=True, help="Those that expired or are unknown.")
@click.option("--cancelled", is_flag=True, help="Those that were called off.")
@click.option("--wait", is_flag=True, help="Stay until deferred deliveries have an end, too.")
@click.pass_context
def resend_command(
    context: click.Context, issue: str, missing: bool, cancelled: bool, wait: bool
) -> None:
    """Send ISSUE again to those who may not have got it.

    With --missing expired, unknown and held deliveries; with --cancelled those that were called
    off. Nobody who has it, or whose server refused it, is mailed; each mail has the Message-ID
    of its first try. Exit codes are those of `mailout send`.

    \b
    Example: mailout resend 2026-11-20-bulletin --missing
             mailout resend 2026-11-20-bulletin --cancelled
    """
    states = (*(control.MISSING if missing else ()), *(control.CANCELLED if cancelled else ()))
    if not states:
        raise UsageError("to whom?", fix="Add --missing or --cancelled, or both.")
    site = read_site(context)
    code = 0
    with opened(site) as store:
        found = known_issue(store, issue)
        chosen, count = control.resend(store, found, datetime.now(UTC), states)
        if not chosen:
            why = "Nobody is missing" if missing else "Nothing was called off of"
            say(f"{why} {found.name}: nothing was sent.")
            return
        note(f"{count} deliveries of {found.name} are queued again.")
        for dispatch in chosen:
            ending = sending.work(site, store, site.list_named(found.list_id), dispatch, wait=wait)
            code = code or exit_code(ending, site)
        with store.reading() as tx:
            say(f"{found.name}: {state_counts(deliveries.count(tx, issue_id=found.id))}")
    sys.exit(code)


def _segment(site: Site, issue: Issue, text: str) -> str:
    """The bare name of a segment of the issue's list."""
    if not text:
        return ""
    return site.segment_named(text if "/" in text else f"{issue.list_id}/{text}").name


def _show(
    store: Store,
    issue: Issue,
    changed: Sequence[Dispatch],
    what: str,
    as_json_: bool,
    instead: Mapping[int, str] = MappingProxyType({}),
) -> None:
    """Prints `what` became of each of the dispatches, or what is to be said of it `instead`."""
    with store.reading() as tx:
        report = issue_report(tx, issues.get(tx, issue.id))
        counts = {one.id: deliveries.count(tx, dispatch_id=one.id) for one in changed}
    if as_json_:
        as_json(report)
        return
    for dispatch in changed:
        words = state_counts(counts[dispatch.id]) or "nobody has a delivery yet"
        said = instead.get(dispatch.id, what)
        say(f"{issue.name} to {dispatch.list_id}/{dispatch.segment}: {said} ({words}).")
