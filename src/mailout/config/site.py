"""Finding a site and reading it: `config.toml`, `lists/*.toml`, `keys.toml`, and what the
environment overrides (`MAILOUT_SITE`, `MAILOUT_STORE_URL`, `MAILOUT_RELAY_URL`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, unquote, urlsplit
from zoneinfo import ZoneInfo

from mailout.config import inbound, keys, lists, mailbox, targets, toml, webhooks
from mailout.core.errors import BadFile, UsageError, place
from mailout.core.inbox import Inbox
from mailout.core.site import (
    ArchiveSettings,
    Brand,
    Dkim,
    Identity,
    Pages,
    Provider,
    Relay,
    Sending,
    Site,
    StoreSettings,
)
from mailout.core.webhook.settings import Webhooks

FILE = "config.toml"
_URL_OPTIONS = ("connections", "depth", "per_connection", "per_minute", "per_day")
_DOMAIN = re.compile(r"(?:\*\.)?[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9-]+)+")
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_NO_FONT = re.compile(r"[;{}<>&\\]")
_HOST_AND_PORT = re.compile(r"([^:]+|\[[^\]]*\]):(\d+)")
_LIMITS = re.compile(r"(?:redis|rediss|valkey|valkeys)://[^\s]+")
_SCHEMES = {"smtp": ("starttls", 587), "smtps": ("tls", 465), "smtp+plain": ("none", 25)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _ConfigFile:
    """The tables of `config.toml`."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}
    site: Identity
    store: StoreSettings = field(default_factory=StoreSettings)
    relays: tuple[Relay, ...] = ()
    dkim: tuple[Dkim, ...] = ()
    providers: tuple[Provider, ...] = ()
    sending: Sending = field(default_factory=Sending)
    pages: Pages = field(default_factory=Pages)
    archive: ArchiveSettings = field(default_factory=ArchiveSettings)
    brand: Brand = field(default_factory=Brand)
    inbound: Inbox = field(default_factory=Inbox)
    webhooks: Webhooks = field(default_factory=Webhooks)


def find_root(named: str | None) -> Path:
    """The site's folder: as `named`, from `MAILOUT_SITE`, or the nearest `config.toml` upward.

    Raises: UsageError when there is none.
    """
    named = named or os.environ.get("MAILOUT_SITE")
    if named:
        root = Path(named)
        if not (root / FILE).is_file():
            raise UsageError(f"there is no {FILE} in {root}", fix=f"Run `mailout init {root}`.")
        return root.resolve()
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / FILE).is_file():
            return folder
    raise UsageError(
        f"there is no {FILE} here or above",
        fix="Go to your site's folder, name it with --site, or run `mailout init DIR`.",
    )


def read_site(root: Path) -> Site:
    """The site in the folder `root`. Raises: BadFile, MailoutError."""
    values, source = toml.read(root / FILE, FILE)
    config = toml.check(_ConfigFile, values, source, FILE)
    _check_config(config, source)
    relays = config.relays
    if relay_url := os.environ.get("MAILOUT_RELAY_URL"):
        relays = (relay_of_url(relay_url),)
    store = config.store
    if store_url := os.environ.get("MAILOUT_STORE_URL"):
        store = StoreSettings(url=store_url)
    return Site(
        root=root,
        identity=replace(config.site, url=config.site.url.rstrip("/")),
        store=store,
        relays=relays,
        dkim=config.dkim,
        providers=config.providers,
        sending=config.sending,
        pages=config.pages,
        archive=replace(config.archive, url=config.archive.url.rstrip("/")),
        brand=config.brand,
        inbound=inbound.resolved(config.inbound, root, source, FILE),
        lists=lists.read(root, config.site.timezone),
        targets=targets.read(root),
        webhooks=config.webhooks,
        keys=keys.read(root),
    )


def relay_of_url(url: str) -> Relay:
    """The relay that an address such as `smtp://user@host:587` names. Raises: UsageError."""
    name = "MAILOUT_RELAY_URL"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"not a relay's address: {error}", where=name) from None
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise UsageError(
            "not a relay's address",
            where=name,
            fix="Write smtp://user@host:587, smtps://user@host or smtp+plain://127.0.0.1:2525.",
        )
    tls, default_port = _SCHEMES[parts.scheme]
    options = parse_qs(parts.query)
    unknown = sorted(set(options) - set(_URL_OPTIONS))
    if unknown:
        raise UsageError(f"unknown option `{unknown[0]}`", where=name)
    try:
        numbers = {key: int(values[0]) for key, values in options.items()}
    except ValueError:
        raise UsageError(f"{', '.join(_URL_OPTIONS)} must be numbers", where=name) from None
    relay = Relay(
        host=parts.hostname,
        port=port or default_port,
        tls=tls,  # type: ignore[arg-type]  # one of the three above
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        password_env="MAILOUT_RELAY_PASSWORD",  # noqa: S106 - the name of a variable
        **numbers,  # type: ignore[arg-type]  # those of _URL_OPTIONS
    )
    _check_relay(relay, lambda _: name)
    return relay


def _check_url(url: str, where: str) -> None:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        host = None
    if not host or parts.scheme not in ("https", "http"):
        raise BadFile("`url` is not a web address", where=where, fix="Begin it with https://.")
    if parts.scheme == "http" and host not in ("localhost", "127.0.0.1", "::1"):
        raise BadFile(
            "the public pages need https: a link in the clear shows who reads this",
            where=where,
            fix="Write https://; plain http is for 127.0.0.1 only.",
        )


def _check_config(config: _ConfigFile, source: str) -> None:
    _check_url(config.site.url, place(FILE, toml.line_of(source, ("site", "url"))))
    if config.archive.url:
        _check_url(config.archive.url, place(FILE, toml.line_of(source, ("archive", "url"))))
    try:
        ZoneInfo(config.site.timezone)
    except (OSError, ValueError, KeyError):
        raise BadFile(
            f"`{config.site.timezone}` is not a time zone",
            where=place(FILE, toml.line_of(source, ("site", "timezone"))),
            fix="Write one such as UTC or Europe/Berlin.",
        ) from None
    for number, relay in enumerate(config.relays):
        if relay.password:
            raise BadFile(
                "a password must not stand in this file, which others may read",
                where=place(FILE, toml.line_of(source, ("relays", str(number), "password"))),
                fix="Name the environment variable that holds it: `password_env`.",
            )
        _check_relay(
            relay,
            lambda key, at=str(number): place(FILE, toml.line_of(source, ("relays", at, key))),  # type: ignore[misc]
        )
    labels = [relay.label for relay in config.relays]
    for number, label in enumerate(labels):
        if label in labels[:number]:
            line = toml.line_of(source, ("relays", str(number)))
            raise BadFile(f"the relay {label} stands here twice", where=place(FILE, line))
    _check_providers(config, source)
    if config.dkim:
        # Only now: the library behind it takes as long to import as all the rest.
        from mailout.config import dkim

        dkim.check(config.dkim, source, FILE)
    _check_sending(config.sending, source)
    _check_pages(config.pages, source)
    _check_brand(config.brand, source)
    webhooks.check(config.webhooks, config.sending.token_header, source, FILE)
    if config.sending.return_path:
        mailbox.check(
            config.sending.return_path,
            place(FILE, toml.line_of(source, ("sending", "return_path"))),
        )


def _check_pages(pages: Pages, source: str) -> None:
    for proxy in pages.proxies:
        try:
            ip_network(proxy)
        except ValueError:
            where = place(FILE, toml.line_of(source, ("pages", "proxies")))
            raise BadFile(
                f"`{proxy}` is no address of a machine or network",
                where=where,
                fix="Write one such as 127.0.0.1 or 10.0.0.0/8.",
            ) from None
    if pages.limits and not _LIMITS.fullmatch(pages.limits):
        raise BadFile(
            "`limits` names no store that several machines can count in",
            where=place(FILE, toml.line_of(source, ("pages", "limits"))),
            fix="Write redis://HOST:6379/0, or leave it empty to count in memory.",
        )
    if pages.sign_ups_per_hour < 1:
        where = place(FILE, toml.line_of(source, ("pages", "sign_ups_per_hour")))
        raise BadFile("`sign_ups_per_hour` must be at least 1", where=where)


def _check_brand(brand: Brand, source: str) -> None:
    for key in ("accent", "accent_text", "background", "surface", "text", "muted", "link"):
        if not _COLOUR.fullmatch(value := getattr(brand, key)):
            raise BadFile(
                f"`{value}` is not a colour",
                where=place(FILE, toml.line_of(source, ("brand", key))),
                fix="Write it as #rrggbb.",
            )
    if brand.logo_url and not brand.logo_url.startswith("https://"):
        where = place(FILE, toml.line_of(source, ("brand", "logo_url")))
        raise BadFile("`logo_url` is not at https://", where=where)
    if _NO_FONT.search(brand.font):
        where = place(FILE, toml.line_of(source, ("brand", "font")))
        raise BadFile("`font` holds more than names of fonts", where=where)


def _check_sending(sending: Sending, source: str) -> None:
    for key in ("late_minutes", "timeout_seconds", "lease_seconds", "max_age_hours"):
        if getattr(sending, key) < 1:
            line = toml.line_of(source, ("sending", key))
            raise BadFile(f"`{key}` must be at least 1", where=place(FILE, line))
    where = place(FILE, toml.line_of(source, ("sending", "retry_minutes")))
    if not sending.retry_minutes:
        raise BadFile(
            "`retry_minutes` is empty",
            where=where,
            fix="Write the waits after a deferral, such as [5, 15, 30, 60].",
        )
    if any(wait < 0 for wait in sending.retry_minutes):
        raise BadFile("`retry_minutes` must not have a negative wait", where=where)
    if sending.name_server and not _is_name_server(sending.name_server):
        raise BadFile(
            f"`{sending.name_server}` is no address of a name server",
            where=place(FILE, toml.line_of(source, ("sending", "name_server"))),
            fix="Write an IP address such as 127.0.0.1, or one with a port: 127.0.0.1:53.",
        )


def _is_name_server(text: str) -> bool:
    host, _, port = text.rpartition(":") if text.count(":") == 1 else (text, "", "53")
    try:
        ip_address(host)
    except ValueError:
        return False
    return port.isdecimal() and 0 < int(port) < 65536


def _check_providers(config: _ConfigFile, source: str) -> None:
    seen: dict[str, str] = {}
    servers: dict[str, str] = {}
    names: set[str] = set()
    for number, provider in enumerate(config.providers):

        def where(key: str, number: int = number) -> str:
            return place(FILE, toml.line_of(source, ("providers", str(number), key)))

        if provider.name in names:
            raise BadFile(
                f"there are two providers called `{provider.name}`",
                where=where("name"),
                fix="Put all of its domains into one table.",
            )
        names.add(provider.name)
        if not provider.domains and not provider.mx:
            raise BadFile(
                f"the provider `{provider.name}` has no `domains` and no `mx`",
                where=where("domains"),
                fix='Write those it receives for, such as ["example.org"], or its mail servers.',
            )
        if provider.per_minute < 0:
            raise BadFile("`per_minute` must not be negative", where=where("per_minute"))
        for server in provider.mx:
            if not _DOMAIN.fullmatch(server.lower()):
                raise BadFile(
                    f"`{server}` is no name of a mail server",
                    where=where("mx"),
                    fix="Write mx.example.org, or *.example.org for all names below it.",
                )
            if (other := servers.setdefault(server.lower(), provider.name)) != provider.name:
                raise BadFile(f"`{server}` belongs to `{other}` already", where=where("mx"))
        for domain in provider.domains:
            if not _DOMAIN.fullmatch(domain.lower()):
                raise BadFile(
                    f"`{domain}` is no mail domain",
                    where=where("domains"),
                    fix="Write example.org, or *.example.org for all domains below it.",
                )
            if (other := seen.setdefault(domain.lower(), provider.name)) != provider.name:
                raise BadFile(f"`{domain}` belongs to `{other}` already", where=where("domains"))


def _check_relay(relay: Relay, where: Callable[[str], str]) -> None:
    """Nothing, if the relay makes sense; `where` says where one of its keys stands."""
    if with_port := _HOST_AND_PORT.fullmatch(relay.host):
        raise BadFile(
            f"`host` holds a port: {relay.host}",
            where=where("host"),
            fix=f'Write `host = "{with_port[1].strip("[]")}"` and `port = {with_port[2]}`.',
        )
    if not relay.host:
        raise BadFile("`host` is empty", where=where("host"))
    if relay.tls == "none" and not relay.is_loopback:
        raise BadFile(
            f"`tls = none` would send to {relay.host} in the clear",
            where=where("tls"),
            fix="Use starttls or tls; none is for this machine only.",
        )
    if not 1 <= relay.connections <= 100:
        raise BadFile("`connections` must be from 1 to 100", where=where("connections"))
    if not 1 <= relay.depth <= 20:
        raise BadFile("`depth` must be from 1 to 20", where=where("depth"))
    for key in ("weight", "per_connection", "per_minute", "per_day"):
        if getattr(relay, key) < 0:
            raise BadFile(f"`{key}` must not be negative", where=where(key))
    if relay.warm_up and not relay.warm_up_from:
        raise BadFile(
            "`warm_up` needs the day it begins with",
            where=where("warm_up"),
            fix='Write `warm_up_from = "2026-12-01"`.',
        )
    if relay.warm_up_from and not relay.warm_up:
        raise BadFile(
            "`warm_up_from` has no effect without `warm_up`",
            where=where("warm_up_from"),
            fix="Write how many messages each day may have: `warm_up = [200, 500, 1500]`.",
        )
    if relay.warm_up_from:
        try:
            date.fromisoformat(relay.warm_up_from)
        except ValueError:
            raise BadFile(
                f"`{relay.warm_up_from}` is no day",
                where=where("warm_up_from"),
                fix="Write it as 2026-12-01.",
            ) from None
    if any(bound < 1 for bound in relay.warm_up):
        raise BadFile(
            "each day of `warm_up` must allow at least one message", where=where("warm_up")
        )
    if not 0 < relay.port < 65536:
        raise BadFile("`port` must be from 1 to 65535", where=where("port"))
