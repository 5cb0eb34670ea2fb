"""How fast several `mailout worker` are together on one PostgreSQL, all on this machine.

    python benchmarks/workers.py [--quick] [--people N] [--workers N ..]

The clock runs from the order to the moment when the dispatch is done, so that the making of the
deliveries is in it. The workers, the server and the receiver (benchmarks/sink.py, one process)
share the processor: with more workers than cores this shows what they cost each other, not what
they make on machines of their own.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import kills
import measure
from database import PostgreSQL
from world import Result, World, world


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="2000 people, 2 workers")
    parser.add_argument("--people", type=int, help="[50000; quick: 2000]")
    parser.add_argument("--workers", type=int, action="append", help="[1, 2, 8; quick: 2]")
    asked = parser.parse_args()
    people = asked.people or (2_000 if asked.quick else 50_000)
    crews = asked.workers or ([2] if asked.quick else [1, 2, 8])
    print(f"{people:,} people, {measure.CONNECTIONS} connections a worker, 10 KB, PostgreSQL:\n")
    measure.head("workers", "seconds", "msg/s")
    with (
        tempfile.TemporaryDirectory() as folder,
        PostgreSQL() as server,
        world(Path(folder), people, server.create()) as here,
    ):
        for count in crews:
            seconds = together(here, count)
            measure.row(count, f"{seconds:.1f}", f"{people / seconds:,.0f}")


def together(here: World, count: int) -> float:
    """Seconds that so many workers took for an issue to everybody."""
    result = Result("workers", 0, len(here.people))
    issue = here.new_issue()
    crew = [here.start("worker") for _ in range(count)]
    while not all("worker=" in one.said for one in crew):  # until then they only start
        assert not any(one.is_over for one in crew), [one.said for one in crew]
        time.sleep(0.05)
    begun = time.perf_counter()
    kills.order(here, issue)
    kills.wait_until_done(here, result)
    seconds = time.perf_counter() - begun
    faults = here.clean_up()
    assert not result.faults + faults, result.faults + faults
    kills.check_states(here, result, issue)
    assert not result.faults, result.faults
    return seconds


if __name__ == "__main__":
    main()
