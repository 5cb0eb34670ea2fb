"""People one by one: added on evidence, tagged, shown, listed, and erased without a trace."""

from __future__ import annotations

import base64
import quopri
import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, text

from mailout.core.address import Address
from mailout.core.consent import ConsentAction
from mailout.core.delivery import DeliveryState
from mailout.core.errors import MailoutError, UsageError
from mailout.core.event import EventKind
from mailout.core.issue import Variant
from mailout.core.segment import Everyone
from mailout.core.site import Site
from mailout.core.subscription import SubscriptionState
from mailout.core.suppression import SuppressionReason
from mailout.roster import people, segments, story, suppressing
from mailout.roster.people import Newcomer, Selection
from mailout.store import audiences, consents, deliveries, dispatches, events, issues, suppressions
from mailout.store import people as stored
from mailout.store.engine import Store, open_store
from mailout.store.tables import EVENT
from newcomers import dump
from roster_tools import NOW, Import

ANNA = "Anna.Unverwechselbar@Example.org"


def add(site: Site, store: Store, address: str = ANNA, **values: object) -> int:
    newcomer = replace(Newcomer(address, "bulletin", "asked by phone"), **values)  # type: ignore[arg-type]
    return people.add(site, store, newcomer, NOW, secrets.token_bytes).id


def set_state(store: Store, state: SubscriptionState) -> None:
    with store.writing() as tx:
        stored.set_state(
            tx, int(tx.scalar(text("SELECT min(id) FROM subscription")) or 0), state, NOW
        )


def sent(store: Store, site: Site, name: str = "2026-11-20-bulletin") -> int:
    """The id of an issue that was queued for everybody."""
    with store.writing() as tx:
        variant = Variant("en", "Strike", "<p>x</p>", "x")
        issue = issues.save_compiled(tx, name, "bulletin", ["post"], (variant,), NOW)
        choice = audiences.Choice(
            issue.id, "bulletin", Everyone(), None, segments.find(site, "bulletin")
        )
        dispatch = dispatches.make(tx, choice, segment="unions", exclude="", now=NOW)
        dispatches.begin(tx, dispatch.id, NOW)
        audiences.fill(
            tx, dispatch.id, choice, left_out={}, language_of={}, default_language="en",
            built={"full"}, now=NOW,
        )  # fmt: skip
        return issue.id


def test_add(site: Site, store: Store) -> None:
    add(site, store, name=" Anna ", language="DE", country="de", tags=("Unions", "a;b"))
    record = people.show(site, store, "anna.unverwechselbar@EXAMPLE.org")
    anna = record.person
    assert (anna.address, anna.name, anna.language, anna.country) == (ANNA, "Anna", "de", "DE")
    assert anna.tags == ("a", "b", "unions")
    (membership,) = anna.memberships
    assert membership.state is SubscriptionState.ACTIVE
    (evidence,) = record.consents
    assert (evidence.action, evidence.wording) == (ConsentAction.ADDED, "asked by phone")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"address": "anna"}, "is no address"),
        ({"list_id": "buletin"}, "Did you mean `bulletin`"),
        ({"consent": " "}, "how these people agreed"),
        ({"consent": f"wrote from {ANNA.lower()}."}, "name the address"),
        ({"language": "kz"}, "Write `kk`"),
        ({"language": "martian"}, "is no language"),
        ({"country": "Atlantis"}, "is no country"),
        ({"name": "A\nBcc: x@x.org"}, "line break"),
        ({"tags": ("a\x1bb",)}, "control character"),
    ],
)
def test_what_cannot_be_added(
    site: Site, store: Store, values: dict[str, object], says: str
) -> None:
    before = dump(store)
    with pytest.raises(UsageError) as caught:
        add(site, store, **values)
    assert says in str(caught.value)
    assert dump(store) == before


@pytest.mark.parametrize("state", list(SubscriptionState))
def test_who_is_or_was_on_the_list_is_not_added(
    site: Site, store: Store, state: SubscriptionState
) -> None:
    add(site, store)
    set_state(store, state)
    before = dump(store)
    with pytest.raises(MailoutError, match=str(state)):
        add(site, store, ANNA.upper())
    assert dump(store) == before


@pytest.mark.parametrize("reason", list(SuppressionReason))
def test_who_is_suppressed_is_not_added(
    site: Site, store: Store, reason: SuppressionReason
) -> None:
    with store.writing() as tx:
        suppressions.add(tx, Address.parse(ANNA).key(site.keys.address), reason, NOW)
    with pytest.raises(MailoutError, match=rf"suppressed \({reason}\)"):
        add(site, store)
    with pytest.raises(MailoutError, match=rf"nobody.*suppressed \({reason}\)"):
        people.show(site, store, ANNA)


def test_tag(site: Site, store: Store) -> None:
    add(site, store, tags=("a", "b"))
    assert people.tag(site, store, ANNA, ["C; D"], ["A", "none"]).tags == ("b", "c", "d")
    assert people.tag(site, store, ANNA, ["b"], []).tags == ("b", "c", "d")
    with pytest.raises(UsageError, match="`b` cannot be added and removed"):
        people.tag(site, store, ANNA, ["b"], ["B"])
    with pytest.raises(MailoutError, match="there is nobody"):
        people.tag(site, store, "b@x.org", ["b"], [])


def test_lists_are_read_page_by_page(
    site: Site, store: Store, take: Import, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "_PAGE", 3)
    take(
        "email,tags,status\n"
        + "".join(f"p{n}@x.org,{'unions' if n % 2 else 'guests'},\n" for n in range(9))
        + "left@x.org,unions,unsubscribed\n"
    )

    def found(selection: Selection, after: int = 0, limit: int = 0) -> list[str]:
        return [
            person.address.partition("@")[0]
            for person in people.listed(site, store, selection, after, limit)
        ]

    everybody = [f"p{n}" for n in range(9)] + ["left"]
    assert found(Selection()) == found(Selection("bulletin")) == everybody
    assert found(Selection(segment="unions")) == ["p1", "p3", "p5", "p7", "left"]
    assert found(Selection(segment="bulletin/unions", state=SubscriptionState.ACTIVE)) == [
        "p1", "p3", "p5", "p7",
    ]  # fmt: skip
    assert found(Selection(state=SubscriptionState.UNSUBSCRIBED)) == ["left"]
    first = found(Selection(), limit=4)
    assert first == everybody[:4]
    last = people.show(site, store, "p3@x.org").person.id
    assert found(Selection(), after=last) == everybody[4:]
    assert found(Selection(), after=last, limit=3) == everybody[4:7]
    with pytest.raises(UsageError, match="no segment `bulletin/unoins`"):
        found(Selection("bulletin", "unoins"))


def _told(site: Site, store: Store, address: str = ANNA) -> str:
    record = people.show(site, store, address)
    return "\n".join(story.told(record, lambda moment: f"{moment:%d.%m.}"))


def test_why_did_anna_not_get_it(site: Site, store: Store) -> None:
    sent(store, site, "2026-11-01-early")
    add(site, store, name="Anna", language="de")
    with store.writing() as tx:
        tx.execute(text("UPDATE dispatch SET filled_at = '2026-11-01 00:00:00+00'"))
    assert "2026-11-01-early: went out before they joined" in _told(site, store)
    issue_id = sent(store, site)
    assert "2026-11-20-bulletin: is queued, due 24.11." in _told(site, store)
    with store.writing() as tx:
        tx.execute(
            text(
                "UPDATE delivery SET state = 'refused', last_code = 550, last_enhanced = '5.1.1',"
                " last_text = 'no such person', ended_at = :now WHERE issue_id = :id"
            ),
            {"now": NOW if not store.is_sqlite else "2026-11-24 12:00:00", "id": issue_id},
        )
        events.add(tx, EventKind.BOUNCED, people.show(site, store, ANNA).person.id, NOW, "gone")
    told = _told(site, store)
    assert "was refused 24.11.; the server said: 550 5.1.1 no such person" in told
    assert "24.11. bounced gone" in told
    assert "24.11. bulletin added: “asked by phone” [subscribers add]" in told
    set_state(store, SubscriptionState.UNSUBSCRIBED)
    sent(store, site, "2026-11-24-late")
    told = _told(site, store)
    assert "List bulletin: unsubscribed, left it and gets nothing" in told
    assert "2026-11-24-late: went to unions, where they were not" in told


def test_what_is_only_scheduled_was_not_missed(site: Site, store: Store) -> None:
    add(site, store, name="Anna", language="de")
    with store.writing() as tx:
        variant = Variant("en", "Strike", "<p>x</p>", "x")
        issue = issues.save_compiled(tx, "2026-12-24-later", "bulletin", ["p"], (variant,), NOW)
        choice = audiences.Choice(
            issue.id, "bulletin", Everyone(), None, segments.find(site, "bulletin")
        )
        before = NOW - timedelta(days=1)
        dispatch = dispatches.make(tx, choice, segment="unions", exclude="", now=before)
    assert "2026-12-24-later" not in _told(site, store)
    with store.writing() as tx:
        dispatches.begin(tx, dispatch.id, NOW + timedelta(days=1))
    # Ordered before she joined, and sent after that.
    assert "2026-12-24-later: went to unions, where they were not" in _told(site, store)


def test_issues_are_told_in_one_order_the_newest_first(site: Site, store: Store) -> None:
    add(site, store, name="Anna", language="de")
    names = ("2026-11-20-first", "2026-11-21-second", "2026-11-22-third")
    for day, name in enumerate(names):
        issue_id = sent(store, site, name)
        with store.writing() as tx:
            moment = f"2026-11-2{day} 12:00:00+00:00"
            for words in ("dispatch SET filled_at", "delivery SET queued_at"):
                tx.execute(text(f"UPDATE {words} = '{moment}' WHERE issue_id = {issue_id}"))
            if name.endswith("second"):
                tx.execute(text(f"DELETE FROM delivery WHERE issue_id = {issue_id}"))  # noqa: S608
    told = _told(site, store)
    assert sorted(names, key=told.index) == [
        "2026-11-22-third",
        "2026-11-21-second",
        "2026-11-20-first",
    ]


def test_more_than_a_hundred_events_are_told(site: Site, store: Store) -> None:
    add(site, store, name="Anna", language="de")
    anna = people.show(site, store, ANNA).person.id
    with store.writing() as tx:
        for number in range(120):
            events.add(tx, EventKind.BOUNCED, anna, NOW, f"no. {number}")
    assert _told(site, store).endswith("bounced no. 0")


@pytest.mark.parametrize("list_id", ["", "bulletin"])
def test_who_is_in_a_suppressed_domain_is_not_said_to_get_mail(
    site: Site, store: Store, list_id: str
) -> None:
    add(site, store, name="Anna", language="de")
    assert "bulletin: active, gets its mail" in _told(site, store)
    suppressing.add(site, store, ANNA.partition("@")[2], NOW, list_id=list_id)
    assert "bulletin: active, gets nothing all the same, as said above" in _told(site, store)


def test_every_delivery_state_has_words() -> None:
    assert set(story._DELIVERIES) == set(DeliveryState)
    assert set(story._STATES) == set(SubscriptionState)


def _spellings(address: str) -> Iterator[bytes]:
    raw = address.encode()
    for one in (raw, raw.upper(), raw.lower()):
        yield one
        yield one.partition(b"@")[0]
        yield quopri.encodestring(one).strip()
        yield one.replace(b"@", b"=40")
        for shift in range(3):
            # Wherever it begins in a base64 text, its inner characters are these.
            yield base64.b64encode(b"\0" * shift + one)[4:-4]


def _everything_about(store: Store, site: Site, person_id: int) -> None:
    """Words of servers that quote the address, wherever there is a place for them."""
    issue_id = sent(store, site)
    said = f"550 <{ANNA}> unknown"
    with store.writing() as tx:
        tx.execute(
            text(
                "UPDATE delivery SET state = 'refused', last_text = :said"
                " WHERE subscriber_id = :person"
            ),
            {"said": said, "person": person_id},
        )
        (delivery,) = deliveries.listed(tx, issue_id, DeliveryState.REFUSED)
        tx.execute(
            insert(EVENT).values(
                kind=EventKind.REFUSED, at=NOW, delivery_id=delivery.id, issue_id=issue_id,
                subscriber_id=person_id, provider="example.org", code=550, enhanced="",
                text=said, relay="",
            )
        )  # fmt: skip
        events.add(tx, EventKind.BOUNCED, person_id, NOW, said)
        suppressions.add(tx, people.key_of(site, ANNA), SuppressionReason.DEAD, NOW, evidence=said)
        suppressions.add(
            tx, people.key_of(site, ANNA), SuppressionReason.COMPLAINED, NOW,
            list_id="bulletin", evidence=said,
        )  # fmt: skip


def test_erasing_leaves_nothing_but_the_hash(
    site: Site, store: Store, site_root: Path, take: Import
) -> None:
    take("email\n" + "".join(f"neighbour{n}@x.org\n" for n in range(300)))
    person_id = add(site, store, name=f"{ANNA} <{ANNA}>", tags=(f"of {ANNA}",))
    _everything_about(store, site, person_id)
    if store.is_sqlite:
        held = b"".join(path.read_bytes() for path in site_root.rglob("*") if path.is_file())
        assert ANNA.encode() in held

    assert people.erase(site, store, ANNA.swapcase(), NOW + timedelta(days=1)) is True

    for rows in dump(store).values():
        assert "unverwechselbar" not in repr(rows).lower()
    for path in site_root.rglob("*"):
        if path.is_file():
            held = path.read_bytes()
            for spelling in _spellings(ANNA):
                assert spelling not in held, (path, spelling)
    with store.reading() as tx:
        assert consents.first_broken(tx, "bulletin") is None
        rows = consents.of_subscriber(tx, person_id)
        assert [row.action for row in rows] == [ConsentAction.ADDED, ConsentAction.ERASED]
        (delivery,) = deliveries.listed(tx, 1, DeliveryState.REFUSED)
        assert delivery.address is None and delivery.last_text == ""
        (reason, *_) = suppressions.among(tx, [people.key_of(site, ANNA)], "").values()
        assert reason is SuppressionReason.ERASED
    report = take(f"email\n{ANNA}\n")
    assert report.added == 0 and "erased" in report.refused[0].why
    with pytest.raises(MailoutError, match="erased"):
        add(site, store)
    before = dump(store)
    assert people.erase(site, store, ANNA, NOW) is True
    assert dump(store) == before
    with pytest.raises(MailoutError, match="there is nobody"):
        people.erase(site, store, "nobody@x.org", NOW)


def test_a_failed_erasure_erases_nothing(
    site: Site, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(site, store)
    before = dump(store)

    def failing(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(stored, "remove", failing)
    with pytest.raises(RuntimeError):
        people.erase(site, store, ANNA, NOW)
    assert dump(store) == before


def test_a_reader_keeps_the_log_from_being_emptied(
    site: Site, sqlite_template: Path, site_root: Path
) -> None:
    (site_root / "mailout.db").write_bytes(sqlite_template.read_bytes())
    store = open_store("sqlite:///mailout.db", site_root)
    other = open_store("sqlite:///mailout.db", site_root)
    add(site, store)
    with other.reading() as tx:
        tx.execute(text("SELECT count(*) FROM subscriber"))
        assert people.erase(site, store, ANNA, NOW) is False
    assert people.erase(site, store, ANNA, NOW) is True
    for path in site_root.glob("mailout.db*"):
        assert ANNA.encode() not in path.read_bytes()
    with pytest.raises(MailoutError):
        people.show(site, store, ANNA)
    store.close()
    other.close()
