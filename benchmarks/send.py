"""How fast a send is, beside Postfix's own load generator, in one run on one machine.

    python benchmarks/send.py [--quick] [--people N] [--size BYTES ..] [--pairs N] [--no-dkim]

"Sending" goes from the first connection to the last outcome on disk; "whole command" is a
`mailout send --yes` from the start of its process to its end, with the check and the making of
the deliveries. Ratios are to `smtp-source -d` with as many connections and messages of the same
size, run right after it to the same `smtp-sink`; each is the median of all pairs.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

import ground
import measure
from measure import CONNECTIONS, Receiver

from mailout.cli.sending import signers_of
from mailout.config.dkim import write_new
from mailout.core.site import Dkim, Site
from mailout.store.engine import Store, open_store

SIZES = (1_024, 10_240, 51_200)
BARS = dict(zip(SIZES, (0.85, 1.0, 1.0), strict=True))
WHOLE_BAR = 0.6
DKIM_SIZE = 10_240
DKIM_SHARE = 5  # one in so many people is signed for: it takes long, and all are alike


@dataclass
class Measured:
    """The seconds of each round, in order, and the most memory that the command had."""

    sending: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    source: list[float] = field(default_factory=list)
    peak: float = 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="5000 people, one pair")
    parser.add_argument("--people", type=int, help="[100000; quick: 5000]")
    parser.add_argument("--size", type=int, action="append", help="in bytes; may be repeated")
    parser.add_argument("--pairs", type=int, help="of each size [5; quick: 1]")
    parser.add_argument("--no-dkim", action="store_true", help="leave out the signed send")
    asked = parser.parse_args()
    people = asked.people or (5_000 if asked.quick else 100_000)
    pairs = asked.pairs or (1 if asked.quick else 5)
    with tempfile.TemporaryDirectory() as folder, measure.receiver() as there:
        site = ground.toward(ground.make_site(Path(folder) / "site", people), there.port)
        store = open_store(site.store.url, site.root)
        print(f"{people:,} people, {CONNECTIONS} connections, {pairs} pairs of each size:\n")
        measure.head(
            "message", "sending, msg/s", "smtp-source, msg/s", "ratio", "of each pair", "bar",
            "whole command, msg/s", "ratio", "bar", "its peak memory",
        )  # fmt: skip
        for size in asked.size or SIZES:
            _show(size, people, _measure(site, store, there, size, people, pairs))
        store.close()
        if not asked.no_dkim:
            _signed(Path(folder), there, max(1, people // DKIM_SHARE))


def _measure(
    site: Site, store: Store, there: Receiver, size: int, people: int, pairs: int
) -> Measured:
    """What came of so many rounds: a send, a smtp-source, a whole command."""
    found = Measured()
    for number in range(pairs):
        found.sending.append(measure.send(site, store, f"send-{size}-{number}", size).sending)
        if there.is_postfix:
            found.source.append(measure.smtp_source(there.port, people, size))
        called = measure.call_send(site, store, there.port, f"call-{size}-{number}", size)
        found.whole.append(called.seconds)
        found.peak = max(found.peak, called.peak)
    return found


def _show(size: int, people: int, found: Measured) -> None:
    each, ratio, whole_ratio, source = "-", "-", "-", "-"
    if found.source:
        ratios = [b / a for a, b in zip(found.sending, found.source, strict=True)]
        each = " ".join(f"{one:.2f}" for one in ratios)
        ratio = f"{median(ratios):.2f}"
        wholes = [b / a for a, b in zip(found.whole, found.source, strict=True)]
        whole_ratio = f"{median(wholes):.2f}"
        source = f"{people / median(found.source):,.0f}"
    measure.row(
        measure.kilobytes(size),
        f"{people / median(found.sending):,.0f}",
        source,
        ratio,
        each,
        BARS.get(size, "-"),
        f"{people / median(found.whole):,.0f}",
        whole_ratio,
        WHOLE_BAR,
        f"{found.peak:.0f} MB",
    )


def _signed(folder: Path, there: Receiver, people: int) -> None:
    """Prints what a signature with RSA-2048 on each message makes of it."""
    site = ground.toward(ground.make_site(folder / "signed", people), there.port)
    write_new(site.root, "news.example.org", "bench", "rsa")
    site = replace(site, dkim=(Dkim(domain="news.example.org", selector="bench"),))
    store = open_store(site.store.url, site.root)
    bare = measure.send(site, store, "bare", DKIM_SIZE)
    sent = measure.send(site, store, "signed", DKIM_SIZE, signers_of(site))
    store.close()
    print(f"\n{people:,} people, {measure.kilobytes(DKIM_SIZE)}, DKIM:\n")
    measure.head("signature", "sending, msg/s", "share of time in signing", "ms a signature")
    measure.row("none", f"{people / bare.sending:,.0f}", "-", "-")
    measure.row(
        "RSA-2048",
        f"{people / sent.sending:,.0f}",
        f"{sent.signing / sent.sending:.0%}",
        f"{sent.signing / people * 1000:.2f}",
    )


if __name__ == "__main__":
    main()
