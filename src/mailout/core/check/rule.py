"""Rules: an id that stays, how grave a breach is, and a function that finds breaches."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from mailout.core.check.letter import Letter


class Severity(StrEnum):
    """What `mailout send` does about it: refuses, wants `--accept ID`, or only says it."""

    REFUSE = "refuse"
    WARN = "warn"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Fault:
    """One breach of a rule: what is wrong and what to do. `clue` is the text to look for in the
    posts, to say in which line it is. `severity` is set where this one is not as grave as the
    rule, or graver."""

    what: str
    fix: str = ""
    clue: str = ""
    severity: Severity | None = None


Search = Callable[[Letter], Iterable[Fault]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of docs/checks.md; `eased` says that it only notes on a site of this machine."""

    id: str
    severity: Severity
    demand: str
    search: Search
    eased: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """A breach of a rule in a message, or in what surrounds it (`where` and `language` may be
    empty)."""

    rule: str
    severity: Severity
    what: str
    fix: str = ""
    language: str = ""
    clue: str = ""
    where: str = ""


_RULES: dict[str, Rule] = {}  # filled as the modules of the rules are imported


def rule(
    id: str, severity: Severity, demand: str, *, eased: bool = False
) -> Callable[[Search], Search]:
    """Registers a search under its id."""

    def register(search: Search) -> Search:
        assert id not in _RULES, id  # noqa: S101 - two rules of one id are a mistake of ours
        _RULES[id] = Rule(id, severity, demand, search, eased)
        return search

    return register


def rules_of_messages() -> list[Rule]:
    """All rules that look at a message, in the order of their ids."""
    from mailout.core.check import document, headers, links, looks, structure, words

    _ = (document, headers, links, looks, structure, words)  # importing registers their rules
    return sorted(_RULES.values(), key=lambda rule: rule.id)


def check(letter: Letter) -> list[Finding]:
    """What is wrong with the message, in the order of the rules' ids."""
    found = []
    for one in rules_of_messages():
        if one.id.startswith("B") and not letter.expected.has_html:
            continue
        for fault in one.search(letter):
            severity = fault.severity or one.severity
            if one.eased and letter.expected.is_loopback and fault.severity is None:
                severity = Severity.NOTE
            language = letter.expected.language
            # A finding is read by people and kept in logs: it must not hold a way off the list.
            what, clue = (
                text.replace(letter.expected.token, "(token)") for text in (fault.what, fault.clue)
            )
            found.append(Finding(one.id, severity, what, fault.fix, language, clue))
    return found
