"""Any order of starts, outcomes, crashes, lapses, pauses and leavings: the books stay right.

A state machine drives the store as senders do, and keeps its own account of what each relay
has seen. After every step: nobody was accepted twice without a crash in between, nobody is
held by two, and every delivery is in a state that somebody will move on.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mailout.config.site import read_site
from mailout.config.starter import copy_site
from mailout.core.delivery import (
    DeliveryState,
    Outcome,
    RetryPlan,
    Verdict,
    after_attempt,
)
from mailout.core.dispatch import DispatchState
from mailout.preferences.leaving import leave
from mailout.send import control, recovery
from mailout.store import claims, deliveries, dispatches, outcomes, schema
from mailout.store.claims import Claimed
from mailout.store.engine import open_store
from mailout.store.outcomes import Recorded
from newcomers import join
from send_desk import Desk, take

PEOPLE = 12
WORKERS = ("one", "two", "three")
PLAN = RetryPlan([timedelta(minutes=5)], timedelta(hours=2))
LEASE = timedelta(minutes=2)


class Sending(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        root = Path(self.folder.name) / "site"
        copy_site(root)
        site = read_site(root)
        bulletin = site.lists["bulletin"]
        everyone = replace(next(iter(bulletin.settings.segments.values())), rule="everyone")
        kept = replace(bulletin.settings, segments={"everyone": everyone}, languages=("en", "ru"))
        site = replace(site, lists={"bulletin": replace(bulletin, settings=kept)})
        store = open_store(site.store.url, site.root)
        if not schema.current(store):
            schema.upgrade(store)
        self.desk = Desk(site, store)
        self.readers = [join(store, site, f"p{n}@example.org") for n in range(PEOPLE)]
        self.issue = self.desk.issue()
        self.dispatch = self.desk.enqueue(self.issue)
        self.now = datetime.now(UTC) + timedelta(seconds=1)
        self.sending: dict[str, list[Claimed]] = {name: [] for name in WORKERS}
        self.arrived: dict[int, int] = {}
        self.doubts: dict[int, int] = {}
        self.left: set[str] = set()

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self._nobody_is_lost()
            self.desk.store.close()
            self.folder.cleanup()

    # --- what happens ---------------------------------------------------------------------

    @rule(worker=st.sampled_from(WORKERS), most=st.integers(1, 5))
    def start(self, worker: str, most: int) -> None:
        with self.desk.store.writing() as tx:
            if dispatches.get(tx, self.dispatch.id).state is not DispatchState.SENDING:
                return
            found = take(tx, self.dispatch.id, worker, self.now, self.now + LEASE, most)
        self.sending[worker] += found

    @rule(most=st.integers(1, 5), minutes=st.integers(1, 10))
    def postpone(self, most: int, minutes: int) -> None:
        """A provider wants some of them later."""
        with self.desk.store.writing() as tx:
            found, _ = claims.due(tx.connection(), self.dispatch.id, self.now, most)
            claims.postpone(
                tx, {self.now + timedelta(minutes=minutes): [one.id for one in found]}
            )  # fmt: skip

    @rule(
        worker=st.sampled_from(WORKERS),
        verdict=st.sampled_from(Verdict),
        is_written_down=st.booleans(),
    )
    def end(self, worker: str, verdict: Verdict, is_written_down: bool) -> None:
        """A reply comes, or the connection breaks; the sender may die before it is recorded."""
        if not self.sending[worker]:
            return
        delivery = self.sending[worker].pop(0)
        assert delivery.address not in self.left, "who left before the wire gets nothing"
        if verdict in (Verdict.ACCEPTED, Verdict.UNKNOWN):
            self.arrived[delivery.id] = self.arrived.get(delivery.id, 0) + 1
        if verdict is Verdict.UNKNOWN or not is_written_down:
            self.doubts[delivery.id] = self.doubts.get(delivery.id, 0) + 1
        if not is_written_down:
            self._die(worker)
            return
        outcome = Outcome(verdict, 250 if verdict is Verdict.ACCEPTED else 450, "", "words")
        step = after_attempt(
            outcome, delivery.attempts + 1, delivery.queued_at, self.now, PLAN, 0.0
        )
        with self.desk.store.writing() as tx:
            # Twice, as a sender does that does not know whether its commit has arrived.
            for _ in range(2):
                if verdict is Verdict.ACCEPTED:
                    accepted = {(outcome.code, outcome.enhanced, ""): {delivery.id: outcome.text}}
                    outcomes.accept(tx.connection(), accepted, worker, self.now)
                else:
                    outcomes.record(tx, [Recorded(delivery, outcome, step)], worker, self.now)

    @rule(worker=st.sampled_from(WORKERS))
    def die(self, worker: str) -> None:
        for delivery in self.sending[worker]:
            # Nobody can say of these whether they went out: some did.
            self.doubts[delivery.id] = self.doubts.get(delivery.id, 0) + 1
            if delivery.id % 2:
                self.arrived[delivery.id] = self.arrived.get(delivery.id, 0) + 1
        self._die(worker)

    def _die(self, worker: str) -> None:
        for delivery in self.sending[worker]:
            self.doubts[delivery.id] = self.doubts.get(delivery.id, 0) + 1
        self.sending[worker] = []

    @rule(worker=st.sampled_from(WORKERS))
    def stop(self, worker: str) -> None:
        """All that is not on the wire goes back."""
        back, self.sending[worker] = self.sending[worker], []
        with self.desk.store.writing() as tx:
            claims.give_back(tx, [one.id for one in back], worker)
            deliveries.cancel_rest(tx, self.now)

    @rule(minutes=st.integers(0, 10))
    def pass_time(self, minutes: int) -> None:
        """Time goes on; living workers keep their leases, and what died is recovered."""
        self.now += timedelta(minutes=minutes)
        with self.desk.store.writing() as tx:
            for worker in WORKERS:
                if self.sending[worker]:
                    claims.extend(tx, worker, self.now + LEASE)
        recovery.recover(self.desk.store, self.desk.site, self.now)

    @rule(reader=st.integers(0, PEOPLE - 1))
    def leave(self, reader: int) -> None:
        who = self.readers[reader]
        on_the_wire = {one.address for some in self.sending.values() for one in some}
        if who.address in on_the_wire:
            return  # too late for this one
        leave(self.desk.store, self.desk.site.keys, who.token, self.now, source="page")
        self.left.add(who.address)

    @rule()
    def pause(self) -> None:
        if self._state() in (DispatchState.SENDING, DispatchState.HELD):
            control.pause(self.desk.store, self.issue)

    @rule()
    def resume(self) -> None:
        if self._state() is DispatchState.PAUSED:
            control.resume(self.desk.store, self.issue, "", self.now)

    @precondition(lambda self: len(self.arrived) > PEOPLE // 2)
    @rule()
    def cancel(self) -> None:
        if self._state() not in (DispatchState.CANCELLED, DispatchState.DONE):
            control.cancel(self.desk.store, self.issue, "", self.now)

    @rule()
    def send_missing_again(self) -> None:
        if self._state() is not DispatchState.CANCELLED:
            control.resend(self.desk.store, self.issue, self.now)

    # --- what is always so ----------------------------------------------------------------

    @invariant()
    def nobody_is_held_by_two(self) -> None:
        if not hasattr(self, "folder"):
            return
        with self.desk.store.reading() as tx:
            for worker in WORKERS:
                held = claims.held_by(tx, worker)
                assert held.issuperset(delivery.id for delivery in self.sending[worker])

    @invariant()
    def nobody_gets_it_twice_without_a_doubt(self) -> None:
        for delivery_id, times in getattr(self, "arrived", {}).items():
            assert times <= 1 + self.doubts.get(delivery_id, 0)

    @invariant()
    def everybody_is_counted(self) -> None:
        if hasattr(self, "folder"):
            with self.desk.store.reading() as tx:
                assert sum(deliveries.count(tx, issue_id=self.issue.id).values()) == PEOPLE

    def _state(self) -> DispatchState:
        with self.desk.store.reading() as tx:
            return dispatches.get(tx, self.dispatch.id).state

    def _nobody_is_lost(self) -> None:
        """From wherever it stands, one good worker brings every delivery to its end."""
        if self._state() is DispatchState.PAUSED:
            control.resume(self.desk.store, self.issue, "", self.now)
        for worker in WORKERS:
            self.die(worker)
        for _ in range(4):
            self.now += timedelta(minutes=6)
            recovery.recover(self.desk.store, self.desk.site, self.now)
            with self.desk.store.writing() as tx:
                deliveries.cancel_rest(tx, self.now)
            self.start("one", PEOPLE)
            while self.sending["one"]:
                self.end("one", Verdict.ACCEPTED, True)
        with self.desk.store.reading() as tx:
            counts = deliveries.count(tx, issue_id=self.issue.id)
            assert not deliveries.are_open(tx, self.dispatch.id)
            for row in deliveries.listed(tx, self.issue.id):
                if row.state is DeliveryState.ACCEPTED:
                    assert self.arrived.get(row.id, 0) >= 1
        assert sum(counts.values()) == PEOPLE


Sending.TestCase.settings = settings(
    max_examples=15,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestSending = Sending.TestCase
