"""`[webhooks.NAME]` of `config.toml`: the providers whose notices are taken, and their secrets.

A secret stands in the environment, under the name that a key ending in `_env` gives. What was
found there is a value of its own (`Login`, `SigningKey`) and is never printed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

_STRICT: dict[str, object] = {"extra": "forbid"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ses:
    """`[webhooks.ses]`: the topics of Amazon SNS, by their whole names (`arn:aws:sns:..`)."""

    __pydantic_config__: ClassVar = _STRICT
    topics: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SendGrid:
    """`[webhooks.sendgrid]`: the verification key, as SendGrid shows it. It is no secret."""

    __pydantic_config__: ClassVar = _STRICT
    public_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MailgunSettings:
    """`[webhooks.mailgun]`: the variable that holds the HTTP webhook signing key."""

    __pydantic_config__: ClassVar = _STRICT
    signing_key_env: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginSettings:
    """`[webhooks.postmark]`, `[webhooks.brevo]`, `[webhooks.mailjet]`: what a notice must show.

    Either a name and a password, which stand in the address (`https://name:password@..`), or a
    header of that name with a secret in it.
    """

    __pydantic_config__: ClassVar = _STRICT
    username: str = ""
    password_env: str = ""
    header: str = ""
    secret_env: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhooks:
    """`[webhooks]`: a table for each provider; None for one that is not used."""

    __pydantic_config__: ClassVar = _STRICT
    ses: Ses | None = None
    sendgrid: SendGrid | None = None
    postmark: LoginSettings | None = None
    mailgun: MailgunSettings | None = None
    brevo: LoginSettings | None = None
    mailjet: LoginSettings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What a notice must show, with the secret itself; the one that is not used is empty."""

    username: str = ""
    password: str = field(default="", repr=False)
    header: str = ""
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """The key of Mailgun's signatures."""

    key: str = field(repr=False)


Ready = Ses | SendGrid | SigningKey | Login
"""The settings of one provider with its secrets: what `arrivals` takes."""
