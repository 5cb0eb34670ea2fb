"""Markdown of another program as an Item: its front matter in our keys, its text as HTML.

The text goes by way of HTML since it means something else there: a line end is a space, HTML is
HTML, and the tags of the site's program stand in it.

| tag | becomes |
|---|---|
| `{{< figure src=".." >}}` | the picture, with its caption |
| `{{< youtube ID >}}`, `{{< vimeo ID >}}` | a link |
| `{% highlight x %}`, `{% raw %}` | code; nothing |
| `{{ site.baseurl }}` and the like | nothing, with a warning |
| any other | nothing, with a warning; what stands between two of them stays |

Front matter may be JSON, too, as Hugo has it: one object, and the text below it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import date as Date
from html import escape
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from mailout.core import front_matter, layout
from mailout.core.errors import BadFile, place
from mailout.core.front_matter import FrontMatter, Path
from mailout.core.ingest import dates
from mailout.core.ingest.item import FILE, STATUSES, Item, Skipped
from mailout.core.ingest.words import one_line, told_language
from mailout.core.post import KEYS, KINDS

JSON_HEAD = re.compile(r"\s*\{\s*(?:\"[^\"\n]{0,200}\"\s*:|\})")
"""What front matter in JSON begins with."""

_OURS = ("actions", "imported")  # keys that only we have: the text is ours too
_PAGES = ("page", "home", "archive", "category", "search")
_DATED = re.compile(r"(\d{4}-\d{2}-\d{2})-(.+)")
_FIRST_HEADING = re.compile(
    r"\s*+(?:#[ \t]+([^\n]+?)[ \t]*#*|([^\n#>|-][^\n]*)\n=+)[ \t]*(?:\n|\Z)"
)
_TAG = re.compile(r"\{\{[<%](?P<hugo>[^\n]{0,500}?)[%>]\}\}|\{%-?(?P<liquid>[^\n]{0,500}?)-?%\}"
                  r"|\{\{(?P<value>[^\n{}]{0,300}?)\}\}")  # fmt: skip
_HIGHLIGHT = re.compile(r"\{%-?\s*(?:end)?highlight\b[^%\n]{0,200}%\}\n?")
_ATTRIBUTES = re.compile(r"^[ \t]*\{:[^}\n]{0,300}\}[ \t]*$|\{:[^}\n]{0,300}\}", re.M)
_SETTING = re.compile(r"(\w+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|(\S+))")
_LETTERED = re.compile(r"\w\)\s")


def read(text: str, shown: str, url: str, warnings: list[str]) -> Item | Skipped:
    """The post in a Markdown file, or why it is none; `shown` is the file's path.

    Raises: BadFile for front matter that cannot be read, and for a file without text.
    """
    told = _json_head(text, shown) or front_matter.split(text, shown)
    head = layout.ours(told, KEYS)
    for key in (key for key in head.values if key not in KEYS):
        warnings.append(f"{head.at(key)}: `{key}` is not known here, and left out")
    name = layout.named(shown)
    if name.key == "_index" or str(told.values.get("layout", "")).lower() in _PAGES:
        return Skipped(shown, "a page of its site, no post")
    title, body = _titled(head, name.key, shown, warnings)
    if not body.strip():
        raise BadFile("there is no text in it", where=place(shown, head.body_line))
    ours = any(key in told.values for key in _OURS)
    code, warning = told_language(head.text("lang") or name.language)
    warnings += [f"{head.at('lang')}: {warning}"] if warning else []
    dated = _DATED.fullmatch(name.key)
    kind = head.text("kind")
    return Item(
        what=shown,
        source_id=url or f"{FILE}{name.key}",
        title=title,
        html="" if ours else _html(body, shown, warnings),
        markdown=body.strip("\n") if ours else "",
        language=code,
        slug=_slug(told, head, dated[2] if dated else name.key),
        date=_date(told, head, dated[1] if dated else ""),
        author=head.text("author"),
        url=head.text("canonical_url"),
        excerpt=one_line(head.text("excerpt")),
        kind=kind if kind in KINDS else "",
        categories=head.texts("categories"),
        tags=head.texts("tags"),
        status=_status(head),
        source=head.text("source"),
        source_url=head.text("source_url"),
        source_date=head.text("source_date"),
        expires=_day(told, "expirydate", "unpublishdate"),
    )


def _json_head(text: str, shown: str) -> FrontMatter | None:
    """Front matter in JSON; None if the text begins with something else. Raises: BadFile."""
    text = text.removeprefix("\ufeff")
    if not JSON_HEAD.match(text):
        return None
    begin = text.index("{")
    try:
        values, end = json.JSONDecoder(parse_constant=str).raw_decode(text, begin)
    except json.JSONDecodeError as error:
        raise BadFile(
            f"the front matter is not JSON: {error.msg}",
            where=place(shown, error.lineno, error.colno),
            fix="Or write it between two lines of `---`, as `key: value`.",
        ) from None
    except (ValueError, RecursionError):  # a number of thousands of digits; thousands of brackets
        raise BadFile("the front matter is no JSON that a post has", where=shown) from None
    rest, _, body = text[end:].partition("\n")
    line = text.count("\n", 0, end) + 1
    if rest.strip():
        raise BadFile(
            "the text begins on the line on which the front matter ends",
            where=place(shown, line),
            fix="Begin it on the next one.",
        )
    lines: dict[Path, int] = {
        (key,): text.count("\n", 0, _at(text, key, end)) + 1 for key in values
    }
    return FrontMatter(shown, values, lines, body, line + 1)


def _at(text: str, key: str, end: int) -> int:
    """Where a key of a JSON head stands; its beginning if it is written with escapes."""
    return max(0, text.find(f'"{key}"', 0, end))


def _day(told: FrontMatter, *names: str) -> Date | None:
    """The day in the first of these keys that has one; Hugo does not mind their case."""
    values = {key.lower(): value for key, value in told.values.items()}
    return next((day for name in names if (day := dates.found(str(values.get(name) or "")))), None)


def _date(told: FrontMatter, head: FrontMatter, in_name: str) -> Date | None:
    """A post's day. One that is to be published later than it is dated is not out before that."""
    day = dates.found(str(head.values.get("date") or "")) or dates.found(in_name)
    published = _day(told, "publishdate")
    return max(day, published) if day and published else day


def _titled(head: FrontMatter, key: str, shown: str, warnings: list[str]) -> tuple[str, str]:
    """The title and the text below it: of the front matter, a first heading, or the file's name."""
    first = _FIRST_HEADING.match(head.body)
    heading = (first[1] or first[2]).strip() if first else ""
    title = one_line(head.text("title"))
    if first and (not title or heading.casefold() == title.casefold()):
        return title or re.sub(r"[*_`]+", "", heading), head.body[first.end() :]
    if not title:
        dated = _DATED.fullmatch(key)
        words = re.sub(r"[-_]+", " ", dated[2] if dated else key.rpartition("/")[2]).strip()
        title = words[:1].upper() + words[1:] or shown
        warnings.append(f"{shown}: no title is told; the file's name serves as one")
    return title, head.body


def _slug(told: FrontMatter, head: FrontMatter, name: str) -> str:
    """What the texts of one post have in common: a key, a slug, or the file's name."""
    slug = told.values.get("slug")
    return head.text("key") or (slug if isinstance(slug, str) else "") or name


def _status(head: FrontMatter) -> str:
    status = head.text("status")
    if head.flag("draft") and status not in STATUSES:
        return "draft"
    return status if status in STATUSES else "published"


def _html(body: str, shown: str, warnings: list[str]) -> str:
    """The text as HTML, without the tags of the site's program."""
    body = _HIGHLIGHT.sub("\n```\n", body)
    unknown: dict[str, None] = {}

    def replaced(found: re.Match[str]) -> str:
        tag = (found["hugo"] or found["liquid"] or found["value"] or "").strip()
        words = tag.split()
        if not words or words[0] in ("raw", "endraw", "comment", "endcomment"):
            return ""
        if found["hugo"] is not None and (shown_as := _shortcode(words, tag)):
            return shown_as
        unknown[words[0]] = None
        return ""

    body = _ATTRIBUTES.sub("", _TAG.sub(replaced, body))
    warnings.extend(f"{shown}: the site's tag `{name}` is left out" for name in unknown)
    reader = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    reader.add_render_rule("softbreak", _line_end)
    return str(reader.render(body))


def _shortcode(words: Sequence[str], tag: str) -> str:
    """What Hugo shows for one of its own shortcodes; empty for others."""
    name, first = words[0], words[1].strip("\"'") if len(words) > 1 else ""
    told = {key: a or b or c for key, a, b, c in _SETTING.findall(tag)}
    if name == "figure" and told.get("src"):
        caption = told.get("caption") or told.get("title") or ""
        said = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
        alt = escape(told.get("alt") or "")
        return f'<figure><img src="{escape(told["src"])}" alt="{alt}">{said}</figure>'
    video = told.get("id") or first
    if name == "youtube" and re.fullmatch(r"[\w-]{1,40}", video):
        return f"<https://www.youtube.com/watch?v={video}>"
    if name == "vimeo" and re.fullmatch(r"\d{1,20}", video):
        return f"<https://vimeo.com/{video}>"
    return ""


def _line_end(_renderer: object, tokens: list[Token], at: int, _options: Any, _env: Any) -> str:
    """A space, as Markdown has it, but a break before a lettered line."""
    following = tokens[at + 1].content if at + 1 < len(tokens) else ""
    return "<br>\n" if _LETTERED.match(following) else "\n"
