"""`[webhooks.NAME]` of `config.toml`: what cannot work is refused, and secrets are found.

No secret stands in the file: it names the variables of the environment that hold them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

from mailout.config import toml
from mailout.core.errors import BadFile, place
from mailout.core.webhook.settings import (
    Login,
    LoginSettings,
    MailgunSettings,
    Ready,
    SendGrid,
    Ses,
    SigningKey,
    Webhooks,
)

_TOPIC = re.compile(r"arn:aws(-[a-z-]+)?:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
_FIELD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 5.1
# RFC 5322 2.2 lets a name be longer; a line of 78 with the token in it does not.
_TOKEN_HEADER = re.compile(r"(?i)X-[A-Za-z0-9](?:[A-Za-z0-9-]{0,38}[A-Za-z0-9])?")
_TAKEN = ("x-auto-response-suppress",)


@dataclass(frozen=True, slots=True)
class Webhook:
    """One provider whose notices are taken. `settings` is None while the variable `missing` is
    not set; `login` is what stands before the host in its address, the secret as its name."""

    name: str
    settings: Ready | None
    missing: str = ""
    login: str = ""


def configured(webhooks: Webhooks) -> tuple[Webhook, ...]:
    """The providers of a site, with what the environment holds of their secrets."""
    return tuple(_found(name, settings) for name, settings in _tables(webhooks))


def check(webhooks: Webhooks, token_header: str, source: str, shown: str) -> None:
    """Refuses tables that could not work, and a token header that is none.

    Raises: BadFile with the line of `source`, the text of the file `shown`.
    """
    if token_header and (
        not _TOKEN_HEADER.fullmatch(token_header) or token_header.lower() in _TAKEN
    ):
        raise BadFile(
            f"`{token_header}` cannot be a header of ours",
            where=place(shown, toml.line_of(source, ("sending", "token_header"))),
            fix="Write one such as X-Delivery: X-, then up to 40 letters, digits and hyphens.",
        )
    for name, settings in _tables(webhooks):

        def where(key: str, name: str = name) -> str:
            return place(shown, toml.line_of(source, ("webhooks", name, key)))

        if isinstance(settings, Ses):
            _check_topics(settings, where)
        elif isinstance(settings, SendGrid):
            _check_public_key(settings, where)
        elif isinstance(settings, MailgunSettings):
            _check_variable("signing_key_env", settings.signing_key_env, where)
        else:
            _check_login(name, settings, where)


_Table = Ses | SendGrid | MailgunSettings | LoginSettings


def _tables(webhooks: Webhooks) -> Iterator[tuple[str, _Table]]:
    for one in fields(webhooks):
        if (settings := getattr(webhooks, one.name)) is not None:
            yield one.name, settings


def _found(name: str, settings: _Table) -> Webhook:
    if isinstance(settings, Ses | SendGrid):
        return Webhook(name, settings)
    if isinstance(settings, MailgunSettings):
        key = _secret(settings.signing_key_env)
        return Webhook(name, SigningKey(key=key)) if key else _waiting(name, settings)
    if settings.header:
        secret = _secret(settings.secret_env)
        ready = Login(header=settings.header, secret=secret)
        return Webhook(name, ready) if secret else _waiting(name, settings)
    password = _secret(settings.password_env)
    if not password:
        return _waiting(name, settings)
    login = Login(username=settings.username, password=password)
    return Webhook(name, login, login=_login(settings))


def _waiting(name: str, settings: MailgunSettings | LoginSettings) -> Webhook:
    if isinstance(settings, MailgunSettings):
        return Webhook(name, None, settings.signing_key_env)
    missing = settings.secret_env if settings.header else settings.password_env
    return Webhook(name, None, missing, login=_login(settings))


def _login(settings: LoginSettings) -> str:
    return "" if settings.header else f"{settings.username}:${settings.password_env}"


def _secret(variable: str) -> str:
    return os.environ.get(variable, "").strip()


Where = Callable[[str], str]


def _check_topics(settings: Ses, where: Where) -> None:
    if not settings.topics:
        raise BadFile(
            "`topics` is empty",
            where=where("topics"),
            fix="Write the whole name of the topic: arn:aws:sns:REGION:ACCOUNT:NAME.",
        )
    for topic in settings.topics:
        if not _TOPIC.fullmatch(topic):
            raise BadFile(
                f"`{topic}` is no name of a topic",
                where=where("topics"),
                fix="Write it as arn:aws:sns:REGION:ACCOUNT:NAME.",
            )


def _check_public_key(settings: SendGrid, where: Where) -> None:
    from mailout.core.webhook.proof import key_fault  # its library is slow to import

    if fault := key_fault(settings.public_key):
        raise BadFile(
            f"`public_key` is not SendGrid's: {fault}",
            where=where("public_key"),
            fix="Copy the verification key of the Signed Event Webhook; it begins with MFkw.",
        )


def _check_login(name: str, settings: LoginSettings, where: Where) -> None:
    by_password = bool(settings.username or settings.password_env)
    by_header = bool(settings.header or settings.secret_env)
    if by_password == by_header:
        raise BadFile(
            f"[webhooks.{name}] needs either a login or a header, and has "
            + ("both" if by_header else "none"),
            where=where("header"),
            fix="Write `username` and `password_env`, or `header` and `secret_env`.",
        )
    if by_header:
        if name == "mailjet":
            raise BadFile(
                "Mailjet sends no header of yours",
                where=where("header"),
                fix="Write `username` and `password_env`: they stand in the address.",
            )
        if not _FIELD.fullmatch(settings.header):
            raise BadFile(f"`{settings.header}` is no name of a header", where=where("header"))
        _check_variable("secret_env", settings.secret_env, where)
        return
    if not settings.username or re.search(r"[^!-~]|[:@/]", settings.username):
        raise BadFile(
            "`username` has to be letters and digits that can stand in an address",
            where=where("username"),
        )
    _check_variable("password_env", settings.password_env, where)


def _check_variable(key: str, value: str, where: Where) -> None:
    if not _VARIABLE.fullmatch(value):
        # What stands there may be the secret itself: it is not repeated.
        raise BadFile(
            f"`{key}` is no name of a variable",
            where=where(key),
            fix="Name the variable of the environment that holds the secret, in capital letters.",
        )
