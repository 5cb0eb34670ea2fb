"""`mailout digest`: what readers have missed who do not want every issue, as one issue.

1. What is begun is gone on with: a digest of this week or month, or an older one whose sending is
   not done. Then there is no second one.
2. Else `store.digests.missed` finds what was missed, and `publish.digest` plans a digest of each
   group of issues that went to the same segments; the plans are written into issues/.
3. Each is compiled, shown, checked and approved as by `mailout send`; `send.digest.order` makes its
   deliveries and notes what they tell, in one transaction.

What one list or digest runs into keeps no other from being sent.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import click

from mailout.cli import sending
from mailout.cli.asking import ask_for_count, ask_if_held, show_audience
from mailout.cli.check import refuse_unfit
from mailout.cli.console import JSON, as_json, counted, note, opened, read_site, say
from mailout.cli.endings import exit_code
from mailout.cli.publishing import (
    compile_and_save,
    compile_plan,
    list_of,
    plans_of,
    posts_for,
    write_draft,
)
from mailout.cli.reports import dispatch_report
from mailout.core.dispatch import DispatchState
from mailout.core.errors import MailoutError, TryLater, UsageError
from mailout.core.frequency import Frequency
from mailout.core.issue import IssuePlan, IssueState
from mailout.core.mailing_list import MailingList
from mailout.core.site import Site
from mailout.publish import digest as composing
from mailout.publish import sources
from mailout.send import digest as sends
from mailout.send import plan
from mailout.store import digests, dispatches, issues, partners
from mailout.store.digests import Missed
from mailout.store.dispatches import Dispatch
from mailout.store.engine import Store
from mailout.store.issues import Issue


@dataclass(slots=True)
class _Order:
    """What the command line asked for, and what has become of it so far."""

    frequency: Frequency
    dry_run: bool
    yes: bool
    accept: tuple[str, ...]
    wait: bool
    now: datetime
    reports: list[dict[str, Any]] = field(default_factory=list)
    nothing: list[str] = field(default_factory=list)
    """The lists of which nothing was missed."""


@click.command(name="digest")
@click.option("--weekly", is_flag=True, help="For readers who chose a weekly digest.")
@click.option("--monthly", is_flag=True, help="For readers who chose a monthly digest.")
@click.option("--list", "list_id", help="Only of this list; else of each.")
@click.option("--dry-run", is_flag=True, help="Show what would be sent; write and send nothing.")
@click.option("--yes", is_flag=True, help="Do not ask; approves what is compiled.")
@click.option("--accept", multiple=True, metavar="RULE", help="Send in spite of that warning.")
@click.option("--wait", is_flag=True, help="Stay until deferred deliveries have an end, too.")
@JSON
@click.pass_context
def digest_command(
    context: click.Context,
    weekly: bool,
    monthly: bool,
    list_id: str | None,
    dry_run: bool,
    yes: bool,
    accept: tuple[str, ...],
    wait: bool,
    as_json_: bool,
) -> None:
    """Tell readers what they have missed who want a digest instead of every issue.

    Makes an issue of the posts that went out since the last digest, each once, the newest issue
    first, and sends it as `mailout send` would. Where nothing was missed nothing is sent. Called
    again in the same week (or month) it goes on with what is not finished, and makes no second one.

    \b
    Example: mailout digest --weekly --yes
             mailout digest --monthly --list bulletin --dry-run
    """
    if weekly == monthly:
        raise UsageError("which digest?", fix="Add --weekly or --monthly.")
    site = read_site(context)
    lists = [site.list_named(list_id)] if list_id else list(site.lists.values())
    frequency = Frequency.WEEKLY if weekly else Frequency.MONTHLY
    order = _Order(frequency, dry_run, yes, accept, wait, datetime.now(UTC))
    with opened(site) as store:
        failures = [
            failure
            for mailing_list in lists
            for failure in _of_list(site, store, mailing_list, order)
        ]
    if as_json_:
        as_json({"frequency": frequency, "dry_run": dry_run, "digests": order.reports})
    else:
        _show(order)
    if failures:
        failures.sort(key=lambda failure: isinstance(failure, TryLater))
        for failure in failures[1:]:
            note(f"mailout: {failure}")
        raise failures[0]
    sys.exit(0)


def _of_list(
    site: Site, store: Store, mailing_list: MailingList, order: _Order
) -> Iterator[MailoutError]:
    """What kept the list's digests from being sent; most often nothing."""
    try:
        base = composing.base(mailing_list, order.frequency, _today(site, order))
        names = _begun(site, store, mailing_list, order, base)
        if not any(composing.is_of(name, base) for name in names):
            planned = _planned(site, store, mailing_list, order)
            for one in planned:
                if order.dry_run:
                    _show_planned(site, store, mailing_list, order, one)
                    continue
                write_draft(site, mailing_list, one)
                note(f"Composed {one.file} of these issues: {', '.join(one.issues)}")
                names.append(one.name)
            if not planned and not names:
                order.nothing.append(mailing_list.id)
    except MailoutError as failure:
        yield failure
        return
    for name in names:
        try:
            _send(site, store, mailing_list, order, name)
        except MailoutError as failure:
            yield failure


def _begun(
    site: Site, store: Store, mailing_list: MailingList, order: _Order, base: str
) -> list[str]:
    """The names of the list's digests of this week or month, called-off ones aside, and of those
    before whose sending is not done; the oldest first."""
    with store.reading() as tx:
        known = [
            one for one in issues.newest_first(tx, mailing_list.id) if one.digest == order.frequency
        ]
        open_ones = {one.issue_id for one in dispatches.open_ones(tx)}
    names = [
        one.name
        for one in reversed(known)
        if one.id in open_ones
        or (composing.is_of(one.name, base) and one.state is not IssueState.CANCELLED)
    ]
    compiled = {one.name for one in known}
    for name, drafted in sorted(plans_of(site, mailing_list).items()):
        ours = drafted.digest == order.frequency and list_of(site, drafted) == mailing_list
        if ours and composing.is_of(name, base) and name not in compiled:
            names.append(name)
    return names


def _planned(site: Site, store: Store, mailing_list: MailingList, order: _Order) -> list[IssuePlan]:
    """The plans of digests of all that was missed; empty if nothing was."""
    with store.reading() as tx:
        missed = digests.missed(tx, mailing_list.id, order.frequency, order.now)
        taken = {issue.name for issue in issues.newest_first(tx)}
    if not missed:
        return []
    taken |= set(plans_of(site, mailing_list))
    posts = posts_for(site, mailing_list, {key for one in missed for key in one.posts})
    today, plans = _today(site, order), []
    for group in composing.together(missed):
        keys, gone = composing.usable(group, posts)
        for key in gone:
            note(f"left out: the post {key} is kept back, or not in posts/ any more")
        if keys:
            made = composing.plan_digest(
                mailing_list, order.frequency, group, keys, posts, today, taken
            )
            taken.add(made.name)
            plans.append(made)
    return plans


def _send(site: Site, store: Store, mailing_list: MailingList, order: _Order, name: str) -> None:
    """Nothing, once the digest is sent. Raises: MailoutError, as `mailout send` does."""
    with store.reading() as tx:
        issue = issues.find(tx, name)
        known = dispatches.of_issue(tx, issue.id) if issue else []
    if order.dry_run:
        _show_begun(site, store, mailing_list, order, name)
        return
    if not known:
        plan.refuse_unsettled(store)
    if issue is None:
        issue = compile_and_save(site, store, name)
    dispatch = known[0] if known else _ordered(site, store, mailing_list, order, issue)
    if dispatch is None:
        return
    if dispatch.state is DispatchState.PAUSED:
        raise MailoutError(f"{name} is paused", fix=f"`mailout resume {name}` lets it go on.")
    if dispatch.ended_at is not None:
        note(f"{name} was sent already.")
        _report(store, order, issue, dispatch)
        return
    if known:
        ask_if_held(store, issue, mailing_list.id, dispatch, yes=order.yes)
        note(f"Going on with {name}.")
    ending = sending.work(site, store, mailing_list, dispatch, wait=order.wait)
    _report(store, order, issue, dispatch)
    exit_code(ending, site)


def _ordered(
    site: Site, store: Store, mailing_list: MailingList, order: _Order, issue: Issue
) -> Dispatch | None:
    """The digest's dispatch; None if nobody is to be mailed. Raises: MailoutError if it is not fit
    to be sent, or the count is not typed."""
    missed = _missed(site, store, mailing_list, order, issue.name)
    chosen = sends.choice(mailing_list, issue.id, missed)
    audience = plan.preview(store, chosen, datetime.now(UTC))
    with store.reading() as tx:
        variants = issues.variants(tx, issue.id)
    show_audience(issue.name, f"the {order.frequency} readers", variants, audience)
    if not audience.total:
        note(f"Nobody is to be mailed {issue.name}.")
        return None
    refuse_unfit(site, store, mailing_list, issue, order.accept, yes=order.yes)
    if not order.yes:
        ask_for_count(audience.total)
    now = datetime.now(UTC)
    if not issue.is_approved:
        with store.writing() as tx:
            issues.approve(tx, issue, now)
    partners.catch_up_in_pieces(store, site.keys.partners, now)
    return sends.order(store, mailing_list, issue, missed, now, site.keys.partners)


def _missed(
    site: Site, store: Store, mailing_list: MailingList, order: _Order, name: str
) -> Missed:
    """The issues that a digest is about, as its file names them. Raises: MailoutError."""
    drafted = sources.read_issue(site.root, name, mailing_list.default_language)
    with store.reading() as tx:
        found = {one: issues.find(tx, one) for one in drafted.issues}
    for one, issue in found.items():
        if issue is None or issue.list_id != mailing_list.id or issue.digest:
            raise MailoutError(
                f"`{one}` is no issue that was sent to the list `{mailing_list.id}`",
                where=drafted.file,
            )
    return Missed(order.frequency, tuple(issue.id for issue in found.values() if issue))


def _show_planned(
    site: Site, store: Store, mailing_list: MailingList, order: _Order, planned: IssuePlan
) -> None:
    """What would be sent to whom, of a digest that is not there yet; it is compiled for show."""
    variants = compile_plan(site, store, mailing_list, planned).variants
    with store.reading() as tx:
        found = [issues.find(tx, name) for name in planned.issues]
    missed = Missed(order.frequency, tuple(issue.id for issue in found if issue))
    audience = plan.preview(store, sends.choice(mailing_list, 0, missed), order.now)
    show_audience(planned.name, f"the {order.frequency} readers", variants, audience)
    order.reports.append(
        {
            "issue": planned.name,
            "list": mailing_list.id,
            "issues": list(planned.issues),
            "posts": list(planned.posts),
            "total": audience.total,
            "by_language": dict(audience.by_language),
            "left_out": dict(audience.left_out),
        }
    )


def _show_begun(
    site: Site, store: Store, mailing_list: MailingList, order: _Order, name: str
) -> None:
    """The same, of a digest that was begun before."""
    with store.reading() as tx:
        issue = issues.find(tx, name)
        known = dispatches.of_issue(tx, issue.id) if issue else []
    if issue is not None and known:
        _report(store, order, issue, known[0])
        return
    drafted = sources.read_issue(site.root, name, mailing_list.default_language)
    _show_planned(site, store, mailing_list, order, drafted)


def _report(store: Store, order: _Order, issue: Issue, dispatch: Dispatch) -> None:
    with store.reading() as tx:
        found = dispatch_report(tx, issues.get(tx, issue.id), dispatches.get(tx, dispatch.id))
    order.reports.append(found)


def _show(order: _Order) -> None:
    """Prints a line for each digest, and for each list that needs none."""
    for one in order.reports:
        if "total" in one:
            say(f"{one['issue']} would go to {counted(one['total'], 'reader')}.")
        else:
            say(f"{one['issue']}: {one['state']} ({_counts(one['deliveries'])})")
    for list_id in order.nothing:
        say(f"Nothing was sent: the {order.frequency} readers of `{list_id}` have missed nothing.")


def _counts(found: dict[str, int]) -> str:
    return ", ".join(f"{number} {state}" for state, number in found.items() if number) or "nobody"


def _today(site: Site, order: _Order) -> date:
    return order.now.astimezone(ZoneInfo(site.identity.timezone)).date()
