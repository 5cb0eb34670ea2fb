"""Pause, resume, cancel, resend, resolve - also while a sender is at work."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mailout.core.delivery import DeliveryState
from mailout.core.dispatch import DispatchState
from mailout.core.errors import MailoutError
from mailout.core.issue import IssueState
from mailout.core.site import Relay
from mailout.send import control, plan
from mailout.send.run import Progress
from mailout.smtp.catcher import Catcher, Faults
from mailout.store import deliveries, dispatches, issues
from mailout.store.issues import Issue
from send_desk import Desk

NOW = datetime.now(UTC)


def slowly(desk: Desk, catcher: Catcher) -> Desk:
    """A relay that is given twenty a second, so that there is a middle of the send."""
    relay = Relay(host="127.0.0.1", port=catcher.port, tls="none", connections=1, per_minute=1200)
    return Desk(replace(desk.site, relays=(relay,)), desk.store)


def states(desk: Desk, issue: Issue) -> dict[DeliveryState, int]:
    with desk.store.reading() as tx:
        return deliveries.count(tx, issue_id=issue.id)


def caught(catcher: Catcher) -> Counter[str]:
    return Counter(message.recipients[0] for message in catcher.messages)


def test_a_pause_takes_effect_within_a_second_and_resume_goes_on(
    desk: Desk, catcher: Catcher
) -> None:
    desk = slowly(desk, catcher)
    desk.people(80)
    issue = desk.issue()
    dispatch = desk.enqueue(issue)
    paused: list[float] = []

    def watch(progress: Progress) -> None:
        if progress.done and not paused:
            control.pause(desk.store, issue)
            paused.append(time.monotonic())

    ending = desk.send(dispatch, watch)
    assert time.monotonic() - paused[0] < 3.0
    assert ending.state is DispatchState.PAUSED
    assert set(ending.counts) == {DeliveryState.ACCEPTED, DeliveryState.QUEUED}
    assert ending.counts[DeliveryState.ACCEPTED] == len(catcher.messages)
    assert sum(ending.counts.values()) == 80
    assert desk.send(dispatch).counts == ending.counts, "nothing goes out while it rests"
    control.resume(desk.store, issue, "", NOW)
    fast = desk.toward(catcher)
    assert fast.send(dispatch).counts == {DeliveryState.ACCEPTED: 80}
    assert set(caught(catcher).values()) == {1}


def test_cancelling_in_the_middle_leaves_exact_counts(desk: Desk, catcher: Catcher) -> None:
    desk = slowly(desk, catcher)
    desk.people(80)
    issue = desk.issue()
    dispatch = desk.enqueue(issue)
    cancelled: list[float] = []

    def watch(progress: Progress) -> None:
        if progress.done and not cancelled:
            control.cancel(desk.store, issue, "", NOW)
            cancelled.append(time.monotonic())

    ending = desk.send(dispatch, watch)
    assert time.monotonic() - cancelled[0] < 3.0
    assert ending.state is DispatchState.CANCELLED
    assert set(ending.counts) == {DeliveryState.ACCEPTED, DeliveryState.CANCELLED}
    assert ending.counts[DeliveryState.ACCEPTED] == len(catcher.messages) < 80
    assert sum(ending.counts.values()) == 80
    with desk.store.reading() as tx:
        assert issues.get(tx, issue.id).state is IssueState.SENT, "some have it"


def test_cancelling_before_anything_went_out_frees_the_posts(desk: Desk, catcher: Catcher) -> None:
    desk = desk.toward(catcher)
    desk.people(3)
    issue = desk.issue()
    desk.enqueue(issue)
    with desk.store.reading() as tx:
        assert issues.posts_in_sent(tx, "bulletin") == {"p"}
    control.cancel(desk.store, issue, "", NOW)
    assert states(desk, issue) == {DeliveryState.CANCELLED: 3}
    with desk.store.writing() as tx:
        assert control.settle_cancelled(tx, issue.id, NOW, whole=True)
        assert issues.get(tx, issue.id).state is IssueState.CANCELLED
        assert issues.posts_in_sent(tx, "bulletin") == set()
        issue = issues.get(tx, issue.id)
    with pytest.raises(MailoutError, match="no send of w47 is unfinished"):
        control.cancel(desk.store, issue, "", NOW)


def test_what_is_not_so_cannot_be_changed(desk: Desk, catcher: Catcher) -> None:
    desk = desk.toward(catcher)
    desk.people(1)
    issue = desk.issue()
    desk.send(desk.enqueue(issue))
    with desk.store.reading() as tx:
        issue = issues.get(tx, issue.id)
    for change in (
        lambda: control.pause(desk.store, issue),
        lambda: control.resume(desk.store, issue, "", NOW),
        lambda: control.cancel(desk.store, issue, "", NOW),
    ):
        with pytest.raises(MailoutError, match="no send of w47"):
            change()


def test_missing_ones_are_sent_again_and_nobody_else(desk: Desk) -> None:
    rules = {"gone.example.net": "550 5.1.1 nobody", "busy.example.net": "451 4.3.0 later"}
    with Catcher(rules=rules) as catcher:
        desk = desk.toward(catcher, retry_minutes=(0,), max_age_hours=0)
        desk.people(3)
        desk.people(2, "gone.example.net")
        desk.people(4, "busy.example.net")
        issue = desk.issue()
        dispatch = desk.enqueue(issue)
        assert desk.send(dispatch).counts == {
            DeliveryState.ACCEPTED: 3, DeliveryState.REFUSED: 2, DeliveryState.EXPIRED: 4,
        }  # fmt: skip
        catcher.rules.pop("busy.example.net")
        chosen, count = control.resend(desk.store, issue, datetime.now(UTC))
        assert ([one.id for one in chosen], count) == ([dispatch.id], 4)
        assert desk.send(chosen[0]).counts == {
            DeliveryState.ACCEPTED: 7, DeliveryState.REFUSED: 2,
        }  # fmt: skip
        assert set(caught(catcher).values()) == {1}
        assert control.resend(desk.store, issue, NOW) == ([], 0)


def test_unknown_ends_are_held_for_a_person_if_the_site_says_so(desk: Desk) -> None:
    with Catcher(faults=Faults(close="end", times=2)) as catcher:
        desk = desk.toward(catcher, connections=1, unknown="hold")
        addresses = desk.people(6)
        issue = desk.issue()
        dispatch = desk.enqueue(issue)
        ending = desk.send(dispatch)
        assert ending.counts == {DeliveryState.ACCEPTED: 4, DeliveryState.UNKNOWN: 2}
        with desk.store.reading() as tx:
            lost = [row for row in deliveries.listed(tx, issue.id, DeliveryState.UNKNOWN)]
        first, second = (row.address_key for row in lost)
        assert control.resolve(desk.store, issue, first, True, NOW)
        assert not control.resolve(desk.store, issue, first, True, NOW)
        assert control.resolve(desk.store, issue, second, False, datetime.now(UTC))
        assert desk.send(dispatch).counts == {DeliveryState.ACCEPTED: 6}
        assert {lost[1].address} <= set(caught(catcher)) <= set(addresses)


def test_only_the_send_to_one_segment_rests(desk: Desk, catcher: Catcher) -> None:
    desk = desk.toward(catcher)
    desk.people(2)
    issue = desk.issue()
    dispatch = desk.enqueue(issue)
    with pytest.raises(MailoutError):
        control.pause(desk.store, issue, "unions")
    ((changed,), _) = control.pause(desk.store, issue, "everyone")
    assert (changed.id, changed.state) == (dispatch.id, DispatchState.PAUSED)


def test_a_scheduled_send_that_rests_over_its_time_begins_when_resumed(
    desk: Desk, catcher: Catcher
) -> None:
    desk = desk.toward(catcher)
    chosen = plan.choice(desk.site.lists["bulletin"], desk.issue().id, "everyone", "")
    at = datetime(2020, 1, 1, tzinfo=UTC)
    dispatch = plan.order(desk.store, chosen, "everyone", "", at, at)
    with desk.store.writing() as tx:
        issue = issues.get(tx, dispatch.issue_id)
    control.pause(desk.store, issue)
    (resumed,) = control.resume(desk.store, issue, "", NOW)
    assert (resumed.state, resumed.at) == (DispatchState.QUEUED, NOW)
    with desk.store.reading() as tx:
        assert dispatches.get(tx, dispatch.id).held_why == ""


def test_what_is_held_is_sent_again_with_the_missing(desk: Desk, catcher: Catcher) -> None:
    desk = desk.toward(catcher)
    desk.people(3)
    issue = desk.issue()
    dispatch = desk.enqueue(issue)
    catcher.stop()
    assert desk.send(dispatch).held
    chosen, count = control.resend(desk.store, issue, datetime.now(UTC))
    assert ([one.id for one in chosen], count) == ([dispatch.id], 0)
    assert chosen[0].state is DispatchState.SENDING


def test_an_issue_that_nobody_got_does_not_become_sent(desk: Desk) -> None:
    with Catcher(rules={"gone.example.net": "550 5.1.1 nobody"}) as catcher:
        desk = slowly(desk, catcher)
        desk.people(60, "gone.example.net")
        issue = desk.issue()
        dispatch = desk.enqueue(issue)
        cancelled: list[bool] = []

        def watch(progress: Progress) -> None:
            if progress.done and not cancelled:
                control.cancel(desk.store, issue, "", NOW)
                cancelled.append(True)

        ending = desk.send(dispatch, watch)
    assert set(ending.counts) == {DeliveryState.REFUSED, DeliveryState.CANCELLED}
    with desk.store.writing() as tx:
        assert issues.get(tx, issue.id).state is IssueState.COMPILED, "nobody has it"
        assert control.settle_cancelled(tx, issue.id, NOW, whole=True)
        assert issues.get(tx, issue.id).state is IssueState.CANCELLED


def test_what_was_called_off_is_sent_again_if_asked_for(desk: Desk, catcher: Catcher) -> None:
    desk = slowly(desk, catcher)
    desk.people(60)
    issue = desk.issue()
    dispatch = desk.enqueue(issue)
    cancelled: list[bool] = []

    def watch(progress: Progress) -> None:
        if progress.done and not cancelled:
            control.cancel(desk.store, issue, "", NOW)
            cancelled.append(True)

    left = desk.send(dispatch, watch).counts[DeliveryState.CANCELLED]
    assert control.resend(desk.store, issue, datetime.now(UTC)) == ([], 0), "they are not missing"
    now = datetime.now(UTC)
    (again,), count = control.resend(desk.store, issue, now, control.CANCELLED)
    assert (again.id, again.state, count) == (dispatch.id, DispatchState.SENDING, left)
    assert desk.toward(catcher).send(again).counts == {DeliveryState.ACCEPTED: 60}
    assert set(caught(catcher).values()) == {1}
