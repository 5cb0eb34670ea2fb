"""Reports that a real Postfix writes: each names the delivery, the reader and the reason.

The next hop is our catcher, which answers as it is told.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mailout.core.inbound.category import Category, Kind
from mailout.smtp.catcher import Catcher
from postfix_server import LOCAL_DOMAIN, MOVED, Postfix, free_port, postfix_here
from server_reports import NEWS, Post, gather, hand_over, numbered

__all__ = ["postfix_here"]

# Whom we write to, why it comes back, and the words that must be kept.
BY_THE_NEXT_HOP = {
    "anna@mail.example.net": (
        "550-5.1.1 The email account that you tried to reach does not exist. Please try\r\n"
        "550-5.1.1 double-checking the address for typos or unnecessary spaces.\r\n"
        "550 5.1.1 https://support.example.net/?p=NoSuchUser",
        "no-mailbox",
    ),
    "boris@office.example.net": (
        "550 5.4.1 Recipient address rejected: Access denied. AS(201806281)",
        "no-mailbox",
    ),
    "carla@full.example.net": ("552 5.2.2 Mailbox full", "mailbox-full"),
    "clara@full.example.com": ("552 Requested mail action aborted: over quota", "mailbox-full"),
    "dora@listed.example.net": (
        "554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using zen.spamhaus.org",
        "blocked-reputation",
    ),
    "emil@relay.example.net": ("554 5.7.1 Relay access denied", "relay-denied"),
    "greta@spam.example.net": ("550 5.1.1 Message rejected: looks like spam", "blocked-content"),
    "hana@code.example.net": ("550 5.7.1 User unknown", "no-mailbox"),
    "igor@bare.example.net": (
        "550 Requested action not taken: mailbox unavailable",
        "no-mailbox",
    ),
    "jutta@asleep.example.net": (
        "554 5.2.1 delivery error: This mailbox is disabled (554.30)",
        "disabled",
    ),
    "kemal@dmarc.example.net": (
        "550 5.7.26 Unauthenticated email from news.example.org is not accepted due to the "
        "domain's DMARC policy",
        "blocked-policy",
    ),
    "анна@почта.example.net": ("550 5.1.1 Нет такого ящика: no such mailbox", "no-mailbox"),
}
AFTER_THE_DATA = {
    "jan@data.example.net": ("554 5.7.1 Content rejected: virus found", "blocked-content"),
    "john@size.example.net": ("552 5.3.4 Message too big for system", "too-big"),
}
BY_POSTFIX = {
    f"nils@{LOCAL_DOMAIN}": ("", "no-mailbox"),
    next(iter(MOVED)): ("", "moved"),
    "kira@blocked.example.net": ("error:5.7.1 This house takes no bulletins", "blocked-policy"),
    "mia@gone.example.net": ("error:5.1.2 Host or domain name not found", "no-domain"),
    "per@big.example.net": ("error:5.3.4 Message size exceeds fixed limit", "too-big"),
    "rosa@loop.example.net": ("error:5.4.6 mail for loop.example.net loops back", "receiver-error"),
}
LATE = {
    "lena@slow.example.net": ("retry:4.7.1 Try again later please", "unreachable"),
    "mara@down.example.net": ("smtp:[127.0.0.1]:{closed}", "unreachable"),
    "fatima@grey.example.net": ("450 4.7.1 Greylisted, come back later", "rate-limited"),
    "oleg@quota.example.net": ("452 4.2.2 The mailbox is over its quota", "mailbox-full"),
}
NUMBERS = numbered(BY_THE_NEXT_HOP, AFTER_THE_DATA, BY_POSTFIX, LATE)
SEVERAL = 2000


@pytest.fixture(scope="module")
def post(postfix_here: None) -> Iterator[Post]:
    replies = BY_THE_NEXT_HOP | {who: why for who, why in LATE.items() if why[0][0] == "4"}
    transports = BY_POSTFIX | {who: why for who, why in LATE.items() if why[0][0] != "4"}
    lines = {who: line.format(closed=free_port()) for who, (line, _) in transports.items() if line}
    with (
        Catcher(
            rules={who: reply for who, (reply, _) in replies.items()},
            data_rules={who: reply for who, (reply, _) in AFTER_THE_DATA.items()},
        ) as catcher,
        Postfix(catcher.port, lines) as postfix,
    ):
        for who, number in NUMBERS.items():
            odd = bool(number % 2) and who.isascii()
            asks = ["RET=HDRS", f"ENVID=dock{number}"] if odd else []
            hand_over(postfix.port, number, who, asks=asks)
        hand_over(
            postfix.port,
            SEVERAL,
            *("carla@full.example.net", "anna@mail.example.net", "ok@example.net"),
        )
        post = gather(catcher, len(NUMBERS) + 1 + len(LATE))
        assert postfix.queue == ""
    yield post


@pytest.mark.parametrize("who", [who for who in NUMBERS if who not in LATE])
def test_a_bounce_names_delivery_reader_and_reason(post: Post, who: str) -> None:
    said, category = (BY_THE_NEXT_HOP | AFTER_THE_DATA | BY_POSTFIX)[who]
    found = post.read(NUMBERS[who], Kind.BOUNCE)
    [report] = found.reports
    assert (report.recipient, report.category, report.permanent) == (who, category, True)
    assert found.original_message_id == f"<{NUMBERS[who]}.7@{NEWS}>"
    words = said.removeprefix("error:5").split("\r\n")[0][10:]
    assert words in (report.diagnostic or "")
    assert post.read(NUMBERS[who], Kind.BOUNCE, who) == found
    assert len(post.reports[NUMBERS[who]]) == 1


@pytest.mark.parametrize("who", LATE)
def test_a_delay_is_told_first_and_the_end_of_tries_later(post: Post, who: str) -> None:
    [delay] = post.read(NUMBERS[who], Kind.DELAY).reports
    assert (delay.recipient, delay.category, delay.permanent) == (who, Category.DELAY, False)
    [end] = post.read(NUMBERS[who], Kind.BOUNCE).reports
    assert (end.recipient, end.category, end.permanent) == (who, LATE[who][1], True)
    assert (end.action, delay.action) == ("failed", "delayed")
    assert len(post.reports[NUMBERS[who]]) == 2


def test_one_report_on_several_readers(post: Post) -> None:
    found = post.read(SEVERAL, Kind.BOUNCE)
    assert {report.recipient: report.category for report in found.reports} == {
        "carla@full.example.net": Category.MAILBOX_FULL,
        "anna@mail.example.net": Category.NO_MAILBOX,
    }
    [alone] = post.read(SEVERAL, Kind.BOUNCE, "anna@mail.example.net").reports
    assert alone.category is Category.NO_MAILBOX


def test_the_report_on_an_address_of_other_letters_is_of_its_own_type(post: Post) -> None:
    [caught] = post.reports[NUMBERS["анна@почта.example.net"]]
    assert b"Content-Type: message/global-delivery-status" in caught.content
