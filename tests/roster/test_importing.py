"""Import: who comes in, who never comes back, and a report that accounts for every row."""

from __future__ import annotations

import io
import secrets
from dataclasses import asdict, replace
from datetime import timedelta

import pytest

from mailout.core.address import Address
from mailout.core.consent import ConsentAction
from mailout.core.site import Site
from mailout.core.subscription import SubscriptionState
from mailout.core.suppression import SuppressionReason, why_not_lifted
from mailout.roster import importing
from mailout.store import consents, people, suppressions
from mailout.store.engine import Store
from newcomers import dump
from roster_tools import HEAD, NOW, Import, accounted, person, state

ACTIVE, PENDING, PAUSED, UNSUBSCRIBED = (
    SubscriptionState.ACTIVE,
    SubscriptionState.PENDING,
    SubscriptionState.PAUSED,
    SubscriptionState.UNSUBSCRIBED,
)


def set_state(store: Store, site: Site, address: str, to: SubscriptionState) -> None:
    from sqlalchemy import text

    with store.writing() as tx:
        id_ = tx.scalar(
            text("SELECT id FROM subscription WHERE subscriber_id = :id"),
            {"id": person(store, site, address).id},
        )
        assert id_ is not None
        people.set_state(tx, id_, to, NOW)


def test_a_whole_person(take: Import, store: Store, site: Site) -> None:
    report = accounted(
        take(HEAD + "Anna@Example.org, Анна ,RU,kz,Unions; sponsors,active\n", tags=("Meeting",))
    )
    assert (report.rows_read, report.added, report.refused, report.warnings) == (1, 1, (), ())
    assert report.by_tag == {"unions": 1, "sponsors": 1, "meeting": 1}
    assert report.by_language == {"ru": 1} and report.by_status == {"active": 1}
    anna = person(store, site, "anna@example.org")
    assert (anna.address, anna.name, anna.language, anna.country) == (
        "Anna@Example.org", "Анна", "ru", "KZ",
    )  # fmt: skip
    assert anna.tags == ("meeting", "sponsors", "unions")
    assert anna.created_at == anna.memberships[0].joined_at == NOW
    with store.reading() as tx:
        (evidence,) = consents.of_subscriber(tx, anna.id)
        assert consents.first_broken(tx, "bulletin") is None
    assert evidence.action is ConsentAction.IMPORTED and evidence.wording == "signed at the gate"
    assert evidence.source.startswith("import:people.csv sha256:") and len(evidence.source) == 41


def test_letters_in_two_pieces_are_kept_in_one(take: Import, store: Store, site: Site) -> None:
    two, one = "профсоюзны\u0438\u0306", "профсоюзны\u0439"
    for spelling in (two, one):
        take(f"email,name,tags,fields.city\nanna@example.org,{spelling},{spelling},{spelling}\n")
        anna = person(store, site, "anna@example.org")
        assert (anna.name, anna.tags, dict(anna.fields)) == (one, (one,), {"city": one})


def test_importing_again_writes_nothing(take: Import, store: Store) -> None:
    file = HEAD + "a@x.org,A,ru,KZ,t,\nb@x.org,,,,,paused\nc@x.org,C,,,,unsubscribed\n"
    assert accounted(take(file)).added == 3
    before = dump(store)
    again = accounted(take(file))
    assert (again.added, again.updated, again.unchanged) == (0, 0, 3)
    assert dump(store) == before


def test_a_dry_run_reports_the_same_and_writes_nothing(
    take: Import, store: Store, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "CHUNK", 3)
    take(HEAD + "a@x.org,A,ru,KZ,t,\nb@x.org,,,,,\n")
    file = HEAD + (
        "a@x.org,A2,ru,KZ,t,\nb@x.org,,,,,\nc@x.org,C,kz,,u,\nnope,,,,,\n"
        "c@x.org,,,,v,paused\nd@x.org,D\nc@x.org,,,,w,\ne@x.org,,,,,mystery\n"
    )
    before = dump(store)
    dry = accounted(take(file, dry_run=True))
    assert dump(store) == before
    wet = accounted(take(file))
    assert dry.import_id == 0 and wet.import_id
    assert replace(dry, dry_run=False, import_id=wet.import_id) == wet
    assert (wet.added, wet.updated, wet.unchanged, wet.duplicates) == (2, 1, 1, 2)
    assert wet.by_tag == {"t": 1, "u": 1, "v": 1, "w": 1}
    assert wet.by_status == {"active": 2, "paused": 1, "pending": 1}
    assert state(store, site, "c@x.org") is PAUSED


def test_bad_rows_are_reported_and_the_others_go_in(take: Import, store: Store, site: Site) -> None:
    report = accounted(
        take(
            HEAD
            + "good@x.org,,,,,\nno address,,,,,\n,Nobody,,,,\na@x.org;b@x.org,,,,,\nshort@x.org,X\n"
            + 'evil@x.org,"X\r\nBcc: y@y.org",,,,\n=?utf-8?q?x?=@x.org,,,,,\n'
            + 'bidi@x.org,\u202eabc,,,,\nnul@x.org,\0,,,,\ntag@x.org,,,,"a\x1bb",\nlast@x.org,,,,,\n'
        )
    )
    assert report.added == 2
    assert [(broken.row, broken.value) for broken in report.refused] == [
        (3, "no address"), (4, ""), (5, "a@x.org;b@x.org"), (6, "short@x.org,X"),
        (7, "evil@x.org"), (9, "=?utf-8?q?x?=@x.org"), (10, "bidi@x.org"), (11, "\\u0000"),
        (12, "a\\u001bb"),
    ]  # fmt: skip
    assert all(broken.why for broken in report.refused)
    assert "more than one address" in report.refused[2].why
    assert person(store, site, "last@x.org")


def test_unusable_values_are_left_empty_and_reported(
    take: Import, store: Store, site: Site
) -> None:
    report = accounted(
        take(HEAD + "a@x.org,A,kz,Atlantis,,\nb@x.org,B,martian,DE,,wild\nc@x.org,C,pt_BR,,,\n")
    )
    assert report.added == 3
    assert [(warning.row, warning.value) for warning in report.warnings] == [
        (2, "kz"), (2, "Atlantis"), (3, "martian"), (3, "wild"),
    ]  # fmt: skip
    assert "perhaps kk" in report.warnings[0].why
    anna = person(store, site, "a@x.org")
    assert (anna.language, anna.country) == ("", "")
    assert person(store, site, "c@x.org").language == "pt-br"
    assert state(store, site, "b@x.org") is PENDING


def test_columns_that_are_not_known_are_reported_once(take: Import) -> None:
    report = take("email,phone,zip,joined\na@x.org,1,2,3\nb@x.org,1,2,3\n")
    (warning,) = report.warnings
    assert (warning.row, warning.value) == (1, "phone, zip")


@pytest.mark.parametrize("chunk", [1, 2, 100])
def test_an_address_twice_in_the_file(
    take: Import, store: Store, site: Site, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(importing, "CHUNK", chunk)
    report = accounted(
        take(
            HEAD
            + "anna@x.org,First,ru,,a,\nx@x.org,,,,,\nANNA@X.ORG,Second,de,DE,b;a,\n"
            + "y@x.org,,,,,\nanna@x.org,Third,,,c,\n"
        )
    )
    assert (report.added, report.updated, report.duplicates) == (3, 0, 2)
    assert report.by_tag == {"a": 1, "b": 1, "c": 1}
    anna = person(store, site, "anna@x.org")
    assert (anna.address, anna.name, anna.language) == ("anna@x.org", "First", "ru")
    assert anna.tags == ("a", "b", "c")


@pytest.mark.parametrize("chunk", [1, 100])
@pytest.mark.parametrize("words", [("active", "unsubscribed"), ("unsubscribed", "active")])
def test_of_two_rows_the_stricter_wins(
    take: Import,
    store: Store,
    site: Site,
    monkeypatch: pytest.MonkeyPatch,
    chunk: int,
    words: tuple[str, str],
) -> None:
    monkeypatch.setattr(importing, "CHUNK", chunk)
    report = accounted(take(HEAD + "".join(f"anna@x.org,,,,,{word}\n" for word in words)))
    assert report.by_status == {"unsubscribed": 1}
    assert state(store, site, "anna@x.org") is UNSUBSCRIBED


def test_existing_people_are_completed(take: Import, store: Store, site: Site) -> None:
    take(HEAD + "a@x.org,,ru,,t,\nb@x.org,B,ru,KZ,t,\n")
    report = accounted(take(HEAD + "a@x.org,Anna,,DE,u,\nb@x.org,,,,,\n"))
    assert (report.added, report.updated, report.unchanged) == (0, 1, 1)
    anna = person(store, site, "a@x.org")
    assert (anna.name, anna.language, anna.country) == ("Anna", "ru", "DE")
    assert anna.tags == ("t", "u")
    report = take(HEAD + "b@x.org,Boris,de,KZ,,\n")
    assert report.updated == 1
    boris = person(store, site, "b@x.org")
    assert (boris.name, boris.language, boris.tags) == ("Boris", "de", ("t",))


@pytest.mark.parametrize(
    ("held", "word", "after", "came"),
    [
        (ACTIVE, "active", ACTIVE, "unchanged"),
        (ACTIVE, "pending", ACTIVE, "unchanged"),
        (ACTIVE, "mystery", ACTIVE, "unchanged"),
        (ACTIVE, "paused", PAUSED, "updated"),
        (ACTIVE, "unsubscribed", UNSUBSCRIBED, "updated"),
        (PENDING, "active", PENDING, "unchanged"),
        (PENDING, "unsubscribed", UNSUBSCRIBED, "updated"),
        (PAUSED, "active", PAUSED, "unchanged"),
        (PAUSED, "cleaned", UNSUBSCRIBED, "updated"),
        (UNSUBSCRIBED, "active", UNSUBSCRIBED, "refused"),
        (UNSUBSCRIBED, "", UNSUBSCRIBED, "refused"),
        (UNSUBSCRIBED, "paused", UNSUBSCRIBED, "refused"),
        (UNSUBSCRIBED, "unsubscribed", UNSUBSCRIBED, "unchanged"),
    ],
)
def test_an_import_lowers_and_never_raises(
    take: Import,
    store: Store,
    site: Site,
    held: SubscriptionState,
    word: str,
    after: SubscriptionState,
    came: str,
) -> None:
    take("email\nanna@x.org\n")
    set_state(store, site, "anna@x.org", held)
    report = asdict(accounted(take(HEAD + f"anna@x.org,,,,,{word}\n")))
    assert state(store, site, "anna@x.org") is after
    assert report[came] if came != "refused" else len(report["refused"]) == 1
    with store.reading() as tx:
        actions = [
            c.action for c in consents.of_subscriber(tx, person(store, site, "anna@x.org").id)
        ]
        assert consents.first_broken(tx, "bulletin") is None
    lowered = after is UNSUBSCRIBED and held is not UNSUBSCRIBED
    assert actions == [ConsentAction.IMPORTED] + [ConsentAction.LEFT] * lowered


@pytest.mark.parametrize("reason", list(SuppressionReason))
@pytest.mark.parametrize("list_id", ["", "bulletin"])
@pytest.mark.parametrize("known", [True, False])
def test_the_suppressed_stay_out(
    take: Import, store: Store, site: Site, reason: SuppressionReason, list_id: str, known: bool
) -> None:
    if known:
        take("email\nanna@x.org\n")
    key = Address.parse("anna@x.org").key(site.keys.address)
    with store.writing() as tx:
        suppressions.add(tx, key, reason, NOW, list_id=list_id)
    before = dump(store)
    report = accounted(take(HEAD + "ANNA@x.org,Anna,ru,,t,active\nanna@X.org,,,,,\n"))
    (refused,) = report.refused
    assert refused.row == 2 and str(reason) in refused.why
    ends = "only they can" if why_not_lifted(reason) else "`mailout suppressions lift` ends that"
    assert ends in refused.why
    assert report.duplicates == 1
    assert dump(store) == before


def test_a_suppression_of_another_list_does_not_count(
    take: Import, store: Store, site: Site
) -> None:
    key = Address.parse("anna@x.org").key(site.keys.address)
    with store.writing() as tx:
        suppressions.add(tx, key, SuppressionReason.COMPLAINED, NOW, list_id="appeals")
    assert take("email\nanna@x.org\n").added == 1


def test_who_is_recorded_as_having_left_did_not_agree(
    take: Import, store: Store, site: Site
) -> None:
    take("email,Unsubscribed at\nanna@x.org,2024-01-01\nb@x.org,\nc@x.org,false\n")
    assert state(store, site, "anna@x.org") is UNSUBSCRIBED
    assert state(store, site, "b@x.org") is state(store, site, "c@x.org") is ACTIVE
    with store.reading() as tx:
        (evidence,) = consents.of_subscriber(tx, person(store, site, "anna@x.org").id)
    assert evidence.action is ConsentAction.LEFT and evidence.wording == ""


def test_a_second_list_of_the_same_person(take: Import, store: Store, site: Site) -> None:
    site.lists["appeals"] = site.lists["bulletin"]  # type: ignore[index]
    take(HEAD + "anna@x.org,,ru,,t,\n")
    report = accounted(take(HEAD + "anna@x.org,Anna,,,u,\n", list_id="appeals"))
    assert report.added == 1
    anna = person(store, site, "anna@x.org")
    assert anna.name == "Anna" and anna.tags == ("t", "u")
    assert [membership.list_id for membership in anna.memberships] == ["appeals", "bulletin"]
    exported = "email,list\nanna@x.org,bulletin\nb@x.org,bulletin\n"
    report = accounted(take(exported, list_id="appeals"))
    assert len(report.refused) == 2 and "of the list `bulletin`" in report.refused[0].why


def test_the_moment_of_an_update_is_not_that_of_joining(
    take: Import, store: Store, site: Site
) -> None:
    take("email\nanna@x.org\n")
    later = importing.Order("bulletin", "again")
    importing.import_people(
        site, store, io.BytesIO((HEAD + "anna@x.org,A,,,,paused\n").encode()), "p.csv", later,
        NOW + timedelta(days=3), secrets.token_bytes,
    )  # fmt: skip
    (membership,) = person(store, site, "anna@x.org").memberships
    assert membership.joined_at == NOW and membership.changed_at == NOW + timedelta(days=3)
