"""Writes: what a chunk of an import decides for each person, collected, then done at once.

The decisions are those of the table in `roster.importing`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from mailout.core.subscription import SubscriptionState, stricter
from mailout.core.suppression import SuppressionReason
from mailout.core.token import leave_token
from mailout.roster.entry import Entry
from mailout.roster.evidence import Evidence
from mailout.store import consents
from mailout.store import roster as stored
from mailout.store.engine import Tx

_LOWERING = (SubscriptionState.PAUSED, SubscriptionState.UNSUBSCRIBED)


class Came(StrEnum):
    """What became of an accepted person; `added` ones are new on the list."""

    ADDED = "added"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


def why_not(person: Entry, known: stored.Known | None, suppressed: SuppressionReason | None) -> str:
    """Why this person may not be taken in; empty if they may."""
    if suppressed is not None:
        return f"suppressed ({suppressed}): only they can come back, by signing up"
    left = known is not None and known.state is SubscriptionState.UNSUBSCRIBED
    if left and person.state is not SubscriptionState.UNSUBSCRIBED:
        return "unsubscribed: only their own new sign-up brings them back"
    return ""


@dataclass(slots=True)
class Writes:
    """The writes of one chunk so far."""

    newcomers: list[Entry] = field(default_factory=list)
    joining: list[tuple[int, Entry]] = field(default_factory=list)
    details: list[stored.Details] = field(default_factory=list)
    tags: dict[int, frozenset[str]] = field(default_factory=dict)
    states: dict[int, SubscriptionState] = field(default_factory=dict)
    leaving: list[tuple[int, Entry]] = field(default_factory=list)

    def take(self, person: Entry, known: stored.Known | None) -> Came:
        """What becomes of a person that `why_not` let pass."""
        if known is None:
            self.newcomers.append(person)
            return Came.ADDED
        changed = self._complete(person, known)
        changed |= self.give_tags(person.tags, known)
        if known.state is None:
            self.joining.append((known.id, person))
            return Came.ADDED
        changed |= self.lower(person, known)
        return Came.UPDATED if changed else Came.UNCHANGED

    def _complete(self, person: Entry, known: stored.Known) -> bool:
        """Whether what the file says of the person differs from what is known."""
        said = (
            person.name or known.name,
            person.language or known.language,
            person.country or known.country,
        )
        if said == (known.name, known.language, known.country):
            return False
        self.details.append(stored.Details(known.id, *said))
        return True

    def give_tags(self, tags: frozenset[str], known: stored.Known) -> bool:
        """Whether a known person lacked some of the tags; they are given."""
        if new := tags - known.tags:
            self.tags[known.id] = new
        return bool(new)

    def lower(self, person: Entry, known: stored.Known) -> bool:
        """Whether a known member's state is lowered to the person's; it is never raised."""
        assert known.state is not None  # noqa: S101 - a mistake of ours
        state = stricter(known.state, person.state)
        if state is known.state or state not in _LOWERING:
            return False
        self.states[known.subscription_id] = state
        if state is SubscriptionState.UNSUBSCRIBED:
            self.leaving.append((known.id, person))
        return True

    def write(self, tx: Tx, evidence: Evidence, random_bytes: Callable[[int], bytes]) -> None:
        """Nothing, once all of it is written; nothing is written where nothing changed."""
        ids = stored.add_people(tx, [_new(person) for person in self.newcomers], evidence.at)
        members = [(ids[person.key], person) for person in self.newcomers]
        tags = {id_: person.tags for id_, person in members if person.tags}
        members += self.joining
        stored.add_tags(tx, {**tags, **self.tags})
        stored.add_subscriptions(
            tx,
            evidence.list_id,
            [
                stored.NewSubscription(id_, person.state, leave_token(random_bytes(16)))
                for id_, person in members
            ],
            evidence.at,
        )
        stored.change_details(tx, self.details)
        stored.change_states(tx, self.states, evidence.at)
        rows = [evidence.of(id_, person, person.state) for id_, person in members]
        rows += [evidence.of(id_, who, SubscriptionState.UNSUBSCRIBED) for id_, who in self.leaving]
        consents.append(tx, rows)


def _new(person: Entry) -> stored.NewPerson:
    return stored.NewPerson(
        address=person.address.text,
        address_key=person.key,
        domain=person.address.domain,
        name=person.name,
        language=person.language,
        country=person.country,
    )
