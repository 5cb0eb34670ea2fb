"""Joining: who gets which letter, what confirming does, and that nobody is flooded or fooled."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from mailout.core.site import Site
from mailout.core.subscription import SubscriptionState
from mailout.core.suppression import SuppressionReason
from mailout.preferences import joining
from mailout.preferences.joining import Joined
from mailout.store import consents, erasure, members, requests, suppressions
from mailout.store.engine import Store
from newcomers import actions_of, dump, join, state_of
from sign_ups import (
    WORDING,
    ask,
    days,
    letters,
    mailed,
    person,
    requests_kept,
    signing_up,
    token_mailed,
)

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
ACTIVE = SubscriptionState.ACTIVE


def confirm(site: Site, store: Store, token: str, now: datetime = NOW) -> Joined | None:
    return joining.confirm(site, store, token, now, secrets.token_bytes)


def test_asking_puts_nobody_on_the_list(site: Site, store: Store) -> None:
    ask(site, store, "Anna@Example.org", NOW)
    assert letters(store) == [("confirm", "Anna@Example.org", "queued")]
    assert person(site, store, "anna@example.org") is None


def test_confirming_does_with_the_evidence(site: Site, store: Store) -> None:
    ask(site, store, "Anna@Example.org", NOW, name="Anna", segments=("unions",))
    joined = confirm(site, store, token_mailed(store), NOW + days(6.9))
    anna = person(site, store, "anna@example.org")
    assert joined is not None and joined.subscriber_id == anna.id
    assert (anna.address, anna.name, anna.language) == ("Anna@Example.org", "Anna", "en")
    assert anna.tags == ("unions",)
    assert [(one.list_id, one.state) for one in anna.memberships] == [("bulletin", ACTIVE)]
    with store.reading() as tx:
        first, second = consents.of_subscriber(tx, anna.id)
        assert consents.first_broken(tx, "bulletin") is None
    assert (str(first.action), first.at, first.source) == ("joined", NOW, "page")
    assert (str(second.action), second.at) == ("confirmed", NOW + days(6.9))
    assert first.wording == second.wording == WORDING
    assert mailed(store) == ["confirm", "welcome"]
    assert requests_kept(store) == 0


def test_a_link_is_good_once_and_for_a_week(site: Site, store: Store) -> None:
    ask(site, store, "anna@example.org", NOW)
    token = token_mailed(store)
    assert confirm(site, store, token, NOW + days(7)) is None
    assert confirm(site, store, token, NOW - days(400)) is not None  # a clock that jumped back
    before = dump(store)
    assert confirm(site, store, token) is None
    assert dump(store) == before


def test_too_old_a_request_is_deleted(site: Site, store: Store) -> None:
    ask(site, store, "anna@example.org", NOW)
    with store.writing() as tx:
        assert requests.purge(tx, NOW + days(6.9)) == 0
        assert requests.purge(tx, NOW + days(7.1)) == 1
    assert requests_kept(store) == 0


def test_who_is_on_the_list_is_told_so(site: Site, store: Store) -> None:
    join(store, site)
    ask(site, store, "ANNA@example.org", NOW)
    assert letters(store) == [("known", "ANNA@example.org", "queued")]
    assert requests_kept(store) == 0


def test_nobody_can_end_a_link_that_was_mailed_by_asking_again(site: Site, store: Store) -> None:
    ask(site, store, "anna@example.org", NOW)
    token = token_mailed(store)
    ask(site, store, "anna@example.org", NOW + timedelta(minutes=1))
    assert mailed(store) == ["confirm"]
    assert confirm(site, store, token) is not None


def test_what_an_organiser_has_suppressed_stays_so(site: Site, store: Store) -> None:
    anna = join(store, site)
    with store.writing() as tx:
        suppressions.add(tx, anna.address_key, SuppressionReason.BY_HAND, NOW)
    ask(site, store, "anna@example.org", NOW)
    assert letters(store) == [("confirm", "", "skipped")]
    assert requests_kept(store) == 0


def test_a_suppression_by_hand_after_the_letter_counts_too(site: Site, store: Store) -> None:
    ask(site, store, "anna@example.org", NOW)
    key = signing_up("anna@example.org").address.key(site.keys.address)
    with store.writing() as tx:
        suppressions.add(tx, key, SuppressionReason.BY_HAND, NOW)
    assert confirm(site, store, token_mailed(store)) is None
    assert person(site, store, "anna@example.org") is None


@pytest.mark.parametrize("reason", ["dead", "complained", "erased"])
def test_their_own_sign_up_brings_people_back(site: Site, store: Store, reason: str) -> None:
    anna = join(store, site)
    with store.writing() as tx:
        if reason == "erased":
            erasure.forget(tx, anna.id, anna.address_key, NOW)
        else:
            suppressions.add(tx, anna.address_key, SuppressionReason(reason), NOW)
            members.change(tx, anna.id, bounce_paused_at=NOW)
    ask(site, store, "anna@example.org", NOW)
    assert confirm(site, store, token_mailed(store)) is not None
    back = person(site, store, "anna@example.org")
    assert back.memberships[0].state is ACTIVE and back.bounce_paused_at is None
    with store.reading() as tx:
        assert members.reasons(tx, anna.address_key, "bulletin") == set()


@pytest.mark.parametrize("state", list(SubscriptionState))
def test_every_state_becomes_active_and_keeps_its_leave_token(
    site: Site, store: Store, state: SubscriptionState
) -> None:
    anna = join(store, site, state=state)
    with store.writing() as tx:
        key = anna.address_key
        requests.add(tx, joining._request(signing_up("anna@example.org"), key, NOW), "t" * 22)
    assert confirm(site, store, "t" * 22) is not None
    assert state_of(store, anna) is ACTIVE
    with store.reading() as tx:
        held = members.place(tx, anna.id, "bulletin")
    assert held is not None and held.token == anna.token  # links in old mails go on working
    assert [action for action, _ in actions_of(store, anna)] == ["imported", "joined", "confirmed"]


def test_five_hundred_asks_are_three_letters_at_most(site: Site, store: Store) -> None:
    spellings = ("vic.tim@example.org", "VICTIM@example.org", "v.i.c.t.i.m+{}@EXAMPLE.org")
    for number in range(500):
        address = spellings[number % 3].format(number)
        ask(site, store, address, NOW + timedelta(hours=number))
    assert len(mailed(store)) == 3
    assert requests_kept(store) <= 3
    ask(site, store, "victim@example.org", NOW + days(2 + 30.1))
    assert len(mailed(store)) == 4


def test_two_who_press_the_button_at_once(site: Site, store: Store) -> None:
    ask(site, store, "anna@example.org", NOW)
    token = token_mailed(store)
    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(lambda _: confirm(site, store, token), range(2)))
    assert sorted(one is None for one in found) == [False, True]
    anna = person(site, store, "anna@example.org")
    assert len(anna.memberships) == 1
    with store.reading() as tx:
        assert len(consents.of_subscriber(tx, anna.id)) == 2


def test_the_words_of_the_list_or_ours(site: Site) -> None:
    bulletin = site.lists["bulletin"]
    assert "Solidarity Bulletin" in joining.wording_of(bulletin, "en")
    assert joining.wording_of(bulletin, "ru") != joining.wording_of(bulletin, "en")
