"""What happened to people, as queries for their ids: what they got, and how they came.

An issue went out once a dispatch of it had deliveries made. The newest is the one that began
last; one that is to be sent now is none of them.
"""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import ColumnElement, Select, String, func, literal_column, or_, select, type_coerce

from mailout.core.consent import ConsentAction
from mailout.core.errors import MailoutError, nearest
from mailout.core.event import EventKind
from mailout.core.segment import History
from mailout.store.engine import Tx
from mailout.store.tables import CONSENT, DELIVERY, DISPATCH, EVENT, ISSUE

Ids = Select[Any]
"""A query for the ids of people."""

_KINDS = {
    "bounced": (EventKind.REFUSED.value, EventKind.BOUNCED.value),
    "replied": (EventKind.REPLIED.value,),
}
_CAME = (ConsentAction.IMPORTED, ConsentAction.ADDED, ConsentAction.JOINED)
_WAYS = {
    "import": ConsentAction.IMPORTED,
    "hand": ConsentAction.ADDED,
    "form": ConsentAction.JOINED,
}


def history(tx: Tx, rule: History, list_id: str, issue_id: int) -> Ids:
    """Those of whom the history is true; `issue_id` is not among the last issues of the list.

    Raises: MailoutError for an issue that is not there.
    """
    issues = _issues(tx, rule, list_id, issue_id)
    if rule.what == "received":
        # The state stands as text here, so that SQLite sees which index knows it.
        return select(DELIVERY.c.subscriber_id).where(
            literal_column("delivery.state = 'accepted'"),
            DELIVERY.c.issue_id.in_(issues),
            DELIVERY.c.subscriber_id.is_not(None),
        )
    return select(EVENT.c.subscriber_id).where(
        type_coerce(EVENT.c.kind, String).in_(_KINDS[rule.what]),
        EVENT.c.counts,
        EVENT.c.issue_id.in_(issues),
        EVENT.c.subscriber_id.is_not(None),
    )


def _issues(tx: Tx, rule: History, list_id: str, issue_id: int) -> list[int] | Select[Any]:
    if rule.issue:
        found = tx.scalar(select(ISSUE.c.id).where(ISSUE.c.name == rule.issue))
        if found is None:
            raise _unknown(tx, rule.issue, list_id)
        return [int(found)]
    if not rule.last:
        return select(ISSUE.c.id).where(ISSUE.c.list_id == list_id)
    began = func.min(DISPATCH.c.filled_at)
    return list(
        tx.scalars(
            select(ISSUE.c.id)
            .join(DISPATCH, DISPATCH.c.issue_id == ISSUE.c.id)
            .where(ISSUE.c.list_id == list_id, ISSUE.c.id != issue_id)
            .where(DISPATCH.c.filled_at.is_not(None))
            .group_by(ISSUE.c.id)
            .order_by(began.desc(), ISSUE.c.id.desc())
            .limit(rule.last)
        )
    )


def _unknown(tx: Tx, name: str, list_id: str) -> MailoutError:
    names = tx.scalars(
        select(ISSUE.c.name)
        .where(ISSUE.c.list_id == list_id)
        .order_by(ISSUE.c.id.desc())
        .limit(1000)
    )
    return MailoutError(
        f"the rule names the issue `{name}`, and there is none",
        where=f"received({name})",
        fix=nearest(name, names) or "`mailout issues list` shows all.",
    )


def joined_by(dialect: str, source: str, list_id: str) -> Ids:
    """Those who came on the list in that way: by what they (or the organiser) did, or by how the
    source of their evidence begins, up to a colon or a space."""
    # SQLite's LIKE sets capitals aside by itself, those of a-z.
    like = CONSENT.c.source.like if dialect == "sqlite" else CONSENT.c.source.ilike
    escaped = re.sub(r"([\\%_])", r"\\\1", source)
    matches: list[ColumnElement[bool]] = [
        like(escaped + end, escape="\\") for end in ("", ":%", " %")
    ]
    if action := _WAYS.get(source.lower()):
        matches.insert(0, CONSENT.c.action == action)
    return select(CONSENT.c.subscriber_id).where(
        CONSENT.c.list_id == list_id, CONSENT.c.action.in_(_CAME), or_(*matches)
    )
