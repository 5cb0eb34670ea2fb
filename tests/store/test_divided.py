"""The deliveries divided by issue, by the very statements of docs/scale.md, on a PostgreSQL."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from mailout.core.delivery import DeliveryState
from mailout.core.site import Site
from mailout.send import recovery
from mailout.smtp.catcher import Catcher
from mailout.store import deliveries
from mailout.store.engine import Store
from places import REPOSITORY
from send_desk import Desk, take


def statements(begin: str) -> str:
    """The block of SQL on the page that begins so."""
    page = (REPOSITORY / "docs" / "scale.md").read_text("utf-8")
    (found,) = (one for one in re.findall(r"```sql\n(.*?)```", page, re.S) if one.startswith(begin))
    assert isinstance(found, str)
    return found


def run(store: Store, sql: str) -> None:
    with store.engine.connect() as connection:
        connection.connection.cursor().execute(sql)
        connection.connection.commit()


def parts(store: Store) -> Counter[tuple[str, str]]:
    """How many deliveries are in each part, by state."""
    query = "SELECT tableoid::regclass::text, state, count(*) FROM delivery GROUP BY 1, 2"
    with store.reading() as tx:
        return Counter({(row[0], row[1]): row[2] for row in tx.execute(text(query))})


@pytest.fixture
def desk(site: Site, store: Store) -> Desk:
    bulletin = site.lists["bulletin"]
    everyone = replace(next(iter(bulletin.settings.segments.values())), rule="everyone")
    settings = replace(bulletin.settings, segments={"everyone": everyone}, languages=("en", "ru"))
    return Desk(replace(site, lists={"bulletin": replace(bulletin, settings=settings)}), store)


def test_sends_go_on_when_the_deliveries_are_divided(desk: Desk) -> None:
    if desk.store.is_sqlite:
        return  # it has no parts
    with Catcher(rules={"refused.example": "550 5.1.1 nobody"}) as catcher:
        desk = desk.toward(catcher)
        desk.people(30)
        desk.people(3, "refused.example")
        before = desk.issue("w46")
        desk.send(desk.enqueue(before))
        run(desk.store, statements("BEGIN"))
        assert parts(desk.store) == {
            ("delivery_others", "accepted"): 30,
            ("delivery_others", "refused"): 3,
        }

        issue = desk.issue("w47")
        part = statements("SELECT id FROM issue").splitlines()[1]
        assert part.startswith("CREATE TABLE delivery_issue_2 ")
        run(
            desk.store,
            part.replace("issue_2 ", f"issue_{issue.id} ").replace("(2)", f"({issue.id})"),
        )
        dispatch = desk.enqueue(issue)
        now = datetime.now(UTC)
        with desk.store.writing() as tx:
            taken = take(tx, dispatch.id, "gone", now, now - timedelta(minutes=1), 5)
        recovery.recover(desk.store, desk.site, now)
        ending = desk.send(dispatch)
    assert len(taken) == 5
    assert ending.counts == {DeliveryState.ACCEPTED: 30, DeliveryState.REFUSED: 3}
    mine = f"delivery_issue_{issue.id}"
    assert parts(desk.store) == {
        ("delivery_others", "accepted"): 30,
        ("delivery_others", "refused"): 3,
        (mine, "accepted"): 30,
        (mine, "refused"): 3,
    }
    with desk.store.reading() as tx:
        rows = deliveries.listed(tx, issue.id)
    assert Counter(row.attempts for row in rows) == {1: 28, 2: 5}
    with pytest.raises(IntegrityError), desk.store.engine.begin() as connection:
        again = "INSERT INTO delivery SELECT d.* FROM delivery d WHERE issue_id = :issue LIMIT 1"
        connection.execute(text(again), {"issue": issue.id})
