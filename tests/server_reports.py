"""Mails handed to a real server by whom nobody can be reached, and the reports that it writes.

All mails are posted at once and the reports waited for together, so that an expiry of some
seconds is waited for once. The reports come to our catcher, which is the next hop of all mail.
"""

from __future__ import annotations

import smtplib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import dovecot_server
from dovecot_server import Dovecot
from mailout.config.bounce_rules import standard_rules
from mailout.core.arrival import Arrival, FoundBy
from mailout.core.delivery import DeliveryState
from mailout.core.event import EventKind
from mailout.core.inbound.category import Kind
from mailout.core.inbound.report import Inbound, known_addresses, walk
from mailout.core.token import Key, Ring, read_return_path, return_paths
from mailout.receive.intake import keeper
from mailout.receive.processing import work_off
from mailout.smtp.catcher import Catcher, Caught
from mailout.store import bounces, deliveries
from mailout.store.bounces import Asked
from newcomers import join
from postfix_server import wait_until
from returns import came
from walks_in import Sent

RING = Ring((Key(1, b"k" * 32),))
NEWS = "news.example.org"


@dataclass(frozen=True)
class Post:
    """The reports that came, by the delivery that their return path names."""

    reports: Mapping[int, list[Caught]]

    def read(self, number: int, kind: Kind, *known: str) -> Inbound:
        """What the one report of that kind on that delivery tells."""
        told = [
            walk(caught.content, standard_rules(), known_addresses(known) if known else None)
            for caught in self.reports.get(number, [])
        ]
        [found] = [one for one in told if one.kind is kind]
        return found


def numbered(*people: Iterable[str]) -> dict[str, int]:
    """A delivery's number for each of the people."""
    return {
        who: number for number, who in enumerate((one for some in people for one in some), 1001)
    }


def hand_over(port: int, number: int, *people: str, asks: Collection[str] = ()) -> None:
    """Nothing, once the server at that port has taken a mail to all of them.

    `asks` are parameters of MAIL, such as `RET=HDRS`; then the recipients are told as they were
    written to (ORCPT), and delays are wanted.
    """
    sender = f"bounces+{return_paths(RING, 'bulletin')(number)}@{NEWS}"
    message = (
        f"From: Dock Bulletin <bulletin@{NEWS}>\r\nTo: {', '.join(people)}\r\n"
        f"Subject: Bulletin 7\r\nMessage-ID: <{number}.7@{NEWS}>\r\n\r\nThe strike goes on.\r\n"
    )
    wide = [] if message.isascii() else ["SMTPUTF8", "BODY=8BITMIME"]
    with smtplib.SMTP("127.0.0.1", port, "sender.example.org", timeout=20) as client:
        client.sendmail(
            sender,
            people,
            message.encode(),
            mail_options=[*wide, *asks],
            rcpt_options=[f"ORCPT=rfc822;{people[0]}", "NOTIFY=FAILURE,DELAY"] if asks else [],
        )


def gather(catcher: Catcher, count: int) -> Post:
    """The reports that the catcher has, once there are so many."""
    wait_until(lambda: len(reports(catcher)) >= count, f"{count} reports")
    found: dict[int, list[Caught]] = {}
    for caught in reports(catcher):
        found.setdefault(number_of(caught), []).append(caught)
    return Post(found)


def reports(catcher: Catcher) -> list[Caught]:
    """Those of its mails that came to a return path of ours."""
    return [caught for caught in catcher.messages if caught.recipients[0].endswith(NEWS)]


def number_of(caught: Caught) -> int:
    """The delivery that the report's own recipient names, if we have signed that."""
    number = _number(caught)
    assert number is not None
    return number


def _number(caught: Caught) -> int | None:
    local = caught.recipients[0].partition("@")[0]
    return read_return_path(RING, local.rpartition("+")[2], "bulletin")


def _others(catcher: Catcher) -> list[Caught]:
    """The reports that are not on mails that `hand_over` wrote: these may be late."""
    return [caught for caught in reports(catcher) if _number(caught) is None]


@contextmanager
def boxes(full: str) -> Iterator[Dovecot]:
    """A Dovecot, by LMTP: who has no box there is unknown, and there is no room in that of
    `full`."""
    quota = "mail_plugins = quota\nplugin {\n  quota = maildir:User quota\n  quota_rule = *:bytes=10\n}\n"
    with dovecot_server.start([full], quota) as dovecot:
        yield dovecot


def sent_through(
    sent: Sent, port: int, catcher: Catcher, people: Mapping[str, str], now: datetime
) -> dict[str, str]:
    """Why mail does not reach these people, as the bounce log has it, once an issue was sent to
    them through the server at that port and all that came back was looked at."""
    for who in people:
        join(sent.store, sent.site, who)
    before = len(_others(catcher))
    sent.desk = sent.desk.through(port, timeout_seconds=30)
    issue = sent.send("w48")
    with sent.store.reading() as tx:
        states = Counter(one.state for one in deliveries.listed(tx, issue.id))
    assert states.keys() <= {DeliveryState.ACCEPTED, DeliveryState.REFUSED}
    wanted = states[DeliveryState.ACCEPTED]
    wait_until(lambda: len(_others(catcher)) >= before + wanted, f"{wanted} reports more")
    keep = keeper(sent.store, clock=lambda: now)
    for caught in _others(catcher)[before:]:
        keep([Arrival(caught.content, "lmtp", caught.recipients[0], caught.sender)])
    work_off(sent.store, sent.site, standard_rules(), now)
    assert {one.found_by for one in came(sent.store)} == {FoundBy.RETURN_PATH}
    with sent.store.reading() as tx:
        log = bounces.listed(tx, Asked((EventKind.BOUNCED, EventKind.REFUSED)), 1000)
    assert all(one.counts and one.issue == "w48" for one in log)
    found = {one.address or "": one.category for one in log}
    assert len(found) == len(log)
    return found
