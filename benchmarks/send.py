"""How fast a send is, beside Postfix's own load generator, in one run on one machine.

    python benchmarks/send.py [--people N] [--size BYTES] [--pairs N]

The clock runs from the first connection to the last outcome on disk. What is printed are
ratios, since machines differ; a pair is a send and a `smtp-source -d` with as many
connections, one after the other, to the same `smtp-sink`.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import ground

from mailout.core.site import Site
from mailout.send import plan, presence, run
from mailout.send.compose import composer
from mailout.store.engine import Store, open_store

CONNECTIONS = 10
PORT = 3025


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument("--size", type=int, default=10_240)
    parser.add_argument("--pairs", type=int, default=3)
    asked = parser.parse_args()
    if not shutil.which("smtp-sink"):
        sys.exit("smtp-sink and smtp-source are missing; Debian's package postfix has them")
    with tempfile.TemporaryDirectory() as folder, ground.smtp_sink(PORT):
        site = ground.toward(ground.make_site(Path(folder) / "site", asked.people), PORT)
        store = open_store(site.store.url, site.root)
        ratios = []
        print("send msg/s\tsmtp-source msg/s\tratio\tenqueue s")
        for number in range(asked.pairs):
            ours, enqueue = send(site, store, f"issue-{number}", asked.size)
            theirs = smtp_source(asked.people, asked.size)
            ratios.append(theirs / ours)
            rates = asked.people / ours, asked.people / theirs
            print(f"{rates[0]:.0f}\t{rates[1]:.0f}\t{theirs / ours:.2f}\t{enqueue:.2f}")
        print(f"median ratio {statistics.median(ratios):.2f}")
        store.close()


def send(site: Site, store: Store, name: str, size: int) -> tuple[float, float]:
    """Seconds that sending and enqueueing one issue to everybody took."""
    issue = ground.make_issue(store, name, size)
    mailing_list = site.lists["bulletin"]
    begun = time.perf_counter()
    chosen = plan.choice(mailing_list, issue.id, "unions", "")
    dispatch = plan.order(store, chosen, "unions", "", datetime.now(UTC))
    with store.writing() as tx:
        plan.enqueue(tx, mailing_list, dispatch, datetime.now(UTC))
    queued = time.perf_counter()
    with store.reading() as tx:
        composing = composer(tx, site, mailing_list, issue.id)
    with presence.present(site.root) as worker:
        ending = asyncio.run(
            run.run(store, site, dispatch, composing, worker, lambda _: None, asyncio.Event())
        )
    assert not ending.held and set(ending.counts) == {"accepted"}, ending
    return ending.seconds, queued - begun


def smtp_source(count: int, size: int) -> float:
    """Seconds that Postfix's load generator took for as many messages of that size."""
    begun = time.perf_counter()
    subprocess.run(
        [
            "smtp-source", "-d", "-s", str(CONNECTIONS), "-l", str(size), "-m", str(count),
            f"127.0.0.1:{PORT}",
        ],
        check=True,
    )  # fmt: skip
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
