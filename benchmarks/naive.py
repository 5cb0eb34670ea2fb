"""How much faster a send is than the loop that one would write: aiosmtplib and EmailMessage.

    python benchmarks/naive.py [--quick] [--people N] [--loop N] [--pairs N]

The loop has as many workers as the send has connections. Each keeps one connection open, and
for each person builds a message of the same size, with the same header fields, and sends it.
It keeps no ledger: whoever stops it does not know who has got a mail.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path
from statistics import median

import aiosmtplib
import ground
import measure
from measure import CONNECTIONS

from mailout.store.engine import open_store

SIZE = 10_240
BAR = 25
_SENTENCE = "The strike goes on, and so does the bulletin about it. "


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="5000 people, one pair")
    parser.add_argument("--people", type=int, help="of a send [100000; quick: 5000]")
    parser.add_argument("--loop", type=int, help="of the loop, which is steady [3000; quick: 500]")
    parser.add_argument("--pairs", type=int, help="[3; quick: 1]")
    asked = parser.parse_args()
    people = asked.people or (5_000 if asked.quick else 100_000)
    loop = asked.loop or (500 if asked.quick else 3_000)
    with tempfile.TemporaryDirectory() as folder, measure.receiver() as there:
        site = ground.toward(ground.make_site(Path(folder) / "site", people), there.port)
        store = open_store(site.store.url, site.root)
        print(f"{people:,} people (the loop: {loop:,}), {CONNECTIONS} connections, 10 KB:\n")
        measure.head("pair", "sending, msg/s", "aiosmtplib + EmailMessage, msg/s", "ratio", "bar")
        ratios = []
        for number in range(asked.pairs or (1 if asked.quick else 3)):
            ours = people / measure.send(site, store, f"naive-{number}", SIZE).sending
            theirs = loop / asyncio.run(naive(there.port, loop))
            ratios.append(ours / theirs)
            measure.row(number + 1, f"{ours:,.0f}", f"{theirs:,.0f}", f"{ratios[-1]:.1f}", BAR)
        measure.row("median", "", "", f"{median(ratios):.1f}", BAR)
        store.close()


async def naive(port: int, people: int) -> float:
    """Seconds that the loop took for so many people."""
    begun = time.perf_counter()
    numbers = iter(range(people))
    async with asyncio.TaskGroup() as tasks:
        for _ in range(CONNECTIONS):
            tasks.create_task(_worker(port, numbers))
    return time.perf_counter() - begun


async def _worker(port: int, numbers: Iterator[int]) -> None:
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as relay:
        for number in numbers:
            await relay.send_message(_message(number))


def _message(number: int) -> EmailMessage:
    """One person's message, a third text, the rest HTML, as in `ground.make_issue`."""
    link = f"https://news.example.org/u/{number:026d}"
    message = EmailMessage()
    message["From"] = "Solidarity Bulletin <bulletin@news.example.org>"
    message["To"] = f"person{number}@p{number % 97}.example.org"
    message["Subject"] = "The bulletin"
    message["Reply-To"] = "editors@news.example.org"
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain="news.example.org")
    message["List-Id"] = "Solidarity Bulletin <bulletin.news.example.org>"
    message["List-Unsubscribe"] = f"<{link}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    greeting = f"Dear Person {number}, {link}"
    sentences = SIZE // 3 // len(_SENTENCE)
    text = "\n".join([_SENTENCE] * sentences)
    html = f"<p>{greeting}</p>\n" + "\n".join([f"<p>{_SENTENCE}</p>"] * (2 * sentences - 35))
    message.set_content(f"{greeting}\n{text}\n")
    message.add_alternative(html, subtype="html")
    return message


if __name__ == "__main__":
    main()
