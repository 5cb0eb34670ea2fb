"""`kill -9` in the middle of a digest: the same command goes on, there is one digest, nobody is
lost, and what came twice has one Message-ID."""

from __future__ import annotations

import email
import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict

from sqlalchemy import update

from command_line import CommandLine
from mailout.config.site import read_site
from mailout.smtp.catcher import Catcher
from mailout.store.engine import open_store
from mailout.store.tables import SUBSCRIPTION

PEOPLE = 200
KILLS = 4
CONNECTIONS = 3
IN_DOUBT = 20  # a connection, at each kill (docs/delivery.md)


def start(shell: CommandLine) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "mailout", "--site", str(shell.root), "digest", "--weekly"]
    return subprocess.Popen(
        [*words, "--yes"],
        env=os.environ.copy(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_a_digest_killed_again_and_again_is_one_and_reaches_everybody(
    shell: CommandLine, catcher: Catcher
) -> None:
    addresses = {f"p{number}@example.org" for number in range(PEOPLE)}
    shell.import_people("email,tags\n" + "".join(f"{one},unions\n" for one in sorted(addresses)))
    store = open_store(read_site(shell.root).store.url, shell.root)
    with store.writing() as tx:
        tx.execute(update(SUBSCRIPTION).values(frequency="weekly"))
    store.close()
    rng = random.Random(PEOPLE)
    with shell.relay(catcher):
        shell("send", "--segment", "unions", "--yes")
        catcher.clear()
        for kill in range(KILLS):
            process = start(shell)
            seen, begun = catcher.accepted, time.monotonic()
            # First while the digest is made, then while mails go out: at moments that nobody chose.
            patience = rng.uniform(0.5, 4) if kill < KILLS // 2 else 60
            while (
                catcher.accepted < seen + rng.randrange(5, 60)
                and process.poll() is None
                and time.monotonic() - begun < patience
            ):
                time.sleep(0.001)
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert start(shell).wait(120) == 0
    ids: dict[str, list[str]] = defaultdict(list)
    for message in catcher.messages:
        parsed = email.message_from_bytes(message.content)
        if message.recipients[0] in addresses:
            ids[message.recipients[0]].append(parsed["Message-ID"])
    assert set(ids) == addresses, "nobody is lost"
    doubled = sum(len(found) - 1 for found in ids.values())
    assert doubled <= KILLS * CONNECTIONS * IN_DOUBT
    assert all(len(set(found)) == 1 for found in ids.values()), "the same Message-ID"
    listed = shell("issues", "list", "--json").json
    (digest,) = (row["issue"] for row in listed if "weekly" in row["issue"])
    counts = shell("status", digest, "--json").json["deliveries"]
    assert counts["accepted"] == PEOPLE == sum(counts.values())
    assert len(list((shell.root / "issues").glob("*weekly*.en.md"))) == 1
