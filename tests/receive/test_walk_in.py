"""The walk in: what comes back is kept, attributed, judged and acted upon, on either database."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from mailout.core.arrival import FoundBy
from mailout.core.consent import ConsentAction
from mailout.core.event import EventKind
from mailout.core.letter import LetterKind
from mailout.core.standing import Health
from mailout.core.subscription import SubscriptionState
from mailout.core.token import leave_paths
from mailout.preferences import rights
from mailout.receive import judging
from mailout.roster import suppressing
from mailout.store import bounces, consents, inbound, letters, records, suppressions
from mailout.store.bounces import Asked, Bounce
from returns import (
    BLOCKED,
    DEAD,
    FULL,
    age,
    came,
    come,
    complaint,
    dsn,
    identity_of,
    letter,
    path_of,
)
from walks_in import Sent

ANNA, BORIS = "p000@example.org", "p001@example.org"


def log(sent: Sent, *kinds: EventKind) -> list[Bounce]:
    with sent.store.reading() as tx:
        return bounces.listed(tx, Asked(kinds or tuple(EventKind)), 1000)[::-1]


def health(sent: Sent, address: str, now: datetime) -> Health:
    with sent.store.reading() as tx:
        return judging.standing_of(tx, sent.site, sent.person(address).id, now).health


def lived(sent: Sent) -> None:
    """Two readers, to whom an issue came long ago."""
    sent.desk.people(2)
    sent.send("w40")
    age(sent.store, 40)


def test_a_dead_report_pauses_a_probe_follows_and_the_second_stops(
    sent: Sent, now: datetime
) -> None:
    lived(sent)
    sent.send("w47")
    path = path_of(sent.site, sent.delivery(ANNA))
    done = come(sent.store, sent.site, now, dsn(path, ANNA), recipient=path)
    assert (done.kinds["bounce"], done.standings["paused"]) == (1, 1)
    assert sent.person(ANNA).bounce_paused_at == now
    [event] = log(sent, EventKind.BOUNCED)
    assert (event.category, event.code, event.enhanced) == ("no-mailbox", 550, "5.1.1")
    assert event.counts and event.text == "550 5.1.1 User unknown" and event.issue == "w47"
    # The next day's issue passes them over, as does any that was queued before the probe is due.
    sent.send("w47b")
    assert [one.address for one in sent.deliveries()] == [BORIS]
    # Four days later the next issue goes there all the same, and only that one.
    sent.rewind(4)
    sent.send("w48")
    assert [one.address for one in sent.deliveries()] == [ANNA, BORIS]
    sent.send("w48b")
    assert [one.address for one in sent.deliveries()] == [BORIS]
    path = path_of(sent.site, sent.delivery(ANNA, sent.issues[-2]))
    later = come(sent.store, sent.site, now, dsn(path, ANNA, nonce="2"), recipient=path)
    assert later.standings == {"stopped": 1}
    with sent.store.reading() as tx:
        assert suppressions.among(tx, [sent.person(ANNA).address_key], "other") == {
            sent.person(ANNA).address_key: "dead"
        }
    assert [one.kind for one in log(sent, EventKind.PAUSED, EventKind.STOPPED)] == [
        EventKind.PAUSED,
        EventKind.STOPPED,
    ]


def test_a_quiet_probe_makes_well(sent: Sent, now: datetime) -> None:
    lived(sent)
    sent.send("w47")
    path = path_of(sent.site, sent.delivery(ANNA))
    come(sent.store, sent.site, now, dsn(path, ANNA), recipient=path)
    sent.rewind(4)
    sent.send("w48")
    assert judging.lift_the_quiet(sent.store, sent.site, now + timedelta(days=2)) == {}
    assert judging.lift_the_quiet(sent.store, sent.site, now + timedelta(days=3.1)) == {"well": 1}
    assert sent.person(ANNA).bounce_paused_at is None
    assert log(sent)[-1].kind is EventKind.LIFTED


def test_an_address_where_nothing_ever_arrived_is_stopped_at_once(
    sent: Sent, now: datetime
) -> None:
    sent.desk.people(2)
    sent.send("w47")
    path = path_of(sent.site, sent.delivery(ANNA))
    done = come(sent.store, sent.site, now, dsn(path, ANNA), recipient=path)
    assert done.standings == {"stopped": 1}
    # An organiser knows better: then one report more is not the end.
    with sent.store.writing() as tx:
        assert records.lift(tx, sent.person(ANNA).id, now + timedelta(hours=1))
    assert health(sent, ANNA, now + timedelta(hours=2)) is Health.WELL
    assert judging.judge_refusals(sent.store, sent.site, sent.rules, now) == {}


def test_a_report_on_an_address_that_they_had_before_says_nothing_of_the_new_one(
    sent: Sent, now: datetime
) -> None:
    lived(sent)
    path = path_of(sent.site, sent.delivery(ANNA))
    sent.move(ANNA, "anna.new@example.net")
    done = come(sent.store, sent.site, now, dsn(path, ANNA), recipient=path)
    assert done.standings == {}
    assert health(sent, "anna.new@example.net", now) is Health.WELL


def test_lifting_the_suppression_makes_well_too(sent: Sent, now: datetime) -> None:
    sent.desk.people(2)
    sent.send("w47")
    path = path_of(sent.site, sent.delivery(ANNA))
    come(sent.store, sent.site, now, dsn(path, ANNA), recipient=path)
    suppressing.lift(sent.site, sent.store, ANNA, now + timedelta(hours=1))
    come(
        sent.store, sent.site, now + timedelta(hours=2), dsn(path, ANNA, nonce="2"), recipient=path
    )
    assert health(sent, ANNA, now + timedelta(hours=2)) is Health.WELL
    with sent.store.reading() as tx:
        assert suppressions.among(tx, [sent.person(ANNA).address_key], "bulletin") == {}


def test_full_boxes_score_and_what_is_about_us_does_not(sent: Sent, now: datetime) -> None:
    lived(sent)
    for week in range(4):
        sent.send(f"w{week}")
        for reader, said in ((ANNA, FULL), (BORIS, BLOCKED)):
            path = path_of(sent.site, sent.delivery(reader))
            come(
                sent.store, sent.site, now, dsn(path, reader, said, nonce=f"{week}"), recipient=path
            )
        sent.rewind(7)
    assert health(sent, ANNA, now) is Health.STOPPED
    assert health(sent, BORIS, now) is Health.WELL


def test_a_refusal_in_the_session_takes_the_same_way(sent: Sent, now: datetime) -> None:
    lived(sent)
    sent.catcher.rules[ANNA] = "550 5.1.1 User unknown"
    sent.catcher.rules[BORIS] = "554 5.7.1 Blocked, see our blocklist"
    sent.send("w47")
    done = judging.judge_refusals(sent.store, sent.site, sent.rules, now)
    assert done == {"paused": 1}
    assert {one.address: one.category for one in log(sent, EventKind.REFUSED)} == {
        ANNA: "no-mailbox",
        BORIS: "blocked-reputation",
    }
    assert judging.judge_refusals(sent.store, sent.site, sent.rules, now) == {}


# --- whose --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    [
        str,
        str.upper,
        lambda path: path.replace("+", "-", 1),
        lambda path: f"SRS0=x1y2=ab=example.org={path.partition('@')[0]}@forwarder.example.net",
        lambda path: f"prvs=1234abcdef={path}",
    ],
)
def test_a_return_path_is_known_however_it_was_rewritten(
    sent: Sent, now: datetime, written: object
) -> None:
    lived(sent)
    path = path_of(sent.site, sent.delivery(ANNA))
    changed = written(path)  # type: ignore[operator]
    come(sent.store, sent.site, now, dsn("x@example.org", "other@example.net"), recipient=changed)
    [mail] = came(sent.store)
    assert (mail.found_by, mail.address) == (FoundBy.RETURN_PATH, ANNA)


def test_the_head_of_a_returned_mail_tells_whose_it_is(sent: Sent, now: datetime) -> None:
    lived(sent)
    delivery, issue = sent.delivery(ANNA), sent.issues[-1]
    token = path_of(sent.site, delivery)
    identity = identity_of(sent.site, issue.id, delivery)
    link = f"{sent.site.leave_url}{sent.leave_token(ANNA)}"
    to = "abuse@example.org"
    come(
        sent.store,
        sent.site,
        now,
        dsn(to, ANNA, returned=f"X-Token: {token}\r\n", nonce="1"),
        dsn(to, ANNA, returned=f"Message-ID: {identity}\r\n", nonce="2"),
        dsn(to, "someone@example.net", returned=f"List-Unsubscribe: <{link}>\r\n", nonce="3"),
        dsn(to, ANNA, nonce="4"),
        dsn(to, "stranger@example.net", nonce="5"),
        dsn(to, "stranger@example.net", returned=f"Message-ID: {identity}\r\n", nonce="6"),
    )
    assert [(one.found_by, one.address) for one in came(sent.store)] == [
        ("token", ANNA),
        ("message-id", ANNA),
        ("link", ANNA),
        ("words", ANNA),
        ("", None),
        ("", None),
    ]


def test_words_alone_change_nothing(sent: Sent, now: datetime) -> None:
    sent.desk.people(2)
    sent.send("w47")
    done = come(sent.store, sent.site, now, dsn("x@example.org", ANNA), dsn("x@example.org", BORIS))
    assert done.standings == {}
    assert [one.counts for one in log(sent, EventKind.BOUNCED)] == [False, False]
    assert health(sent, ANNA, now) is Health.WELL
    # Nor does a second one, on another day and of a later issue.
    sent.rewind(4)
    sent.send("w48")
    done = come(sent.store, sent.site, now, dsn("x@example.org", ANNA, nonce="2"))
    assert done.standings == {} and len(log(sent, EventKind.BOUNCED)) == 3
    assert health(sent, ANNA, now) is Health.WELL


@pytest.mark.parametrize("place", range(0, 32, 5))
def test_a_forged_return_path_makes_the_whole_report_void(
    sent: Sent, now: datetime, place: int
) -> None:
    lived(sent)
    delivery, issue = sent.delivery(ANNA), sent.issues[-1]
    path = path_of(sent.site, delivery)
    at = path.index("+") + 1 + place
    forged = path[:at] + ("0" if path[at] != "0" else "1") + path[at + 1 :]
    identity = identity_of(sent.site, issue.id, delivery)
    raw = dsn(forged, ANNA, returned=f"Message-ID: {identity}\r\n")
    done = come(sent.store, sent.site, now, raw, recipient=forged)
    assert done.standings == {} and log(sent, EventKind.BOUNCED) == []
    assert came(sent.store)[0].found_by == FoundBy.FORGED


def test_whatever_is_not_ours_behind_the_plus_is_forged(sent: Sent, now: datetime) -> None:
    lived(sent)
    delivery, issue = sent.delivery(ANNA), sent.issues[-1]
    path = path_of(sent.site, delivery)
    head = f"Return-Path: <{path}>\r\nMessage-ID: {identity_of(sent.site, issue.id, delivery)}\r\n"
    local, _, domain = sent.site.return_path.partition("@")
    for number, made_up in enumerate(("x", "0" * 34, "0" * 31, "anna")):
        forged = f"{local}+{made_up}@{domain}"
        raw = dsn(forged, ANNA, returned=head, nonce=str(number))
        assert come(sent.store, sent.site, now, raw, recipient=forged).standings == {}
    assert {one.found_by for one in came(sent.store)} == {"forged"}
    assert log(sent, EventKind.BOUNCED) == []


def test_what_one_leaves_by_in_a_mail_may_do_nothing_else(sent: Sent, now: datetime) -> None:
    lived(sent)
    sent.send("w47")
    token = leave_paths(sent.site.keys.return_path, "bulletin")(sent.delivery(ANNA).id)
    local, _, domain = sent.site.return_path.partition("@")
    path = f"{local}+{token}@{domain}"
    head = f"List-Unsubscribe: <mailto:{path}?subject=unsubscribe>"
    # A report to it, or one that returns it, pauses nobody.
    come(sent.store, sent.site, now, dsn(path, ANNA), recipient=path)
    come(sent.store, sent.site, now, dsn("x@example.org", ANNA, returned=f"{head}\r\n"))
    assert health(sent, ANNA, now) is Health.WELL
    assert [one.found_by for one in came(sent.store)] == ["link", "link"]
    # A complaint that returns it leaves that list; so does a mail that asks for it.
    come(sent.store, sent.site, now, complaint("fbl@example.org", head))
    assert sent.person(ANNA).memberships[0].state is SubscriptionState.UNSUBSCRIBED
    with sent.store.reading() as tx:
        assert suppressions.among(tx, [sent.person(ANNA).address_key], "bulletin") == {}
    token = leave_paths(sent.site.keys.return_path, "bulletin")(sent.delivery(BORIS).id)
    path = f"{local}+{token}@{domain}"
    raw = letter(path, "boris.elsewhere@example.net", "unsubscribe", "")
    come(sent.store, sent.site, now, raw, recipient=path)
    assert sent.person(BORIS).memberships[0].state is SubscriptionState.UNSUBSCRIBED


def test_strangers_do_not_flood_the_contact(sent: Sent, now: datetime) -> None:
    lived(sent)
    mails = [
        letter("bounces@example.org", f"s{number}@example.net", f"Hello {number}", "Read me.")
        for number in range(30)
    ]
    come(sent.store, sent.site, now, *mails)
    assert len(contact_letters(sent, now)) == 20
    assert len(came(sent.store)) == 30


def test_a_token_of_another_list_is_none(sent: Sent, now: datetime) -> None:
    lived(sent)
    path = path_of(sent.site, sent.delivery(ANNA), "elsewhere")
    come(sent.store, sent.site, now, dsn(path, ANNA), recipient=path)
    assert came(sent.store)[0].found_by == FoundBy.FORGED


# --- kept once ----------------------------------------------------------------------------------


def test_a_mail_that_comes_by_two_ways_counts_once(sent: Sent, now: datetime) -> None:
    lived(sent)
    path = path_of(sent.site, sent.delivery(ANNA))
    raw = dsn(path, ANNA)
    come(sent.store, sent.site, now, raw, recipient=path)
    come(sent.store, sent.site, now, raw, recipient=path, source="imap")
    assert len(came(sent.store)) == 1
    # One that another server has put a line on is another mail, and tells nothing new.
    come(sent.store, sent.site, now, b"Received: by mx.example.net\r\n" + raw, recipient=path)
    assert len(came(sent.store)) == 2 and len(log(sent, EventKind.BOUNCED)) == 1


def test_looking_again_does_nothing_twice(sent: Sent, now: datetime) -> None:
    lived(sent)
    path = path_of(sent.site, sent.delivery(ANNA))
    come(
        sent.store,
        sent.site,
        now,
        dsn(path, ANNA),
        letter(path, ANNA, "Re: Strike", "I agree, and so do my colleagues."),
        recipient=path,
    )
    before = [(one.kind, one.category, one.at) for one in log(sent)]
    with sent.store.writing() as tx:
        assert inbound.again(tx) == 2
    come(sent.store, sent.site, now + timedelta(days=1))
    assert sorted((one.kind, one.category, one.at) for one in log(sent)) == sorted(before)
    assert len(contact_letters(sent, now)) == 1


# --- people -------------------------------------------------------------------------------------


def contact_letters(sent: Sent, now: datetime) -> list[letters.Notice]:
    with sent.store.reading() as tx:
        return letters.notices(tx, LetterKind.REPLY, now - timedelta(days=1))


def test_a_reply_is_life_and_goes_to_the_contact(sent: Sent, now: datetime) -> None:
    lived(sent)
    sent.send("w47")
    path = path_of(sent.site, sent.delivery(ANNA))
    come(sent.store, sent.site, now, dsn(path, ANNA), recipient=path)
    assert health(sent, ANNA, now) is Health.PAUSED
    raw = letter(path, "anna.elsewhere@example.net", "Re: Strike", "Thank you. We will be there.")
    done = come(sent.store, sent.site, now + timedelta(hours=1), raw, recipient=path)
    assert done.standings == {"well": 1}
    [written] = contact_letters(sent, now)
    assert written.subject == "Reply: Re: Strike"
    with sent.store.reading() as tx:
        due = letters.due(tx, now + timedelta(hours=2), 10)
    [posted] = [one for one in due if one.kind is LetterKind.REPLY]
    assert "Thank you. We will be there." in posted.said["text"]
    assert posted.said["answer_to"] == "anna.elsewhere@example.net"
    copy = rights.export(sent.store, sent.person(ANNA), now)
    assert [one["kind"] for one in copy["came_back"]] == ["reply", "bounce"]  # type: ignore[attr-defined]


def test_segments_know_who_replied(sent: Sent, now: datetime) -> None:
    lived(sent)
    path = path_of(sent.site, sent.delivery(ANNA))
    come(sent.store, sent.site, now, letter(path, ANNA, "Re: Strike", "I agree."), recipient=path)
    # A name alone proves nothing: it makes nobody one who replied.
    come(sent.store, sent.site, now, letter("x@example.org", BORIS, "Re: Strike", "I agree."))
    assert sent.members("replied(any issue)") == [ANNA]
    assert sent.members("replied(w40)") == [ANNA]


def test_our_own_letter_is_not_passed_on_again(sent: Sent, now: datetime) -> None:
    lived(sent)
    own = identity_of(sent.site, 7, sent.delivery(ANNA))
    raw = letter(
        "bounces@example.org", "news@example.org", "Reply: x", "Hello", f"Message-ID: {own}"
    )
    come(sent.store, sent.site, now, raw)
    assert contact_letters(sent, now) == []


def test_an_absent_reader_is_let_alone(sent: Sent, now: datetime) -> None:
    lived(sent)
    path = path_of(sent.site, sent.delivery(ANNA))
    raw = letter(path, ANNA, "Out of office", "I am away.", "Auto-Submitted: auto-replied")
    done = come(sent.store, sent.site, now, raw, recipient=path)
    assert done.kinds == {"auto-reply": 1} and done.standings == {}
    assert log(sent)[-1].kind is EventKind.AUTO_REPLIED and contact_letters(sent, now) == []


def test_leaving_by_mail(sent: Sent, now: datetime) -> None:
    lived(sent)
    path = path_of(sent.site, sent.delivery(ANNA))
    raw = letter(path, "anna.elsewhere@example.net", "unsubscribe", "")
    done = come(sent.store, sent.site, now, raw, recipient=path)
    assert done.kinds == {"unsubscribe": 1}
    anna = sent.person(ANNA)
    assert [one.state for one in anna.memberships] == [SubscriptionState.UNSUBSCRIBED]
    with sent.store.reading() as tx:
        last = consents.of_subscriber(tx, anna.id)[-1]
    assert (last.action, last.source) == (ConsentAction.LEFT, "mail")
    assert contact_letters(sent, now) == []


def test_asking_to_leave_without_a_proof_goes_to_the_contact(sent: Sent, now: datetime) -> None:
    lived(sent)
    come(sent.store, sent.site, now, letter("bounces@example.org", ANNA, "unsubscribe", ""))
    assert sent.person(ANNA).memberships[0].state is SubscriptionState.ACTIVE
    assert len(contact_letters(sent, now)) == 1


# --- complaints ---------------------------------------------------------------------------------


def test_a_complaint_stops_on_all_lists(sent: Sent, now: datetime) -> None:
    lived(sent)
    sent.send("w47")
    path = path_of(sent.site, sent.delivery(ANNA))
    come(sent.store, sent.site, now, complaint("fbl@example.org", f"Return-Path: <{path}>"))
    with sent.store.reading() as tx:
        key = sent.person(ANNA).address_key
        assert suppressions.among(tx, [key], "any") == {key: "complained"}
    assert log(sent)[-1].kind is EventKind.COMPLAINED
    with sent.store.writing() as tx:
        assert not records.lift(tx, sent.person(ANNA).id, now)


def test_with_the_link_alone_a_complaint_is_a_leave(sent: Sent, now: datetime) -> None:
    lived(sent)
    link = f"{sent.site.leave_url}{sent.leave_token(ANNA)}"
    come(sent.store, sent.site, now, complaint("fbl@example.org", f"List-Unsubscribe: <{link}>"))
    assert sent.person(ANNA).memberships[0].state is SubscriptionState.UNSUBSCRIBED
    with sent.store.reading() as tx:
        assert suppressions.among(tx, [sent.person(ANNA).address_key], "bulletin") == {}


def test_a_complaint_of_a_mail_of_long_ago_is_a_leave(sent: Sent, now: datetime) -> None:
    lived(sent)  # forty days ago: anybody may have been passed that mail
    path = path_of(sent.site, sent.delivery(ANNA))
    come(sent.store, sent.site, now, complaint(path, f"Return-Path: <{path}>"), recipient=path)
    assert sent.person(ANNA).memberships[0].state is SubscriptionState.UNSUBSCRIBED
    with sent.store.reading() as tx:
        assert suppressions.among(tx, [sent.person(ANNA).address_key], "bulletin") == {}
    told = {one.kind: one for one in log(sent, EventKind.COMPLAINED, EventKind.LEFT)}
    assert not told[EventKind.COMPLAINED].counts
    assert told[EventKind.LEFT].inbound_id == told[EventKind.COMPLAINED].inbound_id


def test_opting_out_by_a_feedback_report_leaves(sent: Sent, now: datetime) -> None:
    lived(sent)
    path = path_of(sent.site, sent.delivery(ANNA))
    raw = complaint("fbl@example.org", f"Return-Path: <{path}>", "opt-out")
    come(sent.store, sent.site, now, raw)
    assert sent.person(ANNA).memberships[0].state is SubscriptionState.UNSUBSCRIBED


def test_a_failed_authentication_is_told_to_the_contact(sent: Sent, now: datetime) -> None:
    lived(sent)
    path = path_of(sent.site, sent.delivery(ANNA))
    raw = complaint("fbl@example.org", f"Return-Path: <{path}>", "auth-failure")
    come(sent.store, sent.site, now, raw)
    with sent.store.reading() as tx:
        [alert] = letters.notices(tx, LetterKind.ALERT, now - timedelta(hours=1))
    assert "failed a check" in alert.subject
    assert sent.person(ANNA).memberships[0].state is SubscriptionState.ACTIVE


def test_many_complaints_of_an_issue_alarm_and_hold_the_rest(sent: Sent, now: datetime) -> None:
    addresses = sent.desk.people(6)
    issue = sent.send("w47")
    waiting = sent.desk.enqueue(issue, "unions")
    mails = [
        complaint("fbl@example.org", f"Return-Path: <{path_of(sent.site, sent.delivery(one))}>")
        for one in addresses[:3]
    ]
    come(sent.store, sent.site, now, *mails)
    with sent.store.reading() as tx:
        [alert] = letters.notices(tx, LetterKind.ALERT, now - timedelta(hours=1))
    assert alert.subject == "Complaints: w47"
    assert sent.state(waiting.id) == "held"


# --- providers ----------------------------------------------------------------------------------


def test_twenty_who_die_together_are_an_outage(sent: Sent, now: datetime) -> None:
    addresses = sent.desk.people(30)
    sent.send("w40")
    age(sent.store, 40)
    sent.send("w47")
    mails = [dsn(path_of(sent.site, sent.delivery(one)), one, nonce=one) for one in addresses[:20]]
    done = come(sent.store, sent.site, now, *mails[:19])
    assert done.standings["paused"] == 19
    done = come(sent.store, sent.site, now, mails[19])
    assert all(sent.person(one).bounce_paused_at is None for one in addresses)
    with sent.store.reading() as tx:
        alerts = letters.notices(tx, LetterKind.ALERT, now - timedelta(hours=1))
    assert [one.subject for one in alerts] == ["example.org seems to have an outage"]
    # What comes later in the outage counts against nobody either, and nothing is sent there.
    path = path_of(sent.site, sent.delivery(addresses[25]))
    come(
        sent.store, sent.site, now + timedelta(minutes=30), dsn(path, addresses[25]), recipient=path
    )
    assert sent.person(addresses[25]).bounce_paused_at is None
    sent.send("w48")
    assert {one.state for one in sent.deliveries()} == {"queued"}
    sent.resume("example.org", now)
    sent.send_again()
    assert "accepted" in {one.state for one in sent.deliveries()}


def test_a_provider_that_blocks_us_rests_and_no_reader_is_paused(sent: Sent, now: datetime) -> None:
    addresses = sent.desk.people(8)
    sent.send("w40")
    age(sent.store, 40)
    sent.send("w47")
    mails = [
        dsn(path_of(sent.site, sent.delivery(one)), one, BLOCKED, nonce=one)
        for one in addresses[:5]
    ]
    assert come(sent.store, sent.site, now, *mails).standings == {}
    with sent.store.reading() as tx:
        [alert] = letters.notices(tx, LetterKind.ALERT, now - timedelta(hours=1))
    assert alert.subject == "example.org blocks our mail"


# --- nothing of the erased ----------------------------------------------------------------------


def test_no_mail_that_names_an_erased_person_is_kept(sent: Sent, now: datetime) -> None:
    lived(sent)
    path = path_of(sent.site, sent.delivery(ANNA))
    come(
        sent.store,
        sent.site,
        now,
        dsn(path, ANNA),
        letter("x@example.org", "other@example.net", "About somebody", f"Write to {ANNA}."),
        letter("x@example.org", "other@example.net", "About nobody", "Nothing."),
    )
    sent.erase(ANNA, now)
    assert [one.said for one in came(sent.store)] == ["About nobody"]
    assert came(sent.store)[0].address is None
    # A report about the person that comes later changes nothing, and breaks nothing.
    come(sent.store, sent.site, now, dsn(path, ANNA, DEAD, nonce="late"), recipient=path)
    assert came(sent.store)[-1].address is None


def test_the_address_in_the_mail_itself_leaves(sent: Sent, now: datetime) -> None:
    sent.leave_by_mail()
    sent.desk.people(2)
    sent.send("w47")
    [header] = [
        str(message["List-Unsubscribe"]) for message in sent.caught() if message["To"] == ANNA
    ]
    path = header.partition("<mailto:")[2].partition("?subject=unsubscribe>")[0]
    assert path.startswith(sent.site.return_path.partition("@")[0] + "+")
    come(sent.store, sent.site, now, letter(path, ANNA, "unsubscribe", ""), recipient=path)
    assert sent.person(ANNA).memberships[0].state is SubscriptionState.UNSUBSCRIBED
    assert sent.person(BORIS).memberships[0].state is SubscriptionState.ACTIVE
