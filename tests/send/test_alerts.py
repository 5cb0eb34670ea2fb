"""What a list's contact is told: how a send ended, and what is wrong, each not too often."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from letter_desk import PostOffice, read
from mailout.core.delivery import DeliveryState
from mailout.core.letter import Alarm, LetterKind
from mailout.core.subscription import SubscriptionState
from mailout.send import control
from mailout.smtp.catcher import Catcher
from mailout.store import contacts, dispatches, letters, people
from mailout.store.letters import Notice
from newcomers import join
from send_desk import Desk

NOW = datetime.now(UTC)
LONG_AGO = NOW - timedelta(days=1)


def notices(desk: Desk, kind: LetterKind) -> list[Notice]:
    with desk.store.reading() as tx:
        return letters.notices(tx, kind, LONG_AGO)


def test_a_report_tells_how_a_send_ended(desk: Desk) -> None:
    rules = {"p001@example.org": "550 5.1.1 nobody here"}
    with Catcher(rules=rules) as catcher:
        desk = desk.toward(catcher)
        desk.people(4)
        left = join(desk.store, desk.site, "left@example.org")
        join(desk.store, desk.site, "out@example.org", state=SubscriptionState.UNSUBSCRIBED)
        issue = desk.issue()
        dispatch = desk.enqueue(issue)
        with desk.store.writing() as tx:
            subscription = people.subscription_of_token(tx, left.token)
            assert subscription is not None
            people.set_state(tx, subscription.id, SubscriptionState.UNSUBSCRIBED, NOW)
        desk.send(dispatch)
        PostOffice(desk.site, desk.store).post()
        caught = catcher.messages[-1]
    assert caught.recipients == ("contact@news.example.org",)
    message = read(caught.content)
    assert message["Subject"] == "Sent: w47"
    lines = [" ".join(line.split()) for line in message.get_content().splitlines()]
    assert lines[0].startswith("w47 to bulletin/everyone is done, after ")
    assert {"3 sent", "1 refused", "1 skipped: unsubscribed", "1 left out: unsubscribed"} <= set(
        lines
    )
    assert "`mailout bounces list --issue w47` has what the servers said." in lines
    assert "p001" not in message.get_content()


def test_one_report_a_dispatch(desk: Desk, catcher: Catcher) -> None:
    desk = desk.toward(catcher)
    desk.people(2)
    issue = desk.issue()
    dispatch = desk.enqueue(issue)
    desk.send(dispatch)
    assert [one.subject for one in notices(desk, LetterKind.REPORT)] == ["Sent: w47"]
    control.resend(desk.store, issue, NOW, (DeliveryState.ACCEPTED,))
    with desk.store.reading() as tx:
        dispatch = dispatches.get(tx, dispatch.id)
    desk.send(dispatch)
    assert len(catcher.messages) == 4
    assert len(notices(desk, LetterKind.REPORT)) == 1


def test_nothing_to_look_at(desk: Desk, catcher: Catcher) -> None:
    desk = desk.toward(catcher)
    desk.people(1)
    desk.send(desk.enqueue(desk.issue()))
    PostOffice(desk.site, desk.store).post()
    text = read(catcher.messages[-1].content).get_content()
    assert "There is nothing to look at." in text


def test_a_held_send_is_told_once_an_hour(desk: Desk) -> None:
    with Catcher() as gone:
        pass
    desk = desk.toward(gone)
    desk.people(2)
    dispatch = desk.enqueue(desk.issue())
    for _ in range(2):
        assert desk.send(dispatch).held
    (alert,) = notices(desk, LetterKind.ALERT)
    assert (alert.about, alert.subject) == ("held", "Held: w47")
    assert not notices(desk, LetterKind.REPORT)


def test_the_same_alert_at_most_once_an_hour_a_list(desk: Desk) -> None:
    def raised(alarm: Alarm, minutes: int) -> bool:
        with desk.store.writing() as tx:
            moment = NOW + timedelta(minutes=minutes)
            return contacts.alert(tx, desk.site, "bulletin", alarm, "S", "T", moment)

    told = [raised(Alarm.HELD, 0), raised(Alarm.HELD, 59), raised(Alarm.LETTERS, 59)]
    assert told == [True, False, True]
    assert raised(Alarm.HELD, 61)


def test_an_alert_of_a_list_that_is_gone_is_nobodys(desk: Desk) -> None:
    with desk.store.writing() as tx:
        assert not contacts.alert(tx, desk.site, "old-news", Alarm.HELD, "S", "T", NOW)
