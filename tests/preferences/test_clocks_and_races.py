"""Clocks that jump, and two requests at the same moment: nobody gets more by either."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest

from mailout.core.address import Address
from mailout.core.consent import ConsentAction
from mailout.core.site import Site
from mailout.core.subscription import SubscriptionState
from mailout.preferences import leaving, moving, rights, settings
from mailout.preferences.settings import OnList, Settings
from mailout.store import consents, intake, people, roster
from mailout.store.engine import Store
from newcomers import Newcomer, actions_of, dump, join, state_of
from sign_ups import ask, days, mailed, person, requests_kept, token_mailed

NOW = datetime.now(UTC).replace(microsecond=0)
RANDOM = secrets.token_bytes


@pytest.fixture
def anna(site: Site, store: Store) -> Newcomer:
    return join(store, site)


def both(first: Callable[[], object], second: Callable[[], object]) -> list[object]:
    """What the two come to that begin at the same moment."""
    barrier = Barrier(2)

    def begun(do: Callable[[], object]) -> object:
        barrier.wait(30)
        return do()

    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(begun, (first, second)))


def ask_link(site: Site, store: Store, anna: Newcomer, now: datetime = NOW) -> str:
    settings.ask_link(site, store, anna.token, "en", now, RANDOM)
    return token_mailed(store)


def test_a_link_that_is_used_twice_opens_one_session(
    site: Site, store: Store, anna: Newcomer
) -> None:
    token = ask_link(site, store, anna)
    opened = both(*[lambda: settings.open_(site, store, token, NOW)] * 2)
    assert sum(one is not None for one in opened) == 1


def test_a_change_of_address_that_is_confirmed_twice(
    site: Site, store: Store, anna: Newcomer
) -> None:
    new = Address.parse("anna@example.net")
    moving.ask(site, store, person(site, store, anna.address), new, NOW, RANDOM)
    token = token_mailed(store)
    done = both(*[lambda: moving.confirm(site, store, token, NOW)] * 2)
    assert sum(one is not None for one in done) == 1
    assert mailed(store).count("old address") == 1
    assert person(site, store, "anna@example.net").id == anna.id


def test_an_erasure_that_is_asked_for_twice(site: Site, store: Store, anna: Newcomer) -> None:
    found = person(site, store, anna.address)
    assert sorted(both(*[lambda: rights.erase(store, found, NOW)] * 2)) == [False, True]
    with store.reading() as tx:
        actions = [one.action for one in consents.of_subscriber(tx, anna.id)]
        assert actions.count(ConsentAction.ERASED) == 1
        assert consents.first_broken(tx, "bulletin") is None


def test_who_leaves_while_their_settings_are_saved_has_left(
    site: Site, store: Store, anna: Newcomer
) -> None:
    """The form was opened before; it says that they are on the list, which is no wish to join."""
    before = person(site, store, anna.address)
    wanted = Settings("Anna", "de", {"bulletin": OnList("bulletin", on=True)})
    both(
        lambda: leaving.leave(store, site.keys, anna.token, NOW, source="one-click"),
        lambda: settings.save(site, store, before, wanted, NOW, RANDOM),
    )
    assert state_of(store, anna) is SubscriptionState.UNSUBSCRIBED
    assert [action for action, _ in actions_of(store, anna)] == ["imported", "left"]


@pytest.mark.parametrize("what", ["leave", "save", "erase"])
def test_no_reader_and_import_wait_for_each_other(
    site: Site, store: Store, anna: Newcomer, what: str
) -> None:
    """An import appends evidence before it changes people; a reader's request goes the other way."""
    before = person(site, store, anna.address)
    off = Settings(before.name, before.language, {"bulletin": OnList("bulletin", on=False)})
    asks: dict[str, Callable[[], object]] = {
        "leave": lambda: leaving.leave(store, site.keys, anna.token, NOW, source="one-click"),
        "save": lambda: settings.save(site, store, before, off, NOW, RANDOM),
        "erase": lambda: rights.erase(store, before, NOW),
    }
    with ThreadPoolExecutor(1) as beside:
        with store.writing() as tx:
            roster.lock(tx)
            consents.Chain(tx, "bulletin")
            asked = beside.submit(asks[what])
            assert wait([asked], timeout=0.5).not_done
            intake.change_details(tx, [("Anna W.", "de", "", "{}", anna.id)])
            intake.change_choices(tx, "bulletin", {anna.id: ("text", "")})
        assert asked.result(30)
    with store.reading() as tx:
        assert consents.first_broken(tx, "bulletin") is None
        found = people.by_id(tx, anna.id)
    assert found is None if what == "erase" else found is not None and found.name == "Anna W."


def test_what_was_opened_by_a_clock_ahead_is_not_open_for_days(
    site: Site, store: Store, anna: Newcomer
) -> None:
    ahead = settings.begin(site, anna.id, "en", NOW + days(2)).token
    assert settings.reader(site, store, ahead, NOW) is None
    assert settings.reader(site, store, ahead, NOW + days(1)) is None
    astray = settings.begin(site, anna.id, "en", NOW + timedelta(minutes=3)).token
    assert settings.reader(site, store, astray, NOW) is not None


def test_a_mailed_link_outlives_no_jump_ahead_and_opens_once_after_one_back(
    site: Site, store: Store, anna: Newcomer
) -> None:
    token = ask_link(site, store, anna)
    before = dump(store)
    assert settings.open_(site, store, token, NOW + days(400)) is None
    assert dump(store) == before
    assert settings.open_(site, store, token, NOW - days(400)) is not None
    assert settings.open_(site, store, token, NOW) is None


def test_no_jump_of_the_clock_floods_a_mailbox(site: Site, store: Store) -> None:
    for number in range(24):
        jump = (-2, 0, 2, 1)[number % 4]
        ask(site, store, "victim@example.org", NOW + days(jump) + timedelta(minutes=number))
    assert len(mailed(store)) <= 3
    assert requests_kept(store) <= 3
