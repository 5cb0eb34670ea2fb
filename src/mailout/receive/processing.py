"""The walk in: what was kept is looked at, and what it tells is done.

kept -> whose it is (`attribution`) -> what it is and why (`core.inbound`) -> an event -> how the
address stands (`judging`), or a leave, or a letter to the list's contact.

A mail is looked at outside of any transaction that writes, so that no sender waits for it; then
all that follows of some hundred mails is written at once, with the note that they were looked at.
Any number of processes may do it: each mail is acted upon by one of them, once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from mailout.core.arrival import WEBHOOK, FoundBy
from mailout.core.event import EventKind
from mailout.core.inbound.category import Category, Kind
from mailout.core.inbound.reason import reply_code
from mailout.core.inbound.report import Report
from mailout.core.inbound.rules import Rules
from mailout.core.site import Site
from mailout.receive import judging, leaving, replies
from mailout.receive.attribution import Mail, attribute
from mailout.store import bounces, inbound
from mailout.store.bounces import Told
from mailout.store.engine import Store, Tx
from mailout.store.inbound import Looked

AT_ONCE = 200
"""Mails that are acted upon in one transaction."""

_EVENT_OF = {
    Kind.BOUNCE: EventKind.BOUNCED,
    Kind.DELAY: EventKind.DELAYED,
    Kind.AUTO_REPLY: EventKind.AUTO_REPLIED,
    Kind.CHALLENGE: EventKind.CHALLENGED,
    Kind.REPLY: EventKind.REPLIED,
}
_MOST_SAID = 200
_COMPLAINTS_COME_WITHIN = timedelta(days=30)


@dataclass(slots=True)
class Done:
    """What was done: mails by their kind, and addresses by how they stand now."""

    kinds: Counter[str] = field(default_factory=Counter)
    standings: Counter[str] = field(default_factory=Counter)

    @property
    def any(self) -> bool:
        return bool(self.kinds or self.standings)

    def add(self, other: Done) -> None:
        self.kinds += other.kinds
        self.standings += other.standings


def has_work(store: Store) -> bool:
    """Whether anything came in, or was refused, that was not looked at yet."""
    with store.reading() as tx:
        return inbound.any_new(tx) or bounces.any_unjudged(tx)


def work_off(store: Store, site: Site, rules: Rules, now: datetime) -> Done:
    """What was done, once all that was kept has been looked at, and all refusals are judged.

    Raises: TryLater, MailoutError if the store fails; what was done by then stays done.
    """
    done = Done()
    while (some := process(store, site, rules, now)) is not None:
        done.add(some)
    done.standings += judging.judge_refusals(store, site, rules, now)
    return done


def process(store: Store, site: Site, rules: Rules, now: datetime) -> Done | None:
    """What was done about the oldest that were kept; None if there is nothing to look at."""
    with store.reading() as tx:
        kept = inbound.new(tx, AT_ONCE)
        if not kept:
            return None
        mails = attribute(tx, site, rules, kept)
    done = Done()
    with store.writing() as tx:
        ours = inbound.take(tx, [one.id for one in kept])
        mails = [mail for mail in mails if mail.kept.id in ours]
        bounces.forget(tx, [mail.kept.id for mail in mails])  # of a mail that is looked at again
        resting = judging.in_outage(tx, site, now)
        told = [event for mail in mails if (event := _event(mail, site, resting))]
        people = bounces.tell(tx, told)
        for mail in mails:
            _act(tx, site, mail, now)
        inbound.done(tx, [_looked(mail) for mail in mails], now)
        done.kinds.update(mail.found.kind.value for mail in mails)
        done.standings = judging.judge(tx, site, people, now)
        done.standings += judging.notice_outages(tx, site, told, now)
        judging.notice_complaints(tx, site, told, now)
    return done if mails else None


def _event(mail: Mail, site: Site, in_outage: Mapping[str, str]) -> Told | None:
    """What is written down of the reader whom a mail is about; None if it is about nobody."""
    theirs, report = mail.theirs, mail.report
    if theirs is None:
        return None
    kind = _EVENT_OF.get(mail.found.kind)
    category = report.category if report else Category.UNKNOWN
    if mail.found.kind is Kind.FEEDBACK:
        if category is not Category.COMPLAINT:
            return None
        kind = EventKind.COMPLAINED
    if kind is None:
        return None
    domain = theirs.address.rpartition("@")[2].lower()
    excused = category.is_dead and domain in in_outage
    said = (report.diagnostic if report else "") or ""
    return Told(
        kind=kind,
        at=mail.kept.came_at,
        theirs=theirs,
        provider=domain,
        category=category if kind is not EventKind.REPLIED else Category.UNKNOWN,
        code=int(reply_code(said) or 0),
        enhanced=(report.status if report else None) or "",
        text=said if kind is not EventKind.REPLIED else "",
        counts=mail.by.proves and not excused and theirs.delivery_id > 0 and not _is_late(mail),
        inbound_id=mail.kept.id,
    )


def _act(tx: Tx, site: Site, mail: Mail, now: datetime) -> None:
    """What a mail asks for, beyond being written down."""
    kind, report = mail.found.kind, mail.report
    if mail.by is FoundBy.FORGED:
        return
    if kind is Kind.REPLY or (kind is Kind.UNSUBSCRIBE and not mail.by.proves):
        replies.pass_on(tx, site, mail, now)
    elif kind is Kind.UNSUBSCRIBE:
        leaving.leave(tx, mail, now)
    elif kind is Kind.FEEDBACK:
        _take_feedback(tx, site, mail, report, now)


def _take_feedback(tx: Tx, site: Site, mail: Mail, report: Report | None, now: datetime) -> None:
    if report is None:  # `auth-failure`: about our own signing, not about a reader
        judging.note_authentication(tx, site, mail, now)
    elif not mail.by.proves or mail.theirs is None:
        return
    elif report.category is Category.UNSUBSCRIBE or mail.by is FoundBy.LINK or _is_late(mail):
        # With the link alone one may leave that list, and do nothing else: mails are passed on.
        leaving.leave(tx, mail, now)
    else:
        judging.stop_for_complaint(tx, mail.theirs, now)


def _is_late(mail: Mail) -> bool:
    """Whether a mail complains of one that was sent long ago: whoever reads what others were sent,
    in an archive or passed on, could write that; a provider's own notice is believed."""
    sent_at = mail.theirs.queued_at if mail.theirs else None
    if mail.found.kind is not Kind.FEEDBACK or mail.kept.source.startswith(WEBHOOK):
        return False
    return sent_at is not None and mail.kept.came_at - sent_at > _COMPLAINTS_COME_WITHIN


def _looked(mail: Mail) -> Looked:
    theirs = mail.theirs
    subject = " ".join(mail.fields.get("subject").split())
    return Looked(
        id=mail.kept.id,
        kind=mail.found.kind.value,
        found_by=mail.by,
        said=subject[:_MOST_SAID],
        reports=_told(mail.found.reports),
        subscriber_id=theirs.subscriber_id if theirs else None,
        delivery_id=(theirs.delivery_id or None) if theirs else None,
    )


def _told(reports: Sequence[Report]) -> list[dict[str, object]]:
    return [
        {
            "recipient": one.recipient,
            "category": one.category.value,
            "status": one.status,
            "diagnostic": one.diagnostic,
        }
        for one in reports[:20]
    ]
