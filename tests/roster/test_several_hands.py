"""Several organisers and readers at the same people in one moment: nothing is lost, and nobody is
shown what a database says of it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta

import pytest
from sqlalchemy import insert, text

from mailout.core.errors import MailoutError, TryLater
from mailout.core.request import RequestPurpose
from mailout.core.signatory import Signatory
from mailout.core.site import Site
from mailout.core.suppression import SuppressionReason
from mailout.preferences import joining, leaving, settings
from mailout.preferences.settings import OnList, Settings
from mailout.roster import editing, people, signatories, suppressing
from mailout.roster.editing import Change
from mailout.store import erasure, requests, suppressions
from mailout.store import people as stored
from mailout.store import roster as bulk
from mailout.store.engine import Store, Tx
from mailout.store.requests import Request
from mailout.store.roster_tables import NOTE
from roster_tools import NOW, Import

ANNA = "anna@example.org"
LATER = NOW + timedelta(days=1)
Act = Callable[[], object]


@pytest.fixture
def anna(site: Site, store: Store, take: Import) -> int:
    take(f"email,name,tags\n{ANNA},Anna,guests\n")
    with store.reading() as tx:
        return people.found(tx, site, ANNA).id


def acts(site: Site, store: Store) -> dict[str, Act]:
    """What an organiser does to a person, by the command's name."""
    signatory = Signatory("Anna", agreed="said so on the phone")
    return {
        "tag": lambda: people.tag(site, store, ANNA, ["unions"], []),
        "edit": lambda: editing.edit(site, store, ANNA, Change(name="Anna W.")),
        "note": lambda: editing.note(site, store, ANNA, "speaks in May", LATER),
        "sign": lambda: signatories.add(site, store, ANNA, signatory),
    }


WHAT = ["tag", "edit", "note", "sign"]


def while_another(store: Store, first: Callable[[Tx], None], act: Act) -> Callable[[], object]:
    """What `act` comes to that begins while a transaction that has done `first` is under way."""
    with ThreadPoolExecutor(1) as beside:
        with store.writing() as tx:
            first(tx)
            doing = beside.submit(act)
            assert wait([doing], timeout=0.5).not_done
        wait([doing], timeout=30)
    return doing.result


@pytest.mark.parametrize("what", WHAT)
def test_who_is_erased_in_that_moment_is_nobody(
    site: Site, store: Store, anna: int, what: str
) -> None:
    def erase(tx: Tx) -> None:
        stored.await_deliveries(tx)
        bulk.let_pass(tx)
        person = stored.by_id(tx, anna, hold=True)
        assert person is not None
        erasure.erase(tx, person, LATER, "settings")

    end = while_another(store, erase, acts(site, store)[what])
    with pytest.raises(MailoutError, match="there is nobody with this address"):
        end()


@pytest.mark.parametrize("what", WHAT)
def test_an_import_and_an_organiser_do_not_wait_for_each_other(
    site: Site, store: Store, anna: int, what: str
) -> None:
    """What is done by hand begins when the import lets it, and holds nothing before that."""

    with ThreadPoolExecutor(1) as beside:
        with store.writing() as tx:
            bulk.lock(tx)
            doing = beside.submit(acts(site, store)[what])
            assert wait([doing], timeout=0.5).not_done
            tx.execute(text("UPDATE subscriber SET country = 'DE'"))
            stored.change_tags(tx, anna, add=["unions"])
        doing.result(30)
    with store.reading() as tx:
        assert people.found(tx, site, ANNA).country == "DE"


def test_two_edits_of_different_fields_both_stay(site: Site, store: Store, anna: int) -> None:
    def edit(tx: Tx) -> None:
        people.found(tx, site, ANNA, hold=True)
        tx.execute(text("UPDATE subscriber SET country = 'DE', fields = '{\"a\": 1}'"))

    end = while_another(store, edit, acts(site, store)["sign"])
    end()
    with store.reading() as tx:
        person = people.found(tx, site, ANNA)
        assert person.country == "DE" and {"a", "signatory"} <= set(person.fields)


@pytest.mark.parametrize("typed", [ANNA, "example.org"])
def test_what_two_suppress_at_once_is_suppressed(site: Site, store: Store, typed: str) -> None:
    asked = suppressing.meant(site, typed)

    def suppress(tx: Tx) -> None:
        if asked.domain:
            suppressions.add_domain(tx, asked.domain, NOW, evidence="first")
        else:
            suppressions.add(tx, asked.key, SuppressionReason.DEAD, NOW, evidence="first")

    while_another(store, suppress, lambda: suppressing.add(site, store, typed, LATER))()
    domains, keys = suppressing.listed(site, store)
    assert [one.evidence for one in (*domains, *keys)] == ["first"]


def test_settings_saved_by_somebody_erased_in_that_moment(
    site: Site, store: Store, anna: int
) -> None:
    with store.reading() as tx:
        before = people.found(tx, site, ANNA)
    wanted = Settings(
        "Anna", "de", {"bulletin": OnList("bulletin", on=True, chosen=frozenset({"unions"}))}
    )

    def erase(tx: Tx) -> None:
        stored.await_deliveries(tx)
        bulk.let_pass(tx)
        erasure.erase(tx, before, LATER, "settings")

    def save() -> object:
        return settings.save(site, store, before, wanted, LATER, secrets.token_bytes)

    while_another(store, erase, save)()
    with store.reading() as tx:
        for table in ("subscriber", "subscription", "subscriber_tag"):
            assert tx.scalar(text(f"SELECT count(*) FROM {table}")) == 0  # noqa: S608 - ours


def test_a_confirmation_and_an_erasure_do_not_wait_for_each_other(
    site: Site, store: Store, anna: int
) -> None:
    """Both take the person and what was asked for, and in the same order."""
    token = "t" * 22
    key = people.key_of(site, ANNA)
    said = {"address": ANNA, "name": "", "segments": [], "wording": "I want it", "source": "page"}
    request = Request(
        purpose=RequestPurpose.JOIN, address_key=key, list_id="bulletin", language="en",
        said=said, created_at=NOW,
    )  # fmt: skip
    with store.writing() as tx:
        requests.add(tx, request, token)

    with ThreadPoolExecutor(1) as beside:
        with store.writing() as tx:
            stored.await_deliveries(tx)
            bulk.let_pass(tx)
            assert stored.by_id(tx, anna, hold=True) is not None
            doing = beside.submit(
                lambda: joining.confirm(site, store, token, NOW, secrets.token_bytes)
            )
            assert wait([doing], timeout=0.5).not_done
            requests.forget(tx, key)
        assert doing.result(30) is None


def test_a_leave_and_saved_settings_hold_the_person_first(
    site: Site, store: Store, anna: int
) -> None:
    """The settings hold the person and then the place on the list."""
    with store.reading() as tx:
        token = str(tx.scalar(text("SELECT token FROM subscription")))

    def leave() -> object:
        return leaving.leave(store, site.keys, token, NOW, source="one-click")

    with ThreadPoolExecutor(1) as beside:
        with store.writing() as tx:
            stored.by_id(tx, anna, hold=True)
            doing = beside.submit(leave)
            assert wait([doing], timeout=0.5).not_done
            stored.set_edition(tx, anna, "bulletin", "text")
        assert doing.result(30)


def test_what_others_have_overtaken_is_to_be_tried_again(store: Store, anna: int) -> None:
    """Only on PostgreSQL can they: between a look and a write."""
    if not store.is_sqlite:
        nobody = insert(NOTE).values(subscriber_id=anna + 1, text="", at=NOW)
        with pytest.raises(TryLater, match="changed the same people"), store.writing() as tx:
            tx.execute(nobody)
