"""The site: everything an organiser has set, as frozen values.

A field here is a key of `config.toml` or `lists/*.toml`, which `config` reads and no trip does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal
from urllib.parse import urlsplit

from mailout.core.errors import UsageError, nearest
from mailout.core.inbox import Inbox
from mailout.core.keys import Keys
from mailout.core.segment import Kind, Other, Rule, Vocabulary, own_field, resolved
from mailout.core.segment import parse as parse_rule
from mailout.core.standing import BounceSettings
from mailout.core.target import Targets
from mailout.core.webhook.settings import Webhooks

_STRICT: dict[str, object] = {"extra": "forbid"}
_TAG_RULE = re.compile(r"""\s*tag\s*=\s*(?:"(?P<quoted>[^"]+)"|(?P<bare>[^\s"'()]+))\s*""")
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

    `*.example.org` stands for all domains below that one.
    """

    __pydantic_config__: ClassVar = _STRICT
    name: str
    domains: tuple[str, ...]
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
    """`[sending]`: how the sender introduces itself, how long it keeps trying, and the field that
    names a delivery where the return path does not survive (empty: none)."""

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
class SegmentSettings:
    """`[segments.NAME]` of a list: rule, labels, who may choose it, do exports need a reason."""

    __pydantic_config__: ClassVar = _STRICT
    rule: str
    label: Mapping[str, str] = field(default_factory=dict)
    choosable: bool = False
    sensitive: bool = False

    @property
    def tag(self) -> str:
        """The tag that makes somebody a member; empty where the rule is more than one tag."""
        found = _TAG_RULE.fullmatch(self.rule)
        return (found["quoted"] or found["bare"]) if found else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSettings:
    """`[fields.NAME]` of a list: what a field of its own holds, its `choices` where it has some,
    and a label per language."""

    __pydantic_config__: ClassVar = _STRICT
    type: Literal["text", "number", "date", "yes-no", "choice", "choices"]
    choices: tuple[str, ...] = ()
    label: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """`[press]` of a list: whom journalists reach, and who we are, the latter per language."""

    __pydantic_config__: ClassVar = _STRICT
    name: str = ""
    phone: str = ""
    email: str = ""
    boilerplate: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSettings:
    """One `lists/NAME.toml`. The first of `languages` is the one everybody can fall back to.

    `blocked_in` are countries from which the site cannot be reached: readers there get whole
    posts. `signature` (Markdown) is per language; `categories` names each category per language.
    Without `archive` its issues are for its readers alone; without `join` nobody signs up by a
    page. `consent` is what people agree to who do, per language; `welcome` (Markdown) is what they
    read once they are on the list.
    """

    __pydantic_config__: ClassVar = _STRICT
    name: str
    sender: str
    list_id: str
    postal_address: str
    contact: str
    languages: tuple[str, ...]
    description: str = ""
    reply_to: str = ""
    opt_in: Literal["double"] = "double"
    join: bool = False
    consent: Mapping[str, str] = field(default_factory=dict)
    welcome: Mapping[str, str] = field(default_factory=dict)
    archive: bool = False
    why: Mapping[str, str] = field(default_factory=dict)
    fallback: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    segments: Mapping[str, SegmentSettings] = field(default_factory=dict)
    fields: Mapping[str, FieldSettings] = field(default_factory=dict)
    blocked_in: tuple[str, ...] = ()
    signature: Mapping[str, str] = field(default_factory=dict)
    press: Press = field(default_factory=Press)
    bounces: BounceSettings = field(default_factory=BounceSettings)
    categories: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MailingList:
    """A list with the identifier that its file name gives it; `from` stands as `sender`.

    Dates in its rules are days in `timezone`, the site's; `lists` are all lists of the site.
    """

    id: str
    settings: ListSettings
    timezone: str = "UTC"
    lists: tuple[str, ...] = ()

    @property
    def default_language(self) -> str:
        return self.settings.languages[0]

    @property
    def choices(self) -> dict[str, SegmentSettings]:
        """The segments that readers may choose for themselves, by name."""
        return {name: one for name, one in self.settings.segments.items() if one.choosable}

    @property
    def vocabulary(self) -> Vocabulary:
        """What its rules may name."""
        own = {
            name: own_field(Kind(one.type), one.choices)
            for name, one in self.settings.fields.items()
        }
        return Vocabulary(own, self.lists)

    def rule(self, segment: str) -> Rule:
        """The rule of one of the list's segments. Raises: UsageError naming the nearest one."""
        segments = self.settings.segments
        if segment not in segments:
            raise UsageError(
                f"the list `{self.id}` has no segment `{segment}`",
                where=f"lists/{self.id}.toml",
                fix=nearest(segment, segments),
            )
        where = f"lists/{self.id}.toml [segments.{segment}]"
        return parse_rule(segments[segment].rule, where, self.vocabulary)

    def people(self, text: str, where: str) -> Rule:
        """Whom a text means that was given with a command: a segment's name, or else a rule.

        Raises: BadRule, UsageError for what is neither; MailoutError for a circle.
        """
        name = text.strip().removeprefix(f"{self.id}/")
        if name in self.settings.segments:
            rule: Rule = Other(name)
        elif name.replace("-", "").isalnum() and name != "everyone":
            rule = self.rule(name)  # a word alone is the name of a segment, and there is none
        else:
            rule = parse_rule(text, where, self.vocabulary)
        resolved(rule, self.rule)
        return rule


@dataclass(frozen=True, slots=True)
class SegmentName:
    """A segment of a list: `bulletin/unions`."""

    list_id: str
    name: str

    def __str__(self) -> str:
        return f"{self.list_id}/{self.name}"


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
