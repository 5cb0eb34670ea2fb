"""Remembering: what an import keeps of each person that its file had so far, as a short text.

A later row of the same address is held against it.
"""

from __future__ import annotations

from mailout.core.subscription import SubscriptionState
from mailout.core.suppression import SuppressionReason
from mailout.roster.entry import Entry

REFUSED = "-"
"""What is remembered of whom an earlier row was refused."""


def mark(person: Entry) -> str:
    """What is remembered of a person: state, suppression, language, tags."""
    return "\x1f".join((str(person.state), person.suppressed or "", person.language, *person.tags))


def before(person: Entry, mark: str) -> Entry:
    """A person as an earlier chunk had them, as far as it is remembered."""
    state, suppressed, language, *tags = mark.split("\x1f")
    return person._replace(
        state=SubscriptionState(state),
        suppressed=SuppressionReason(suppressed) if suppressed else None,
        language=language,
        tags=frozenset(tags),
    )
