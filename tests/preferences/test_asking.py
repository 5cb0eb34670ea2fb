"""Asking people who are pending: whom, how often, and what their yes does."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

import pytest

from mailout.core.site import Site
from mailout.core.subscription import SubscriptionState
from mailout.core.suppression import SuppressionReason
from mailout.preferences import asking, joining
from mailout.preferences.asking import Chosen
from mailout.store import consents, suppressions
from mailout.store.engine import Store
from newcomers import dump, join, state_of
from sign_ups import ask as sign_up
from sign_ups import days, letters, person, token_mailed

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
PENDING, ACTIVE = SubscriptionState.PENDING, SubscriptionState.ACTIVE


def choose(site: Site, store: Store, now: datetime = NOW, most: int = 500) -> Chosen:
    return asking.choose(site, store, site.lists["bulletin"], now, most)


def ask(site: Site, store: Store, chosen: Chosen, now: datetime = NOW) -> int:
    return asking.ask(site, store, site.lists["bulletin"], chosen, now, secrets.token_bytes)


def test_who_is_pending_is_asked_and_confirms(site: Site, store: Store) -> None:
    anna = join(store, site, language="ru", state=PENDING)
    join(store, site, "ben@example.org")
    before = dump(store)
    chosen = choose(site, store)
    assert dump(store) == before
    assert ask(site, store, chosen) == 1
    assert letters(store) == [("confirm", "anna@example.org", "queued")]
    assert state_of(store, anna) is PENDING
    token = token_mailed(store)
    assert joining.confirm(site, store, token, NOW + days(6.9), secrets.token_bytes) is not None
    assert state_of(store, anna) is ACTIVE
    found = person(site, store, "anna@example.org")
    assert (found.name, found.language) == ("Anna", "ru")
    with store.reading() as tx:
        last = consents.of_subscriber(tx, anna.id)[-2:]
        assert consents.first_broken(tx, "bulletin") is None
    assert [str(one.action) for one in last] == ["joined", "confirmed"]
    assert last[0].source == "asked while pending" and "Solidarity Bulletin" in last[0].wording


def test_once_and_then_silence(site: Site, store: Store) -> None:
    join(store, site, state=PENDING)
    ask(site, store, choose(site, store))
    for later in (0, 1, 8, 36.9):
        again = choose(site, store, NOW + days(later))
        assert again.people == [] and again.left_out == {"asked already": 1}


def test_these_letters_count_with_those_of_sign_ups(site: Site, store: Store) -> None:
    join(store, site, state=PENDING)
    sign_up(site, store, "an.na+x@example.org", NOW - days(2))
    assert choose(site, store).left_out == {"asked already": 1}
    join(store, site, "ben@example.org", state=PENDING)
    ask(site, store, choose(site, store))
    sign_up(site, store, "ben@example.org", NOW)
    assert [state for _, _, state in letters(store)].count("queued") == 2


def test_two_ways_of_writing_one_mailbox_are_asked_once(site: Site, store: Store) -> None:
    for address in ("anna@example.org", "an.na+news@example.org"):
        join(store, site, address, state=PENDING)
    chosen = choose(site, store)
    assert len(chosen.people) == 1 and chosen.left_out == {"asked already": 1}


@pytest.mark.parametrize("reason", list(SuppressionReason))
def test_nobody_who_is_suppressed_is_asked(
    site: Site, store: Store, reason: SuppressionReason
) -> None:
    anna = join(store, site, state=PENDING)
    chosen = choose(site, store)
    with store.writing() as tx:
        suppressions.add(tx, anna.address_key, reason, NOW)
    assert choose(site, store).left_out == {"suppressed": 1}
    assert ask(site, store, chosen) == 0 and letters(store) == []  # suppressed meanwhile


@pytest.mark.parametrize(
    "state", [ACTIVE, SubscriptionState.PAUSED, SubscriptionState.UNSUBSCRIBED]
)
def test_nobody_who_is_not_pending_is_asked(
    site: Site, store: Store, state: SubscriptionState
) -> None:
    join(store, site, state=state)
    chosen = choose(site, store)
    assert chosen == Chosen()


def test_some_now_and_the_rest_later(site: Site, store: Store) -> None:
    for number in range(5):
        join(store, site, f"reader{number}@example.org", state=PENDING)
    first = choose(site, store, most=3)
    assert (len(first.people), first.more) == (3, 2)
    assert ask(site, store, first) == 3
    second = choose(site, store, most=3)
    assert (len(second.people), second.more, second.left_out) == (2, 0, {"asked already": 3})
