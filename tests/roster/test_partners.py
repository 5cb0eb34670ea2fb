"""Sharing suppressions: two sites, one secret, and no address in between."""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from command_line import CommandLine
from mailout.config import keys
from mailout.config.site import read_site
from mailout.core import partnership
from mailout.core.address import Address
from mailout.core.errors import BadFile, MailoutError
from mailout.core.site import Site
from mailout.core.suppression import SuppressionReason
from mailout.preferences import joining
from mailout.preferences.joining import SignUp
from mailout.roster import partners, people, suppressing
from mailout.store import letters, members, suppressions
from mailout.store import partners as stored
from mailout.store.engine import Store, Tx
from roster_tools import NOW, Import, import_into

ANNA, BORIS, CLARA = "Anna@Example.org", "boris@example.org", "clara@example.org"
SECRET = b"s" * 32


@pytest.fixture
def shared(site: Site) -> Site:
    return replace(site, keys=replace(site.keys, partners={"riverside": SECRET}))


def key(site: Site, address: str) -> str:
    return Address.parse(address).key(site.keys.address)


def hold(site: Site, store: Store, address: str, reason: SuppressionReason) -> None:
    with store.writing() as tx:
        suppressions.add(tx, key(site, address), reason, NOW, evidence=f"{address} said so")


def written(*addresses: str) -> list[str]:
    hashes = [partnership.hash_of(Address.parse(one), SECRET) for one in addresses]
    return list(partnership.written(hashes, SECRET))


def held(site: Site, store: Store, *addresses: str) -> set[str]:
    with store.reading() as tx:
        by_key = suppressions.among(tx, [key(site, one) for one in addresses], "bulletin")
    return {one for one in addresses if key(site, one) in by_key}


@pytest.fixture
def other(sqlite_store: Callable[[], Store]) -> Iterator[Store]:
    opened = sqlite_store()
    yield opened
    opened.close()


def test_from_one_site_to_another(shared: Site, store: Store, take: Import, other: Store) -> None:
    take(f"email\n{ANNA}\n{BORIS}\n{CLARA}\n")
    hold(shared, store, ANNA, SuppressionReason.COMPLAINED)
    hold(shared, store, BORIS, SuppressionReason.DEAD)
    hold(shared, store, "nobody@example.org", SuppressionReason.BY_HAND)
    suppressing.add(shared, store, CLARA, NOW, list_id="bulletin")
    made = partners.export(shared, store, "riverside")
    lines = list(made.lines)
    assert (made.hashes, made.unknown, made.erased) == (2, 1, 0)
    assert "@" not in "".join(lines) and "complained" not in "".join(lines)
    there = replace(shared, keys=replace(shared.keys, address=b"another" * 4))
    import_into(there, other, f"email\n{ANNA.lower()}\n{CLARA}\n")
    came = partners.take_in(there, other, "riverside", lines, "x.txt", NOW)
    assert (came.new, came.suppressed) == (2, 1)
    assert held(there, other, ANNA, CLARA) == {ANNA}
    again = partners.take_in(there, other, "riverside", lines, "x.txt", NOW)
    assert (again.new, again.suppressed) == (0, 0)
    # What a partner told us goes no further.
    assert partners.export(there, other, "riverside").hashes == 0


def test_erased_people_are_in_no_file(shared: Site, store: Store, take: Import) -> None:
    take(f"email\n{ANNA}\n")
    people.erase(shared, store, ANNA, NOW)
    made = partners.export(shared, store, "riverside")
    assert (made.hashes, made.erased) == (0, 1)


def test_who_comes_later_is_held_against_the_hashes(
    shared: Site, store: Store, take: Import
) -> None:
    partners.take_in(shared, store, "riverside", written(BORIS), "x.txt", NOW)
    take(f"email\n{ANNA}\n{BORIS}\n")
    assert held(shared, store, ANNA, BORIS) == set()
    with store.writing() as tx:
        assert stored.catch_up(tx, shared.keys.partners, NOW) == 1
        assert stored.catch_up(tx, shared.keys.partners, NOW) == 0
    assert held(shared, store, ANNA, BORIS) == {BORIS}


def test_their_own_sign_up_since_counts_more(shared: Site, store: Store) -> None:
    partners.take_in(shared, store, "riverside", written(ANNA, BORIS), "x.txt", NOW)
    for address, at in ((ANNA, NOW + timedelta(days=1)), (BORIS, NOW - timedelta(days=1))):
        asked = SignUp(Address.parse(address), "bulletin", "en", "I want it")
        joining.ask(shared, store, asked, at, secrets.token_bytes)
        with store.reading() as tx:
            token = next(
                one.said["token"] for one in letters.due(tx, at, 10) if one.address == address
            )
        joining.confirm(shared, store, token, at, secrets.token_bytes)
    partners.take_in(shared, store, "riverside", written(ANNA, BORIS), "x.txt", NOW)
    assert held(shared, store, ANNA, BORIS) == {BORIS}


def test_ending_it_frees_whom_nothing_else_holds(site: Site, store: Store, take: Import) -> None:
    three = {"riverside": SECRET, "harbour": b"h" * 32}
    site = replace(site, keys=replace(site.keys, partners=three))
    take(f"email\n{ANNA}\n{BORIS}\n{CLARA}\n")
    hold(site, store, CLARA, SuppressionReason.COMPLAINED)
    partners.take_in(site, store, "riverside", written(ANNA, BORIS, CLARA), "x.txt", NOW)
    hashes = [partnership.hash_of(Address.parse(BORIS), three["harbour"])]
    lines = list(partnership.written(hashes, three["harbour"]))
    partners.take_in(site, store, "harbour", lines, "y.txt", NOW)
    assert partners.forget(site, store, "riverside")
    assert held(site, store, ANNA, BORIS, CLARA) == {BORIS, CLARA}
    assert not partners.forget(site, store, "riverside")
    with store.reading() as tx:
        found = suppressions.of_key(tx, key(site, BORIS), [""])
    assert [one.evidence for one in found] == ["harbour"]
    assert partners.forget(site, store, "harbour")
    assert held(site, store, ANNA, BORIS, CLARA) == {CLARA}


def test_a_file_is_taken_in_by_pieces_and_gone_on_with(
    shared: Site, store: Store, take: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partners, "_PIECE", 2)
    monkeypatch.setattr(stored, "_PAGE", 2)
    everybody = [f"p{number}@example.org" for number in range(7)]
    take("email\n" + "\n".join(everybody) + "\n")
    writing, begun = Store.writing, 0

    def breaking(self: Store) -> AbstractContextManager[Tx]:
        nonlocal begun
        begun += 1
        if begun == 7:  # the partner, three pieces of hashes, two of people
            raise KeyboardInterrupt
        return writing(self)

    monkeypatch.setattr(Store, "writing", breaking)
    with pytest.raises(KeyboardInterrupt):
        partners.take_in(shared, store, "riverside", written(*everybody[1:6]), "x.txt", NOW)
    monkeypatch.setattr(Store, "writing", writing)
    assert held(shared, store, *everybody) == {*everybody[1:4]}
    # Whoever queues an issue then goes on with it first.
    with store.writing() as tx:
        assert stored.catch_up(tx, shared.keys.partners, NOW) == 2
    assert held(shared, store, *everybody) == {*everybody[1:6]}
    again = partners.take_in(shared, store, "riverside", written(*everybody), "x.txt", NOW)
    assert (again.new, again.suppressed) == (2, 2)


def test_hashes_that_come_while_people_are_looked_at_pass_over_nobody(
    shared: Site, store: Store, take: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "_PAGE", 1)
    take(f"email\n{ANNA}\n{BORIS}\n{CLARA}\n")
    secrets_ = shared.keys.partners
    with store.writing() as tx:
        stored.begin(tx, "riverside")
        assert stored._piece(tx, secrets_, NOW) == 0
    with store.writing() as tx:
        hashes = [partnership.hash_of(Address.parse(one), SECRET) for one in (ANNA, CLARA)]
        stored.add_hashes(tx, "riverside", hashes, NOW)
    assert stored.catch_up_in_pieces(store, secrets_, NOW) == 2
    assert held(shared, store, ANNA, BORIS, CLARA) == {ANNA, CLARA}


def test_nobody_comes_in_between_the_look_and_the_end_of_the_queueing(
    shared: Site, store: Store, take: Import
) -> None:
    take(f"email\n{ANNA}\n")
    partners.take_in(shared, store, "riverside", written(BORIS), "x.txt", NOW)
    if store.is_sqlite:
        return  # it has one writer anyway
    with store.writing() as tx:
        stored.catch_up(tx, shared.keys.partners, NOW)
        with pytest.raises((MailoutError, DBAPIError)), store.writing() as other:
            other.execute(text("SET LOCAL lock_timeout = '50ms'"))
            members.make(other, Address.parse(BORIS), key(shared, BORIS), NOW)


def test_a_domain_that_is_lifted_leaves_whom_a_partner_named(
    shared: Site, store: Store, take: Import
) -> None:
    take(f"email\n{ANNA}\n")
    with store.writing() as tx:
        suppressions.add_domain(tx, "example.org", NOW)
    partners.take_in(shared, store, "riverside", written(ANNA), "x.txt", NOW)
    with store.writing() as tx:
        suppressions.lift_domain(tx, "example.org", "")
    assert held(shared, store, ANNA) == {ANNA}


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([], "is empty"),
        (["anna@example.org\n"], "no file of"),
        (["mailout suppressions 1 0123456789abcdef\n"], "another secret"),
        ([*written(ANNA), "anna@example.org\n"], "x.txt:3: this line is no hash"),
    ],
)
def test_a_file_that_is_none_changes_nothing(
    shared: Site, store: Store, take: Import, lines: list[str], says: str
) -> None:
    take(f"email\n{ANNA}\n")
    with pytest.raises(BadFile) as caught:
        partners.take_in(shared, store, "riverside", lines, "x.txt", NOW)
    assert says in str(caught.value)
    assert held(shared, store, ANNA) == set()
    with store.reading() as tx:
        assert stored.listed(tx) == []


def test_an_unknown_partner_is_named(shared: Site, store: Store) -> None:
    with pytest.raises(MailoutError, match="no partner `riversid`"):
        partners.export(shared, store, "riversid")


def test_keys_of_partners_stand_in_their_table(site_root: Path) -> None:
    before = keys.path_of(site_root).read_text()
    first, second = keys.fresh(), keys.fresh()
    keys.set_partner(site_root, "riverside", first)
    keys.set_partner(site_root, "river", second)
    keys.set_partner(site_root, "river", first)
    found = read_site(site_root).keys
    assert found.partners == {
        "river": found.partners["riverside"],
        "riverside": keys.decoded(first, "x"),
    }
    assert "partners" not in repr(found)
    assert keys.path_of(site_root).stat().st_mode & 0o777 == 0o600
    for name in ("river", "riverside"):
        keys.set_partner(site_root, name, "")
    assert read_site(site_root).keys.partners == {}
    assert keys.path_of(site_root).read_text().startswith(before)


def test_the_commands(
    shell: CommandLine, site_root: Path, take: Import, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    take(f"email\n{ANNA}\n{BORIS}\n")
    secret = shell("suppressions", "partner", "riverside").out.strip()
    assert keys.decoded(secret, "x") == read_site(site_root).keys.partners["riverside"]
    shell("suppressions", "partner", "riverside", code=1)
    shell("suppressions", "partner", "No Name", code=2)
    shell("suppressions", "add", ANNA)
    file = tmp_path / "out.txt"
    shell("suppressions", "export", "--partner", "riverside", str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    shell("suppressions", "export", "--partner", "riverside", str(file), code=1)
    shell("suppressions", "lift", ANNA)
    said = shell("suppressions", "import", "--partner", "riverside", str(file))
    assert "1 hash that is new" in said.out and "1 more" in said.out
    assert shell("suppressions", "partner", "--json").json == [
        {"name": "riverside", "hashes": 1, "secret": True}
    ]
    shell("suppressions", "partner", "riverside", "--end")
    assert shell("suppressions", "list", "--json").json == {"domains": [], "addresses": []}
    shell("suppressions", "partner", "riverside", "--end", code=1)
    monkeypatch.setattr("sys.stdin", io.StringIO("no secret\n"))
    shell("suppressions", "partner", "riverside", "--take", code=1)
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{secret}\n"))
    shell("suppressions", "partner", "riverside", "--take")
    assert read_site(site_root).keys.partners["riverside"] == keys.decoded(secret, "x")
