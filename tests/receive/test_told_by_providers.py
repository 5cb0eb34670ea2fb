"""Notices of providers that name an address and no mail: believed of whom we mailed through them
lately, and of nobody else."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from mailout.config.bounce_rules import standard_rules
from mailout.core.arrival import WEBHOOK, Arrival, FoundBy
from mailout.core.event import EventKind
from mailout.core.subscription import SubscriptionState
from mailout.core.token import return_path_token
from mailout.receive.intake import keeper
from mailout.receive.processing import work_off
from mailout.store import bounces, inbound, suppressions
from mailout.store.bounces import Asked, Bounce
from mailout.store.tables import DELIVERY
from returns import came
from walks_in import Sent

ANNA, BORIS, CLARA = "p000@example.org", "p001@example.org", "p002@example.org"
POSTMARK = "smtp-broadcasts.postmarkapp.com:587"
BOUNCE = {"RecordType": "Bounce", "Type": "HardBounce", "Details": "550 5.1.1 No such user"}
COMPLAINT = {"RecordType": "SpamComplaint"}
LEAVE = {"RecordType": "SubscriptionChange", "SuppressSending": True, "SuppressionReason": "ManualSuppression", "Origin": "Recipient"}  # fmt: skip


@pytest.fixture
def posted(sent: Sent) -> Sent:
    """Three readers, to whom an issue came by way of Postmark."""
    sent.desk.people(3)
    sent.send("w47")
    with sent.store.reading() as tx:
        [relay] = set(tx.scalars(select(DELIVERY.c.relay)))
    host, _, port = POSTMARK.partition(":")
    assert relay == POSTMARK.replace(host, "127.0.0.1").replace(port, str(sent.catcher.port))
    by_way_of(sent, POSTMARK)
    return sent


def by_way_of(sent: Sent, relay: str) -> None:
    with sent.store.writing() as tx:
        tx.execute(update(DELIVERY).values(relay=relay))


def tell(
    sent: Sent,
    now: datetime,
    event: dict[str, Any],
    who: str,
    number: int = 1,
    name: str = "postmark",
) -> FoundBy:
    """How it was found whom a notice is about, once it was looked at."""
    named = {"Recipient": who} if event is LEAVE else {"Email": who}
    raw = json.dumps({**event, **named, "ID": number}).encode()
    keeper(sent.store, clock=lambda: now)(
        [Arrival(raw, WEBHOOK + name, identity=f"{event['RecordType']}:{number}")]
    )
    work_off(sent.store, sent.site, standard_rules(), now)
    return FoundBy(came(sent.store)[-1].found_by)


def log(sent: Sent, *kinds: EventKind) -> list[Bounce]:
    with sent.store.reading() as tx:
        return bounces.listed(tx, Asked(kinds or (EventKind.BOUNCED, EventKind.COMPLAINED)), 1000)


def suppressed(sent: Sent, who: str) -> str | None:
    key = sent.person(who).address_key
    with sent.store.reading() as tx:
        return suppressions.among(tx, [key], "bulletin").get(key)


def test_it_is_about_the_newest_mail_that_went_that_way(posted: Sent, now: datetime) -> None:
    assert tell(posted, now, BOUNCE, ANNA, 1) is FoundBy.PROVIDER
    [event] = log(posted)
    assert (event.address, event.category, event.counts, event.issue) == (
        ANNA, "no-mailbox", True, "w47"
    )  # fmt: skip
    assert suppressed(posted, ANNA) == "dead", "nothing had ever got there"
    assert tell(posted, now, COMPLAINT, BORIS.upper(), 2) is FoundBy.PROVIDER
    assert suppressed(posted, BORIS) == "complained"
    assert tell(posted, now, LEAVE, CLARA, 3) is FoundBy.PROVIDER
    assert posted.person(CLARA).memberships[0].state is SubscriptionState.UNSUBSCRIBED
    assert suppressed(posted, CLARA) is None


def test_it_counts_once_however_often_it_comes(posted: Sent, now: datetime) -> None:
    tell(posted, now, BOUNCE, ANNA)
    tell(posted, now, BOUNCE, ANNA)
    assert len(came(posted.store)) == 1
    # A number that was made up makes it another notice, and no other report.
    tell(posted, now, BOUNCE, ANNA, 2)
    with posted.store.writing() as tx:
        assert inbound.again(tx) == 2
    work_off(posted.store, posted.site, standard_rules(), now)
    assert len(log(posted)) == 1
    # Once it is emptied it is still known.
    with posted.store.writing() as tx:
        assert inbound.empty(tx, now + timedelta(days=40)) == 2
    tell(posted, now + timedelta(days=1), BOUNCE, ANNA, 2)
    assert len(came(posted.store)) == 2 and len(log(posted)) == 1


@pytest.mark.parametrize("event", [BOUNCE, COMPLAINT], ids=["bounce", "complaint"])
def test_of_whom_that_provider_was_given_no_mail_it_proves_nothing(
    posted: Sent, now: datetime, event: dict[str, Any]
) -> None:
    # Another provider tells; it was long ago; it went another way; it was refused.
    assert tell(posted, now, event, ANNA, 1, "mailjet") in (FoundBy.WORDS, FoundBy.NOBODY)
    posted.rewind(15)
    assert tell(posted, now, event, ANNA, 2) is FoundBy.WORDS
    posted.rewind(-15)
    for number, relay in enumerate(
        ("127.0.0.1:25", "smtp.sendgrid.net:587", "postmarkapp.com.example.net:587"), 3
    ):
        by_way_of(posted, relay)
        assert tell(posted, now, event, ANNA, number) is FoundBy.WORDS
    by_way_of(posted, POSTMARK)
    with posted.store.writing() as tx:
        tx.execute(update(DELIVERY).values(state="refused"))
    assert tell(posted, now, event, ANNA, 7) is FoundBy.WORDS
    # Whom we do not know we do not come to know by it.
    assert tell(posted, now, event, "nobody@example.net", 8) is FoundBy.NOBODY
    assert suppressed(posted, ANNA) is None
    assert not [one for one in log(posted) if one.counts]


def test_a_mail_that_looks_like_a_notice_is_none(posted: Sent, now: datetime) -> None:
    raw = json.dumps({**COMPLAINT, "Email": ANNA}).encode()
    keeper(posted.store)([Arrival(raw, "pipe", identity="SpamComplaint:9")])
    work_off(posted.store, posted.site, standard_rules(), now)
    assert came(posted.store)[-1].found_by != FoundBy.PROVIDER
    assert suppressed(posted, ANNA) is None


def test_a_provider_s_notice_of_a_mail_of_long_ago_is_a_complaint_still(
    posted: Sent, now: datetime
) -> None:
    posted.rewind(40)
    ring = posted.site.keys.return_path
    token = return_path_token(ring, posted.delivery(ANNA).id, "bulletin")
    assert tell(posted, now, {**COMPLAINT, "Metadata": {"delivery": token}}, ANNA) is FoundBy.TOKEN
    assert suppressed(posted, ANNA) == "complained"
