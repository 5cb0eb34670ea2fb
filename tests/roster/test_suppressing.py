"""Suppressions by hand: addresses and domains, on one list or on all, and who may lift them."""

from __future__ import annotations

import secrets

import pytest
from sqlalchemy import text

from command_line import CommandLine
from mailout.core.address import Address
from mailout.core.errors import MailoutError, UsageError
from mailout.core.issue import Variant
from mailout.core.segment import Everyone
from mailout.core.site import Site
from mailout.core.suppression import SuppressionReason, why_not_lifted
from mailout.preferences import joining
from mailout.preferences.joining import SignUp
from mailout.roster import segments, suppressing
from mailout.store import audiences, claims, dispatches, issues, letters, suppressions
from mailout.store.engine import Store
from roster_tools import NOW, Import

ANNA, BORIS = "anna@works.example.org", "boris@example.org"


def key(site: Site, address: str) -> str:
    return Address.parse(address).key(site.keys.address)


def audience(site: Site, store: Store, list_id: str = "bulletin") -> audiences.Audience:
    chosen = audiences.Choice(0, list_id, Everyone(), None, segments.find(site, list_id))
    with store.reading() as tx:
        return audiences.audience(tx, chosen, NOW)


def test_a_domain_is_left_out_of_audiences(site: Site, store: Store, take: Import) -> None:
    take(f"email\n{ANNA}\n{BORIS}\nc@sub.works.example.org\n")
    assert suppressing.add(site, store, "@Works.Example.org", NOW, why="the boss reads along")
    assert not suppressing.add(site, store, "works.example.org", NOW)
    found = audience(site, store)
    assert (found.total, dict(found.left_out)) == (2, {"suppressed": 1})
    suppressing.lift(site, store, "works.example.org", NOW)
    assert audience(site, store).total == 3


def test_a_suppression_of_one_list_leaves_the_others(
    site: Site, store: Store, take: Import
) -> None:
    site.lists["press"] = site.lists["bulletin"]  # type: ignore[index]
    take(f"email\n{ANNA}\n{BORIS}\n")
    suppressing.add(site, store, "works.example.org", NOW, list_id="press")
    suppressing.add(site, store, BORIS, NOW, list_id="press")
    assert audience(site, store).total == 2
    with store.reading() as tx:
        keys = [key(site, ANNA), key(site, BORIS)]
        by_hand = dict.fromkeys(keys, SuppressionReason.BY_HAND)
        assert suppressions.among(tx, keys, "press") == by_hand
        assert suppressions.among(tx, keys, "bulletin") == {}
    for what in (BORIS, "works.example.org"):
        with pytest.raises(MailoutError, match="not suppressed on all lists") as caught:
            suppressing.lift(site, store, what, NOW)
        assert "say `--list press`" in caught.value.fix


def test_a_domain_in_another_script_is_one(site: Site, store: Store, take: Import) -> None:
    take("email\nинфо@письмо.рф\n")
    suppressing.add(site, store, "ПИСЬМО.рф", NOW)
    assert audience(site, store).total == 0
    with pytest.raises(MailoutError, match="Its domain is"):
        suppressing.lift(site, store, "инфо@ПИСЬМО.рф", NOW)


@pytest.mark.parametrize("word", ["no domain", "a@b@c", "", "anna@", "-x"])
def test_what_is_neither_is_refused(site: Site, store: Store, word: str) -> None:
    with pytest.raises(UsageError):
        suppressing.add(site, store, word, NOW)


def test_the_words_may_not_name_the_address(site: Site, store: Store) -> None:
    with pytest.raises(UsageError, match="name the address"):
        suppressing.add(site, store, ANNA, NOW, why=f"{ANNA} wrote to us")


@pytest.mark.parametrize("reason", list(SuppressionReason))
def test_who_may_lift_what(site: Site, store: Store, reason: SuppressionReason) -> None:
    with store.writing() as tx:
        suppressions.add(tx, key(site, ANNA), reason, NOW)
    if not why_not_lifted(reason):
        suppressing.lift(site, store, ANNA, NOW)
    else:
        with pytest.raises(MailoutError, match="cannot be lifted"):
            suppressing.lift(site, store, ANNA, NOW)
    with store.reading() as tx:
        assert bool(suppressions.among(tx, [key(site, ANNA)], "")) is bool(why_not_lifted(reason))
    assert {one for one in SuppressionReason if why_not_lifted(one)} == {
        SuppressionReason.COMPLAINED, SuppressionReason.ERASED, SuppressionReason.MERGED
    }  # fmt: skip


def test_nobody_in_a_suppressed_domain_is_written_to(site: Site, store: Store) -> None:
    suppressing.add(site, store, "works.example.org", NOW)
    for address in (ANNA, BORIS):
        asked = SignUp(Address.parse(address), "bulletin", "en", "I want it")
        joining.ask(site, store, asked, NOW, secrets.token_bytes)
    with store.reading() as tx:
        due = letters.due(tx, NOW, 10)
    assert [one.address for one in due] == [BORIS]


def test_a_confirmation_of_before_is_none_any_more(site: Site, store: Store) -> None:
    asked = SignUp(Address.parse(ANNA), "bulletin", "en", "I want it")
    joining.ask(site, store, asked, NOW, secrets.token_bytes)
    with store.reading() as tx:
        [letter] = letters.due(tx, NOW, 10)
    suppressing.add(site, store, "works.example.org", NOW)
    assert joining.confirm(site, store, letter.said["token"], NOW, secrets.token_bytes) is None


def test_the_commands(shell: CommandLine, take: Import) -> None:
    take(f"email\n{ANNA}\n{BORIS}\n")
    shell("suppressions", "add", BORIS, "works.example.org", "nobody@example.org", "--why", "asked")
    listed = shell("suppressions", "list").out
    assert "@works.example.org" in listed and BORIS in listed
    assert "(key " in listed and "nobody" not in listed
    shell("suppressions", "lift", BORIS)
    shell("suppressions", "lift", BORIS, code=1)
    shell("suppressions", "add", BORIS, "x y", code=2)
    assert BORIS not in shell("suppressions", "list", "--list", "all", "--json").out


def test_a_claim_skips_who_is_in_a_domain_suppressed_since(
    site: Site, store: Store, take: Import
) -> None:
    take(f"email\n{ANNA}\n{BORIS}\n")
    with store.writing() as tx:
        variant = Variant("en", "Strike", "<p>x</p>", "x")
        issue = issues.save_compiled(tx, "w48", "bulletin", ["post"], (variant,), NOW)
        find = segments.find(site, "bulletin")
        chosen = audiences.Choice(issue.id, "bulletin", Everyone(), None, find)
        order = dispatches.make(tx, chosen, segment="x", exclude="", now=NOW)
        dispatches.begin(tx, order.id, NOW)
        audiences.fill(
            tx, order.id, chosen, left_out={}, language_of={}, default_language="en",
            built={"full"}, now=NOW,
        )  # fmt: skip
    suppressing.add(site, store, "works.example.org", NOW)
    writer = store.writer()
    with writer.writing() as plain:
        due, _ = claims.due(plain, order.id, NOW, 10)
    writer.close()
    assert [one.address for one in due] == [BORIS]
    with store.reading() as tx:
        [why] = tx.scalars(text("SELECT reason FROM delivery WHERE state = 'skipped'"))
    assert why == "suppressed"
