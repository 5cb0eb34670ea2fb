"""Mails that come back, written by hand: to whom a test wants, about what it wants."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import update

from mailout.config.bounce_rules import standard_rules
from mailout.core.arrival import Arrival
from mailout.core.site import Site
from mailout.core.token import message_id, return_path_token
from mailout.receive.intake import keeper
from mailout.receive.processing import Done, work_off
from mailout.store import inbound
from mailout.store.deliveries import Listed
from mailout.store.engine import Store
from mailout.store.inbound import Listed as Came
from mailout.store.tables import DELIVERY, DISPATCH

DEAD = ("5.1.1", "550 5.1.1 User unknown")
FULL = ("5.2.2", "552 5.2.2 The mailbox is full")
BLOCKED = ("5.7.1", "550 5.7.1 Message rejected: your server is on our blocklist")


def path_of(site: Site, delivery: Listed, list_id: str = "bulletin") -> str:
    """The return path of a delivery, as an envelope has it."""
    local, _, domain = site.return_path.partition("@")
    token = return_path_token(site.keys.return_path, delivery.id, list_id)
    return f"{local}+{token}@{domain}"


def identity_of(site: Site, issue_id: int, delivery: Listed) -> str:
    """The Message-ID of what was delivered."""
    domain = site.identity.message_id_domain
    return message_id(site.keys.message_id, issue_id, delivery.address_key, domain)


def dsn(
    to: str, recipient: str, said: tuple[str, str] = DEAD, returned: str = "", nonce: str = ""
) -> bytes:
    """A report (RFC 3464) to `to` about `recipient`, which returns the head `returned`."""
    status, reply = said
    return (
        "From: MAILER-DAEMON@mx.example.net (Mail Delivery System)\r\n"
        f"To: {to}\r\nSubject: Undelivered Mail Returned to Sender\r\n"
        "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="B"\r\n'
        f"Message-ID: <report{nonce}@mx.example.net>\r\n\r\n"
        f"--B\r\nContent-Type: text/plain\r\n\r\nI could not deliver to <{recipient}>: {reply}\r\n"
        "--B\r\nContent-Type: message/delivery-status\r\n\r\n"
        "Reporting-MTA: dns; mx.example.net\r\n\r\n"
        f"Final-Recipient: rfc822; {recipient}\r\nAction: failed\r\nStatus: {status}\r\n"
        f"Diagnostic-Code: smtp; {reply}\r\n\r\n"
        f"--B\r\nContent-Type: text/rfc822-headers\r\n\r\nSubject: Strike\r\n{returned}\r\n--B--\r\n"
    ).encode()


def complaint(to: str, returned: str, kind: str = "abuse") -> bytes:
    """A feedback report (RFC 5965) whose recipient is blacked out."""
    return (
        "From: feedback@provider.example.net\r\n"
        f"To: {to}\r\nSubject: Complaint\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="B"\r\n\r\n'
        "--B\r\nContent-Type: text/plain\r\n\r\nThis is a report about mail from you.\r\n"
        "--B\r\nContent-Type: message/feedback-report\r\n\r\n"
        f"Feedback-Type: {kind}\r\nUser-Agent: Loop/1\r\nVersion: 1\r\n\r\n"
        f"--B\r\nContent-Type: message/rfc822\r\n\r\n{returned}\r\nTo: redacted@redacted.invalid\r\n"
        "Subject: Strike\r\n\r\nText\r\n--B--\r\n"
    ).encode()


def letter(to: str, sender: str, subject: str, text: str, *more: str) -> bytes:
    """What a person writes."""
    head = [f"From: Anna <{sender}>", f"To: {to}", f"Subject: {subject}", *more]
    return (
        "\r\n".join([*head, "Content-Type: text/plain; charset=utf-8", "", text]) + "\r\n"
    ).encode()


def come(
    store: Store,
    site: Site,
    now: datetime,
    *mails: bytes,
    recipient: str = "",
    source: str = "pipe",
) -> Done:
    """What was done about the mails, which have just come in."""
    keeper(store, clock=lambda: now)(
        [Arrival(raw, source, recipient) for raw in mails],
    )
    return work_off(store, site, standard_rules(), now)


def came(store: Store) -> list[Came]:
    """What came in, the oldest first."""
    with store.reading() as tx:
        return inbound.listed(tx)[::-1]


def age(store: Store, days: float) -> None:
    """Nothing, once all that was sent so far was sent so many days earlier."""
    earlier = timedelta(days=days)
    with store.writing() as tx:
        for row in tx.execute(DELIVERY.select()).all():
            moments = {
                name: getattr(row, name) - earlier
                for name in ("queued_at", "next_at", "ended_at")
                if getattr(row, name)
            }
            tx.execute(update(DELIVERY).where(DELIVERY.c.id == row.id).values(**moments))
        for row in tx.execute(DISPATCH.select()).all():
            if row.filled_at:
                tx.execute(
                    update(DISPATCH)
                    .where(DISPATCH.c.id == row.id)
                    .values(filled_at=row.filled_at - earlier)
                )


def without_provider_words(site: Site) -> Site:
    """The site with no provider of its own."""
    return replace(site, providers=())
