"""Segment rules: read, written and read again; every mistake points at its place."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailout.core.segment import (
    And,
    BadRule,
    Comparison,
    Everyone,
    Not,
    Or,
    Other,
    Rule,
    parse,
    written,
)

# A rule stands on one line; its quoted values hold anything but a line break.
_text = (
    st.text(max_size=12)
    .filter(lambda text: len(text.splitlines()) < 2)
    .filter(lambda text: not re.search("[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]", text))
)
_lower = _text.map(str.lower)
_date = st.dates().map(lambda day: day.isoformat())
_country = st.sampled_from(["DE", "KZ", "RU"])
_language = st.sampled_from(["ru", "kk", "pt-br", "en"])
_by_field = {
    "tag": _lower,
    "language": _language,
    "country": _country,
    "name": _text,
    "domain": _lower.filter(str.isascii),
    "joined": _date,
}


def _comparisons() -> st.SearchStrategy[Rule]:
    def of(field: str) -> st.SearchStrategy[Rule]:
        value = _by_field[field]
        operators = ["=", "<", "<=", ">", ">="] if field == "joined" else ["="]
        one = st.builds(
            lambda op, v: Comparison(field, op, (v,)), st.sampled_from(operators), value
        )
        several = st.lists(value, min_size=1, max_size=4).map(
            lambda values: Comparison(field, "in", tuple(values))
        )
        return one | several

    return st.sampled_from(sorted(_by_field)).flatmap(of)


_rules: st.SearchStrategy[Rule] = st.recursive(
    _comparisons() | st.just(Everyone()) | _text.map(Other),
    lambda inner: (
        inner.map(Not)
        | st.lists(inner, min_size=2, max_size=3).map(lambda parts: And(tuple(parts)))
        | st.lists(inner, min_size=2, max_size=3).map(lambda parts: Or(tuple(parts)))
    ),
    max_leaves=12,
)


@settings(max_examples=400)
@given(_rules)
def test_what_is_written_is_read_back(rule: Rule) -> None:
    assert parse(written(rule)) == rule


@settings(max_examples=400)
@given(
    st.text(max_size=60)
    | st.lists(
        st.sampled_from(
            [
                "tag",
                "=",
                "unions",
                "and",
                "or",
                "not",
                "(",
                ")",
                "in",
                ",",
                '"',
                "language",
                "kz",
                "<",
            ]
        ),
        max_size=12,
    ).map(" ".join)
)
def test_any_text_is_a_rule_or_a_clear_refusal(text: str) -> None:
    try:
        rule = parse(text, "lists/bulletin.toml:7")
    except BadRule as error:
        assert error.where == "lists/bulletin.toml:7"
        return
    assert parse(written(rule)) == rule


def test_and_binds_tighter_than_or() -> None:
    a, b, c = (Comparison("tag", "=", (name,)) for name in "abc")
    assert parse("tag = a or tag = b and tag = c") == Or((a, And((b, c))))
    assert parse("(tag = a or tag = b) and tag = c") == And((Or((a, b)), c))
    assert parse("not tag = a and tag = b") == And((Not(a), b))


def test_spellings() -> None:
    assert parse("TAG = Unions") == Comparison("tag", "=", ("unions",))
    assert parse("country != de") == Not(Comparison("country", "=", ("DE",)))
    assert parse("language not in (RU, pt_BR)") == Not(
        Comparison("language", "in", ("ru", "pt-br"))
    )
    assert parse('name = "Anna \\"A\\" and"') == Comparison("name", "=", ('Anna "A" and',))
    assert parse("segment unions\n and everyone") == And((Other("unions"), Everyone()))


@pytest.mark.parametrize(
    ("text", "under", "says"),
    [
        ("tga = unions", "tga", "Did you mean `tag`"),
        ("tag unions", "unions", "`in` was expected"),
        ("tag = ", "", "a tag of the person was expected"),
        ("tag = unions or", "", "a field was expected"),
        ("tag = a tag = b", "tag = b", "`and`, `or` or the end"),
        ("tag > unions", "> unions", "no order"),
        ("language = kz", "kz", "Write `kk`"),
        ("language = russian", "russian", "not a language code"),
        ("country = Germany", "Germany", "not a country code"),
        ("joined > yesterday", "yesterday", "YYYY-MM-DD"),
        ("joined > 2026-02-30", "2026-02-30", "not a date"),
        ("(tag = a", "", "`)` was expected"),
        ("tag in (a, b", "", "`)` was expected"),
        ("tag in ()", ")", "was expected"),
        ("not", "", "a field was expected"),
        ("segment and", "and", "the name of a segment"),
        ('tag = "open', '"open', "was expected"),
    ],
)
def test_the_caret_stands_under_the_mistake(text: str, under: str, says: str) -> None:
    with pytest.raises(BadRule) as caught:
        parse(text, "here")
    message = str(caught.value)
    assert says in message
    _, shown, caret, *_ = message.split("\n")
    assert shown[2:] == text
    assert text[caret.index("^") - 2 :].startswith(under)
    if not under:
        assert caret.index("^") - 2 >= len(text.rstrip())


def test_brackets_have_a_depth() -> None:
    with pytest.raises(BadRule, match="50"):
        parse("(" * 60 + "everyone" + ")" * 60)
    with pytest.raises(BadRule, match="50"):
        parse("not " * 5000 + "everyone")
