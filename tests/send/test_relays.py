"""Several relays: shares, failover, and a breaker that lets a broken one rest."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from itertools import count

import pytest

from mailout.core.delivery import DeliveryState
from mailout.core.dispatch import DispatchState
from mailout.core.site import Relay
from mailout.send import lines
from mailout.smtp.catcher import Catcher, Faults
from mailout.store import deliveries, dispatches
from send_desk import Desk


@pytest.fixture
def two() -> Iterator[tuple[Catcher, Catcher]]:
    with ExitStack() as stack:
        yield stack.enter_context(Catcher()), stack.enter_context(Catcher())


def toward(desk: Desk, *relays: Relay) -> Desk:
    return Desk(replace(desk.site, relays=relays), desk.store)


def relay(catcher: Catcher, weight: int = 1, connections: int = 2) -> Relay:
    return Relay(
        host="127.0.0.1", port=catcher.port, tls="none", weight=weight, connections=connections
    )


def test_each_has_its_share(desk: Desk, two: tuple[Catcher, Catcher]) -> None:
    one, other = two
    desk = toward(desk, relay(one, weight=3), relay(other, weight=1))
    desk.people(80)
    assert desk.send(desk.enqueue(desk.issue())).counts == {DeliveryState.ACCEPTED: 80}
    assert len(one.messages) + len(other.messages) == 80
    assert 5 <= len(other.messages) <= 40


def test_a_relay_of_weight_0_is_kept_for_need(desk: Desk, two: tuple[Catcher, Catcher]) -> None:
    one, spare = two
    desk = toward(desk, relay(one), relay(spare, weight=0))
    desk.people(50)
    desk.send(desk.enqueue(desk.issue()))
    assert (len(one.messages), len(spare.messages)) == (50, 0)


def test_when_one_fails_the_other_takes_all(desk: Desk, two: tuple[Catcher, Catcher]) -> None:
    one, other = two
    one.stop()
    desk = toward(desk, relay(one), relay(other))
    desk.people(60)
    issue = desk.issue()
    told: dict[str, str] = {}
    ending = desk.send(desk.enqueue(issue), lambda progress: told.update(progress.broken))
    assert ending.counts == {DeliveryState.ACCEPTED: 60}
    assert len(other.messages) == 60
    assert list(told) == [f"127.0.0.1:{one.port}"] and "no server answers there" in str(told)
    with desk.store.reading() as tx:
        rows = deliveries.listed(tx, issue.id)
    assert {row.attempts for row in rows} == {1}, "what never reached a relay was no try"


def test_a_relay_that_refuses_our_sender_is_passed_by(desk: Desk) -> None:
    with Catcher(faults=Faults(credentials=("a", "b"))) as locked, Catcher() as good:
        desk = toward(desk, relay(locked), relay(good))
        desk.people(30)
        assert desk.send(desk.enqueue(desk.issue())).counts == {DeliveryState.ACCEPTED: 30}
        assert len(good.messages) == 30


@pytest.mark.parametrize("then", ["greets", "hangs up"])
def test_a_greeting_that_comes_late_keeps_nobody_waiting(
    desk: Desk, catcher: Catcher, then: str
) -> None:
    """Of four connections one is greeted; the others are still being opened when all is sent."""
    with slow_door(catcher, 30.0, then) as port:
        slow = Relay(host="127.0.0.1", port=port, tls="none", connections=4)
        desk = toward(desk, slow)
        desk.people(40)
        begun = time.monotonic()
        assert desk.send(desk.enqueue(desk.issue())).counts == {DeliveryState.ACCEPTED: 40}
        assert time.monotonic() - begun < 20


@contextmanager
def slow_door(catcher: Catcher, seconds: float, then: str) -> Iterator[int]:
    """A port that leads to the catcher: for the first who comes at once, for others later."""
    listening = socket.create_server(("127.0.0.1", 0))
    opened: list[socket.socket] = [listening]

    def let_in(visitor: socket.socket, wait: float) -> None:
        with suppress(OSError):
            time.sleep(wait)
            if wait and then == "hangs up":
                visitor.close()
                return
            inside = socket.create_connection(("127.0.0.1", catcher.port))
            opened.append(inside)
            threading.Thread(target=carry, args=(inside, visitor), daemon=True).start()
            carry(visitor, inside)

    def carry(one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)

    def receive() -> None:
        with suppress(OSError):
            for number in count():
                visitor, _ = listening.accept()
                opened.append(visitor)
                wait = seconds if number else 0.0
                threading.Thread(target=let_in, args=(visitor, wait), daemon=True).start()

    threading.Thread(target=receive, daemon=True).start()
    try:
        yield listening.getsockname()[1]
    finally:
        for one in opened:
            one.close()


def test_without_any_relay_the_issue_is_held(desk: Desk, two: tuple[Catcher, Catcher]) -> None:
    one, other = two
    one.stop()
    other.stop()
    desk = toward(desk, relay(one), relay(other, weight=0))
    desk.people(5)
    issue = desk.issue()
    dispatch = desk.enqueue(issue)
    ending = desk.send(dispatch)
    assert "no server answers" in ending.held
    assert ending.counts == {DeliveryState.QUEUED: 5}
    with desk.store.reading() as tx:
        assert dispatches.get(tx, dispatch.id).state is DispatchState.HELD
        assert {row.attempts for row in deliveries.listed(tx, issue.id)} == {0}


def test_a_relay_that_comes_back_is_tried_with_one_and_then_used(
    desk: Desk, two: tuple[Catcher, Catcher], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "_BREAK", (0.3, 1.0))
    slow, back = two
    slow.stop()
    port = back.port
    back.stop()
    with Catcher() as steady:
        first = replace(relay(steady), per_minute=600)  # ten at once, then ten a second
        desk = toward(desk, first, replace(relay(back), port=port))
        desk.people(50)
        dispatch = desk.enqueue(desk.issue())
        revived = Catcher(port=port)
        timer = threading.Timer(0.8, revived.start)
        timer.start()
        try:
            ending = desk.send(dispatch)
        finally:
            timer.join()
            time.sleep(0.05)
            revived.stop()
        assert ending.counts == {DeliveryState.ACCEPTED: 50}
        assert len(revived.messages) >= 5
