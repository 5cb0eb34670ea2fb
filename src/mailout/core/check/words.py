"""Rules about the two parts side by side, and what both must say: T01-T04, C01."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailout.core import parity
from mailout.core.check.letter import Letter
from mailout.core.check.rule import Fault, Severity, rule

_WORD = re.compile(r"\w{4,}")
_URL = re.compile(r"https?://\S+")
_TEXT_KEEPS = 0.95  # of the HTML's words
_HTML_KEEPS = 0.80  # of the text's
_DEBRIS = (
    (re.compile(r"\\[.\-+()\[\]#*_]"), "a backslash before punctuation"),
    (re.compile(r"\*{4,}"), "a row of stars"),
    (re.compile(r"\]\(\S*|!\[[^\]\n]*"), "a Markdown link or picture"),
    (re.compile(r"\[\^[^\]\s]+\]"), "the mark of a footnote, of which Markdown here has none"),
    (
        re.compile(r"\*\|[A-Z_:]+\|\*|\|[A-Z]{3,}\||\[\[\w+\]\]|%%\w+%%|\{\{.*?\}\}|\{%|<%|\[%"),
        "a place for another program's words",
    ),
    (
        re.compile(
            r"</?(?:a|b|i|u|em|strong|br|p|div|span|img|table|tr|t[dh]|[uo]l|li|h[1-6]|hr|center"
            r"|font|iframe|script|style|blockquote)(?:\s[^<>]*)?/?>",
            re.I,
        ),
        "an HTML tag, which is printed as it stands",
    ),
    (re.compile(r"^\s*\|?\s*:?-{3,}:?\s*\|", re.M), "the rule of a Markdown table"),
    (re.compile("[\u200b\u200c\u200d\u2060\ufeff]{3,}"), "characters without width"),
    (re.compile(r"\n{4,}"), "more than two empty lines"),
)


@rule("T01", Severity.REFUSE, "the text part shows the way out and who writes")
def way_out(letter: Letter) -> Iterator[Fault]:
    expected = letter.expected
    for link, what in (
        (expected.leave_url + expected.token, "the unsubscribe link"),
        (expected.preferences_url, "the link to the preferences"),
    ):
        if not re.search(re.escape(link) + r"(?=[\s>).,]|$)", letter.text):
            yield Fault(
                f"the text part lacks {what}, whole", "Print it in the template's .txt.j2 file."
            )
    if expected.contact not in letter.text and not _holds(letter.text, expected.postal_address):
        yield Fault("the text part names neither contact nor postal address")


@rule("T02", Severity.REFUSE, "both parts say the same")
def parity_of_words(letter: Letter) -> Iterator[Fault]:
    if not letter.expected.has_html:
        return
    html = set(_WORD.findall(parity.text_of(letter.html, links=False).lower()))
    text = set(_WORD.findall(_URL.sub(" ", letter.text).lower()))
    everything = set(_WORD.findall(letter.text.lower()))
    for own, others, least, kinds in (
        (html, everything, _TEXT_KEEPS, ("HTML", "text")),
        (text, set(_WORD.findall(letter.html.lower())), _HTML_KEEPS, ("text", "HTML")),
    ):
        missing = sorted(own - others)
        if own and len(missing) > (1 - least) * len(own):
            shown = ", ".join(missing[:6])
            yield Fault(
                f"of the words of the {kinds[0]} part {len(missing) / len(own):.0%} are not in the "
                f"{kinds[1]} part: {shown}",
                "Bring the template's .html.j2 and .txt.j2 files together.",
            )


@rule("T03", Severity.REFUSE, "every web link stands whole in the text part")
def whole_links(letter: Letter) -> Iterator[Fault]:
    for link in parity.missing_links(letter.html, letter.text):
        yield Fault(
            f"the text part lacks a link: {link}", "Print it in the template's .txt.j2.", link
        )


@rule("T04", Severity.WARN, "the text part reads as if a person had written it")
def debris(letter: Letter) -> Iterator[Fault]:
    words = _URL.sub("", letter.text)
    for pattern, what in _DEBRIS:
        if match := pattern.search(words):
            line = words[: match.start()].count("\n") + 1
            yield Fault(f"the text part holds {what}, in its line {line}", clue=match[0].strip())


@rule("C01", Severity.REFUSE, "the mail says who writes, why, and how to leave")
def footer(letter: Letter) -> Iterator[Fault]:
    expected = letter.expected
    if not expected.has_html:
        for line in (expected.contact, expected.postal_address, expected.why):
            if not _holds(letter.text, line):
                yield Fault(f"the text does not say `{line}`", "Print it in the .txt.j2 file.")
        return
    shown = _squeezed(parity.text_of(letter.html, links=False))
    if f'href="{expected.leave_url}{expected.token}"' not in letter.html:
        yield Fault("the HTML shows no unsubscribe link", "Print {{ reader.unsubscribe_url }}.")
    if expected.contact not in letter.html:
        yield Fault("the HTML names no contact", "Print {{ list.contact }}.")
    if not _holds(shown, expected.postal_address):
        yield Fault("the HTML has no postal address", "Print {{ list.postal_address }}.")
    if _squeezed(expected.why) not in shown:
        yield Fault("the HTML does not say why the reader gets it", "Print {{ list.why }}.")


def _holds(shown: str, address: str) -> bool:
    """Whether each line of an address is shown: they need not stand together."""
    words = _squeezed(shown)
    return all(_squeezed(line) in words for line in address.splitlines())


def _squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)
