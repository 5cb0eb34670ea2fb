"""Segment rules: read, written and read again; every mistake points at its place."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailout.core.errors import MailoutError
from mailout.core.segment import (
    And,
    BadRule,
    Comparison,
    Everyone,
    History,
    JoinedBy,
    Kind,
    Not,
    Or,
    Other,
    Rule,
    Vocabulary,
    day,
    in_words,
    own_field,
    parse,
    resolved,
    written,
)
from mailout.core.spelling import composed

VOCABULARY = Vocabulary(
    {
        "branch": own_field(Kind.CHOICE, ("Harbour", "Rail", "day and night")),
        "skills": own_field(Kind.CHOICES, ("print", "translate", "Übersetzen")),
        "age": own_field(Kind.NUMBER),
        "since": own_field(Kind.DATE),
        "delegate": own_field(Kind.YES_NO),
        "workplace": own_field(Kind.TEXT),
    },
    ("bulletin", "press"),
)

# Control characters stand in no value; anything else may, in quotes.
_text = (
    st.text(max_size=12)
    .filter(lambda text: all(unicodedata.category(letter) != "Cc" for letter in text))
    .map(composed)
)
_lower = _text.map(str.lower).map(composed).map(str.lower)
# As each is kept: no blank at an end, and nothing that parts one from the next.
_tag = _lower.map(lambda text: re.sub("[,;]", "", text).strip()).filter(bool)
_trimmed = _text.map(str.strip)
_date = (
    st.dates().map(lambda day: day.isoformat())
    | st.sampled_from(["today", "1 day ago", "30 days ago", "2 weeks ago", "18 months ago"])
    | st.integers(2, 9999).map(lambda number: f"{number} years ago")
)
_number = st.integers(-999, 999).map(str) | st.sampled_from(["0.5", "-12.25", "100000.000000001"])
_by_field = {
    "tag": _tag,
    "list": st.sampled_from(["bulletin", "press"]),
    "language": st.sampled_from(["ru", "kk", "pt-br", "en"]),
    "country": st.sampled_from(["DE", "KZ", "RU"]),
    "name": _trimmed,
    "domain": _lower.filter(str.isascii).map(str.strip),
    "joined": _date,
    "branch": st.sampled_from(VOCABULARY.fields["branch"].choices),
    "skills": st.sampled_from(VOCABULARY.fields["skills"].choices),
    "age": _number,
    "since": _date,
    "delegate": st.sampled_from(["yes", "no"]),
    "workplace": _trimmed,
}


def _comparisons() -> st.SearchStrategy[Rule]:
    def of(name: str) -> st.SearchStrategy[Rule]:
        field = VOCABULARY.field(name)
        assert field is not None
        own = field.kind if name in VOCABULARY.fields else None
        operators = ["=", "<", "<=", ">", ">="] if field.kind.is_ordered else ["="]
        if field.kind.is_text:
            operators.append("contains")
        found: st.SearchStrategy[Rule] = st.builds(
            lambda op, value: Comparison(name, op, (value,), own),
            st.sampled_from(operators),
            _by_field[name],
        )
        found |= st.lists(_by_field[name], min_size=1, max_size=4).map(
            lambda values: Comparison(name, "in", tuple(values), own)
        )
        if not field.kind.is_never_empty:
            found |= st.just(Comparison(name, "empty", (), own))
        return found

    return st.sampled_from(sorted(_by_field)).flatmap(of)


_histories = st.builds(
    lambda what, which: History(what, *which),
    st.sampled_from(["received", "bounced", "replied"]),
    st.just(("", 0))
    | st.integers(1, 1000).map(lambda number: ("", number))
    | _text.filter(bool).map(lambda name: (name, 0))
    | st.sampled_from([("last", 0), ("any", 0), ("2026-11-20-bulletin", 0)]),
)
_rules: st.SearchStrategy[Rule] = st.recursive(
    _comparisons()
    | _histories
    | st.just(Everyone())
    | _text.map(Other)
    | (_text.filter(str.strip) | st.just("import")).map(JoinedBy),
    lambda inner: (
        inner.map(Not)
        | st.lists(inner, min_size=2, max_size=3).map(lambda parts: And(tuple(parts)))
        | st.lists(inner, min_size=2, max_size=3).map(lambda parts: Or(tuple(parts)))
    ),
    max_leaves=12,
)


@settings(max_examples=600)
@given(_rules)
def test_what_is_written_is_read_back(rule: Rule) -> None:
    assert parse(written(rule), vocabulary=VOCABULARY) == rule
    assert in_words(rule)


_WORDS = [
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
    "list",
    "press",
    "is",
    "empty",
    "contains",
    "everyone",
    "segment",
    "joined",
    "by",
    "import",
    "30",
    "days",
    "ago",
    "today",
    "received",
    "bounced",
    "replied",
    "last",
    "3",
    "issues",
    "issue",
    "any",
    "age",
    "12",
    "branch",
    "rail",
    "delegate",
    "yes",
    "skills",
    "since",
    "2026-01-01",
    ">",
    "!=",
    "name",
    "Анна",
    "\\",
    "\n",
    "\x00",
]


@settings(max_examples=1000)
@given(st.text(max_size=60) | st.lists(st.sampled_from(_WORDS), max_size=14).map(" ".join))
def test_any_text_is_a_rule_or_a_clear_refusal(text: str) -> None:
    try:
        rule = parse(text, "lists/bulletin.toml:7", VOCABULARY)
    except BadRule as error:
        assert error.where == "lists/bulletin.toml:7"
        assert error.line >= 1 and error.column >= 1
        first, shown, caret, *_ = str(error).split("\n")
        assert first.startswith("lists/bulletin.toml:7, ") and caret.endswith("^")
        assert shown.isprintable()
        return
    assert parse(written(rule), vocabulary=VOCABULARY) == rule


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
    assert parse("joined > 1 Week AGO") == Comparison("joined", ">", ("1 week ago",))
    assert parse("joined >= 30 day ago") == Comparison("joined", ">=", ("30 days ago",))
    assert parse("name not contains anna") == Not(Comparison("name", "contains", ("anna",)))
    assert parse("country is not empty") == Not(Comparison("country", "empty", ()))
    assert parse("not received( last 3 issues )") == Not(History("received", last=3))
    assert parse("bounced(last issue)") == parse("bounced(last 1 issues)")
    assert parse("replied(any issue)") == History("replied")
    assert parse('received("last")') == History("received", issue="last")
    assert parse("joined by import and joined > today") == And(
        (JoinedBy("import"), Comparison("joined", ">", ("today",)))
    )


def test_a_way_of_joining_is_told_from_a_source() -> None:
    assert parse(written(JoinedBy("imprt"))) == JoinedBy("imprt")
    assert parse("joined by sheet") == JoinedBy("sheet")
    assert parse("joined by import:a.csv") == JoinedBy("import:a.csv")


def test_values_have_no_blank_at_an_end_as_what_is_kept_has_none() -> None:
    assert parse('tag in ("unions ", " press")') == Comparison("tag", "in", ("unions", "press"))
    assert parse('name = " Anna "') == Comparison("name", "=", ("Anna",))
    assert parse('domain = "example.org "') == Comparison("domain", "=", ("example.org",))
    assert parse(written(Comparison("tag", "=", ("'s",)))) == Comparison("tag", "=", ("'s",))
    assert parse("name = O'Neil") == Comparison("name", "=", ("O'Neil",))
    assert parse('name contains "a "') == Comparison("name", "contains", ("a ",))


def test_fields_of_the_list() -> None:
    def read(text: str) -> Rule:
        return parse(text, vocabulary=VOCABULARY)

    assert read("branch = HARBOUR") == Comparison("branch", "=", ("Harbour",), Kind.CHOICE)
    assert read("skills in (übersetzen, print)") == Comparison(
        "skills", "in", ("Übersetzen", "print"), Kind.CHOICES
    )
    assert read("delegate = Yes") == Comparison("delegate", "=", ("yes",), Kind.YES_NO)
    assert read("age >= 27.5") == Comparison("age", ">=", ("27.5",), Kind.NUMBER)
    assert read("since < 2 years ago") == Comparison("since", "<", ("2 years ago",), Kind.DATE)


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
        ("country = EN", "EN", "not a country code"),
        ("not country in (DE, uk)", "uk", "Write `GB`"),
        ("joined > yesterday", "yesterday", "YYYY-MM-DD"),
        ("joined > 2026-02-30", "2026-02-30", "not a date"),
        ("(tag = a", "", "`)` was expected"),
        ("tag in (a, b", "", "`)` was expected"),
        ("tag in ()", ")", "was expected"),
        ("not", "", "a field was expected"),
        ("segment and", "and", "the name of a segment"),
        ('tag = "open', '"open', "quote is never closed"),
        ('tag in (a, "b)', '"b)', "quote is never closed"),
        ("segment unoins", "unoins", "Did you mean `unions`"),
        ("not segment Unions", "Unions", "Did you mean `unions`"),
        ("joined > unions", "unions", "`unions` is not a date"),
        ("joined > 30 dayz ago", "dayz ago", "Did you mean `days`"),
        ("joined > some days ago", "some days", "not a number of days"),
        ("since = rail", "rail", "not a date"),
        ("age > old", "old", "not a number"),
        ("age = 1e5", "1e5", "not a number"),
        ("delegate = maybe", "maybe", "neither yes nor no"),
        ("delegate > yes", "> yes", "no order"),
        ("branch = raill", "raill", "Did you mean `Rail`"),
        ("brench = rail", "brench", "Did you mean `branch`"),
        ("branch contains rail", "contains", "is no text"),
        ("list = pres", "pres", "Did you mean `press`"),
        ("list is empty", "list is", "never empty"),
        ("joined is not empty", "joined is", "never empty"),
        ("recieved(last issue)", "recieved", "Did you mean `received`"),
        ("received = w47", "= w47", "`(` was expected"),
        ("received(last issues)", "issues", "a number of issues"),
        ("received(last 0 issues)", "0 issues", "from 1 to 1000"),
        ("received(last 3 weeks)", "weeks", "`issues` was expected"),
        ("received()", ")", "an issue, `last 3 issues` or `any issue`"),
        ("joined by", "", "a way such as `import`"),
        ('joined by "  "', '"  "', "has a name"),
        ("language is", "", "`empty` was expected"),
        ("not domain = @example.org", "@example.org", "what stands after the @ alone"),
        ("domain = anna@example.org", "anna@example.org", "is not a domain"),
        ("tag = a or unions", "unions", "`unions` is a segment"),
        ("tag = 'unions'", "'unions'", 'Write `"unions"`'),
        ("tag in (a, “b c”)", "“b c”", 'Write `"b c"`'),
        ("name = „Anna Weiss“ and tag = b", "„Anna", 'Write `"Anna Weiss"`'),
        ("language is ru", "ru", "`language = ..` or `language in (..)`"),
        ("tag is not in (a, b)", "in (a", "`tag != ..` or `tag not in (..)`"),
        ("tag not = a", "= a", "Write `tag != ..`"),
        ("joined by imprt", "imprt", "Did you mean `import`? Put it in quotes"),
        ("not joined by From", "From", "Did you mean `form`? Put it in quotes"),
        ("tag == unions", "== unions", "Write `=`"),
        ("tag <> unions", "<> unions", "Write `!=`"),
        ("age =< 2", "=< 2", "Write `<=`"),
        ("age => 2", "=> 2", "Write `>=`"),
        ("tag = a && tag = b", "&& tag", "Write `and`"),
        ("(tag = a || tag = b)", "|| tag", "Write `or`"),
        ("! (tag = a)", "! (", "Write `not`"),
        ("tag = wow!", "!", 'Write `"wow!"`'),
        ("age > 2,5", ",5", "Write `2.5`"),
        ("tag = a, b", ", b", "Write them as `in (one, other)`"),
        ("tag != a, b", ", b", "Write them as `not in (one, other)`"),
        ("received(w47, w48)", ", w48", "Write `received(one) or received(other)`"),
        ('tag = " "', '" "', "Write `tag is empty`"),
        ('tag = "a, b"', '"a, b"', "Write `tag in (one, other)`"),
    ],
)
def test_the_caret_stands_under_the_mistake(text: str, under: str, says: str) -> None:
    with pytest.raises(BadRule) as caught:
        parse(text, "here", replace(VOCABULARY, segments=frozenset({"unions", "journalists"})))
    message = str(caught.value)
    assert says in message
    first, shown, caret, *_ = message.split("\n")
    assert first.startswith(f"here, column {caught.value.column}: ")
    assert shown[2:] == text
    assert caret.index("^") - 2 == caught.value.column - 1
    assert text[caret.index("^") - 2 :].startswith(under)
    if not under:
        assert caret.index("^") - 2 >= len(text.rstrip())


def test_letters_in_two_pieces_are_those_in_one() -> None:
    two, one = "профсоюзны\u0438\u0306", "профсоюзны\u0439"
    assert parse(f"tag = {two}") == parse(f"tag = {one}")
    assert parse(f'name contains "{two}"') == Comparison("name", "contains", (one,))
    skills = "U\u0308bersetzen"
    assert parse(f"skills = {skills}", "", VOCABULARY) == parse(
        "skills = Übersetzen", "", VOCABULARY
    )


def test_a_rule_of_several_lines_names_the_line_and_shows_that_alone() -> None:
    with pytest.raises(BadRule) as caught:
        parse("tag = unions\n  and contry = DE\nor everyone", "lists/b.toml:9")
    assert str(caught.value) == (
        "lists/b.toml:9, line 2 of the rule, column 7: `contry` is no field\n"
        "    and contry = DE\n"
        "        ^\n"
        "Did you mean `country`?"
    )


def test_a_long_rule_is_shown_around_the_place() -> None:
    with pytest.raises(BadRule) as caught:
        parse("tag = a and " * 40 + "contry = DE" + " or tag = b" * 40)
    shown, caret = caught.value.picture.split("\n")
    assert len(shown) < 80
    assert shown[caret.index("^") :].startswith("contry")


def test_what_harms_a_terminal_is_not_shown() -> None:
    with pytest.raises(BadRule) as caught:
        parse('name = "\x1b[2J"')
    assert "\x1b" not in str(caught.value) and "control character" in str(caught.value)


def test_brackets_have_a_depth_and_a_size() -> None:
    with pytest.raises(BadRule, match="50"):
        parse("(" * 60 + "everyone" + ")" * 60)
    with pytest.raises(BadRule, match="50"):
        parse("not " * 5000 + "everyone")
    with pytest.raises(BadRule, match="500 values"):
        parse(f"tag in ({', '.join('ab' for _ in range(501))})")


def test_other_segments_are_put_in() -> None:
    rules = {name: parse(text) for name, text in {
        "near": "segment ru and tag = unions", "ru": "language = ru",
        "loop": "segment pool", "pool": "not segment loop",
    }.items()}  # fmt: skip
    assert resolved(parse("not segment near"), rules.__getitem__) == Not(
        And((parse("language = ru"), parse("tag = unions")))
    )
    with pytest.raises(MailoutError, match="in a circle: loop -> pool -> loop"):
        resolved(parse("segment loop"), rules.__getitem__)
    with pytest.raises(MailoutError, match="in a circle: loop -> pool -> loop"):
        resolved(rules["loop"], rules.__getitem__, ("loop",))


def test_rules_that_double_each_other_end() -> None:
    def find(name: str) -> Rule:
        return parse(f"segment {int(name) + 1} or segment {int(name) + 1}")

    with pytest.raises(MailoutError, match="more than"):
        resolved(parse("segment 0"), lambda name: find(name) if int(name) < 40 else Everyone())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("today", "2026-03-31"),
        ("1 day ago", "2026-03-30"),
        ("2 weeks ago", "2026-03-17"),
        ("1 month ago", "2026-02-28"),
        ("13 months ago", "2025-02-28"),
        ("2 years ago", "2024-03-31"),
        ("9999 years ago", "0001-01-01"),
        ("9999 weeks ago", "1834-08-12"),
        ("2026-01-01", "2026-01-01"),
    ],
)
def test_days(value: str, expected: str) -> None:
    assert day(value, date(2026, 3, 31)).isoformat() == expected
