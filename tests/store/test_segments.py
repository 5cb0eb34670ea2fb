"""Segment rules against people in both databases: SQL says what the rule says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailout.core.address import Address
from mailout.core.errors import MailoutError
from mailout.core.segment import And, Comparison, Everyone, Not, Or, Other, Rule, parse
from mailout.core.subscription import SubscriptionState
from mailout.store import people, roster
from mailout.store.engine import Store
from mailout.store.segments import condition
from newcomers import LONG_AGO

KEY = b"k" * 32
JOINED = datetime(2026, 3, 1, 12, tzinfo=UTC)

# address, name, language, country, tags, days after JOINED
PEOPLE = [
    ("anna@example.org", "Anna", "de", "DE", {"unions", "sponsors"}, 0),
    ("boris@example.org", "Борис Ёлкин", "ru", "RU", {"unions"}, 1),
    ("dana@mail.example.net", "Dana", "kk", "KZ", {"journalists"}, 2),
    ("egon@EXAMPLE.org", "", "", "", set(), 3),
    ("инфо@письмо.рф", "O'Brien; DROP TABLE", "ru", "KZ", {"a b", "unions"}, 4),
]


def none(name: str) -> Rule:
    raise MailoutError(f"no segment {name}")


@pytest.fixture
def peopled(store: Store) -> Store:
    with store.writing() as tx:
        for typed, name, language, country, tags, days in PEOPLE:
            address = Address.parse(typed)
            key = address.key(KEY)
            person = roster.NewPerson(typed, key, address.domain, name, language, country)
            (id_,) = roster.add_people(tx, [person], LONG_AGO).values()
            roster.add_tags(tx, {id_: tags})
            member = roster.NewSubscription(id_, SubscriptionState.ACTIVE, key[:22])
            roster.add_subscriptions(tx, "bulletin", [member], JOINED + timedelta(days=days))
    return store


def matching(store: Store, rule: Rule, find: object = none) -> list[str]:
    with store.reading() as tx:
        where = condition(rule, find)  # type: ignore[arg-type]
        found = people.page(tx, where, list_id="bulletin")
        assert roster.count(tx, where, "bulletin") == len(found)
    return [person.address.partition("@")[0] for person in found]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("everyone", ["anna", "boris", "dana", "egon", "инфо"]),
        ("tag = unions", ["anna", "boris", "инфо"]),
        ("tag = UNIONS and not tag = sponsors", ["boris", "инфо"]),
        ("tag != unions", ["dana", "egon"]),
        ('tag = "a b"', ["инфо"]),
        ("tag in (sponsors, journalists)", ["anna", "dana"]),
        ("tag not in (unions, journalists)", ["egon"]),
        ("language in (ru, kk)", ["boris", "dana", "инфо"]),
        ('language = ru or name = "dana"', ["boris", "dana", "инфо"]),
        ("country != DE", ["boris", "dana", "egon", "инфо"]),
        ('name = "борис ёлкин"', ["boris"]),
        ('name = "БОРИС ЁЛКИН"', ["boris"]),
        ('name = "O\'Brien; DROP TABLE"', ["инфо"]),
        ("domain = example.org", ["anna", "boris", "egon"]),
        ("domain = письмо.рф", ["инфо"]),
        ("joined = 2026-03-02", ["boris"]),
        ("joined > 2026-03-02", ["dana", "egon", "инфо"]),
        ("joined >= 2026-03-02 and joined < 2026-03-04", ["boris", "dana"]),
        ("joined <= 2026-03-01", ["anna"]),
        ("joined in (2026-03-01, 2026-03-05)", ["anna", "инфо"]),
        ("joined <= 9999-12-31", ["anna", "boris", "dana", "egon", "инфо"]),
        ("joined > 9999-12-31", []),
        ("joined < 0001-01-01", []),
        ('tag = "x\' OR 1=1 --"', []),
    ],
)
def test_rules(peopled: Store, rule: str, expected: list[str]) -> None:
    assert matching(peopled, parse(rule)) == expected


def test_segments_in_segments(peopled: Store) -> None:
    rules = {"ru": "language = ru", "near": "segment ru and tag = unions", "loop": "segment pool"}
    rules["pool"] = "not segment loop"

    def find(name: str) -> Rule:
        return parse(rules[name])

    assert matching(peopled, parse("segment near and country = KZ"), find) == ["инфо"]
    with pytest.raises(MailoutError, match="loop -> pool -> loop"):
        matching(peopled, parse("segment loop"), find)


_values = {
    "tag": ["unions", "sponsors", "a b", "nobody"],
    "language": ["ru", "kk", "de"],
    "country": ["DE", "KZ"],
    "domain": ["example.org", "mail.example.net"],
}
_leaf = st.sampled_from(sorted(_values)).flatmap(
    lambda field: st.lists(st.sampled_from(_values[field]), min_size=1, max_size=3).map(
        lambda values: Comparison(field, "in", tuple(values))
    )
)
_rules: st.SearchStrategy[Rule] = st.recursive(
    _leaf | st.just(Everyone()),
    lambda inner: (
        inner.map(Not)
        | st.lists(inner, min_size=2, max_size=3).map(lambda parts: And(tuple(parts)))
        | st.lists(inner, min_size=2, max_size=3).map(lambda parts: Or(tuple(parts)))
    ),
    max_leaves=8,
)


def _holds(rule: Rule, person: tuple[str, str, str, str, set[str], int]) -> bool:
    typed, _, language, country, tags, _ = person
    match rule:
        case Not(part):
            return not _holds(part, person)
        case And(parts):
            return all(_holds(part, person) for part in parts)
        case Or(parts):
            return any(_holds(part, person) for part in parts)
        case Comparison("tag", _, values):
            return bool(tags & set(values))
        case Comparison(field, _, values):
            domain = Address.parse(typed).domain
            return {"language": language, "country": country, "domain": domain}[field] in values
        case Everyone() | Other():
            return True


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rule=_rules)
def test_sql_says_what_the_rule_says(peopled: Store, rule: Rule) -> None:
    expected = [person[0].partition("@")[0] for person in PEOPLE if _holds(rule, person)]
    assert matching(peopled, rule) == expected
