"""The pen: transactions done by a thread of its own, whose reads and writes it is given in order.

Both drivers let go of the interpreter while the database works. So whoever asks the pen for rows,
or gives it some to write, goes on with others meanwhile: while one transaction is written and
kept, the next is prepared. The pen needs the interpreter back between two statements, and is
not to wait long for it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, Concatenate, ParamSpec, Protocol, Self, TypeVar

from mailout.store.columns import dialect_of
from mailout.store.engine import Store, Tx, said_plainly

_Rest = ParamSpec("_Rest")
_Found = TypeVar("_Found")
_BREATH = 0.004  # seconds between two transactions: whoever waits for SQLite looks each millisecond
_TURN = 0.0005  # seconds that one thread may go on while the other waits; otherwise ten times that


class Hand(Protocol):
    """Reads and writes in a transaction, now or when their turn comes; `dialect` is that of the
    database."""

    dialect: str

    def write(
        self,
        what: Callable[Concatenate[Tx, _Rest], None],
        *args: _Rest.args,
        **kwargs: _Rest.kwargs,
    ) -> None:
        """Nothing, and `what` is done with these arguments when its turn comes."""

    def ask(
        self,
        what: Callable[Concatenate[Tx, _Rest], _Found],
        *args: _Rest.args,
        **kwargs: _Rest.kwargs,
    ) -> Callable[[], _Found]:
        """What tells, once its turn has come, what `what` found with these arguments. Raises:
        what that raised, or what was to be done before it."""


class Here:
    """A hand that does all at once, in a transaction that is under way."""

    def __init__(self, tx: Tx) -> None:
        self.tx, self.dialect = tx, dialect_of(tx)

    def write(
        self,
        what: Callable[Concatenate[Tx, _Rest], None],
        *args: _Rest.args,
        **kwargs: _Rest.kwargs,
    ) -> None:
        what(self.tx, *args, **kwargs)

    def ask(
        self,
        what: Callable[Concatenate[Tx, _Rest], _Found],
        *args: _Rest.args,
        **kwargs: _Rest.kwargs,
    ) -> Callable[[], _Found]:
        found = what(self.tx, *args, **kwargs)
        return lambda: found


class Pen:
    """A hand with a thread. What is given within `writing` is one transaction, and what is given
    within the next one is done after that is kept. Once anything has failed nothing more is done,
    and the transaction that it was in is taken back."""

    def __init__(self, store: Store) -> None:
        self.store, self.dialect = store, store.engine.dialect.name
        self._thread = ThreadPoolExecutor(1)
        self._given: list[Future[Any]] = []
        self._turn = sys.getswitchinterval()
        # These three belong to the thread.
        self._open: AbstractContextManager[Tx] | None = None
        self._tx: Tx | None = None
        self._failed: BaseException | None = None

    def __enter__(self) -> Self:
        sys.setswitchinterval(_TURN)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Returns once nothing is being done any more. Raises: what a read or write raised."""
        try:
            if kind is None:
                self.wait()
        finally:
            self._thread.shutdown()
            sys.setswitchinterval(self._turn)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction that is kept whole when its turn has come, or not at all."""
        with self._transaction(self.store.writing):
            yield

    @contextmanager
    def reading(self) -> Iterator[None]:
        """A transaction that only reads."""
        with self._transaction(self.store.reading):
            yield

    def write(
        self,
        what: Callable[Concatenate[Tx, _Rest], None],
        *args: _Rest.args,
        **kwargs: _Rest.kwargs,
    ) -> None:
        self._give(lambda: what(self._now, *args, **kwargs))

    def ask(
        self,
        what: Callable[Concatenate[Tx, _Rest], _Found],
        *args: _Rest.args,
        **kwargs: _Rest.kwargs,
    ) -> Callable[[], _Found]:
        return self._give(lambda: what(self._now, *args, **kwargs)).result

    def wait(self) -> None:
        """Returns once all that was given is done and kept. Raises: what one of them raised."""
        given, self._given = self._given, []
        for one in given:
            one.result()

    @contextmanager
    def _transaction(self, opened: Callable[[], AbstractContextManager[Tx]]) -> Iterator[None]:
        # What has failed makes all that comes later fail, so nobody misses it.
        self._given = [one for one in self._given if not one.done()]
        before, kept = len(self._given), False
        self._give(lambda: self._begin(opened()))
        try:
            yield
            kept = True
        finally:
            if not kept:
                for one in self._given[before:]:
                    one.cancel()
            self._given.append(self._thread.submit(self._end, kept))

    def _give(self, what: Callable[[], _Found]) -> Future[_Found]:
        given = self._thread.submit(self._do, what)
        self._given.append(given)
        return given

    @property
    def _now(self) -> Tx:
        assert self._tx is not None  # noqa: S101 - a mistake of ours
        return self._tx

    def _do(self, what: Callable[[], _Found]) -> _Found:
        if self._failed is not None:
            raise self._failed
        try:
            with said_plainly():
                return what()
        except BaseException as error:
            self._failed = error
            raise

    def _begin(self, opened: AbstractContextManager[Tx]) -> None:
        if self.store.is_sqlite:
            time.sleep(_BREATH)  # or a reader's leave would wait until all of it is done
        self._tx, self._open = opened.__enter__(), opened

    def _end(self, kept: bool) -> None:
        """The transaction under way is kept, or taken back."""
        opened, self._open, self._tx = self._open, None, None
        if opened is None:
            return
        if kept and self._failed is None:
            self._do(lambda: _closed(opened))
            return
        error = self._failed or _TakenBack()
        with suppress(Exception):  # whoever waits is told of the first failure
            opened.__exit__(type(error), error, error.__traceback__)


class _TakenBack(Exception):
    """What ends a transaction that is not to be kept."""


def _closed(opened: AbstractContextManager[Tx]) -> None:
    opened.__exit__(None, None, None)
