"""Merging: one person out of two, and nobody mailed twice, or who had left."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from mailout.core.address import Address
from mailout.core.consent import Consent, ConsentAction
from mailout.core.edition import Edition
from mailout.core.errors import MailoutError, UsageError
from mailout.core.frequency import Frequency
from mailout.core.mailing_list import FieldSettings
from mailout.core.merge import Standing, other_holds
from mailout.core.site import Site
from mailout.core.subscription import SubscriptionState
from mailout.core.suppression import SuppressionReason
from mailout.preferences import leaving, moving
from mailout.roster import choices, editing, merging, people
from mailout.roster.editing import Change
from mailout.store import consents, suppressions
from mailout.store import people as stored
from mailout.store.engine import Store
from newcomers import dump
from roster_tools import NOW, Import
from sign_ups import token_mailed

KEPT, GONE, NEW = "anna@example.org", "anna@old.example.org", "anna@new.example.org"
ACTIVE, LEFT = SubscriptionState.ACTIVE, SubscriptionState.UNSUBSCRIBED
LATER = NOW + timedelta(days=1)


def key(site: Site, address: str) -> str:
    return Address.parse(address).key(site.keys.address)


def both(take: Import) -> None:
    take(f"email,name,tags\n{KEPT},,a\n{GONE},Anna,b\n")


def tokens(store: Store) -> list[str]:
    with store.reading() as tx:
        return list(tx.scalars(text("SELECT token FROM subscription ORDER BY id")))


def leave(site: Site, store: Store, token: str) -> None:
    assert leaving.leave(store, site.keys, token, NOW, source="page") is not None


def test_one_person_with_what_both_had(site: Site, store: Store, take: Import) -> None:
    both(take)
    editing.note(site, store, GONE, "speaks in May", NOW)
    before = dump(store)
    planned = merging.unite(site, store, KEPT, GONE, LATER, dry_run=True)
    assert dump(store) == before
    done = merging.unite(site, store, KEPT, GONE, LATER)
    assert (done.tags, done.notes) == (("a", "b"), 1) == (planned.tags, planned.notes)
    record = people.show(site, store, KEPT)
    assert (record.person.name, record.person.tags) == ("Anna", ("a", "b"))
    assert [one.text for one in record.notes] == ["speaks in May"]
    assert [str(one.kind) for one in record.events] == ["merged"]
    with pytest.raises(MailoutError, match="merged into anna@example"):
        people.show(site, store, GONE)
    with store.reading() as tx:
        assert consents.first_broken(tx, "bulletin") is None


def test_what_differs_is_told_and_the_kept_one_stays(
    site: Site, store: Store, take: Import
) -> None:
    take(f"email,name,language,country\n{KEPT},Anna,ru,\n{GONE},Anna W,ru,DE\n")
    choices.set_frequency(site, store, GONE, "bulletin", Frequency.WEEKLY)
    people.choose_edition(site, store, GONE, "bulletin", Edition.TEXT)
    planned = merging.unite(site, store, KEPT, GONE, LATER, dry_run=True)
    done = merging.unite(site, store, KEPT, GONE, LATER)
    assert done.differing == ("name", "frequency on bulletin", "edition on bulletin")
    assert planned.differing == done.differing
    (membership,) = people.show(site, store, KEPT).person.memberships
    assert (membership.frequency, membership.edition) == ("", "")


@pytest.mark.parametrize(
    ("kept", "gone", "holds"), [(1, 5, 5), (5, 1, 5), (1, None, None), (None, 1, None)]
)
def test_of_two_pauses_the_longer_one_holds(
    site: Site, store: Store, take: Import, kept: int | None, gone: int | None, holds: int | None
) -> None:
    def day(number: int | None) -> datetime | None:
        return None if number is None else LATER + timedelta(days=number)

    both(take)
    for address, number in ((KEPT, kept), (GONE, gone)):
        choices.pause(site, store, address, "bulletin", day(number), NOW)
    merging.unite(site, store, KEPT, GONE, LATER)
    (membership,) = people.show(site, store, KEPT).person.memberships
    assert (membership.state, membership.paused_until) == (
        SubscriptionState.PAUSED, day(holds),
    )  # fmt: skip


def test_the_same_person_is_not_merged(site: Site, store: Store, take: Import) -> None:
    both(take)
    with pytest.raises(UsageError, match="same person"):
        merging.unite(site, store, KEPT, KEPT.upper(), LATER)


@pytest.mark.parametrize("which", [0, 1])
def test_who_left_with_either_address_has_left(
    site: Site, store: Store, take: Import, which: int
) -> None:
    both(take)
    leave(site, store, tokens(store)[which])
    merging.unite(site, store, KEPT, GONE, LATER)
    [member] = people.show(site, store, KEPT).person.memberships
    assert member.state is LEFT
    # An old file does not bring them back by the other address.
    report = take(f"email\n{GONE}\n{KEPT}\n")
    assert report.added == 0 and len(report.refused) == 2


def test_the_link_in_an_old_mail_still_leaves(site: Site, store: Store, take: Import) -> None:
    both(take)
    _, old = tokens(store)
    merging.unite(site, store, KEPT, GONE, LATER)
    with store.reading() as tx:
        found = stored.subscription_of_token(tx, old)
    assert found is not None and found.address_key == key(site, KEPT)
    leave(site, store, old)
    [member] = people.show(site, store, KEPT).person.memberships
    assert member.state is LEFT


def test_a_list_that_only_the_other_is_on(site: Site, store: Store, take: Import) -> None:
    site.lists["press"] = site.lists["bulletin"]  # type: ignore[index]
    take(f"email\n{KEPT}\n")
    take(f"email\n{GONE}\n", list_id="press", consent="signed in May")
    merging.unite(site, store, KEPT, GONE, LATER)
    record = people.show(site, store, KEPT)
    assert [one.list_id for one in record.person.memberships] == ["bulletin", "press"]
    assert ("press", "signed in May") in {(c.list_id, c.wording) for c in record.consents}
    with store.reading() as tx:
        assert consents.first_broken(tx, "press") is None


def test_a_later_confirmation_of_theirs_counts_more() -> None:
    left = Standing(LEFT, NOW)
    assert other_holds(Standing(ACTIVE, NOW), left)
    assert not other_holds(Standing(ACTIVE, NOW, LATER), left)
    assert other_holds(left, Standing(ACTIVE, LATER, LATER))
    assert not other_holds(left, Standing(ACTIVE, LATER))
    assert not other_holds(left, left)


def test_evidence_says_otherwise(site: Site, store: Store, take: Import) -> None:
    both(take)
    leave(site, store, tokens(store)[0])
    with store.writing() as tx:
        gone = stored.find(tx, key(site, GONE))
        assert gone is not None
        row = Consent("bulletin", gone.id, gone.address_key, ConsentAction.CONFIRMED, LATER, "yes")
        consents.append(tx, [row])
    merging.unite(site, store, KEPT, GONE, LATER)
    record = people.show(site, store, KEPT)
    assert record.person.memberships[0].state is ACTIVE
    assert record.consents[-1].wording == "yes"


@pytest.mark.parametrize("reason", list(SuppressionReason)[:3])
def test_suppressions_of_the_person_hold(
    site: Site, store: Store, take: Import, reason: SuppressionReason
) -> None:
    both(take)
    with store.writing() as tx:
        suppressions.add(tx, key(site, GONE), reason, NOW)
    merging.unite(site, store, KEPT, GONE, LATER)
    with store.reading() as tx:
        found = suppressions.among(tx, [key(site, KEPT), key(site, GONE)], "bulletin")
    is_dead = reason is SuppressionReason.DEAD
    assert found.get(key(site, KEPT)) == (None if is_dead else reason)
    assert found[key(site, GONE)] == (SuppressionReason.MERGED if is_dead else reason)


def test_erasing_one_erases_both(site: Site, store: Store, take: Import) -> None:
    both(take)
    editing.note(site, store, KEPT, "a secret word", NOW)
    merging.unite(site, store, KEPT, GONE, LATER)
    people.erase(site, store, KEPT, LATER)
    with store.reading() as tx:
        found = suppressions.among(tx, [key(site, KEPT), key(site, GONE)], "")
        assert set(found.values()) == {SuppressionReason.ERASED} and len(found) == 2
        assert tx.scalar(text("SELECT count(*) FROM note")) == 0


def test_no_issue_comes_to_both(site: Site, store: Store, take: Import) -> None:
    both(take)
    insert = (
        "INSERT INTO delivery (issue_id, dispatch_id, subscriber_id, address_key, language,"
        " edition, state, reason, attempts, queued_at, next_at, worker, last_code, last_enhanced,"
        " last_text, relay) SELECT {issue}, 1, id, address_key, 'en', 'full', '{state}', '', 0,"
        " :at, :at, '', 0, '', '', '' FROM subscriber WHERE address = :who"
    )
    at = "2026-11-24 12:00:00+00:00" if not store.is_sqlite else "2026-11-24 12:00:00.000000"
    with store.writing() as tx:
        for issue in (1, 2):
            tx.execute(
                text(
                    "INSERT INTO issue (id, name, list_id, state, content_hash, approved_hash,"
                    " urgent, archived, signatories, digest, created_at) VALUES"
                    " (:id, :name, 'bulletin', 'sent', '', '', false, true, false, '', :at)"
                ),
                {"at": at, "id": issue, "name": f"w{issue}"},
            )
        tx.execute(
            text(
                "INSERT INTO dispatch (id, issue_id, list_id, segment, exclude, priority, state,"
                " held_why, left_out, created_at) VALUES (1, 1, 'bulletin', 'x', '', 0, 'sending',"
                " '', '{}', :at)"
            ),
            {"at": at},
        )
        for issue, state, who in ((1, "accepted", GONE), (1, "queued", KEPT), (2, "queued", GONE)):
            tx.execute(text(insert.format(issue=issue, state=state)), {"at": at, "who": who})
    done = merging.unite(site, store, KEPT, GONE, LATER)
    assert (done.deliveries, done.skipped) == (2, 1)
    rows = people.show(site, store, KEPT).deliveries
    assert [(one.issue, str(one.state)) for one in rows] == [("w2", "queued"), ("w1", "skipped")]
    with store.reading() as tx:
        assert tx.scalar(text("SELECT count(DISTINCT subscriber_id) FROM delivery")) == 1
        kept = stored.find(tx, key(site, KEPT))
    assert kept is not None
    # They may change their address later, though both addresses had an issue.
    moving.ask(site, store, kept, Address.parse(NEW), LATER, secrets.token_bytes)
    assert moving.confirm(site, store, token_mailed(store), LATER) is not None
    rows = people.show(site, store, NEW).deliveries
    assert [(one.issue, str(one.state)) for one in rows] == [("w2", "queued"), ("w1", "skipped")]


def test_edit_checks_types_and_choices(site: Site, store: Store) -> None:
    newcomer = people.Newcomer(KEPT, "bulletin", "asked by phone")
    own = {
        "branch": FieldSettings(type="choice", choices=("rail", "post")),
        "member": FieldSettings(type="yes-no"),
        "since": FieldSettings(type="date"),
        "shifts": FieldSettings(type="choices", choices=("early", "late")),
        "age": FieldSettings(type="number"),
    }
    one = site.lists["bulletin"]
    site.lists["bulletin"] = replace(one, settings=replace(one.settings, fields=own))  # type: ignore[index]
    people.add(site, store, newcomer, NOW, secrets.token_bytes)
    sets = ("branch=RAIL", "member=yes", "since=2020-05-01", "shifts=late;early", "age=41")
    person = editing.edit(site, store, KEPT, Change(name="Anna", fields=sets))
    assert dict(person.fields) == {
        "branch": "rail", "member": True, "since": "2020-05-01", "shifts": ["early", "late"],
        "age": 41,
    }  # fmt: skip
    before = dump(store)
    for bad, says in (
        ("branch=rial", "Did you mean `rail`"),
        ("brnch=rail", "Did you mean `branch`"),
        ("member=perhaps", "neither yes nor no"),
        ("since=today", "not a date"),
        ("age=old", "not a number"),
        ("age", "NAME=VALUE"),
    ):
        with pytest.raises(UsageError) as caught:
            editing.edit(site, store, KEPT, Change(name="B", fields=(bad,)))
        assert says in str(caught.value)
    assert dump(store) == before
    assert "age" not in editing.edit(site, store, KEPT, Change(fields=("age=",))).fields
