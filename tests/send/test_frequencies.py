"""Frequencies and pauses obeyed: when a dispatch is filled, and again when a delivery is due."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from mailout.core.delivery import DeliveryState
from mailout.core.dispatch import DispatchState, LeftOut
from mailout.core.frequency import MISSED, Frequency, told_in
from mailout.core.subscription import SubscriptionState
from mailout.send import control, digest, plan
from mailout.smtp.catcher import Catcher
from mailout.store import deliveries, digests, dispatches, issues, members
from mailout.store.digests import Missed
from mailout.store.dispatches import Dispatch
from mailout.store.issues import Flags
from newcomers import Newcomer, join
from send_desk import Desk

URGENT = Flags(urgent=True)
SKIPPED, ACCEPTED = DeliveryState.SKIPPED, DeliveryState.ACCEPTED


def person(desk: Desk, name: str, **values: object) -> Newcomer:
    """Somebody on the list, who has chosen that."""
    found = join(desk.store, desk.site, f"{name}@example.org")
    if values:
        choose(desk, found, **values)
    return found


def choose(desk: Desk, who: Newcomer, **values: object) -> None:
    with desk.store.writing() as tx:
        place = members.place(tx, who.id, "bulletin")
        assert place is not None
        members.set_up(tx, place.id, values)


def pause(desk: Desk, who: Newcomer, until: datetime | None) -> None:
    choose(desk, who, state=SubscriptionState.PAUSED, paused_until=until)


def ends(desk: Desk, dispatch: Dispatch) -> dict[str, tuple[str, str]]:
    """Of each person with a delivery its state and reason."""
    with desk.store.reading() as tx:
        listed = deliveries.listed(tx, dispatch.issue_id)
    return {str(one.address).partition("@")[0]: (one.state.value, one.reason) for one in listed}


def got(catcher: Catcher) -> Counter[str]:
    return Counter(message.recipients[0].partition("@")[0] for message in catcher.messages)


def of_each(desk: Desk) -> None:
    for frequency in Frequency:
        person(desk, str(frequency) or "every", frequency=frequency)


def test_who_waits_for_a_digest_has_a_skipped_delivery(desk: Desk, catcher: Catcher) -> None:
    of_each(desk)
    desk = desk.toward(catcher)
    dispatch = desk.enqueue(desk.issue())
    assert dispatch.left_out == {
        LeftOut.WEEKLY: 1, LeftOut.MONTHLY: 1, LeftOut.URGENT_ONLY: 1,
    }  # fmt: skip
    kept = (SKIPPED.value, MISSED)
    assert ends(desk, dispatch) == {"every": ("queued", ""), "weekly": kept, "monthly": kept}
    assert desk.send(dispatch).state is DispatchState.DONE
    assert got(catcher) == {"every": 1}
    with desk.store.reading() as tx:
        issue = issues.get(tx, dispatch.issue_id)
    _, again = control.resend(desk.store, issue, datetime.now(UTC))
    assert again == 0, "what a digest tells is not missing"


def test_what_is_urgent_reaches_all_but_the_paused(desk: Desk, catcher: Catcher) -> None:
    of_each(desk)
    pause(desk, person(desk, "away"), None)
    desk = desk.toward(catcher)
    dispatch = desk.enqueue(desk.issue(flags=URGENT))
    assert dispatch.left_out == {LeftOut.PAUSED: 1}
    desk.send(dispatch)
    assert got(catcher) == {"every": 1, "weekly": 1, "monthly": 1, "urgent": 1}


def test_what_is_queued_obeys_a_frequency_chosen_since(desk: Desk, catcher: Catcher) -> None:
    people = {name: person(desk, name) for name in ("stays", "weekly", "urgent", "back")}
    choose(desk, people["back"], frequency="weekly")
    desk = desk.toward(catcher)
    dispatch = desk.enqueue(desk.issue())
    choose(desk, people["weekly"], frequency="weekly")
    choose(desk, people["urgent"], frequency="urgent")
    choose(desk, people["back"], frequency="")
    desk.send(dispatch)
    assert got(catcher) == {"stays": 1}
    assert ends(desk, dispatch) == {
        "stays": ("accepted", ""),
        "weekly": ("skipped", MISSED),
        "urgent": ("skipped", LeftOut.URGENT_ONLY),
        "back": ("skipped", MISSED),
    }
    with desk.store.reading() as tx:
        (missed,) = digests.missed(tx, "bulletin", Frequency.WEEKLY, datetime.now(UTC))
        assert missed.name == "w47"


@pytest.mark.parametrize("flags", [URGENT, Flags(digest="weekly")])
def test_what_is_urgent_or_a_digest_is_not_held_back_from_who_has_it_queued(
    desk: Desk, catcher: Catcher, flags: Flags
) -> None:
    anna = person(desk, "anna")
    desk = desk.toward(catcher)
    dispatch = desk.enqueue(desk.issue(flags=flags))
    choose(desk, anna, frequency="monthly")
    desk.send(dispatch)
    assert got(catcher) == {"anna": 1}


def test_a_pause_that_is_over_keeps_nobody_from_an_issue(desk: Desk, catcher: Catcher) -> None:
    """No worker ran meanwhile."""
    now = datetime.now(UTC)
    back = person(desk, "back")
    pause(desk, back, now - timedelta(minutes=1))
    pause(desk, person(desk, "away"), now + timedelta(days=1))
    pause(desk, person(desk, "long"), None)
    desk = desk.toward(catcher)
    issue = desk.issue()
    chosen = plan.choice(desk.site.lists["bulletin"], issue.id, "everyone", "")
    assert plan.preview(desk.store, chosen, now).left_out == {LeftOut.PAUSED: 2}
    assert plan.preview(desk.store, chosen, now - timedelta(hours=1)).left_out == {
        LeftOut.PAUSED: 3
    }
    with desk.store.reading() as tx:
        place = members.place(tx, back.id, "bulletin")
    assert place is not None and place.state is SubscriptionState.PAUSED, "a look writes nothing"
    desk.send(desk.enqueue(issue))
    assert got(catcher) == {"back": 1}
    with desk.store.reading() as tx:
        place = members.place(tx, back.id, "bulletin")
    assert place is not None and place.state is SubscriptionState.ACTIVE


def test_a_pause_that_ends_while_an_issue_is_queued(desk: Desk, catcher: Catcher) -> None:
    now = datetime.now(UTC)
    back, away = person(desk, "back"), person(desk, "away")
    desk = desk.toward(catcher)
    dispatch = desk.enqueue(desk.issue())
    pause(desk, back, now - timedelta(seconds=1))
    pause(desk, away, now + timedelta(days=1))
    desk.send(dispatch)
    assert ends(desk, dispatch) == {"back": ("accepted", ""), "away": ("skipped", "paused")}


def weekly_digest(desk: Desk, name: str, *about: int) -> Dispatch:
    issue = desk.issue(name, flags=Flags(archived=False, digest="weekly"))
    missed = Missed(Frequency.WEEKLY, about)
    return digest.order(
        desk.store, desk.site.lists["bulletin"], issue, missed, datetime.now(UTC), {}
    )


def test_a_digest_goes_to_those_who_missed_what_it_tells(desk: Desk, catcher: Catcher) -> None:
    person(desk, "weekly", frequency="weekly")
    person(desk, "monthly", frequency="monthly")
    late = person(desk, "late")
    gone = person(desk, "gone", frequency="weekly")
    desk = desk.toward(catcher)
    first = desk.enqueue(desk.issue("w47"))
    desk.send(first)
    choose(desk, late, frequency="weekly")  # has it already
    choose(desk, gone, state=SubscriptionState.UNSUBSCRIBED)
    made = weekly_digest(desk, "w47-weekly", first.issue_id)
    assert made.left_out == {LeftOut.UNSUBSCRIBED: 1}
    assert (made.segment, made.state) == ("weekly readers", DispatchState.SENDING)
    again = weekly_digest(desk, "w47-weekly", first.issue_id)
    assert again.id == made.id, "two runs at once make one dispatch"
    desk.send(made)
    assert got(catcher) == {"late": 1, "weekly": 1}
    told = ends(desk, first)
    assert told["weekly"] == (SKIPPED.value, told_in("w47-weekly"))
    assert told["monthly"] == (SKIPPED.value, MISSED), "that is for another digest"
    with desk.store.reading() as tx:
        now = datetime.now(UTC)
        assert digests.missed(tx, "bulletin", Frequency.WEEKLY, now) == []
        assert [one.name for one in digests.missed(tx, "bulletin", Frequency.MONTHLY, now)] == [
            "w47"
        ]
        assert issues.posts_in_sent(tx, "bulletin") == {"p"}
        assert dispatches.newest_sent_to(tx, "bulletin", "everyone") == first.issue_id
    assert weekly_digest(desk, "w48-weekly", first.issue_id).state is DispatchState.SENDING
    with desk.store.reading() as tx:
        assert deliveries.count(tx, issue_id=made.issue_id) == {ACCEPTED: 1}


def test_what_was_called_off_is_told_by_no_digest(desk: Desk) -> None:
    person(desk, "every")
    person(desk, "weekly", frequency="weekly")
    issue = desk.issue()
    desk.enqueue(issue)
    now = datetime.now(UTC)
    with desk.store.reading() as tx:
        assert [one.name for one in digests.missed(tx, "bulletin", Frequency.WEEKLY, now)]
    control.pause(desk.store, issue)
    with desk.store.reading() as tx:
        assert digests.missed(tx, "bulletin", Frequency.WEEKLY, now) == []
    control.resume(desk.store, issue, "", now)
    control.cancel(desk.store, issue, "", now)
    with desk.store.reading() as tx:
        assert digests.missed(tx, "bulletin", Frequency.WEEKLY, now) == []


def test_a_digest_that_was_called_off_told_nothing(desk: Desk) -> None:
    person(desk, "weekly", frequency="weekly")
    first = desk.enqueue(desk.issue())
    with desk.store.writing() as tx:
        dispatches.set_state(tx, first.id, DispatchState.DONE)
    made = weekly_digest(desk, "w47-weekly", first.issue_id)
    now = datetime.now(UTC)
    with desk.store.reading() as tx:
        assert digests.missed(tx, "bulletin", Frequency.WEEKLY, now) == []
        found = issues.get(tx, made.issue_id)
    control.cancel(desk.store, found, "", now)
    with desk.store.writing() as tx:
        assert control.settle_cancelled(tx, made.issue_id, now, whole=True)
        assert [one.name for one in digests.missed(tx, "bulletin", Frequency.WEEKLY, now)] == [
            "w47"
        ]
    weekly_digest(desk, "w47-weekly-2", first.issue_id)
    assert ends(desk, first)["weekly"] == (SKIPPED.value, told_in("w47-weekly-2"))
