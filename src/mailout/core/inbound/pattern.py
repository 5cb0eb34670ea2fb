r"""Patterns of rules: regular expressions that cannot go on without end, and what they must find.

A pattern may have letters, `.`, classes, groups, `|`, `?`, `{0,40}`, `^`, `$`, `\b` and looking
ahead or behind. `*`, `+` and `{3,}` are refused, and so is a pattern whose repeats could be
combined in more than `MOST_WAYS` ways. Texts have at most 1500 characters, so none keeps a
pattern busy.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass

MOST_LENGTH = 1600
MOST_WAYS = 60_000
_MOST_ROUNDS = 3  # of a group that is no plain run of words
_REPEAT = re.compile(r"\{(\d{0,4})(,?)(\d{0,4})\}")
_GROUP = re.compile(r"\((?:\?(?P<kind>:|=|!|<=|<!))?")
_CAPITAL = re.compile(r"[A-ZÀ-ÖØ-ÞА-ЯЁ]")


class BadPattern(ValueError):
    """A pattern cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class _Node:
    """One piece of a pattern with its repeat. `letter` is empty where it is not one letter."""

    letter: str = ""
    choices: tuple[tuple[_Node, ...], ...] = ()
    word: bool = False  # `\S`, `\w` or `[^\s.]`: no blank
    width: bool = True
    low: int = 1
    high: int = 1


def check(pattern: str) -> None:
    """Nothing comes back. Raises: BadPattern if it is no pattern, or could go on and on."""
    if not pattern.strip():
        raise BadPattern("the pattern is empty")
    if len(pattern) > MOST_LENGTH:
        raise BadPattern(f"the pattern has more than {MOST_LENGTH} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # `[[` may mean something else one day
            search = re.compile(pattern)
    except (re.error, OverflowError, RecursionError, Warning) as error:
        raise BadPattern(f"this is no regular expression: {error}") from None
    if search.search(""):
        raise BadPattern("the pattern matches an empty text")
    choices, _ = _parse(pattern, 0)
    if _ways(choices) > MOST_WAYS:
        raise BadPattern("its repeats can be combined in too many ways: make them smaller")


def needed(pattern: str) -> frozenset[str]:
    """Texts of which one stands in whatever the pattern matches; empty where that is not sure.

    Raises: BadPattern.
    """
    choices, _ = _parse(pattern, 0)
    return _needed(choices)


def _parse(pattern: str, at: int) -> tuple[tuple[tuple[_Node, ...], ...], int]:
    """The choices of a pattern or group from `at` on, and where it ends."""
    choices: list[tuple[_Node, ...]] = []
    nodes: list[_Node] = []
    while at < len(pattern) and pattern[at] != ")":
        if pattern[at] == "|":
            choices.append(tuple(nodes))
            nodes = []
            at += 1
            continue
        node, at = _piece(pattern, at)
        low, high, at = _repeat(pattern, at)
        nodes.append(_Node(node.letter, node.choices, node.word, node.width, low, high))
    return (*choices, tuple(nodes)), at


def _piece(pattern: str, at: int) -> tuple[_Node, int]:
    letter = pattern[at]
    if letter == "\\":
        following = pattern[at + 1]
        if following in "bB":
            return _Node(width=False), at + 2
        if following in "AZ" or following.isdigit():
            raise BadPattern(rf"`\{following}` cannot be used here")
        if following.isalpha():
            return _Node(word=following in "Swd"), at + 2
        return _Node(following), at + 2
    if letter == "[":
        end = at + 1 + (pattern[at + 1] == "^")
        end += pattern[end] == "]"
        while pattern[end] != "]":
            end += 2 if pattern[end] == "\\" else 1
        return _Node(word=pattern.startswith(r"[^\s", at)), end + 1
    if letter == "(":
        found = _GROUP.match(pattern, at)
        assert found is not None  # noqa: S101 - it begins with a bracket
        if found.end() < len(pattern) and pattern[found.end()] == "?":
            raise BadPattern(
                "of groups only `(..)`, `(?:..)` and looking ahead or behind may be used"
            )
        choices, end = _parse(pattern, found.end())
        looks = found["kind"] not in (None, ":")
        return _Node(choices=() if looks else choices, width=not looks), end + 1
    if letter in "^$":
        return _Node(width=False), at + 1
    if letter == ".":
        return _Node(), at + 1
    if _CAPITAL.match(letter):
        raise BadPattern(f"`{letter}` is a capital letter: texts are searched in lower case")
    return _Node(letter), at + 1


def _repeat(pattern: str, at: int) -> tuple[int, int, int]:
    letter = pattern[at : at + 1]
    low = high = 1
    if letter in ("*", "+"):
        raise BadPattern(f"`{letter}` has no end: write `{{0,40}}`")
    if letter == "?":
        low, at = 0, at + 1
    elif found := _REPEAT.match(pattern, at) if letter == "{" else None:
        if found[2] and not found[3]:
            raise BadPattern(f"`{found[0]}` has no end: write `{{0,40}}`")
        low, high = int(found[1] or 0), int(found[3] or found[1] or 1)
        at = found.end()
    if pattern[at : at + 1] in ("?", "+") and (high, low) != (1, 1):
        at += 1  # lazy or possessive
    return low, high, at


def _ways(choices: tuple[tuple[_Node, ...], ...]) -> int:
    """In how many ways the repeats of a pattern can end at most, roughly."""
    most = 1
    for nodes in choices:
        ways = 1
        for node in nodes:
            inner = _ways(node.choices) if node.choices else 1
            if node.high == 1 or not node.choices:
                ways *= inner * max(1, node.high)
            elif _is_words(node):
                ways *= node.high + inner
            elif node.high <= _MOST_ROUNDS:
                ways *= (inner + 1) ** node.high
            else:
                raise BadPattern(
                    f"a group can be repeated {_MOST_ROUNDS} times at most, unless it is one word "
                    r"and a blank, as `(?: \S{1,40}){0,9}`"
                )
        most = max(most, ways)
    return most


def _is_words(node: _Node) -> bool:
    r"""Whether a group is ` \S{1,40}` or `\w{1,12} `: there is one way to cut a text into words."""
    if len(node.choices) != 1 or len(node.choices[0]) != 2:
        return False
    first, second = node.choices[0]
    return (first.letter == " " and second.word) or (second.letter == " " and first.word)


def _needed(choices: tuple[tuple[_Node, ...], ...]) -> frozenset[str]:
    """Texts of which one stands in whatever matches; empty where that is not sure."""
    every: set[str] = set()
    for nodes in choices:
        best: frozenset[str] = frozenset()
        run = ""
        for node in (*nodes, _Node()):
            if node.letter and node.low == node.high == 1:
                run += node.letter
                continue
            if not node.width:
                continue
            best = _better(best, frozenset({run}) if run else frozenset())
            run = ""
            if node.choices and node.low:
                best = _better(best, _needed(node.choices))
        if not best:
            return frozenset()
        every |= best
    return frozenset(every)


def _better(one: frozenset[str], other: frozenset[str]) -> frozenset[str]:
    def worth(texts: frozenset[str]) -> tuple[int, int]:
        return (min(4, *(len(text) for text in texts)) if texts else 0, -len(texts))

    return max(one, other, key=worth)
