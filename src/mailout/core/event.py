"""Events: what is written down about a delivery or a person.

| of | kinds |
|---|---|
| an attempt to send | deferred, refused, unknown, expired |
| what came back | bounced, complained, delayed, auto-replied, challenged, replied |
| a reader's own doing | left, returned |
| an address that fails (`core.standing`) | paused, stopped, lifted |

An event is never changed afterwards, but for the category that was read out of a server's words:
better rules may read another.
"""

from __future__ import annotations

from enum import StrEnum


class EventKind(StrEnum):
    """A refusal is a 5xx in the session, a bounce a report after acceptance."""

    DEFERRED = "deferred"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    LEFT = "left"
    RETURNED = "returned"
    DELAYED = "delayed"
    AUTO_REPLIED = "auto-replied"
    CHALLENGED = "challenged"
    REPLIED = "replied"
    PAUSED = "paused"
    STOPPED = "stopped"
    LIFTED = "lifted"
    MERGED = "merged"
