"""Posts: what an organiser writes, one Markdown file per post and language.

`2026-11-20-harbour-strike.kk.md` is the Kazakh text of the post `2026-11-20-harbour-strike`.
The language may also stand in the front matter (`lang`), and the key as well (`key`). Layouts of
other programs are read too (`layout`).

| status | sent |
|---|---|
| ready | with the next issue |
| archived | if an issue names it |
| draft, future, private, trash, password | never; the last four come with an import |
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from itertools import islice

from mailout.core import action, front_matter, language, layout, markup, meeting
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

STATUSES = ("ready", "archived", "draft", "future", "private", "trash", "password")
USABLE = ("ready", "archived")
"""The statuses of posts that may be mailed: with the next issue, or if one names them."""

BEGINNING = ("The opening: what happened, where, when.", "The rest.")
"""The lines that a new post is begun with; a post that has one of them is not written yet."""

KEYS = frozenset(
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
        "tags",
        "status",
        "excerpt",
        "draft",
        "actions",
        "event",
        "embargo",
        "imported",
    ]
)
_MOST_BRACKETS = (
    10_000  # reading that many takes half a second, each time; a mail holds few hundred
)
_DATED = re.compile(r"(\d{4}-\d{2}-\d{2})-")
_TIMED = re.compile(r"(\d{4}-\d{2}-\d{2})[T ]\d{1,2}:\d{2}.*")


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
    actions: tuple[Action, ...] = ()
    event: Meeting | None = None
    embargo: datetime | None = None
    tags: tuple[str, ...] = ()
    status: str = "ready"


def parse(text: str, file: str, default_language: str) -> Post:
    """The post in a file's `text`; `file` is its path as shown to people.

    Raises: BadFile with file and line.
    """
    head = layout.ours(front_matter.split(text, file), KEYS)
    head.refuse_unknown(KEYS)
    name = layout.named(file)
    if not (head.text("lang") or name.language):
        layout.refuse_country(file)
    code = language.normal(head.text("lang") or name.language or default_language)
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
    key = head.text("key", name.key)
    body = markup.without_comments(head.body)
    if line := markup.open_comment(body):
        raise BadFile(
            "a comment that begins here has no end",
            where=place(file, head.body_line + line - 1),
            fix="Close it with `-->`.",
        )
    _refuse_too_many_brackets(body, file, head.body_line)
    status = _status(head)
    return Post(
        key=key,
        language=code,
        title=title,
        body=body.strip("\n"),
        file=file,
        body_line=head.body_line + _leading_blank_lines(body),
        date=_date(head, key),
        kind=kind,
        author=head.text("author"),
        source=head.text("source"),
        source_url=_url(head, "source_url"),
        source_date=head.text("source_date"),
        canonical_url=_url(head, "canonical_url"),
        categories=head.texts("categories"),
        excerpt=head.text("excerpt"),
        actions=action.parse_all(head.values.get("actions"), partial(head.at, "actions")),
        event=meeting.parse(head.values.get("event"), partial(head.at, "event")),
        embargo=_embargo(head),
        tags=head.texts("tags"),
        status=status,
    )


def _refuse_too_many_brackets(body: str, file: str, first_line: int) -> None:
    """Nothing, unless links could begin in so many places that reading them takes minutes."""
    if body.count("[") <= _MOST_BRACKETS:
        return
    at = next(islice(re.finditer(r"\[", body), _MOST_BRACKETS, None)).start()
    raise BadFile(
        f"more than {_MOST_BRACKETS:,} opening brackets",
        where=place(file, first_line + body.count("\n", 0, at)),
        fix="Is this a post? Cut it into parts.",
    )


def _status(head: FrontMatter) -> str:
    """The status; `draft: true` keeps back what would else be mailed."""
    status = head.text("status", "ready")
    if status not in STATUSES:
        raise BadFile(
            f"unknown status `{status}`", where=head.at("status"), fix=nearest(status, STATUSES)
        )
    return "draft" if head.flag("draft") and status in USABLE else status


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
    written = str(value).strip()
    timed = _TIMED.fullmatch(written)
    try:
        return date.fromisoformat(timed[1] if timed else written)
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
