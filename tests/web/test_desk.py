"""The desk: many leaves in one commit, and each of them as if it were alone; on both databases."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence

import httpx
import pytest

from mailout.core.errors import TryLater
from mailout.core.event import EventKind
from mailout.core.site import Site
from mailout.core.subscription import SubscriptionState
from mailout.core.token import leave_token
from mailout.preferences import leaving
from mailout.preferences.leaving import Left
from mailout.store import consents, events, people
from mailout.store.engine import Store
from mailout.web import desk as desks
from mailout.web.app import make_app
from mailout.web.desk import Desk
from newcomers import Newcomer, actions_of, dump, join, state_of

UNSUBSCRIBED = SubscriptionState.UNSUBSCRIBED


def crowd(store: Store, site: Site, count: int = 12, list_id: str = "bulletin") -> list[Newcomer]:
    return [join(store, site, f"person{n}@example.org", list_id=list_id) for n in range(count)]


async def ask_all(desk: Desk, tokens: Sequence[str]) -> list[Left | BaseException | None]:
    """The ends of leaves that all stood in line before the desk opened."""
    desk._at_work = True
    asks = [asyncio.ensure_future(desk.leave(token, "one-click")) for token in tokens]
    await asyncio.sleep(0)
    desk._thread.submit(desk._work)
    return await asyncio.gather(*asks, return_exceptions=True)


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many leaves each transaction was asked for."""
    sizes: list[int] = []
    leave_all = desks.leave_all

    def counted(writer, keys, asks, now):  # type: ignore[no-untyped-def]
        sizes.append(len(asks))
        return leave_all(writer, keys, asks, now)

    monkeypatch.setattr(desks, "leave_all", counted)
    return sizes


async def test_a_crowd_shares_commits(site: Site, store: Store, sizes: list[int]) -> None:
    everybody = crowd(store, site)
    ends = await ask_all(Desk(store, site.keys), [one.token for one in everybody])
    assert sizes == [12]
    assert all(isinstance(end, Left) and end.undo for end in ends)
    for one in everybody:
        assert state_of(store, one) is UNSUBSCRIBED
        assert actions_of(store, one)[-1] == ("left", "one-click")
    with store.reading() as tx:
        assert consents.first_broken(tx, "bulletin") is None
        left = events.listed(tx, [EventKind.LEFT])
    assert {event.address for event in left} == {one.address for one in everybody}
    assert {event.text for event in left} == {"bulletin"}


async def test_strangers_twice_and_gone_in_one_crowd(
    site: Site, store: Store, sizes: list[int]
) -> None:
    first, anna, boris, gone, left = crowd(store, site, 5)
    clara = join(store, site, "clara@example.org", state=SubscriptionState.PENDING)
    other = join(store, site, "person1@example.org", list_id="other")
    leaving.leave(store, site.keys, left.token, leaving_at(), source="page")
    with store.writing() as tx:
        people.remove(tx, [gone.id])
    wrong = [leave_token(secrets.token_bytes(16)), "", "\0" * 22, "x" * 10_000, "é" * 22]
    asked = [anna.token, anna.token, boris.token, other.token, clara.token, left.token, gone.token]
    ends = await ask_all(Desk(store, site.keys), [first.token, *asked, *wrong])
    assert sizes == [7]
    shown = [end and (end.list_id, bool(end.undo)) for end in ends[1:]]  # type: ignore[union-attr]
    assert shown[:2] == [("bulletin", True), ("bulletin", False)]
    assert shown[2:6] == [
        ("bulletin", True),
        ("other", True),
        ("bulletin", False),
        ("bulletin", False),
    ]
    assert shown[6:] == [None] * 6
    assert [action for action, _ in actions_of(store, anna)] == [
        "imported", "imported", "left", "left"
    ]  # fmt: skip
    with store.reading() as tx:
        for list_id in ("bulletin", "other"):
            assert consents.first_broken(tx, list_id) is None


async def test_strangers_never_reach_the_writer(site: Site, store: Store, sizes: list[int]) -> None:
    crowd(store, site, 2)
    before = dump(store)
    wrong = [leave_token(secrets.token_bytes(16)) for _ in range(50)]
    assert await ask_all(Desk(store, site.keys), wrong) == [None] * 50
    assert sizes == []
    assert dump(store) == before


async def test_one_that_fails_takes_no_other_with_it(
    site: Site, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    everybody = crowd(store, site, 6)
    evidence = leaving._evidence

    def fragile(held, *rest):  # type: ignore[no-untyped-def]
        if held.subscriber_id == everybody[3].id:
            raise RuntimeError("no evidence of this one")
        return evidence(held, *rest)

    monkeypatch.setattr(leaving, "_evidence", fragile)
    desk = Desk(store, site.keys)
    ends = await ask_all(desk, [one.token for one in everybody])
    assert isinstance(ends.pop(3), RuntimeError)
    assert all(isinstance(end, Left) and end.undo for end in ends)
    failed = everybody.pop(3)
    assert state_of(store, failed) is SubscriptionState.ACTIVE
    assert [actions_of(store, one)[1:] for one in everybody] == [[("left", "one-click")]] * 5
    monkeypatch.undo()
    assert await desk.leave(failed.token, "page")


async def test_a_store_that_cannot_now_tells_all_of_them(
    site: Site, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    everybody = crowd(store, site, 4)
    desk = Desk(store, site.keys)

    def full(*_: object) -> None:
        raise TryLater("the disk is full")

    monkeypatch.setattr(leaving.consents, "append_plain", full)
    ends = await ask_all(desk, [one.token for one in everybody] + ["x" * 22])
    assert all(isinstance(end, TryLater) for end in ends[:4])
    assert ends[4] is None
    assert state_of(store, everybody[0]) is SubscriptionState.ACTIVE
    monkeypatch.undo()
    assert all(await ask_all(desk, [one.token for one in everybody]))


async def test_who_was_changed_meanwhile_is_looked_at_again(
    site: Site, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, paused, gone, left = crowd(store, site, 4)
    find_all = desks.find_all
    asked: list[int] = []

    def changed_after(writer, tokens):  # type: ignore[no-untyped-def]
        found = find_all(writer, tokens)
        asked.append(len(tokens))
        if len(asked) == 1:
            with store.writing() as tx:
                subscription = people.subscription_of_token(tx, paused.token)
                assert subscription is not None
                people.set_state(tx, subscription.id, SubscriptionState.PAUSED, leaving_at())
                people.remove(tx, [gone.id])
            leaving.leave(store, site.keys, left.token, leaving_at(), source="page")
        return found

    monkeypatch.setattr(desks, "find_all", changed_after)
    desk = Desk(store, site.keys)
    ends = await ask_all(desk, [one.token for one in (paused, gone, left)])
    assert asked == [3, 1, 1, 1]
    was_paused, was_erased, had_left = ends
    assert isinstance(was_paused, Left) and was_paused.undo
    assert was_erased is None
    assert isinstance(had_left, Left) and not had_left.undo
    assert leaving.undo(store, site.keys, was_paused.undo, leaving_at()) is not None
    assert state_of(store, paused) is SubscriptionState.PAUSED
    assert state_of(store, first) is SubscriptionState.ACTIVE


async def test_a_request_given_up_is_a_leave_all_the_same(site: Site, store: Store) -> None:
    anna, boris = crowd(store, site, 2)
    desk = Desk(store, site.keys)
    given_up = asyncio.ensure_future(desk.leave(anna.token, "page"))
    await asyncio.sleep(0)
    given_up.cancel()
    assert await desk.leave(boris.token, "page")
    assert state_of(store, anna) is UNSUBSCRIBED


async def test_nobody_waits_and_no_connection_is_held(site: Site, store: Store) -> None:
    everybody = crowd(store, site, 3)
    desk = Desk(store, site.keys)
    await ask_all(desk, [one.token for one in everybody])
    desk._thread.shutdown()
    assert not desk._at_work
    assert store.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


def test_from_several_event_loops(site: Site, store: Store) -> None:
    anna, boris = crowd(store, site, 2)
    transport = httpx.ASGITransport(make_app(site, store))

    async def post(token: str) -> int:
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return (await client.post(f"/u/{token}")).status_code

    for token in (boris.token, anna.token, anna.token):
        assert asyncio.run(post(token)) == 200
    assert state_of(store, anna) is state_of(store, boris) is UNSUBSCRIBED


def leaving_at():  # type: ignore[no-untyped-def]
    return desks.now()
