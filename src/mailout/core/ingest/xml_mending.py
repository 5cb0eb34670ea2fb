"""XML mending: exports and feeds as they come, made so that an XML parser takes them.

| what is met | what is done |
|---|---|
| blank lines or a server's messages before `<?xml`, a text behind the end | left out |
| control characters | left out, warned of with the line |
| `&` that begins nothing, `&nbsp;` and its like, `<` that opens nothing | as characters |
| `xyz:` prefixes that are not declared | declared |
| `]]>` within a CDATA section, a section within a section | as text |
| comments, instructions, a doctype that only names a public DTD | left out, unread |
| a doctype with declarations, entities of its own | refused: it can grow without end |
| an HTML page; a file that ends before its root does | refused |

The mended text has the line breaks of the first one, so a parser's line numbers hold.

Standards: XML 1.0; Namespaces in XML 1.0.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from html import escape
from html.entities import html5

from mailout.core.errors import BadFile, place
from mailout.core.ingest import charset
from mailout.core.ingest.charset import Decoded

MAX_SIZE = 200_000_000
"""Bytes of an export or a feed; WordPress splits its own long before."""

_KNOWN = {
    "wp": "http://wordpress.org/export/1.2/",
    "excerpt": "http://wordpress.org/export/1.2/excerpt/",
    "content": "http://purl.org/rss/1.0/modules/content/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "atom": "http://www.w3.org/2005/Atom",
    "media": "http://search.yahoo.com/mrss/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
}
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_ROOT = re.compile(r"<(rss|feed|rdf:RDF|[A-Za-z_][\w.:-]*)(?=[\s>/])")
_HTML = re.compile(r"<(?:!doctype\s+html|html|head|body)[\s>]", re.I)
_SPECIAL = re.compile(r"<!\[CDATA\[|<!--|<\?|<!DOCTYPE", re.I)
_REFERENCE = re.compile(r"&(?:#(\d{1,7});|#[xX]([0-9a-fA-F]{1,6});|([A-Za-z][A-Za-z0-9]{1,31});)?")
_LONE = re.compile(r"<(?![A-Za-z_/])")
_PREFIX = re.compile(r"<([A-Za-z_][\w.-]*):")
_DECLARED = re.compile(r"\sxmlns:([A-Za-z_][\w.-]*)\s*=")
_ATTRIBUTE_PREFIX = re.compile(r"\s([A-Za-z_][\w.-]*):[\w.-]+\s*=\s*[\"']")
_TAG = re.compile(r"<[A-Za-z_][^<>]*:[^<>]*>")
_MOST_PREFIXES = 40
_XML_NAMES = frozenset({"lt", "gt", "amp", "quot", "apos"})
# Elements whose text is prose, in which a CDATA section may hold another one.
_PROSE = frozenset({"content:encoded", "excerpt:encoded", "description", "title", "summary"})
_OPENER = re.compile(r"<([\w.:-]+)(?:\s[^<>]*)?>\s*\Z")


@dataclass(frozen=True, slots=True)
class Mended:
    """The text of a source as XML without a declaration; `root` is its first element's name."""

    text: str
    root: str
    warnings: tuple[str, ...]


def text_of(raw: bytes, shown: str, http_charset: str = "") -> Decoded:
    """The text in `raw`, with `\\n` at each line's end. Raises: BadFile if too large or empty."""
    if len(raw) > MAX_SIZE:
        raise BadFile(
            f"larger than {MAX_SIZE // 1_000_000} MB",
            where=shown,
            fix="Export it in parts, by year for instance.",
        )
    found = charset.decode(raw, charset.xml_declared(raw), http_charset)
    text = found.text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip(" \t\n\0"):
        raise BadFile("the file is empty", where=shown)
    return Decoded(text, found.encoding, found.warnings)


def mend(found: Decoded, shown: str) -> Mended:
    """The XML of a text, mended. Raises: BadFile where it is none, is cut off or dangerous."""
    notes = [*found.warnings]
    text = _without_controls(charset.paired(found.text), notes)
    mending = _Mending(text, shown, notes, _begin(text, shown, notes))
    mending.walk()
    return Mended(mending.finished(), mending.root, tuple(notes))


def not_html(text: str, shown: str, fix: str) -> None:
    """Nothing. Raises: BadFile if the text is an HTML page."""
    page = _HTML.search(text[:4000])
    other = re.search(r"<(?:rss|feed|rdf:RDF|opml)[\s>]", text[:4000])
    if page and (not other or page.start() < other.start()):
        raise BadFile("this is an HTML page", where=shown, fix=fix)


def line_of(text: str, at: int) -> int:
    """The line (from 1) of the character at `at`."""
    return text.count("\n", 0, at) + 1


def _without_controls(text: str, notes: list[str]) -> str:
    first = _CONTROLS.search(text)
    if not first:
        return text
    text, count = _CONTROLS.subn("", text)
    line = line_of(text, first.start())
    notes.append(f"line {line}: {count} control character(s), the first of them here, left out")
    return text


def _begin(text: str, shown: str, notes: list[str]) -> int:
    """Where the XML begins. Raises: BadFile if it does not."""
    at = len(text) - len(text.lstrip("\ufeff \t\n"))
    if text[at : at + 1] != "<":
        found = re.search(r"<\?xml\s|<rss[\s>]|<feed[\s>]|<rdf:RDF[\s>]", text[at : at + 20_000])
        if not found:
            is_json = text[at : at + 1] == "{"
            raise BadFile(
                "this is JSON, no XML" if is_json else "this is no XML",
                where=place(shown, line_of(text, at)),
                fix="A JSON feed: `mailout posts import feed`."
                if is_json
                else "Markdown: `mailout posts import markdown`. Another text: `.. import html`.",
            )
        notes.append(f"line {line_of(text, at)}: a text before the XML begins was left out")
        return at + found.start()
    late = text.find("<?xml ", at, at + 20_000)
    if late > at and re.match(r"<(?:br|b|p)\b", text[at:late], re.I):
        # What PHP complains of on top of the page.
        notes.append(f"line {line_of(text, at)}: a text before the XML begins was left out")
        return late
    return at


class _Mending:
    """One walk over a text: pieces of mark-up are mended, sections of CDATA kept."""

    def __init__(self, text: str, shown: str, notes: list[str], begin: int) -> None:
        self.text = text
        self.shown = shown
        self.notes = notes
        self.at = begin
        self.root = ""
        self.done = ["\n" * text.count("\n", 0, begin)]
        self.prefixes: set[str] = set()
        self.declared: set[str] = {"xml", "xmlns"}
        self.odd: Counter[str] = Counter()
        self.first: dict[str, int] = {}
        self.last_close: dict[str, int] = {}

    def walk(self) -> None:
        while special := _SPECIAL.search(self.text, self.at):
            self._markup(self.at, special.start())
            opened = special[0].upper()
            self.at = special.end()
            if opened == "<![CDATA[":
                self._section(special.start())
            elif opened == "<!DOCTYPE":
                self._doctype(special.start())
            else:
                self._skip(special.start(), "-->" if opened == "<!--" else "?>")
        self._markup(self.at, len(self.text))
        for what, count in self.odd.items():
            self.notes.append(f"line {self.first[what]}: {what} ({count} times, the first here)")

    def finished(self) -> str:
        """The mended text, once it is known to be whole. Raises: BadFile if it is cut off."""
        whole = "".join(self.done)
        end = whole.rfind(f"</{self.root}")
        if not self.root or end < 0:
            self._cut_off(len(self.text.rstrip()))
        close = whole.find(">", end)
        if close < 0:
            self._cut_off(len(self.text.rstrip()))
        if whole[close + 1 :].strip():
            self.notes.append(f"line {line_of(whole, close)}: a text behind the end was left out")
        return self._with_prefixes(whole[: close + 1])

    def _with_prefixes(self, whole: str) -> str:
        missing = sorted(self.prefixes - self.declared)
        if not missing:
            return whole
        if len(missing) > _MOST_PREFIXES:
            raise BadFile(
                f"{len(missing)} prefixes are not declared",
                where=self.shown,
                fix="Is it the right file?",
            )
        self.notes.append(f"prefixes: {', '.join(missing)} not declared in the file; declared")
        opening = whole.index(f"<{self.root}") + len(self.root) + 1
        names = "".join(f' xmlns:{name}="{_KNOWN.get(name, "urn:x:" + name)}"' for name in missing)
        return whole[:opening] + names + whole[opening:]

    def _markup(self, begin: int, end: int) -> None:
        """Tags and what stands between them, up to the next section."""
        piece = self.text[begin:end]
        if not self.root and (root := _ROOT.search(piece)):
            self.root = root[1]
        if "&" in piece:
            piece = _REFERENCE.sub(lambda found: self._reference(found, begin), piece)
        if lone := _LONE.search(self.text, begin, end):
            self._note("a `<` that opens nothing, kept as text", lone.start())
            piece = _LONE.sub("&lt;", piece)
        if "]]>" in piece:
            self._note("a `]]>` that ends nothing, kept as text", self.text.index("]]>", begin))
            piece = piece.replace("]]>", "]]&gt;")
        self.prefixes.update(_PREFIX.findall(piece))
        for tag in _TAG.findall(piece):
            self.prefixes.update(_ATTRIBUTE_PREFIX.findall(tag))
        self.declared.update(_DECLARED.findall(piece))
        self.prefixes -= {"xmlns"}
        self.done.append(piece)

    def _reference(self, found: re.Match[str], begin: int) -> str:
        decimal, hexadecimal, name = found.groups()
        if name in _XML_NAMES:
            return found[0]
        if name and (meant := html5.get(name + ";")):
            return escape(meant, quote=False)
        if decimal or hexadecimal:
            code = int(decimal) if decimal else int(hexadecimal, 16)
            if code <= 0x10FFFF and not _CONTROLS.match(chr(code)):
                return found[0]
            self._note("a reference to a control character, left out", begin + found.start())
            return ""
        self._note("a raw `&`, kept as text", begin + found.start())
        return "&amp;" + found[0][1:]

    def _section(self, opened: int) -> None:
        """A CDATA section to its end, which is not always the first `]]>`."""
        first = self.text.find("]]>", self.at)
        if first < 0:
            self._cut_off(opened, "a CDATA section that begins here has no end")
        end = first
        before = _OPENER.search(self.text, max(0, opened - 300), opened)
        if before and before[1] in _PROSE:
            last = self._last_end(before[1], first)
            if last > first and not _alternate(self.text[self.at : last]):
                self._note("a CDATA section within another, kept as text", opened)
                end = last
        inner = self.text[self.at : end].replace("]]>", "]]]]><![CDATA[>")
        self.done.append(f"<![CDATA[{inner}]]>")
        self.at = end + 3

    def _last_end(self, name: str, first: int) -> int:
        """Where the last `]]>` before the element's end is; -1 if something follows it."""
        close = self.last_close.get(name, 0)
        if 0 <= close < first:  # searched once for each name from here on
            close = self.last_close[name] = self.text.find(f"</{name}>", first)
        if close < 0:
            return -1
        last = self.text.rfind("]]>", first, close)
        return last if not self.text[last + 3 : close].strip() else -1

    def _doctype(self, opened: int) -> None:
        found = re.compile(r"[^\[<>]{0,1000}(.)", re.DOTALL).match(self.text, self.at)
        if not found or found[1] != ">":
            raise BadFile(
                "a doctype with declarations of its own: it could grow without end",
                where=place(self.shown, line_of(self.text, opened)),
                fix="No export or feed needs one; take the file from its source again.",
            )
        self.done.append("\n" * self.text.count("\n", opened, found.end()))
        self.at = found.end()

    def _skip(self, opened: int, mark: str) -> None:
        end = self.text.find(mark, self.at)
        if end < 0:
            self._cut_off(opened, "a comment or instruction that begins here has no end")
        self.done.append("\n" * self.text.count("\n", opened, end))
        self.at = end + len(mark)

    def _note(self, what: str, at: int) -> None:
        if not self.odd[what]:
            self.first[what] = line_of(self.text, at)
        self.odd[what] += 1

    def _cut_off(self, at: int, what: str = "the file ends here, before its last tag") -> None:
        raise BadFile(
            f"{what}: it was cut off, and nothing of it is taken",
            where=place(self.shown, line_of(self.text, at)),
            fix="Export or fetch it again.",
        )


def _alternate(inner: str) -> bool:
    """Whether ends and beginnings of sections take turns, as in well-formed XML."""
    marks = re.findall(r"\]\]>|<!\[CDATA\[", inner)
    return len(marks) % 2 == 0 and all(
        mark == ("]]>" if number % 2 == 0 else "<![CDATA[") for number, mark in enumerate(marks)
    )
