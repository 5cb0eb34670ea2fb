"""Segment rules: `tag = unions and language in (ru, kk) and not country = DE`.

    rule       = part { "or" part }
    part       = test { "and" test }
    test       = "not" test | "(" rule ")" | "everyone" | "segment" NAME | comparison
    comparison = FIELD ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) VALUE
               | FIELD [ "not" ] "in" "(" VALUE { "," VALUE } ")"

A VALUE is a word, or anything at all between double quotes. Fields and what they take are
in `FIELDS`. A rule is parsed here and compiled to one SQL query in the store; its text
never becomes part of one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import NoReturn

from mailout.core import language
from mailout.core.address import stored_domain
from mailout.core.errors import MailoutError, nearest


@dataclass(frozen=True, slots=True)
class Field:
    """What a field is: its kind of value and whether it has an order."""

    takes: str
    ordered: bool = False


FIELDS = {
    "tag": Field("a tag of the person"),
    "language": Field("a language code such as ru"),
    "country": Field("a country code such as DE"),
    "name": Field("the person's name"),
    "domain": Field("the domain of the address"),
    "joined": Field("a date such as 2026-01-31", ordered=True),
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """`field` compared with one value, or with several for `in`; `op` is one of `= < <= > >=`."""

    field: str
    op: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Everyone:
    """Every person on the list."""


@dataclass(frozen=True, slots=True)
class Other:
    """The people of another segment of the same list."""

    name: str


@dataclass(frozen=True, slots=True)
class Not:
    part: Rule


@dataclass(frozen=True, slots=True)
class And:
    parts: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Or:
    parts: tuple[Rule, ...]


Rule = Comparison | Everyone | Other | Not | And | Or

_DEPTH = 50
_TOKEN = re.compile(
    r'\s*(?:(?P<op><=|>=|!=|=|<|>)|(?P<punct>[(),])|"(?P<quoted>(?:[^"\\]|\\.)*)"'
    r"|(?P<word>[^\s()<>=!,\"]+)|(?P<bad>\S))"
)
_KEYWORDS = frozenset({"and", "or", "not", "in", "everyone", "segment"})
_PLAIN_WORD = re.compile(r"[^\s()<>=!,\"\\]+")


class BadRule(MailoutError):
    """A rule that cannot be read; `picture` shows it with a caret under the place."""

    picture = ""

    def __str__(self) -> str:
        return f"{super().__str__()}\n{self.picture}"


def parse(text: str, where: str = "") -> Rule:
    """The rule that `text` says.

    Raises: BadRule with a caret under the place and the nearest known name.
    """
    return _Parser(text, where).whole()


def written(rule: Rule) -> str:
    """The rule as text that `parse` reads back to the same rule."""
    match rule:
        case Everyone():
            return "everyone"
        case Other(name):
            return f"segment {_value(name)}"
        case Comparison(field, "in", values):
            return f"{field} in ({', '.join(map(_value, values))})"
        case Comparison(field, op, values):
            return f"{field} {op} {_value(values[0])}"
        case Not(part):
            return f"not {_bracketed(part)}"
        case And(parts):
            return " and ".join(map(_bracketed, parts))
        case Or(parts):
            return " or ".join(map(_bracketed, parts))


def _bracketed(rule: Rule) -> str:
    return f"({written(rule)})" if isinstance(rule, (And, Or)) else written(rule)


def _value(text: str) -> str:
    if _PLAIN_WORD.fullmatch(text) and text.lower() not in _KEYWORDS:
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


class _Parser:
    """Recursive descent over the tokens; one method per line of the grammar."""

    def __init__(self, text: str, where: str) -> None:
        self.text = " ".join(text.splitlines())
        self.where = where
        self.tokens = self._tokens()
        self.next = 0
        self.depth = 0

    def whole(self) -> Rule:
        rule = self._rule()
        if self._peek().kind != "end":
            self._refuse("`and`, `or` or the end was expected here")
        return rule

    def _rule(self) -> Rule:
        return self._joined("or", self._part, Or)

    def _part(self) -> Rule:
        return self._joined("and", self._test, And)

    def _joined(
        self, word: str, read: Callable[[], Rule], join: Callable[[tuple[Rule, ...]], Rule]
    ) -> Rule:
        parts = [read()]
        while self._is_word(word):
            self.next += 1
            parts.append(read())
        return parts[0] if len(parts) == 1 else join(tuple(parts))

    def _test(self) -> Rule:
        self.depth += 1
        if self.depth > _DEPTH:
            self._refuse(f"more than {_DEPTH} brackets inside one another")
        rule = self._test_here()
        self.depth -= 1
        return rule

    def _test_here(self) -> Rule:
        if self._is_word("not"):
            self.next += 1
            return Not(self._test())
        if self._peek().text == "(" and self._peek().kind == "punct":
            self.next += 1
            rule = self._rule()
            self._expect(")")
            return rule
        if self._is_word("everyone"):
            self.next += 1
            return Everyone()
        if self._is_word("segment"):
            self.next += 1
            return Other(self._read_value("the name of a segment"))
        return self._comparison()

    def _comparison(self) -> Rule:
        token = self._peek()
        name = token.text.lower()
        if token.kind != "word" or name not in FIELDS:
            if token.kind == "end":
                self._refuse("the rule ends here, where a field was expected")
            self._refuse(f"`{token.text}` is no field", nearest(name, FIELDS))
        self.next += 1
        if self._is_word("not"):
            self.next += 1
            return Not(self._membership(name))
        if self._is_word("in"):
            return self._membership(name)
        operator = self._peek()
        if operator.kind != "op":
            self._refuse("one of `=`, `!=`, `<`, `<=`, `>`, `>=` or `in` was expected here")
        if operator.text not in ("=", "!=") and not FIELDS[name].ordered:
            self._refuse(f"`{name}` has no order; use `=`, `!=` or `in`")
        self.next += 1
        value = self._checked(name)
        if operator.text == "!=":
            return Not(Comparison(name, "=", (value,)))
        return Comparison(name, operator.text, (value,))

    def _membership(self, name: str) -> Rule:
        if not self._is_word("in"):
            self._refuse("`in` was expected here")
        self.next += 1
        self._expect("(")
        values = [self._checked(name)]
        while self._peek().text == "," and self._peek().kind == "punct":
            self.next += 1
            values.append(self._checked(name))
        self._expect(")")
        return Comparison(name, "in", tuple(values))

    def _checked(self, field: str) -> str:
        """The next value, in the spelling that is stored; refused if the field cannot hold it."""
        start = self.next
        value = self._read_value(FIELDS[field].takes)
        self.next = start  # a complaint points at the value, not behind it
        if field == "joined":
            try:
                value = date.fromisoformat(value).isoformat()
            except ValueError:
                self._refuse(f"`{value}` is not a date", "Write it as YYYY-MM-DD.")
        elif field == "language":
            meant = language.mistaken_for(value)
            value = language.normal(value)
            if meant:
                self._refuse(f"`{value}` is a country, not a language", f"Write `{meant}`.")
            if not language.is_code(value):
                self._refuse(f"`{value}` is not a language code")
        elif field == "country":
            value = value.upper()
            if not re.fullmatch(r"[A-Z]{2}", value):
                self._refuse(f"`{value}` is not a country code", "Write two letters such as DE.")
        elif field == "tag":
            value = value.lower()
        elif field == "domain":
            value = stored_domain(value)
        self.next = start + 1
        return value

    def _read_value(self, expected: str) -> str:
        token = self._peek()
        if token.kind not in ("word", "quoted") or (
            token.kind == "word" and token.text.lower() in _KEYWORDS
        ):
            self._refuse(f"{expected} was expected here")
        self.next += 1
        return token.text

    def _expect(self, text: str) -> None:
        if self._peek().kind != "punct" or self._peek().text != text:
            self._refuse(f"`{text}` was expected here")
        self.next += 1

    def _is_word(self, word: str) -> bool:
        token = self._peek()
        return token.kind == "word" and token.text.lower() == word

    def _peek(self) -> _Token:
        return self.tokens[self.next]

    def _tokens(self) -> list[_Token]:
        found: list[_Token] = []
        at = 0
        while match := _TOKEN.match(self.text, at):
            kind = match.lastgroup or "bad"
            text = match[kind]
            if kind == "quoted":
                text = re.sub(r"\\(.)", r"\1", text)
            found.append(_Token(kind, text, match.end() - len(match[0].lstrip())))
            at = match.end()
        found.append(_Token("end", "", len(self.text)))
        return found

    def _refuse(self, why: str, fix: str = "") -> NoReturn:
        error = BadRule(why, where=self.where, fix=fix)
        error.picture = f"  {self.text}\n  {' ' * self._peek().at}^"
        raise error
