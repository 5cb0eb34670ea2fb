"""A session with a relay: opened, then one envelope after another, each with an Outcome.

What a server says of one recipient is an Outcome and never an exception. What concerns the
relay itself - no connection, no password, no trust in its certificate, our sender refused -
is `RelayProblem`: no recipient is to blame, so the issue is held and nobody is written off.

Standards: RFC 5321 (SMTP), RFC 3207 (STARTTLS), RFC 4954 (AUTH), RFC 2034 (enhanced codes),
RFC 6531 (SMTPUTF8).
"""

from __future__ import annotations

import asyncio
import os
import re
import ssl
import time
from dataclasses import dataclass
from types import TracebackType

import aiosmtplib
from aiosmtplib.errors import (
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPException,
    SMTPHeloError,
    SMTPResponseException,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)

from mailout.core.delivery import Outcome, Verdict
from mailout.core.errors import TryLater
from mailout.core.site import Relay

_ENHANCED = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})\s+")
_MOST_TEXT = 500  # characters of a reply that are kept


class RelayProblem(TryLater):
    """The relay cannot be used as it is set up; nothing about any recipient follows from it."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What one transaction carries: return path, the one recipient, and the message's bytes."""

    sender: str
    recipient: str
    needs_smtputf8: bool
    message: bytes


class Session:
    """One connection to a relay, as an async context manager."""

    def __init__(self, relay: Relay, ehlo: str, timeout: float) -> None:
        self.relay = relay
        self.broken = False
        self._client = aiosmtplib.SMTP(
            hostname=relay.host,
            port=relay.port,
            local_hostname=ehlo,
            timeout=timeout,
            use_tls=relay.tls == "tls",
            start_tls=relay.tls == "starttls",
            tls_context=None if relay.tls == "none" else ssl.create_default_context(),
        )

    async def __aenter__(self) -> Session:
        """The open session. Raises: RelayProblem."""
        try:
            await self._client.connect()
            await self._greet()
            if self.relay.username:
                await self._client.login(self.relay.username, password_of(self.relay))
        except SMTPAuthenticationError as error:
            self._client.close()
            raise RelayProblem(
                f"the relay refuses the account `{self.relay.username}`: {_said(error)}",
                where=self.relay.label,
                fix=f"Check `username` and the password in {self.relay.password_env}.",
            ) from error
        except SMTPResponseException as error:
            self._client.close()
            raise RelayProblem(
                f"the relay does not open a session: {_said(error)}", where=self.relay.label
            ) from error
        except (SMTPException, OSError, ssl.SSLError, ValueError) as error:
            self._client.close()
            raise _no_connection(self.relay, error) from error
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.broken or kind is not None:
            self._client.close()
            return
        try:
            await self._client.quit(timeout=5)
        except (SMTPException, OSError):
            self._client.close()

    async def _greet(self) -> None:
        """EHLO, or HELO for a server of the old kind; only then is known what it offers."""
        if not self._client.is_ehlo_or_helo_needed:
            return
        try:
            await self._client.ehlo()
        except SMTPHeloError:
            await self._client.helo()

    async def submit(self, envelope: Envelope) -> Outcome:
        """What became of the envelope.

        Sets `broken` when the session cannot take another. Raises: RelayProblem when the
        relay refuses us rather than the recipient.
        """
        started = time.monotonic()
        verdict, code, said = await self._transact(envelope)
        enhanced, text = _split_enhanced(said)
        return Outcome(
            verdict=verdict,
            code=code,
            enhanced=enhanced,
            text=text,
            relay=self.relay.label,
            seconds=time.monotonic() - started,
        )

    async def _transact(self, envelope: Envelope) -> tuple[Verdict, int, str]:
        client = self._client
        if envelope.needs_smtputf8 and not client.supports_extension("smtputf8"):
            return Verdict.REFUSED, 0, "5.6.7 the relay cannot take an address in this script"
        options = ["SMTPUTF8"] if envelope.needs_smtputf8 else []
        step = "MAIL"
        try:
            await client.mail(
                envelope.sender, options=options, encoding="utf-8" if options else "ascii"
            )
            step = "RCPT"
            await client.rcpt(envelope.recipient, encoding="utf-8" if options else "ascii")
            step = "DATA"
            response = await client.data(envelope.message)
        except SMTPResponseException as error:
            if step == "MAIL" and error.code >= 500:
                self.broken = True
                raise self._refuses_us(error) from error
            return await self._after_reply(error, step)
        except (SMTPServerDisconnected, SMTPTimeoutError, OSError, asyncio.IncompleteReadError):
            self.broken = True
            if step == "DATA":
                return Verdict.UNKNOWN, 0, "the connection was lost with the message on the wire"
            return Verdict.DEFERRED, 0, f"the connection was lost after {step}"
        except SMTPException as error:
            self.broken = True
            verdict = Verdict.UNKNOWN if step == "DATA" else Verdict.DEFERRED
            return verdict, 0, f"the server answered {step} with nonsense: {error}"[:_MOST_TEXT]
        return Verdict.ACCEPTED, response.code, response.message[:_MOST_TEXT]

    async def _after_reply(
        self, error: SMTPResponseException, step: str
    ) -> tuple[Verdict, int, str]:
        """The verdict of a negative reply; the session is made ready for the next envelope."""
        said = " ".join(error.message.split())[:_MOST_TEXT]
        if error.code == 421 or not self._client.is_connected:
            self.broken = True
        else:
            try:
                await self._client.rset()
            except (SMTPException, OSError):
                self.broken = True
        if 500 <= error.code <= 599:
            return Verdict.REFUSED, error.code, said
        if step == "DATA" and not 400 <= error.code <= 499:
            return Verdict.UNKNOWN, error.code, said
        return Verdict.DEFERRED, error.code, said

    def _refuses_us(self, error: SMTPResponseException) -> RelayProblem:
        if error.code in (530, 535):
            return RelayProblem(
                f"the relay wants a password: {_said(error)}",
                where=self.relay.label,
                fix="Set `username` of the relay, and its password in "
                f"{self.relay.password_env or 'the variable that password_env names'}.",
            )
        return RelayProblem(
            f"the relay refuses our sender: {_said(error)}",
            where=self.relay.label,
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


def _split_enhanced(text: str) -> tuple[str, str]:
    """The enhanced status code at the head of a reply, and the rest (RFC 2034 4)."""
    match = _ENHANCED.match(text + " ")
    return (match[1], text[match.end() :].strip()) if match else ("", text)
