"""Issues and their compiled variants, as recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, insert, literal_column, select, update

from mailout.core import places
from mailout.core.issue import IssueState, Variant, content_hash
from mailout.store.columns import dialect_of
from mailout.store.engine import Tx
from mailout.store.tables import DELIVERY, DISPATCH, ISSUE, ISSUE_POST, VARIANT


@dataclass(frozen=True, slots=True)
class Flags:
    """What an issue's file says of it as a whole: whether it overtakes others, is shown in the
    archive, and names people; and the frequency that it is a `digest` for, empty for most."""

    urgent: bool = False
    archived: bool = True
    signatories: bool = False
    digest: str = ""


PLAIN = Flags()


@dataclass(frozen=True, slots=True)
class Issue:
    """An issue as recorded; hashes are empty until it is compiled, approved, and again once
    somebody whom it names has taken that back (`withdraw_names`)."""

    id: int
    name: str
    list_id: str
    state: IssueState
    content_hash: str
    approved_hash: str
    urgent: bool
    archived: bool
    signatories: bool
    digest: str
    created_at: datetime
    compiled_at: datetime | None
    approved_at: datetime | None
    sent_at: datetime | None

    @property
    def flags(self) -> Flags:
        return Flags(self.urgent, self.archived, self.signatories, self.digest)

    @property
    def is_approved(self) -> bool:
        """Whether what is compiled now is what was approved."""
        return bool(self.approved_hash) and self.approved_hash == self.content_hash


def find(tx: Tx, name: str) -> Issue | None:
    row = tx.execute(select(ISSUE).where(ISSUE.c.name == name)).first()
    return _issue(row) if row else None


def get(tx: Tx, issue_id: int) -> Issue:
    return _issue(tx.execute(select(ISSUE).where(ISSUE.c.id == issue_id)).one())


def newest_first(tx: Tx, list_id: str = "") -> list[Issue]:
    """All issues, or those of a list, the one made last first."""
    query = select(ISSUE).order_by(ISSUE.c.id.desc())
    if list_id:
        query = query.where(ISSUE.c.list_id == list_id)
    return [_issue(row) for row in tx.execute(query)]


def save_compiled(
    tx: Tx,
    name: str,
    list_id: str,
    posts: Sequence[str],
    variants: tuple[Variant, ...],
    now: datetime,
    *,
    flags: Flags = PLAIN,
) -> Issue:
    """The issue, recorded as compiled; compiled anew with the same result it keeps its approval.

    The caller has made sure that no delivery is out (`has_deliveries`).
    """
    hash_ = content_hash(variants)
    known = find(tx, name)
    if known is None:
        tx.execute(
            insert(ISSUE).values(
                **_own_number(tx),
                name=name,
                list_id=list_id,
                state=IssueState.COMPILED,
                content_hash=hash_,
                approved_hash="",
                **asdict(flags),
                created_at=now,
                compiled_at=now,
            )
        )
    elif (known.content_hash, known.list_id, known.flags) != (hash_, list_id, flags):
        tx.execute(
            update(ISSUE)
            .where(ISSUE.c.id == known.id)
            .values(
                list_id=list_id,
                **asdict(flags),
                state=IssueState.COMPILED,
                content_hash=hash_,
                approved_hash="",
                approved_at=None,
                compiled_at=now,
            )
        )
    issue = find(tx, name)
    assert issue is not None  # noqa: S101 - written above
    tx.execute(delete(VARIANT).where(VARIANT.c.issue_id == issue.id))
    tx.execute(delete(ISSUE_POST).where(ISSUE_POST.c.issue_id == issue.id))
    tx.execute(
        insert(VARIANT),
        [
            {
                "issue_id": issue.id,
                "language": variant.language,
                "edition": variant.edition,
                "subject": variant.subject,
                "html": variant.html,
                "text": variant.text,
                "by_country": places.packed(variant.by_country),
                "hash": variant.hash,
            }
            for variant in variants
        ],
    )
    tx.execute(
        insert(ISSUE_POST),
        [
            {"issue_id": issue.id, "post_key": key, "position": position}
            for position, key in enumerate(posts)
        ],
    )
    return issue


def variants(tx: Tx, issue_id: int) -> tuple[Variant, ...]:
    """The compiled variants, in the order in which they were compiled."""
    rows = tx.execute(select(VARIANT).where(VARIANT.c.issue_id == issue_id).order_by(VARIANT.c.id))
    return tuple(
        Variant(row.language, row.subject, row.html, row.text, row.edition, row.by_country)
        for row in rows
    )


def approve(tx: Tx, issue: Issue, now: datetime) -> None:
    """Nothing, once what is compiled now is approved."""
    tx.execute(
        update(ISSUE)
        .where(ISSUE.c.id == issue.id)
        .values(state=IssueState.APPROVED, approved_hash=issue.content_hash, approved_at=now)
    )


def withdraw_names(tx: Tx) -> tuple[list[str], list[str]]:
    """The issues that name people and had not begun to go out: they count as compiled no more, so
    nothing of them is sent before they are compiled anew. Then those that are under way."""
    naming = tx.execute(
        select(ISSUE).where(
            ISSUE.c.signatories, ISSUE.c.state.in_((IssueState.COMPILED, IssueState.APPROVED))
        )
    ).all()
    out = {row.id for row in naming if has_deliveries(tx, row.id)}
    waiting = [row.id for row in naming if row.id not in out]
    tx.execute(
        update(ISSUE)
        .where(ISSUE.c.id.in_(waiting))
        .values(state=IssueState.COMPILED, content_hash="", approved_hash="", approved_at=None)
    )
    return (
        [row.name for row in naming if row.id in waiting],
        [row.name for row in naming if row.id in out],
    )


def mark_sent(tx: Tx, issue_id: int, now: datetime) -> None:
    """Nothing, once the issue counts as sent; the first time stays."""
    tx.execute(
        update(ISSUE)
        .where(ISSUE.c.id == issue_id, ISSUE.c.sent_at.is_(None))
        .values(state=IssueState.SENT, sent_at=now)
    )


def cancel(tx: Tx, issue_id: int) -> None:
    """Nothing, once the issue is called off: it is never sent, and its posts are free again."""
    tx.execute(update(ISSUE).where(ISSUE.c.id == issue_id).values(state=IssueState.CANCELLED))


def has_deliveries(tx: Tx, issue_id: int) -> bool:
    """Whether anybody was queued for the issue; from then on it stays as it is."""
    return tx.execute(select(1).where(DELIVERY.c.issue_id == issue_id).limit(1)).first() is not None


def posts_in_sent(tx: Tx, list_id: str, other_than: str = "") -> set[str]:
    """The keys of the posts that the list's sent issues hold, those being sent and scheduled, but
    for the issue of that name. What only a digest holds was not sent to everybody."""
    return set(
        tx.scalars(
            select(ISSUE_POST.c.post_key)
            .join(ISSUE, ISSUE.c.id == ISSUE_POST.c.issue_id)
            .where(
                ISSUE.c.list_id == list_id,
                ISSUE.c.name != other_than,
                ISSUE.c.digest == "",
                ISSUE.c.state != IssueState.CANCELLED,
                select(1).where(DISPATCH.c.issue_id == ISSUE.c.id).exists(),
            )
        )
    )


def hold(tx: Tx, issue_id: int) -> None:
    """Nothing, once nobody else who asks for this issue goes on before the end of `tx`."""
    # SQLite has one writer, and takes this for a plain look.
    tx.execute(select(ISSUE.c.id).where(ISSUE.c.id == issue_id).with_for_update())


def posts_of(tx: Tx, issue_id: int) -> list[str]:
    """The keys of an issue's posts, in their order."""
    return list(
        tx.scalars(
            select(ISSUE_POST.c.post_key)
            .where(ISSUE_POST.c.issue_id == issue_id)
            .order_by(ISSUE_POST.c.position)
        )
    )


def _issue(row: object) -> Issue:
    return Issue(**{name: getattr(row, name) for name in Issue.__dataclass_fields__})


# Message-IDs are made of issues' numbers, so after a restore they begin where none was given
# before. SQLite would go on after the highest row.
_NEXT: ColumnElement[int] = literal_column(
    "(SELECT max(coalesce((SELECT max(id) FROM issue), 0),"
    " coalesce((SELECT max(seq) FROM sqlite_sequence WHERE name = 'issue'), 0)) + 1)"
)


def _own_number(tx: Tx) -> dict[str, object]:
    """The number of a new issue, where the database would not give the right one by itself."""
    return {"id": _NEXT} if dialect_of(tx) == "sqlite" else {}
