"""A rule's text as tokens that know their place, and the error that shows it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from mailout.core.errors import MailoutError

_TOKEN = re.compile(
    r"\s*(?:(?P<foreign>==|<>|=<|=>|!(?!=))"
    r'|(?P<op><=|>=|!=|=|<|>)|(?P<punct>[(),])|"(?P<quoted>(?:[^"\\]|\\.)*)"'
    r"|(?P<word>[^\s()<>=!,\"]+)|(?P<bad>\S))",
    re.DOTALL,
)
OTHER_QUOTES = "'‘’‚‛“”„‟«»‹›`"  # what people and their programs write in place of `"`
_SHOWN = 76  # of a long line so much is shown, around the place


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is op, punct, quoted, word, foreign (a sign of other languages), bad (a character that
    is none of these) or end; `at` is where it begins in the text."""

    kind: str
    text: str
    at: int

    def is_word(self, word: str) -> bool:
        return self.kind == "word" and self.text.lower() == word

    def is_punct(self, sign: str) -> bool:
        return self.kind == "punct" and self.text == sign


class BadRule(MailoutError):
    """A rule that cannot be read. `line` and `column` (from 1) are within the rule, `picture` is
    that line with a caret under the place."""

    def __init__(self, what: str, *, text: str, at: int, where: str = "", fix: str = "") -> None:
        super().__init__(_printable(what), where=where, fix=_printable(fix))
        start = text.rfind("\n", 0, at) + 1
        self.line = text.count("\n", 0, at) + 1
        self.column = at - start + 1
        self.picture = _picture(text[start:].partition("\n")[0], at - start)

    def __str__(self) -> str:
        """Where and what on the first line, then the picture; what to do comes last."""
        place = f"column {self.column}"
        if self.line > 1:
            place = f"line {self.line} of the rule, {place}"
        head = f"{self.where}, {place}" if self.where else place
        return "\n".join(part for part in (f"{head}: {self.what}", self.picture, self.fix) if part)


def _picture(line: str, column: int) -> str:
    """Two lines, the place in the first and a caret in the second."""
    shown = _printable(line)
    start = max(0, column - _SHOWN // 2) if len(shown) > _SHOWN else 0
    shown = shown[start : start + _SHOWN]
    return f"  {shown}\n  {' ' * _width(shown[: column - start])}^"


def _printable(text: str) -> str:
    """The text on one line, letter for letter, without what would move a terminal's cursor."""
    spaced = "".join(" " if letter.isspace() else letter for letter in text)
    return "".join(letter if letter.isprintable() else "�" for letter in spaced)


def _width(text: str) -> int:
    """How many cells of a terminal the text takes."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(bool(unicodedata.combining(letter)) for letter in text)


def tokens(text: str) -> Iterator[Token]:
    """The tokens of a rule, the last of the kind `end`. What is in quotes is told without them."""
    at = 0
    while match := _TOKEN.match(text, at):
        kind = match.lastgroup or "bad"
        found = match[kind]
        begin = match.start(kind) - (kind == "quoted")
        if kind == "quoted":
            found = re.sub(r"(?s)\\(.)", r"\1", found)
        yield Token(kind, found, begin)
        at = match.end()
    yield Token("end", "", len(text))


def control(text: str) -> bool:
    """Whether a text holds what no name, tag or word of anybody does: a control character."""
    return any(unicodedata.category(one) in ("Cc", "Cs") and one != "\t" for one in text)
