"""`mailout doctor --bounce`: whether a bounce that is sent to the return path really comes back.

```
a made-up report -> the relay -> ... -> the return path -> a way in -> the store: seen
```

The report goes to a return path with a token of its own, signed like a reader's and of the same
form, so that it takes the way of every bounce; but the token names nobody, and so it changes
nothing. It is also the mail's sender: a relay that lets our mails through lets this one through.
The ways in are read as `mailout inbound fetch` reads them, and where others listen - a pipe, LMTP,
a worker - the store is looked at.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from mailout.cli.console import opened
from mailout.cli.sending import signers_of
from mailout.core.delivery import Verdict
from mailout.core.errors import MailoutError
from mailout.core.site import Site
from mailout.core.token import trial_token
from mailout.inbox import watch
from mailout.receive.intake import keeper
from mailout.send.compose import signed
from mailout.smtp.envelope import Envelope
from mailout.smtp.session import submit_all
from mailout.store import inbound
from mailout.store.engine import Store

SUBJECT = "Test of the return path"
_PATIENCE = 30  # seconds for each of the relay's replies
_PAUSE = 1.0  # seconds from one look to the next
_SLACK = timedelta(minutes=1)
_MOST = 500  # mails of one look
_EXTENSIONS = (
    "switch on address extensions there (Postfix: `recipient_delimiter = +`), or a catch-all"
)
_LINES = (
    "From: {return_path}",
    "To: {path}",
    "Subject: {subject}",
    "Date: {date}",
    "Message-ID: <{token}.trial@{domain}>",
    "Auto-Submitted: auto-generated",
    "MIME-Version: 1.0",
    'Content-Type: multipart/report; report-type=delivery-status; boundary="trial-{token}"',
    "",
    "--trial-{token}",
    "Content-Type: text/plain; charset=us-ascii",
    "",
    "`mailout doctor --bounce` made this mail, to see whether bounces come back.",
    "There is nothing to do. No reader is meant:",
    "",
    "<nobody@mailout.invalid>: 550 5.1.1 There is nobody of this name here",
    "",
    "--trial-{token}",
    "Content-Type: message/delivery-status",
    "",
    "Reporting-MTA: dns; {domain}",
    "",
    "Final-Recipient: rfc822; nobody@mailout.invalid",
    "Action: failed",
    "Status: 5.1.1",
    "Diagnostic-Code: smtp; 550 5.1.1 There is nobody of this name here",
    "",
    "--trial-{token}--",
    "",
)


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the way; `problem` is empty if it was taken."""

    name: str
    problem: str = ""


def steps(site: Site, wait: float) -> Iterator[Step]:
    """The steps that were taken. Waits for about `wait` seconds at most."""
    token = trial_token(site.keys.return_path, secrets.token_bytes(8))
    local, _, domain = site.return_path.partition("@")
    path = f"{local}+{token}@{domain}"
    began = datetime.now(UTC)
    try:
        with opened(site) as store:
            name = f"bounce: the relay takes a mail to {local}+..@{domain}"
            problem = _hand_over(site, path, token, began)
            yield Step(name, problem)
            if not problem:
                yield from _awaited(site, store, token, began - _SLACK, wait)
    except MailoutError as error:
        yield Step("bounce", str(error))


def trial(site: Site, path: str, token: str, now: datetime) -> bytes:
    """The mail: a report on nobody, to `path`."""
    text = "\r\n".join(_LINES).format(
        return_path=site.return_path,
        path=path,
        subject=SUBJECT,
        date=format_datetime(now.replace(microsecond=0)),
        token=token,
        domain=site.identity.message_id_domain,
    )
    return text.encode()


def _hand_over(site: Site, path: str, token: str, now: datetime) -> str:
    """Why no relay took the mail; empty if one did."""
    if not site.relays:
        return "config.toml has no [[relays]] table"
    message = signed(trial(site, path, token, now), signers_of(site), now.timestamp())
    relay = site.relays[0]
    try:
        [outcome] = asyncio.run(
            submit_all(relay, site.ehlo, _PATIENCE, [Envelope(path, path, message)])
        )
    except MailoutError as error:
        return str(error)
    if outcome.verdict is Verdict.ACCEPTED:
        return ""
    if outcome.verdict is not Verdict.REFUSED:
        return f"{relay.label} does not take it now: {outcome.reply}. Try again in some minutes."
    return (
        f"{relay.label} answers: {outcome.reply}. Its server, or that of "
        f"{site.return_path.rpartition('@')[2]}, must take mail to "
        f"{site.return_path.replace('@', '+ANYTHING@')}: {_EXTENSIONS}"
    )


def _awaited(site: Site, store: Store, token: str, since: datetime, wait: float) -> Iterator[Step]:
    """Whether it came back in time, by which way; and which ways cannot be read."""
    began = time.monotonic()
    keep = keeper(store, site.inbound.max_bytes)
    looked: set[int] = set()
    troubles: dict[str, str] = {}
    while True:
        for name, read in watch.ways(site.inbound):
            try:
                for _ in read(keep):
                    pass
                troubles.pop(name, None)
            except MailoutError as error:
                troubles[name] = str(error)
        way = _way_of(store, token, since, looked)
        passed = time.monotonic() - began
        if way or passed >= wait:
            break
        time.sleep(min(_PAUSE, max(0.0, wait - passed)))
    for name, trouble in troubles.items():
        yield Step(f"bounce: the way in {name} can be read", trouble)
    if way:
        yield Step(f"bounce: it came back after {passed:.0f} s, by {way}")
    else:
        yield Step(f"bounce: it came back within {wait:.0f} s", _what_to_look_at(site))


def _way_of(store: Store, token: str, since: datetime, looked: set[int]) -> str:
    """By which way the mail with the token came in; empty if it did not. `looked` grows by those
    that were looked at."""
    with store.reading() as tx:
        for one in inbound.listed(tx, since=since, limit=_MOST):
            if one.id in looked:
                continue
            looked.add(one.id)
            raw = inbound.raw(tx, one.id) or b""
            if token in one.recipient.lower() or token.encode() in raw.lower():
                return one.source
    return ""


def _what_to_look_at(site: Site) -> str:
    """What an organiser can look at when the mail did not come back: way by way."""
    box = site.inbound
    local, _, domain = site.return_path.partition("@")
    said = [
        f"The relay took it, so it is on its way, or lost behind it: does the server of {domain} "
        f"have a mailbox for {local}+ANYTHING@{domain}? If not, {_EXTENSIONS}."
    ]
    for one in box.imap:
        said.append(
            f"{one.label}: look for a mail `{SUBJECT}` there. If it is in another folder, such as "
            "the one for spam, read that folder too."
        )
    for path in (*box.maildir, *box.mbox):
        said.append(f"{path}: is this where the server puts mail to {local}@{domain}?")
    if box.lmtp:
        said.append(
            f"{box.lmtp}: is `mailout inbound watch` running, and does the server hand mail to "
            "it? See the server's log."
        )
    if not box.is_read and not box.lmtp:
        said.append(
            "config.toml names no way in ([inbound]). If your server calls `mailout receive`, its "
            "log says how that ended; else set up a way: docs/inbound.md."
        )
    said.append("A slow relay may need longer: --wait 600.")
    return " ".join(said)
