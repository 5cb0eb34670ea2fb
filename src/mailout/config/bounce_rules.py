"""Bounce rules: those of the package, and before them a site's own `bounce-rules.toml`.

Standards: TOML 1.0.
"""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import ClassVar

from mailout.config import toml
from mailout.core.errors import BadFile, place
from mailout.core.inbound.category import Category, Kind
from mailout.core.inbound.pattern import BadPattern, check
from mailout.core.inbound.rules import Place, Rule, Rules, Sign, compile_rules, normal

FILE = "bounce-rules.toml"
_FOLDER = files("mailout.core.inbound") / "rules"


@dataclass(frozen=True, slots=True)
class _Written:
    """A file of rules as it is written."""

    __pydantic_config__: ClassVar = {"extra": "forbid"}
    rules: tuple[Rule, ...] = ()
    signs: tuple[Sign, ...] = ()


@cache
def package_rules() -> tuple[tuple[Rule, ...], tuple[Sign, ...]]:
    """The rules and signs that come with the program, in the order of their files."""
    rules: list[Rule] = []
    signs: list[Sign] = []
    for entry in sorted(_FOLDER.iterdir(), key=lambda one: one.name):
        if entry.name.endswith(".toml"):
            values = tomllib.loads(entry.read_text(encoding="utf-8"))
            for rule in values.get("rules", ()):
                rules.append(Rule(**{**rule, "category": Category(rule["category"])}))
            for sign in values.get("signs", ()):
                kinds = {"kind": Kind(sign["kind"]), "place": Place(sign["place"])}
                signs.append(Sign(**{**sign, **kinds}))
    return tuple(rules), tuple(signs)


@cache
def standard_rules() -> Rules:
    """The program's own rules, ready to be asked."""
    return compile_rules(*package_rules())


def read_rules(root: Path) -> Rules:
    """The rules of a site: those of its `bounce-rules.toml`, if it has one, before all others.

    Raises: BadFile naming the line, and what is wrong with a pattern.
    """
    path = root / FILE
    if not path.is_file():
        return standard_rules()
    values, source = toml.read(path, FILE)
    written = toml.check(_Written, values, source, FILE)
    for number, rule in enumerate(written.rules):
        _check(rule, source, ("rules", str(number)))
    for number, sign in enumerate(written.signs):
        _check(sign, source, ("signs", str(number)))
    rules, signs = package_rules()
    return compile_rules(rules, (*written.signs, *signs), first=written.rules)


def _check(one: Rule | Sign, source: str, table: tuple[str, ...]) -> None:
    def mistake(key: str, what: str, fix: str = "") -> BadFile:
        return BadFile(what, where=place(FILE, toml.line_of(source, (*table, key))), fix=fix)

    shown = one.pattern[:80]
    try:
        check(one.pattern)
    except BadPattern as error:
        raise mistake("pattern", f"the pattern `{shown}`: {error}") from None
    if not re.search(one.pattern, normal(one.example)):
        raise mistake(
            "pattern",
            f"the pattern `{shown}` does not match its own example",
            f"It is searched in `{normal(one.example)[:120]}`.",
        )
    try:
        dt.date.fromisoformat(one.since)
    except ValueError:
        raise mistake(
            "since", f"`since` is no day: `{one.since}`", 'Write it as "2026-11-26".'
        ) from None
