"""Kills and outages in the middle of sends: who is lost, who gets it twice?

    python benchmarks/chaos.py [--quick] [--people N] [--kills N] [--only WORD]

Each line of the table is a scenario. Lost must be 0; doubled may be only who was in doubt:
`sending` in the store when the sender died (at most 20 a connection and kill), each with the
same Message-ID. The exit code is 1 if anything is not as it must be.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import kills
import outages
from database import PostgreSQL
from world import CHANCE, Result, timed

_HEAD = (
    "what was done", "kills", "people", "lost", "doubled", "in doubt", "bound", "other IDs",
    "seconds",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="done within a minute")
    parser.add_argument("--people", type=int, help="a send's [20000; quick: 2000]")
    parser.add_argument("--kills", type=int, help="of each killed send [50; quick: 3]")
    parser.add_argument("--only", default="", help="scenarios whose name has this word")
    parser.add_argument("--seed", type=int, help="of the moments, to have them again")
    asked = parser.parse_args()
    CHANCE.seed(asked.seed)
    print("| " + " | ".join(_HEAD) + " |\n" + "| --- " * len(_HEAD) + "|", flush=True)
    faults = []
    with tempfile.TemporaryDirectory(prefix="mailout-chaos-") as folder, PostgreSQL() as server:
        for name, scenario in _scenarios(asked, Path(folder), server):
            if asked.only not in name:
                continue
            result = timed(scenario)
            print(_line(result), flush=True)
            faults += [f"{result.what}: {fault}" for fault in result.faults]
            if result.lost or result.strange_ids or result.doubled > result.in_doubt:
                faults.append(f"{result.what}: a bound is broken")
    for fault in faults:
        print(f"\n{fault}", file=sys.stderr)
    sys.exit(bool(faults))


def _scenarios(
    asked: argparse.Namespace, folder: Path, server: PostgreSQL
) -> Iterator[tuple[str, Callable[[], Result]]]:
    """The name of each scenario, and what it runs."""
    quick = asked.quick
    people = asked.people or (2_000 if quick else 20_000)
    count = asked.kills or (3 if quick else 50)
    per_send, away = (3, 1.0) if quick else (5, 3.0)
    sqlite = "sqlite:///mailout.db"
    for database, chunking in (("SQLite", False), ("PostgreSQL", False), ("SQLite", True)):
        offers = "CHUNKING" if chunking else "PIPELINING"
        what = f"kill -9 of `mailout send`, {database}, {offers}"
        url = sqlite if database == "SQLite" else server.create()
        yield (
            f"kill {database} {offers}",
            partial(kills.killed_sends, folder, what, people, count, per_send, url, chunking),
        )
    yield (
        "workers",
        partial(kills.killed_workers, folder, people, 3 if quick else 8, server.create()),
    )
    yield "power SQLite", partial(kills.power_cuts, folder, people, 3 if quick else 20, per_send)
    cuts = 3 if quick else 20
    yield "power PostgreSQL", partial(kills.power_lost, folder, people, cuts, per_send, server)
    for how in ("stopped", "killed"):
        for command in ("send", "worker"):
            times = 1 if quick else 3
            yield (
                f"database {how} {command}",
                partial(
                    outages.database_stopped, folder, people, times, away, server, command, how
                ),
            )
    # So few people are served before the disk can be filled.
    yield "disk", partial(outages.disk_full, folder, max(people, 20_000), away)
    for command, chunking in (("send", False), ("worker", False), ("worker", True)):
        yield (
            f"relay {command}",
            partial(outages.relay_killed, folder, people, away, command, chunking),
        )


def _line(result: Result) -> str:
    cells = (
        result.what,
        result.kills,
        result.people,
        result.lost,
        result.doubled,
        result.in_doubt,
        result.at_most,
        result.strange_ids,
        f"{result.seconds:.0f}",
    )
    return "| " + " | ".join(map(str, cells)) + " |"


if __name__ == "__main__":
    main()
