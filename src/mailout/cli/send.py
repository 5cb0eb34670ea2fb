"""`mailout send`: the command the whole program leads to."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime

import click

from mailout.cli import console, sending
from mailout.cli.archive import refresh
from mailout.cli.asking import ask_for_count, ask_if_held, show_audience
from mailout.cli.check import refuse_unfit
from mailout.cli.console import as_json, moment, note, opened, read_site, say, table
from mailout.cli.endings import exit_code
from mailout.cli.incoming import look_beside
from mailout.cli.publishing import (
    compile_and_save,
    compile_plan,
    plan_draft,
    take_draft_back,
    uncompiled,
    write_draft,
)
from mailout.cli.reports import dispatch_report
from mailout.cli.upkeep import post_beside
from mailout.core.dispatch import DispatchState, Priority
from mailout.core.errors import MailoutError, TryLater
from mailout.core.issue import IssuePlan
from mailout.core.mailing_list import MailingList, SegmentName
from mailout.core.site import Site
from mailout.publish import sources
from mailout.send import plan
from mailout.send.plan import Target
from mailout.store import dispatches, issues, partners, people
from mailout.store.audiences import Audience, Choice
from mailout.store.dispatches import Dispatch
from mailout.store.engine import Store
from mailout.store.issues import Issue


@dataclass(frozen=True, slots=True)
class _Order:
    """What the command line asked for."""

    segment: SegmentName
    mailing_list: MailingList
    exclude: str
    issue: str
    dry_run: bool
    yes: bool
    accept: tuple[str, ...]
    late_ok: bool
    wait: bool
    at: datetime | None
    priority: Priority
    json: bool
    json_lines: bool


@click.command(name="send")
@click.argument("issue", required=False)
@click.option("--segment", required=True, help="Whom to send to: `unions` or `bulletin/unions`.")
@click.option("--exclude", multiple=True, help="Leave out a segment, or whom a rule means.")
@click.option("--dry-run", is_flag=True, help="Show what would be sent to whom; send nothing.")
@click.option("--yes", is_flag=True, help="Do not ask; approves what is compiled.")
@click.option("--accept", multiple=True, metavar="RULE", help="Send in spite of that warning.")
@click.option("--late-ok", is_flag=True, help="Begin although the scheduled time is long past.")
@click.option("--wait", is_flag=True, help="Stay until deferred deliveries have an end, too.")
@click.option("--at", metavar="TIME", help="Begin then, in the site's time zone: 2026-12-01 18:00.")
@click.option("--urgent", is_flag=True, help="Overtake every send that is not urgent.")
@click.option("--json", "json_", is_flag=True, help="Print one JSON document at the end.")
@click.option("--json-lines", is_flag=True, help="Print progress as a JSON object a line.")
@click.pass_context
def send_command(
    context: click.Context,
    issue: str | None,
    segment: str,
    exclude: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    accept: tuple[str, ...],
    late_ok: bool,
    wait: bool,
    at: str | None,
    urgent: bool,
    json_: bool,
    json_lines: bool,
) -> None:
    """Send ISSUE to a segment, each person once.

    Without ISSUE it goes on with an unfinished send to that segment; else it takes the newest
    issue not yet sent to it; else it composes one of the posts that no sent issue holds.
    It shows subject, counts and who is left out, and asks for the count to be typed.

    With --at it is only scheduled: `mailout worker`, or the same command after that time,
    sends it to whoever is in the segment then. Given again, --at moves it, --urgent hastens it.

    Exit codes: 0 every delivery has an end (refusals are in `mailout bounces list`), 75 some
    are deferred or the relay does not take them: the same command goes on.

    \b
    Example: mailout send --segment unions
             mailout send 2026-11-20-bulletin --segment unions --exclude journalists --yes
             mailout send --segment unions --exclude "received(last issue)"
    """
    site = read_site(context)
    name = site.segment_named(segment)
    mailing_list = site.lists[name.list_id]
    order = _Order(
        segment=name,
        mailing_list=mailing_list,
        exclude=plan.exclusion(site, name, exclude),
        issue=issue or "",
        dry_run=dry_run,
        yes=yes,
        accept=accept,
        late_ok=late_ok,
        wait=wait,
        at=None if at is None else moment(at, site),
        priority=Priority.URGENT if urgent else Priority.BULK,
        json=json_ or json_lines,
        json_lines=json_lines,
    )
    with opened(site) as store:
        code = _send(site, store, order)
    sys.exit(code)


def _send(site: Site, store: Store, order: _Order) -> int:
    target = plan.find_target(store, order.segment, order.issue)
    if order.dry_run:
        _show_dry(site, store, order, target)
        return 0
    if target is None or target.dispatch is None:
        plan.refuse_unsettled(store)
    if target is None:
        issue = _make_issue(site, store, order)
        if issue is None:
            _nothing(order, "every ready post was sent already")
            return 0
        target = Target(issue)
    elif not order.issue and target.dispatch is None:
        _refuse_forgotten_draft(site, store, order, newer_than=target.issue.name)
    dispatch = target.dispatch
    if dispatch is not None:
        dispatch = _changed(site, store, order, target.issue, dispatch)
    else:
        if not order.dry_run:
            look_beside(site, store)  # whose address died since the last issue is not mailed
        dispatch = _new_dispatch(site, store, order, target.issue)
        if dispatch is None:
            return 0
    if dispatch.filled_at is None and not _begin(site, store, order, target.issue, dispatch):
        return 0
    post_beside(site, store)  # a confirmation waits for no bulk mail
    ending = sending.work(
        site,
        store,
        order.mailing_list,
        dispatch,
        wait=order.wait,
        json_lines=order.json_lines,
    )
    if not (ending.held or ending.stopped):
        look_beside(site, store)
        post_beside(site, store)  # the report on this send, above all
    _show_report(store, target.issue, dispatch, order)
    return exit_code(ending, site)


def _changed(site: Site, store: Store, order: _Order, issue: Issue, dispatch: Dispatch) -> Dispatch:
    """The dispatch to go on with, at the time and with the urgency that were asked for now.

    Raises: MailoutError if it is paused, or has begun and is to have another time.
    """
    _refuse_if_resting(issue, dispatch)
    if order.at is None:
        ask_if_held(store, issue, str(order.segment), dispatch, yes=order.yes)
    what = f"{issue.name} to {order.segment}"
    if order.at is not None:
        moved = plan.move(store, dispatch, order.at)
        if moved is None:
            raise MailoutError(
                f"{what} has begun already",
                where="--at",
                fix=f"Leave --at out to go on, or stop it: `mailout pause {issue.name}`.",
            )
        old = f" from {console.local(dispatch.at, site)}" if dispatch.at else ""
        note(f"{what} was moved{old} to {console.local(order.at, site)}.")
        dispatch = moved
    else:
        note(f"Going on with {what}.")
    if plan.hasten(store, dispatch, order.priority):
        note(f"{what} is urgent from now on.")
    return dispatch


def _begin(site: Site, store: Store, order: _Order, issue: Issue, dispatch: Dispatch) -> bool:
    """Whether the dispatch is to be sent now, its deliveries made; a late one is asked about."""
    now = datetime.now(UTC)
    if dispatch.at is not None and dispatch.at > now:
        if not _fresh(store, issue).is_approved:
            _approve_anew(site, store, order, issue)
        when = console.local(dispatch.at, site)
        if order.json:
            _show_report(store, issue, dispatch, order)
        else:
            say(f"{issue.name} is scheduled for {when}: `mailout worker` sends it then.")
        return False
    if why := plan.is_late(site, dispatch, now):
        if not order.late_ok and (order.yes or not console.at_terminal()):
            # News that was right then may be wrong now: no script decides that by itself.
            plan.hold(store, dispatch, why)
            raise TryLater(
                f"held: {why}",
                fix=f"`--late-ok` sends it now, `--at` moves it, `mailout cancel {issue.name}` "
                "calls it off.",
            )
        note(f"{issue.name} to {order.segment}: {why}.")
    if not _fresh(store, issue).is_approved:
        _approve_anew(site, store, order, issue)
    elif why and not order.yes:
        ask_for_count(plan.preview(store, _choice(order, issue), now).total)
    partners.catch_up_in_pieces(store, site.keys.partners, now)
    with store.writing() as tx:
        people.keep(tx)
        partners.catch_up(tx, site.keys.partners, now)
        plan.enqueue(tx, order.mailing_list, dispatch, now)
    refresh(site, store)  # before the first mail, which links there
    return True


def _fresh(store: Store, issue: Issue) -> Issue:
    """The issue as it is recorded now: it may have been approved, or compiled, since."""
    with store.reading() as tx:
        return issues.get(tx, issue.id)


def _approve_anew(site: Site, store: Store, order: _Order, issue: Issue) -> None:
    """Nothing, once an issue that was compiled anew after it was ordered is approved again."""
    issue = _fresh(store, issue)
    note(f"{issue.name} was compiled anew since it was ordered.")
    refuse_unfit(site, store, order.mailing_list, issue, order.accept, yes=order.yes)
    now = datetime.now(UTC)
    if not order.yes:
        ask_for_count(plan.preview(store, _choice(order, issue), now).total)
    with store.writing() as tx:
        issues.approve(tx, issue, now)


def _make_issue(site: Site, store: Store, order: _Order) -> Issue | None:
    """The issue that was named, or one composed now, compiled; None if there are no posts."""
    if order.issue:
        return compile_and_save(site, store, order.issue)
    _refuse_forgotten_draft(site, store, order)
    drafted = plan_draft(site, store, order.mailing_list)
    if drafted is None:
        return None
    write_draft(site, order.mailing_list, drafted)
    note(f"Composed {drafted.file} of these posts: {', '.join(drafted.posts)}")
    try:
        return compile_and_save(site, store, drafted.name)
    except KeyboardInterrupt:
        take_draft_back(site, store, order.mailing_list, drafted)  # the same command is to go on
        raise


def _refuse_forgotten_draft(site: Site, store: Store, order: _Order, newer_than: str = "") -> None:
    """A draft with the same posts is probably what was meant: composing would double it, and what
    is older than it was perhaps left behind."""
    drafts = [one for one in uncompiled(site, store, order.mailing_list) if one > newer_than]
    if drafts:
        raise MailoutError(
            f"the issue `{drafts[-1]}` was drafted, but not compiled",
            fix=f"`mailout compile {drafts[-1]}` makes it the next to be sent; or take it out of "
            "issues/, or name the issue that is meant.",
        )


def _new_dispatch(site: Site, store: Store, order: _Order, issue: Issue) -> Dispatch | None:
    """The dispatch, which has no deliveries yet; None if nobody is to be mailed.

    Raises: MailoutError if the issue is not fit to be sent.
    """
    chosen = _choice(order, issue)
    audience = plan.preview(store, chosen, datetime.now(UTC))
    with store.reading() as tx:
        show_audience(issue.name, _whom(order), issues.variants(tx, issue.id), audience)
    if not audience.total and not audience.kept:
        _nothing(order, f"nobody in {order.segment} is to be mailed {issue.name}")
        return None
    refuse_unfit(site, store, order.mailing_list, issue, order.accept, yes=order.yes)
    if not order.yes:
        ask_for_count(audience.total)
    now = datetime.now(UTC)
    if not issue.is_approved:
        with store.writing() as tx:
            issues.approve(tx, issue, now)
    return plan.order(
        store,
        chosen,
        order.segment.name,
        order.exclude,
        now,
        order.at,
        Priority.URGENT if issue.urgent else order.priority,
    )


def _choice(order: _Order, issue: Issue | IssuePlan) -> Choice:
    """Whom the order means, for an issue or for one that is not there yet."""
    issue_id = issue.id if isinstance(issue, Issue) else 0
    return plan.choice(
        order.mailing_list, issue_id, order.segment.name, order.exclude, urgent=issue.urgent
    )


def _whom(order: _Order) -> str:
    return str(order.segment) + (f" less {order.exclude}" if order.exclude else "")


def _show_dry(site: Site, store: Store, order: _Order, target: Target | None) -> None:
    """What would be sent to whom; an issue that is not there yet is compiled for show only."""
    if target is not None:
        with store.reading() as tx:
            variants = issues.variants(tx, target.issue.id)
        shown: Issue | IssuePlan = target.issue
    else:
        if not order.issue:
            _refuse_forgotten_draft(site, store, order)
        drafted = (
            sources.read_issue(site.root, order.issue, order.mailing_list.default_language)
            if order.issue
            else plan_draft(site, store, order.mailing_list)
        )
        if drafted is None:
            _nothing(order, "every ready post was sent already")
            return
        variants = compile_plan(site, store, order.mailing_list, drafted).variants
        shown = drafted
    audience = plan.preview(store, _choice(order, shown), datetime.now(UTC))
    show_audience(shown.name, _whom(order), variants, audience)
    if order.json:
        as_json(_audience_report(order, shown.name, audience))
    else:
        say("Nothing was sent: this was a dry run.")


def _show_report(store: Store, issue: Issue, dispatch: Dispatch, order: _Order) -> None:
    with store.reading() as tx:
        report = dispatch_report(tx, issues.get(tx, issue.id), dispatches.get(tx, dispatch.id))
    if order.json_lines:
        sending.print_line({"event": "end", **report})
        return
    if order.json:
        as_json(report)
        return
    counts = {state: n for state, n in report["deliveries"].items() if n}
    table(
        ["state", "#deliveries"],
        counts.items(),
        title=f"{issue.name} to {order.segment}",
    )


def _refuse_if_resting(issue: Issue, dispatch: Dispatch) -> None:
    """Nothing, if the dispatch may be gone on with. Raises: MailoutError if it was paused."""
    if dispatch.state is DispatchState.PAUSED:
        raise MailoutError(
            f"{issue.name} to {dispatch.segment} is paused",
            fix=f"`mailout resume {issue.name}` lets it go on.",
        )


def _nothing(order: _Order, why: str) -> None:
    if order.json_lines:
        sending.print_line({"event": "end", "issue": None, "why": why, "deliveries": {}})
    elif order.json:
        as_json({"issue": None, "segment": str(order.segment), "why": why, "deliveries": {}})
    else:
        say(f"Nothing was sent: {why}.")


def _audience_report(order: _Order, name: str, audience: Audience) -> dict[str, object]:
    return {
        "issue": name,
        "segment": str(order.segment),
        "dry_run": True,
        "total": audience.total,
        "by_language": dict(audience.by_language),
        "left_out": dict(audience.left_out),
        "deliveries": {},
    }
