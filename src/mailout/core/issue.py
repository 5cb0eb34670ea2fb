"""Issues: newsletters, from the file that asks for one to the frozen variants that are sent.

draft -> compiled -> approved -> sent | cancelled. An issue's file names its posts; each
further language has a file of its own beside it that holds subject, preheader and intro:
`2026-11-20-bulletin.en.md`, `2026-11-20-bulletin.ru.md`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from mailout.core import front_matter, language, places
from mailout.core.edition import Edition
from mailout.core.errors import BadFile, nearest, place
from mailout.core.frequency import DIGESTS
from mailout.core.front_matter import FrontMatter, Path
from mailout.core.mailing_list import MailingList


class IssueState(StrEnum):
    DRAFT = "draft"
    COMPILED = "compiled"
    APPROVED = "approved"
    SENT = "sent"
    CANCELLED = "cancelled"


# What an issue says once, in one of its files.
_ONCE = frozenset(
    [
        "list",
        "template",
        "posts",
        "full_text",
        "sections",
        "signatories",
        "urgent",
        "archive",
        "fallback",
        "digest",
        "issues",
    ]
)
_KEYS = _ONCE | {"subject", "preheader", "lang"}
_NAME = re.compile(
    r"(?P<name>.+?)(?:\.(?P<lang>[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*))?\.(?:md|markdown)"
)
_TAKEN = "archive"  # build/archive/ is no issue's folder
_SAFE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Wording:
    """What an issue says of itself in one language."""

    subject: str = ""
    preheader: str = ""
    intro: str = ""


@dataclass(frozen=True, slots=True)
class IssuePlan:
    """An issue as its files ask for it.

    `full_text` prints posts whole, not as excerpts; `sections` puts them under headings;
    `signatories` names those who agreed to be named; an `urgent` one overtakes others; `archive`
    says whether it is shown there (of a digest: whether its posts are). `fallback` names for a
    language those that stand in where a text is not translated, before the list's own. A `digest`
    (weekly, monthly) is for the readers of that frequency who have missed one of `issues`, whose
    posts it holds.
    """

    name: str
    list_id: str = ""
    template: str = "bulletin"
    posts: tuple[str, ...] = ()
    full_text: bool = False
    sections: bool = False
    signatories: bool = False
    urgent: bool = False
    archive: bool = True
    fallback: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    digest: str = ""
    issues: tuple[str, ...] = ()
    wordings: Mapping[str, Wording] = field(default_factory=dict)
    file: str = ""
    lines: Mapping[Path, int] = field(default_factory=dict)

    def at(self, *path: str | int) -> str:
        """`file:line` of a value of the file that names the posts; the file where it is in none."""
        return FrontMatter(self.file, {}, self.lines, "", 1).at(*path) if self.lines else self.file

    def fallback_of(self, mailing_list: MailingList) -> Mapping[str, Sequence[str]]:
        """What stands in for what: as the issue says, else as its list does."""
        return {**mailing_list.settings.fallback, **self.fallback}


@dataclass(frozen=True, slots=True)
class Variant:
    """One language and edition of a compiled issue. `html` (empty in the text edition) and `text`
    hold slots (`core.slot`), and marks that `by_country` tells the meaning of (`core.places`)."""

    language: str
    subject: str
    html: str
    text: str
    edition: str = Edition.FULL
    by_country: places.Table = field(default_factory=dict)

    @property
    def hash(self) -> str:
        """64 hex digits over everything that is sent of this variant."""
        parts = [self.language, self.edition, self.subject, self.html, self.text]
        if self.by_country:
            parts.append(json.dumps(places.packed(self.by_country), ensure_ascii=False))
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def in_country(self, country: str) -> Variant:
        """The variant as readers in a country (empty: in any other) get it, without marks."""
        if not self.by_country:
            return self
        return replace(
            self,
            html=places.filled(self.html, self.by_country, country, html=True),
            text=places.filled(self.text, self.by_country, country, html=False),
            by_country={},
        )


def content_hash(variants: tuple[Variant, ...]) -> str:
    """64 hex digits over all variants: what `approve` binds and `send` sends."""
    lines = sorted(f"{v.language} {v.edition} {v.hash}" for v in variants)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def split_name(file: str) -> tuple[str, str]:
    """The issue's name and the language (or empty) that a file's name tells.

    Raises: BadFile for a name that could not stand in a folder name or a command.
    """
    match = _NAME.fullmatch(file.rpartition("/")[2])
    if match is None or not _SAFE_NAME.fullmatch(match["name"]):
        raise BadFile(
            "an issue's file name may hold only a-z, 0-9, dots, hyphens and underscores",
            where=file,
        )
    if match["name"] == _TAKEN:
        raise BadFile(
            f"an issue cannot be called `{_TAKEN}`: build/{_TAKEN}/ is another thing's", where=file
        )
    return match["name"], match["lang"] or ""


def parse(texts: Mapping[str, str], default_language: str) -> IssuePlan:
    """The plan that one issue's files ask for; `texts` is file -> content, any order.

    Raises: BadFile with file and line.
    """
    plan = IssuePlan(name="")
    wordings: dict[str, Wording] = {}
    for file in sorted(texts):
        name, code = split_name(file)
        head = front_matter.split(texts[file], file)
        head.refuse_unknown(_KEYS)
        code = language.normal(head.text("lang", code or default_language))
        if code in wordings:
            raise BadFile(f"a second file for the language `{code}`", where=file)
        wordings[code] = Wording(
            head.text("subject"), head.text("preheader"), head.body.strip("\n")
        )
        plan = _main_file(plan, head, name, file)
    if not plan.file:
        file = sorted(texts)[0]
        raise BadFile("an issue needs `posts` in one of its files", where=place(file, 1))
    return replace(plan, wordings=wordings)


def _main_file(plan: IssuePlan, head: FrontMatter, name: str, file: str) -> IssuePlan:
    """The plan, completed from this file if it is the one that names the posts."""
    asked = sorted(_ONCE & head.values.keys())
    if not asked:
        return plan
    if plan.file:
        raise BadFile(
            f"`{asked[0]}` belongs into one file of an issue",
            where=head.at(asked[0]),
            fix=f"It is {plan.file}.",
        )
    posts = head.texts("posts")
    if not posts:
        raise BadFile("an issue needs `posts`", where=head.at("posts"))
    for number, key in enumerate(posts):
        if key in posts[:number]:
            raise BadFile(f"the post `{key}` stands twice", where=head.at("posts", number))
    template = head.text("template", "bulletin")
    digest = _digest(head)
    return IssuePlan(
        name=name,
        list_id=head.text("list"),
        template=template,
        posts=posts,
        full_text=head.flag("full_text"),
        sections=head.flag("sections"),
        signatories=head.flag("signatories"),
        urgent=head.flag("urgent", template == "appeal" and not digest),
        archive=head.flag("archive", True),
        fallback=_fallback(head),
        digest=digest,
        issues=head.texts("issues"),
        file=file,
        lines=head.lines,
    )


def _digest(head: FrontMatter) -> str:
    """The frequency that an issue is a digest for; empty for any other issue."""
    digest = head.text("digest")
    if not digest:
        if head.texts("issues"):
            raise BadFile("only a digest has `issues`", where=head.at("issues"))
        return ""
    if digest not in DIGESTS:
        fix = nearest(digest, DIGESTS) or "There are weekly and monthly."
        raise BadFile(f"there is no {digest} digest", where=head.at("digest"), fix=fix)
    if head.flag("urgent"):
        raise BadFile("a digest cannot be urgent", where=head.at("urgent"))
    if not head.texts("issues"):
        raise BadFile(
            "a digest needs `issues`", where=head.at("digest"), fix="Name those that it holds."
        )
    return digest


def _fallback(head: FrontMatter) -> dict[str, tuple[str, ...]]:
    value = head.values.get("fallback") or {}
    if not isinstance(value, Mapping):
        raise BadFile(
            "`fallback` must name languages", where=head.at("fallback"), fix="Write `{de: en}`."
        )
    found = {}
    for code, others in value.items():
        choices = others if isinstance(others, list) else [others]
        for one in (code, *choices):
            if one != language.EVERY_OTHER and not language.is_code(str(one)):
                raise BadFile(
                    f"`{one}` is not a language code", where=head.at("fallback", str(code))
                )
        found[str(code)] = tuple(language.normal(str(one)) for one in choices)
    return found
