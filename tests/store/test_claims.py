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
from send_desk import Desk

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


def test_the_claim_walks_the_index_of_queued_deliveries(site: Site, store: Store) -> None:
    if not store.is_sqlite:
        return  # the planner of PostgreSQL decides by statistics
    values = {"dispatch": 1, "after_at": "", "after_id": 0, "now": "x", "most": 5}
    with store.reading() as tx:
        plan = tx.connection().exec_driver_sql("EXPLAIN QUERY PLAN" + claims._DUE, values).all()
        told = " ".join(str(row[3]) for row in plan)
        assert "USING INDEX ix_delivery_queued" in told
        assert "TEMP B-TREE" not in told
        plan = tx.connection().exec_driver_sql(
            "EXPLAIN QUERY PLAN" + outcomes._RECORD["sqlite"], {"rows": "[]", "worker": "w"}
        ).all()  # fmt: skip
        told = " ".join(str(row[3]) for row in plan)
        assert "SEARCH delivery USING INTEGER PRIMARY KEY" in told


def test_two_workers_never_hold_the_same_delivery(site: Site, store: Store) -> None:
    dispatch, _ = queued(site, store, 10)
    with store.writing() as tx:
        one, last = claims.claim(tx, dispatch, "one", NOW, LEASE, 6)
        two, _ = claims.claim(tx, dispatch, "two", NOW, LEASE, 6)
        none, seen = claims.claim(tx, dispatch, "two", NOW, LEASE, 6, last or claims.Cursor())
    assert (len(one), len(two), none, seen) == (6, 4, [], None)
    assert not {d.id for d in one} & {d.id for d in two}


def test_who_lost_the_lease_starts_and_records_nothing(site: Site, store: Store) -> None:
    dispatch, issue = queued(site, store, 2)
    with store.writing() as tx:
        held, _ = claims.claim(tx, dispatch, "old", NOW, NOW - timedelta(seconds=1), 2)
        assert claims.start(tx, [held[0].id], "old", NOW, NOW - timedelta(seconds=1)) == {
            held[0].id
        }
        lost = claims.lapsed(tx, NOW, [])
        assert {d.id for d in lost["old"]} == {held[0].id}
        again, _ = claims.claim(tx, dispatch, "new", NOW, LEASE, 2)
        assert {d.id for d in again} == {held[1].id}
        assert claims.start(tx, [held[1].id], "old", NOW, LEASE) == set()
        outcome = Outcome(Verdict.ACCEPTED, 250, "", "ok", "r")
        outcomes.record(tx, [Recorded(held[1], outcome, Step(DeliveryState.ACCEPTED))], "old", NOW)
    with store.reading() as tx:
        assert deliveries.count(tx, issue_id=issue) == {
            DeliveryState.SENDING: 1, DeliveryState.CLAIMED: 1,
        }  # fmt: skip


def test_a_claim_brings_all_that_composing_needs(site: Site, store: Store) -> None:
    dispatch, issue = queued(site, store, 1)
    with store.writing() as tx:
        ((delivery,), _) = claims.claim(tx, dispatch, "w", NOW, LEASE, 5)
        token = tx.scalar(text("SELECT token FROM subscription"))
    assert (delivery.issue_id, delivery.address, delivery.name) == (issue, "p0@example.org", "Anna")
    assert delivery.token == token
    assert abs(delivery.queued_at - NOW) < timedelta(hours=2)
    assert delivery.provider == "example.org"
