"""A compiled issue, a few people, and a catcher to send to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from mailout.core.dkim import Signer
from mailout.core.issue import Variant
from mailout.core.site import Relay, Sending, Site
from mailout.core.slot import Slot
from mailout.send import plan, presence, recovery, run
from mailout.send.compose import composer
from mailout.send.run import Ending
from mailout.smtp.catcher import Catcher
from mailout.store import claims, dispatches, issues
from mailout.store.claims import Claimed
from mailout.store.dispatches import Dispatch
from mailout.store.engine import Store, Tx
from mailout.store.issues import PLAIN, Flags, Issue
from newcomers import join


def take(
    tx: Tx, dispatch_id: int, worker: str, now: datetime, lease_until: datetime, most: int
) -> list[Claimed]:
    """Up to `most` due deliveries, now `sending` in the hands of the worker."""
    found, _ = claims.due(tx.connection(), dispatch_id, now, most)
    claims.start(tx.connection(), [one.id for one in found], worker, lease_until)
    return found


@dataclass(frozen=True)
class Desk:
    """A site with its store, pointed at a catcher; sends what a test asks for."""

    site: Site
    store: Store

    def toward(self, catcher: Catcher, connections: int = 2, **sending: object) -> Desk:
        return self.through(catcher.port, connections, **sending)

    def through(self, port: int, connections: int = 2, **sending: object) -> Desk:
        """The same with a relay at that port."""
        relay = Relay(host="127.0.0.1", port=port, tls="none", connections=connections)
        settings = {"timeout_seconds": 5, **sending}
        return Desk(
            replace(self.site, relays=(relay,), sending=Sending(**settings)),  # type: ignore[arg-type]
            self.store,
        )

    def issue(self, name: str = "w47", text: str = "", flags: Flags = PLAIN) -> Issue:
        body = f"{Slot.GREETING.mark} {text} /u/{Slot.TOKEN.mark}"
        variants = tuple(
            Variant(code, f"Subject {code}", f"<p>{body}</p>", body) for code in ("en", "ru")
        )
        with self.store.writing() as tx:
            return issues.save_compiled(
                tx, name, "bulletin", ["p"], variants, datetime.now(UTC), flags=flags
            )

    def people(self, count: int, domain: str = "example.org") -> list[str]:
        return [
            join(self.store, self.site, f"p{number:03}@{domain}").address for number in range(count)
        ]

    def enqueue(self, issue: Issue, segment: str = "everyone", exclude: str = "") -> Dispatch:
        mailing_list = self.site.lists["bulletin"]
        chosen = plan.choice(mailing_list, issue.id, segment, exclude)
        now = datetime.now(UTC)
        dispatch = plan.order(self.store, chosen, segment, exclude, now)
        with self.store.writing() as tx:
            plan.enqueue(tx, mailing_list, dispatch, now)
            return dispatches.get(tx, dispatch.id)

    def send(
        self,
        dispatch: Dispatch,
        report: Callable[[run.Progress], None] = lambda progress: None,
        stop_after: int = 0,
        signers: Sequence[Signer] = (),
    ) -> Ending:
        """Runs the dispatch as `mailout send` does; stops after so many outcomes if asked."""
        bulletin = self.site.lists["bulletin"]
        with self.store.reading() as tx:
            composing = composer(tx, self.site, bulletin, dispatch.issue_id, signers)

        async def go(worker: str) -> Ending:
            stop = asyncio.Event()

            def watched(progress: run.Progress) -> None:
                report(progress)
                if stop_after and sum(progress.done.values()) >= stop_after:
                    stop.set()

            return await run.run(self.store, self.site, dispatch, composing, worker, watched, stop)

        with presence.present(self.site.root) as worker:
            recovery.recover(self.store, self.site, datetime.now(UTC))
            return asyncio.run(go(worker))
