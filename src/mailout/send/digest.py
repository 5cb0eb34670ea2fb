"""A digest's dispatch: to those who have missed what it tells, and that is told by it.

One transaction does all of it, so there is never a dispatch of a digest without its deliveries,
nor a delivery of one without a note of what it tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from mailout.core.frequency import Frequency
from mailout.core.mailing_list import MailingList
from mailout.core.segment import Everyone
from mailout.send import plan
from mailout.store import digests, dispatches, issues, partners, people, restored
from mailout.store.audiences import Choice
from mailout.store.digests import Missed
from mailout.store.dispatches import Dispatch
from mailout.store.engine import Store
from mailout.store.issues import Issue


def readers(frequency: Frequency) -> str:
    """What stands for a segment in a digest's dispatch; with its space no segment is called so."""
    return f"{frequency} readers"


def choice(mailing_list: MailingList, issue_id: int, missed: Missed) -> Choice:
    """The choice of those who have missed one of the issues."""
    return Choice(issue_id, mailing_list.id, Everyone(), None, mailing_list.rule, missed=missed)


def order(
    store: Store,
    mailing_list: MailingList,
    issue: Issue,
    missed: Missed,
    now: datetime,
    secrets: Mapping[str, bytes],
) -> Dispatch:
    """The digest's dispatch with its deliveries, made now unless another run was faster.
    `secrets` are those shared with partners, whose people are left out."""
    chosen = choice(mailing_list, issue.id, missed)
    with store.writing() as tx:
        people.keep(tx)
        issues.hold(tx, issue.id)
        for known in dispatches.of_issue(tx, issue.id):
            return known
        restored.refuse_unsettled(tx)
        partners.catch_up(tx, secrets, now)
        made = dispatches.make(tx, chosen, segment=readers(missed.frequency), exclude="", now=now)
        plan.fill(tx, mailing_list, made, chosen, now)
        digests.tell(tx, issue, missed)
        return dispatches.get(tx, made.id)
