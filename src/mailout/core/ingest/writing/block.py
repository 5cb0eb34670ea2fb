"""Blocks: paragraphs, headings, lists, quotes and figures, as Markdown (tables: `grid`).

| HTML | Markdown |
|---|---|
| headings | the highest one is `##`, since a post has its title above |
| lists | `-` and `1.`; lettered ones as lines, which Markdown does not number |
| tables | with a row of heads; scaffolding is taken apart into its cells |
| figures | the picture, and its caption in emphasis on the next line |
| embedded pages and films | the address on a line of its own, with a warning |
| forms | gone, with a warning; a form around a whole page is taken apart |
| anything else | its content |
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from mailout.core import markup
from mailout.core.ingest.writing import clean, grid, span
from mailout.core.ingest.writing.notes import Notes, shortened

_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_FORM_WORDS = 60  # a form with more words beside its fields is a page within a form
_FIELDS = clean.FORM - {"form", "fieldset"}
_EMBEDS = ("iframe", "embed", "object", "video", "audio")
_TRANSPARENT = ("div", "section", "article", "main", "center")
_LAST_HASHES = re.compile(r"(?<=\s)#+$")  # Markdown takes them for the end of a heading
_LETTERED = {"a": "abcdefghijklmnopqrstuvwxyz", "A": "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
_LETTER_STYLE = re.compile(r"list-style(?:-type)?\s*:[^;]*\b(lower|upper)-(?:alpha|latin)", re.I)
_ROMAN = ((100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"), (9, "ix"), (5, "v"),
          (4, "iv"), (1, "i"))  # fmt: skip


class Writer:
    """Writes the blocks of one tree; `notes` gathers what has to be said."""

    def __init__(self, root: Any, notes: Notes) -> None:
        self.notes = notes
        self._shift = _shift(root)
        self._parted = _parted(root)  # inline elements with a block somewhere in them
        self._wraps: list[Callable[[str], str]] = []  # links and emphasis around blocks

    def document(self, root: Any) -> str:
        """The Markdown of all that stands in `root`."""
        return "\n\n".join(self._blocks(root, top=True))

    def _blocks(self, element: Any, top: bool = False) -> list[str]:
        """The blocks in an element; `top` if none of them is within a list, a quote or a table."""
        blocks: list[str] = []
        run = [span.folded(element.text or "")]
        last_list = (-1, "")
        for child in element:
            if self._is_inline(child):
                run.append(span.of(child, self.notes))
            else:
                blocks += self._paragraphs(run, top)
                touches = last_list == (len(blocks), child.tag)
                count = len(blocks)
                blocks += self._block(child, top, touches)
                if child.tag in ("ul", "ol") and len(blocks) > count and not touches:
                    last_list = (len(blocks), child.tag)
                if top and self.notes.more and child.tag not in _TRANSPARENT:
                    blocks += self._end_opening()
            run.append(span.folded(child.tail or ""))
        return blocks + self._paragraphs(run, top)

    def _is_inline(self, element: Any) -> bool:
        if not isinstance(element.tag, str):
            return True
        return element.tag in clean.INLINE and element not in self._parted

    def _paragraphs(self, run: list[str], top: bool) -> list[str]:
        """The paragraphs of a run of spans, which is empty afterwards."""
        blocks: list[str] = []
        for part in span.paragraphs("".join(run)):
            if part == span.MORE:
                self.notes.more = True
                blocks += self._end_opening() if top else []
                continue
            for wrap in reversed(self._wraps):
                part = wrap(part)
            if text := span.markdown(part):
                blocks.append(text)
        run.clear()
        return blocks

    def _end_opening(self) -> list[str]:
        """The mark behind the opening, the first time."""
        self.notes.more = False
        first, self.notes.opened = not self.notes.opened, True
        return [markup.MORE] if first else []

    def _block(self, element: Any, top: bool = False, touches: bool = False) -> list[str]:
        """The blocks of one element; `touches` if another list stands right before."""
        tag, notes = element.tag, self.notes
        if span.is_hidden(element):
            notes.leave_out(element, "hidden text" if element.text_content().strip() else "")
            return []
        if tag in _HEADINGS:
            return self._heading(element)
        if tag in ("ul", "ol"):
            return self._list(element, touches)
        if tag == "blockquote":
            lines = "\n\n".join(self._blocks(element)).split("\n")
            quoted = "\n".join(f"> {line}".rstrip() for line in lines)
            return [quoted] if quoted != ">" else []
        if tag == "table":
            return self._table(element, top)
        if tag == "pre":
            return _fenced(element)
        if tag == "hr":
            return ["***"]
        if tag == "figure":
            return self._figure(element, top)
        if tag in _EMBEDS:
            return self._embedded(element)
        if tag in _FIELDS:
            notes.leave_out(element, "a field of a form" if tag != "label" else "")
            return []
        if tag == "form":
            return self._form(element, top)
        if tag in ("dt", "summary", "caption"):
            return self._line(span.strong(" ".join(self._runs(element))))
        return self._wrapped(element, top)

    def _line(self, words: str) -> list[str]:
        text = span.markdown(words, one_line=True)
        return [text] if text else []

    def _wrapped(self, element: Any, top: bool) -> list[str]:
        """The blocks within a link, within emphasis, or within nothing special."""
        wraps: dict[str, Callable[[str], str]] = {
            "a": lambda part: span.linked(part, element.get("href") or "", self.notes),
            "b": span.strong,
            "strong": span.strong,
            "i": span.emphasised,
            "em": span.emphasised,
        }
        if element.tag not in wraps:
            return self._blocks(element, top)
        self._wraps.append(wraps[element.tag])
        blocks = self._blocks(element, top)
        self._wraps.pop()
        return blocks

    def _heading(self, element: Any) -> list[str]:
        words = " ".join(self._runs(element))
        for wrap in reversed(self._wraps):
            words = wrap(words)
        if not span.plain(words).strip():
            return self._line(words)  # nothing, or a picture
        if any(above.tag in ("li", "blockquote") for above in element.iterancestors()):
            return self._line(span.strong(words))
        text = span.markdown(words, one_line=True)
        level = min(max(int(element.tag[1]) + self._shift, 2), 6)
        return [f"{'#' * level} {_LAST_HASHES.sub(_escaped, text)}"]

    def _list(self, element: Any, touches: bool) -> list[str]:
        """A list; one that touches another takes other marks, or they would be one."""
        items: list[list[str]] = []
        for child in element:
            if not isinstance(child.tag, str):
                self.notes.more |= span.of(child, self.notes) == span.MORE
                continue
            blocks = self._blocks(child) if child.tag == "li" else self._block(child)
            if child.tag in ("ul", "ol") and items:
                items[-1] += blocks
            elif blocks:
                items.append(blocks)
        stray = [
            text for child in element if (text := span.markdown(span.folded(child.tail or "")))
        ]
        stray = self._line(span.folded(element.text or "")) + stray
        items += [[text] for text in stray]
        start = _number(element, "start", 1)
        letter = _lettering(element)
        if letter and all(len(item) == 1 for item in items):
            lines = [f"{letter(start + n)}) {item[0]}" for n, item in enumerate(items)]
            return ["\n".join(lines)] if lines else []
        apart = "\n\n" if any(_needs_room(item) for item in items) else "\n"
        written = []
        for n, blocks in enumerate(items):
            mark = f"{start + n}{')' if touches else '.'} "
            if element.tag == "ul":
                mark = "* " if touches else "- "
            written.append(mark + _hung(apart.join(blocks), len(mark)))
        return [apart.join(written)] if written else []

    def _figure(self, element: Any, top: bool) -> list[str]:
        if any(element.find(f".//{tag}") is not None for tag in ("table", "pre", *_EMBEDS)):
            return self._blocks(element, top)
        if len(list(element.iter("img"))) > 1 and element.find(".//ul") is None:
            return self._gallery(element)
        if any(element.find(f".//{tag}") is not None for tag in ("blockquote", "ul", "p")):
            return self._blocks(element, top)
        return self._pictured(element)

    def _pictured(self, element: Any) -> list[str]:
        """A picture with its caption below it."""
        caption = element.find(".//figcaption")
        shown, said = [], []
        for part in self._runs(element, caption):
            shown += self._line(part)
        if caption is not None:
            for part in self._runs(caption):
                said += self._line(span.emphasised(part))
        text = "\n".join(shown + said)
        return [text] if text else []

    def _gallery(self, element: Any) -> list[str]:
        """Several pictures as a list of them."""
        figures = [inner for inner in element.iter("figure") if inner is not element]
        items = []
        for part in figures or element.iter("img"):
            texts = self._pictured(part) if figures else self._line(span.of(part, self.notes))
            items += [f"- {_hung(text, 2)}" for text in texts]
        blocks = ["\n".join(items)] if items else []
        caption = element.find("figcaption")
        if caption is not None:
            blocks += self._line(span.emphasised(span.within(caption, self.notes)))
        return blocks

    def _embedded(self, element: Any) -> list[str]:
        source = element.get("src") or element.get("data") or element.get("data-src") or ""
        inner = element.find(".//source")
        if not source and inner is not None:
            source = inner.get("src") or ""
        if element.tag == "iframe":
            self.notes.leave_out(element)
            blocks = []
        else:
            blocks = self._blocks(element)
        target = _to_look_at(self.notes.target(source, element.tag))
        if not target:
            return blocks
        self.notes.warn(f"what was embedded became a link: {shortened(target)}")
        return [
            span.markdown(span.linked(element.get("title") or target, target, self.notes)),
            *blocks,
        ]

    def _form(self, element: Any, top: bool) -> list[str]:
        fields = " ".join(field.text_content() for field in element.iter(*_FIELDS)).split()
        if len(element.text_content().split()) - len(fields) < _FORM_WORDS:
            self.notes.leave_out(element, "a form")
            return []
        self.notes.warn("the fields of a form are left out; the words around them are kept")
        return self._blocks(element, top)

    def _table(self, element: Any, top: bool) -> list[str]:
        rows = grid.rows(element)
        if not grid.is_data(rows):
            return self._taken_apart(element, top)
        cells = [["" if cell is None else self._cell(cell) for cell in row] for row in rows]
        caption = element.find("caption")
        blocks = [] if caption is None else self._block(caption)
        return [*blocks, grid.markdown(cells, grid.has_heads(element, rows))]

    def _cell(self, cell: Any) -> str:
        return span.markdown(" ".join(self._runs(cell)), one_line=True).replace("|", r"\|")

    def _runs(self, element: Any, without: Any = None) -> list[str]:
        """The spans of an element and of the plain blocks in it."""
        runs = [span.folded(element.text or "")]
        for child in element:
            if child is without:
                runs.append("")
            elif self._is_inline(child):
                runs[-1] += span.of(child, self.notes)
            else:
                runs += [*self._runs(child, without), ""]
            runs[-1] += span.folded(child.tail or "")
        return runs

    def _taken_apart(self, element: Any, top: bool) -> list[str]:
        """The blocks of a table that is scaffolding, cell after cell."""
        blocks: list[str] = []
        for part in element:
            if part.tag in ("tr", "thead", "tbody", "tfoot"):
                blocks += self._taken_apart(part, top)
            elif part.tag in ("td", "th"):
                blocks += self._blocks(part, top)
            elif isinstance(part.tag, str):
                blocks += self._block(part, top)
        return blocks


def _shift(root: Any) -> int:
    """What brings the highest heading with words to level 2."""
    levels = [int(h.tag[1]) for h in root.iter(*_HEADINGS) if (h.text_content() or "").strip()]
    return 2 - min(levels) if levels else 0


def _parted(root: Any) -> set[Any]:
    """The elements that hold a block; of inline ones, those that are taken apart around it."""
    parted: set[Any] = set()
    for element in root.iter():
        if isinstance(element.tag, str) and element.tag not in clean.INLINE:
            for above in element.iterancestors():
                if above in parted or above is root:
                    break
                parted.add(above)
    return parted


def _hung(text: str, width: int) -> str:
    """The text with all lines but the first moved in by `width` columns."""
    return re.sub(r"\n(?=[^\n])", "\n" + " " * width, text)


def _number(element: Any, name: str, default: int) -> int:
    value = (element.get(name) or "").strip()
    return int(value) if re.fullmatch(r"[0-9]{1,6}", value) else default


def _lettering(element: Any) -> Callable[[int], str] | None:
    """What names the items of a list with letters or Roman numbers; None for other lists."""
    kind = element.get("type") or ""
    if style := _LETTER_STYLE.search(element.get("style") or ""):
        kind = "a" if style[1].lower() == "lower" else "A"
    if element.tag != "ol":
        return None
    if kind in _LETTERED:
        letters = _LETTERED[kind]
        return lambda n: letters[(n - 1) % 26] * min((n - 1) // 26 + 1, 9)
    if kind in ("i", "I"):
        return lambda n: _roman(n).upper() if kind == "I" else _roman(n)
    return None


def _roman(number: int) -> str:
    text = ""
    for value, sign in _ROMAN:
        count, number = divmod(number, value)
        text += sign * min(count, 9)
    return text


def _needs_room(item: list[str]) -> bool:
    """Whether an item's blocks must stand apart: all but words with a list below them."""
    if len(item) == 1:
        return False
    return len(item) > 2 or not re.match(r"[-*] |1[.)] ", item[1])


def _fenced(element: Any) -> list[str]:
    for part in element.iterdescendants():
        if part.tag == "br":
            part.text = "\n"
        elif isinstance(part.tag, str) and part.tag not in clean.INLINE:
            part.text, part.tail = f"\n{part.text or ''}", f"\n{part.tail or ''}"
    text = (element.text_content() or "").strip("\n")
    if not text.strip():
        return []
    fence = "`" * max(3, max(map(len, re.findall("`+", text)), default=0) + 1)
    return [f"{fence}\n{text}\n{fence}"]


def _escaped(found: re.Match[str]) -> str:
    return "\\" + found[0]


def _to_look_at(target: str) -> str:
    """The page of a film for the address of its embedded form."""
    parts = urlsplit(target)
    host = parts.netloc.lower().removeprefix("www.")
    name = parts.path.rstrip("/").rpartition("/")[2]
    if host in ("youtube.com", "youtube-nocookie.com") and parts.path.startswith("/embed/"):
        lists = parse_qs(parts.query).get("list")
        if name == "videoseries" and lists:
            return f"https://www.youtube.com/playlist?list={lists[0]}"
        return f"https://www.youtube.com/watch?v={name}"
    return f"https://vimeo.com/{name}" if host == "player.vimeo.com" else target
