"""Rules written down: as text that is read back to the same rule, and in plain words."""

from __future__ import annotations

import re

from mailout.core.segment.fields import KEYWORDS, Kind, near_way
from mailout.core.segment.rule import (
    And,
    Comparison,
    Everyone,
    History,
    JoinedBy,
    Not,
    Or,
    Other,
    Rule,
)
from mailout.core.segment.tokens import OTHER_QUOTES
from mailout.core.segment.values import is_relative

_PLAIN_WORD = re.compile(r"[^\s()<>=!,\"\\]+")
_SPECIAL = KEYWORDS | {"any", "last"}  # where an issue is named, these two mean something


def written(rule: Rule) -> str:
    """The rule as text that `parse` reads back to the same rule."""
    match rule:
        case Everyone():
            return "everyone"
        case Other(name):
            return f"segment {_value(name)}"
        case JoinedBy(source):
            return f"joined by {_quoted(source) if near_way(source) else _value(source)}"
        case History(what, issue, last):
            return f"{what}({_issues(issue, last)})"
        case Comparison():
            return _comparison(rule)
        case Not(part):
            return f"not {_bracketed(part)}"
        case And(parts):
            return " and ".join(map(_bracketed, parts))
        case Or(parts):
            return " or ".join(map(_bracketed, parts))


def _comparison(rule: Comparison) -> str:
    if rule.op == "empty":
        return f"{rule.field} is empty"
    values = [_value_of(rule.kind, value) for value in rule.values]
    if rule.op == "in":
        return f"{rule.field} in ({', '.join(values)})"
    return f"{rule.field} {rule.op} {values[0]}"


def _issues(issue: str, last: int) -> str:
    if last:
        return "last issue" if last == 1 else f"last {last} issues"
    return _value(issue) if issue else "any issue"


def _bracketed(rule: Rule) -> str:
    return f"({written(rule)})" if isinstance(rule, (And, Or)) else written(rule)


def _value_of(kind: Kind, value: str) -> str:
    return value if kind.is_day and is_relative(value) else _value(value)


def _value(text: str) -> str:
    if _PLAIN_WORD.fullmatch(text) and text.lower() not in _SPECIAL and text[0] not in OTHER_QUOTES:
        return text
    return _quoted(text)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


_HISTORY = {
    "received": ("got", "did not get"),
    "bounced": ("could not be reached with", "did not fail to be reached with"),
    "replied": ("answered", "did not answer"),
}
_WAYS = {
    "import": "came on the list by an import",
    "hand": "were put on the list by hand",
    "form": "signed up by a form",
}
_ORDER = {"<": "below", "<=": "at most", ">": "above", ">=": "at least"}
_DAYS = {"=": "on", "<": "before", "<=": "on or before", ">": "after", ">=": "on or after"}


def in_words(rule: Rule) -> str:
    """What the rule says of people, as a part of a sentence: `have the tag unions, and ..`."""
    match rule:
        case Everyone():
            return "are on the list"
        case Other(name):
            return f"are in the segment {name}"
        case JoinedBy(source):
            return _WAYS.get(source.lower(), f"came on the list by {source}")
        case History(what):
            return f"{_HISTORY[what][0]} {_issues_in_words(rule)}"
        case Comparison():
            return _compared_in_words(rule)
        case Not(part):
            return _negated(part)
        case And(parts):
            return ", and ".join(map(_phrase, parts))
        case Or(parts):
            return ", or ".join(map(_phrase, parts))


def _phrase(rule: Rule) -> str:
    return f"({in_words(rule)})" if isinstance(rule, (And, Or)) else in_words(rule)


def _negated(part: Rule) -> str:
    match part:
        case Everyone():
            return "are not on the list (nobody)"
        case Other(name):
            return f"are not in the segment {name}"
        case History(what):
            return f"{_HISTORY[what][1]} {_issues_in_words(part)}"
        case Comparison(op="empty"):
            return f"have {_a(part.field)}"
        case Comparison(op="=" | "in", field="tag"):
            return f"have not the tag {_either(part.values)}"
        case Comparison(op="=" | "in", field="list"):
            return f"are not on the list {_either(part.values)}"
        case _:
            return f"it is not so that they {_phrase(part)}"


def _issues_in_words(rule: History) -> str:
    if rule.issue:
        return f"the issue {rule.issue}"
    if rule.last == 1:
        return "the last issue of the list"
    return f"any of the last {rule.last} issues of the list" if rule.last else "any issue of it"


def _compared_in_words(rule: Comparison) -> str:
    if rule.op == "empty":
        return f"have no {rule.field}"
    values = _either(rule.values)
    match rule.kind:
        case Kind.TAGS:
            return f"have the tag {values}"
        case Kind.LISTS:
            return f"are on the list {values} too"
        case Kind.JOINED:
            return f"joined {_DAYS.get(rule.op, 'on')} {values}"
        case Kind.DATE:
            return f"have {_a(rule.field)} {_DAYS.get(rule.op, 'on')} {values}"
        case Kind.DOMAIN:
            return f"have an address at {values}"
        case Kind.CHOICES:
            return f"have {values} among their {rule.field}"
        case _ if rule.op == "contains":
            return f"have {values} in their {rule.field}"
        case _ if rule.op in _ORDER:
            return f"have {_a(rule.field)} {_ORDER[rule.op]} {values}"
        case _:
            return f"have the {rule.field} {values}"


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _either(values: tuple[str, ...]) -> str:
    """The values in one phrase: `ru`, or `ru or kk`."""
    shown = [value or "(empty)" for value in values]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} or {shown[-1]}"
