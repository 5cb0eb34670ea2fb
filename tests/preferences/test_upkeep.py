"""Upkeep: what was typed is deleted, pauses end, erased bytes go, and nothing else changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from letter_desk import PostOffice
from mailed_issues import mail
from mailout.core.delivery import DeliveryState
from mailout.core.letter import COUNTED_FOR, LetterKind
from mailout.core.request import GOOD_FOR, RequestPurpose
from mailout.core.site import Site
from mailout.core.subscription import SubscriptionState
from mailout.preferences.upkeep import tidy
from mailout.store import chores, erasure, letters, requests
from mailout.store.asked_tables import CHORE, REQUEST
from mailout.store.engine import Store
from mailout.store.requests import Request
from mailout.store.tables import SUBSCRIPTION
from newcomers import dump, join, state_of

NOW = datetime.now(UTC)
ALL = RequestPurpose.JOIN


def test_a_tidy_store_stays_as_it_is(site: Site, store: Store) -> None:
    join(store, site)
    PostOffice(site, store).write()
    before = dump(store)
    tidy(store, NOW)
    assert dump(store) == before


def test_what_nobody_confirmed_is_deleted(site: Site, store: Store) -> None:
    request = Request(
        purpose=ALL, address_key="k", list_id="bulletin", language="en", created_at=NOW
    )
    with store.writing() as tx:
        requests.add(tx, request, "token")
    tidy(store, NOW + GOOD_FOR[ALL] - timedelta(seconds=1))
    with store.reading() as tx:
        assert tx.execute(select(REQUEST)).all()
    tidy(store, NOW + GOOD_FOR[ALL])
    with store.reading() as tx:
        assert not tx.execute(select(REQUEST)).all()


def test_letters_are_emptied_in_time_and_deleted_once_they_are_not_counted(
    site: Site, store: Store
) -> None:
    office = PostOffice(site, store)
    office.write()
    office.write(LetterKind.ALERT)
    tidy(store, NOW + timedelta(days=8))
    letter, alert = office.rows()
    assert (letter.state, letter.address, letter.said) == (DeliveryState.EXPIRED, "", {})
    assert (alert.state, alert.address) == (DeliveryState.EXPIRED, "")
    assert alert.said == {"about": "held", "subject": "Held: w47"}
    with store.reading() as tx:
        assert letters.moments(tx, letter.abuse_key, [LetterKind.CONFIRM], NOW - COUNTED_FOR)
    tidy(store, NOW + COUNTED_FOR + timedelta(days=1))
    assert office.rows() == []


@pytest.mark.parametrize(
    ("until", "state"),
    [
        (timedelta(hours=-1), SubscriptionState.ACTIVE),
        (timedelta(hours=1), SubscriptionState.PAUSED),
        (None, SubscriptionState.PAUSED),
    ],
)
def test_a_pause_ends_on_its_day(
    site: Site, store: Store, until: timedelta | None, state: SubscriptionState
) -> None:
    anna = join(store, site, state=SubscriptionState.PAUSED)
    left = join(store, site, "left@example.org", state=SubscriptionState.UNSUBSCRIBED)
    with store.writing() as tx:
        tx.execute(update(SUBSCRIPTION).values(paused_until=NOW + until if until else None))
    tidy(store, NOW)
    assert state_of(store, anna) is state
    assert state_of(store, left) is SubscriptionState.UNSUBSCRIBED


def _chores(store: Store) -> list[str]:
    with store.reading() as tx:
        return list(tx.scalars(select(CHORE.c.name)))


def test_erased_bytes_are_taken_out_once(
    site: Site, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    scrub = erasure.scrub
    monkeypatch.setattr(erasure, "scrub", lambda store: calls.append(1) or scrub(store))
    with store.writing() as tx:
        chores.ask(tx, chores.SCRUB, NOW)
    tidy(store, NOW - timedelta(minutes=1))
    assert calls == []
    tidy(store, NOW)
    tidy(store, NOW)
    assert calls == [1]
    assert _chores(store) == []


def test_a_scrub_that_was_in_the_way_is_done_later(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "scrub", lambda store: False)
    with store.writing() as tx:
        chores.ask(tx, chores.SCRUB, NOW)
    tidy(store, NOW)
    assert _chores(store) == [chores.SCRUB]
    monkeypatch.undo()
    tidy(store, NOW + timedelta(minutes=3))
    assert _chores(store) == []


def test_what_is_erased_during_a_scrub_is_scrubbed_too(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def erase_meanwhile(store: Store) -> bool:
        with store.writing() as tx:
            chores.ask(tx, chores.SCRUB, NOW)
        return True

    monkeypatch.setattr(erasure, "scrub", erase_meanwhile)
    with store.writing() as tx:
        chores.ask(tx, chores.SCRUB, NOW)
    tidy(store, NOW)
    assert _chores(store) == [chores.SCRUB]


def test_a_scrub_that_died_is_begun_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def die(store: Store) -> bool:
        raise Killed

    monkeypatch.setattr(erasure, "scrub", die)
    with store.writing() as tx:
        chores.ask(tx, chores.SCRUB, NOW)
    with pytest.raises(Killed):
        tidy(store, NOW)
    monkeypatch.undo()
    tidy(store, NOW + timedelta(minutes=5))
    assert _chores(store) == ["scrub under way"]
    tidy(store, NOW + timedelta(minutes=61))
    assert _chores(store) == []


def test_no_file_is_written_anew_while_an_issue_goes_out(site: Site, store: Store) -> None:
    mail(site, store, "w47", ["a"], done=False)
    with store.writing() as tx:
        chores.ask(tx, chores.SCRUB, NOW)
    tidy(store, NOW)
    assert _chores(store) == ([chores.SCRUB] if store.is_sqlite else [])
    tidy(store, NOW + timedelta(hours=25))
    assert _chores(store) == []
