"""Segment rules against people in both databases: SQL says what the rule says."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from mailout.core.address import Address
from mailout.core.consent import Consent, ConsentAction
from mailout.core.errors import MailoutError
from mailout.core.issue import Variant
from mailout.core.segment import (
    And,
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
    own_field,
    parse,
)
from mailout.core.spelling import folded
from mailout.core.subscription import SubscriptionState
from mailout.store import audiences, consents, dispatches, issues, people, plans, roster, segments
from mailout.store.engine import Store, Tx
from mailout.store.segments import Scope, condition
from newcomers import LONG_AGO

KEY = b"k" * 32
JOINED = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOW = datetime(2026, 3, 31, 23, 30, tzinfo=UTC)  # in Berlin it is the first of April
BERLIN = ZoneInfo("Europe/Berlin")
ISSUES = ("w41", "w42", "w43")  # in the order in which they went out

VOCABULARY = Vocabulary(
    {
        "branch": own_field(Kind.CHOICE, ("harbour", "rail")),
        "skills": own_field(Kind.CHOICES, ("print", "translate")),
        "age": own_field(Kind.NUMBER),
        "since": own_field(Kind.DATE),
        "delegate": own_field(Kind.YES_NO),
        "workplace": own_field(Kind.TEXT),
    },
    ("bulletin", "press"),
)


@dataclass(frozen=True)
class Person:
    """`days` after JOINED they came; `got` and `bounced` are issues, `press` their state there."""

    address: str
    name: str = ""
    language: str = ""
    country: str = ""
    tags: frozenset[str] = frozenset()
    days: float = 0
    source: str = "import:people.csv sha256:ab"
    action: ConsentAction = ConsentAction.IMPORTED
    press: SubscriptionState | None = None
    got: frozenset[str] = frozenset()
    bounced: frozenset[str] = frozenset()
    fields: Mapping[str, object] = field(default_factory=dict, hash=False)

    @property
    def short(self) -> str:
        return self.address.partition("@")[0]


PEOPLE = [
    Person(
        "anna@example.org", "Anna", "de", "DE", frozenset({"unions", "sponsors"}), 0,
        press=SubscriptionState.ACTIVE, got=frozenset(ISSUES),
        fields={"branch": "rail", "skills": ["print", "translate"], "age": 41, "since": "2020-05-01",
                "delegate": True, "workplace": "Depot Süd"},
    ),
    Person(
        "boris@example.org", "Борис Ёлкин", "ru", "RU", frozenset({"unions"}), 1,
        press=SubscriptionState.PAUSED, got=frozenset({"w41"}), bounced=frozenset({"w42"}),
        fields={"branch": "harbour", "skills": [], "age": 27.5, "delegate": False,
                "workplace": "ДЕПО"},
    ),
    Person(
        "dana@mail.example.net", "Dana", "kk", "KZ", frozenset({"journalists"}), 2,
        source="form:/join", action=ConsentAction.JOINED, press=SubscriptionState.UNSUBSCRIBED,
        got=frozenset({"w43"}),
        fields={"age": "41", "since": 2020, "branch": ["rail"], "delegate": "yes", "skills": "print",
                "workplace": 7},
    ),
    Person("egon@EXAMPLE.org", days=3, source="sheet:gate three", action=ConsentAction.ADDED,
           bounced=frozenset({"w41", "w43"}), fields={"since": "2026-03-31"}),
    Person(
        "инфо@письмо.рф", "O'Brien; DROP TABLE", "ru", "KZ", frozenset({"a b", "unions"}), 4,
        press=SubscriptionState.PENDING, fields={"workplace": "50%_\\"},
    ),
    # Half an hour before midnight in UTC: the next day in Berlin.
    Person("kay@example.org", "KAY İnce", "pt-br", "DE", days=4.48, action=ConsentAction.ADDED,
           source="hand"),
]  # fmt: skip


def none(name: str) -> Rule:
    raise MailoutError(f"no segment {name}")


def scope(find: object = none, zone: object = BERLIN, issue_id: int = 0) -> Scope:
    return Scope("bulletin", find, NOW, zone, issue_id)  # type: ignore[arg-type]


@pytest.fixture
def peopled(store: Store) -> Store:
    with store.writing() as tx:
        ids = {person: _put(tx, person) for person in PEOPLE}
        for number, name in enumerate(ISSUES):
            _mail(tx, name, NOW - timedelta(days=20 - number), ids)
        # One that was compiled and went to nobody, and one of another list, are none of the last.
        variant = (Variant("en", "x", "x", "x"),)
        issues.save_compiled(tx, "w44", "bulletin", ["post"], variant, NOW)
        issues.save_compiled(tx, "press-1", "press", ["post"], variant, NOW)
    return store


def _put(tx: Tx, person: Person) -> int:
    address = Address.parse(person.address)
    key = address.key(KEY)
    newcomer = roster.NewPerson(
        person.address, key, address.domain, person.name, person.language, person.country
    )
    (id_,) = roster.add_people(tx, [newcomer], LONG_AGO).values()
    roster.add_tags(tx, {id_: person.tags})
    member = roster.NewSubscription(id_, SubscriptionState.ACTIVE, key[:22])
    joined = JOINED + timedelta(days=person.days)
    roster.add_subscriptions(tx, "bulletin", [member], joined)
    if person.press:
        member = roster.NewSubscription(id_, person.press, f"p{key[:21]}")
        roster.add_subscriptions(tx, "press", [member], joined)
    evidence = Consent("bulletin", id_, key, person.action, joined, "said so", "", person.source)
    consents.append(tx, [evidence])
    tx.execute(
        text("UPDATE subscriber SET fields = :fields WHERE id = :id"),
        {"fields": json.dumps(person.fields), "id": id_},
    )
    return id_


def _mail(tx: Tx, name: str, at: datetime, ids: Mapping[Person, int]) -> None:
    issue = issues.save_compiled(
        tx, name, "bulletin", ["post"], (Variant("en", "x", "x", "x"),), at
    )
    choice = audiences.Choice(issue.id, "bulletin", Everyone(), None, none)
    order = dispatches.make(tx, choice, segment="everyone", exclude="", now=at)
    dispatches.begin(tx, order.id, at)
    audiences.fill(
        tx, order.id, choice, left_out={}, language_of={}, default_language="en",
        built={"full"}, now=at,
    )  # fmt: skip
    for person, id_ in ids.items():
        state = "accepted" if name in person.got else "refused"
        values = {"state": state, "issue": issue.id, "id": id_}
        tx.execute(
            text(
                "UPDATE delivery SET state = :state WHERE issue_id = :issue AND subscriber_id = :id"
            ),
            values,
        )
        if name in person.bounced:
            tx.execute(
                text(
                    "INSERT INTO event (kind, at, issue_id, subscriber_id, provider, code, enhanced,"
                    " text, relay) VALUES ('bounced', '2026-03-20', :issue, :id, '', 550, '', '', '')"
                ),
                values,
            )
    # Who is erased leaves a delivery without a person: nobody's `not` may stumble on it.
    tx.execute(
        text(
            "UPDATE delivery SET subscriber_id = NULL WHERE issue_id = :issue AND state = 'refused'"
        ),
        {"issue": issue.id},
    )


def matching(store: Store, rule: Rule, at: Scope | None = None) -> list[str]:
    at = at or scope()
    with store.reading() as tx:
        where = condition(tx, rule, at)
        found = people.page(tx, where, list_id="bulletin")
        assert roster.count(tx, where, "bulletin") == len(found)
        assert segments.count(tx, rule, at) == len(found)
        others = segments.count(tx, Not(rule), at)
        assert others == len(PEOPLE) - len(found)
        assert plans.in_words(tx, segments.counting(tx, rule, at))
    return [person.address.partition("@")[0] for person in found]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("everyone", "anna boris dana egon инфо kay"),
        ("tag = unions", "anna boris инфо"),
        ("tag = UNIONS and not tag = sponsors", "boris инфо"),
        ("tag != unions", "dana egon kay"),
        ('tag = "a b"', "инфо"),
        ("tag in (sponsors, journalists)", "anna dana"),
        ("tag not in (unions, journalists)", "egon kay"),
        ("tag is empty", "egon kay"),
        ("tag is not empty and country is empty", ""),
        ("language in (ru, kk)", "boris dana инфо"),
        ("language = pt", ""),
        ("language is empty", "egon"),
        ('language = ru or name = "dana"', "boris dana инфо"),
        ("country != DE", "boris dana egon инфо"),
        ('name = "борис ёлкин"', "boris"),
        ('name = "БОРИС ЁЛКИН"', "boris"),
        ('name in ("x", "ANNA", "O\'BRIEN; drop table")', "anna инфо"),
        ("name contains ЁЛК", "boris"),
        ("name not contains an", "boris egon инфо kay"),
        ('name contains "%"', ""),
        ("name is empty", "egon"),
        ('name = "O\'Brien; DROP TABLE"', "инфо"),
        ('name in (a, b, c, d, e, f, g, h, i, "анна", anna)', "anna"),
        ("domain = example.org", "anna boris egon kay"),
        ("domain = письмо.рф", "инфо"),
        ("joined = 2026-03-02", "boris"),
        ("joined > 2026-03-02", "dana egon инфо kay"),
        ("joined >= 2026-03-02 and joined < 2026-03-04", "boris dana"),
        ("joined <= 2026-03-01", "anna"),
        ("joined in (2026-03-01, 2026-03-05)", "anna инфо"),
        ("joined = 2026-03-06", "kay"),
        ("joined > 30 days ago", "dana egon инфо kay"),  # which is the second of March
        ("joined < 4 weeks ago", "anna boris dana"),
        ("joined >= today", ""),
        ("joined <= 9999-12-31", "anna boris dana egon инфо kay"),
        ("joined > 9999-12-31", ""),
        ("joined < 0001-01-01", ""),
        ("joined > 9999 years ago", "anna boris dana egon инфо kay"),
        ("list = press", "anna boris"),
        ("list != press and list = bulletin", "dana egon инфо kay"),
        ("received(w41)", "anna boris"),
        ("received(last issue)", "anna dana"),
        ("received(last 2 issues)", "anna dana"),
        ("not received(last 3 issues)", "egon инфо kay"),
        ("received(last 100 issues)", "anna boris dana"),
        ("received(any issue) and not received(last issue)", "boris"),
        ("received(w44)", ""),
        ("received(press-1)", ""),
        ("bounced(last issue)", "egon"),
        ("bounced(any issue) or received(w43)", "anna boris dana egon"),
        ("not bounced(w42)", "anna dana egon инфо kay"),
        ("replied(any issue)", ""),
        ("joined by import", "anna boris инфо"),
        ("joined by FORM", "dana"),
        ("joined by hand", "egon kay"),
        ("joined by sheet", "egon"),
        ('joined by "import:people.csv"', "anna boris инфо"),
        ('joined by "imp"', ""),
        ('joined by "%"', ""),
        ("not joined by import", "dana egon kay"),
        ("branch = rail", "anna"),
        ("branch in (harbour, rail)", "anna boris"),
        ("branch is empty", "dana egon инфо kay"),
        ("branch != rail", "boris dana egon инфо kay"),
        ("skills = translate", "anna"),
        ("skills in (print, translate)", "anna"),
        ("skills is empty", "boris dana egon инфо kay"),
        ("age >= 27.5", "anna boris"),
        ("age = 27.50", "boris"),
        ("not age > 30", "boris dana egon инфо kay"),
        ("age in (41, 42)", "anna"),
        ("age is empty", "dana egon инфо kay"),
        ("since < 2021-01-01", "anna"),
        ("since = 1 day ago", "egon"),
        ("since is not empty", "anna egon"),
        ("delegate = yes", "anna"),
        ("delegate = no", "boris"),
        ("delegate != yes", "boris dana egon инфо kay"),
        ("delegate is empty", "dana egon инфо kay"),
        ("workplace = депо", "boris"),
        ('workplace contains "SÜD"', "anna"),
        ('workplace = "50%_\\\\"', "инфо"),
        ("workplace is empty", "dana egon kay"),
        ('tag = "x\' OR 1=1 --"', ""),
    ],
)
def test_rules(peopled: Store, rule: str, expected: str) -> None:
    assert matching(peopled, parse(rule, vocabulary=VOCABULARY)) == expected.split()


def test_letters_of_two_sizes(peopled: Store) -> None:
    """Folded letter for letter, whatever the script and however many letters that takes."""
    # A K may be the sign for Kelvin; an İ becomes two letters.
    for name in ("\u212aay İnce", "kay ince", "KAY INCE", "Kay i\u0307nce"):
        assert matching(peopled, parse(f'name = "{name}"')) == ["kay"]
        assert matching(peopled, parse(f'name contains "{name[2:]}"')) == ["kay"]


_NAMES = (
    "ГУЛЬНАРА Әлиева",
    "Страße 5*",
    "ΝΊΚΟΣ",
    "Νίκος",
    "İpek",
    "i\u0307pek",
    "Åsa",
    "Åsa [x]",
    "ЇЖАК",
    "Ǆemal",
    "ۆمەر",
)


@pytest.mark.parametrize(
    "part",
    [
        "льна",
        "ә",
        "ß",
        "ἰ",
        "ίκος",
        "κο",
        "σ",
        "å",
        "*",
        "[",
        "ї",
        "ǆ",
        "ۆم",
        "ж?",
        "?",
        "ipek",
        "İ",
    ],
)
def test_a_part_of_a_name_is_found_as_folding_the_whole_finds_it(
    sqlite_store: Callable[[], Store], part: str
) -> None:
    """SQLite is given a pattern to sort most names out by; PostgreSQL folds them all."""
    store = sqlite_store()
    with store.writing() as tx:
        rows = [roster.NewPerson(f"p{n}@example.org", f"{n}", "example.org", name, "", "")
                for n, name in enumerate(_NAMES)]  # fmt: skip
        ids = roster.add_people(tx, rows, NOW)
        members = [
            roster.NewSubscription(id_, SubscriptionState.ACTIVE, f"token-{id_}")
            for id_ in ids.values()
        ]
        roster.add_subscriptions(tx, "bulletin", members, NOW)
    for value in (part, part.upper()):
        quoted = f'name contains "{value}"'
        with store.reading() as tx:
            found = segments.count(tx, parse(quoted), scope())
        assert found == sum(folded(value) in folded(name) for name in _NAMES), quoted


def test_days_are_those_of_the_zone(peopled: Store) -> None:
    in_utc = scope(zone=UTC)
    assert matching(peopled, parse("joined = 2026-03-05"), in_utc) == ["инфо", "kay"]
    assert matching(peopled, parse("joined = 2026-03-05")) == ["инфо"]
    assert matching(peopled, parse("joined = 30 days ago"), in_utc) == ["anna"]
    assert matching(peopled, parse("joined = 30 days ago")) == ["boris"]


def test_the_issue_to_be_sent_is_none_of_the_last(peopled: Store) -> None:
    with peopled.reading() as tx:
        going = issues.find(tx, "w43")
    assert going is not None
    rule = parse("received(last issue)")
    assert matching(peopled, rule, scope(issue_id=going.id)) == ["anna"]
    assert matching(peopled, parse("received(last 2 issues)"), scope(issue_id=going.id)) == [
        "anna",
        "boris",
    ]


def test_an_issue_that_is_not_there_is_no_rule(peopled: Store) -> None:
    """`not received(w34)` with a slip of the finger would be everybody."""
    with peopled.reading() as tx, pytest.raises(MailoutError, match=r"`w34`.*Did you mean `w4"):
        condition(tx, parse("not received(w34)"), scope())


def test_segments_in_segments(peopled: Store) -> None:
    rules = {"ru": "language = ru", "near": "segment ru and tag = unions", "loop": "segment pool"}
    rules["pool"] = "not segment loop"

    def find(name: str) -> Rule:
        return parse(rules[name])

    assert matching(peopled, parse("segment near and country = KZ"), scope(find)) == ["инфо"]
    with pytest.raises(MailoutError, match="loop -> pool -> loop"):
        matching(peopled, parse("segment loop"), scope(find))


def test_the_longest_rule_is_answered(peopled: Store) -> None:
    """As many conditions and values as are allowed, deep in brackets."""
    values = ", ".join(f"t{number}" for number in range(499))
    many = " or ".join(["tag = unions"] + [f"tag = a{number}" for number in range(299)])
    assert matching(peopled, parse(f"tag in (unions, {values})")) == ["anna", "boris", "инфо"]
    assert matching(peopled, parse(many)) == ["anna", "boris", "инфо"]
    deep = parse("tag = unions and skills = print", vocabulary=VOCABULARY)
    for _ in range(5):
        deep = Not(Or((parse("not name = x"), And((parse("tag is not empty"), Not(deep))))))
    expected = matching(peopled, deep)
    with peopled.reading() as tx:
        choice = audiences.Choice(0, "bulletin", deep, deep, none)
        assert audiences.audience(tx, choice, choice.now).left_out == (
            {"excluded": len(expected)} if expected else {}
        )
        with pytest.raises(MailoutError, match="12 deep"):
            for _ in range(9):
                deep = Not(Or((Everyone(), And((Everyone(), deep)))))
            condition(tx, deep, scope())


def test_how_people_are_found(peopled: Store) -> None:
    with peopled.reading() as tx:

        def told(rule: str) -> str:
            query = segments.counting(tx, parse(rule, vocabulary=VOCABULARY), scope())
            return "\n".join(plans.in_words(tx, query))

        if peopled.is_sqlite:  # PostgreSQL reads a table of six rows whole, whatever is asked
            assert "(index ix_subscriber_tag_tag_subscriber_id)" in told("tag = unions")
            assert "people: looked up by country" in told("country = DE")
            assert "(index ix_subscription_list_id_joined_at)" in told("joined > 2026-01-01")
            assert "(index ix_delivery_accepted)" in told("received(any issue)")
            assert told("name = x").endswith("people: all rows are read")
        else:
            assert "people: " in told("country = DE")


_values: dict[str, list[str]] = {
    "tag": ["unions", "sponsors", "a b", "nobody"],
    "list": ["bulletin", "press"],
    "language": ["ru", "kk", "de"],
    "country": ["DE", "KZ"],
    "domain": ["example.org", "mail.example.net"],
    "name": ["anna", "БОРИС ёлкин", "KAY İnce", "DANA"],
    "joined": ["2026-03-01", "2026-03-03", "30 days ago", "28 days ago", "today"],
    "branch": ["rail", "harbour"],
    "skills": ["print", "translate"],
    "age": ["41", "27.5", "0", "-3"],
    "since": ["2020-05-01", "2026-03-31", "1 day ago", "3 years ago"],
    "delegate": ["yes", "no"],
    "workplace": ["depot süd", "депо", "7"],
}


def _leaf(name: str) -> st.SearchStrategy[Rule]:
    of = VOCABULARY.field(name)
    assert of is not None
    own = of.kind if name in VOCABULARY.fields else None
    operators = ["<", "<=", ">", ">=", "="] if of.kind.is_ordered else ["="]
    operators += ["contains"] if of.kind.is_text else []
    value = st.sampled_from(_values[name])
    found: st.SearchStrategy[Rule] = st.builds(
        lambda op, one: Comparison(name, op, (one,), own), st.sampled_from(operators), value
    )
    found |= st.lists(value, min_size=1, max_size=3).map(
        lambda several: Comparison(name, "in", tuple(several), own)
    )
    if not of.kind.is_never_empty:
        found |= st.just(Comparison(name, "empty", (), own))
    return found


_leaves: st.SearchStrategy[Rule] = (
    st.sampled_from(sorted(_values)).flatmap(_leaf)
    | st.builds(
        lambda what, which: History(what, *which),
        st.sampled_from(["received", "bounced", "replied"]),
        st.sampled_from([("", 0), ("", 1), ("", 2), ("w41", 0), ("w42", 0)]),
    )
    | st.sampled_from(["import", "form", "hand", "sheet", "sheet:gate"]).map(JoinedBy)
    | st.just(Everyone())
)
_rules: st.SearchStrategy[Rule] = st.recursive(
    _leaves,
    lambda inner: (
        inner.map(Not)
        | st.lists(inner, min_size=2, max_size=3).map(lambda parts: And(tuple(parts)))
        | st.lists(inner, min_size=2, max_size=3).map(lambda parts: Or(tuple(parts)))
    ),
    max_leaves=8,
)


def _holds(rule: Rule, person: Person) -> bool:
    match rule:
        case Not(part):
            return not _holds(part, person)
        case And(parts):
            return all(_holds(part, person) for part in parts)
        case Or(parts):
            return any(_holds(part, person) for part in parts)
        case History(what, issue, last):
            wanted = {issue} if issue else set(ISSUES[-last:] if last else ISSUES)
            had = {"received": person.got, "bounced": person.bounced, "replied": frozenset()}
            return bool(wanted & had[what])
        case JoinedBy(source):
            begins = person.source.lower().startswith((f"{source}:", f"{source} "))
            ways = {"import": "imported", "hand": "added", "form": "joined"}
            return begins or person.source == source or ways.get(source) == person.action.value
        case Comparison():
            return _compares(rule, person)
        case Everyone() | Other():
            return True


def _compares(rule: Comparison, person: Person) -> bool:
    found = _of(rule, person)
    if rule.op == "empty":
        return found in (None, "", frozenset())
    if found is None:
        return False
    values = [_plain(rule.kind, value) for value in rule.values]
    if isinstance(found, frozenset):
        return bool(found & set(values))
    if rule.op == "contains":
        return values[0] in found  # type: ignore[operator]
    if rule.op in ("=", "in"):
        return found in values
    return {
        "<": found < values[0],  # type: ignore[operator]
        "<=": found <= values[0],  # type: ignore[operator]
        ">": found > values[0],  # type: ignore[operator]
        ">=": found >= values[0],  # type: ignore[operator]
    }[rule.op]


def _of(rule: Comparison, person: Person) -> object:
    """What the person has in a field: None for nothing of the right kind."""
    kept = person.fields.get(rule.field)
    match rule.kind:
        case Kind.TAGS:
            return person.tags
        case Kind.LISTS:
            on = person.press in (SubscriptionState.ACTIVE, SubscriptionState.PAUSED)
            return frozenset({"bulletin", "press"} if on else {"bulletin"})
        case Kind.JOINED:
            return (JOINED + timedelta(days=person.days)).astimezone(BERLIN).date()
        case Kind.DOMAIN:
            return Address.parse(person.address).domain
        case Kind.NAME:
            return folded(person.name)
        case Kind.LANGUAGE:
            return person.language
        case Kind.COUNTRY:
            return person.country
        case Kind.CHOICES:
            return frozenset(kept) if isinstance(kept, list) else frozenset()
        case Kind.NUMBER:
            return kept if isinstance(kept, int | float) and kept is not True else None
        case Kind.YES_NO:
            return kept if isinstance(kept, bool) else None
        case Kind.DATE:
            return date.fromisoformat(kept) if isinstance(kept, str) else None
        case Kind.TEXT:
            return folded(kept) if isinstance(kept, str) else None
        case _:
            return kept if isinstance(kept, str) else None


def _plain(kind: Kind, value: str) -> object:
    if kind.is_day:
        return day(value, NOW.astimezone(BERLIN).date())
    if kind is Kind.NUMBER:
        return float(value)
    if kind is Kind.YES_NO:
        return value == "yes"
    return folded(value) if kind.is_text else value


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rule=_rules)
def test_sql_says_what_the_rule_says(peopled: Store, rule: Rule) -> None:
    assert matching(peopled, rule) == [one.short for one in PEOPLE if _holds(rule, one)]
