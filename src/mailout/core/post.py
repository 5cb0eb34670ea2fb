"""Posts: what an organiser writes, one Markdown file per post and language.

`2026-11-20-harbour-strike.kk.md` is the Kazakh text of the post `2026-11-20-harbour-strike`.
The language may also stand in the front matter (`lang`), and the key as well (`key`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime

from mailout.core import action, front_matter, language, meeting
from mailout.core.action import Action, is_web_url
from mailout.core.errors import BadFile, nearest, place
from mailout.core.front_matter import FrontMatter
from mailout.core.meeting import Meeting

KINDS = {
    "article": "Article",
    "interview": "Interview",
    "report": "Report",
    "digest": "Press digest",
    "appeal": "Appeal",
    "statement": "Statement",
    "press-release": "Press release",
    "event": "Event",
    "about": "About us",
}
"""The kinds of posts, each with the message id of its label in the catalogues."""

_KEYS = frozenset(
    [
        "title",
        "key",
        "lang",
        "date",
        "kind",
        "author",
        "source",
        "source_url",
        "source_date",
        "canonical_url",
        "categories",
        "excerpt",
        "draft",
        "actions",
        "event",
        "embargo",
    ]
)
_NAME = re.compile(
    r"(?P<key>.+?)(?:\.(?P<lang>[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*))?\.(?:md|markdown)"
)
_DATED = re.compile(r"(\d{4}-\d{2}-\d{2})-")


@dataclass(frozen=True, slots=True)
class Post:
    """One post in one language. `body` is Markdown; `body_line` is where it begins in `file`.

    `embargo` is the time, in the site's zone, before which nobody may publish it.
    """

    key: str
    language: str
    title: str
    body: str
    file: str = ""
    body_line: int = 1
    date: date | None = None
    kind: str = "article"
    author: str = ""
    source: str = ""
    source_url: str = ""
    source_date: str = ""
    canonical_url: str = ""
    categories: tuple[str, ...] = ()
    excerpt: str = ""
    draft: bool = False
    actions: tuple[Action, ...] = ()
    event: Meeting | None = None
    embargo: datetime | None = None


def parse(text: str, file: str, default_language: str) -> Post:
    """The post in a file's `text`; `file` is its path as shown to people.

    Raises: BadFile with file and line.
    """
    head = front_matter.split(text, file)
    head.refuse_unknown(_KEYS)
    name = _NAME.fullmatch(file.rpartition("/")[2])
    from_name = (name["lang"] or "") if name else ""
    code = language.normal(head.text("lang", from_name or default_language))
    _check_language(code, head)
    title = head.text("title")
    if not title:
        raise BadFile(
            "a post needs a title",
            where=place(file, 1),
            fix="Add `title: ...` to its front matter.",
        )
    kind = head.text("kind", "article")
    if kind not in KINDS:
        raise BadFile(f"unknown kind `{kind}`", where=head.at("kind"), fix=nearest(kind, KINDS))
    key = head.text("key", name["key"] if name else file)
    return Post(
        key=key,
        language=code,
        title=title,
        body=head.body.strip("\n"),
        file=file,
        body_line=head.body_line + _leading_blank_lines(head.body),
        date=_date(head, key),
        kind=kind,
        author=head.text("author"),
        source=head.text("source"),
        source_url=_url(head, "source_url"),
        source_date=head.text("source_date"),
        canonical_url=_url(head, "canonical_url"),
        categories=head.texts("categories"),
        excerpt=head.text("excerpt"),
        draft=head.flag("draft"),
        actions=action.parse_all(head.values.get("actions"), head.at("actions")),
        event=meeting.parse(head.values.get("event"), head.at("event")),
        embargo=_embargo(head),
    )


def _check_language(code: str, head: FrontMatter) -> None:
    meant = language.mistaken_for(code)
    if meant:
        raise BadFile(
            f"`{code}` is a country, not a language", where=head.at("lang"), fix=f"Write `{meant}`."
        )
    if not language.is_code(code):
        raise BadFile(
            f"`{code}` is not a language code", where=head.at("lang"), fix="Write one such as `en`."
        )


def _leading_blank_lines(body: str) -> int:
    return len(body) - len(body.lstrip("\n"))


def _date(head: FrontMatter, key: str) -> date | None:
    value = head.values.get("date")
    if value is None:
        dated = _DATED.match(key)
        value = dated[1] if dated else None
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value).strip())
    except ValueError:
        raise BadFile(
            f"`{value}` is not a date", where=head.at("date"), fix="Write it as YYYY-MM-DD."
        ) from None


def _embargo(head: FrontMatter) -> datetime | None:
    value = head.values.get("embargo")
    return meeting.moment(value, "embargo", head.at("embargo")) if value is not None else None


def _url(head: FrontMatter, key: str) -> str:
    url = head.text(key)
    if url and not is_web_url(url):
        raise BadFile(
            f"`{key}` is not a web address", where=head.at(key), fix="Begin it with https://."
        )
    return url
