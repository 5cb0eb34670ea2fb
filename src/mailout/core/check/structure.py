"""Rules about MIME, sizes and characters: M01-M05.

Standards: RFC 2046 5.1.4 (alternative: the plainest first), RFC 5321 4.5.3.1.6 (lines).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailout.core.check.letter import Letter
from mailout.core.check.rule import Fault, Severity, rule

_LINE = 998
_CLIPPED = 102_000  # bytes of HTML above which Gmail shows only the beginning
_NEARLY_CLIPPED = 90_000
_MOST = 1_000_000
_DANGEROUS = (".exe", ".zip", ".docm", ".xlsm", ".js", ".svg", ".html", ".htm", ".scr", ".iso")
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_C1 = re.compile("[\u0080-\u009f]")
# UTF-8 read as Latin-1: Cyrillic becomes pairs that begin with these, quotes begin with "â€".
_MOJIBAKE = re.compile("[ÐÑ][\u00a0-\u00bf\u0080-\u009f]|â€|Ã[\u00a0-\u00bf]")


@rule(
    "M01",
    Severity.REFUSE,
    "a text part, then an HTML part (not in the text edition), UTF-8",
)
def two_parts(letter: Letter) -> Iterator[Fault]:
    kinds = [part.get_content_type() for part in letter.parts]
    whole = letter.message.get_content_type()
    if not letter.expected.has_html:
        if whole != "text/plain":
            yield Fault(f"the text edition is {whole}")
    elif whole != "multipart/alternative" or kinds != ["text/plain", "text/html"]:
        yield Fault(f"the parts are {', '.join(kinds)}, not a text part and an HTML part")
    for part in letter.parts:
        if (part.get_content_charset() or "").lower() != "utf-8":
            yield Fault(f"{part.get_content_type()} is not declared as UTF-8")
    for words, kind in ((letter.text, "text"), (letter.html, "HTML")):
        if not words.strip() and (kind == "text" or letter.expected.has_html):
            yield Fault(f"the {kind} part is empty")


@rule("M02", Severity.REFUSE, "lines have an end and 998 bytes at most; the body is 7-bit")
def lines(letter: Letter) -> Iterator[Fault]:
    if any(len(line) > _LINE for line in letter.raw.split(b"\r\n")):
        yield Fault(f"a line is longer than {_LINE} bytes")
    if _BARE.search(letter.raw):
        yield Fault("a line ends in a CR or LF alone")
    if not letter.raw.partition(b"\r\n\r\n")[2].isascii():
        yield Fault("the body is not 7-bit, which not every server takes")


@rule("M03", Severity.WARN, "the HTML part is shown whole: under 90 KB")
def size_of_html(letter: Letter) -> Iterator[Fault]:
    size = max(letter.html_bytes, len(letter.html.encode()))
    fix = "Shorten posts, or give them a `canonical_url` and a <!--more--> mark."
    if size > _CLIPPED:
        what = f"the HTML has {size // 1000} KB; Gmail shows only the first 102"
        yield Fault(what, fix, severity=Severity.REFUSE)
    elif size > _NEARLY_CLIPPED:
        yield Fault(f"the HTML has {size // 1000} KB; Gmail cuts at 102", fix)
    at = letter.html.find(letter.expected.token)
    if at > 0 and len(letter.html[:at].encode()) > _NEARLY_CLIPPED:
        yield Fault("the unsubscribe link lies behind the first 90 KB", fix)


@rule("M04", Severity.WARN, "no attachments, and 1 MB at most")
def size(letter: Letter) -> Iterator[Fault]:
    if len(letter.raw) > _MOST:
        yield Fault(f"the message has {len(letter.raw) / 1e6:.1f} MB")
    for part in letter.parts:
        if name := part.get_filename():
            graver = Severity.REFUSE if name.lower().endswith(_DANGEROUS) else None
            yield Fault(f"there is an attachment: {name}", "Link to it.", severity=graver)


@rule("M05", Severity.REFUSE, "the characters are what they were meant to be")
def characters(letter: Letter) -> Iterator[Fault]:
    for words, kind in ((letter.text, "text"), (letter.html, "HTML")):
        for pattern, what in (
            (_C1, "a control character (U+0080 to U+009F)"),
            (re.compile("\ufffd"), "the mark for a character that was lost (U+FFFD)"),
            (_MOJIBAKE, "letters that were read in the wrong encoding"),
        ):
            if match := pattern.search(words):
                around = words[max(0, match.start() - 8) : match.end() + 8].split("\n")
                clue = max(around, key=len)
                yield Fault(
                    f"the {kind} part holds {what}: `{clue}`", "Save the post as UTF-8.", clue
                )
