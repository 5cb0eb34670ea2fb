"""`kill -9` in the middle of a send: the same command goes on, nobody lost, nobody doubled
beyond what was in doubt, and what came twice has one Message-ID."""

from __future__ import annotations

import email
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

from command_line import CommandLine
from mailout.smtp.catcher import Catcher

CONTACT = "contact@news.example.org"  # who gets a report at the end
PEOPLE = 400
KILLS = 3
CONNECTIONS = 3
IN_DOUBT = 20  # a connection, at each kill (docs/delivery.md)


def test_killed_again_and_again_everybody_gets_it(shell: CommandLine, catcher: Catcher) -> None:
    addresses = {f"p{n}@example.org" for n in range(PEOPLE)}
    rows = "".join(f"{address},unions\n" for address in sorted(addresses))
    shell.import_people("email,tags\n" + rows)
    rng = random.Random(PEOPLE)
    with shell.relay(catcher):
        for _ in range(KILLS):
            process = start(shell)
            seen = catcher.accepted
            # Killed while mails go out, at a moment that nobody chose.
            while catcher.accepted < seen + rng.randrange(20, 90) and process.poll() is None:
                time.sleep(0.001)
            process.send_signal(signal.SIGKILL)
            process.wait()
        done = start(shell)
        assert done.wait(60) == 0
    ids: dict[str, list[str]] = defaultdict(list)
    for message in catcher.messages:
        ids[message.recipients[0]].append(email.message_from_bytes(message.content)["Message-ID"])
    assert set(ids) - {CONTACT} == addresses, "nobody is lost"
    doubled = sum(len(found) - 1 for found in ids.values())
    assert doubled <= KILLS * CONNECTIONS * IN_DOUBT
    assert all(len(set(found)) == 1 for found in ids.values()), "the same Message-ID"
    counts = shell("status", "--json").json["deliveries"]
    assert counts["accepted"] == PEOPLE
    assert sum(counts.values()) == PEOPLE


def start(shell: CommandLine) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "mailout", "--site", str(shell.root)]
    return subprocess.Popen(
        [*words, "send", "--segment", "unions", "--yes"],
        env=os.environ.copy(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_a_second_sender_takes_over_what_the_first_one_held(
    shell: CommandLine, catcher: Catcher
) -> None:
    addresses = {f"p{n}@example.org" for n in range(PEOPLE)}
    shell.import_people("email,tags\n" + "".join(f"{one},unions\n" for one in sorted(addresses)))
    with shell.relay(catcher):
        first = start(shell)
        while catcher.accepted < 5 and first.poll() is None:
            time.sleep(0.001)
        second = start(shell)
        while catcher.accepted < 60 and first.poll() is None:
            time.sleep(0.001)
        first.send_signal(signal.SIGKILL)
        first.wait()
        assert second.wait(60) == 0, "it stays until everybody has an end"
    reached = {message.recipients[0] for message in catcher.messages}
    assert reached - {CONTACT} == addresses
    assert shell("status", "--json").json["deliveries"]["accepted"] == PEOPLE


def test_a_power_cut_is_no_worse_than_a_kill(
    shell: CommandLine, catcher: Catcher, tmp_path: Path
) -> None:
    """The files as a power cut would leave them, at moments that nobody chose."""
    if "MAILOUT_STORE_URL" in os.environ:
        return  # PostgreSQL keeps its own promises
    addresses = {f"p{n}@example.org" for n in range(PEOPLE)}
    shell.import_people("email,tags\n" + "".join(f"{one},unions\n" for one in sorted(addresses)))
    # Who comes after waits for the leases of the dead: not for two minutes in a test.
    settings = shell.root / "config.toml"
    text = settings.read_text("utf-8")
    assert "lease_seconds = 120" in text
    settings.write_text(text.replace("lease_seconds = 120", "lease_seconds = 20"), "utf-8")
    rng = random.Random(7)
    with shell.relay(catcher):
        process = start(shell)
        while catcher.accepted < rng.randrange(20, 200) and process.poll() is None:
            time.sleep(0.001)
        copy = tmp_path / "copy"
        shutil.copytree(shell.root, copy, ignore=shutil.ignore_patterns("*.db*", "build"))
        cut_power(shell.root, copy)
        before = {message.recipients[0] for message in catcher.messages}
        assert process.wait(60) == 0
    with sqlite3.connect(copy / "mailout.db") as opened:
        assert opened.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    opened.close()
    with Catcher() as afterwards, shell.relay(afterwards):
        again = CommandLine(copy, shell.capsys)
        again("send", "--segment", "unions", "--yes")
        counts = again("status", "--json").json["deliveries"]
        assert counts["accepted"] == PEOPLE == sum(counts.values())
        after = {message.recipients[0] for message in afterwards.messages}
    assert (before | after) - {CONTACT} == addresses, "nobody is lost"
    assert len(before & after) <= CONNECTIONS * IN_DOUBT


def cut_power(site: Path, copy: Path) -> None:
    """Copies the store's files as they are at one moment: the log first, and both again if the
    log was begun anew meanwhile, which no single moment could show."""
    log = site / "mailout.db-wal"
    while True:
        begun = log.read_bytes()[:32]
        shutil.copy2(log, copy / log.name)
        shutil.copy2(site / "mailout.db", copy / "mailout.db")
        if log.read_bytes()[:32] == begun:
            return
