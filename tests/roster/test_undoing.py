"""Undo: what an import did is taken back, where nobody has changed it since; and the list of imports."""

from __future__ import annotations

import io
import secrets
from datetime import timedelta

import pytest
from sqlalchemy import text

from command_line import CommandLine
from mailout.core.address import Address
from mailout.core.consent import Consent, ConsentAction
from mailout.core.errors import UsageError
from mailout.core.site import Site
from mailout.core.subscriber import Subscriber
from mailout.core.subscription import SubscriptionState
from mailout.roster import importing, people, undoing
from mailout.store import consents, members, notes
from mailout.store import people as stored
from mailout.store.engine import Store
from newcomers import dump
from roster_tools import HEAD, NOW, Import

LATER = NOW + timedelta(hours=1)
_STATES = ("subscriber", "subscriber_tag", "subscription", "suppression")


def key(site: Site, address: str) -> str:
    return Address.parse(address).key(site.keys.address)


def find(store: Store, site: Site, address: str) -> Subscriber | None:
    with store.reading() as tx:
        return stored.find(tx, key(site, address))


def states(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """The rows about people, but for ids and the moments of change."""
    held = dump(store)
    return {name: [row for row in held[name]] for name in _STATES}


def mail(store: Store, subscriber_id: int, address_key: str) -> None:
    """Nothing, once a delivery to the person is on record."""
    with store.writing() as tx:
        for statement in (
            "INSERT INTO issue (id, name, list_id, state, content_hash, approved_hash, urgent,"
            " archived, signatories, created_at) VALUES (1, 'w1', 'bulletin', 'sent', '', '',"
            " :no, :no, :no, :at)",
            "INSERT INTO dispatch (id, issue_id, list_id, segment, exclude, priority, state,"
            " held_why, left_out, created_at) VALUES (1, 1, 'bulletin', 'all', '', 0, 'done', '',"
            " '{}', :at)",
            "INSERT INTO delivery (issue_id, dispatch_id, subscriber_id, address_key, language,"
            " edition, state, reason, attempts, queued_at, next_at, worker, last_code,"
            " last_enhanced, last_text, relay) VALUES (1, 1, :person, :key, 'en', 'full',"
            " 'accepted', '', 1, :at, :at, '', 250, '', '', '')",
        ):
            tx.execute(
                text(statement),
                {"no": False, "at": "2026-11-24 13:00:00", "person": subscriber_id,
                 "key": address_key},
            )  # fmt: skip


def test_an_import_that_is_undone_leaves_no_trace_but_evidence(
    take: Import, store: Store, site: Site
) -> None:
    take(HEAD + "old@x.org,Old,ru,,t,\nleft@x.org,,,,,\n")
    before = states(store)
    report = take(
        HEAD + "new@x.org,New,de,DE,a;b,\nold@x.org,Olga,ru,KZ,t;u,\nleft@x.org,,,,,unsubscribed\n"
        "dead@x.org,,,,,cleaned\n"
    )
    assert states(store) != before
    dry = undoing.undo(store, report.import_id, LATER, dry_run=True)
    undone = undoing.undo(store, report.import_id, LATER)
    assert (dry.removed, dry.restored, dry.kept, dry.suppressions) == (2, 2, 0, 1)
    assert (undone.removed, undone.restored, undone.kept, undone.suppressions) == (2, 2, 0, 1)
    after = states(store)
    for name in ("subscriber", "subscriber_tag", "suppression"):
        assert after[name] == before[name]
    assert find(store, site, "new@x.org") is None and find(store, site, "dead@x.org") is None
    left = find(store, site, "left@x.org")
    assert left is not None and left.memberships[0].state is SubscriptionState.ACTIVE
    with store.reading() as tx:
        actions = [consent.action for consent in consents.of_subscriber(tx, left.id)]
        assert consents.first_broken(tx, "bulletin") is None
    assert actions == [ConsentAction.IMPORTED, ConsentAction.LEFT, ConsentAction.RETURNED]
    with pytest.raises(UsageError, match="undone already"):
        undoing.undo(store, report.import_id, LATER)
    # And it can be imported anew.
    assert take(HEAD + "new@x.org,New,de,DE,a;b,\n").added == 1


@pytest.mark.parametrize("change", ["tag", "name", "state", "field"])
def test_whom_somebody_has_changed_since_stays(
    take: Import, store: Store, site: Site, change: str
) -> None:
    report = take(HEAD + "anna@x.org,Anna,ru,,t,\nboris@x.org,,,,,\n")
    if change == "tag":
        people.tag(site, store, "anna@x.org", ["met"], [])
    else:
        statement = {
            "name": "UPDATE subscriber SET name = 'Anne' WHERE name = 'Anna'",
            "field": """UPDATE subscriber SET fields = '{"a": "b"}' WHERE name = 'Anna'""",
            "state": "UPDATE subscription SET state = 'paused', changed_at = '2026-11-24 13:00:00'"
            " WHERE subscriber_id = (SELECT id FROM subscriber WHERE name = 'Anna')",
        }[change]
        with store.writing() as tx:
            tx.execute(text(statement))
    undone = undoing.undo(store, report.import_id, LATER)
    assert (undone.removed, undone.kept) == (1, 1)
    assert find(store, site, "anna@x.org") is not None
    assert find(store, site, "boris@x.org") is None


@pytest.mark.parametrize("did", ["frequency", "edition", "confirmed"])
def test_who_has_said_anything_themselves_stays(
    take: Import, store: Store, site: Site, did: str
) -> None:
    report = take("email\nanna@x.org\nboris@x.org\n")
    anna = find(store, site, "anna@x.org")
    assert anna is not None
    with store.writing() as tx:
        if did == "confirmed":
            action = ConsentAction.CONFIRMED
            said = Consent("bulletin", anna.id, anna.address_key, action, LATER, "yes")
            consents.append(tx, [said])
        else:
            place = members.place(tx, anna.id, "bulletin")
            assert place is not None
            members.set_up(tx, place.id, {did: "weekly" if did == "frequency" else "text"})
    undone = undoing.undo(store, report.import_id, LATER)
    assert (undone.removed, undone.kept) == (1, 1)
    after = find(store, site, "anna@x.org")
    assert after is not None and after.memberships[0].state is SubscriptionState.ACTIVE


def test_who_was_mailed_stays_known_and_gets_nothing_more(
    take: Import, store: Store, site: Site
) -> None:
    report = take("email\nanna@x.org\nboris@x.org\n")
    anna = find(store, site, "anna@x.org")
    assert anna is not None
    mail(store, anna.id, anna.address_key)
    undone = undoing.undo(store, report.import_id, LATER)
    assert (undone.removed, undone.silenced, undone.kept) == (1, 1, 0)
    anna = find(store, site, "anna@x.org")
    assert anna is not None and anna.memberships[0].state is SubscriptionState.PENDING
    with store.reading() as tx:
        assert consents.first_broken(tx, "bulletin") is None


def test_a_known_person_leaves_the_list_that_the_import_put_them_on(
    take: Import, store: Store, site: Site
) -> None:
    site.lists["appeals"] = site.lists["bulletin"]  # type: ignore[index]
    take(HEAD + "anna@x.org,Anna,,,,\n")
    report = take(HEAD + "anna@x.org,Anna B,,,u,\n", list_id="appeals")
    undone = undoing.undo(store, report.import_id, LATER)
    assert undone.removed == 1
    anna = find(store, site, "anna@x.org")
    assert anna is not None and (anna.name, anna.tags) == ("Anna", ())
    assert [one.list_id for one in anna.memberships] == ["bulletin"]


def test_who_has_joined_another_list_since_stays_there(
    take: Import, store: Store, site: Site
) -> None:
    site.lists["appeals"] = site.lists["bulletin"]  # type: ignore[index]
    first = take("email\nanna@x.org\n")
    take("email\nanna@x.org\n", list_id="appeals")
    assert undoing.undo(store, first.import_id, LATER).removed == 1
    anna = find(store, site, "anna@x.org")
    assert anna is not None and [one.list_id for one in anna.memberships] == ["appeals"]


@pytest.mark.parametrize("lowered", ["paused", "unsubscribed"])
def test_two_imports_are_undone_the_newest_first(
    take: Import, store: Store, site: Site, lowered: str
) -> None:
    first = take(HEAD + "anna@x.org,Anna,,,a,\n")
    second = take(HEAD + f"anna@x.org,Anne,,,b,{lowered}\n")
    undone = undoing.undo(store, second.import_id, LATER)
    assert undone.restored == 1
    anna = find(store, site, "anna@x.org")
    assert anna is not None and (anna.name, anna.tags) == ("Anna", ("a",))
    assert anna.memberships[0].state is SubscriptionState.ACTIVE
    # The undo put back since when they were active, too: nobody has changed anything.
    assert undoing.undo(store, first.import_id, LATER).removed == 1
    assert find(store, site, "anna@x.org") is None


def test_a_state_set_between_two_imports_outlasts_both(
    take: Import, store: Store, site: Site
) -> None:
    first = take(HEAD + "anna@x.org,Anna,,,,\n")
    with store.writing() as tx:
        tx.execute(text("UPDATE subscription SET changed_at = '2026-11-24 12:30:00'"))
    second = take(HEAD + "anna@x.org,,,,,unsubscribed\n")
    assert undoing.undo(store, second.import_id, LATER).restored == 1
    undone = undoing.undo(store, first.import_id, LATER)
    assert undone.kept_why == {undoing.CHANGED: 1}


def test_whom_a_later_import_keeps_can_be_taken_back_after_it(
    take: Import, store: Store, site: Site
) -> None:
    first = take(HEAD + "anna@x.org,Anna,,,a,\nboris@x.org,,,,,\ncarol@x.org,,,,,\n")
    second = take(HEAD + "anna@x.org,Anne,,,b,\nboris@x.org,,,,,unsubscribed\n")
    undone = undoing.undo(store, first.import_id, LATER)
    assert (undone.removed, undone.kept, undone.later) == (1, 2, (second.import_id,))
    assert undone.kept_why == {f"import {second.import_id} changed them, too": 2}
    (_, run) = undoing.listed(store)
    assert run.undone_at is None and run.counts["kept"] == 2
    assert undoing.undo(store, second.import_id, LATER).restored == 2
    again = undoing.undo(store, first.import_id, LATER)
    assert (again.removed, again.kept, again.later) == (2, 0, ())
    assert dump(store)["subscriber"] == [] and undoing.listed(store)[1].undone_at == LATER
    with store.reading() as tx:
        assert consents.first_broken(tx, "bulletin") is None


@pytest.mark.parametrize("more", [[], ["appeals"]])
def test_who_has_a_note_stays_with_it(
    take: Import, store: Store, site: Site, more: list[str]
) -> None:
    site.lists["appeals"] = site.lists["bulletin"]  # type: ignore[index]
    runs = [take("email\nanna@x.org\nboris@x.org\n")]
    runs += [take("email\nanna@x.org\n", list_id=name) for name in more]
    anna = find(store, site, "anna@x.org")
    assert anna is not None
    with store.writing() as tx:
        notes.add(tx, anna.id, "rang up", LATER)
    undone = [undoing.undo(store, run.import_id, LATER) for run in runs]
    assert undone[-1].kept_why == {undoing.NOTED: 1}
    assert undone[0].removed == 1 + len(more)
    with store.reading() as tx:
        assert [note.text for note in notes.of(tx, anna.id)] == ["rang up"]


def test_nobody_is_kept_whom_no_list_has(take: Import, store: Store, site: Site) -> None:
    site.lists["appeals"] = site.lists["bulletin"]  # type: ignore[index]
    first = take("email\nanna@x.org\n")
    second = take("email\nanna@x.org\n", list_id="appeals")
    for run in (first, second):
        assert undoing.undo(store, run.import_id, LATER).removed == 1
    assert dump(store)["subscriber"] == []


def test_over_chunks_and_a_crash_it_is_one_import(
    site: Site, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "CHUNK", 3)
    monkeypatch.setattr(undoing, "_PAGE", 2)
    file = HEAD + "".join(f"p{n}@x.org,P,,,t,\n" for n in range(8)) + "p0@x.org,,,,u,paused\n"
    drawn = 0

    def failing(size: int) -> bytes:
        nonlocal drawn
        drawn += 1
        if drawn == 2:
            raise KeyboardInterrupt
        return secrets.token_bytes(size)

    order = importing.Order("bulletin", "said so")
    for random, at in ((failing, NOW), (secrets.token_bytes, LATER)):
        try:
            report = importing.import_people(
                site, store, io.BytesIO(file.encode()), "p.csv", order, at, random
            )
        except KeyboardInterrupt:
            continue
    assert (report.import_id, report.added, report.unchanged) == (1, 5, 3)
    (run,) = undoing.listed(store)
    assert run.ended_at == LATER and len(run.times) == 2
    undone = undoing.undo(store, 1, LATER)
    assert (undone.removed, undone.kept) == (8, 0)
    assert not dump(store)["subscriber"]


def test_an_erased_person_is_in_no_import(take: Import, store: Store, site: Site) -> None:
    report = take(HEAD + "anna@x.org,Anna,,,,\n")
    take(HEAD + "anna@x.org,Anne,,,,\n")
    people.erase(site, store, "anna@x.org", LATER)
    assert dump(store)["import_person"] == []
    assert undoing.undo(store, report.import_id, LATER).removed == 0
    assert take("email\nanna@x.org\n").refused_count == 1


def test_an_import_that_changed_nothing_is_not_on_record(take: Import, store: Store) -> None:
    file = "email\nanna@x.org\n"
    assert take(file).import_id == 1
    assert take(file).import_id == 0
    assert take("email\nnope\n").import_id == 0
    assert len(undoing.listed(store)) == 1


def test_the_commands(shell: CommandLine) -> None:
    said = shell.import_people("email\nanna@x.org\n")
    assert "Import 1: `mailout subscribers undo 1` undoes it." in said.err
    (one,) = shell("subscribers", "imports", "--json").json
    assert (one["import"], one["file"], one["added"], one["undone_at"]) == (
        1,
        "people.csv",
        1,
        None,
    )
    assert "people.csv\t1\t0\t0\tdone" in shell("subscribers", "imports", "--list", "bulletin").out
    assert "--yes" in shell("subscribers", "undo", "1", code=2).err
    assert "removed\t1" in shell("subscribers", "undo", "1", "--dry-run").out
    assert len(shell("subscribers", "list", "--json").json) == 1
    assert shell("subscribers", "undo", "1", "--yes", "--json").json["removed"] == 1
    assert shell("subscribers", "list", "--json").json == []
    assert "undone" in shell("subscribers", "imports").out
    for status in ("", "paused"):
        shell.import_people(f"email,status\nanna@x.org,{status}\n")
    said = shell("subscribers", "undo", "2", "--yes")
    assert "import 3 changed them, too\t1" in said.out and "Import 3 changed people" in said.err
    assert "undone in part" in shell("subscribers", "imports").out
    assert "There are 3, 2, 1." in shell("subscribers", "undo", "7", "--yes", code=2).err
