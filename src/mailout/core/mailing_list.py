"""Mailing lists: what an organiser has set for one, as frozen values.

`config` reads them from `lists/*.toml`. A field here is a key there, so an unknown key is an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from mailout.core.errors import UsageError, nearest
from mailout.core.segment import KEYWORDS, Kind, Other, Rule, Vocabulary, own_field, resolved
from mailout.core.segment import parse as parse_rule
from mailout.core.standing import BounceSettings

_STRICT: dict[str, object] = {"extra": "forbid"}
_TAG_RULE = re.compile(r"""\s*tag\s*=\s*(?:"(?P<quoted>[^"]+)"|(?P<bare>[^\s"'()]+))\s*""")


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentSettings:
    """`[segments.NAME]` of a list: a rule, a label per language, and who may choose it. Exports of
    the people of a `sensitive` one need a reason."""

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
    read once they are on the list. `description` says to strangers what it is, `descriptions` the
    same per language, where there are several.
    """

    __pydantic_config__: ClassVar = _STRICT
    name: str
    sender: str
    list_id: str
    postal_address: str
    contact: str
    languages: tuple[str, ...]
    description: str = ""
    descriptions: Mapping[str, str] = field(default_factory=dict)
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

    def described(self, language: str) -> str:
        """What the list is, to strangers who read that language; may be empty."""
        return self.settings.descriptions.get(language) or self.settings.description

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
        return Vocabulary(own, self.lists, frozenset(self.settings.segments))

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
        elif name.replace("-", "").isalnum() and name.lower() not in KEYWORDS:
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
