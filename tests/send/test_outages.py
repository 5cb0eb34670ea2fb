"""A store that goes away in the middle of a send: it is waited for, and told."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy.exc import OperationalError

from mailout.core.delivery import DeliveryState
from mailout.core.errors import MailoutError, TryLater
from mailout.send import control, ledger, plan
from mailout.send.lines import WINDOW
from mailout.send.run import Progress
from mailout.smtp.catcher import Catcher
from mailout.store import deliveries, dispatches, outcomes
from send_desk import Desk

NOW = datetime.now(UTC)


def caught(catcher: Catcher) -> Counter[str]:
    return Counter(message.recipients[0] for message in catcher.messages)


@pytest.mark.parametrize("is_on_disk", [False, True])
def test_a_turn_that_fails_is_taken_again(
    desk: Desk, catcher: Catcher, monkeypatch: pytest.MonkeyPatch, is_on_disk: bool
) -> None:
    """Also when its commit had arrived and only the answer was lost."""
    monkeypatch.setattr(ledger, "_WAITS", (0.05, 0.1))
    desk = desk.toward(catcher, connections=1)
    addresses = desk.people(60)
    issue = desk.issue()
    dispatch = desk.enqueue(issue)
    write, failures = ledger.Ledger._write, [2, 3, 5]
    turns = 0

    def fails_at_times(self: ledger.Ledger, *words: object) -> object:
        nonlocal turns
        turns += 1
        result = None
        if is_on_disk or turns not in failures:
            result = write(self, *words)  # type: ignore[arg-type]
        if turns in failures:
            raise TryLater("the store does not answer")
        return result

    monkeypatch.setattr(ledger.Ledger, "_write", fails_at_times)
    told: set[str] = set()
    ending = desk.send(dispatch, lambda progress: told.add(progress.trouble))
    assert ending.counts == {DeliveryState.ACCEPTED: 60}
    assert caught(catcher) == Counter(addresses), "nobody twice, nobody lost"
    assert told == {"", "the store does not answer"}


def test_no_commit_leaves_more_in_doubt_than_the_window(
    desk: Desk, catcher: Catcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = desk.toward(catcher, connections=2)
    desk.people(300)
    dispatch = desk.enqueue(desk.issue())
    write = ledger.Ledger._write
    in_doubt: list[int] = []

    def counting(self: ledger.Ledger, *words: object) -> object:
        result = write(self, *words)  # type: ignore[arg-type]
        with desk.store.reading() as tx:
            counts = deliveries.count(tx, dispatch_id=dispatch.id)
        in_doubt.append(counts.get(DeliveryState.SENDING, 0))
        return result

    monkeypatch.setattr(ledger.Ledger, "_write", counting)
    assert desk.send(dispatch).counts == {DeliveryState.ACCEPTED: 300}
    assert max(in_doubt) == 2 * WINDOW, "it is used up, and never more"


def test_a_full_disk_is_waited_out(desk: Desk, catcher: Catcher) -> None:
    if not desk.store.is_sqlite:
        return
    desk = desk.toward(catcher, connections=1)
    addresses = desk.people(200)
    dispatch = desk.enqueue(desk.issue())
    troubles: list[str] = []

    def watch(progress: Progress) -> None:
        if progress.trouble and not troubles:
            troubles.append(progress.trouble)

    original = outcomes.accept
    full_until = time.monotonic() + 1.0

    def accept(*words: object) -> None:
        if time.monotonic() < full_until and len(catcher.messages) > 30:
            raise OperationalError("x", {}, Exception("database or disk is full"))
        original(*words)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outcomes, "accept", accept)
        ending = desk.send(dispatch, watch)
    assert ending.counts == {DeliveryState.ACCEPTED: 200}
    assert caught(catcher) == Counter(addresses)
    assert troubles and "disk is full" in troubles[0]


def test_a_watcher_that_fails_ends_the_run(
    desk: Desk, catcher: Catcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = desk.toward(catcher, connections=1)
    relay = replace(desk.site.relays[0], per_minute=600)  # slow enough for a second look
    desk = Desk(replace(desk.site, relays=(relay,)), desk.store)
    desk.people(50)
    dispatch = desk.enqueue(desk.issue())
    looks = 0

    def cancel_rest(*words: object) -> int:
        nonlocal looks
        looks += 1
        if looks == 2:
            raise MailoutError("the list is gone")
        return 0

    monkeypatch.setattr(deliveries, "cancel_rest", cancel_rest)
    with pytest.raises(MailoutError, match="the list is gone"):
        desk.send(dispatch)
    left = time.monotonic() + 5
    while catcher.open_connections and time.monotonic() < left:
        time.sleep(0.02)
    assert catcher.open_connections == 0


def test_what_was_called_off_is_not_begun_by_one_who_saw_it_before(
    desk: Desk, catcher: Catcher
) -> None:
    desk = desk.toward(catcher)
    desk.people(5)
    issue = desk.issue()
    bulletin = desk.site.lists["bulletin"]
    chosen = plan.choice(bulletin, issue.id, "everyone", "")
    dispatch = plan.order(desk.store, chosen, "everyone", "", NOW)
    control.cancel(desk.store, issue, "", NOW)
    with desk.store.writing() as tx:
        assert plan.enqueue(tx, bulletin, dispatch, NOW) == 0
        assert dispatches.get(tx, dispatch.id).filled_at is None


def test_of_two_who_begin_it_one_makes_the_deliveries(desk: Desk, catcher: Catcher) -> None:
    desk = desk.toward(catcher)
    desk.people(50)
    bulletin = desk.site.lists["bulletin"]
    chosen = plan.choice(bulletin, desk.issue().id, "everyone", "")
    dispatch = plan.order(desk.store, chosen, "everyone", "", NOW)
    made: list[int] = []

    def begin() -> None:
        with desk.store.writing() as tx:
            made.append(plan.enqueue(tx, bulletin, dispatch, NOW))

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [0, 0, 0, 50]
    with desk.store.reading() as tx:
        assert dispatches.get(tx, dispatch.id).left_out == {}
