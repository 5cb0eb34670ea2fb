"""Upkeep: what nobody asked for and has to be done all the same, once a minute or so.

| what | when |
|---|---|
| requests that nobody confirmed | at their expiry: what was typed is deleted |
| letters | too old to be mailed: emptied; with an end and no longer counted: deleted |
| mails that came in | after some days emptied; what was made of them stays |
| tokens of providers' notices | as old as no signature counts any more: deleted |
| readers' pauses | end on the day that the reader set |
| erased bytes | taken out of the store's files; while an issue goes out not before a day is over |

Any number of processes may do it at once.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from mailout.core.dispatch import DispatchState
from mailout.core.letter import COUNTED_FOR
from mailout.core.webhook.proof import OLDEST
from mailout.store import (
    chores,
    dispatches,
    erasure,
    hook_tokens,
    inbound,
    letters,
    pauses,
    requests,
    rests,
)
from mailout.store.engine import Store

MAIL_KEPT_FOR = timedelta(days=30)
_UNDER_WAY = "scrub under way"
_DEAD_AFTER = timedelta(hours=1)  # a scrub that was heard of no more for so long
_PATIENCE = timedelta(hours=24)
_AGAIN_AFTER = timedelta(minutes=2)  # one that others stood in the way of


def tidy(store: Store, now: datetime, mail_kept_for: timedelta = MAIL_KEPT_FOR) -> None:
    """Nothing, once all that was due by `now` is done: raw mail is kept for so long, too.

    Raises: MailoutError if the store fails.
    """
    with store.writing() as tx:
        requests.purge(tx, now)
        letters.expire(tx, now)
        letters.purge(tx, now - COUNTED_FOR)
        pauses.end_pauses(tx, now)
        inbound.empty(tx, now - mail_kept_for)
        rests.forget(tx, now - COUNTED_FOR)
        hook_tokens.forget(tx, now - 2 * OLDEST)
    _scrub_if_due(store, now)


def _scrub_if_due(store: Store, now: datetime) -> None:
    """Nothing, once erased bytes are out of the files, or are to be taken out later.

    The chore is taken off the list before it is begun: what is erased while it goes on asks
    for it anew. Until it is done it stands there under another name, should we die of it.
    """
    with store.reading() as tx:
        # SQLite's file is written anew for it: a send would have to wait.
        busy = store.is_sqlite and dispatches.open_ones(tx, (DispatchState.SENDING,))
        by_when = now - _PATIENCE if busy else now
        if not any(chores.due(tx, name, by_when) for name in (chores.SCRUB, _UNDER_WAY)):
            return
    with store.writing() as tx:
        chores.done(tx, chores.SCRUB)
        chores.done(tx, _UNDER_WAY)
        chores.ask(tx, _UNDER_WAY, now + _DEAD_AFTER)
    clean = erasure.scrub(store)
    with store.writing() as tx:
        chores.done(tx, _UNDER_WAY)
        if not clean:
            chores.ask(tx, chores.SCRUB, now + _AGAIN_AFTER)
