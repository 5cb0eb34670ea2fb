"""The site: everything an organiser has set, as frozen values.

`config` reads these from `config.toml` and `lists/*.toml`; trips are handed a `Site` and
read no file for it. A field here is a key there, so an unknown key is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal
from urllib.parse import urlsplit

from mailout.core.errors import UsageError, nearest
from mailout.core.inbox import Inbox
from mailout.core.keys import Keys
from mailout.core.mailing_list import MailingList, SegmentName
from mailout.core.target import Targets
from mailout.core.webhook.settings import Webhooks

_STRICT: dict[str, object] = {"extra": "forbid"}
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """`[site]`: who this is, and where its public pages are."""

    __pydantic_config__: ClassVar = _STRICT
    name: str
    url: str
    timezone: str = "UTC"
    mail_domain: str = ""

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def message_id_domain(self) -> str:
        """The domain of Message-IDs: `mail_domain`, or the host of the pages."""
        return self.mail_domain or self.host


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """`[store]`: where the record is kept. A relative SQLite path is relative to the site."""

    __pydantic_config__: ClassVar = _STRICT
    url: str = "sqlite:///mailout.db"


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """`[[relays]]`: a server that takes our mail.

    `weight` is its share of the mail beside other relays; one of weight 0 is used while all
    others fail. `per_connection` messages end a session; `per_minute` and `per_day` bound what
    all senders of the site give it together (0: no bound). `warm_up` has the bounds of the
    first days from `warm_up_from` on, one a day.
    """

    __pydantic_config__: ClassVar = _STRICT
    host: str
    port: int = 587
    tls: Literal["starttls", "tls", "none"] = "starttls"
    username: str = ""
    password_env: str = ""
    password: str = field(default="", repr=False)
    connections: int = 4
    depth: int = 8
    weight: int = 1
    per_connection: int = 0
    per_minute: int = 0
    per_day: int = 0
    warm_up_from: str = ""
    warm_up: tuple[int, ...] = ()

    @property
    def label(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        return self.host in _LOOPBACK or self.host.startswith("127.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """`[[providers]]`: mail domains that one company receives for, and how much it likes.

    `mx` names its mail servers: a domain whose most preferred one is among them is the provider's,
    too. `*.example.org` stands for all names below that one.
    """

    __pydantic_config__: ClassVar = _STRICT
    name: str
    domains: tuple[str, ...] = ()
    mx: tuple[str, ...] = ()
    per_minute: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Dkim:
    """`[[dkim]]`: a key that signs our mail for a domain; all of them sign."""

    __pydantic_config__: ClassVar = _STRICT
    domain: str
    selector: str
    key_file: str = ""

    @property
    def path(self) -> str:
        """Where the key is, relative to the site unless it begins with a slash."""
        return self.key_file or f"dkim/{self.selector}.pem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """`[sending]`: how the sender introduces itself, how long it keeps trying, the field that
    names a delivery where the return path does not survive (empty: none), and whom to ask for the
    mail servers of domains (empty: the machine's own name servers)."""

    __pydantic_config__: ClassVar = _STRICT
    ehlo: str = ""
    return_path: str = ""
    retry_minutes: tuple[int, ...] = (5, 15, 30, 60, 120, 240)
    max_age_hours: int = 72
    timeout_seconds: int = 60
    lease_seconds: int = 120
    late_minutes: int = 60
    unknown: Literal["resend", "hold"] = "resend"
    token_header: str = ""
    name_server: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """`[pages]`: where `mailout serve` listens, and how many may sign up.

    `proxies` are the addresses of web servers in front of it, whose word of who asks counts.
    `limits` is where several machines count together (`redis://..`); empty is in memory.
    With `post_letters` it mails confirmations and other letters by itself.
    """

    __pydantic_config__: ClassVar = _STRICT
    host: str = "127.0.0.1"
    port: int = 8080
    proxies: tuple[str, ...] = ()
    limits: str = ""
    sign_ups_per_hour: int = 2000
    post_letters: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveSettings:
    """`[archive]`: what was sent, as pages for everybody.

    An empty `url` is `/archive` below the site's; `searchable` pages may be in search engines.
    """

    __pydantic_config__: ClassVar = _STRICT
    enabled: bool = True
    url: str = ""
    searchable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Brand:
    """`[brand]`: colours (`#rrggbb`), logo and fonts of mails and pages."""

    __pydantic_config__: ClassVar = _STRICT
    accent: str = "#a8141f"
    accent_text: str = "#ffffff"
    background: str = "#f3f0ea"
    surface: str = "#ffffff"
    text: str = "#1f1b18"
    muted: str = "#5a534c"
    link: str = "#8f1019"
    logo_url: str = ""
    font: str = "Segoe UI, Roboto, Noto Sans, Helvetica Neue, Arial, sans-serif"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The whole site. `root` is the folder of `config.toml`; every path of the site is below it."""

    root: Path
    identity: Identity
    store: StoreSettings
    relays: tuple[Relay, ...]
    dkim: tuple[Dkim, ...] = ()
    providers: tuple[Provider, ...] = ()
    sending: Sending
    pages: Pages
    archive: ArchiveSettings = field(default_factory=ArchiveSettings)
    brand: Brand
    inbound: Inbox = field(default_factory=Inbox)
    lists: Mapping[str, MailingList]
    targets: Mapping[str, Targets] = field(default_factory=dict)
    webhooks: Webhooks = field(default_factory=Webhooks)
    keys: Keys

    @property
    def is_loopback(self) -> bool:
        """Whether the public pages are on this machine: a demo or a test."""
        return self.identity.host in _LOOPBACK

    @property
    def leave_url(self) -> str:
        """What a leave token is put behind: it makes the link that leaves a list."""
        return f"{self.identity.url}/u/"

    @property
    def archive_url(self) -> str:
        """Where the archive is for everybody, no slash at its end; empty if there is none."""
        if not self.archive.enabled:
            return ""
        return self.archive.url or f"{self.identity.url}/archive"

    @property
    def ehlo(self) -> str:
        return self.sending.ehlo or self.identity.message_id_domain

    @property
    def return_path(self) -> str:
        """The mailbox to whose local part the return-path token is added (`bounces@domain`)."""
        return self.sending.return_path or f"bounces@{self.identity.message_id_domain}"

    def list_named(self, name: str) -> MailingList:
        """The list with that identifier. Raises: UsageError naming the nearest one."""
        if name not in self.lists:
            raise UsageError(f"there is no list `{name}`", fix=nearest(name, self.lists))
        return self.lists[name]

    def segments(self) -> tuple[SegmentName, ...]:
        return tuple(
            SegmentName(mailing_list.id, name)
            for mailing_list in self.lists.values()
            for name in mailing_list.settings.segments
        )

    def segment_named(self, text: str) -> SegmentName:
        """The segment called `unions` or `bulletin/unions`; a bare name must be unique.

        Raises: UsageError naming the choices.
        """
        known = self.segments()
        found = [name for name in known if text in (name.name, str(name))]
        if len(found) == 1:
            return found[0]
        if found:
            choices = " or ".join(f"`{name}`" for name in found)
            raise UsageError(f"more than one list has a segment `{text}`", fix=f"Say {choices}.")
        everything = {name.name for name in known} | {str(name) for name in known if "/" in text}
        raise UsageError(f"there is no segment `{text}`", fix=nearest(text, everything))
