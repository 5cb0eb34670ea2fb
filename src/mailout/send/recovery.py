"""What a worker that died left behind: deliveries whose end nobody knows.

Each may have gone out. Its end is written down as unknown, and it is sent again with the same
Message-ID, since a letter that comes twice can be told by that and one that never comes cannot.
"""

from __future__ import annotations

from datetime import datetime

from mailout.core.delivery import Outcome, RetryPlan, Verdict, after_attempt
from mailout.core.site import Site
from mailout.send import presence
from mailout.send.plan import retry_plan
from mailout.store import claims, outcomes
from mailout.store.claims import Claimed
from mailout.store.engine import Store
from mailout.store.outcomes import Recorded

_LOST = Outcome(Verdict.UNKNOWN, text="the sender died with the message on the wire")


def recover(store: Store, site: Site, now: datetime) -> int:
    """How many deliveries of dead workers had an unknown end; all are free again."""
    plan = retry_plan(site.sending)
    with store.writing() as tx:
        dead = presence.dead_among(site.root, claims.holders(tx))
        lost = claims.lapsed(tx, now, dead)
        for worker, held in lost.items():
            outcomes.record(tx, [_recorded(delivery, now, plan) for delivery in held], worker, now)
    return sum(map(len, lost.values()))


def _recorded(delivery: Claimed, now: datetime, plan: RetryPlan) -> Recorded:
    step = after_attempt(_LOST, delivery.attempts, delivery.queued_at, now, plan, jitter=0)
    if step.next_at is not None:
        # The wait is for servers that need time; our own death needs none.
        step = type(step)(step.state, now)
    return Recorded(delivery, _LOST, step)
