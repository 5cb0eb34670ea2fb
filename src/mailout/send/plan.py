"""Which issue a send is for, and whom it will reach.

The rule, in this order: a dispatch of that segment that is not finished is gone on with;
else the newest issue of the list that is newer than the last one sent to the segment; else
there is none, and the door has one composed of the posts that no sent issue holds.
Digests are passed over: `mailout digest` makes and sends them (`send.digest`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from mailout.core.delivery import RetryPlan
from mailout.core.dispatch import DispatchState, Priority
from mailout.core.errors import MailoutError, UsageError
from mailout.core.issue import IssueState
from mailout.core.language import chain
from mailout.core.mailing_list import MailingList, SegmentName
from mailout.core.segment import Or, Other, Rule, written
from mailout.core.site import Sending, Site
from mailout.store import audiences, dispatches, issues, pauses, restored
from mailout.store.audiences import Audience, Choice
from mailout.store.dispatches import Dispatch
from mailout.store.engine import Store, Tx
from mailout.store.issues import Issue

_NAME = re.compile(r"[\w-]+(?:/[\w-]+)?")
_SENDABLE = frozenset({IssueState.COMPILED, IssueState.APPROVED, IssueState.SENT})


@dataclass(frozen=True, slots=True)
class Target:
    """What `mailout send` is about: an issue, and the dispatch of it to go on with, if any."""

    issue: Issue
    dispatch: Dispatch | None = None


def find_target(store: Store, segment: SegmentName, issue_name: str = "") -> Target | None:
    """What to send to the segment; None if an issue has to be composed first.

    Raises: MailoutError for an issue that is not there, of another list, or cancelled.
    """
    with store.reading() as tx:
        if issue_name:
            issue = issues.find(tx, issue_name)
            if issue is None:
                return None
            _check_sendable(issue, segment)
            going = [d for d in dispatches.of_issue(tx, issue.id) if d.segment == segment.name]
            return Target(issue, next((d for d in going if d.ended_at is None), None))
        dispatch = dispatches.unfinished(tx, segment.list_id, segment.name)
        if dispatch is not None:
            return Target(issues.get(tx, dispatch.issue_id), dispatch)
        last = dispatches.newest_sent_to(tx, segment.list_id, segment.name)
        for issue in issues.newest_first(tx, segment.list_id):
            if issue.id <= last:
                break
            if issue.state in _SENDABLE and not issue.digest:
                return Target(issue)
    return None


def _check_sendable(issue: Issue, segment: SegmentName) -> None:
    if issue.list_id != segment.list_id:
        raise MailoutError(
            f"the issue `{issue.name}` is of the list `{issue.list_id}`, "
            f"the segment of `{segment.list_id}`"
        )
    if issue.state is IssueState.CANCELLED:
        raise MailoutError(f"the issue `{issue.name}` was cancelled")
    if issue.digest:
        raise MailoutError(
            f"the issue `{issue.name}` is a digest, for those who have missed what it tells",
            fix=f"`mailout digest --{issue.digest}` sends it.",
        )


def choice(
    mailing_list: MailingList, issue_id: int, segment: str, exclude: str, *, urgent: bool = False
) -> Choice:
    """The choice of people that a segment of a list makes, less those that `exclude` (a segment's
    name or a rule) means, for an issue that is `urgent` or is not.

    Raises: MailoutError for a segment or a rule that is none.
    """
    return Choice(
        issue_id=issue_id,
        list_id=mailing_list.id,
        segment=mailing_list.rule(segment),
        exclude=mailing_list.people(exclude, "--exclude") if exclude else None,
        find=mailing_list.rule,
        urgent=urgent,
        zone=ZoneInfo(mailing_list.timezone),
    )


def exclusion(site: Site, segment: SegmentName, texts: Iterable[str]) -> str:
    """Whom to leave out, as a dispatch keeps it: a segment's name, or a rule for all of the texts,
    each of which is a segment of the same list or a rule. Empty if there are none.

    Raises: UsageError, BadRule for what is neither.
    """
    parts: list[Rule] = []
    for text in texts:
        if text and _NAME.fullmatch(text) and text != "everyone":
            found = site.segment_named(text if "/" in text else f"{segment.list_id}/{text}")
            if found.list_id != segment.list_id:
                raise UsageError(
                    f"`{text}` is a segment of another list", fix="Name one of the same list."
                )
            parts.append(Other(found.name))
        elif text:
            parts.append(site.lists[segment.list_id].people(text, "--exclude"))
    if len(parts) == 1 and isinstance(parts[0], Other):
        return parts[0].name
    return written(parts[0] if len(parts) == 1 else Or(tuple(parts))) if parts else ""


def refuse_unsettled(store: Store) -> None:
    """Nothing. Raises: MailoutError, as `order` does, before an issue is composed for it."""
    with store.reading() as tx:
        restored.refuse_unsettled(tx)


def preview(store: Store, chosen: Choice, now: datetime) -> Audience:
    """Whom a dispatch would reach at the moment `now`; writes nothing."""
    with store.reading() as tx:
        return audiences.audience(tx, chosen, now)


def order(
    store: Store,
    chosen: Choice,
    segment: str,
    exclude: str,
    now: datetime,
    at: datetime | None = None,
    priority: int = Priority.BULK,
) -> Dispatch:
    """A new dispatch, which nobody has a delivery of yet: `enqueue` makes them.

    Raises: MailoutError for a store out of a backup that nobody has settled.
    """
    with store.writing() as tx:
        restored.refuse_unsettled(tx)
        return dispatches.make(
            tx, chosen, segment=segment, exclude=exclude, now=now, at=at, priority=priority
        )


def hasten(store: Store, dispatch: Dispatch, priority: int) -> bool:
    """Whether the dispatch, which was less urgent, now has that priority."""
    if dispatch.priority >= priority:
        return False
    with store.writing() as tx:
        dispatches.set_priority(tx, dispatch.id, priority)
    return True


def move(store: Store, dispatch: Dispatch, at: datetime) -> Dispatch | None:
    """The dispatch, which now waits for `at`; None if it has begun already."""
    with store.writing() as tx:
        return dispatches.get(tx, dispatch.id) if dispatches.move(tx, dispatch.id, at) else None


def hold(store: Store, dispatch: Dispatch, why: str) -> None:
    """Nothing, once a dispatch that has not begun waits for a person, for that reason."""
    of = (DispatchState.QUEUED, DispatchState.HELD)
    with store.writing() as tx:
        dispatches.set_state(tx, dispatch.id, DispatchState.HELD, of=of, why=why)


def enqueue(tx: Tx, mailing_list: MailingList, dispatch: Dispatch, now: datetime) -> int:
    """How many deliveries the dispatch has queued, one a person; 0 if another sender made them.

    Raises: MailoutError for rules that do not hold any more; it has not begun then.
    """
    urgent = issues.get(tx, dispatch.issue_id).urgent
    chosen = choice(
        mailing_list, dispatch.issue_id, dispatch.segment, dispatch.exclude, urgent=urgent
    )
    return fill(tx, mailing_list, dispatch, chosen, now)


def fill(
    tx: Tx, mailing_list: MailingList, dispatch: Dispatch, chosen: Choice, now: datetime
) -> int:
    """The same, for a choice that is made already."""
    audiences.check(tx, chosen)  # first: what has begun with nobody in it would count as done
    if not dispatches.begin(tx, dispatch.id, now):
        return 0
    pauses.end_pauses(tx, now)  # nobody is left out for a pause that is over
    audience = audiences.audience(tx, chosen, now)
    variants = issues.variants(tx, dispatch.issue_id)
    compiled = list(dict.fromkeys(variant.language for variant in variants))
    return audiences.fill(
        tx,
        dispatch.id,
        chosen,
        left_out=audience.left_out,
        language_of=variant_languages(mailing_list, audience.by_language, compiled),
        default_language=_last_resort(mailing_list, compiled),
        built={variant.edition for variant in variants},
        blocked_in=mailing_list.settings.blocked_in,
        now=now,
    )


def is_late(site: Site, dispatch: Dispatch, now: datetime) -> str:
    """Why a scheduled dispatch must not begin by itself any more; empty if it may.

    News that was right in the morning may be wrong at night: a person is asked.
    """
    if dispatch.at is None:
        return ""
    late = now - dispatch.at
    if late <= timedelta(minutes=site.sending.late_minutes):
        return ""
    at = dispatch.at.astimezone(ZoneInfo(site.identity.timezone))
    return f"it was to begin at {at:%Y-%m-%d %H:%M %Z}, and no sender was running then"


def variant_languages(
    mailing_list: MailingList, readers: Iterable[str], compiled: list[str]
) -> dict[str, str]:
    """For each language of the readers the compiled one that they get, by the list's chain."""
    offered = [code for code in mailing_list.settings.languages if code in compiled]
    fallback = mailing_list.settings.fallback
    return {code: chain(code, offered, fallback)[0] for code in readers}


def _last_resort(mailing_list: MailingList, compiled: list[str]) -> str:
    return next(code for code in mailing_list.settings.languages if code in compiled)


def retry_plan(settings: Sending) -> RetryPlan:
    """When deferred deliveries are tried again, as the site has it."""
    waits = [timedelta(minutes=minutes) for minutes in settings.retry_minutes]
    return RetryPlan(
        waits or [timedelta(minutes=5)],
        timedelta(hours=settings.max_age_hours),
        holds_unknown=settings.unknown == "hold",
    )
