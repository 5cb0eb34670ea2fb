"""What a clerk knows of its deliveries between two turns."""

from __future__ import annotations

import asyncio

from mailout.core.delivery import Outcome, Verdict
from mailout.core.site import Relay, Site
from mailout.send.clerk import Clerk
from mailout.send.ledger import Turned
from mailout.send.lines import Lines
from mailout.send.plan import retry_plan
from mailout.store.claims import Claimed


def delivery(number: int) -> Claimed:
    queued = "2026-11-24 10:00:00.000000"
    address = f"p{number}@example.org"
    return Claimed(
        number, f"key{number}", "en", "full", 0, queued, address, "", "", f"token{number}", 1, 1
    )


def test_in_doubt_is_all_whose_end_nobody_could_tell_after_a_crash(site: Site) -> None:
    async def walk() -> None:
        clerk = Clerk(site, retry_plan(site.sending), lambda now: [], asyncio.Event())
        lines = Lines(Relay(host="127.0.0.1"), site, clerk)
        clerk.lines.append(lines)
        ones = [delivery(number) for number in range(10)]
        assert clerk.in_doubt == 0

        lines.give(ones)
        assert clerk.in_doubt == 10, "marked"

        for _ in range(6):
            lines.marked.popleft()
            lines.on_wire += 1
        assert clerk.in_doubt == 10, "marked, and on the wire"

        accepted, deferred = Outcome(Verdict.ACCEPTED, 250), Outcome(Verdict.DEFERRED, 451)
        for one, outcome in zip(ones[:5], [accepted] * 3 + [deferred] * 2, strict=True):
            lines.on_wire -= 1
            clerk.end(one, outcome)
        assert clerk.in_doubt == 10, "ended, and not on disk"

        turn = clerk._next_turn(0.0)
        assert not clerk.accepted and not clerk.ended
        assert clerk.in_doubt == 10, "being written"

        clerk._take_in(turn, Turned({}, {}, {}, None), 0.0)
        assert clerk.in_doubt == 5, "five have their end on disk"

    asyncio.run(walk())


def test_lines_that_were_let_go_end_though_a_connection_looks_for_work_once_more(
    site: Site,
) -> None:
    async def walk() -> None:
        clerk = Clerk(site, retry_plan(site.sending), lambda now: [], asyncio.Event())
        lines = Lines(Relay(host="127.0.0.1"), site, clerk)
        lines.let_go()
        assert lines.take() is None, "by a connection that was open just then"
        await asyncio.wait_for(lines.keep_one(), timeout=5)

    asyncio.run(walk())
