"""Reports that a real OpenSMTPD writes: each names the delivery, the reader and the reason.

Its notifications are `multipart/mixed` without Auto-Submitted or Diagnostic-Code, say `5.0.0` of
everything, and tell the end of all tries as a delay. The boxes are Dovecot's, who is handed
the mail by LMTP.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import pytest

from dovecot_server import dovecot_installed
from mailout.core.inbound.category import Category, Kind
from mailout.smtp.catcher import Catcher
from opensmtpd_server import BOXES, PEOPLE, OpenSmtpd, opensmtpd_here
from server_reports import NEWS, Post, boxes, gather, hand_over, numbered, sent_through
from walks_in import Sent

__all__ = ["dovecot_installed", "opensmtpd_here"]

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
    "kira@blocked.example.net": ("550 5.7.1 This house takes no bulletins", "blocked-policy"),
    "mia@gone.example.net": ("550 5.1.2 Host or domain name not found", "no-domain"),
}
AFTER_THE_DATA = {
    "jan@data.example.net": ("554 5.7.1 Content rejected: virus found", "blocked-content")
}
IN_THE_SESSION = {f"nils@{PEOPLE}": ("550 Invalid recipient", "no-mailbox")}
LATE = {
    "fatima@grey.example.net": "450 4.7.1 Greylisted, come back later",
    # Whatever the server with the boxes says, OpenSMTPD tries again.
    f"nobody@{BOXES}": "550 5.1.1 <nobody@box.example.org> User doesn't exist",
    f"carla@{BOXES}": "552 5.2.2 <carla@box.example.org> Quota exceeded",
}
AT_ONCE = BY_THE_NEXT_HOP | AFTER_THE_DATA
NUMBERS = numbered(AT_ONCE, LATE)
SEVERAL = 2000


@dataclass(frozen=True)
class House:
    opensmtpd: OpenSmtpd
    catcher: Catcher


@pytest.fixture(scope="module")
def house(opensmtpd_here: None, dovecot_installed: None) -> Iterator[House]:
    with (
        boxes("carla") as dovecot,
        Catcher(
            rules={who: reply for who, (reply, _) in BY_THE_NEXT_HOP.items()} | LATE,
            data_rules={who: reply for who, (reply, _) in AFTER_THE_DATA.items()},
        ) as catcher,
        OpenSmtpd(catcher.port, lmtp=dovecot.lmtp_port) as opensmtpd,
    ):
        yield House(opensmtpd, catcher)


@pytest.fixture(scope="module")
def post(house: House) -> Post:
    for who, number in NUMBERS.items():
        hand_over(house.opensmtpd.port, number, who)
    several = ("dora@listed.example.net", "anna@mail.example.net", "ok@example.net")
    hand_over(house.opensmtpd.port, SEVERAL, *several)
    return gather(house.catcher, len(NUMBERS) + 1 + len(LATE))


@pytest.mark.parametrize("who", AT_ONCE)
def test_a_bounce_of_opensmtpd_names_delivery_reader_and_reason(post: Post, who: str) -> None:
    said, category = AT_ONCE[who]
    found = post.read(NUMBERS[who], Kind.BOUNCE)
    [report] = found.reports
    assert (report.recipient, report.category, report.permanent) == (who, category, True)
    assert found.original_message_id == f"<{NUMBERS[who]}.7@{NEWS}>"
    assert said.split("\r\n")[0][10:] in (report.diagnostic or "")
    assert "original message" not in (report.diagnostic or "")
    assert post.read(NUMBERS[who], Kind.BOUNCE, who) == found


@pytest.mark.parametrize("who", LATE)
def test_opensmtpd_tells_a_delay_first(post: Post, who: str) -> None:
    [delay] = post.read(NUMBERS[who], Kind.DELAY).reports
    assert (delay.recipient, delay.category, delay.permanent) == (who, Category.DELAY, False)
    assert LATE[who] in (delay.diagnostic or "")


@pytest.mark.parametrize("who", LATE)
def test_the_end_of_tries_is_a_bounce_though_opensmtpd_calls_it_a_delay(
    post: Post, who: str
) -> None:
    [end] = post.read(NUMBERS[who], Kind.BOUNCE).reports
    assert (end.recipient, end.category, end.permanent) == (who, Category.UNREACHABLE, True)
    assert (end.status, end.action) == ("4.4.7", "failed")
    assert end.diagnostic == "Envelope expired"
    [caught] = [one for one in post.reports[NUMBERS[who]] if b"expired" in one.content]
    assert b"\nAction: delayed" in caught.content


def test_one_report_of_opensmtpd_on_several_readers(post: Post) -> None:
    found = post.read(SEVERAL, Kind.BOUNCE)
    assert {report.recipient: report.category for report in found.reports} == {
        "dora@listed.example.net": Category.BLOCKED_REPUTATION,
        "anna@mail.example.net": Category.NO_MAILBOX,
    }


def test_what_we_send_through_opensmtpd_comes_back_to_the_right_readers(
    sent: Sent, house: House, now: datetime
) -> None:
    people = {who: category for who, (_, category) in (AT_ONCE | IN_THE_SESSION).items()}
    assert sent_through(sent, house.opensmtpd.port, house.catcher, people, now) == people
