"""Workers: they find what is due by themselves, and any number of them do it once."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from mailout.core import throttle
from mailout.core.delivery import DeliveryState
from mailout.core.dispatch import DispatchState, Priority
from mailout.core.issue import IssueState
from mailout.core.site import Relay
from mailout.core.throttle import Limit
from mailout.send import control, plan, presence, worker
from mailout.send.clerk import Clerk
from mailout.send.pace import Pace
from mailout.smtp.catcher import Catcher, Faults
from mailout.store import buckets, deliveries, dispatches, issues
from mailout.store.dispatches import Dispatch
from mailout.store.issues import Issue
from newcomers import join
from send_desk import Desk

NOW = datetime.now(UTC)


@dataclass
class Running:
    """A worker in a thread of its own, as a process would be."""

    desk: Desk
    told: list[tuple[str, Mapping[str, object]]] = field(default_factory=list)
    _stop: asyncio.Event | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _thread: threading.Thread | None = None

    def __enter__(self) -> Running:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        while self._loop is None or self._stop is None:
            time.sleep(0.01)
        self._loop.call_soon_threadsafe(self._stop.set)
        assert self._thread is not None
        self._thread.join(20)
        assert not self._thread.is_alive(), "a worker ends when it is told to"

    async def _run(self) -> None:
        self._stop, self._loop = asyncio.Event(), asyncio.get_running_loop()
        await go(self.desk, self.told, self._stop, once=False)


async def go(
    desk: Desk,
    told: list[tuple[str, Mapping[str, object]]],
    stop: asyncio.Event,
    *,
    once: bool,
) -> None:
    def tell(what: str, fields: Mapping[str, object]) -> None:
        told.append((what, fields))

    def report(clerk: Clerk) -> None: ...

    with presence.present(desk.site.root) as name:
        await worker.run_worker(desk.store, desk.site, (), name, tell, report, stop, once=once)


def once(desk: Desk) -> list[str]:
    """What a worker that does what is due, and ends, has to tell."""
    told: list[tuple[str, Mapping[str, object]]] = []

    async def work() -> None:
        await go(desk, told, asyncio.Event(), once=True)

    asyncio.run(work())
    return [what for what, _ in told]


def order(
    desk: Desk, issue: Issue, at: datetime | None = None, priority: int = Priority.BULK
) -> Dispatch:
    with desk.store.writing() as tx:
        issues.approve(tx, issue, NOW)
    chosen = plan.choice(desk.site.lists["bulletin"], issue.id, "everyone", "")
    return plan.order(desk.store, chosen, "everyone", "", NOW, at, priority)


def until(condition: object, seconds: float = 15.0) -> None:
    ends = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < ends, "it took too long"
        time.sleep(0.02)


def state(desk: Desk, dispatch: Dispatch) -> DispatchState:
    with desk.store.reading() as tx:
        return dispatches.get(tx, dispatch.id).state


def test_a_scheduled_send_waits_and_reaches_who_is_there_then(desk: Desk, catcher: Catcher) -> None:
    desk = desk.toward(catcher)
    desk.people(3)
    dispatch = order(desk, desk.issue(), datetime.now(UTC) + timedelta(seconds=1.2))
    assert once(desk) == []
    assert (catcher.messages, state(desk, dispatch)) == ([], DispatchState.QUEUED)
    late = join(desk.store, desk.site, "late@example.org")
    with Running(desk) as running:
        until(lambda: state(desk, dispatch) is DispatchState.DONE)
    assert late.address in {message.recipients[0] for message in catcher.messages}
    assert len(catcher.messages) == 4
    assert [what for what, _ in running.told] == ["begun", "done"]
    assert running.told[1][1]["accepted"] == 4


def test_one_that_is_late_is_held_until_a_person_says_so(desk: Desk, catcher: Catcher) -> None:
    desk = desk.toward(catcher, late_minutes=30)
    desk.people(2)
    issue = desk.issue()
    dispatch = order(desk, issue, datetime.now(UTC) - timedelta(minutes=31))
    assert once(desk) == ["held"]
    assert once(desk) == [], "it does not begin by itself"
    with desk.store.reading() as tx:
        assert "no sender was running then" in dispatches.get(tx, dispatch.id).held_why
    control.resume(desk.store, issue, "", datetime.now(UTC))
    assert once(desk) == ["begun", "done"]
    assert len(catcher.messages) == 2


def test_what_was_compiled_anew_is_not_sent_unapproved(desk: Desk, catcher: Catcher) -> None:
    desk = desk.toward(catcher)
    desk.people(1)
    dispatch = order(desk, desk.issue())
    desk.issue(text="another text")  # compiled again: the approval was for the first
    assert once(desk) == ["held"]
    with desk.store.reading() as tx:
        assert "mailout approve w47" in dispatches.get(tx, dispatch.id).held_why


def test_an_urgent_one_overtakes_a_bulk_one(desk: Desk, catcher: Catcher) -> None:
    relay = Relay(host="127.0.0.1", port=catcher.port, tls="none", connections=1, per_minute=1200)
    desk = Desk(replace(desk.site, relays=(relay,)), desk.store)
    desk.people(60)
    bulk = order(desk, desk.issue("bulk"))
    with Running(desk):
        until(lambda: len(catcher.messages) > 5)
        urgent = order(desk, desk.issue("urgent"), priority=Priority.URGENT)
        until(lambda: state(desk, urgent) is DispatchState.DONE)
        assert state(desk, bulk) is DispatchState.SENDING
        with desk.store.reading() as tx:
            counts = deliveries.count(tx, dispatch_id=bulk.id)
        assert counts[DeliveryState.ACCEPTED] <= 50, "of the bulk hardly more than a window went"
        control.cancel(desk.store, issue_of(desk, bulk), "", NOW)


def issue_of(desk: Desk, dispatch: Dispatch) -> Issue:
    with desk.store.reading() as tx:
        return issues.get(tx, dispatch.issue_id)


def test_a_dead_relay_holds_and_the_worker_goes_on_by_itself(
    desk: Desk, catcher: Catcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_HELD", (timedelta(seconds=0.5), timedelta(seconds=1)))
    desk = desk.toward(catcher)
    desk.people(4)
    port = catcher.port
    catcher.stop()
    dispatch = order(desk, desk.issue())
    with Running(desk) as running:
        until(lambda: state(desk, dispatch) is DispatchState.HELD)
        with desk.store.reading() as tx:
            assert "no server answers" in dispatches.get(tx, dispatch.id).held_why
        with Catcher(port=port) as back:
            until(lambda: state(desk, dispatch) is DispatchState.DONE)
            assert len(back.messages) == 4
    assert running.told[0][0] == "begun"
    assert running.told[-1][0] == "done"


def test_four_workers_send_each_mail_once(desk: Desk, catcher: Catcher) -> None:
    desk = desk.toward(catcher, connections=2)
    addresses = desk.people(150)
    dispatch = order(desk, desk.issue())
    with Running(desk), Running(desk), Running(desk), Running(desk):
        until(lambda: state(desk, dispatch) is DispatchState.DONE, 30)
    assert Counter(m.recipients[0] for m in catcher.messages) == Counter(addresses)


def test_deferred_ones_are_taken_up_when_they_are_due(desk: Desk) -> None:
    with Catcher(faults=Faults(defer_first=1)) as catcher:
        desk = desk.toward(catcher, retry_minutes=(0,))
        desk.people(5)
        issue = desk.issue()
        dispatch = order(desk, issue)
        with Running(desk):
            until(lambda: state(desk, dispatch) is DispatchState.DONE)
        with desk.store.reading() as tx:
            counts = deliveries.count(tx, issue_id=issue.id)
            assert {row.attempts for row in deliveries.listed(tx, issue.id)} == {2}
    assert counts == {DeliveryState.ACCEPTED: 5}


def test_an_issue_called_off_under_a_worker_is_sent_if_somebody_has_it(
    desk: Desk, catcher: Catcher
) -> None:
    relay = Relay(host="127.0.0.1", port=catcher.port, tls="none", connections=1, per_minute=1200)
    desk = Desk(replace(desk.site, relays=(relay,)), desk.store)
    desk.people(60)
    bulk = order(desk, desk.issue("bulk"))
    with Running(desk):
        until(lambda: len(catcher.messages) > 2)
        control.cancel(desk.store, issue_of(desk, bulk), "", NOW)
        until(lambda: issue_of(desk, bulk).state is IssueState.SENT)
        with desk.store.reading() as tx:
            counts = deliveries.count(tx, dispatch_id=bulk.id)
    assert set(counts) == {DeliveryState.ACCEPTED, DeliveryState.CANCELLED}
    assert counts[DeliveryState.ACCEPTED] == len(catcher.messages)


def test_what_is_slowed_is_told_once_and_so_is_its_end(desk: Desk, catcher: Catcher) -> None:
    told: list[tuple[str, Mapping[str, object]]] = []

    def tell(what: str, fields: Mapping[str, object]) -> None:
        told.append((what, fields))

    rounds = worker.Rounds(desk.store, desk.site, (), tell, Pace(desk.site))
    with desk.store.writing() as tx:
        held = buckets.locked(tx, {"to big": Limit()}, NOW)
        buckets.write(tx, [throttle.slowed(held["to big"], NOW)])
    for seconds in (1, 2, 299, 301, 302):
        rounds.look(NOW + timedelta(seconds=seconds))
    until = NOW + throttle.RECOVERY
    assert told == [
        ("slowed", {"provider": "big", "steps": 1, "until": until}),
        ("unslowed", {"provider": "big"}),
    ]
