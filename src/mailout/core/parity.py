"""The two parts of a mail say the same: HTML as text, and what one part has and the other lacks.

html2text makes the text, with the settings that kept every word and link of real templates.
It serves templates that have no text twin, and the check that the twins agree.
"""

from __future__ import annotations

import re

from mailout.core.plain import tidy, wrap

_WORD = re.compile(r"\w{4,}")
_HREF = re.compile(r'href="(https?://[^"]+)"')
_HIDDEN = re.compile(r"<!--.*?-->|<(style|title|head)\b.*?</\1>", re.I | re.S)
_CELL = re.compile(r"</(?:td|th)>", re.I)
_PREPARED = re.compile(r"(mailto:[^\"?]*)\?[^\"]*")
_HEADING = re.compile(r"^#+ ", re.M)
_ESCAPED = re.compile(r"\\([.\-+()\[\]#*_])")


def text_of(html: str, *, links: bool = True) -> str:
    """A document's text as a text part: one paragraph a block, links whole, wrapped at 72.

    A prepared letter's link is cut to its address: its words stand in the text already.
    """
    import html2text  # slow to import, and few issues need it

    reader = html2text.HTML2Text(bodywidth=0)
    reader.ignore_tables = True
    reader.ignore_links = not links
    reader.images_to_alt = True
    reader.ignore_emphasis = True
    reader.unicode_snob = True
    reader.wrap_links = False
    reader.inline_links = False
    reader.links_each_paragraph = True
    reader.skip_internal_links = True
    shown = _CELL.sub(r"\g<0> ", _HIDDEN.sub(" ", html))
    text = _ESCAPED.sub(r"\1", reader.handle(_PREPARED.sub(r"\1", shown)))
    text = _HEADING.sub("", text)
    lines = [line if "://" in line else wrap(line) for line in text.split("\n")]
    return tidy("\n".join(lines))


def missing_words(html: str, text: str) -> list[str]:
    """Words of four letters and more that the HTML shows and the text lacks, in order."""
    known = set(_WORD.findall(text.lower()))
    seen = dict.fromkeys(_WORD.findall(text_of(html, links=False).lower()))
    return [word for word in seen if word not in known]


def missing_links(html: str, text: str) -> list[str]:
    """Web links of the HTML that do not stand whole in the text."""
    links = dict.fromkeys(link.replace("&amp;", "&") for link in _HREF.findall(html))
    return [link for link in links if link not in text]
