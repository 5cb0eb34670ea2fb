"""The pen: writes in their order, and what one of them raised reaches whoever gave it."""

from __future__ import annotations

import sys
from threading import Event, current_thread

import pytest
from sqlalchemy import text

from mailout.store.engine import Store, Tx
from mailout.store.pen import Pen


def test_writes_are_done_in_order_in_one_thread(store: Store) -> None:
    done: list[tuple[int, str]] = []

    def note(tx: Tx, number: int) -> None:
        tx.execute(text("SELECT 1"))
        done.append((number, current_thread().name))

    with store.writing() as tx, Pen(tx) as pen:
        for number in range(20):
            pen.write(note, number)
        assert pen.wait() is tx
        assert [number for number, _ in done] == list(range(20))
        pen.write(note, 20)
    assert done[-1][0] == 20
    assert len({name for _, name in done}) == 1 and done[0][1] != current_thread().name


def test_what_a_write_raises_ends_the_transaction(store: Store) -> None:
    def fail(_: Tx) -> None:
        raise ValueError("no")

    turn = sys.getswitchinterval()
    with pytest.raises(ValueError, match="no"), store.writing() as tx, Pen(tx) as pen:
        pen.write(lambda tx: tx.execute(text("DELETE FROM subscriber")))  # type: ignore[arg-type]
        pen.write(fail)
    assert sys.getswitchinterval() == turn


def test_whoever_breaks_off_waits_for_what_is_being_written(store: Store) -> None:
    begun, may_end, ended = Event(), Event(), Event()

    def slow(_: Tx) -> None:
        begun.set()
        may_end.wait(10)
        ended.set()

    with pytest.raises(KeyboardInterrupt), store.writing() as tx, Pen(tx) as pen:
        pen.write(slow)
        begun.wait(10)
        may_end.set()
        raise KeyboardInterrupt
    assert ended.is_set()
