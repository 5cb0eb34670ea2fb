"""People are removed while an issue is enqueued: neither fails, and no delivery names who is gone.

On PostgreSQL no foreign key of deliveries stands guard (docs/adr/0031): who makes them and who
removes people wait for each other. SQLite has one writer anyway.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillWaiting
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select

from mailout.core.address import Address
from mailout.core.subscriber import Subscriber
from mailout.preferences import moving, rights
from mailout.roster import merging
from mailout.roster import people as organised
from mailout.send import plan
from mailout.store import audiences, people
from mailout.store.tables import DELIVERY, SUBSCRIBER
from newcomers import join
from send_desk import Desk
from sign_ups import token_mailed

NOW = datetime.now(UTC)
GOES, STAYS = "goes@example.org", "stays@example.org"


def _by_themselves(desk: Desk, person: Subscriber) -> object:
    return rights.erase(desk.store, person, NOW)


def _by_an_organiser(desk: Desk, person: Subscriber) -> object:
    return organised.erase(desk.site, desk.store, person.address, NOW)


def _by_a_merge(desk: Desk, person: Subscriber) -> object:
    return merging.unite(desk.site, desk.store, STAYS, person.address, NOW)


@pytest.mark.parametrize(
    ("remove", "states"),
    [
        (_by_themselves, {"queued": 2}),
        (_by_an_organiser, {"queued": 2}),
        (_by_a_merge, {"queued": 1, "skipped": 1}),  # one person, one mail
    ],
)
def test_who_removes_somebody_waits_for_deliveries_that_are_being_made(
    desk: Desk, remove: Callable[[Desk, Subscriber], object], states: dict[str, int]
) -> None:
    stays, person = join(desk.store, desk.site, STAYS), _person(desk)
    dispatch = plan.order(desk.store, _everyone(desk), "everyone", "", NOW)
    with ThreadPoolExecutor(1) as pool:
        with desk.store.writing() as tx:
            assert plan.enqueue(tx, desk.site.lists["bulletin"], dispatch, NOW) == 2
            removing = pool.submit(remove, desk, person)
            assert _waits(removing)
        assert removing.result(timeout=60)
    assert _queued(desk) == states
    merged = remove is _by_a_merge
    assert _named(desk) == [stays.id, stays.id if merged else None]


def test_who_changes_their_address_meanwhile_has_the_issue_at_the_new_one(desk: Desk) -> None:
    person, store = _person(desk), desk.store
    moving.ask(desk.site, store, person, Address.parse("new@example.org"), NOW, secrets.token_bytes)
    token = token_mailed(store)
    chosen = _everyone(desk)
    dispatch = plan.order(store, chosen, "everyone", "", NOW)
    with ThreadPoolExecutor(1) as pool:
        with store.writing() as tx:
            assert plan.enqueue(tx, desk.site.lists["bulletin"], dispatch, NOW) == 1
            changing = pool.submit(lambda: moving.confirm(desk.site, store, token, NOW))
            assert _waits(changing)
        assert changing.result(timeout=60) == "en"
    with store.reading() as tx:
        assert tx.execute(select(SUBSCRIBER.c.address)).scalar_one() == "new@example.org"
        # To another segment the same issue does not go to them once more.
        assert audiences.audience(tx, chosen, NOW).left_out == {"queued for it already": 1}


def test_deliveries_are_made_once_nobody_is_being_removed(desk: Desk) -> None:
    stays, person = join(desk.store, desk.site, STAYS), _person(desk)
    dispatch = plan.order(desk.store, _everyone(desk), "everyone", "", NOW)

    def enqueue() -> int:
        with desk.store.writing() as tx:
            return plan.enqueue(tx, desk.site.lists["bulletin"], dispatch, NOW)

    with ThreadPoolExecutor(1) as pool:
        with desk.store.writing() as tx:
            people.remove(tx, [person.id])
            making = pool.submit(enqueue)
            assert _waits(making)
        assert making.result(timeout=60) == 1
    assert _named(desk) == [stays.id]


def test_two_issues_are_enqueued_at_once(desk: Desk) -> None:
    if desk.store.is_sqlite:
        pytest.skip("SQLite has one writer")
    with desk.store.writing() as one, desk.store.writing() as other:
        people.keep(one)
        people.keep(other)


def _person(desk: Desk) -> Subscriber:
    joined = join(desk.store, desk.site, GOES)
    with desk.store.reading() as tx:
        person = people.by_id(tx, joined.id)
    assert person is not None
    return person


def _everyone(desk: Desk) -> plan.Choice:
    return plan.choice(desk.site.lists["bulletin"], desk.issue().id, "everyone", "")


def _waits(work: Future[object]) -> bool:
    try:
        work.result(timeout=0.5)
    except StillWaiting:
        return True
    return False


def _queued(desk: Desk) -> dict[str, int]:
    with desk.store.reading() as tx:
        rows = tx.execute(select(DELIVERY.c.state, func.count()).group_by(DELIVERY.c.state))
        return {str(state): number for state, number in rows}


def _named(desk: Desk) -> list[int | None]:
    """Whom the deliveries name, each of whom is there."""
    with desk.store.reading() as tx:
        found = list(tx.scalars(select(DELIVERY.c.subscriber_id).order_by(DELIVERY.c.id)))
        there = set(tx.scalars(select(SUBSCRIBER.c.id)))
    assert {one for one in found if one is not None} <= there
    return found
