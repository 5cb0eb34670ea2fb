"""Letters in the store: written down, counted by mailbox, taken by whoever posts them.

due -> start (commit) -> the wire -> end, or put off and due again.

What has an end keeps neither address nor values; of reports and alerts, which hold nobody's
address but the organiser's own, it keeps the subject. On PostgreSQL several postmen skip what
another has locked, on SQLite there is one writer at a time: no letter is taken twice.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Select, delete, func, insert, or_, select, text, update

from mailout.core.delivery import OPEN_STATES, DeliveryState
from mailout.core.letter import Letter, LetterKind
from mailout.store.asked_tables import LETTER
from mailout.store.columns import dialect_of
from mailout.store.engine import Tx

TO_CONTACTS = (LetterKind.REPORT, LetterKind.ALERT)
"""Letters to a list's contact."""

_KEPT = {
    LetterKind.REPORT: ("about", "subject"),
    LetterKind.ALERT: ("about", "subject"),
    LetterKind.REPLY: ("about",),  # the rest is a reader's
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A letter as a postman has it; `attempts` counts those before the one to come."""

    id: int
    kind: LetterKind
    list_id: str
    language: str
    address: str = field(repr=False)
    address_key: str
    said: Mapping[str, str] = field(repr=False)
    attempts: int
    created_at: datetime
    expires_at: datetime

    @property
    def kept(self) -> dict[str, str]:
        """What of `said` stays once the letter has an end."""
        return {name: self.said[name] for name in _KEPT.get(self.kind, ()) if name in self.said}


@dataclass(frozen=True, slots=True)
class Failing:
    """A letter that did not go as it should, as shown to people: `said` by a server or by us."""

    id: int
    kind: LetterKind
    list_id: str
    state: DeliveryState
    attempts: int
    created_at: datetime
    next_at: datetime
    said: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many letters wait to be mailed; since when the oldest does, of which list it is, and
    what was said of it last."""

    count: int
    since: datetime | None = None
    list_id: str = ""
    said: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """A letter to a contact: what it was `about` and its subject."""

    kind: LetterKind
    list_id: str
    about: str
    subject: str
    created_at: datetime
    state: DeliveryState


def add(tx: Tx, letter: Letter, now: datetime) -> int:
    """The number of the letter, which is now queued; a withheld one is skipped, and its content
    is not kept."""
    withheld = letter.withheld
    return int(
        tx.execute(
            insert(LETTER)
            .values(
                kind=letter.kind,
                list_id=letter.list_id,
                language=letter.language,
                address="" if withheld else letter.address,
                address_key=letter.address_key,
                abuse_key=letter.abuse_key,
                said={} if withheld else dict(letter.said),
                state=DeliveryState.SKIPPED if withheld else DeliveryState.QUEUED,
                attempts=0,
                created_at=now,
                next_at=now,
                expires_at=letter.expires_at,
                worker="",
                last_text="",
            )
            .returning(LETTER.c.id)
        ).scalar_one()
    )


def moments(
    tx: Tx, abuse_key: str, kinds: Collection[LetterKind], since: datetime
) -> list[datetime]:
    """When letters of those kinds to a mailbox were written, withheld ones left out."""
    return list(
        tx.scalars(
            select(LETTER.c.created_at).where(
                LETTER.c.abuse_key == abuse_key,
                LETTER.c.created_at > since,
                LETTER.c.kind.in_(sorted(kinds)),
                LETTER.c.state != DeliveryState.SKIPPED,
            )
        )
    )


# --- for the postman ----------------------------------------------------------------------


def any_work(tx: Tx, now: datetime) -> bool:
    """Whether a postman would find anything to do."""
    queued = (LETTER.c.state == DeliveryState.QUEUED) & (LETTER.c.next_at <= now)
    held = LETTER.c.state == DeliveryState.SENDING
    open_ = LETTER.c.state.in_(sorted(OPEN_STATES))
    return tx.execute(select(1).where(open_, or_(queued, held)).limit(1)).first() is not None


def due(tx: Tx, now: datetime, most: int) -> list[Posted]:
    """Up to `most` due letters, in the order in which they are due. No other postman has them
    before `tx` ends: `start` or `postpone` them within it, or leave them."""
    rows = tx.execute(
        _posted(select(LETTER))
        .where(LETTER.c.state == DeliveryState.QUEUED, LETTER.c.next_at <= now)
        .where(LETTER.c.expires_at > now)
        .order_by(LETTER.c.next_at, LETTER.c.id)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    return [Posted(**row._mapping) for row in rows]


def start(tx: Tx, ids: Collection[int], worker: str, lease_until: datetime) -> None:
    """Nothing, once letters that this transaction found due are `sending`, held by `worker`.

    Commit before the wire.
    """
    tx.execute(
        update(LETTER)
        .where(LETTER.c.id.in_(ids), LETTER.c.state == DeliveryState.QUEUED)
        .values(
            state=DeliveryState.SENDING,
            worker=worker,
            lease_until=lease_until,
            attempts=LETTER.c.attempts + 1,
        )
    )


def extend(tx: Tx, worker: str, lease_until: datetime) -> None:
    """Nothing, once all that the worker holds is leased until then."""
    tx.execute(update(LETTER).where(LETTER.c.worker == worker).values(lease_until=lease_until))


def postpone(tx: Tx, ids: Collection[int], due_at: datetime) -> None:
    """Nothing, once letters that this transaction found due are due at that moment."""
    tx.execute(update(LETTER).where(LETTER.c.id.in_(ids)).values(next_at=due_at))


def hasten(tx: Tx, now: datetime) -> None:
    """Nothing, once all letters that were put off are due."""
    tx.execute(
        update(LETTER)
        .where(LETTER.c.state == DeliveryState.QUEUED, LETTER.c.next_at > now)
        .values(next_at=now)
    )


def end(
    tx: Tx, letter: Posted, worker: str, state: DeliveryState, said: str, now: datetime
) -> bool:
    """Whether the worker's letter now has that end, and nothing of it stays but the server's words.

    `next_at` tells from then on when it ended.
    """
    return _changed(
        tx,
        letter,
        worker,
        {
            "state": state,
            "address": "",
            "said": letter.kept,
            "next_at": now,
            "worker": "",
            "lease_until": None,
            "last_text": said,
        },
    )


def put_off(tx: Tx, letter: Posted, worker: str, due_at: datetime, said: str) -> bool:
    """Whether the worker's letter is queued again and due at that moment; `said` tells why."""
    values = {"next_at": due_at, "last_text": said}
    return _changed(tx, letter, worker, {**_QUEUED, **values})


def give_back(tx: Tx, letter: Posted, worker: str, due_at: datetime, said: str = "") -> bool:
    """Whether the worker's letter, of which nothing was on the wire, is queued again, untried."""
    values: dict[str, object] = {"next_at": due_at, "attempts": letter.attempts}
    if said:
        values["last_text"] = said
    return _changed(tx, letter, worker, {**_QUEUED, **values})


_QUEUED: Mapping[str, object] = {
    "state": DeliveryState.QUEUED,
    "worker": "",
    "lease_until": None,
}


def _changed(tx: Tx, letter: Posted, worker: str, values: Mapping[str, object]) -> bool:
    done = tx.execute(
        update(LETTER)
        .where(LETTER.c.id == letter.id, LETTER.c.state == DeliveryState.SENDING)
        .where(LETTER.c.worker == worker)
        .values(**values)
    )
    return bool(getattr(done, "rowcount", 0))


def holders(tx: Tx) -> list[str]:
    """The workers that hold letters now."""
    held = LETTER.c.state == DeliveryState.SENDING
    return list(tx.scalars(select(LETTER.c.worker).where(held).distinct()))


def lapse(tx: Tx, now: datetime, dead_workers: Sequence[str]) -> int:
    """How many letters whose worker is gone are due again. Each may have gone out: it goes again
    with the same Message-ID."""
    gone = or_(LETTER.c.lease_until < now, LETTER.c.worker.in_(dead_workers))
    done = tx.execute(
        update(LETTER)
        .where(LETTER.c.state == DeliveryState.SENDING, gone)
        .values(**_QUEUED, next_at=now)
    )
    return int(getattr(done, "rowcount", 0))


def expire(tx: Tx, now: datetime) -> int:
    """How many queued letters were too old to be of use; nothing of them stays."""
    old = (LETTER.c.state == DeliveryState.QUEUED) & (LETTER.c.expires_at <= now)
    gone = {"state": DeliveryState.EXPIRED, "address": "", "next_at": now}
    personal = tx.execute(
        update(LETTER).where(old, LETTER.c.kind.not_in(TO_CONTACTS)).values(**gone, said={})
    )
    count = int(getattr(personal, "rowcount", 0))
    for row in tx.execute(_posted(select(LETTER)).where(old).with_for_update()).all():
        letter = Posted(**row._mapping)
        tx.execute(update(LETTER).where(LETTER.c.id == letter.id).values(**gone, said=letter.kept))
        count += 1
    return count


# --- for people ---------------------------------------------------------------------------


def counts(tx: Tx) -> dict[tuple[LetterKind, DeliveryState], int]:
    """How many letters there are of each kind and state."""
    rows = tx.execute(
        select(LETTER.c.kind, LETTER.c.state, func.count()).group_by(LETTER.c.kind, LETTER.c.state)
    )
    return {(kind, state): number for kind, state, number in rows}


def failing(tx: Tx, limit: int = 100) -> list[Failing]:
    """Letters that were put off, refused, expired or skipped with a reason, the newest first."""
    failed = (DeliveryState.REFUSED, DeliveryState.EXPIRED, DeliveryState.UNKNOWN)
    rows = tx.execute(
        select(
            LETTER.c.id,
            LETTER.c.kind,
            LETTER.c.list_id,
            LETTER.c.state,
            LETTER.c.attempts,
            LETTER.c.created_at,
            LETTER.c.next_at,
            LETTER.c.last_text,
        )
        .where(
            or_(
                LETTER.c.state.in_(failed),
                (LETTER.c.state != DeliveryState.ACCEPTED) & (LETTER.c.last_text != ""),
            )
        )
        .order_by(LETTER.c.id.desc())
        .limit(limit)
    )
    return [Failing(*row) for row in rows]


def waiting(tx: Tx, *, untried: bool = False) -> Waiting:
    """The letters that wait to be mailed; with `untried` only readers' ones that no relay was asked
    to take yet."""
    query = select(LETTER.c.created_at, LETTER.c.list_id, LETTER.c.last_text)
    query = query.where(LETTER.c.state.in_(sorted(OPEN_STATES)))
    if untried:
        query = query.where(LETTER.c.attempts == 0, LETTER.c.kind.not_in(TO_CONTACTS))
    count = tx.scalar(select(func.count()).select_from(query.subquery())) or 0
    oldest = tx.execute(query.order_by(LETTER.c.created_at, LETTER.c.id).limit(1)).first()
    return Waiting(count, *oldest) if oldest else Waiting(0)


def notices(tx: Tx, kind: LetterKind, since: datetime, list_id: str = "") -> list[Notice]:
    """The letters of that kind to contacts (of one list, if given), the newest first."""
    query = select(LETTER).where(LETTER.c.kind == kind, LETTER.c.created_at > since)
    if list_id:
        query = query.where(LETTER.c.list_id == list_id)
    return [
        Notice(
            row.kind,
            row.list_id,
            row.said.get("about", ""),
            row.said.get("subject", ""),
            row.created_at,
            row.state,
        )
        for row in tx.execute(query.order_by(LETTER.c.id.desc()))
    ]


def hold_notices(tx: Tx, list_id: str) -> None:
    """Nothing, once nobody else looks for the list's alerts, and writes one, before `tx` ends."""
    if dialect_of(tx) == "postgresql":  # SQLite has one writer anyway
        lock = text("SELECT pg_advisory_xact_lock(hashtext(:notices))")
        tx.execute(lock, {"notices": f"notices of {list_id}"})


def forget(tx: Tx, address_key: str, address: str = "") -> None:
    """Nothing, once no letter names the address, and none is on its way to it any more."""
    tx.execute(delete(LETTER).where(LETTER.c.address_key == address_key))
    if address:  # what they wrote may be on its way to the contact
        for id_, said in tx.execute(
            select(LETTER.c.id, LETTER.c.said).where(LETTER.c.kind == LetterKind.REPLY)
        ).all():
            if any(address.lower() in str(value).lower() for value in said.values()):
                tx.execute(delete(LETTER).where(LETTER.c.id == id_))


def purge(tx: Tx, before: datetime) -> None:
    """Nothing, once letters with an end that were written before that moment are gone."""
    over = LETTER.c.state.not_in(sorted(OPEN_STATES))
    tx.execute(delete(LETTER).where(over, LETTER.c.created_at < before))


def _posted(query: Select[tuple[object, ...]]) -> Select[tuple[object, ...]]:
    return query.with_only_columns(*(LETTER.c[name] for name in Posted.__dataclass_fields__))
