"""Shortcodes: WordPress's `[name ..]` as HTML, or out; an author's brackets stay.

| what | becomes |
|---|---|
| caption, gallery | figures with their captions |
| embed, audio, video, youtube and other players | links |
| unknown, by attributes, a closing tag, `_` in its name, a list | out, reported; its words stay |
| content for members only | out with its words, reported |
| `[word]` alone on its line, or a shortcode elsewhere in the export | out, reported |
| `[word]` within a sentence | stays, reported |
| `[the minister]`, `[sic]`, `[1]`, `['solid]`, `[...]` | stays: an author's brackets |
| `[[name]]` | `[name]`, as WordPress shows it |

Code (`<pre>`, `<code>`) and what stands within a tag stays as it is.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from html import escape, unescape

from mailout.core.ingest import shortcode_names as known
from mailout.core.ingest.words import is_web_address, plain

_CODE = re.compile(
    r"\[(\[?)(/?)([A-Za-z][A-Za-z0-9_-]*)((?=[\s=:/\]])(?:[^\[\]]|\[[^\[\]]*\])*)\](\]?)"
)
_ATTRIBUTE = re.compile(r"([\w-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"']+))|\"([^\"]*)\"|(\S+)")
_QUOTES = re.compile(r"[“”″]|&#822[01];|&#8243;")  # as WordPress sets them in its editor
_ASSIGNS = re.compile(r"\A=|(?:\A|\s)[\w-]+(?:=[\w/#&]|\s?=\s?[\"'“”″])")
_KEPT = re.compile(r"<(pre|code|script|style)\b", re.I)
_PICTURE = re.compile(r"(?:<a\s[^<>]*>\s*)?<img\s[^<>]*>(?:\s*</a>)?", re.I)
_BLOCKS = r"p|div|h[1-6]|ul|ol|li|blockquote|section|figure|center|td|br|hr"
_INLINE = r"strong|em|b|i|u|span|font|small"
_BEFORE = re.compile(
    rf"(?:\A|\n|[.!?…:][\"”»)]?|<(?:/?(?:{_BLOCKS})\b[^<>]*|!--[^<>]*--)>)[ \t\xa0]*"
    rf"(?:<(?:{_INLINE})\b[^<>]*>[ \t]*)*\Z",
    re.I,
)
_AFTER = re.compile(
    rf"[ \t\xa0]*(?:</(?:{_INLINE})>[ \t]*)*(?:\Z|\n|<(?:/?(?:{_BLOCKS})\b[^<>]*|!--))", re.I
)

_NAMED = 12  # of each kind, in a warning
_DEEPEST = 20  # shortcodes within shortcodes; deeper ones are taken singly


@dataclass(frozen=True, slots=True)
class Picture:
    """A file of the source's library: its address, what it shows, the words under it."""

    url: str
    alt: str = ""
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Library:
    """What shortcodes refer to: pictures by number, those of this post, names seen elsewhere."""

    pictures: Mapping[str, Picture] = field(default_factory=dict)
    own: tuple[str, ...] = ()
    names: Collection[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Resolved:
    """HTML without shortcodes, and what was done to it, a line each."""

    html: str
    warnings: tuple[str, ...]


def names_in(html: str) -> set[str]:
    """The names that are shortcodes for certain, by their attributes or a closing tag."""
    found = list(_CODE.finditer(html)) if "[" in html else []
    closed = {code[3].lower() for code in found if code[2]}
    return closed | {code[3].lower() for code in found if _ASSIGNS.search(code[4])}


def resolve(html: str, library: Library | None = None) -> Resolved:
    """The HTML with each shortcode as what it stands for, or without it."""
    if "[" not in html:
        return Resolved(html, ())
    reading = _Reading(library or Library())
    return Resolved(reading.read(html), reading.warnings())


def _codes(html: str) -> Iterator[re.Match[str]]:
    """What looks like a shortcode, but for what stands in code or within a tag."""
    kept = _kept(html)
    begin, end = next(kept, (len(html), len(html)))
    for code in _CODE.finditer(html):
        while code.start() >= end and end < len(html):
            begin, end = next(kept, (len(html), len(html)))
        if code.start() < begin and not _within_tag(html, code.start()):
            yield code


def _kept(html: str) -> Iterator[tuple[int, int]]:
    """Where code begins and ends; what is opened and never closed is none."""
    at, unclosed = 0, set()
    while opened := _KEPT.search(html, at):
        tag = opened[1].lower()
        at = opened.end()
        if tag in unclosed:
            continue
        close = re.compile(f"</{tag}>", re.I).search(html, at)
        if close:
            yield opened.start(), close.end()
            at = close.end()
        else:
            unclosed.add(tag)


@dataclass(frozen=True, slots=True)
class _Codes:
    """A text, what looks like a shortcode in it, and where the closing ones of each name are."""

    html: str
    codes: list[re.Match[str]]
    closes: dict[str, deque[int]]

    def close_of(self, number: int) -> int | None:
        """Which code closes the one at `number`; None if none does."""
        code = self.codes[number]
        waiting = self.closes.get(code[3].lower())
        if not waiting or code[2] or code[4].rstrip().endswith("/"):
            return None
        while waiting and waiting[0] <= number:
            waiting.popleft()
        return waiting[0] if waiting else None


class _Reading:
    """One post's shortcodes: what is removed and what is left is noted on the way."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.names = set(library.names)
        self.removed: dict[str, None] = {}
        self.left: dict[str, None] = {}
        self.notes: dict[str, None] = {}

    def read(self, html: str) -> str:
        """The HTML without its shortcodes."""
        codes = list(_codes(html))
        closes: dict[str, deque[int]] = {}
        for number, code in enumerate(codes):
            if code[2]:
                closes.setdefault(code[3].lower(), deque()).append(number)
        self.names.update(closes)
        return self._run(_Codes(html, codes, closes), 0, len(codes), 0, len(html), 0)

    def _run(self, found: _Codes, number: int, stop: int, at: int, end: int, depth: int) -> str:
        """What `html[at:end]`, with the codes from `number` to before `stop`, becomes."""
        parts: list[str] = []
        while number < stop:
            code = found.codes[number]
            parts.append(found.html[at : code.start()])
            at = code.end()
            number += 1
            if code[1] and code[5]:
                parts.append(code[0][1:-1])
                continue
            close = found.close_of(number - 1) if depth < _DEEPEST else None
            if close is None or close >= stop:
                parts += [code[1], self._single(found.html, code), code[5]]
                continue
            closing = found.codes[close]
            inner = self._run(found, number, close, at, closing.start(), depth + 1)
            parts += [code[1], self._enclosing(code, inner), closing[5]]
            at, number = closing.end(), close + 1
        parts.append(found.html[at:end])
        return "".join(parts)

    def _enclosing(self, code: re.Match[str], inner: str) -> str:
        name, attributes = code[3].lower(), _attributes(code[4])
        if name in ("caption", "wp_caption"):
            return self._caption(inner, attributes)
        if name in known.LINKS:
            return self._link(name, attributes, inner)
        if name == "url":
            target = attributes.get("", attributes.get("href", "")) or plain(inner)
            return f'<a href="{escape(target)}">{inner}</a>' if is_web_address(target) else inner
        if name in known.FONTS:
            return f"<{known.FONTS[name]}>{inner}</{known.FONTS[name]}>"
        if name in known.NOTES:
            return f" ({inner.strip()})"
        if known.MEMBERS.search(name):
            count = len(plain(inner).split())
            note = (
                f"shortcode [{name}] left out with its {count} words, which are not for everybody"
            )
            self.notes[note] = None
            return ""
        if name in known.NO_WORDS:
            self.notes[f"shortcode [{name}] left out with the code in it"] = None
            return ""
        self.removed[f"[{name}]..[/{name}]"] = None
        return inner

    def _single(self, html: str, code: re.Match[str]) -> str:
        name, rest = code[3].lower(), code[4]
        attributes = _attributes(rest)
        alone = bool(
            _BEFORE.search(html[max(0, code.start() - 300) : code.start()])
            and _AFTER.match(html, code.end())
        )
        if not self._is_code(code, alone):
            if not rest and name == code[3] and name not in known.WORDS and not code[2]:
                self.left[code[0]] = None
            return f"[{code[2]}{code[3]}{self.read(rest) if '[' in rest else rest}]"
        if name == "gallery":
            return self._gallery(attributes)
        if name in known.LINKS:
            return self._link(name, attributes, "")
        self.removed[f"[{code[2]}{code[3]}{' ..' if rest.strip() else ''}]"] = None
        return ""

    def _is_code(self, code: re.Match[str], alone: bool) -> bool:
        """Whether a single code is a shortcode and not an author's words in brackets."""
        name, rest = code[3].lower(), code[4]
        if _ASSIGNS.search(rest.partition("[")[0]) or rest.strip() == "/" or "_" in name or code[2]:
            return True
        if name in known.LINKS and ("://" in rest or rest.strip().isdigit()):
            return True
        if name in known.PLUGINS and ("-" in name or not rest.strip() or rest.strip().isdigit()):
            return True
        if rest.strip():
            return (alone and rest.strip().isdigit()) or (name == "gallery" and alone)
        if name == "gallery":
            return alone or name in self.names
        return name not in known.WORDS and (name in self.names or (alone and name == code[3]))

    def _caption(self, inner: str, attributes: dict[str, str]) -> str:
        picture = _PICTURE.search(inner)
        if not picture:
            return inner
        words = (inner[: picture.start()] + inner[picture.end() :]).strip()
        words = words or escape(attributes.get("caption", ""), quote=False)
        under = f"<figcaption>{words}</figcaption>" if words else ""
        return f"\n\n<figure>{picture[0]}{under}</figure>\n\n"

    def _gallery(self, attributes: dict[str, str]) -> str:
        wanted = attributes.get("ids") or attributes.get("include") or ""
        numbers = tuple(re.findall(r"\d+", wanted)) if wanted else self.library.own
        found = [self.library.pictures[one] for one in numbers if one in self.library.pictures]
        if len(found) < len(numbers) or not numbers:
            missing = len(numbers) - len(found)
            self.notes[
                f"gallery: {missing} of {len(numbers)} pictures are not in the export"
                if numbers
                else "gallery: its pictures are not in the export"
            ] = None
        return "\n\n" + "\n".join(map(_figure, found)) + "\n\n" if found else ""

    def _link(self, name: str, attributes: dict[str, str], inner: str) -> str:
        given = [attributes.get(key, "") for key in (*known.SOURCES, "")] + [plain(inner)]
        target = next((one for one in given if is_web_address(one)), "")
        number = next((one for one in (attributes.get("id"), given[-2], given[-1]) if one), "")
        if not target and name in known.PLAYERS and re.fullmatch(r"[\w-]{3,40}", number):
            target = known.PLAYERS[name].format(number)
        if not target:
            self.removed[f"[{name} ..]"] = None
            return inner
        self.notes[f"shortcode [{name}] became a link"] = None
        shown = escape(target)
        return f'\n\n<p><a href="{shown}">{shown}</a></p>\n\n'

    def warnings(self) -> tuple[str, ...]:
        found = list(self.notes)
        if self.removed:
            found.append("shortcodes left out: " + _some(self.removed))
        if self.left:
            found.append("left as they are, though they may be shortcodes: " + _some(self.left))
        return tuple(found)


def _some(names: Collection[str]) -> str:
    """The first of the names, and how many more there are."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(list(names)[:_NAMED]) + more


def _figure(picture: Picture) -> str:
    under = f"<figcaption>{escape(picture.caption)}</figcaption>" if picture.caption else ""
    return f'<figure><img src="{escape(picture.url)}" alt="{escape(picture.alt)}">{under}</figure>'


def _attributes(rest: str) -> dict[str, str]:
    """Names and values; what stands without a name, as in `[youtube=..]`, is under ""."""
    text = _QUOTES.sub('"', rest).strip().rstrip("/")
    if text.startswith(("=", ":")):
        return {"": unescape(text[1:]).strip("\"' ")}
    found: dict[str, str] = {}
    for name, double, single, bare, quoted, lone in _ATTRIBUTE.findall(text):
        value = unescape(double or single or bare or quoted or lone)
        found.setdefault(name.lower(), value.strip())
    return found


def _within_tag(html: str, at: int) -> bool:
    """Whether the place is inside of a tag, as in `<a href="[url]">`."""
    opened = html.rfind("<", max(0, at - 2000), at)
    return (
        opened >= 0
        and html.find(">", opened, at) < 0
        and bool(re.match(r"</?[A-Za-z]", html[opened : opened + 3]))
    )
