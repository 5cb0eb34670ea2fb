"""Writes: what a part of an import decides for each person, collected for `roster.writing`.

The decisions are those of the table in `roster.importing`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from mailout.core.subscription import SubscriptionState, stricter
from mailout.core.suppression import SuppressionReason, why_not_lifted
from mailout.roster import journal
from mailout.roster.entry import NO_CHOICE, Choice, Entry, narrowed
from mailout.store.intake import Known

_UNSUBSCRIBED = SubscriptionState.UNSUBSCRIBED
_LOWERING = (SubscriptionState.PAUSED, _UNSUBSCRIBED)


class Came(StrEnum):
    """What became of an accepted person; `added` ones are new on the list."""

    ADDED = "added"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


def why_not(person: Entry, known: Known | None, suppressed: SuppressionReason | None) -> str:
    """Why this person may not be taken in; empty if they may.

    Who is suppressed and known may be recorded as having left: that is what the file agrees on.
    """
    leaves = person.state is _UNSUBSCRIBED
    if suppressed is SuppressionReason.ERASED or (
        suppressed is not None and (known is None or known.state is None or not leaves)
    ):
        if why_not_lifted(suppressed):
            return f"suppressed ({suppressed}): only they can come back, by signing up"
        return f"suppressed ({suppressed}): `mailout suppressions lift` ends that"
    if known is not None and known.state is _UNSUBSCRIBED and not leaves:
        return "unsubscribed: only their own new sign-up brings them back"
    return ""


@dataclass(slots=True)
class Writes:
    """The writes of one part so far. `chose` are edition and frequency of those subscriptions
    (by id) of which the file says either."""

    chose: Mapping[int, Choice] = field(default_factory=dict)
    newcomers: list[Entry] = field(default_factory=list)
    joining: list[tuple[Known, Entry]] = field(default_factory=list)
    details: list[tuple[str, str, str, str, int]] = field(default_factory=list)
    tags: list[tuple[int, str]] = field(default_factory=list)
    states: dict[int, SubscriptionState] = field(default_factory=dict)
    choices: dict[int, Choice] = field(default_factory=dict)
    leaving: list[tuple[int, Entry]] = field(default_factory=list)
    suppressed: dict[str, SuppressionReason] = field(default_factory=dict)
    changes: dict[int, tuple[Known, journal.Changes]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.newcomers or self.joining or self.changes or self.suppressed)

    def take(
        self, person: Entry, known: Known | None, suppressed: SuppressionReason | None = None
    ) -> Came:
        """What becomes of a person that `why_not` let pass."""
        if person.suppressed is not None and suppressed is None:
            self.suppressed[person.key] = person.suppressed
        if known is None:
            self.newcomers.append(person)
            return Came.ADDED
        if person.state is known.state and _says_nothing_new(person, known):
            return Came.UNCHANGED
        changed = self._complete(person, known)
        changed |= self.give_tags(person.tags, known)
        if known.state is None:
            self.joining.append((known, person))
            return Came.ADDED
        changed |= self.lower(person, known)
        changed |= self.choose(person, known)
        changed |= person.key in self.suppressed
        return Came.UPDATED if changed else Came.UNCHANGED

    def _complete(self, person: Entry, known: Known) -> bool:
        """Whether what the file says of the person differs from what is known."""
        name, language, country = (
            person.name or known.name,
            person.language or known.language,
            person.country or known.country,
        )
        said: journal.Changes = {}
        if name != known.name:
            said["name"] = [known.name, name]
        if language != known.language:
            said["language"] = [known.language, language]
        if country != known.country:
            said["country"] = [known.country, country]
        fields = known.fields
        if person.fields:
            held = json.loads(fields)
            new = {one: value for one, value in person.fields if held.get(one) != value}
            if new:
                said["fields"] = {one: [held.get(one), value] for one, value in new.items()}
                fields = json.dumps({**held, **new}, ensure_ascii=False)
        if not said:
            return False
        self.details.append((name, language, country, fields, known.id))
        self._changed(known).update(said)
        return True

    def give_tags(self, tags: frozenset[str], known: Known) -> bool:
        """Whether a known person lacked some of the tags; they are given."""
        if tags <= known.tags:
            return False
        new = sorted(tags - known.tags)
        self.tags += [(known.id, tag) for tag in new]
        self._changed(known)["tags"] = new
        return True

    def lower(self, person: Entry, known: Known) -> bool:
        """Whether a known member's state is lowered to the person's; it is never raised."""
        assert known.state is not None  # noqa: S101 - a mistake of ours
        if person.state is known.state or person.state not in _LOWERING:
            return False
        state = stricter(known.state, person.state)
        if state is known.state:
            return False
        self.states[known.subscription_id] = state
        if state is _UNSUBSCRIBED:
            self.leaving.append((known.id, person))
        self._changed(known)["state"] = [known.state.value, state.value]
        return True

    def choose(self, person: Entry, known: Known) -> bool:
        """Whether a known member is to have rarer mail, or an edition where they chose none."""
        held = self.chose.get(known.subscription_id, NO_CHOICE)
        choice = narrowed(held, person.choice)
        if choice == held:
            return False
        self.choices[known.id] = choice
        self._changed(known).update(journal.chosen(held, choice))
        return True

    def _changed(self, known: Known) -> journal.Changes:
        return self.changes.setdefault(known.id, (known, {}))[1]


def _says_nothing_new(person: Entry, known: Known) -> bool:
    """Whether all that the file says of the person is plainly what is known: most people of a
    file that is imported again."""
    return (
        person.name == known.name
        and person.language == known.language
        and person.country == known.country
        and person.tags <= known.tags
        and not person.fields
        and person.choice == NO_CHOICE
        and person.suppressed is None
    )
