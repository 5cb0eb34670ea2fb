"""Opening a session with a relay: connection, TLS, EHLO, AUTH; then the wire is the pipeline's.

What concerns the relay itself - no connection, no password, no trust in its certificate, our
sender refused - is `RelayProblem`: no recipient is to blame, so the issue is held and nobody
is written off.

Standards: RFC 5321 (SMTP), RFC 3207 (STARTTLS), RFC 4954 (AUTH), RFC 8314 (implicit TLS).
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Sequence
from typing import cast

import aiosmtplib
from aiosmtplib.errors import (
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPException,
    SMTPHeloError,
    SMTPResponseException,
    SMTPTimeoutError,
)

from mailout.core.delivery import Outcome, Verdict
from mailout.core.errors import TryLater
from mailout.core.site import Relay
from mailout.smtp.envelope import Envelope, Offer, Source
from mailout.smtp.pipeline import Pipeline
from mailout.smtp.replies import Reply

_MOST_TEXT = 500  # characters of a reply that are shown


class RelayProblem(TryLater):
    """The relay cannot be used as it is set up; nothing about any recipient follows from it."""


async def open_pipeline(relay: Relay, ehlo: str, patience: float, source: Source) -> Pipeline:
    """A pipeline on a fresh session, already at work. `patience` is in seconds, for each step.

    Raises: RelayProblem.
    """
    client = aiosmtplib.SMTP(
        hostname=relay.host,
        port=relay.port,
        local_hostname=ehlo,
        timeout=patience,
        use_tls=relay.tls == "tls",
        start_tls=relay.tls == "starttls",
        tls_context=None if relay.tls == "none" else ssl.create_default_context(),
    )
    try:
        await client.connect()
        await _greet(client)
        if relay.username:
            await client.login(relay.username, password_of(relay))
    except SMTPAuthenticationError as error:
        client.close()
        raise RelayProblem(
            f"the relay refuses the account `{relay.username}`: {_said(error)}",
            where=relay.label,
            fix=f"Check `username` and the password in {relay.password_env}.",
        ) from error
    except SMTPResponseException as error:
        client.close()
        raise RelayProblem(
            f"the relay does not open a session: {_said(error)}", where=relay.label
        ) from error
    except (RelayProblem, asyncio.CancelledError):
        client.close()
        raise
    except (SMTPException, OSError, ssl.SSLError, ValueError) as error:
        client.close()
        raise _no_connection(relay, error) from error
    offered = client.esmtp_extensions
    offer = Offer.of(offered, offered.get("size"))
    pipeline = Pipeline(source, offer, relay.label, patience, relay.depth, relay.per_connection)
    # uvloop's transports are none by inheritance.
    pipeline.begin(cast(asyncio.Transport, client.transport))
    return pipeline


async def _greet(client: aiosmtplib.SMTP) -> None:
    """EHLO, or HELO for a server of the old kind; only then is known what it offers."""
    if not client.is_ehlo_or_helo_needed:
        return
    try:
        await client.ehlo()
    except SMTPHeloError:
        await client.helo()


async def submit_all(
    relay: Relay, ehlo: str, patience: float, envelopes: Sequence[Envelope]
) -> list[Outcome]:
    """What became of each envelope, on one connection. Raises: RelayProblem."""
    batch = _Batch(envelopes)
    pipeline = await open_pipeline(relay, ehlo, patience, batch)
    pipeline.quit_when_idle()
    await pipeline.closed.wait()
    if batch.refusal is not None:
        raise refuses_us(relay, batch.refusal)
    return batch.outcomes()


class _Batch:
    """A source of a few envelopes."""

    def __init__(self, envelopes: Sequence[Envelope]) -> None:
        self.envelopes = envelopes
        self.waiting = list(reversed(envelopes))
        self.ends: dict[int, Outcome] = {}
        self.refusal: Reply | None = None

    def take(self) -> Envelope | None:
        return self.waiting.pop() if self.waiting else None

    def finished(self, envelope: Envelope, outcome: Outcome) -> None:
        self.ends[id(envelope)] = outcome

    def returned(self, envelope: Envelope) -> None:
        pass

    def refused_us(self, reply: Reply) -> None:
        self.refusal = reply

    def outcomes(self) -> list[Outcome]:
        lost = Outcome(Verdict.DEFERRED, text="the connection was lost before its turn")
        return [self.ends.get(id(envelope), lost) for envelope in self.envelopes]


def refuses_us(relay: Relay, reply: Reply) -> RelayProblem:
    """The problem that a refusal of MAIL is: it concerns our account or sender."""
    said = f"{reply.code} {reply.text}"[:_MOST_TEXT]
    if reply.code in (530, 535):
        return RelayProblem(
            f"the relay wants a password: {said}",
            where=relay.label,
            fix="Set `username` of the relay, and its password in "
            f"{relay.password_env or 'the variable that password_env names'}.",
        )
    return RelayProblem(
        f"the relay refuses our sender: {said}",
        where=relay.label,
        fix="Check `return_path` in [sending], and what the relay lets you send for.",
    )


def password_of(relay: Relay) -> str:
    """The relay's password. Raises: RelayProblem naming the variable that is not set."""
    password = relay.password or os.environ.get(relay.password_env, "")
    if not password:
        raise RelayProblem(
            f"there is no password for `{relay.username}`",
            where=relay.label,
            fix=f"Set the variable {relay.password_env or 'that password_env is to name'}.",
        )
    return password


def _no_connection(relay: Relay, error: Exception) -> RelayProblem:
    cause = error.__cause__ or error
    if isinstance(cause, ssl.SSLCertVerificationError):
        what = f"the relay's certificate is not valid: {cause.verify_message}"
        return RelayProblem(what, where=relay.label, fix="Nothing was sent in the clear.")
    if "STARTTLS" in str(error):
        return RelayProblem(
            "the relay does not offer STARTTLS",
            where=relay.label,
            fix="Nothing was sent in the clear. Is `port` right, or should `tls` be `tls`?",
        )
    if isinstance(cause, ConnectionRefusedError) or isinstance(error, SMTPConnectError):
        what = "no server answers there"
    elif isinstance(error, (SMTPTimeoutError, TimeoutError)):
        what = "the server does not answer in time"
    else:
        what = f"the connection failed: {str(error) or type(error).__name__}"
    return RelayProblem(what, where=relay.label, fix="Is the relay up, and its port right?")


def _said(error: SMTPResponseException) -> str:
    return f"{error.code} {' '.join(error.message.split())}"[:_MOST_TEXT]
