"""What stays of people who were merged into others: their address keys and leave tokens."""

from __future__ import annotations

from sqlalchemy import exists, select

from mailout.store.engine import Tx
from mailout.store.roster_tables import MERGED_ADDRESS
from mailout.store.tables import SUBSCRIBER


def addresses_of(tx: Tx, subscriber_id: int) -> list[str]:
    """The address keys that were merged into a person's; not those by which somebody has signed up
    anew since, who is a person of their own."""
    anew = exists().where(SUBSCRIBER.c.address_key == MERGED_ADDRESS.c.address_key)
    return list(
        tx.scalars(
            select(MERGED_ADDRESS.c.address_key).where(
                MERGED_ADDRESS.c.subscriber_id == subscriber_id, ~anew
            )
        )
    )
