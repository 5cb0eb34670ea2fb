"""Statuses: what the words of other systems say of a person's standing on a list.

| said of a person | state | suppressed on all lists |
|---|---|---|
| subscribed, or nothing | active | - |
| asked to confirm, never asked, unknown | pending | - |
| left, disabled, removed | unsubscribed | - |
| bounced, cleaned, undeliverable | unsubscribed | dead |
| complained | unsubscribed | complained |
| blocked | unsubscribed | by hand |

Of two readings the stricter one counts. A word that is not known never means subscribed.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mailout.core.subscription import SubscriptionState, imported_state, stricter
from mailout.core.suppression import SuppressionReason


class Standing(NamedTuple):
    """Where a file says that a person stands; `suppressed` is why nobody may mail them."""

    state: SubscriptionState
    suppressed: SuppressionReason | None = None


ACTIVE = Standing(SubscriptionState.ACTIVE)
PENDING = Standing(SubscriptionState.PENDING)
PAUSED = Standing(SubscriptionState.PAUSED)
LEFT = Standing(SubscriptionState.UNSUBSCRIBED)
DEAD = Standing(SubscriptionState.UNSUBSCRIBED, SuppressionReason.DEAD)
COMPLAINED = Standing(SubscriptionState.UNSUBSCRIBED, SuppressionReason.COMPLAINED)
BLOCKED = Standing(SubscriptionState.UNSUBSCRIBED, SuppressionReason.BY_HAND)

_WORDS: dict[Standing, str] = {
    # Buttondown's mailable kinds; Mailman's role and delivery status; Google Groups' of an address.
    ACTIVE: "regular, premium, gifted, trialed, churning, past due, member, valid",
    PENDING: "unactivated, unpaid, nonsubscribed, transactional, waiting, invited, upcoming,"
    " validating",
    PAUSED: "by user, by moderator",
    LEFT: "unsubscribe, opted out, optout, inactive, deleted, archived, removed, left,"
    " abgemeldet, отписан, отписался, отписалась",
    DEAD: "cleaned, bounced, bouncing, bounce, hard bounce, hard bounced, undeliverable, invalid,"
    " dead, by bounces",
    COMPLAINED: "complained, complaint, spam complaint, spam, abuse, reported as spam",
    BLOCKED: "blocklisted, blacklisted, blocked, banned, suppressed, spammy",
}
_STANDINGS = {
    word.strip(): standing for standing, words in _WORDS.items() for word in words.split(",")
}
_NAMED = {
    ACTIVE: "subscribed", PENDING: "pending", PAUSED: "paused", LEFT: "unsubscribed",
    DEAD: "cleaned", COMPLAINED: "complained", BLOCKED: "blocked",
}  # fmt: skip
# Words that hardly stand in a column that tells anything else.
_TELLING = frozenset(
    ("unsubscribed", "unsubscribe", "opted out", "optout", "nonsubscribed", "unconfirmed",
     "cleaned", "bounced", "bouncing", "hard bounce", "hard bounced", "undeliverable",
     "complained", "spam complaint", "blocklisted", "blacklisted",
     "abgemeldet", "отписан", "отписался", "отписалась")
)  # fmt: skip
_ORDER = (None, SuppressionReason.BY_HAND, SuppressionReason.DEAD, SuppressionReason.COMPLAINED)
# As Mailchimp names its files; others follow it.
_FILE = re.compile(r"(unsubscribed|nonsubscribed|subscribed|cleaned|bounced|complained)[_. -]")

_NO = frozenset(
    ("", "-", "0", "no", "n", "false", "f", "off", "none", "null", "nil", "nein", "non", "нет",
     "não", "hayır", "жоқ", "ні")
)  # fmt: skip
_YES = frozenset(
    ("1", "yes", "y", "true", "t", "on", "ja", "j", "oui", "да", "sí", "si", "sim", "evet", "иә",
     "так", "x")  # as a ticked box comes out
)  # fmt: skip

# Of a status only whole words: a cross in a column may mark those who left.
_YES_WORDS = frozenset(("ja", "oui", "да", "sí", "sim", "evet", "иә", "так"))
_NO_WORDS = frozenset(("nein", "non", "нет", "não", "hayır", "жоқ", "ні"))


def standing(word: str) -> Standing | None:
    """What a status column's word means; None for a word that is not known."""
    plain = _plain(word)
    if found := _STANDINGS.get(plain):
        return found
    if plain in _YES_WORDS or plain in _NO_WORDS:
        return ACTIVE if plain in _YES_WORDS else LEFT
    state = imported_state(word)
    return None if state is None else Standing(state)


def word(standing: Standing) -> str:
    """A word that means this standing."""
    return _NAMED[standing]


def telling(word: str) -> bool:
    """Whether this is a word for somebody who gets no mail, and for hardly anything else."""
    return _plain(word) in _TELLING


def _plain(word: str) -> str:
    return " ".join(re.sub(r"[\s_-]+", " ", word.strip().casefold()).split())


def strictest(one: Standing, other: Standing) -> Standing:
    """The standing that mails least."""
    reason = max(one.suppressed, other.suppressed, key=_ORDER.index)
    return Standing(stricter(one.state, other.state), reason)


def of_file(name: str) -> Standing | None:
    """What a file's name says of all its rows, as Mailchimp names them; None if nothing."""
    found = _FILE.match(name.strip().lower())
    return standing(found[1]) if found else None


def yes(cell: str) -> bool | None:
    """Whether a cell says yes, in one of many spellings; None if it says neither yes nor no."""
    word = cell.strip().casefold()
    if word in _NO:
        return False
    return True if word in _YES else None
