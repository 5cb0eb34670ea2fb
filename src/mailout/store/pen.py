"""The pen: writes of one transaction, done by a thread of its own, in the order given.

Both drivers let go of the interpreter while the database works. So whoever gives the pen rows to
write prepares the next ones meanwhile: an import spends about as long on either. The pen needs
the interpreter back between two statements, and is not to wait long for it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Concatenate, ParamSpec, Self

from mailout.store.engine import Tx

_Rest = ParamSpec("_Rest")
_TURN = 0.0005  # seconds that one thread may go on while the other waits; otherwise ten times that


class Pen:
    """Writes in `tx`, which nobody else may use from `with` to its end, but after `wait`."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self._thread = ThreadPoolExecutor(1)
        self._given: list[Future[None]] = []
        self._turn = sys.getswitchinterval()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Returns once nothing is being written any more. Raises: what a write raised."""
        try:
            if kind is None:
                self.wait()
        finally:
            self._thread.shutdown(cancel_futures=True)
            sys.setswitchinterval(self._turn)

    def write(
        self,
        what: Callable[Concatenate[Tx, _Rest], None],
        *args: _Rest.args,
        **kwargs: _Rest.kwargs,
    ) -> None:
        """Nothing, and `what` is done with these arguments when its turn comes."""
        sys.setswitchinterval(_TURN)
        self._given.append(self._thread.submit(what, self._tx, *args, **kwargs))

    def wait(self) -> Tx:
        """The transaction, once all that was given is written. Raises: what a write raised."""
        given, self._given = self._given, []
        for write in given:
            write.result()
        return self._tx
