"""Tokens that come with providers' notices and are good for one: which were used, and for what."""

from __future__ import annotations

import hashlib
from datetime import datetime

from sqlalchemy import delete, select

from mailout.store import batch
from mailout.store.engine import Tx
from mailout.store.inbound_tables import HOOK_TOKEN


def claim(tx: Tx, provider: str, token: str, event: bytes, now: datetime) -> bool:
    """Whether the provider's token is good for the event: it is new, and from now on only good for
    this one, or it came with this very event before."""
    name, what = _digest(f"{provider}\0{token}".encode("utf-8", "replace")), _digest(event)
    batch.insert_batch(tx, HOOK_TOKEN, [{"token": name, "event": what, "at": now}], skip_known=True)
    return tx.scalar(select(HOOK_TOKEN.c.event).where(HOOK_TOKEN.c.token == name)) == what


def forget(tx: Tx, before: datetime) -> None:
    """Nothing, once tokens that were used before that moment are gone."""
    tx.execute(delete(HOOK_TOKEN).where(HOOK_TOKEN.c.at < before))


def _digest(what: bytes) -> str:
    return hashlib.sha256(what).hexdigest()
