"""The hot path's statements: how SQLite walks them, and that an old worker cannot write."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from mailout.core.delivery import DeliveryState, Outcome, Step, Verdict
from mailout.core.site import Site
from mailout.store import claims, deliveries, outcomes
from mailout.store.engine import Store
from mailout.store.outcomes import Recorded
from newcomers import join
from send_desk import Desk, take

NOW = datetime.now(UTC) + timedelta(hours=1)  # when all that a test queues is due
LEASE = NOW + timedelta(minutes=2)


def queued(site: Site, store: Store, people: int) -> tuple[int, int]:
    desk = Desk(site, store)
    for number in range(people):
        join(store, site, f"p{number}@example.org")
    issue = desk.issue()
    from dataclasses import replace

    bulletin = site.lists["bulletin"]
    everyone = replace(bulletin.settings.segments["unions"], rule="everyone")
    settings = replace(bulletin.settings, segments={"everyone": everyone}, languages=("en", "ru"))
    lists = {"bulletin": replace(bulletin, settings=settings)}
    dispatch = Desk(replace(site, lists=lists), store).enqueue(issue)
    return dispatch.id, issue.id


def test_the_look_at_what_is_due_walks_the_index_of_queued_deliveries(
    site: Site, store: Store
) -> None:
    if not store.is_sqlite:
        return  # the planner of PostgreSQL decides by statistics
    values = {"dispatch": 1, "after_at": "", "after_id": 0, "now": "x", "most": 5}
    with store.reading() as tx:
        plan = tx.connection().exec_driver_sql(
            "EXPLAIN QUERY PLAN " + claims._DUE["sqlite"], values
        ).all()  # fmt: skip
        told = " ".join(str(row[3]) for row in plan)
        assert "USING INDEX ix_delivery_queued" in told
        assert "TEMP B-TREE" not in told
        plan = tx.connection().exec_driver_sql(
            "EXPLAIN QUERY PLAN" + outcomes._RECORD["sqlite"], {"rows": "[]", "worker": "w"}
        ).all()  # fmt: skip
        told = " ".join(str(row[3]) for row in plan)
        assert "SEARCH delivery USING INTEGER PRIMARY KEY" in told


def test_two_workers_never_hold_the_same_delivery(site: Site, store: Store) -> None:
    dispatch, issue = queued(site, store, 10)
    with store.writing() as tx:
        one = take(tx, dispatch, "one", NOW, LEASE, 6)
        two = take(tx, dispatch, "two", NOW, LEASE, 6)
    assert (len(one), len(two)) == (6, 4)
    assert not {d.id for d in one} & {d.id for d in two}
    with store.reading() as tx:
        assert claims.held_by(tx, "one") == {d.id for d in one}
        assert deliveries.count(tx, issue_id=issue) == {DeliveryState.SENDING: 10}


def test_what_another_transaction_looks_at_is_passed_over(site: Site, store: Store) -> None:
    if store.is_sqlite:
        return  # one writer at a time
    dispatch, _ = queued(site, store, 5)
    with store.writing() as one, store.writing() as two:
        first, _ = claims.due(one.connection(), dispatch, NOW, 3)
        second, last = claims.due(two.connection(), dispatch, NOW, 3)
    assert (len(first), len(second), last) == (3, 2, None)
    assert not {d.id for d in first} & {d.id for d in second}


def test_one_walks_on_behind_the_last_look(site: Site, store: Store) -> None:
    dispatch, _ = queued(site, store, 5)
    with store.writing() as tx:
        first, last = claims.due(tx.connection(), dispatch, NOW, 2)
        assert last is not None
        second, last = claims.due(tx.connection(), dispatch, NOW, 2, last)
        assert last is not None
        third, end = claims.due(tx.connection(), dispatch, NOW, 2, last)
    assert [d.id for d in (*first, *second, *third)] == sorted(
        d.id for d in (*first, *second, *third)
    )
    assert (len(first), len(second), len(third), end) == (2, 2, 1, None)


def test_what_is_postponed_is_due_then(site: Site, store: Store) -> None:
    dispatch, _ = queued(site, store, 3)
    later = NOW + timedelta(minutes=5)
    with store.writing() as tx:
        found, _ = claims.due(tx.connection(), dispatch, NOW, 3)
        claims.postpone(tx, {later: [found[0].id]})
        now, _ = claims.due(tx.connection(), dispatch, NOW, 3)
        then, _ = claims.due(tx.connection(), dispatch, later, 3)
    assert {d.id for d in now} == {d.id for d in found[1:]}
    assert {d.id for d in then} == {d.id for d in found}


def test_who_lost_the_lease_records_nothing(site: Site, store: Store) -> None:
    dispatch, issue = queued(site, store, 2)
    with store.writing() as tx:
        (held,) = take(tx, dispatch, "old", NOW, NOW - timedelta(seconds=1), 1)
        lost = claims.lapsed(tx, NOW, [])
        assert {d.id for d in lost["old"]} == {held.id}
        unknown = Outcome(Verdict.UNKNOWN)
        outcomes.record(
            tx, [Recorded(held, unknown, Step(DeliveryState.QUEUED, NOW))], "old", NOW
        )  # fmt: skip
        again = take(tx, dispatch, "new", NOW, LEASE, 2)
        assert held.id in {d.id for d in again}
        accepted = {(250, "2.0.0", "r"): {held.id: "ok"}}
        outcomes.accept(tx.connection(), accepted, "old", NOW)
        refused = Outcome(Verdict.REFUSED, 550, "", "no", "r")
        outcomes.record(tx, [Recorded(held, refused, Step(DeliveryState.REFUSED))], "old", NOW)
    with store.reading() as tx:
        assert deliveries.count(tx, issue_id=issue) == {DeliveryState.SENDING: 2}


def test_what_is_due_comes_with_all_that_composing_needs(site: Site, store: Store) -> None:
    dispatch, issue = queued(site, store, 1)
    with store.writing() as tx:
        ((delivery,), _) = claims.due(tx.connection(), dispatch, NOW, 5)
        token = tx.scalar(text("SELECT token FROM subscription"))
    assert (delivery.issue_id, delivery.address, delivery.name) == (issue, "p0@example.org", "Anna")
    assert delivery.token == token
    assert abs(delivery.queued_at - NOW) < timedelta(hours=2)
    assert delivery.provider == "example.org"
