"""How many messages a round trip carries over a long way: 25 ms there, 25 ms back.

    python benchmarks/wire.py [--quick] [--people N]

One connection through benchmarks/proxy.py to benchmarks/sink.py. The clock runs over the whole
send, the opening and the ending of the session (some round trips without a message) included.
Bytes cost nothing here, only distance does.
"""

from __future__ import annotations

import argparse
import socket
import tempfile
import time
from pathlib import Path
from statistics import median

import ground
import measure
import proxy
from sink import Sink

from mailout.store.engine import open_store

DELAY = 0.025
SIZE = 10_240
BARS = {"PIPELINING": 0.9, "CHUNKING": 5.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="100 people")
    parser.add_argument("--people", type=int, help="[500; quick: 100]")
    asked = parser.parse_args()
    people = asked.people or (100 if asked.quick else 500)
    print(f"{people:,} people, one connection, 10 KB, {2 * DELAY * 1000:.0f} ms a round trip:\n")
    measure.head(
        "the server offers", "messages", "seconds", "round trip as measured",
        "messages a round trip", "bar",
    )  # fmt: skip
    for offer, bar in BARS.items():
        # CHUNKING takes a fraction of the time: with more people the opening weighs the same.
        count = people * 5 if offer == "CHUNKING" else people
        with tempfile.TemporaryDirectory() as name:
            _show(Path(name), offer, count, bar)


def _show(folder: Path, offer: str, people: int, bar: float) -> None:
    site = ground.make_site(folder / "site", people)
    chunking = offer == "CHUNKING"
    with (
        Sink(folder / "accepted", chunking=chunking) as sink,
        proxy.far(sink.port, DELAY) as port,
    ):
        store = open_store(site.store.url, site.root)
        near = ground.toward(site, port, connections=1)
        trip = round_trip(port)
        sent = measure.send(near, store, "wire", SIZE)
        store.close()
        assert sink.count() == people
    depth = f" (depth {near.relays[0].depth})" if chunking else ""
    measure.row(
        offer + depth,
        people,
        f"{sent.sending:.1f}",
        f"{trip * 1000:.1f} ms",
        f"{people * 2 * DELAY / sent.sending:.2f}",
        bar,
    )


def round_trip(port: int) -> float:
    """Seconds from a NOOP to its answer, the median of some."""
    times = []
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.recv(1000)  # the greeting
        for _ in range(9):
            begun = time.perf_counter()
            connection.sendall(b"NOOP\r\n")
            connection.recv(1000)
            times.append(time.perf_counter() - begun)
    return median(times)


if __name__ == "__main__":
    main()
