"""Reports that a real Exim writes: each names the delivery, the reader and the reason.

Its fields say `5.0.0` of its own failures, whatever they are: the words decide. The boxes are
Dovecot's, who is handed the mail by LMTP.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import pytest

from dovecot_server import dovecot_installed
from exim_server import BOXES, DOWN, PEOPLE, Exim, exim_here
from mailout.core.inbound.category import Category, Kind
from mailout.smtp.catcher import Catcher
from server_reports import NEWS, Post, boxes, gather, hand_over, numbered, sent_through
from walks_in import Sent

__all__ = ["dovecot_installed", "exim_here"]

# Whom we write to, why it comes back, and the words that must be kept.
BY_THE_NEXT_HOP = {
    "anna@mail.example.net": (
        "550-5.1.1 The email account that you tried to reach does not exist. Please try\r\n"
        "550 5.1.1 double-checking the address. https://support.example.net/?p=NoSuchUser",
        "no-mailbox",
    ),
    "clara@full.example.com": ("552 Requested mail action aborted: over quota", "mailbox-full"),
    "dora@listed.example.net": (
        "554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using zen.spamhaus.org",
        "blocked-reputation",
    ),
    "igor@bare.example.net": ("550 Requested action not taken: mailbox unavailable", "no-mailbox"),
}
AFTER_THE_DATA = {
    "jan@data.example.net": ("554 5.7.1 Content rejected: virus found", "blocked-content")
}
BY_EXIM = {
    f"nils@{PEOPLE}": ("Unrouteable address", "no-mailbox"),
    f"full@{PEOPLE}": ("mailbox is full: retry timeout exceeded", "mailbox-full"),
    "kira@blocked.example.net": ("550 5.7.1 This house takes no bulletins", "blocked-policy"),
    "mia@gone.example.net": ("all relevant MX records point to non-existent hosts", "no-domain"),
}
BY_DOVECOT = {
    f"nobody@{BOXES}": ("550 5.1.1 <nobody@box.example.org> User doesn't exist", "no-mailbox"),
    f"carla@{BOXES}": ("552 5.2.2 <carla@box.example.org> Quota exceeded", "mailbox-full"),
}
LATE = {
    "lena@slow.example.net": ("451 4.3.2 The system is resting, come back later", "unreachable"),
    f"mara@{DOWN}": ("retry timeout exceeded", "unreachable"),
    "fatima@grey.example.net": ("450 4.7.1 Greylisted, come back later", "rate-limited"),
}
AT_ONCE = BY_THE_NEXT_HOP | AFTER_THE_DATA | BY_EXIM | BY_DOVECOT
NUMBERS = numbered(AT_ONCE, LATE)
SEVERAL = 2000


@dataclass(frozen=True)
class House:
    exim: Exim
    catcher: Catcher


@pytest.fixture(scope="module")
def house(exim_here: None, dovecot_installed: None) -> Iterator[House]:
    replies = BY_THE_NEXT_HOP | {who: why for who, why in LATE.items() if "grey" in who}
    told = {
        who: f"{how} {text}"
        for who, (text, _) in (BY_EXIM | LATE).items()
        for how, at in ((":fail:", ("blocked", "gone")), (":defer:", ("slow",)))
        if any(f"@{one}." in who for one in at)
    }
    with (
        boxes("carla") as dovecot,
        Catcher(
            rules={who: reply for who, (reply, _) in replies.items()},
            data_rules={who: reply for who, (reply, _) in AFTER_THE_DATA.items()},
        ) as catcher,
        Exim(catcher.port, lmtp=dovecot.lmtp_port, told=told) as exim,
    ):
        yield House(exim, catcher)


@pytest.fixture(scope="module")
def post(house: House) -> Post:
    for who, number in NUMBERS.items():
        hand_over(house.exim.port, number, who, asks=["RET=HDRS"] if number % 2 else [])
    several = ("dora@listed.example.net", "anna@mail.example.net", "ok@example.net")
    hand_over(house.exim.port, SEVERAL, *several)
    return gather(house.catcher, len(NUMBERS) + 1 + len(LATE))


@pytest.mark.parametrize("who", AT_ONCE)
def test_a_bounce_of_exim_names_delivery_reader_and_reason(post: Post, who: str) -> None:
    said, category = AT_ONCE[who]
    found = post.read(NUMBERS[who], Kind.BOUNCE)
    [report] = found.reports
    assert (report.recipient, report.category, report.permanent) == (who, category, True)
    assert found.original_message_id == f"<{NUMBERS[who]}.7@{NEWS}>"
    assert said.split("\r\n")[0][10:] in (report.diagnostic or "")
    assert post.read(NUMBERS[who], Kind.BOUNCE, who) == found


@pytest.mark.parametrize("who", LATE)
def test_exim_tells_a_delay_first_and_the_end_of_tries_later(post: Post, who: str) -> None:
    [delay] = post.read(NUMBERS[who], Kind.DELAY).reports
    assert (delay.recipient, delay.category, delay.permanent) == (who, Category.DELAY, False)
    said, category = LATE[who]
    [end] = post.read(NUMBERS[who], Kind.BOUNCE).reports
    assert (end.recipient, end.category, end.permanent) == (who, category, True)
    assert said in (end.diagnostic or "")
    assert len(post.reports[NUMBERS[who]]) == 2


def test_one_report_of_exim_on_several_readers(post: Post) -> None:
    found = post.read(SEVERAL, Kind.BOUNCE)
    assert {report.recipient: report.category for report in found.reports} == {
        "dora@listed.example.net": Category.BLOCKED_REPUTATION,
        "anna@mail.example.net": Category.NO_MAILBOX,
    }


def test_what_we_send_through_exim_comes_back_to_the_right_readers(
    sent: Sent, house: House, now: datetime
) -> None:
    people = {who: category for who, (_, category) in AT_ONCE.items()}
    assert sent_through(sent, house.exim.port, house.catcher, people, now) == people
