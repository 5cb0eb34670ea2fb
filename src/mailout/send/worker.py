"""A worker: sends whatever is due, beside any number of others on the same store.

Twice a second it looks at the dispatches: scheduled ones whose time has come get their
deliveries, held ones are tried again, finished ones are closed, what dead workers left
behind is freed. In between it is a run like any other (`send.run`), over all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from mailout.core.delivery import DeliveryState
from mailout.core.dispatch import DispatchState
from mailout.core.errors import MailoutError
from mailout.core.site import Site
from mailout.send import alerts, control, plan, recovery
from mailout.send.clerk import Clerk, Going
from mailout.send.compose import Composer, composer
from mailout.send.ledger import patiently
from mailout.send.pace import Pace
from mailout.send.run import TRY_AGAIN, finish_if_done, work
from mailout.store import deliveries, dispatches, issues, partners, people
from mailout.store.dispatches import Dispatch
from mailout.store.engine import Store, Tx

if TYPE_CHECKING:
    from mailout.core.dkim import Signer

Tell = Callable[[str, Mapping[str, object]], None]
"""Takes what happened, as a word and its circumstances; never an address."""

_HELD = (TRY_AGAIN, timedelta(minutes=10))  # from one try of a held one to the next
_RECOVER = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Held:
    """A dispatch that is held, and why; `for_a_person` if no worker tries it again by itself."""

    issue: str
    segment: str
    why: str
    for_a_person: bool


@dataclass(slots=True)
class Rounds:
    """The looks of a worker at the dispatches, and what it knows from one to the next."""

    store: Store
    site: Site
    signers: Sequence[Signer]
    tell: Tell
    pace: Pace
    going: list[Dispatch] = field(default_factory=list)
    _composers: dict[int, Composer] = field(default_factory=dict)
    _called_off: set[int] = field(default_factory=set)  # issues whose state is to be settled
    _slowed: Mapping[str, int] = field(default_factory=dict)  # the steps told of each provider
    _told_unanswered: bool = False
    _recovered_at: datetime | None = None

    def look(self, now: datetime) -> Sequence[Going]:
        """The dispatches to be sent now, the most urgent first."""
        if self._recovered_at is None or now - self._recovered_at > _RECOVER:
            self._recovered_at = now
            if lost := recovery.recover(self.store, self.site, now):
                self.tell("recovered", {"deliveries": lost})
        partners.catch_up_in_pieces(self.store, self.site.keys.partners, now)
        with self.store.writing() as tx:
            self.pace.look(tx, now)
            deliveries.cancel_rest(tx, now)
            found = [self._look_at(tx, one, now) for one in dispatches.open_ones(tx)]
            going = [one for one in found if one is not None]
            self._settle_called_off(tx, going, now)
        self._tell_slowed()
        self.going = going
        return [Going(one.id, one.priority, self._composers[one.issue_id]) for one in self.going]

    def _settle_called_off(self, tx: Tx, going: Sequence[Dispatch], now: datetime) -> None:
        """Nothing, once issues called off while we sent them say whether somebody got them."""
        gone = {one.id for one in self.going} - {one.id for one in going}
        for dispatch in (dispatches.get(tx, one) for one in gone):
            if dispatch.state is DispatchState.CANCELLED:
                self._called_off.add(dispatch.issue_id)
        settled = {one for one in self._called_off if control.settle_cancelled(tx, one, now)}
        self._called_off -= settled

    def _tell_slowed(self) -> None:
        """Tells which providers have asked for less, which are back at the usual rate, and that
        it cannot be learnt of some domains whose they are."""
        slowed = {one.provider: one.steps for one in self.pace.slowed}
        for one in self.pace.slowed:
            if one.steps > self._slowed.get(one.provider, 0):
                self.tell("slowed", asdict(one))
        for provider in sorted(self._slowed.keys() - slowed.keys()):
            self.tell("unslowed", {"provider": provider})
        self._slowed = slowed
        if (unanswered := self.pace.unanswered) and not self._told_unanswered:
            self.tell("unanswered", {"domains": unanswered})
        self._told_unanswered = bool(unanswered)

    def held(self) -> list[Held]:
        """The dispatches that are held now."""
        with self.store.reading() as tx:
            return [
                Held(
                    issues.get(tx, one.issue_id).name,
                    f"{one.list_id}/{one.segment}",
                    one.held_why,
                    one.again_at is None,
                )
                for one in dispatches.open_ones(tx, (DispatchState.HELD,))
            ]

    def _look_at(self, tx: Tx, dispatch: Dispatch, now: datetime) -> Dispatch | None:
        """The dispatch, if it is to be sent now."""
        if dispatch.state is DispatchState.PAUSED:
            return None
        if dispatch.state is DispatchState.HELD:
            if dispatch.again_at is None or dispatch.again_at > now:
                return None
            dispatches.release(tx, dispatch, now)
            dispatch = dispatches.get(tx, dispatch.id)
        try:
            if dispatch.state is DispatchState.QUEUED and not self._begin(tx, dispatch, now):
                return None
            if dispatch.issue_id not in self._composers:
                self._composers[dispatch.issue_id] = self._composer(tx, dispatch)
        except MailoutError as error:
            self._hold(tx, dispatch, str(error))
            return None
        if finish_if_done(tx, self.site, dispatch, now):
            counts = deliveries.count(tx, dispatch_id=dispatch.id)
            self.tell("done", {**self._named(tx, dispatch), **_by_state(counts)})
            return None
        return dispatch

    def _begin(self, tx: Tx, dispatch: Dispatch, now: datetime) -> bool:
        """Whether a scheduled dispatch has begun: its time has come, and not long ago."""
        if dispatch.at is not None and dispatch.at > now:
            return False
        if why := plan.is_late(self.site, dispatch, now):
            self._hold(tx, dispatch, why)
            return False
        issue = issues.get(tx, dispatch.issue_id)
        if not issue.is_approved:
            what = f"{issue.name} was compiled anew since this was scheduled"
            raise MailoutError(what, fix=f"`mailout approve {issue.name}` first.")
        people.keep(tx)
        partners.catch_up(tx, self.site.keys.partners, now)
        if count := plan.enqueue(tx, self.site.list_named(dispatch.list_id), dispatch, now):
            self.tell("begun", {**self._named(tx, dispatch), "deliveries": count})
        return True

    def _composer(self, tx: Tx, dispatch: Dispatch) -> Composer:
        mailing_list = self.site.list_named(dispatch.list_id)
        return composer(tx, self.site, mailing_list, dispatch.issue_id, self.signers)

    def hold_all(self, why: str, again_at: datetime) -> None:
        """Nothing, once all that was being sent is held until the relays are tried again."""
        with self.store.writing() as tx:
            for dispatch in self.going:
                self._hold(tx, dispatch, why, again_at)

    def _hold(self, tx: Tx, dispatch: Dispatch, why: str, again_at: datetime | None = None) -> None:
        of = (DispatchState.QUEUED, DispatchState.SENDING)
        if dispatches.set_state(
            tx, dispatch.id, DispatchState.HELD, of=of, why=why, again_at=again_at
        ):
            now, by_itself = datetime.now(UTC), again_at is not None
            alerts.held(tx, self.site, dispatch, why, now, by_itself=by_itself)
            self.tell("held", {**self._named(tx, dispatch), "why": why})

    def _named(self, tx: Tx, dispatch: Dispatch) -> dict[str, object]:
        name = issues.get(tx, dispatch.issue_id).name
        return {"issue": name, "dispatch": dispatch.id, "list": dispatch.list_id}


async def run_worker(
    store: Store,
    site: Site,
    signers: Sequence[Signer],
    worker: str,
    tell: Tell,
    report: Callable[[Clerk], None],
    stop: asyncio.Event,
    *,
    once: bool = False,
) -> list[Held]:
    """What is held, once `stop` is set and what was on the wire has an end, or with `once` as soon
    as nothing more can be sent now.

    Raises: MailoutError if the store fails for good."""
    pace = Pace(site)
    rounds = Rounds(store, site, signers, tell, pace)
    wait = _HELD[0]
    while True:
        clerk = Clerk(site, plan.retry_plan(site.sending), rounds.look, stop, stay=not once)
        await work(store, clerk, pace, worker, lambda clerk=clerk: report(clerk))  # type: ignore[misc]
        now = datetime.now(UTC)
        if any(clerk.done.values()):
            wait = _HELD[0]
        if (problem := clerk.problem) is not None:
            await _in_peace(lambda: rounds.hold_all(str(problem), now + wait), stop, tell)  # noqa: B023
            until, wait = now + wait, min(wait * 2, _HELD[1])
        elif clerk.rests_until is not None:
            tell("resting", {"until": clerk.rests_until})
            until = clerk.rests_until
        if stop.is_set() or once:
            await _in_peace(lambda: rounds.look(now), stop, tell)  # closes what is done; # noqa: B023
            return rounds.held()
        await _sleep(until, stop)


async def _in_peace(work: Callable[[], object], stop: asyncio.Event, tell: Tell) -> None:
    """Does the work, however long the store is away."""
    await patiently(
        lambda: asyncio.to_thread(work), stop, lambda why: tell("trouble", {"why": why})
    )


async def _sleep(until: datetime, stop: asyncio.Event) -> None:
    seconds = (until - datetime.now(UTC)).total_seconds()
    try:
        await asyncio.wait_for(stop.wait(), max(0.0, min(seconds, 60.0)))
    except TimeoutError:
        return


def _by_state(counts: Mapping[DeliveryState, int]) -> dict[str, object]:
    return {state.value: number for state, number in counts.items()}
