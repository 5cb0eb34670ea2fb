"""The text of a page with posts, as a browser saves or copies it.

Vote at the harbour              <- the last line before "Posted by"
                                 <- blank
Posted by admin on January 12, 2012
Appeals, Articles / No Comments
                                 <- blank
The text.

Continue reading…                <- the rest is elsewhere
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date as Date

from mailout.core.ingest import dates

_AUTHOR = r"(?P<author>[^\n|,·•]{1,80}?)"
_DATE = r"(?P<date>[^\n]{0,40}\d{4}[^\n]{0,30})"
_POSTED = tuple(
    re.compile(pattern.replace("AUTHOR", _AUTHOR).replace("DATE", _DATE), re.I)
    for pattern in (
        r"posted\s+(?:by\s+AUTHOR\s+)?on\s+DATE",
        r"(?:posted|published|written)\s+by\s+AUTHOR\s*[|,·•]\s*DATE",
        r"posted\s*:?\s+DATE",
        r"(?:veröffentlicht|geschrieben)\s+(?:von\s+AUTHOR\s+)?am\s+DATE",
        r"(?:автор|опубликовал[аи]?)\s*:?\s+AUTHOR\s*[|,·•]\s*DATE",
        r"опубликовано\s*:?\s*DATE",
    )
)
_FILED = re.compile(
    r"(?P<words>[^/|]{1,200}?)\s*[/|]\s*"
    r"(?:(?:no|\d+|one)\s+(?:comments?|responses?|replies)|comments?\s+(?:off|closed|are closed)"
    r"|(?:keine|\d+)\s+kommentare?|(?:нет|\d+)\s+комментари\w*)(?:\s.*)?",
    re.I,
)
_LABELLED = re.compile(
    r"(?:filed under|posted in|categor(?:y|ies)|kategorien?|рубрик[аи]|категори[яи])\s*:\s*"
    r"(?P<words>[^|/]{1,200}).*",
    re.I,
)
CONTINUES = re.compile(
    r"[\s(\[«<]*(?:continue\s+reading|read\s+(?:the\s+)?(?:more|rest|on|whole|full)"
    r"|weiterlesen|mehr\s+lesen|читать\s+(?:далее|дальше|полностью)|толығырақ|lire\s+la\s+suite|leer\s+m[áa]s|continua)\b"
    r"[^\n]{0,120}",
    re.I,
)
"""The words of a link to the rest of a post."""


@dataclass(frozen=True, slots=True)
class Posted:
    """What a line under a title tells."""

    author: str
    date: Date | None


@dataclass(frozen=True, slots=True)
class Saved:
    """One post of a saved page. `opening` says that the rest is elsewhere."""

    line: int
    title: str
    lines: tuple[str, ...]
    author: str
    date: Date | None
    categories: tuple[str, ...]
    opening: bool


def posted(line: str) -> Posted | None:
    """Author and date, if the line is one such as `Posted by admin on January 12, 2012`."""
    for pattern in _POSTED:
        found = pattern.match(line.strip()[:300])
        if found and (day := dates.found(found["date"])):
            author = (found.groupdict().get("author") or "").strip(" ,|·")
            return Posted(author, day)
    return None


def filed(line: str) -> tuple[str, ...]:
    """The categories in a line such as `Appeals, Articles / No Comments`; empty if it is none."""
    line = line.strip()
    found = _FILED.fullmatch(line) or _LABELLED.fullmatch(line)
    return (
        tuple(word.strip() for word in found["words"].split(",") if word.strip()) if found else ()
    )


def posts(text: str) -> tuple[Saved, ...]:
    """The posts of a saved page, in its order; none if no line says when one was posted."""
    lines = text.split("\n")
    marks = [(at, told) for at, line in enumerate(lines) if (told := _stands_alone(line))]
    titles = [
        _title_before(lines, at, marks[n - 1][0] if n else -1) for n, (at, _) in enumerate(marks)
    ]
    found = []
    for n, (at, told) in enumerate(marks):
        end = titles[n + 1] if n + 1 < len(marks) else len(lines)
        body = list(lines[at + 1 : max(end, at + 1)])
        categories: tuple[str, ...] = ()
        first = next((i for i, line in enumerate(body) if line.strip()), None)
        if first is not None and (categories := filed(body[first])):
            body = body[first + 1 :]
        title = lines[titles[n]].strip() if titles[n] > -1 else ""
        body, opening = _without_ends(body, title)
        found.append(
            Saved(at + 1, title, tuple(body), told.author, told.date, categories, opening)
        )  # fmt: skip
    return tuple(found)


def _stands_alone(line: str) -> Posted | None:
    return posted(line) if len(line) < 200 else None


def _title_before(lines: list[str], at: int, after: int) -> int:
    """The line of the title of what was posted at a line; -1 if there is none."""
    return next((n for n in range(at - 1, after, -1) if lines[n].strip()), -1)


def _without_ends(body: list[str], title: str) -> tuple[list[str], bool]:
    """The text without its title once more and without a link to the rest."""
    filled = [n for n, line in enumerate(body) if line.strip()]
    opening = False
    if filled and CONTINUES.fullmatch(body[filled[-1]].strip()):
        opening = True
        del body[filled[-1] :]
        filled.pop()
    if filled and title and body[filled[0]].strip().casefold() == title.casefold():
        body[filled[0]] = ""
    return body, opening
