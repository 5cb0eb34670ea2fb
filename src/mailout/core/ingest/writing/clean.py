"""Clean HTML: what a browser would show, as a tree of known elements, or a refusal.

| what comes | what becomes of it |
|---|---|
| more than 10 MB, elements nested too deeply | refused: the parsers below would cut or crawl |
| NUL and other control characters | stripped, with a warning |
| scripts, styles, drawings, templates | gone |
| unknown elements | gone, their words stay |
| unclosed tags | closed as browsers do |

Addresses are not judged here but where they are written (`span`), so that each loss is told.
Standards: HTML (WHATWG), as html5ever reads it.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from html import unescape
from typing import Any

import nh3
from lxml import html as lxml_html

from mailout.core.errors import BadFile
from mailout.core.ingest import charset

MOST_BYTES = 10_000_000
DEEPEST = 150
"""So many elements may stand within each other; a table counts for its rows and cells too."""

FORM = frozenset(["form", "input", "button", "select", "textarea", "label", "fieldset", "legend"])
INLINE = frozenset(
    [
        "a", "abbr", "b", "bdi", "bdo", "big", "br", "cite", "code", "del", "dfn", "em", "font",
        "i", "img", "ins", "kbd", "mark", "q", "rp", "rt", "ruby", "s", "samp", "small", "span",
        "strike", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr",
    ]
)  # fmt: skip
"""The elements that stand within a line; all others begin a new one."""

_BLOCKS = frozenset(
    [
        "address", "article", "aside", "audio", "blockquote", "caption", "center", "dd", "details",
        "div", "dl", "dt", "embed", "fieldset", "figcaption", "figure", "footer", "form", "h1",
        "h2", "h3", "h4", "h5", "h6", "header", "hr", "iframe", "legend", "li", "main", "nav",
        "object", "ol", "p", "pre", "section", "source", "summary", "table", "tbody", "td",
        "tfoot", "th", "thead", "tr", "ul", "video",
    ]
)  # fmt: skip
_GONE = ("script", "style", "template", "title", "svg", "option", "noframes", "noembed")

_ATTRIBUTES = {
    "*": {"class", "style", "hidden", "id"},
    "a": {"href", "name"},
    "img": {"src", "alt", "width", "height", "data-src", "data-lazy-src", "data-original"},
    "iframe": {"src", "title", "data-src"},
    "embed": {"src"},
    "object": {"data"},
    "video": {"src"},
    "audio": {"src"},
    "source": {"src"},
    "ol": {"start", "type"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
    "input": {"type", "value"},
}

_NO_MORE: Mapping[str, set[str]] = {}

# What HTML closes by itself does not nest, however often it is opened.
_UNNESTED = frozenset(
    [
        "p", "li", "dt", "dd", "option", "optgroup", "tr", "td", "th", "thead", "tbody", "tfoot",
        "colgroup", "col", "caption", "a", "nobr", "button", "br", "hr", "img", "wbr", "input",
        "meta", "link", "base", "area", "embed", "source", "track", "param", "html", "head",
        "body", "h1", "h2", "h3", "h4", "h5", "h6",
    ]
)  # fmt: skip
# What HTML opens again in each new block until it is closed, but three times the same at most.
_MOST_ALIKE = 3
_FORMATS = frozenset(
    ["b", "big", "code", "em", "font", "i", "s", "small", "strike", "strong", "tt", "u"]
)
_TABLE_DEPTH = 4  # table, tbody, tr, td

_COMMENT = re.compile(r"<!--(?!more\b).*?(?:-->|\Z)", re.S | re.I)
_MORE = re.compile(r"<!--\s*more\b.{0,300}?-->", re.S | re.I)
_OTHER_COMMENT = re.compile(r"<!--(?!more-->).*?-->", re.S)  # also from `<!x>` and `</->`
_RAW = re.compile(
    rf"<({'|'.join((*_GONE, 'iframe'))})\b[^>]{{0,1000}}>.*?(?:(</\1\s*>)|\Z)", re.S | re.I
)
_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*)([^>]*)")
_VOID = re.compile(r"<(br|hr|img|wbr|input|embed|source)((?:\s[\w-]+=\"[^\"]*\")*)>")
_FRAME = re.compile(r"(<iframe\b[^>]*>).*?</iframe>", re.S)
_SCHEME = re.compile(r"[\"'=\s]([a-zA-Z][a-zA-Z0-9+.-]{1,20}):")
_CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f\ufffe\uffff]")
_NO_WORDS = re.compile(r"<noscript\b[^>]{0,300}>\s*(?:<[^<>]*>\s*){0,20}?</noscript>", re.I)
_NOSCRIPT = re.compile(r"</?noscript\b[^<>]*>", re.I)  # to nh3 its inside would be mere letters
# A C1 control in a text is nearly always a windows-1252 letter read as latin-1.
_C1 = re.compile("[\x80-\x9f]")


def readable(html: str, warnings: dict[str, None]) -> str:
    """The HTML without control characters and comments. Raises: BadFile if it is too large."""
    if len(html) > MOST_BYTES or len(html.encode(errors="replace")) > MOST_BYTES:
        raise BadFile("more than 10 MB of HTML", fix="Import it in parts.")
    html = charset.paired(html).encode(errors="replace").decode()
    html = _C1.sub(lambda found: _letter(found[0]), html.replace("\x0c", " "))
    html, stripped = _CONTROL.subn("", html)
    if stripped:
        warnings[f"control characters stripped: {stripped}"] = None
    if "<!--" in html:
        tail = html[html.rindex("<!--") :]
        if "-->" not in tail and (hidden := len(_TAG.sub(" ", tail).split())):
            warnings[f"a comment that never ends hides the last {hidden} words"] = None
        html = _COMMENT.sub("", _MORE.sub("<!--more-->", html))
    return html


def tree(
    html: str, tags: frozenset[str] = frozenset(), attributes: Mapping[str, set[str]] = _NO_MORE
) -> Any:
    """The sanitised HTML as an lxml tree, with some more `tags` and `attributes` if asked for.

    Raises: BadFile if its elements nest too deeply.
    """
    _refuse_depth(html)
    schemes = {found.lower() for found in _SCHEME.findall(re.sub(r"[\t\n]", "", unescape(html)))}
    cleaned = nh3.clean(
        _NOSCRIPT.sub(" ", _NO_WORDS.sub("", html)),
        tags=set(INLINE | _BLOCKS | FORM | tags),
        clean_content_tags=set(_GONE),
        attributes={
            tag: _ATTRIBUTES.get(tag, set()) | attributes.get(tag, set())
            for tag in {*_ATTRIBUTES, *attributes}
        },
        strip_comments=False,
        link_rel=None,
        url_schemes=schemes | {"http", "https", "mailto"},
    )
    # As XML, since libxml2's own reading of HTML would take the tree apart once more.
    cleaned = _FRAME.sub(r"\1</iframe>", cleaned.replace("&nbsp;", "\xa0"))
    cleaned = _OTHER_COMMENT.sub("", _CONTROL.sub("", _VOID.sub(r"<\1\2/>", cleaned)))
    parser = lxml_html.XHTMLParser(huge_tree=True, resolve_entities=False)
    return lxml_html.document_fromstring(f"<body>{cleaned}</body>".encode(), parser=parser)


def words(html: str) -> Counter[str]:
    """How often each word would be seen, by a reading that uses none of the parsers."""
    shown = _RAW.sub(_unclosed, html)
    return counted(unescape(_ANY_TAG.sub(_gap, shown)))


def counted(text: str) -> Counter[str]:
    """How often each word stands in a text; `²` counts as `2`."""
    return Counter(_WORD.findall(unicodedata.normalize("NFKC", text)))


_WORD = re.compile(r"[^\W_]+")
_ANY_TAG = re.compile(
    r"<(?:!--)?/?([a-zA-Z!?][^\s/>]*)"
    r"(?:(?:[^>\"']+|\"[^\"]*\"|'[^']*'){0,100}+>|[^>]*(?:>|\Z))"
)


def _unclosed(found: re.Match[str]) -> str:
    """What a script without an end swallows: its words would be lost without a word."""
    return " " if found[2] else found[0]


def _gap(found: re.Match[str]) -> str:
    name = found[1].lower()
    return "" if name in INLINE and name != "br" else " "


def _refuse_depth(html: str) -> None:
    """Nothing, if no element stands too deep. Raises: BadFile.

    A cheap count ahead of the parsers: their time grows with the square of the depth, and libxml2
    cuts what is too deep without a word.
    """
    open_: list[str] = []
    names: Counter[str] = Counter()
    formats: Counter[tuple[str, str]] = Counter()
    depth = formatting = run = 0  # `run`: formats opened within each other in one block
    for closing, name, rest in _TAG.findall(_RAW.sub("", html)):
        name = name.lower()
        if name not in INLINE:
            run = 0
        if name in _UNNESTED:
            continue
        if name in _FORMATS:
            run = max(0, run - 1) if closing else run + 1
            if not closing and formats[name, rest] < _MOST_ALIKE:
                formats[name, rest] += 1
                formatting += 1
            elif closing and (last := next((key for key in formats if key[0] == name), None)):
                formatting -= 1
                formats[last] -= 1
                formats = +formats
        elif not closing:
            open_.append(name)
            names[name] += 1
            depth += _TABLE_DEPTH if name == "table" else 1
        elif names[name]:
            while open_:
                closed = open_.pop()
                names[closed] -= 1
                depth -= _TABLE_DEPTH if closed == "table" else 1
                if closed == name:
                    break
        if depth + max(formatting, run) > DEEPEST:
            raise BadFile(
                f"more than {DEEPEST} elements stand within each other",
                fix="Close what is open, or copy the text by hand.",
            )


def _letter(control: str) -> str:
    return control.encode("latin-1").decode("windows-1252", "replace").replace("\ufffd", "")
