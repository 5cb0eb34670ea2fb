"""Chaos of the other kind: what the sender stands on fails - database, disk, relay."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import TimeoutExpired

from database import PostgreSQL
from kills import check_states, finish, order, wait_until_done
from world import CHANCE, CONNECTIONS, PATIENCE, Mailout, Result, World, judge, world

_RAM_DISK = "256m"


def database_stopped(
    folder: Path,
    people: int,
    stops: int,
    seconds: float,
    server: PostgreSQL,
    command: str,
    how: str,
) -> Result:
    """PostgreSQL is `stopped` (`pg_ctl stop -m immediate`) or `killed` (`kill -9` of all that it
    is) and started again; the sender must go on by itself."""
    result = Result(f"PostgreSQL {how} and started, `mailout {command}`", 0, people)
    stop = server.kill if how == "killed" else server.crash
    with world(folder, people, server.create()) as here:
        issue, since = here.new_issue(), here.sink.settled()
        process = _begin(here, command, issue)
        for aim in _spread(people, stops):
            if not here.wait_for(since + aim, process):
                break
            stop()
            time.sleep(seconds)
            server.start()
            result.kills += 1
        _see_to_the_end(here, result, process, command, issue)
        judge(result, here.people, here.sink.accepted(since), [])
        result.faults += here.clean_up()
    return result


def disk_full(folder: Path, people: int, seconds: float) -> Result:
    """The disk below SQLite is full for a while; the sender must go on by itself."""
    result = Result("disk full for a while, SQLite", 0, people)
    with small_disk(folder) as disk, world(folder, people, disk=disk) as here:
        how = "a small file system" if disk else "a limit on the size of files"
        result.what += f" ({how})"
        issue, since = here.new_issue(), here.sink.settled()
        process = here.send()
        if here.wait_for(since + CHANCE.randrange(people // 8, people // 3), process):
            with _full(here, process, disk):
                time.sleep(0.5)
                stood_at = here.sink.settled()
                time.sleep(seconds)
                if here.sink.settled() > stood_at:
                    result.faults.append("it went on although nothing could be written")
                if "Trying again" not in process.said:
                    result.faults.append("it does not say that the disk is full")
            result.kills += 1
        _see_to_the_end(here, result, process, "send", issue)
        judge(result, here.people, here.sink.accepted(since), [])
        result.faults += here.clean_up()
    return result


def relay_killed(folder: Path, people: int, seconds: float, command: str, chunking: bool) -> Result:
    """The relay is killed and started again. A worker goes on by itself; `mailout send` is held
    (exit code 75), says so, and goes on when it is called again.

    In doubt is what had its end written and no reply: at most one message a connection with
    PIPELINING, `depth` with CHUNKING. The store has an event for each.
    """
    offers = "CHUNKING" if chunking else "PIPELINING"
    result = Result(f"relay killed and started, `mailout {command}`, {offers}", 0, people)
    with world(folder, people, chunking=chunking) as here:
        issue, since = here.new_issue(), here.sink.settled()
        process = _begin(here, command, issue)
        if here.wait_for(since + CHANCE.randrange(people // 4, people * 3 // 4), process):
            here.sink.kill()
            result.kills += 1
            time.sleep(seconds)
            if command == "send":
                if (code := process.ended()) != 75:
                    result.faults.append(f"held, `mailout send` ended with {code}, not 75")
                here.sink.start()
                finish(here, result, issue, calls=100)
            else:
                here.sink.start()
        if command == "worker":
            _see_to_the_end(here, result, process, command, issue)
        doubts = [str(row[0]) for row in here.asked(
            "SELECT p.address FROM event e JOIN subscriber p ON p.id = e.subscriber_id"
            " WHERE e.kind = 'unknown'"
        )]  # fmt: skip
        judge(result, here.people, here.sink.accepted(since), doubts)
        result.faults += here.clean_up()
    result.at_most = result.kills * CONNECTIONS * (8 if chunking else 1)
    return result


def _begin(here: World, command: str, issue: str) -> Mailout:
    if command == "send":
        return here.send()
    order(here, issue)
    return here.start("worker")


def _see_to_the_end(
    here: World, result: Result, process: Mailout, command: str, issue: str
) -> None:
    """Nothing, once the sender that was there at the beginning has finished, by itself."""
    if command == "worker":
        wait_until_done(here, result)
        process.process.terminate()
    try:
        if code := process.ended(within=PATIENCE if command == "send" else 15):
            result.faults.append(f"it ended with {code}, saying: {process.said[-800:]}")
    except TimeoutExpired:
        result.faults.append(f"it does not end, saying: {process.said[-800:]}")
    here.sink.settled()
    check_states(here, result, issue)


def _spread(people: int, times: int) -> list[int]:
    """So many moments of a send, as counts of messages: one in each equal part of it."""
    part = int(people * 0.9) // times
    return [number * part + CHANCE.randrange(part) for number in range(times)]


@contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """A file system of its own, which the filler can fill; None if none may be mounted here."""
    place = folder / "small-disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_RAM_DISK}", "tmpfs", str(place)]
    mounted = False
    with suppress(OSError):
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        yield place if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(place)], check=False)


@contextmanager
def _full(here: World, process: Mailout, disk: Path | None) -> Iterator[None]:
    """The disk is full in this block, also where room was set aside.

    SQLite writes over the old part of its write-ahead log, which takes no room; so the log is
    cut down first, with the sender stopped for that moment.
    """
    pid = process.process.pid
    limits = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    filler = disk / "filler" if disk else None
    for _ in range(1000):
        os.kill(pid, signal.SIGSTOP)
        if _cut_log(here.site.root / "mailout.db"):
            break
        os.kill(pid, signal.SIGCONT)  # it was writing: let it come to an end
        time.sleep(0.003)
    if filler is not None:
        _fill(filler)
    else:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (64 * 1024, limits[1]))
    os.kill(pid, signal.SIGCONT)
    try:
        yield
    finally:
        if filler is not None:
            filler.unlink()
        else:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


def _fill(filler: Path) -> None:
    """Nothing, once the file has taken all the room there was."""
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096):
            with suppress(OSError):
                while True:
                    os.write(file.fileno(), bytes(size))


def _cut_log(database: Path) -> bool:
    """Whether the write-ahead log is empty now; not while somebody writes."""
    connection = sqlite3.connect(database, timeout=0)
    try:
        busy: int = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.OperationalError:
        return False
    finally:
        connection.close()
    return busy == 0
