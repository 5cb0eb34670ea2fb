"""Requests in the store: kept until they are confirmed or expire, by the hash of their token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import delete, insert, select

from mailout.core.request import GOOD_FOR, RequestPurpose
from mailout.core.token import link_hash
from mailout.store.asked_tables import REQUEST
from mailout.store.engine import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What somebody asked for; `said` is what they typed and were told, to be kept as evidence.

    `subscriber_id` is None where nobody is known yet.
    """

    purpose: RequestPurpose
    address_key: str
    list_id: str
    language: str
    subscriber_id: int | None = None
    said: Mapping[str, object] = field(default_factory=dict, repr=False)
    created_at: datetime


def add(tx: Tx, request: Request, token: str) -> None:
    """Nothing, once the request can be confirmed by `token`."""
    tx.execute(
        insert(REQUEST).values(
            purpose=request.purpose,
            token_hash=link_hash(token),
            address_key=request.address_key,
            subscriber_id=request.subscriber_id,
            list_id=request.list_id,
            language=request.language,
            said=dict(request.said),
            created_at=request.created_at,
            expires_at=request.created_at + GOOD_FOR[request.purpose],
        )
    )


def look(tx: Tx, purpose: RequestPurpose, token: str, now: datetime) -> Request | None:
    """The request that a token confirms; None if it is of another purpose, used or too old."""
    row = tx.execute(
        select(REQUEST).where(
            REQUEST.c.token_hash == link_hash(token),
            REQUEST.c.purpose == purpose,
            REQUEST.c.expires_at > now,
        )
    ).first()
    return _request(row) if row else None


def take(tx: Tx, purpose: RequestPurpose, token: str, now: datetime) -> Request | None:
    """The request, which nobody can confirm a second time; None as for `look`."""
    row = tx.execute(
        delete(REQUEST)
        .where(
            REQUEST.c.token_hash == link_hash(token),
            REQUEST.c.purpose == purpose,
            REQUEST.c.expires_at > now,
        )
        .returning(REQUEST)
    ).first()
    return _request(row) if row else None


def withdraw(tx: Tx, token: str) -> None:
    """Nothing, once `token` confirms nothing."""
    tx.execute(delete(REQUEST).where(REQUEST.c.token_hash == link_hash(token)))


def drop(tx: Tx, purpose: RequestPurpose, address_key: str, list_id: str) -> None:
    """Nothing, once no request of that purpose waits for the address on that list."""
    tx.execute(
        delete(REQUEST).where(
            REQUEST.c.purpose == purpose,
            REQUEST.c.address_key == address_key,
            REQUEST.c.list_id == list_id,
        )
    )


def keys_of(tx: Tx, subscriber_id: int) -> list[str]:
    """The address keys that a person's own requests are about."""
    return list(
        tx.scalars(select(REQUEST.c.address_key).where(REQUEST.c.subscriber_id == subscriber_id))
    )


def forget_person(tx: Tx, subscriber_id: int) -> None:
    """Nothing, once no request of that person's own waits."""
    tx.execute(delete(REQUEST).where(REQUEST.c.subscriber_id == subscriber_id))


def forget(tx: Tx, address_key: str) -> None:
    """Nothing, once no request names the address."""
    tx.execute(delete(REQUEST).where(REQUEST.c.address_key == address_key))


def purge(tx: Tx, now: datetime) -> int:
    """How many requests were too old to be confirmed; they are gone."""
    done = tx.execute(delete(REQUEST).where(REQUEST.c.expires_at <= now))
    return int(getattr(done, "rowcount", 0))


def _request(row: object) -> Request:
    return Request(**{name: getattr(row, name) for name in Request.__dataclass_fields__})
