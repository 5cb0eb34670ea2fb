"""Settings: the link, the session, and that saving writes what was chosen and nothing else."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mailout.core.address import Address
from mailout.core.site import Site
from mailout.core.subscription import SubscriptionState
from mailout.core.suppression import SuppressionReason
from mailout.preferences import moving, rights, settings
from mailout.preferences.settings import OnList, Settings
from mailout.store import consents, events, people, suppressions
from mailout.store.engine import Store
from newcomers import Newcomer, actions_of, dump, join, state_of
from sign_ups import days, letters, mailed, person, requests_kept, token_mailed

NOW = datetime.now(UTC).replace(microsecond=0)
RANDOM = secrets.token_bytes


@pytest.fixture
def anna(site: Site, store: Store) -> Newcomer:
    return join(store, site)


def ask_link(site: Site, store: Store, anna: Newcomer, now: datetime = NOW) -> str | None:
    return settings.ask_link(site, store, anna.token, "en", now, RANDOM)


def saved(site: Site, store: Store, wanted: Settings, now: datetime = NOW) -> None:
    settings.save(site, store, person(site, store, "anna@example.org"), wanted, now, RANDOM)


def now_set(site: Site, store: Store) -> Settings:
    return settings.read(site, person(site, store, "anna@example.org"))


def test_a_leave_token_has_a_link_mailed_to_its_reader(
    site: Site, store: Store, anna: Newcomer
) -> None:
    assert ask_link(site, store, anna) == "bulletin"
    assert letters(store) == [("settings", "anna@example.org", "queued")]
    session = settings.open_(site, store, token_mailed(store), NOW)
    assert session is not None and session.subscriber_id == anna.id
    found = settings.reader(site, store, session.token, NOW + timedelta(minutes=29))
    assert found is not None and found.address == "anna@example.org"
    assert settings.reader(site, store, session.token, NOW + timedelta(minutes=31)) is None


def test_a_link_opens_once_and_for_half_an_hour(site: Site, store: Store, anna: Newcomer) -> None:
    ask_link(site, store, anna)
    token = token_mailed(store)
    assert settings.open_(site, store, token, NOW + timedelta(minutes=30)) is None
    assert settings.open_(site, store, token, NOW) is not None
    assert settings.open_(site, store, token, NOW) is None


def test_no_token_of_another_kind_opens_anything(site: Site, store: Store, anna: Newcomer) -> None:
    assert settings.open_(site, store, anna.token, NOW) is None
    assert settings.reader(site, store, anna.token, NOW) is None
    ask_link(site, store, anna)
    token = token_mailed(store)
    assert settings.reader(site, store, token, NOW) is None
    assert settings.ask_link(site, store, token, "en", NOW, RANDOM) is None
    session = settings.begin(site, anna.id, "en", NOW).token
    for number in range(len(session)):
        for other in "Aw_":
            broken = session[:number] + other + session[number + 1 :]
            if broken != session:
                assert settings.reader(site, store, broken, NOW) is None


def test_three_links_a_day(site: Site, store: Store, anna: Newcomer) -> None:
    for minute in range(50):
        ask_link(site, store, anna, NOW + timedelta(minutes=minute))
        address = Address.parse("an.na+x@example.org")  # another spelling, nobody's address
        settings.ask_link_for(site, store, address, "en", NOW, RANDOM)
    assert mailed(store) == ["settings"] * 3
    assert requests_kept(store) == 3


def test_typing_an_address_that_is_nobodys_mails_nothing(site: Site, store: Store) -> None:
    settings.ask_link_for(site, store, Address.parse("ben@example.org"), "en", NOW, RANDOM)
    assert letters(store) == [("settings", "", "skipped")]
    assert requests_kept(store) == 0


def test_saving_what_is_there_writes_nothing(site: Site, store: Store, anna: Newcomer) -> None:
    before = dump(store)
    saved(site, store, now_set(site, store))
    assert dump(store) == before


def test_everything_at_once(site: Site, store: Store, anna: Newcomer) -> None:
    until = NOW + days(30)
    chosen = OnList("bulletin", True, "low-data", "weekly", frozenset({"unions", "journalists"}))
    wanted = Settings("Anna B", "ru", {"bulletin": chosen}, True, until)
    saved(site, store, wanted)
    assert now_set(site, store) == wanted
    assert state_of(store, anna) is SubscriptionState.PAUSED
    saved(site, store, replace(wanted, paused=False, paused_until=None))
    assert state_of(store, anna) is SubscriptionState.ACTIVE
    assert now_set(site, store).paused_until is None


def test_tags_that_are_no_choice_stay(site: Site, store: Store, anna: Newcomer) -> None:
    with store.writing() as tx:
        people.change_tags(tx, anna.id, add=["unions", "donor"])
    held = now_set(site, store)
    nothing = replace(held.lists["bulletin"], chosen=frozenset())
    saved(site, store, replace(held, lists={"bulletin": nothing}))
    assert person(site, store, "anna@example.org").tags == ("donor",)


def test_leaving_and_joining_leave_their_evidence(site: Site, store: Store, anna: Newcomer) -> None:
    held = now_set(site, store)
    saved(site, store, replace(held, lists={"bulletin": OnList("bulletin")}))
    assert state_of(store, anna) is SubscriptionState.UNSUBSCRIBED
    saved(site, store, replace(held, lists={"bulletin": OnList("bulletin", on=True)}))
    assert state_of(store, anna) is SubscriptionState.ACTIVE
    assert actions_of(store, anna)[1:] == [
        ("left", "settings"), ("joined", "settings"), ("confirmed", "settings"),
    ]  # fmt: skip
    with store.reading() as tx:
        assert consents.first_broken(tx, "bulletin") is None
        assert [e.kind for e in events.listed(tx, ["left"], subscriber_id=anna.id)] == ["left"]  # type: ignore[list-item]


def test_no_list_that_is_not_theirs_and_not_open(site: Site, store: Store, anna: Newcomer) -> None:
    inner = replace(
        site.lists["bulletin"],
        id="inner",
        settings=replace(site.lists["bulletin"].settings, join=False),
    )
    site = replace(site, lists={**site.lists, "inner": inner})
    held = now_set(site, store)
    assert "inner" not in held.lists
    saved(site, store, replace(held, lists={"inner": OnList("inner", on=True)}))
    assert [one.list_id for one in person(site, store, "anna@example.org").memberships] == [
        "bulletin"
    ]


def test_who_is_suppressed_by_hand_cannot_put_themselves_back(
    site: Site, store: Store, anna: Newcomer
) -> None:
    held = now_set(site, store)
    saved(site, store, replace(held, lists={"bulletin": OnList("bulletin")}))
    with store.writing() as tx:
        suppressions.add(tx, anna.address_key, SuppressionReason.BY_HAND, NOW)
    saved(site, store, held)
    assert state_of(store, anna) is SubscriptionState.UNSUBSCRIBED


def change(site: Site, store: Store, address: str, now: datetime = NOW) -> None:
    anna = person(site, store, "anna@example.org")
    moving.ask(site, store, anna, Address.parse(address), now, RANDOM)


def test_an_address_changes_when_the_new_one_says_so(
    site: Site, store: Store, anna: Newcomer
) -> None:
    change(site, store, "Anna@Example.net")
    assert letters(store) == [("new address", "Anna@Example.net", "queued")]
    assert person(site, store, "anna@example.org") is not None
    assert moving.confirm(site, store, token_mailed(store), NOW) == "en"
    moved = person(site, store, "anna@example.net")
    assert (moved.id, moved.address) == (anna.id, "Anna@Example.net")
    assert person(site, store, "anna@example.org") is None
    assert letters(store)[1:] == [("old address", "anna@example.org", "queued")]
    assert actions_of(store, anna)[-1] == ("confirmed", "change of address")


def test_links_mailed_to_the_old_address_open_nothing_then(
    site: Site, store: Store, anna: Newcomer
) -> None:
    ask_link(site, store, anna)
    old_link = token_mailed(store)
    change(site, store, "anna@example.net")
    moving.confirm(site, store, token_mailed(store), NOW)
    assert settings.open_(site, store, old_link, NOW) is None


def test_an_address_that_is_somebodys_is_told_so_and_not_taken(
    site: Site, store: Store, anna: Newcomer
) -> None:
    ben = join(store, site, "ben@example.org")
    change(site, store, "ben@example.org")
    assert letters(store) == [("known", "ben@example.org", "queued")]
    assert requests_kept(store) == 0
    change(site, store, "cem@example.org")
    token = token_mailed(store)
    join(store, site, "cem@example.org")
    assert moving.confirm(site, store, token, NOW) is None
    assert state_of(store, ben) is SubscriptionState.ACTIVE


def test_a_copy_names_all_and_erasure_leaves_a_hash(
    site: Site, store: Store, anna: Newcomer
) -> None:
    ask_link(site, store, anna)
    change(site, store, "anna@example.net")
    found = person(site, store, "anna@example.org")
    copy = rights.export(store, found, NOW)
    assert copy["person"]["address"] == "anna@example.org"  # type: ignore[index]
    assert copy["consents"][0]["wording"] == "on paper"  # type: ignore[index]
    assert rights.erase(store, found, NOW) and not rights.erase(store, found, NOW)
    everything = repr(dump(store))
    assert "anna@example" not in everything
    assert dump(store)["suppression"][0][1] == anna.address_key
    assert letters(store) == [] and requests_kept(store) == 0
    with store.reading() as tx:
        assert consents.first_broken(tx, "bulletin") is None
