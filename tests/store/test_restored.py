"""A store out of a backup: all that was open is held, and nothing new is ordered."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from dumped_tables import fill
from mailout.core.delivery import DeliveryState
from mailout.core.dispatch import UNFINISHED, DispatchState
from mailout.core.errors import MailoutError
from mailout.core.segment import Everyone
from mailout.send import plan
from mailout.store import restored
from mailout.store.asked_tables import LETTER
from mailout.store.audiences import Choice
from mailout.store.engine import Store
from mailout.store.inbound_tables import metadata
from mailout.store.tables import DELIVERY, DISPATCH

MADE = datetime(2026, 11, 24, 18, 30, tzinfo=UTC)
NOW = MADE + timedelta(hours=9)


@pytest.fixture
def held(store: Store) -> Store:
    """A store with a bit of everything, all of it under way, that was restored."""
    fill(store, metadata, random.Random(8))
    with store.writing() as tx:
        tx.execute(update(DISPATCH).values(state=DispatchState.SENDING, ended_at=None))
        tx.execute(update(DELIVERY).values(state=DeliveryState.SENDING, worker="dead"))
        tx.execute(
            update(DELIVERY).where(DELIVERY.c.id == 1).values(state=DeliveryState.QUEUED, worker="")
        )
        tx.execute(
            update(LETTER).values(
                state=DeliveryState.SENDING, worker="dead", expires_at=NOW + timedelta(days=9)
            )
        )
        assert restored.hold(tx, MADE, NOW) == 3
    return store


def test_nothing_is_open_any_more_but_what_a_person_lets_go_on(held: Store) -> None:
    with held.reading() as tx:
        assert not tx.scalar(
            select(func.count()).where(DISPATCH.c.state.in_(UNFINISHED - {DispatchState.PAUSED}))
        )
        assert sorted(tx.scalars(select(DELIVERY.c.state))) == ["queued", "unknown", "unknown"]
        assert set(tx.scalars(select(DELIVERY.c.worker))) == {""}
        assert set(tx.scalars(select(DISPATCH.c.held_why))) == {
            "restored from a backup of 2026-11-24 18:30 UTC"
        }
        [*found] = restored.open_ones(tx)
    assert (sum(one.queued for one in found), sum(one.unknown for one in found)) == (1, 2)


def test_letters_keep_no_address(held: Store) -> None:
    with held.reading() as tx:
        assert set(tx.scalars(select(LETTER.c.state))) == {DeliveryState.EXPIRED}
        assert set(tx.scalars(select(LETTER.c.address))) == {""}


def test_nothing_is_ordered_before_it_is_settled(held: Store) -> None:
    chosen = Choice(1, "bulletin", Everyone(), None, lambda _: Everyone())
    with pytest.raises(MailoutError, match="restored from a backup of 2026-11-24 18:30 UTC"):
        plan.order(held, chosen, "unions", "", NOW)
    with pytest.raises(MailoutError, match="mailout settle"):
        plan.refuse_unsettled(held)
    with held.writing() as tx:
        assert restored.since(tx) == MADE
        restored.settle(tx)
        assert restored.since(tx) is None
    plan.refuse_unsettled(held)
    assert plan.order(held, chosen, "unions", "", NOW).state is DispatchState.QUEUED
