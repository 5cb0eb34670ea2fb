"""Fields that lists declare, as SQL: they are one JSON object a person.

Text is kept as a string, a number as one, a day as `2026-01-31`, yes and no as true and false,
a choice as a string, several as an array of them. What is of another type counts as missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Integer,
    Numeric,
    Select,
    String,
    and_,
    case,
    cast,
    column,
    false,
    func,
    literal,
    not_,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import JSON

from mailout.core.segment import Comparison, Kind
from mailout.core.spelling import folded
from mailout.store.tables import SUBSCRIBER

Day = Callable[[str], date]
"""From the value of a day in a rule to the day it means now."""

_FEW = 8  # names up to which SQLite sorts out most people before it folds their letters
_OTHERS = "kßåǆǉǌǳθσω"  # small letters of several large ones
_TYPES: dict[str, dict[str, tuple[str, ...]]] = {
    "sqlite": {"text": ("text",), "number": ("integer", "real"), "array": ("array",)},
    "postgresql": {"text": ("string",), "number": ("number",), "array": ("array",)},
}


def condition(dialect: str, rule: Comparison, day: Day) -> ColumnElement[bool]:
    """The condition on a joined subscriber that a comparison with an own field makes."""
    return func.coalesce(_matches(dialect, rule, day), false(), type_=Boolean)


def having(dialect: str, rule: Comparison, day: Day) -> Select[Any]:
    """The query for the ids of those of whom a comparison with an own field is true."""
    # Not folded to true or false, of which PostgreSQL would know no better than half and half.
    found = select(SUBSCRIBER.c.id).where(_matches(dialect, rule, day))
    if rule.op == "empty":
        return found
    return found.where(cast(_fields(), String) != "{}")  # most have none: nothing to be read then


def _matches(dialect: str, rule: Comparison, day: Day) -> ColumnElement[bool]:
    if rule.kind is Kind.CHOICES:
        return _several(dialect, rule)
    if rule.kind is Kind.YES_NO:
        truth = _truth(dialect, rule.field)
        wanted = [value == "yes" for value in rule.values]
        return truth.is_(None) if rule.op == "empty" else or_(*(truth == one for one in wanted))
    if rule.kind is Kind.NUMBER:
        number = _number(dialect, rule.field)
        return _ordered(number, rule.op, [_bound(dialect, value) for value in rule.values])
    # Compared first and then looked at for its type, which few are left to be asked for.
    kept, is_text = _plain(dialect, rule.field), _is(dialect, rule.field, "text")
    if rule.op == "empty":
        known = is_text if rule.kind is Kind.DATE else and_(is_text, kept != "")
        return not_(func.coalesce(known, false(), type_=Boolean))
    if rule.kind is Kind.DATE:
        # Days in this spelling are ordered as their bytes are.
        kept = kept.collate("C") if dialect == "postgresql" else kept
        days = [literal(day(value).isoformat()) for value in rule.values]
        return and_(_ordered(kept, rule.op, days), is_text)
    if rule.kind is Kind.TEXT:
        return and_(is_text, text(dialect, kept, rule))
    if dialect == "sqlite" and not any(value[:1] in ("[", "{") for value in rule.values):
        return kept.in_(rule.values)  # only a text is like one, or what is written in brackets
    return and_(kept.in_(rule.values), is_text)


def text(dialect: str, kept: ColumnElement[str], rule: Comparison) -> ColumnElement[bool]:
    """The comparison of a text with the values, capitals set aside in any script."""
    if dialect == "postgresql":
        letters = folded("".join(rule.values))
        values = [_folded(literal(value), letters) for value in rule.values]
        if rule.op == "contains":
            return func.strpos(_folded(kept, letters), values[0]) > 0
        return _folded(kept, letters).in_(values)
    small, in_small = [folded(value) for value in rule.values], func.folded(kept)  # of ours
    if rule.op == "contains":
        found = func.instr(in_small, small[0]) > 0
        pattern = _pattern(rule.values[0])
        if pattern.strip("_%"):
            return and_(kept.like(f"%{pattern}%", escape="\\"), found)
        return and_(kept.op("GLOB")(f"*{_in_both_sizes(small[0])}*"), found)
    same = in_small.in_(small)
    if len(rule.values) > _FEW:
        return same
    alike = [kept.like(_pattern(value), escape="\\") for value in rule.values]
    return and_(or_(*alike), same)


def _folded(text: ColumnElement[str], letters: str) -> ColumnElement[str]:
    """What `spelling.folded` makes of a text, as PostgreSQL does it, as far as it matters to who
    looks for these letters."""
    small: ColumnElement[str] = func.lower(text)
    if "σ" in letters:
        small = func.replace(small, "ς", "σ", type_=String)
    return func.replace(small, "i\u0307", "i", type_=String) if "i" in letters else small


def _pattern(value: str) -> str:
    """What SQLite's own LIKE, which knows the letters a-z alone, finds every spelling of `value`
    by: folding a million names takes it five times as long."""
    found = []
    for letter in folded(value):
        if letter == "i":  # one letter or two
            found.append("%")
        elif letter.isascii() and letter not in "k%_\\":  # there is another K, for Kelvin
            found.append(letter)
        else:
            found.append("_")
    return "".join(found)


def _in_both_sizes(small: str) -> str:
    """What SQLite's GLOB, which knows no letters at all, finds every spelling of a text by: slower
    than LIKE, and the way where there is no letter a-z."""
    found = []
    for letter in small:
        large = letter.upper()
        if letter == "i":
            found.append("*")
        elif letter in _OTHERS or "\u1f80" <= letter <= "\u1fff" or large.lower() != letter:
            found.append("?")
        else:
            found.append(f"[{letter}{large}]" if large != letter or letter in "*?[" else letter)
    return "".join(found)


def _ordered(
    kept: ColumnElement[Any], op: str, values: Sequence[ColumnElement[Any]]
) -> ColumnElement[bool]:
    if op == "empty":
        return kept.is_(None)
    if op in ("=", "in"):
        return kept.in_(values)
    by_operator: dict[str, Callable[[], ColumnElement[bool]]] = {
        "<": lambda: kept < values[0],
        "<=": lambda: kept <= values[0],
        ">": lambda: kept > values[0],
        ">=": lambda: kept >= values[0],
    }
    return by_operator[op]()


def _several(dialect: str, rule: Comparison) -> ColumnElement[bool]:
    """Whether one of the values is in an array."""
    if dialect == "sqlite":
        whole: ColumnElement[Any] = func.json_extract(_fields(), _path(rule.field))
        each: Any = func.json_each
    else:
        whole = func.json_extract_path(_fields(), rule.field, type_=JSON)
        each = func.json_array_elements_text
    array = case((_is(dialect, rule.field, "array"), whole), else_=_empty_array(dialect))
    if rule.op == "empty":
        return func.json_array_length(array, type_=Integer) == 0
    entries = each(array).table_valued(column("value", String), name="entry")
    found = select(1).select_from(entries).where(entries.c.value.in_(rule.values))
    return found.correlate(SUBSCRIBER).exists()


def _empty_array(dialect: str) -> ColumnElement[Any]:
    return literal("[]") if dialect == "sqlite" else cast(literal("[]", String), JSON)


def _fields() -> ColumnElement[Any]:
    return SUBSCRIBER.c.fields


def _path(name: str) -> str:
    return f'$."{name}"'


def _is(dialect: str, name: str, what: str) -> ColumnElement[bool]:
    if dialect == "sqlite":
        found = func.json_type(_fields(), _path(name), type_=String)
    else:
        inner = func.json_extract_path(_fields(), name, type_=JSON)
        found = func.json_typeof(inner, type_=String)
    return found.in_(_TYPES[dialect][what])


def _number(dialect: str, name: str) -> ColumnElement[Any]:
    found: ColumnElement[Any]
    if dialect == "sqlite":
        found = func.json_extract(_fields(), _path(name))
    else:
        found = cast(_plain(dialect, name), Numeric)
    return case((_is(dialect, name, "number"), found))


def _bound(dialect: str, value: str) -> ColumnElement[Any]:
    if dialect == "sqlite":
        return literal(float(value) if "." in value else int(value))
    return literal(Decimal(value), Numeric)


def _truth(dialect: str, name: str) -> ColumnElement[Any]:
    kept: ColumnElement[str]
    if dialect == "sqlite":
        kept = func.json_type(_fields(), _path(name), type_=String)
    else:
        inner = func.json_extract_path(_fields(), name, type_=JSON)
        is_truth = func.json_typeof(inner, type_=String) == "boolean"
        kept = case((is_truth, _plain(dialect, name)))
    return case((kept == "true", True), (kept == "false", False))


def _plain(dialect: str, name: str) -> ColumnElement[str]:
    if dialect == "sqlite":
        return func.json_extract(_fields(), _path(name), type_=String)
    return func.json_extract_path_text(_fields(), name, type_=String)
