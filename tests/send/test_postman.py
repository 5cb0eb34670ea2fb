"""Letters over real SMTP: each mailed once, whatever dies, and nothing of it stays."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta

import dkim
import pytest

from letter_desk import PostOffice, read, the_only
from mailout.config.templates import read_templates
from mailout.core.delivery import DeliveryState
from mailout.core.dkim import new_key, prepare_signer, public_record
from mailout.core.letter import LetterKind
from mailout.core.plain_mail import letter_message_id
from mailout.core.site import Relay
from mailout.core.throttle import relay_limit, taken
from mailout.send import presence
from mailout.send.postman import without_address
from mailout.smtp.catcher import Catcher, Faults
from mailout.store import buckets, letters
from send_desk import Desk


@pytest.fixture
def office(desk: Desk, catcher: Catcher) -> PostOffice:
    return PostOffice(desk.site, desk.store).toward(catcher.port)


def message_id_of(office: PostOffice) -> str:
    """The Message-ID that the first letter has at every try."""
    row = office.rows()[0]
    secret, domain = office.site.keys.message_id, office.site.identity.message_id_domain
    return letter_message_id(secret, row.id, row.created_at, domain)


def test_a_letter_is_mailed_and_nothing_of_it_stays(office: PostOffice, catcher: Catcher) -> None:
    office.write(language="de")
    assert office.post().did == {"accepted": 1}
    assert the_only(catcher)["To"] == "anna@example.org"
    assert catcher.messages[0].sender == office.site.return_path
    (row,) = office.rows()
    assert (row.state, row.address, row.said) == (DeliveryState.ACCEPTED, "", {})
    assert (row.worker, row.lease_until, row.attempts) == ("", None, 1)
    assert office.post().did == {}
    assert len(catcher.messages) == 1


def test_a_batch_goes_over_one_connection(office: PostOffice, catcher: Catcher) -> None:
    for number in range(12):
        office.write(address=f"p{number}@example.org")
    assert office.post().did == {"accepted": 12}
    assert catcher.connections == 1
    assert len({read(one.content)["Message-ID"] for one in catcher.messages}) == 12


def test_more_than_a_batch(office: PostOffice, catcher: Catcher) -> None:
    for number in range(120):
        office.write(address=f"p{number}@example.org")
    assert office.post().did == {"accepted": 120}
    assert set(Counter(one.recipients for one in catcher.messages).values()) == {1}


def test_a_deferral_keeps_the_message_id(desk: Desk) -> None:
    with Catcher(faults=Faults(defer_first=2)) as catcher:
        office = PostOffice(desk.site, desk.store).toward(catcher.port)
        office.write()
        postman = office.postman()
        expected = message_id_of(office)
        assert office.post(postman).did == {"queued": 1}
        (row,) = office.rows()
        assert row.state == DeliveryState.QUEUED
        assert row.address == "anna@example.org"
        assert row.last_text.startswith("451")
        assert row.next_at > datetime.now(UTC) + timedelta(minutes=4)
        assert office.post(postman).did == {}, "it is not due yet"
        for _ in range(2):
            office.make_due()
            office.post(postman)
        assert the_only(catcher)["Message-ID"] == expected


def test_a_refusal_is_kept_without_the_address(desk: Desk) -> None:
    rules = {"anna.b@example.org": "550 5.1.1 <anna.b@example.org>: no anna.b here"}
    with Catcher(rules=rules) as catcher:
        office = PostOffice(desk.site, desk.store).toward(catcher.port)
        office.write(address="Anna.B@example.org")
        office.write(address="ben@example.org")
        assert office.post().did == {"accepted": 1, "refused": 1}
    refused, _ = office.rows()
    assert refused.state == DeliveryState.REFUSED
    assert refused.last_text == "550 5.1.1 <(address)>: no (name) here"
    assert "anna" not in str(refused).lower()


def test_words_less_addresses() -> None:
    said = "550 <a.b@x.example.org> user a.b unknown, ask postmaster@mx.example.net"
    assert without_address(said, "a.b@x.example.org") == (
        "550 <(address)> user (name) unknown, ask (address)"
    )


def test_a_relay_that_is_down_holds_everything_and_then_takes_it(office: PostOffice) -> None:
    with Catcher() as gone:
        port = gone.port
    office = office.toward(port)
    office.write()
    office.write(address="ben@example.org")
    came = office.post()
    assert "no server answers" in came.held
    assert not came.did
    for row in office.rows():
        assert (row.state, row.attempts, row.worker) == (DeliveryState.QUEUED, 0, "")
        assert "no server answers" in row.last_text
    with Catcher(port=port) as catcher:
        assert office.post().did == {"accepted": 2}
        assert len(catcher.messages) == 2


def test_a_relay_that_failed_rests_a_while(office: PostOffice, catcher: Catcher) -> None:
    with Catcher() as gone:
        port = gone.port
    office = office.toward(port)
    office.write()
    postman = office.postman()
    assert "no server answers" in office.post(postman).held
    assert "a moment ago" in office.post(postman).held


def test_the_next_relay_takes_what_the_first_cannot(office: PostOffice, catcher: Catcher) -> None:
    with Catcher() as gone:
        port = gone.port
    office = office.toward(port, catcher.port)
    office.write()
    came = office.post()
    assert (came.did, came.held) == ({"accepted": 1}, "")
    assert office.rows()[0].attempts == 1


def test_the_weightiest_relay_first_and_the_spare_one_last(
    office: PostOffice, catcher: Catcher
) -> None:
    with Catcher() as spare, Catcher() as light:
        relays = tuple(
            Relay(host="127.0.0.1", port=port, tls="none", weight=weight)
            for port, weight in ((spare.port, 0), (light.port, 1), (catcher.port, 5))
        )
        office = office.having(relays=relays)
        office.write()
        office.post()
        assert [len(one.messages) for one in (spare, light, catcher)] == [0, 0, 1]


def test_a_relay_that_refuses_our_sender_holds(desk: Desk) -> None:
    with Catcher(faults=Faults(credentials=("anna", "secret"))) as catcher:
        office = PostOffice(desk.site, desk.store).toward(catcher.port)
        office.write()
        office.write(address="ben@example.org")
        came = office.post()
    assert "wants a password" in came.held
    assert [row.attempts for row in office.rows()] == [0, 0]


def test_a_server_that_closes_after_each_letter(office: PostOffice, catcher: Catcher) -> None:
    office = office.toward(catcher.port, relay={"per_connection": 1})
    for number in range(3):
        office.write(address=f"p{number}@example.org")
    assert office.post().did == {"accepted": 3}
    assert catcher.connections == 3


def test_a_connection_lost_with_the_letter_on_the_wire(desk: Desk) -> None:
    with Catcher(faults=Faults(close="end", times=1)) as catcher:
        office = PostOffice(desk.site, desk.store).toward(catcher.port)
        office.write()
        assert office.post().did == {"queued": 1}
        office.make_due()
        assert office.post().did == {"accepted": 1}
        assert len(catcher.messages) == 1


def test_dead_between_start_and_end(office: PostOffice, catcher: Catcher) -> None:
    number = office.write()
    now = datetime.now(UTC)
    with office.store.writing() as tx:
        letters.start(tx, [number], "dead elsewhere", now + timedelta(seconds=1))
    assert office.post().did == {}, "it may be at work still"
    with office.store.writing() as tx:
        letters.extend(tx, "dead elsewhere", now - timedelta(seconds=1))
    expected = message_id_of(office)
    assert office.post().did == {"accepted": 1}
    assert the_only(catcher)["Message-ID"] == expected
    assert office.rows()[0].attempts == 2


def test_dead_on_this_machine_is_seen_at_once(office: PostOffice, catcher: Catcher) -> None:
    number = office.write()
    with presence.present(office.site.root) as worker:
        path = office.site.root / "build" / "workers" / f"{worker}.lock"
        with office.store.writing() as tx:
            letters.start(tx, [number], worker, datetime.now(UTC) + timedelta(hours=1))
        assert office.post().did == {}
    path.touch()  # as a kill leaves it
    assert office.post().did == {"accepted": 1}


def test_two_postmen_mail_nobody_twice(office: PostOffice, catcher: Catcher) -> None:
    for number in range(60):
        office.write(address=f"p{number:02}@example.org")
    rounds: list[dict[str, int]] = []
    threads = [threading.Thread(target=lambda: rounds.append(office.post().did)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(did.get("accepted", 0) for did in rounds) == 60
    got = Counter(one.recipients[0] for one in catcher.messages)
    assert len(got) == 60
    assert set(got.values()) == {1}


def test_a_round_that_is_stopped_gives_back(desk: Desk) -> None:
    with Catcher(faults=Faults(hang="data", times=1)) as catcher:
        office = PostOffice(desk.site, desk.store).toward(catcher.port)
        office.write()
        office.write(address="ben@example.org")

        async def go() -> None:
            going = asyncio.ensure_future(office.postman().round())
            for _ in range(1000):
                if catcher.connections:
                    break
                await asyncio.sleep(0.02)
            await asyncio.sleep(0.5)  # until the first letter's data hang
            going.cancel()
            with pytest.raises(asyncio.CancelledError):
                await going

        asyncio.run(go())
        assert [row.state for row in office.rows()] == [DeliveryState.QUEUED] * 2
        assert all(row.worker == "" for row in office.rows())
        assert office.post().did == {"accepted": 2}


def test_too_old_to_be_of_use(office: PostOffice, catcher: Catcher) -> None:
    office.write(ago=timedelta(days=8))
    office.write(LetterKind.SETTINGS, good_for=timedelta(minutes=30), ago=timedelta(minutes=31))
    assert office.post().did == {"expired": 2}
    assert not catcher.messages
    assert all(row.address == "" and row.said == {} for row in office.rows())


def test_no_retry_after_the_link_has_expired(desk: Desk) -> None:
    with Catcher(faults=Faults(defer_first=1)) as catcher:
        office = PostOffice(desk.site, desk.store).toward(catcher.port)
        office.write(LetterKind.SETTINGS, good_for=timedelta(minutes=2))
        assert office.post().did == {"expired": 1}
    assert office.rows()[0].address == ""


def test_a_list_that_was_taken_away(office: PostOffice, catcher: Catcher) -> None:
    office.write(list_id="old-news")
    office.write()
    assert office.post().did == {"accepted": 1, "skipped": 1}
    skipped = office.rows()[0]
    assert skipped.last_text == "the list `old-news` was taken away"
    assert (skipped.address, skipped.said) == ("", {})


def test_a_broken_template_costs_nobody_a_letter(office: PostOffice, catcher: Catcher) -> None:
    office.write()
    office.write(LetterKind.KNOWN, "ben@example.org")
    sources = dict(read_templates(office.site.root))
    broken = {**sources, "letters/confirm.txt.j2": "Subject: x\n\n{{ nothing.there }}"}
    told = [broken, sources]
    postman = office.postman(sources=lambda: told[0])
    came = office.post(postman)
    assert came.did == {"queued": 1, "accepted": 2}, "the alert goes out, too"
    assert "templates/letters/confirm.txt.j2:3" in came.trouble
    assert catcher.messages[-1].recipients == ("contact@news.example.org",)
    del told[0]
    office.make_due()
    assert office.post(postman).did == {"accepted": 1}
    subjects = [str(read(one.content)["Subject"]) for one in catcher.messages]
    assert "Letters cannot be written" in subjects


def test_a_template_without_a_subject_is_named(office: PostOffice, catcher: Catcher) -> None:
    office.write()
    sources = {**read_templates(office.site.root), "letters/confirm.txt.j2": "Hello\n"}
    assert "`Subject: ..`" in office.post(office.postman(sources=lambda: sources)).trouble
    (alert,) = catcher.messages
    assert alert.recipients == ("contact@news.example.org",)


def test_an_address_that_needs_smtputf8(office: PostOffice, catcher: Catcher) -> None:
    office.write(address="анна@пример.example.org")
    assert office.post().did == {"accepted": 1}
    (caught,) = catcher.messages
    assert caught.recipients == ("анна@xn--e1afmkfd.example.org",)
    assert "To: анна@xn--e1afmkfd.example.org\r\n".encode() in caught.content


@pytest.mark.parametrize(
    "address",
    ["-oQ/tmp@example.org", "=cmd@example.org", "{{7*7}}@example.org"],
)
def test_hostile_addresses_are_only_addresses(
    office: PostOffice, catcher: Catcher, address: str
) -> None:
    office.write(address=address)
    assert office.post().did == {"accepted": 1}
    (caught,) = catcher.messages
    assert caught.recipients == (address,)
    assert b"49" not in caught.content.split(b"\r\n\r\n")[1]


def test_a_limit_is_kept_and_letters_go_ahead_of_bulk(office: PostOffice, catcher: Catcher) -> None:
    office = office.toward(catcher.port, relay={"per_minute": 3})
    with office.store.writing() as tx:  # a bulk send has had all there was
        label = office.site.relays[0].label
        now = datetime.now(UTC)
        limits = {f"by {label}": relay_limit(office.site.relays[0])}
        held = buckets.locked(tx, limits, now)[f"by {label}"]
        buckets.write(tx, [taken(held, limits[held.name], 1, now)])
    for number in range(9):
        office.write(address=f"p{number}@example.org")
    assert office.post().did == {"accepted": 3}
    assert office.post().did == {}, "it has had a minute's worth ahead of time"
    assert len(catcher.messages) == 3
    with office.store.writing() as tx:
        left = buckets.locked(tx, limits, now)[f"by {label}"]
    assert left.tokens <= -2, "the bulk waits for it"


def test_a_days_ceiling_is_not_overtaken(office: PostOffice, catcher: Catcher) -> None:
    with Catcher() as other:
        full = Relay(host="127.0.0.1", port=catcher.port, tls="none", per_day=2, weight=5)
        free = Relay(host="127.0.0.1", port=other.port, tls="none")
        office = office.having(relays=(full, free))
        for number in range(5):
            office.write(address=f"p{number}@example.org")
        assert office.post().did == {"accepted": 5}
        assert (len(catcher.messages), len(other.messages)) == (2, 3)


def test_letters_that_nobody_could_try_are_told_of_once(
    office: PostOffice, catcher: Catcher
) -> None:
    with Catcher() as gone:
        port = gone.port
    away = office.toward(port)
    away.write(ago=timedelta(hours=2))
    away.post()
    away.post()
    alerts = [row for row in office.rows() if row.kind == LetterKind.ALERT]
    assert [row.said["subject"] for row in alerts] == ["Letters do not get out"]
    office.post()
    subjects = {str(read(one.content)["Subject"]) for one in catcher.messages}
    assert "Letters do not get out" in subjects
    assert office.rows()[-1].said == {"about": "letters", "subject": "Letters do not get out"}


def test_a_letter_that_was_erased_on_the_way(office: PostOffice, catcher: Catcher) -> None:
    number = office.write()
    key = office.rows()[0].address_key
    with office.store.writing() as tx:
        (letter,) = letters.due(tx, datetime.now(UTC), 1)
        letters.start(tx, [number], "w", datetime.now(UTC) + timedelta(hours=1))
    with office.store.writing() as tx:
        letters.forget(tx, key)
    with office.store.writing() as tx:
        assert not letters.end(tx, letter, "w", DeliveryState.ACCEPTED, "", datetime.now(UTC))
    assert office.rows() == []


def test_signed_like_any_mail(office: PostOffice, catcher: Catcher) -> None:
    pem = new_key("ed25519")
    postman = office.postman()
    postman.signers = [prepare_signer("news.example.org", "s1", pem)]
    office.write(LetterKind.WELCOME)
    office.post(postman)
    (caught,) = catcher.messages
    record = public_record(pem).encode()
    assert dkim.verify(caught.content, dnsfunc=lambda *_, **__: record)


def test_no_relay(office: PostOffice) -> None:
    office.write()
    assert office.having(relays=()).post().held == "the site has no relay"
