"""Saying why one left: once, if one likes, and without anybody learning who said it.

The answer to a leave holds a token with a random number in it, and nothing of the person. What
comes back with it is kept with the day and the hash of that number, so that the same answer sent
twice is one. Neither the store nor the keys lead from there to a person.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from mailout.core.keys import Keys
from mailout.core.leave_reason import Said, said
from mailout.core.token import link_hash, read_reason, reason_token
from mailout.store import leave_reasons
from mailout.store.engine import Store

GOOD_FOR = timedelta(hours=24)


def ticket(keys: Keys, list_id: str, now: datetime, random: Callable[[int], bytes]) -> str:
    """The token by which whoever has just left a list may say why."""
    return reason_token(keys.undo, list_id, random(8), now + GOOD_FOR)


def give(
    store: Store, keys: Keys, token: str, list_id: str, reason: str, words: str, now: datetime
) -> bool:
    """Whether the token lets its holder answer; the answer is kept, unless it was before or is
    empty."""
    if read_reason(keys.undo, list_id, token, now) is None:
        return False
    answer = said(list_id, reason, words, now)
    if answer is not None:
        with store.writing() as tx:
            leave_reasons.add(tx, answer, link_hash(token))
    return True


def listed(store: Store, list_id: str = "") -> list[Said]:
    """What was answered, the newest day first."""
    with store.reading() as tx:
        return list(leave_reasons.listed(tx, list_id))
