"""What one commit holds: mails gathered until there are enough of them, or enough bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from mailout.core.arrival import Arrival

T = TypeVar("T")

MOST_MAILS = 100
MOST_BYTES = 8_000_000


@dataclass(frozen=True, slots=True)
class Came:
    """Mails that came in together: where, how many, and how many of them were new."""

    where: str
    mails: int
    new: int


def batched(found: Iterable[tuple[T, Arrival]]) -> Iterator[list[tuple[T, Arrival]]]:
    """The same in lists, none of them empty, each worth one commit."""
    batch: list[tuple[T, Arrival]] = []
    size = 0
    for one in found:
        batch.append(one)
        size += len(one[1].raw)
        if len(batch) >= MOST_MAILS or size >= MOST_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
