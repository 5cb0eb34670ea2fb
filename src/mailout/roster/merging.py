"""Merging: two addresses that are one person's become one person, in one transaction.

look -> decide what would become of everything (a Merge) -> do it, or with a dry run only tell.

| | |
|---|---|
| address, name, language, country | the kept person's; what is empty is filled from the other |
| tags, fields | of both; where a field differs, the kept one's |
| subscriptions | `core.merge`; leave tokens in mails that are out go on leaving that list |
| suppressions | an organiser's, a complaint, a partner's: for both; a dead address alone |
| deliveries | all are the kept person's; no issue comes twice |
| evidence | stays under the old number; what is taken over is written down anew |
| the other address | known as merged: no import makes it a second person again |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from mailout.core import merge
from mailout.core.consent import Consent, ConsentAction
from mailout.core.errors import TryLater, UsageError
from mailout.core.event import EventKind
from mailout.core.merge import Standing
from mailout.core.site import Site
from mailout.core.subscriber import Membership, Subscriber
from mailout.core.subscription import SubscriptionState
from mailout.core.suppression import SuppressionReason
from mailout.roster.people import found
from mailout.store import consents, events, members, merged, notes, requests, suppressions
from mailout.store import people as stored
from mailout.store import roster as bulk
from mailout.store.engine import Store, Tx

_OWN = (ConsentAction.CONFIRMED, ConsentAction.RETURNED)
_AGREED = (
    ConsentAction.IMPORTED, ConsentAction.ADDED, ConsentAction.JOINED, ConsentAction.CONFIRMED
)  # fmt: skip
_SOURCE = "subscribers merge"
_DETAILS = ("name", "language", "country")


@dataclass(frozen=True, slots=True)
class OnList:
    """What becomes of a list: the states before (None: not on it), and the one that holds."""

    list_id: str
    kept: SubscriptionState | None
    gone: SubscriptionState | None
    state: SubscriptionState


@dataclass(frozen=True, slots=True)
class Merge:
    """What a merge comes to. `differing` is that of which the kept person's stays: details, fields,
    and how often and in which edition they get a list (`frequency on bulletin`);
    `suppressed` are reasons that hold for the kept address from now on."""

    kept: str
    gone: str
    lists: tuple[OnList, ...]
    tags: tuple[str, ...]
    fields: tuple[str, ...]
    differing: tuple[str, ...]
    suppressed: tuple[tuple[str, str], ...]
    deliveries: int
    skipped: int
    notes: int
    dry_run: bool = False


def unite(
    site: Site, store: Store, kept: str, gone: str, now: datetime, *, dry_run: bool = False
) -> Merge:
    """What became of two people who are one now, under the address `kept`.

    Raises: MailoutError if there is no such person; UsageError if they are one already; TryLater
    while a mail to one of them is on the wire.
    """
    with store.reading() if dry_run else store.writing() as tx:
        if not dry_run:
            stored.await_deliveries(tx)
            bulk.lock(tx)
        stays, goes = found(tx, site, kept), found(tx, site, gone)
        if stays.id == goes.id:
            raise UsageError("these are the same person already", where=gone)
        if merged.on_the_wire(tx, [stays.id, goes.id]):
            raise TryLater("a mail to them is on the wire", fix="Try again in a minute.")
        return _Pair(tx, stays, goes, now).unite(dry_run=dry_run)


class _Pair:
    """Two people within one transaction: what is to be done, and then doing it."""

    def __init__(self, tx: Tx, stays: Subscriber, goes: Subscriber, now: datetime) -> None:
        self.tx, self.stays, self.goes, self.now = tx, stays, goes, now
        self.evidence = {one.id: consents.of_subscriber(tx, one.id) for one in (stays, goes)}

    def unite(self, *, dry_run: bool) -> Merge:
        tx, stays, goes = self.tx, self.stays, self.goes
        fields, differing = merge.united(stays.fields, goes.fields)
        lists = self._lists()
        spared = [
            one for one in bulk.suppressions_of(tx, goes.address_key) if merge.moves(one.reason)
        ]
        moving = merged.deliveries(tx, stays.address_key, goes.id)
        result = Merge(
            kept=stays.address,
            gone=goes.address,
            lists=tuple(lists),
            tags=tuple(sorted({*stays.tags, *goes.tags})),
            fields=tuple(sorted(set(goes.fields) - set(stays.fields))),
            differing=(*self._details(), *differing, *self._choices()),
            suppressed=tuple((one.list_id, one.reason.value) for one in spared),
            deliveries=moving.moved + len(moving.doubled),
            skipped=len(moving.skipped),
            notes=len(notes.of(tx, goes.id)),
            dry_run=dry_run,
        )
        if dry_run:
            return result
        merged.move_deliveries(tx, moving, stays.id, stays.address_key, goes.id, self.now)
        for one in lists:
            self._settle(one)
        self._suppress(spared)
        self._complete(fields)
        merged.move_history(tx, stays.id, goes.id, goes.address_key)
        events.add(tx, EventKind.MERGED, stays.id, self.now, f"with person {goes.id}")
        requests.forget_person(tx, goes.id)
        stored.remove(tx, [goes.id])
        return result

    def _lists(self) -> list[OnList]:
        lists = []
        for list_id in sorted({one.list_id for one in self._memberships()}):
            one, other = self.stays.membership(list_id), self.goes.membership(list_id)
            holds = one or other
            if (
                one
                and other
                and merge.other_holds(
                    self._standing(one, self.stays.id), self._standing(other, self.goes.id)
                )
            ):
                holds = other
            assert holds is not None  # noqa: S101 - one of the two is on the list
            lists.append(
                OnList(
                    list_id, one.state if one else None, other.state if other else None, holds.state
                )
            )
        return lists

    def _details(self) -> list[str]:
        """Which of the details of everybody are known of both, and differ."""
        stays, goes = self.stays, self.goes
        pairs = ((name, getattr(stays, name), getattr(goes, name)) for name in _DETAILS)
        return [name for name, mine, theirs in pairs if mine and theirs and mine != theirs]

    def _choices(self) -> list[str]:
        """What they chose otherwise for a list that both are on."""
        return [
            f"{what} on {mine.list_id}"
            for mine in self.stays.memberships
            if (theirs := self.goes.membership(mine.list_id)) is not None
            for what in ("frequency", "edition")
            if getattr(mine, what) != getattr(theirs, what)
        ]

    def _memberships(self) -> tuple[Membership, ...]:
        return (*self.stays.memberships, *self.goes.memberships)

    def _standing(self, held: Membership, subscriber_id: int) -> Standing:
        own = [
            row.at
            for row in self.evidence[subscriber_id]
            if row.list_id == held.list_id and row.action in _OWN
        ]
        return Standing(held.state, held.changed_at, max(own, default=None))

    def _settle(self, one: OnList) -> None:
        """Nothing, once the kept person stands on the list as decided, with evidence of it."""
        tx, list_id = self.tx, one.list_id
        theirs = self.goes.membership(list_id)
        if theirs is None:
            return
        if one.kept is None:
            merged.move_subscription(tx, self.goes.id, list_id, self.stays.id)
            self._write_down(one)
            return
        place = members.place(tx, self.stays.id, list_id)
        assert place is not None  # noqa: S101 - `kept` is its state
        mine = self.stays.membership(list_id)
        assert mine is not None  # noqa: S101
        values: dict[str, object] = {"joined_at": min(mine.joined_at, theirs.joined_at)}
        if one.state is not one.kept:
            values |= {
                "state": one.state,
                "changed_at": self.now,
                "paused_until": theirs.paused_until,
            }
            self._write_down(one)
        elif one.kept is one.gone is SubscriptionState.PAUSED:
            values["paused_until"] = merge.longer_pause(mine.paused_until, theirs.paused_until)
        members.set_up(tx, place.id, values)
        merged.drop_subscription(tx, self.goes.id, list_id, self.stays.id)

    def _write_down(self, one: OnList) -> None:
        """Nothing, once the evidence of the other address stands under the kept person, too."""
        if one.state is SubscriptionState.UNSUBSCRIBED:
            was = f"was {one.kept}" if one.kept else ""
            self._append(one.list_id, ConsentAction.LEFT, was)
            return
        agreed = [
            row
            for row in self.evidence[self.goes.id]
            if row.list_id == one.list_id and row.action in _AGREED
        ]
        if agreed:  # where there is none, none is made up: `check` goes on telling of it
            last = max(agreed, key=lambda row: row.at)
            self._append(one.list_id, ConsentAction.ADDED, last.wording, last.language)

    def _append(
        self, list_id: str, action: ConsentAction, wording: str, language: str = ""
    ) -> None:
        consents.append(
            self.tx,
            [
                Consent(
                    list_id=list_id,
                    subscriber_id=self.stays.id,
                    address_key=self.stays.address_key,
                    action=action,
                    at=self.now,
                    wording=wording,
                    language=language or self.stays.language,
                    source=f"{_SOURCE}, person {self.goes.id}",
                )
            ],
        )

    def _suppress(self, spared: Sequence[bulk.Suppression]) -> None:
        tx, goes = self.tx, self.goes
        for one in spared:
            suppressions.add(
                tx, self.stays.address_key, one.reason, one.at,
                list_id=one.list_id, evidence=one.evidence,
            )  # fmt: skip
        for held in suppressions.of_key(tx, goes.address_key, [""]):
            if held.reason in (SuppressionReason.DEAD, SuppressionReason.SHARED):
                suppressions.lift(tx, held.id)  # the next line says more
        suppressions.add(tx, goes.address_key, SuppressionReason.MERGED, self.now)

    def _complete(self, fields: dict[str, object]) -> None:
        stays, goes = self.stays, self.goes
        stored.change_tags(self.tx, stays.id, add=goes.tags)
        details = {
            name: getattr(goes, name)
            for name in _DETAILS
            if getattr(goes, name) and not getattr(stays, name)
        }
        members.change(
            self.tx,
            stays.id,
            fields=fields,
            created_at=min(stays.created_at, goes.created_at),
            **details,
        )
