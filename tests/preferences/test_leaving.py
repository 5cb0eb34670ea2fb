"""Leaving and taking it back: what each token may do, and what it may never do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mailout.core.event import EventKind
from mailout.core.keys import Keys
from mailout.core.site import Site
from mailout.core.subscription import SubscriptionState
from mailout.core.suppression import SuppressionReason
from mailout.core.token import Key, Ring, undo_token
from mailout.preferences.leaving import Leaving, Left, leave, look, undo
from mailout.store import consents, events, people, suppressions
from mailout.store.engine import Store
from newcomers import LONG_AGO, actions_of, dump, join, state_of

NOW = LONG_AGO + timedelta(days=30)
HOUR = timedelta(hours=1)

BROKEN = ["", "x", "x" * 21, "x" * 22, "x" * 23, "x" * 10_000, "\0" * 22, "é" * 22, "%00", "undo"]


def leave_by_page(store: Store, site: Site, token: str, now: datetime = NOW) -> Left:
    left = leave(store, site.keys, token, now, source="page")
    assert left is not None
    return left


def test_look_tells_list_and_language_and_changes_nothing(site: Site, store: Store) -> None:
    anna = join(store, site, language="kk")
    before = dump(store)
    assert look(store, anna.token) == Leaving("bulletin", "kk")
    assert dump(store) == before


def test_look_says_the_same_after_leaving(site: Site, store: Store) -> None:
    anna = join(store, site)
    before = look(store, anna.token)
    leave_by_page(store, site, anna.token)
    assert look(store, anna.token) == before


@pytest.mark.parametrize("token", BROKEN, ids=range(len(BROKEN)))
def test_what_is_no_token_does_nothing(site: Site, store: Store, token: str) -> None:
    join(store, site)
    before = dump(store)
    assert look(store, token) is None
    assert leave(store, site.keys, token, NOW, source="page") is None
    assert undo(store, site.keys, token, NOW) is None
    assert dump(store) == before


def test_leaving_is_written_down_whole(site: Site, store: Store) -> None:
    anna, boris = join(store, site), join(store, site, "boris@example.org")
    left = leave(store, site.keys, anna.token, NOW, source="one-click")
    assert left is not None
    assert (left.list_id, left.language) == ("bulletin", "en")
    assert left.undo not in repr(left)
    assert state_of(store, anna) is SubscriptionState.UNSUBSCRIBED
    assert state_of(store, boris) is SubscriptionState.ACTIVE
    assert actions_of(store, anna)[-1] == ("left", "one-click")
    with store.reading() as tx:
        assert consents.first_broken(tx, "bulletin") is None
        [event] = events.listed(tx, [EventKind.LEFT])
        assert event.address == anna.address
        assert event.at == NOW


def test_a_token_leaves_its_own_list_only(site: Site, store: Store) -> None:
    anna = join(store, site)
    join(store, site, list_id="other")
    leave_by_page(store, site, anna.token)
    assert state_of(store, anna, "other") is SubscriptionState.ACTIVE


def test_leaving_twice_is_leaving_once(site: Site, store: Store) -> None:
    anna = join(store, site)
    leave_by_page(store, site, anna.token)
    before = dump(store)
    again = leave_by_page(store, site, anna.token, NOW + HOUR)
    assert again.undo == ""
    assert dump(store) == before


def test_two_leaves_at_once_are_one(site: Site, store: Store) -> None:
    anna = join(store, site)
    with ThreadPoolExecutor(8) as pool:
        ends = list(pool.map(lambda _: leave_by_page(store, site, anna.token), range(8)))
    assert sum(1 for end in ends if end.undo) == 1
    assert [action for action, _ in actions_of(store, anna)] == ["imported", "left"]
    with store.reading() as tx:
        assert consents.first_broken(tx, "bulletin") is None


def test_many_leave_at_once_on_one_chain(site: Site, store: Store) -> None:
    everybody = [join(store, site, f"person{n}@example.org") for n in range(24)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda person: leave_by_page(store, site, person.token), everybody))
    with store.reading() as tx:
        assert consents.first_broken(tx, "bulletin") is None
        assert people.count(tx, "bulletin") == {SubscriptionState.UNSUBSCRIBED: 24}


@pytest.mark.parametrize("state", [SubscriptionState.ACTIVE, SubscriptionState.PAUSED])
def test_undo_gives_back_what_was(site: Site, store: Store, state: SubscriptionState) -> None:
    anna = join(store, site, state=state)
    left = leave_by_page(store, site, anna.token)
    assert undo(store, site.keys, left.undo, NOW + HOUR) == Leaving("bulletin", "en")
    assert state_of(store, anna) is state
    assert actions_of(store, anna)[-1] == ("returned", "undo")
    with store.reading() as tx:
        assert consents.first_broken(tx, "bulletin") is None
        assert len(events.listed(tx, [EventKind.RETURNED])) == 1


def test_nothing_unconfirmed_comes_back_confirmed(site: Site, store: Store) -> None:
    anna = join(store, site, state=SubscriptionState.PENDING)
    assert leave_by_page(store, site, anna.token).undo == ""
    with store.reading() as tx:
        found = people.subscription_of_token(tx, anna.token)
    assert found is not None
    forged = undo_token(site.keys.undo, found.id, NOW + 24 * HOUR)
    assert undo(store, site.keys, forged, NOW + HOUR) is None
    assert state_of(store, anna) is SubscriptionState.UNSUBSCRIBED


def test_undo_works_to_the_last_second_and_not_beyond(site: Site, store: Store) -> None:
    anna = join(store, site)
    left = leave_by_page(store, site, anna.token)
    late = NOW + 24 * HOUR + timedelta(seconds=1)
    assert undo(store, site.keys, left.undo, late) is None
    assert undo(store, site.keys, left.undo, NOW + timedelta(days=400)) is None
    assert state_of(store, anna) is SubscriptionState.UNSUBSCRIBED
    assert undo(store, site.keys, left.undo, NOW + 24 * HOUR) is not None


def test_undo_works_once(site: Site, store: Store) -> None:
    anna = join(store, site)
    left = leave_by_page(store, site, anna.token)
    with ThreadPoolExecutor(4) as pool:
        ends = list(pool.map(lambda _: undo(store, site.keys, left.undo, NOW + HOUR), range(4)))
    assert sum(1 for end in ends if end) == 1
    assert [action for action, _ in actions_of(store, anna)] == ["imported", "left", "returned"]


def test_an_old_undo_does_not_take_back_a_later_leave(site: Site, store: Store) -> None:
    anna = join(store, site)
    first = leave_by_page(store, site, anna.token)
    undo(store, site.keys, first.undo, NOW + HOUR)
    second = leave_by_page(store, site, anna.token, NOW + 2 * HOUR)
    assert undo(store, site.keys, first.undo, NOW + 3 * HOUR) is None
    assert state_of(store, anna) is SubscriptionState.UNSUBSCRIBED
    assert undo(store, site.keys, second.undo, NOW + 3 * HOUR) is not None


def test_undo_does_not_mail_the_suppressed(site: Site, store: Store) -> None:
    anna = join(store, site)
    left = leave_by_page(store, site, anna.token)
    with store.writing() as tx:
        suppressions.add(tx, anna.address_key, SuppressionReason.COMPLAINED, NOW)
    before = dump(store)
    assert undo(store, site.keys, left.undo, NOW + HOUR) is None
    assert dump(store) == before


def test_undo_of_somebody_erased(site: Site, store: Store) -> None:
    anna = join(store, site)
    left = leave_by_page(store, site, anna.token)
    with store.writing() as tx:
        people.remove(tx, [anna.id])
    assert undo(store, site.keys, left.undo, NOW + HOUR) is None
    assert look(store, anna.token) is None
    assert leave(store, site.keys, anna.token, NOW, source="page") is None


def test_purposes_are_not_confused(site: Site, store: Store) -> None:
    anna, boris = join(store, site), join(store, site, "boris@example.org")
    left = leave_by_page(store, site, anna.token)
    before = dump(store)
    assert undo(store, site.keys, anna.token, NOW) is None
    assert look(store, left.undo) is None
    assert leave(store, site.keys, left.undo, NOW, source="page") is None
    assert undo(store, site.keys, boris.token, NOW) is None
    assert dump(store) == before


def test_old_keys_of_the_ring_still_undo(site: Site, store: Store) -> None:
    anna = join(store, site)
    left = leave_by_page(store, site, anna.token)
    keys: Keys = replace(site.keys, undo=Ring((Key(2, b"new" * 11), *site.keys.undo.keys)))
    assert undo(store, keys, left.undo, NOW + HOUR) is not None
    only_new = replace(site.keys, undo=Ring((Key(2, b"new" * 11),)))
    again = leave(store, only_new, anna.token, NOW + 2 * HOUR, source="page")
    assert again is not None
    assert undo(store, site.keys, again.undo, NOW + 3 * HOUR) is None


def test_a_clock_that_jumps_back_harms_nobody(site: Site, store: Store) -> None:
    anna = join(store, site)
    left = leave_by_page(store, site, anna.token, datetime.now(UTC))
    assert undo(store, site.keys, left.undo, LONG_AGO) is not None
    assert state_of(store, anna) is SubscriptionState.ACTIVE
