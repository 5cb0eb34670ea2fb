"""Limits of relays and providers: kept over all senders, and nobody else is held up by them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from mailout.core.delivery import DeliveryState
from mailout.core.dispatch import DispatchState
from mailout.core.site import Provider, Relay
from mailout.send import control
from mailout.send.pace import Pace
from mailout.send.run import Progress
from mailout.smtp.catcher import Catcher
from mailout.store import buckets, claims, deliveries
from send_desk import Desk

NOW = datetime.now(UTC)
LEASE = NOW + timedelta(minutes=2)


def with_relay(desk: Desk, catcher: Catcher, **limits: object) -> Desk:
    relay = Relay(host="127.0.0.1", port=catcher.port, tls="none", connections=2, **limits)  # type: ignore[arg-type]
    return Desk(replace(desk.site, relays=(relay,)), desk.store)


def domains(catcher: Catcher) -> Counter[str]:
    return Counter(message.recipients[0].partition("@")[2] for message in catcher.messages)


def test_a_provider_with_a_limit_gets_its_mail_later_and_nobody_waits_for_it(
    desk: Desk, catcher: Catcher
) -> None:
    desk = desk.toward(catcher)
    slow = Provider(name="slow", domains=("slow.example.net",), per_minute=120)
    desk = Desk(replace(desk.site, providers=(slow,)), desk.store)
    desk.people(5, "slow.example.net")
    desk.people(20, "example.org")
    issue = desk.issue()
    seen: list[datetime] = []

    def watch(progress: object) -> None:
        if not seen and domains(catcher)["example.org"] == 20:
            seen.append(datetime.now(UTC))

    ending = desk.send(desk.enqueue(issue), watch)
    assert ending.counts == {DeliveryState.ACCEPTED: 25}
    assert ending.seconds >= 1.0, "two a second, and two at once"
    times = sorted(m.at for m in catcher.messages if "slow" in m.recipients[0])
    assert (times[-1] - times[0]).total_seconds() >= 1.0
    assert seen and seen[0] < times[-1], "the others did not wait"
    with desk.store.reading() as tx:
        assert {row.attempts for row in deliveries.listed(tx, issue.id)} == {1}


def test_a_provider_that_says_421_is_slowed_and_the_others_are_not(desk: Desk) -> None:
    rules = {"hasty.example.net": "450 4.7.28 you are sending too fast"}
    with Catcher(rules=rules) as catcher:
        desk = desk.toward(catcher, connections=1, retry_minutes=(1,))
        desk.people(100, "hasty.example.net")
        desk.people(30, "example.org")
        issue = desk.issue()
        dispatch = desk.enqueue(issue)
        ending = desk.send(dispatch, stop_after=50)
        assert domains(catcher) == Counter({"example.org": 30})
        assert ending.counts[DeliveryState.ACCEPTED] == 30
    with desk.store.reading() as tx:
        tried = Counter(row.attempts for row in deliveries.listed(tx, issue.id))
    assert tried[1] <= 30 + 20 + 5, "one window found out, the rest was put off untried"
    with desk.store.reading() as tx:
        (bucket,) = buckets.slowed(tx)
    assert (bucket.name, bucket.slowed) == ("to hasty.example.net", 1)


def test_a_rate_of_the_relay_holds_for_two_senders_together(desk: Desk, catcher: Catcher) -> None:
    desk = with_relay(desk, catcher, per_minute=600)
    desk.people(40)
    dispatch = desk.enqueue(desk.issue())
    one, two = Pace(desk.site), Pace(desk.site)
    label = desk.site.relays[0].label
    with desk.store.writing() as tx:
        due = datetime.now(UTC) + timedelta(seconds=1)
        found, _ = claims.due(tx.connection(), dispatch.id, due, 40)
        first = one.admit(lambda: tx, (), {label: found[:20]}, NOW)
    with desk.store.writing() as tx:
        second = two.admit(lambda: tx, (), {label: found[20:]}, NOW)
        later = two.admit(lambda: tx, (), {label: found[20:]}, NOW + timedelta(seconds=0.5))
    assert len(first.starts[label]) == 10, "a second's worth"
    assert first.waiting == {dispatch.id}, "some were left"
    assert len(second.starts[label]) == 0
    assert len(later.starts[label]) == 5
    assert first.waits[label] > NOW


def test_the_ceiling_of_the_day_ends_the_run_and_says_until_when(
    desk: Desk, catcher: Catcher
) -> None:
    desk = with_relay(desk, catcher, per_day=7)
    desk.people(20)
    dispatch = desk.enqueue(desk.issue())
    ending = desk.send(dispatch)
    assert ending.counts == {DeliveryState.ACCEPTED: 7, DeliveryState.QUEUED: 13}
    assert ending.rests_until is not None and ending.rests_until > datetime.now(UTC)
    assert not ending.held
    again = desk.send(dispatch)  # another process on the same day
    assert again.counts == ending.counts
    assert len(catcher.messages) == 7


def test_a_connection_ends_after_its_messages(desk: Desk, catcher: Catcher) -> None:
    desk = with_relay(desk, catcher, per_connection=5)
    desk.people(23)
    assert desk.send(desk.enqueue(desk.issue())).counts == {DeliveryState.ACCEPTED: 23}
    assert catcher.connections >= 5


def test_who_waits_for_a_provider_s_limit_is_told_apart(desk: Desk, catcher: Catcher) -> None:
    desk = desk.toward(catcher)
    slow = Provider(name="slow", domains=("slow.example.net",), per_minute=1)
    desk = Desk(replace(desk.site, providers=(slow,)), desk.store)
    desk.people(4, "slow.example.net")
    ending = desk.send(desk.enqueue(desk.issue()), stop_after=1)
    assert ending.counts == {DeliveryState.ACCEPTED: 1, DeliveryState.QUEUED: 3}
    assert ending.untried == 3


def test_a_pause_ends_a_run_that_waits_for_a_provider_s_limit(desk: Desk, catcher: Catcher) -> None:
    desk = desk.toward(catcher)
    slow = Provider(name="slow", domains=("slow.example.net",), per_minute=6)
    desk = Desk(replace(desk.site, providers=(slow,)), desk.store)
    desk.people(2, "slow.example.net")
    issue = desk.issue()
    dispatch = desk.enqueue(issue)
    paused: list[bool] = []

    def watch(progress: Progress) -> None:
        if progress.done and not paused:
            control.pause(desk.store, issue)
            paused.append(True)

    ending = desk.send(dispatch, watch)
    assert ending.state is DispatchState.PAUSED
    assert ending.seconds < 5.0
