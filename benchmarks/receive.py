"""How fast reports are taken in: from a Maildir into the store, until each was acted upon.

    python benchmarks/receive.py [--quick] [--reports N] [--profile]

An issue is sent to N people. Then each of them has a report in a Maildir, in Postfix's layout and
with the returned head of our own mail: a quarter each are of dead addresses, full boxes, blocks by
policy, and delays. "Keeping" reads the Maildir and keeps the mails, "acting" finds whose they are
and why they came, writes it down and judges the addresses. One process, one thread.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import ground
import measure
from database import PostgreSQL
from sqlalchemy import text

from mailout.config.bounce_rules import read_rules
from mailout.core.inbound.category import Category
from mailout.core.site import Site
from mailout.core.token import message_ids, return_paths
from mailout.inbox import maildir
from mailout.receive.intake import MOST_BYTES, keeper
from mailout.receive.processing import work_off
from mailout.store.engine import Store, open_store

BAR = 500  # reports a second
_SIZE = 10_240

_WHY = (
    ("failed", "5.1.1", "smtp; 550 5.1.1 <{who}>: user unknown", Category.NO_MAILBOX),
    ("failed", "5.2.2", "smtp; 552 5.2.2 The mailbox is full", Category.MAILBOX_FULL),
    ("failed", "5.7.1", "smtp; 554 5.7.1 Refused by our policy", Category.BLOCKED_POLICY),
    ("delayed", "4.4.1", "X-Postfix; connect to mx.{domain}: timed out", Category.DELAY),
)
_REPORT = """\
Return-Path: <>
Delivered-To: {path}
Received: by mx.example.org (Postfix)
\tid CFE42998302; Thu, 26 Nov 2026 06:12:21 +0000 (UTC)
Date: Thu, 26 Nov 2026 06:12:21 +0000 (UTC)
From: Mail Delivery System <MAILER-DAEMON@mx.example.org>
Subject: {subject}
To: {path}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="9AC8C998362.1795673541/mx.example.org"
Message-Id: <20261126061221.{number}@mx.example.org>

This is a MIME-encapsulated message.

--9AC8C998362.1795673541/mx.example.org
Content-Description: Notification
Content-Type: text/plain; charset=utf-8

This is the mail system at host mx.example.org.

{words}

                   The mail system

<{who}>: host mx.{domain}[192.0.2.7] said:
    {diagnostic} (in reply to RCPT TO command)

--9AC8C998362.1795673541/mx.example.org
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org
X-Postfix-Queue-ID: 9AC8C998362
X-Postfix-Sender: rfc822; {path}
Arrival-Date: Thu, 26 Nov 2026 06:12:21 +0000 (UTC)

Final-Recipient: rfc822; {who}
Original-Recipient: rfc822;{who}
Action: {action}
Status: {status}
Remote-MTA: dns; mx.{domain}
Diagnostic-Code: {diagnostic}

--9AC8C998362.1795673541/mx.example.org
Content-Description: Undelivered Message Headers
Content-Type: text/rfc822-headers

Return-Path: <{path}>
From: Dock Bulletin <bulletin@news.example.org>
To: {who}
Subject: The bulletin
Message-ID: {message_id}
List-Id: <bulletin.news.example.org>
Date: Thu, 26 Nov 2026 06:12:20 +0000

--9AC8C998362.1795673541/mx.example.org--
"""
_FAILED = """\
I'm sorry to have to inform you that your message could not
be delivered to one or more recipients. It's attached below."""
_DELAYED = """\
This is a warning only. You do not need to resend your message.
Your message could not be delivered for some time. It will be retried."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds on the clock, and of the processor, that keeping and acting took."""

    keeping: float
    acting: float
    processor: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="1000 reports")
    parser.add_argument("--reports", type=int, help="[5000; quick: 1000]")
    parser.add_argument("--profile", action="store_true", help="show where the time goes")
    asked = parser.parse_args()
    reports = asked.reports or (1_000 if asked.quick else 5_000)
    print(f"{reports:,} reports from a Maildir:\n")
    measure.head(
        "store", "keeping, reports/s", "acting, reports/s", "together", "bar", "processor, ms each"
    )
    with tempfile.TemporaryDirectory() as folder, PostgreSQL() as server:
        for url in ("sqlite:///mailout.db", server.create()):
            taken = _measure(Path(folder), url, reports, asked.profile)
            measure.row(
                url.partition(":")[0].partition("+")[0],
                f"{reports / taken.keeping:,.0f}",
                f"{reports / taken.acting:,.0f}",
                f"{reports / (taken.keeping + taken.acting):,.0f}",
                BAR,
                f"{1000 * taken.processor / reports:.2f}",
            )


def _measure(folder: Path, url: str, reports: int, profiled: bool) -> Taken:
    with measure.receiver() as there:
        site = ground.toward(ground.make_site(folder / "site", reports, url), there.port)
        store = open_store(site.store.url, site.root)
        measure.send(site, store, "bulletin-7", _SIZE)
    box = folder / f"Maildir-{url.partition(':')[0]}"
    wanted = fill(box, site, store)
    profile = cProfile.Profile() if profiled else None
    if profile:
        profile.enable()
    taken = _take_in(box, site, store)
    if profile:
        profile.disable()
        pstats.Stats(profile).sort_stats("cumtime").print_stats("mailout", 40)
    _check(store, wanted)
    store.close()
    return taken


def fill(box: Path, site: Site, store: Store) -> Counter[str]:
    """How many of each category a new Maildir holds: a report on each delivery of the store."""
    for name in ("new", "cur", "tmp"):
        (box / name).mkdir(parents=True)
    with store.reading() as tx:
        rows = tx.execute(
            text(
                "SELECT d.id, d.issue_id, d.address_key, p.address FROM delivery d "
                "JOIN subscriber p ON p.id = d.subscriber_id ORDER BY d.id"
            )
        ).all()
    token = return_paths(site.keys.return_path, "bulletin")
    domain = site.identity.message_id_domain
    identity: Callable[[str], str] = message_ids(site.keys.message_id, rows[0].issue_id, domain)
    local, _, host = site.return_path.partition("@")
    wanted: Counter[str] = Counter()
    for number, row in enumerate(rows):
        # By the hundred: people of one provider, whose number is that modulo 97, get all kinds.
        action, status, diagnostic, category = _WHY[number // 97 % len(_WHY)]
        who, of = row.address, row.address.partition("@")[2]
        is_late = action == "delayed"
        mail = _REPORT.format(
            path=f"{local}+{token(row.id)}@{host}",
            subject="Delayed Mail (still being retried)" if is_late else "Undelivered Mail",
            number=number,
            words=_DELAYED if is_late else _FAILED,
            who=who,
            domain=of,
            action=action,
            status=status,
            diagnostic=diagnostic.format(who=who, domain=of),
            message_id=identity(row.address_key),
        )
        (box / "new" / f"1795673541.M{number:06}.mx").write_text(mail)
        wanted[category] += 1
    return wanted


def _take_in(box: Path, site: Site, store: Store) -> Taken:
    rules = read_rules(site.root)
    begun, processor = time.perf_counter(), time.process_time()
    for _ in maildir.fetch(str(box), keeper(store), MOST_BYTES):
        pass
    kept = time.perf_counter()
    work_off(store, site, rules, datetime.now(UTC))
    ended = time.perf_counter()
    return Taken(kept - begun, ended - kept, time.process_time() - processor)


def _check(store: Store, wanted: Counter[str]) -> None:
    """Nothing, if each report was read as what it is."""
    with store.reading() as tx:
        rows = tx.execute(
            text(
                "SELECT category, count(*) FROM event WHERE inbound_id IS NOT NULL "
                "AND kind IN ('bounced', 'delayed') GROUP BY category"
            )
        ).all()
    found = {category: number for category, number in rows}
    assert found == {str(category): number for category, number in wanted.items()}, found


if __name__ == "__main__":
    main()
