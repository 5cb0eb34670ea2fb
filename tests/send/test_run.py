"""Sending over real SMTP: every recipient has an end, and each a truthful one."""

from __future__ import annotations

import email
import email.policy
from collections import Counter
from datetime import UTC, datetime, timedelta

import dkim
import pytest

from mailout.core.delivery import DeliveryState
from mailout.core.dispatch import DispatchState
from mailout.core.dkim import new_key, prepare_signer, public_record
from mailout.core.event import EventKind
from mailout.core.subscription import SubscriptionState
from mailout.core.suppression import SuppressionReason
from mailout.core.token import read_return_path
from mailout.preferences.leaving import leave
from mailout.send import run
from mailout.smtp.catcher import Catcher, Faults
from mailout.store import deliveries, dispatches, events, people, roster, suppressions
from newcomers import join
from send_desk import Desk, take

NOW = datetime.now(UTC)


def states(desk: Desk, issue_id: int) -> dict[DeliveryState, int]:
    with desk.store.reading() as tx:
        return deliveries.count(tx, issue_id=issue_id)


def caught(catcher: Catcher) -> Counter[str]:
    return Counter(message.recipients[0] for message in catcher.messages)


def test_everyone_gets_it_once(desk: Desk, catcher: Catcher) -> None:
    desk = desk.toward(catcher, connections=4)
    addresses = desk.people(30)
    issue = desk.issue()
    ending = desk.send(desk.enqueue(issue))
    assert ending.counts == {DeliveryState.ACCEPTED: 30}
    assert caught(catcher) == Counter(addresses)
    assert all(len(message.recipients) == 1 for message in catcher.messages)


def test_a_second_dispatch_mails_nobody_twice(desk: Desk, catcher: Catcher) -> None:
    desk = desk.toward(catcher)
    desk.people(5)
    issue = desk.issue()
    desk.send(desk.enqueue(issue))
    late = join(desk.store, desk.site, "late@example.org").address
    again = desk.enqueue(issue)
    assert again.left_out == {"have it already": 5}
    desk.send(again)
    assert caught(catcher)[late] == 1
    assert set(caught(catcher).values()) == {1}


def test_what_the_message_says_of_itself(desk: Desk, catcher: Catcher) -> None:
    desk = desk.toward(catcher)
    anna = join(desk.store, desk.site, "anna@example.org", language="ru")
    desk.send(desk.enqueue(desk.issue()))
    (got,) = catcher.messages
    message = email.message_from_bytes(got.content, policy=email.policy.default)
    assert message["Subject"] == "Subject ru"
    assert message["To"] == "anna@example.org"
    assert message["List-Unsubscribe"] == f"<{desk.site.identity.url}/u/{anna.token}>"
    local, _, domain = got.sender.partition("@")
    token = local.partition("+")[2]
    delivery = read_return_path(desk.site.keys.return_path, token, "bulletin")
    with desk.store.reading() as tx:
        (row,) = deliveries.listed(tx, 1)
    assert delivery == row.id
    assert domain == desk.site.identity.message_id_domain
    assert message["Message-ID"].endswith(f"@{domain}>")
    assert b"everyone" not in got.content, "no segment is named"


def test_what_arrives_is_signed_by_every_key(desk: Desk, catcher: Catcher) -> None:
    keys = {"r1": new_key("rsa"), "e1": new_key("ed25519")}
    signers = [prepare_signer("news.example.org", name, pem) for name, pem in keys.items()]
    desk = desk.toward(catcher)
    desk.people(2)
    join(desk.store, desk.site, "инфо@example.org", language="ru")
    issue = desk.issue(text="Ереуіл жалғасуда. " * 30)
    desk.send(desk.enqueue(issue), signers=signers)

    def dns(name: bytes, timeout: int = 5) -> bytes:
        return public_record(keys[name.split(b".")[0].decode()]).encode()

    assert len(catcher.messages) == 3
    for message in catcher.messages:
        assert message.content.count(b"DKIM-Signature:") == 2
        for number in (0, 1):
            assert dkim.DKIM(message.content).verify(idx=number, dnsfunc=dns)
        forged = b"List-Unsubscribe: <https://evil.example/>\r\n" + message.content
        assert not dkim.DKIM(forged).verify(idx=0, dnsfunc=dns)


def test_refusals_are_kept_with_the_servers_words(desk: Desk) -> None:
    rules = {"gone.example.net": "550 5.1.1 nobody of this name"}
    with Catcher(rules=rules, data_rules={"full.example.net": "552 5.2.2 mailbox full"}) as catcher:
        desk = desk.toward(catcher)
        desk.people(2)
        desk.people(2, "gone.example.net")
        desk.people(1, "full.example.net")
        issue = desk.issue()
        ending = desk.send(desk.enqueue(issue))
        assert ending.counts == {DeliveryState.ACCEPTED: 2, DeliveryState.REFUSED: 3}
        with desk.store.reading() as tx:
            log = events.listed(tx, [EventKind.REFUSED])
        assert {(e.code, e.enhanced, e.text) for e in log} == {
            (550, "5.1.1", "nobody of this name"),
            (552, "5.2.2", "mailbox full"),
        }
        assert {e.provider for e in log} == {"gone.example.net", "full.example.net"}
        assert all(e.issue == "w47" and e.address for e in log)


def test_greylisting_is_waited_out_with_the_same_message_id(desk: Desk) -> None:
    with Catcher(faults=Faults(defer_first=1)) as catcher:
        desk = desk.toward(catcher, retry_minutes=(0,))
        desk.people(3)
        issue = desk.issue()
        dispatch = desk.enqueue(issue)
        ending = desk.send(dispatch)
        while ending.counts.get(DeliveryState.QUEUED):
            ending = desk.send(dispatch)
        assert ending.counts == {DeliveryState.ACCEPTED: 3}
        with desk.store.reading() as tx:
            assert len(events.listed(tx, [EventKind.DEFERRED])) == 3
            assert {row.attempts for row in deliveries.listed(tx, issue.id)} == {2}


def test_deferred_ones_stay_queued_and_say_when(desk: Desk) -> None:
    with Catcher(rules={"example.org": "451 4.3.0 later"}) as catcher:
        desk = desk.toward(catcher, retry_minutes=(30,))
        desk.people(2)
        dispatch = desk.enqueue(desk.issue())
        ending = desk.send(dispatch)
        assert ending.counts == {DeliveryState.QUEUED: 2}
        assert ending.next_due is not None
        wait = ending.next_due - datetime.now(UTC)
        assert timedelta(minutes=29) < wait < timedelta(minutes=37)
        with desk.store.reading() as tx:
            assert dispatches.get(tx, dispatch.id).state is DispatchState.SENDING
        assert desk.send(dispatch).counts == {DeliveryState.QUEUED: 2}, "not due, not tried"
        with desk.store.reading() as tx:
            assert len(events.listed(tx, [EventKind.DEFERRED])) == 2


def test_retries_end_in_expired(desk: Desk) -> None:
    with Catcher(rules={"example.org": "451 4.3.0 later"}) as catcher:
        desk = desk.toward(catcher, retry_minutes=(60,), max_age_hours=0)
        desk.people(1)
        issue = desk.issue()
        assert desk.send(desk.enqueue(issue)).counts == {DeliveryState.EXPIRED: 1}
        with desk.store.reading() as tx:
            (event,) = events.listed(tx, [EventKind.EXPIRED])
        assert event.text == "later"


@pytest.mark.parametrize("moment", ["mail", "data", "body"])
def test_a_server_that_hangs_up_costs_nobody_their_mail(desk: Desk, moment: str) -> None:
    with Catcher(faults=Faults(close=moment, times=2)) as catcher:  # type: ignore[arg-type]
        desk = desk.toward(catcher, connections=1, retry_minutes=(0,))
        addresses = desk.people(6)
        dispatch = desk.enqueue(desk.issue())
        ending = desk.send(dispatch)
        for _ in range(5):
            if not ending.counts.get(DeliveryState.QUEUED):
                break
            ending = desk.send(dispatch)
        assert ending.counts == {DeliveryState.ACCEPTED: 6}
        assert set(caught(catcher)) == set(addresses)


def test_an_answer_lost_after_the_body_comes_twice_with_one_id_at_most(desk: Desk) -> None:
    with Catcher(faults=Faults(close="end", times=1)) as catcher:
        desk = desk.toward(catcher, connections=1, retry_minutes=(0,))
        addresses = desk.people(3)
        dispatch = desk.enqueue(desk.issue())
        ending = desk.send(dispatch)
        while ending.counts.get(DeliveryState.QUEUED):
            ending = desk.send(dispatch)
        assert ending.counts == {DeliveryState.ACCEPTED: 3}
        assert set(caught(catcher)) == set(addresses)
        ids: dict[str, set[str]] = {}
        for message in catcher.messages:
            parsed = email.message_from_bytes(message.content)
            ids.setdefault(message.recipients[0], set()).add(parsed["Message-ID"])
        assert all(len(found) == 1 for found in ids.values())
        with desk.store.reading() as tx:
            assert len(events.listed(tx, [EventKind.UNKNOWN])) == 1


def test_a_relay_that_is_down_holds_the_issue(desk: Desk, catcher: Catcher) -> None:
    gone = desk.toward(catcher)
    catcher.stop()
    gone.people(3)
    dispatch = gone.enqueue(gone.issue())
    ending = gone.send(dispatch)
    assert "no server answers there" in ending.held
    assert ending.counts == {DeliveryState.QUEUED: 3}
    with gone.store.reading() as tx:
        held = dispatches.get(tx, dispatch.id)
    assert (held.state, held.held_why) == (DispatchState.HELD, ending.held)
    with Catcher() as back:
        assert gone.toward(back).send(dispatch).counts == {DeliveryState.ACCEPTED: 3}


def test_a_relay_that_wants_a_password_blames_no_reader(desk: Desk) -> None:
    with Catcher(faults=Faults(credentials=("user", "secret"))) as catcher:
        desk = desk.toward(catcher)
        desk.people(2)
        issue = desk.issue()
        ending = desk.send(desk.enqueue(issue))
        assert "wants a password" in ending.held
        assert ending.counts == {DeliveryState.QUEUED: 2}
        with desk.store.reading() as tx:
            assert events.listed(tx, [EventKind.REFUSED]) == []


def test_answering_421_puts_off(desk: Desk) -> None:
    with Catcher(faults=Faults(busy=True, times=2)) as catcher:
        desk = desk.toward(catcher, connections=1, retry_minutes=(0,))
        desk.people(4)
        dispatch = desk.enqueue(desk.issue())
        ending = desk.send(dispatch)
        while ending.counts.get(DeliveryState.QUEUED):
            ending = desk.send(dispatch)
        assert ending.counts == {DeliveryState.ACCEPTED: 4}


def test_who_leaves_after_the_queueing_is_skipped(desk: Desk, catcher: Catcher) -> None:
    desk = desk.toward(catcher)
    desk.people(2)
    left = join(desk.store, desk.site, "left@example.org")
    stopped = join(desk.store, desk.site, "stopped@example.org")
    erased = join(desk.store, desk.site, "erased@example.org")
    issue = desk.issue()
    dispatch = desk.enqueue(issue)
    leave(desk.store, desk.site.keys, left.token, NOW, source="page")
    with desk.store.writing() as tx:
        suppressions.add(tx, stopped.address_key, SuppressionReason.COMPLAINED, NOW)
        people.remove(tx, [erased.id])
    ending = desk.send(dispatch)
    assert ending.counts == {DeliveryState.ACCEPTED: 2, DeliveryState.SKIPPED: 3}
    with desk.store.reading() as tx:
        why = {row.reason for row in deliveries.listed(tx, issue.id, DeliveryState.SKIPPED)}
    assert why == {"unsubscribed", "suppressed", "erased"}


def test_who_is_left_out_and_why(desk: Desk, catcher: Catcher) -> None:
    desk = desk.toward(catcher)
    desk.people(1)
    join(desk.store, desk.site, "pending@example.org", state=SubscriptionState.PENDING)
    join(desk.store, desk.site, "paused@example.org", state=SubscriptionState.PAUSED)
    join(desk.store, desk.site, "gone@example.org", state=SubscriptionState.UNSUBSCRIBED)
    stopped = join(desk.store, desk.site, "stopped@example.org")
    tagged = join(desk.store, desk.site, "tagged@example.org")
    with desk.store.writing() as tx:
        suppressions.add(tx, stopped.address_key, SuppressionReason.BY_HAND, NOW)
        roster.add_tags(tx, {tagged.id: ["journalists"]})
    dispatch = desk.enqueue(desk.issue(), exclude="journalists")
    assert dispatch.left_out == {
        "not confirmed": 1,
        "paused by the reader": 1,
        "unsubscribed": 1,
        "suppressed": 1,
        "excluded": 1,
    }
    assert desk.send(dispatch).counts == {DeliveryState.ACCEPTED: 1}


def test_a_stop_leaves_the_rest_queued_and_is_gone_on_with(desk: Desk, catcher: Catcher) -> None:
    desk = desk.toward(catcher, connections=1)
    desk.people(60)  # three times what one connection may have in doubt
    dispatch = desk.enqueue(desk.issue())
    ending = desk.send(dispatch, stop_after=1)
    assert ending.stopped
    done = ending.counts[DeliveryState.ACCEPTED]
    assert 1 <= done < 60
    assert ending.counts[DeliveryState.QUEUED] == 60 - done
    assert desk.send(dispatch).counts == {DeliveryState.ACCEPTED: 60}
    assert set(caught(catcher).values()) == {1}


def test_a_dead_workers_deliveries_go_on_at_once(desk: Desk, catcher: Catcher) -> None:
    desk = desk.toward(catcher)
    desk.people(4)
    issue = desk.issue()
    dispatch = desk.enqueue(issue)
    lease = datetime.now(UTC) + timedelta(hours=1)
    folder = desk.site.root / "build" / "workers"
    folder.mkdir(parents=True)
    (folder / "deadbeef.lock").touch()  # its lock fell with the process
    with desk.store.writing() as tx:
        take(tx, dispatch.id, "deadbeef", datetime.now(UTC), lease, 1)
    assert states(desk, issue.id) == {DeliveryState.SENDING: 1, DeliveryState.QUEUED: 3}
    assert desk.send(dispatch).counts == {DeliveryState.ACCEPTED: 4}
    with desk.store.reading() as tx:
        (event,) = events.listed(tx, [EventKind.UNKNOWN])
        attempts = Counter(row.attempts for row in deliveries.listed(tx, issue.id))
    assert "died with the message on the wire" in event.text
    assert attempts == Counter({1: 3, 2: 1})


def test_a_living_workers_deliveries_are_left_alone(desk: Desk, catcher: Catcher) -> None:
    desk = desk.toward(catcher)
    desk.people(4)
    issue = desk.issue()
    dispatch = desk.enqueue(issue)
    lease = datetime.now(UTC) + timedelta(hours=1)
    with desk.store.writing() as tx:
        take(tx, dispatch.id, "elsewhere", datetime.now(UTC), lease, 3)
    ending = desk.send(dispatch)
    assert ending.counts == {DeliveryState.ACCEPTED: 1, DeliveryState.SENDING: 3}
    with desk.store.reading() as tx:
        assert dispatches.get(tx, dispatch.id).state is DispatchState.SENDING


def test_an_address_that_no_header_can_hold_is_refused_alone(desk: Desk, catcher: Catcher) -> None:
    desk = desk.toward(catcher)
    desk.people(1)
    join(desk.store, desk.site, "=?utf-8?q?x?=@example.org")
    ending = desk.send(desk.enqueue(desk.issue()))
    assert ending.counts == {DeliveryState.ACCEPTED: 1, DeliveryState.REFUSED: 1}


def test_another_script_needs_a_server_that_takes_it(desk: Desk, catcher: Catcher) -> None:
    desk = desk.toward(catcher)
    join(desk.store, desk.site, "инфо@example.org")
    join(desk.store, desk.site, "info@письмо.example.org")
    assert desk.send(desk.enqueue(desk.issue())).counts == {DeliveryState.ACCEPTED: 2}
    assert set(caught(catcher)) == {"инфо@example.org", "info@xn--h1aigbl0e.example.org"}


def test_progress_counts_up_to_the_total(desk: Desk, catcher: Catcher) -> None:
    desk = desk.toward(catcher)
    desk.people(7)
    seen: list[int] = []
    desk.send(desk.enqueue(desk.issue()), lambda p: seen.append(sum(p.done.values())))
    assert seen[-1] == 7 and seen == sorted(seen)


def test_who_leaves_while_the_send_runs_gets_nothing_more(desk: Desk, catcher: Catcher) -> None:
    desk = desk.toward(catcher, connections=1)
    desk.people(60)
    last = join(desk.store, desk.site, "last@example.org")
    issue = desk.issue()
    dispatch = desk.enqueue(issue)
    left: list[object] = []

    def leaving(progress: run.Progress) -> None:
        # At most two windows of 20 are marked `sending` by now; this one is the last of 61.
        if not left:
            left.append(leave(desk.store, desk.site.keys, last.token, NOW, source="one-click"))

    ending = desk.send(dispatch, leaving)
    assert ending.counts == {DeliveryState.ACCEPTED: 60, DeliveryState.SKIPPED: 1}
    assert last.address not in caught(catcher)
    with desk.store.reading() as tx:
        (row,) = deliveries.listed(tx, issue.id, DeliveryState.SKIPPED)
    assert (row.reason, row.attempts) == ("unsubscribed", 0)
