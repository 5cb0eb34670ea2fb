"""Letters: single mails to one address that belong to no issue.

| kind | goes to | says |
|---|---|---|
| confirm | who signed up | confirm by this link, or do nothing |
| known | who signed up and is on the list already | nothing has changed |
| welcome | who has confirmed | the list's own words |
| settings | a reader who asked | a link to their settings, for 30 minutes, once |
| new address | the address to change to | confirm by this link, or do nothing |
| old address | the address changed from | it was changed; write to us if that was not you |
| report, alert | a list's contact | how a dispatch ended; what is wrong |
| reply | a list's contact | what a reader wrote to the address that bounces come back to |

A letter has the states of a delivery (`core.delivery`), and like one it keeps its Message-ID
at every try. Nobody can make us flood a mailbox: letters of a kind to one address are
counted, however it is written (`core.address.Address.abuse_key`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum


class LetterKind(StrEnum):
    """See the table above."""

    CONFIRM = "confirm"
    KNOWN = "known"
    WELCOME = "welcome"
    SETTINGS = "settings"
    NEW_ADDRESS = "new address"
    OLD_ADDRESS = "old address"
    REPORT = "report"
    ALERT = "alert"
    REPLY = "reply"


class Alarm(StrEnum):
    """What an alert is about: the same one goes to a list's contact at most once an hour."""

    HELD = "held"
    LETTERS = "letters"
    RESTING = "resting"
    COMPLAINTS = "complaints"
    AUTHENTICATION = "authentication"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A letter to be written. `said` holds what its template needs: a link's token, a text.

    After `expires_at` it is not sent any more. A `withheld` one never is: it is only written
    down, so that nobody learns from our answer, or its time, whether an address gets one.
    """

    kind: LetterKind
    list_id: str
    language: str
    address: str
    address_key: str
    abuse_key: str
    said: Mapping[str, str] = field(default_factory=dict, repr=False)
    expires_at: datetime
    withheld: bool = False


SIGN_UP = (LetterKind.CONFIRM, LetterKind.KNOWN, LetterKind.NEW_ADDRESS)
"""Letters that anybody can have sent to anybody: they are counted together."""

COUNTED_FOR = timedelta(days=37)
"""How long letters are remembered: 7 days in which three may go, and 30 of silence."""

_SILENCE = timedelta(days=30)
_WEEK, _DAY = timedelta(days=7), timedelta(days=1)
_A_WEEK = 3
_LINKS_A_DAY, _LINKS_A_WEEK = 3, 10


def may_sign_up(sent: Sequence[datetime], now: datetime) -> bool:
    """Whether one more sign-up letter may go to a mailbox that got some at the moments `sent`.

    At most one a day and three in 7 days; after the third, silence until 30 days have passed.
    """
    recent = sorted(moment for moment in sent if now - moment < COUNTED_FOR)
    if recent and now - recent[-1] < _DAY:
        return False
    for last in range(_A_WEEK - 1, len(recent)):
        third = recent[last]
        if third - recent[last - _A_WEEK + 1] < _WEEK and now - third < _SILENCE:
            return False
    return True


def may_link(sent: Sequence[datetime], now: datetime) -> bool:
    """Whether one more link to the settings may go to a reader who got some at those moments."""
    ages = [now - moment for moment in sent]
    day, week = sum(age < _DAY for age in ages), sum(age < _WEEK for age in ages)
    return day < _LINKS_A_DAY and week < _LINKS_A_WEEK
