"""What more people cost: memory, and seconds a recipient, at 10 thousand and at a million.

    python benchmarks/size.py [--quick] [--least N] [--most N] [--size BYTES]

Each send runs in a process of its own, whose peak memory is what it reports. Cost is check,
enqueue and sending together, without the start of the process, which is the same for all. The
small send is repeated before and after the large one, and its median counts, since the machine
may change its mind meanwhile.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import ground
import measure

from mailout.config.site import read_site
from mailout.store.engine import open_store

MEMORY_BAR = 200  # MB
GROWTH_BAR = 0.10
COST_BAR = 1.1
_PARTS = ("check", "enqueue", "sending")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="2000 and 20000 people")
    parser.add_argument("--least", type=int, help="people of the small send [10000; quick: 2000]")
    parser.add_argument("--most", type=int, help="of the large one [1000000; quick: 20000]")
    parser.add_argument("--size", type=int, default=1_024, help="of a message, in bytes [1024]")
    parser.add_argument("--repeat", type=int, default=3, help="small sends, before and after [3]")
    parser.add_argument("--one", help=argparse.SUPPRESS)  # SITE:PORT:NAME, one send
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(_one(asked.one, asked.size)))
        return
    least = asked.least or (2_000 if asked.quick else 10_000)
    most = asked.most or (20_000 if asked.quick else 1_000_000)
    with tempfile.TemporaryDirectory() as name, measure.receiver() as there:
        few, many = Path(name) / "few", Path(name) / "many"
        ground.make_site(few, least)
        begun = time.perf_counter()
        ground.make_site(many, most)
        made = time.perf_counter() - begun
        print(f"{measure.kilobytes(asked.size)}, {measure.CONNECTIONS} connections, SQLite.")
        print(f"(Making the {most:,} people took {made:.0f} seconds.)\n")
        measure.head(
            "people", "check, s", "enqueue, s", "sending, s", "us a recipient", "peak memory"
        )
        smalls = [_send(few, there.port, least, asked.size, n) for n in range(asked.repeat)]
        large = _send(many, there.port, most, asked.size)
        smalls += [_send(few, there.port, least, asked.size, n + 100) for n in range(asked.repeat)]
    small_cost = median(small["cost"] for small in smalls)
    small_sending = median(small["sending"] for small in smalls) / least
    small_peak = median(small["peak"] for small in smalls)
    measure.row(f"{least:,} (median)", "", "", "", f"{small_cost * 1e6:.0f}", f"{small_peak:.0f}")
    print()
    measure.head("figure", "is", "bar")
    measure.row(f"peak memory at {most:,}", f"{large['peak']:.0f} MB", f"<= {MEMORY_BAR} MB")
    growth = large["peak"] / small_peak - 1
    measure.row(f"its growth from {least:,}", f"{growth:+.0%}", f"<= {GROWTH_BAR:.0%}")
    cost = large["cost"] / small_cost
    measure.row(f"cost a recipient over that at {least:,}", f"{cost:.2f}", f"<= {COST_BAR}")
    measure.row("the same, of sending alone", f"{large['sending'] / most / small_sending:.2f}", "-")


def _send(root: Path, port: int, people: int, size: int, number: int = 0) -> dict[str, float]:
    """What one send in a process of its own came to; prints its line."""
    command = [sys.executable, __file__, "--size", str(size)]
    command += ["--one", f"{root}:{port}:size-{number}"]
    ran = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    found: dict[str, float] = json.loads(ran.stdout)
    found["cost"] = sum(found[part] for part in _PARTS) / people
    seconds = (f"{found[part]:.2f}" for part in _PARTS)
    measure.row(f"{people:,}", *seconds, f"{found['cost'] * 1e6:.0f}", f"{found['peak']:.0f} MB")
    return found


def _one(which: str, size: int) -> dict[str, float]:
    """Seconds of each part of a send to all people of the site, and this process's peak in MB."""
    root, port, name = which.rsplit(":", 2)
    site = ground.toward(read_site(Path(root)), int(port))
    store = open_store(site.store.url, site.root)
    sent = measure.send(site, store, name, size)
    store.close()
    parts = {part: getattr(sent, part) for part in _PARTS}
    return {**parts, "peak": measure.peak_memory()}


if __name__ == "__main__":
    main()
