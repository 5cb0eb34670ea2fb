"""The pen: transactions in their order, and what one of them raised reaches whoever gave it."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from threading import Event, Thread, current_thread

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from mailout.core.errors import MailoutError, TryLater
from mailout.store.engine import Store, Tx, open_store, said_plainly
from mailout.store.pen import Hand, Here, Pen


def _domain(tx: Tx, domain: str) -> None:
    tx.execute(text("INSERT INTO suppressed_domain VALUES (:d, '', '', :now)"),
               {"d": domain, "now": "2026-05-01 00:00:00.000000"})  # fmt: skip


def _domains(tx: Tx) -> list[str]:
    return list(tx.scalars(text("SELECT domain FROM suppressed_domain ORDER BY domain")))


def _kept(store: Store) -> list[str]:
    with store.reading() as tx:
        return _domains(tx)


def test_all_is_done_in_order_in_one_thread(store: Store) -> None:
    done: list[tuple[int, str]] = []

    def note(_: Tx, number: int) -> None:
        done.append((number, current_thread().name))

    with Pen(store) as pen:
        for number in range(20):
            if number % 5 == 0:
                with pen.writing():
                    for one in range(number, number + 5):
                        pen.write(note, one)
        pen.wait()
        assert [number for number, _ in done] == list(range(20))
    assert len({name for _, name in done}) == 1 and done[0][1] != current_thread().name


def test_the_next_transaction_is_given_before_the_last_is_kept(store: Store) -> None:
    may_go_on = Event()

    def hold(_: Tx) -> None:
        may_go_on.wait(10)

    with Pen(store) as pen:
        with pen.writing():
            pen.write(hold)
            pen.write(_domain, "a.example.org")
        with pen.writing():
            pen.write(_domain, "b.example.org")
            found = pen.ask(_domains)
        may_go_on.set()
        assert found() == ["a.example.org", "b.example.org"]
        with pen.reading():
            assert pen.ask(_domains)() == ["a.example.org", "b.example.org"]
    assert _kept(store) == ["a.example.org", "b.example.org"]


def test_after_a_failure_nothing_more_is_done_and_the_transaction_is_taken_back(
    store: Store,
) -> None:
    def fail(_: Tx) -> None:
        raise ValueError("no")

    turn = sys.getswitchinterval()
    with pytest.raises(ValueError, match="no"), Pen(store) as pen:
        with pen.writing():
            pen.write(_domain, "kept.example.org")
        with pen.writing():
            pen.write(_domain, "lost.example.org")
            pen.write(fail)
        with pen.writing():
            pen.write(_domain, "later.example.org")
            with pytest.raises(ValueError, match="no"):
                pen.ask(_domains)()
    assert _kept(store) == ["kept.example.org"]
    assert sys.getswitchinterval() == turn


def test_whoever_breaks_off_keeps_what_was_whole_and_waits_for_it(store: Store) -> None:
    begun, may_end, ended = Event(), Event(), Event()

    def slow(_: Tx) -> None:
        begun.set()
        may_end.wait(10)
        ended.set()

    with pytest.raises(KeyboardInterrupt), Pen(store) as pen:
        with pen.writing():
            pen.write(slow)
            pen.write(_domain, "whole.example.org")
        with pen.writing():
            pen.write(_domain, "half.example.org")
            begun.wait(10)
            may_end.set()
            raise KeyboardInterrupt
    assert ended.is_set()
    assert _kept(store) == ["whole.example.org"]


def test_others_get_to_write_between_two_transactions(store: Store) -> None:
    begun = Event()

    def slow(_: Tx) -> None:
        begun.set()
        time.sleep(0.02)

    def leave() -> None:
        begun.wait(10)
        with store.writing() as tx:
            _domain(tx, "other.example.org")

    other = Thread(target=leave)
    other.start()
    with Pen(store) as pen:
        for _ in range(25):
            with pen.writing():
                pen.write(slow)
        with pen.writing():
            found = pen.ask(_domains)
        assert found() == ["other.example.org"]
    other.join()


@pytest.mark.parametrize("beside", [False, True])
def test_a_hand_does_the_same_here_and_beside(store: Store, beside: bool) -> None:
    def use(hand: Hand) -> list[str]:
        hand.write(_domain, "a.example.org")
        return hand.ask(_domains)()

    if beside:
        with Pen(store) as pen, pen.writing():
            assert use(pen) == ["a.example.org"]
    else:
        with store.writing() as tx:
            assert use(Here(tx)) == ["a.example.org"]
    assert _kept(store) == ["a.example.org"]


def test_a_store_that_cannot_be_opened_is_a_clear_error(tmp_path: Path) -> None:
    nowhere = open_store("sqlite:///mailout.db", tmp_path / "gone")
    with pytest.raises(MailoutError, match="cannot be opened"), Pen(nowhere) as pen, pen.writing():
        pen.write(_domain, "a.example.org")


def test_two_that_wait_for_each_other_are_no_server_that_is_down() -> None:
    collided = psycopg.errors.DeadlockDetected("deadlock detected")
    with pytest.raises(TryLater, match="changing the same people"), said_plainly():
        raise OperationalError("UPDATE subscriber", None, collided)
