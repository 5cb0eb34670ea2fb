"""Letters in the store: written down, counted by mailbox, taken by whoever posts them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, insert, select

from mailout.core.delivery import DeliveryState
from mailout.core.letter import Letter, LetterKind
from mailout.store.engine import Tx
from mailout.store.tables import LETTER


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


def forget(tx: Tx, address_key: str) -> None:
    """Nothing, once no letter names the address, and none is on its way to it any more."""
    tx.execute(delete(LETTER).where(LETTER.c.address_key == address_key))


def purge(tx: Tx, before: datetime) -> None:
    """Nothing, once letters with an end that were written before that moment are gone."""
    over = LETTER.c.state.not_in((DeliveryState.QUEUED, DeliveryState.SENDING))
    tx.execute(delete(LETTER).where(over, LETTER.c.created_at < before))
