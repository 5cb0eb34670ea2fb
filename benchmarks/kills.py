"""Chaos of one kind: senders that are killed (`kill -9`), or whose power is cut."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from subprocess import TimeoutExpired

from database import PostgreSQL
from sink import Sink
from world import (
    CHANCE,
    CONNECTIONS,
    PATIENCE,
    WINDOW,
    Mailout,
    Result,
    World,
    copy_store,
    judge,
    world,
)

from mailout.send import plan
from mailout.store import issues


def killed_sends(
    folder: Path, what: str, people: int, kills: int, per_send: int, url: str, chunking: bool
) -> Result:
    """`mailout send` is killed at random moments and started again each time, until done."""
    result = Result(what, 0, people)
    with world(folder, people, url, chunking=chunking) as here:
        while result.kills < kills and not result.faults:
            issue, since, doubts = here.new_issue(), here.sink.settled(), []
            aims = sorted(CHANCE.randrange(people) for _ in range(per_send))
            for aim in aims[: kills - result.kills]:
                process = here.send()
                if not _reached(here, process, since + aim):
                    break  # it was done before
                process.kill()
                result.kills += 1
                found = here.in_doubt()
                doubts += found
                if len(found) > WINDOW * CONNECTIONS:
                    result.faults.append(f"{len(found)} were in doubt at once")
            finish(here, result, issue)
            here.sink.settled()
            judge(result, here.people, here.sink.accepted(since), doubts)
        result.faults += here.clean_up()
    result.at_most = result.kills * WINDOW * CONNECTIONS
    return result


def _reached(here: World, process: Mailout, count: int) -> bool:
    """Whether the moment of a kill came while the process lives: some time after the relay had
    accepted so many, or - one in six - at any moment from the start of the process on."""
    if CHANCE.random() < 1 / 6:
        time.sleep(CHANCE.uniform(0, 1.5))
    elif not here.wait_for(count, process):
        return False
    else:
        time.sleep(CHANCE.uniform(0, 0.02))
    return not process.is_over


def finish(here: World, result: Result, issue: str, calls: int = 5) -> None:
    """Nothing, once `mailout send`, called as often as it takes, says that all is done."""
    for _ in range(calls):
        process = here.send()
        try:
            code = process.ended()
        except TimeoutExpired:
            process.kill()
            result.faults.append(f"`mailout send` hung, saying: {process.said[-500:]}")
            break
        if code == 0:
            break
        if code != 75:
            result.faults.append(f"`mailout send` ended with {code}: {process.said[-500:]}")
            break
        time.sleep(1)
    else:
        result.faults.append("`mailout send` is never done")
    check_states(here, result, issue)


def check_states(here: World, result: Result, issue: str) -> None:
    """Adds a fault unless the store has everybody down as accepted, and the dispatch as done."""
    states = here.states(issue)
    if states != {"accepted": len(here.people)}:
        result.faults.append(f"the store says of {issue}: {states}")
    if not here.is_done():
        result.faults.append("the dispatch is not done")


def killed_workers(folder: Path, people: int, workers: int, url: str, *, rounds: int = 1) -> Result:
    """That many `mailout worker` on one store; each is killed once and started anew."""
    result = Result(f"{workers} workers, each killed once, PostgreSQL", 0, people)
    with world(folder, people, url) as here:
        for _ in range(rounds):
            issue, since, doubts = here.new_issue(), here.sink.settled(), []
            crew = [here.start("worker") for _ in range(workers)]
            for one in crew:
                _name(one)
            order(here, issue)
            aims = sorted(CHANCE.randrange(int(people * 0.95)) for _ in range(workers))
            victims = CHANCE.sample(range(workers), workers)
            for victim, aim in zip(victims, aims, strict=True):
                here.wait_for(since + aim, crew[victim])
                # Stopped first, so that its part can be counted before another one frees it.
                crew[victim].process.send_signal(signal.SIGSTOP)
                found = here.in_doubt(_name(crew[victim]))
                crew[victim].kill()
                doubts += found
                result.kills += 1
                crew[victim] = here.start("worker")
            wait_until_done(here, result)
            _stop(crew, result)
            here.sink.settled()
            check_states(here, result, issue)
            judge(result, here.people, here.sink.accepted(since), doubts)
            result.faults += here.clean_up()
    result.at_most = result.kills * WINDOW * CONNECTIONS
    return result


def order(here: World, issue: str) -> None:
    """Nothing, once the issue is to be sent to everybody by whatever worker finds it."""
    store = here.store()
    with store.reading() as tx:
        found = issues.find(tx, issue)
    assert found is not None
    chosen = plan.choice(here.site.lists["bulletin"], found.id, "unions", "")
    plan.order(store, chosen, "unions", "", datetime.now(UTC))
    store.close()


def wait_until_done(here: World, result: Result) -> None:
    gives_up = time.monotonic() + PATIENCE
    while not here.is_done():
        if time.monotonic() > gives_up:
            said = [one.said[-300:] for one in here.started if not one.is_over]
            result.faults.append(f"the workers do not finish, saying: {said}")
            return
        time.sleep(0.1)


def _name(worker: Mailout) -> str:
    """What a worker is called in the store; it says so when it has started."""
    gives_up = time.monotonic() + PATIENCE
    while "worker=" not in worker.said:
        if worker.is_over or time.monotonic() > gives_up:
            raise RuntimeError(f"a worker did not start: {worker.said}")
        time.sleep(0.01)
    return worker.said.partition("worker=")[2].split()[0]


def _stop(crew: list[Mailout], result: Result) -> None:
    """Nothing, once all workers were told to end, and have."""
    for one in crew:
        one.process.terminate()
    for one in crew:
        try:
            code = one.ended(within=15)
        except TimeoutExpired:
            result.faults.append(f"a worker did not end on SIGTERM: {one.said[-500:]}")
            continue
        # One that had not begun yet knows nothing of signals.
        if code and "started" in one.said:
            result.faults.append(f"a worker ended with {code}: {one.said[-500:]}")


def power_cuts(folder: Path, people: int, cuts: int, per_send: int) -> Result:
    """Copies of the SQLite files as a power cut would leave them; a send goes on from each.

    The sender is stopped for the moment of the copy: a power cut, too, leaves one moment,
    while files copied one after the other from a running program are of several. Nothing is
    locked, and the program is not asked. Whoever the relay accepted until then counts as
    accepted before the cut.
    """
    result = Result("power cut (a copy of the files goes on), SQLite", 0, people)
    with world(folder, people) as here:
        while result.kills < cuts and not result.faults:
            here.new_issue()
            since = here.sink.settled()
            process = here.send()
            left: list[tuple[int, Path, list[str]]] = []
            aims = sorted(CHANCE.randrange(people) for _ in range(per_send))
            for number, aim in enumerate(aims[: cuts - result.kills]):
                if not here.wait_for(since + aim, process):
                    break
                time.sleep(CHANCE.uniform(0, 0.02))
                with _frozen(process):
                    copy = copy_store(here.site.root, here.site.root.with_name(f"cut-{number}"))
                    mark = here.sink.settled()
                left.append((mark, copy, _opened(copy)))
                result.kills += 1
            process.ended()
            for mark, copy, doubts in left:
                before = here.sink.accepted(since)[: mark - since]
                with Sink(copy.with_name("after")) as after:
                    again = here.send(root=copy, port=after.port)
                    if code := again.ended():
                        result.faults.append(f"the copy's send: {code}, {again.said[-500:]}")
                    judge(result, here.people, [*before, *after.accepted()], doubts)
                after.log.unlink()
        result.faults += here.clean_up()
    result.at_most = result.kills * WINDOW * CONNECTIONS
    return result


def power_lost(folder: Path, people: int, cuts: int, per_send: int, server: PostgreSQL) -> Result:
    """Sender and PostgreSQL are killed at one moment (`kill -9` of all that both are), and both
    started again: what a machine's power cut does, but for what only its disk had promised."""
    result = Result("power cut (sender and PostgreSQL killed at once)", 0, people)
    with world(folder, people, server.create()) as here:
        while result.kills < cuts and not result.faults:
            issue, since, doubts = here.new_issue(), here.sink.settled(), []
            aims = sorted(CHANCE.randrange(people) for _ in range(per_send))
            for aim in aims[: cuts - result.kills]:
                process = here.send()
                if not _reached(here, process, since + aim):
                    break  # it was done before
                with _frozen(process):
                    server.kill()
                    process.kill()
                server.start()
                result.kills += 1
                found = here.in_doubt()
                doubts += found
                if len(found) > WINDOW * CONNECTIONS:
                    result.faults.append(f"{len(found)} were in doubt at once")
            finish(here, result, issue)
            here.sink.settled()
            judge(result, here.people, here.sink.accepted(since), doubts)
        result.faults += here.clean_up()
    result.at_most = result.kills * WINDOW * CONNECTIONS
    return result


@contextmanager
def _frozen(process: Mailout) -> Iterator[None]:
    """No byte is written by the process in this block."""
    with suppress(ProcessLookupError):
        process.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            process.process.send_signal(signal.SIGCONT)


def _opened(copy: Path) -> list[str]:
    """Who is in doubt in the copy, once SQLite has found it whole (`integrity_check`).

    Looked at in a copy of the copy: opening it would tidy up what the cut left.
    """
    looked_at = copy_store(copy, copy.with_name("looked-at"))
    connection = sqlite3.connect(looked_at / "mailout.db")
    found = connection.execute("PRAGMA integrity_check").fetchall()
    assert found == [("ok",)], f"the copy is damaged: {found[:3]}"
    rows = connection.execute(
        "SELECT p.address FROM delivery d JOIN subscriber p ON p.id = d.subscriber_id"
        " WHERE d.state = 'sending'"
    ).fetchall()
    connection.close()
    return [row[0] for row in rows]
