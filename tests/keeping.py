"""A store that is a list: what is kept is there once, and it can be told to be down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mailout.core.arrival import Arrival
from mailout.core.errors import TryLater


@dataclass
class Kept:
    """A `Keep`. The first `works` calls succeed (None: all); `before` is called ahead of each."""

    works: int | None = None
    before: Callable[[], object] = lambda: None
    arrivals: list[Arrival] = field(default_factory=list)
    calls: int = 0

    def __call__(self, arrivals: Sequence[Arrival]) -> int:
        self.before()
        if self.works is not None and self.calls >= self.works:
            raise TryLater("the store is down")
        self.calls += 1
        known = {one.digest for one in self.arrivals}
        new = [one for one in arrivals if one.digest not in known]
        new = list({one.digest: one for one in new}.values())
        self.arrivals += new
        return len(new)

    @property
    def raw(self) -> set[bytes]:
        return {one.raw for one in self.arrivals}
