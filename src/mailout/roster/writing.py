"""Writing: what was decided for people goes into the store, with evidence and a record of it.

Rows are made ready here and written by a pen beside, a part of a chunk after the other: while the
newcomers of one part go in, those of the next are decided. What has to be looked up first waits
for the pen, so it is left to the few who are known already and change.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from mailout.core.subscription import SubscriptionState
from mailout.core.token import leave_tokens
from mailout.roster import journal
from mailout.roster.entry import NO_CHOICE, Choice, Entry, mark
from mailout.roster.evidence import Evidence
from mailout.roster.writes import Writes
from mailout.store import consents, imports, intake
from mailout.store.engine import Tx
from mailout.store.imports import Did
from mailout.store.inserts import insert
from mailout.store.intake import Known, NewMember
from mailout.store.pen import Hand

_UNSUBSCRIBED = SubscriptionState.UNSUBSCRIBED

Joined = Sequence[tuple[int, Entry]]
"""People who are new on the list, with their numbers."""


class Writing:
    """What is written in one transaction. `begin` gives the number under which the import is on
    record, or 0 if it keeps none; `most` tells how many newcomers there may be."""

    def __init__(
        self,
        pen: Hand,
        evidence: Evidence,
        random_bytes: Callable[[int], bytes],
        most: Callable[[], int],
        begin: Callable[[Tx], int] = lambda _: 0,
    ) -> None:
        self.pen, self.evidence, self.random_bytes = pen, evidence, random_bytes
        self.most, self.begin = most, begin
        self.chain: consents.Chain | None = None
        self.numbers: Iterator[int] = iter(())
        self.import_id = 0

    def write(self, writes: Writes) -> None:
        """Nothing, and all of it is written when its turn comes."""
        if not writes:
            return
        if self.chain is None:
            self.chain = self.pen.ask(self._begun)()
        pen, list_id, now = self.pen, self.evidence.list_id, self.evidence.at
        members = [(next(self.numbers), one) for one in writes.newcomers]
        people = [_person(number, one) for number, one in members]
        pen.write(insert, intake.new_people(pen.dialect, people, now))
        given = [(number, tag) for number, one in members for tag in sorted(one.tags)]
        pen.write(insert, intake.new_tags(pen.dialect, given))
        pen.write(intake.add_tags, writes.tags)
        joined = [*members, *((known.id, one) for known, one in writes.joining)]
        pen.write(insert, intake.new_members(pen.dialect, list_id, self._places(joined), now))
        came = {number: one.choice for number, one in joined if one.choice != NO_CHOICE}
        pen.write(intake.change_choices, list_id, came | writes.choices)
        pen.write(intake.change_details, writes.details)
        self._note_since(writes)
        pen.write(intake.change_states, writes.states, now)
        self._append(joined, writes.leaving)
        said = self.evidence.source
        if self.import_id:
            said = imports.suppression_evidence(self.import_id)
            self._record(writes, members)
        pen.write(intake.suppress, writes.suppressed, said, now)

    def _begun(self, tx: Tx) -> consents.Chain:
        self.import_id = self.begin(tx)
        if most := self.most():
            self.numbers = iter(intake.numbers(tx, most))
        return consents.Chain(tx, self.evidence.list_id)

    def _note_since(self, writes: Writes) -> None:
        """Nothing, once the changes of a state say since when it was as it was: an undo puts that
        back, too, so that an import before this one can be undone after it."""
        if not writes.states or not self.import_id:
            return
        since = self.pen.ask(intake.since, list(writes.states))()
        for known, said in writes.changes.values():
            if "state" in said:
                moments = (since[known.subscription_id], self.evidence.at)
                said["since"] = [imports.moment(one) for one in moments]

    def _places(self, joined: Joined) -> list[NewMember]:
        tokens = leave_tokens(self.random_bytes(16 * len(joined))) if joined else []
        return [
            NewMember(number, str(one.state), token)
            for (number, one), token in zip(joined, tokens, strict=True)
        ]

    def _append(self, joined: Joined, leaving: Joined) -> None:
        assert self.chain is not None  # noqa: S101 - a mistake of ours
        pieces = [self.evidence.piece(number, one, one.state) for number, one in joined]
        pieces += [self.evidence.piece(id_, one, _UNSUBSCRIBED) for id_, one in leaving]
        self.pen.write(insert, self.chain.linked(self.evidence.at, pieces))

    def _record(self, writes: Writes, members: Joined) -> None:
        import_id = self.import_id
        added = [
            Did(number, journal.ADDED, one.mark, _packed_choice(one.choice))
            for number, one in members
        ]
        self.pen.write(insert, imports.records(self.pen.dialect, import_id, added))
        joining = {known.id: (known, one) for known, one in writes.joining}
        changed = [
            Did(known.id, journal.JOINED, "", journal.packed(_joined(writes, known, one)))
            for known, one in joining.values()
        ]
        changed += [
            Did(id_, journal.CHANGED, _mark(known, said), journal.packed(said))
            for id_, (known, said) in writes.changes.items()
            if id_ not in joining
        ]
        if not changed:
            return
        # An earlier chunk of this import may have had them, or a run that was broken off.
        ids = [one.subscriber_id for one in changed]
        before = self.pen.ask(imports.recorded, import_id, ids)()
        again = [
            journal.merged(before[one.subscriber_id], one)
            for one in changed
            if one.subscriber_id in before
        ]
        self.pen.write(imports.amend, import_id, again)
        fresh = [one._replace(mark="") for one in changed if one.subscriber_id not in before]
        self.pen.write(insert, imports.records(self.pen.dialect, import_id, fresh))


def _person(number: int, one: Entry) -> tuple[int, str, str, str, str, str, str, str]:
    address = one.address
    return (
        number, address.text, one.key, address.domain, one.name, one.language, one.country,
        one.fields_text,
    )  # fmt: skip


def _packed_choice(choice: Choice) -> str:
    if choice == NO_CHOICE:
        return journal.NOTHING
    return journal.packed(journal.chosen(NO_CHOICE, choice))


def _joined(writes: Writes, known: Known, person: Entry) -> dict[str, Any]:
    _, said = writes.changes.get(known.id, (known, {}))
    chosen = journal.chosen(NO_CHOICE, person.choice)
    return {**said, **chosen, "state": ["", person.state.value]}


def _mark(known: Known, said: journal.Changes) -> str:
    """The mark of a known person after these changes."""
    held = json.loads(known.fields)
    held.update({one: pair[1] for one, pair in said.get("fields", {}).items()})
    values = {what: said[what][1] for what in ("name", "language", "country") if what in said}
    state = said["state"][1] if "state" in said else known.state or ""
    return mark(
        values.get("name", known.name),
        values.get("language", known.language),
        values.get("country", known.country),
        json.dumps(held, ensure_ascii=False),
        known.tags | set(said.get("tags", ())),
        str(state),
    )
