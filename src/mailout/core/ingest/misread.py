"""Misread: files of many posts, or of none, that a reader for one text must not take for it.

| begins with | is |
|---|---|
| `<rss`, with a namespace of exports | a WordPress export, with drafts and other people's letters |
| `<rss`, `<feed`, `<rdf:RDF`; `{` with `version` of JSON Feed | a feed |
| `<?xml` and a root that is no page's | XML of another program |
| `{` or `[`, and is JSON to its end | data of another program |
| front matter, where a page is awaited | Markdown |
| anything, in a file named `.csv`, `.tsv`, `.eml` or `.mbox` | a table; mail: both hold addresses |

What comes before a root - blank lines, comments, a doctype - does not matter.
"""

from __future__ import annotations

import json
import re

from mailout.core.errors import BadFile

_ROOT = re.compile(
    r"\ufeff?\s*+(?P<xml><\?xml\b[^>]*+>)?+\s*+"
    r"(?:(?:<!--(?s:.*?)-->|<\?[^>]*+>|<!doctype\b[^>\[]*+(?:\[[^\]]*+\]\s*+)?+>)\s*+)*+"
    r"<(?P<root>[a-z_][\w.:-]*+)(?P<rest>[^>]*+)",
    re.I,
)
# Also behind what PHP complained of: nobody's comments may slip in for that.
_EXPORT = re.compile(r"<rss\b[^>]*wordpress\.org/export/", re.I)
_LATEST = 20_000  # characters before an export begins
_FEEDS = ("rss", "rdf", "rdf:rdf", "feed", "atom:feed")
_ATOM = "w3.org/2005/atom"
_PAGES = (
    "html", "head", "title", "meta", "body", "main", "article", "section", "header", "div", "p",
    "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "table", "blockquote", "figure", "img", "a",
    "span", "b", "i", "em", "strong", "br", "hr", "center", "font", "pre",
)  # fmt: skip
_JSON_FEED = re.compile(r"\"version\"\s*:\s*\"https?:(?:\\?/){2}jsonfeed\.org", re.I)

_FRONT_MATTER = re.compile(r"\ufeff?(?:---|\+\+\+)[ \t]*\n\s*[\w-]+[ \t]*[:=]")

_NAMES = (
    (
        re.compile(r".*\.[ct]sv(?:\.gz)?", re.I),
        "this is a table, no text",
        "People come in by `mailout subscribers import`.",
    ),
    (
        re.compile(r".*\.(?:eml|mbox)(?:\.gz)?", re.I),
        "this is mail, no text",
        "Save its words alone, as plain text.",
    ),
)


def refuse_name(shown: str) -> None:
    """Nothing, unless a file's name says that other people's addresses are in it.

    Raises: BadFile.
    """
    for name, what, fix in _NAMES:
        if name.fullmatch(shown):
            raise BadFile(what, where=shown, fix=fix)


def refuse_xml(text: str, shown: str) -> None:
    """Nothing, unless the text is XML that is no page. Raises: BadFile that names the right way."""
    if _EXPORT.search(text[:_LATEST]):
        raise BadFile(
            "this is a WordPress export",
            where=shown,
            fix="Use `mailout posts import wxr`, which reads no comments and keeps drafts back.",
        )
    found = _ROOT.match(text)
    if not found:
        return
    root = found["root"].lower()
    # A page may hold <feed> of its own making; a feed says that it is one.
    if root in _FEEDS and (root != "feed" or _ATOM in found["rest"].lower() or found["xml"]):
        raise BadFile("this is a feed", where=shown, fix="Use `mailout posts import feed`.")
    if found["xml"] and root not in _PAGES:
        raise BadFile(
            f"this is XML of another program (<{found['root'][:40]}>), no text",
            where=shown,
            fix="Save what it shows as HTML or as plain text.",
        )


def refuse_json(text: str, shown: str) -> None:
    """Nothing, unless all of the text is JSON. Raises: BadFile that names the right way."""
    if text.lstrip("\ufeff \t\r\n")[:1] not in ("{", "["):
        return
    try:
        value = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError):  # front matter with a text below it, or words in brackets
        return
    if isinstance(value, dict) and _JSON_FEED.search(text):
        raise BadFile("this is a JSON feed", where=shown, fix="Use `mailout posts import feed`.")
    raise BadFile(
        "this is JSON, data of another program, and no text",
        where=shown,
        fix="Save what it shows as HTML or as plain text.",
    )


def refuse_markdown(text: str, shown: str) -> None:
    """Nothing, unless the text begins with front matter. Raises: BadFile that names the way."""
    if _FRONT_MATTER.match(text):
        raise BadFile(
            "this is Markdown with front matter, no page",
            where=shown,
            fix="Use `mailout posts import markdown`.",
        )
