"""How long segments take to be counted, and an issue to be enqueued, beside SQL written by hand.

    python benchmarks/segments.py [--quick] [--people N] [--no-postgresql]

The store is made up in a temporary folder: people with names, tags, languages and countries, a
field of the list's own, a second list, evidence of consent, and three issues with a delivery for
all, half and a tenth of them. Each count is the quickest of five, through the functions that
`mailout segments show` uses; the same question as plain SQL is asked in turn with it.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import measure
from database import PostgreSQL
from sqlalchemy import text

from mailout.core.consent import Consent, ConsentAction
from mailout.core.issue import Variant
from mailout.core.segment import Everyone, Kind, Rule, Vocabulary, own_field, parse
from mailout.core.subscription import SubscriptionState
from mailout.store import audiences, consents, dispatches, issues, roster, schema, segments
from mailout.store.engine import Store, open_store

ONE, SEVERAL, FILLING = 0.150, 0.500, 15.0  # seconds
RATIO = 1.2
TIMES = 5

_CHUNK = 20_000
_BEGAN = datetime(2025, 1, 1, tzinfo=UTC)
_NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
_DAYS = 690  # over which people came
_NAMES = ("Анна", "Boris", "Dana", "Ержан", "Мария", "John", "عائشة", "Egon")
_LANGUAGES = ["ru"] * 40 + ["en"] * 25 + ["de"] * 15 + ["kk"] * 10 + ["ar"] * 5 + [""] * 5
_COUNTRIES = ["KZ"] * 30 + ["RU"] * 20 + ["DE", "GB"] * 15 + [""] * 10 + ["FR", "TR"] * 5
_BRANCHES = ("harbour", "rail", "post", "care", "mines")
_VOCABULARY = Vocabulary({"branch": own_field(Kind.CHOICE, _BRANCHES)}, ("bulletin", "press"))

_OF_ISSUES = "SELECT id FROM issue ORDER BY id DESC LIMIT 3"
_S = "SELECT count(*) FROM subscription s WHERE s.list_id = 'bulletin' AND "
_P = (
    "SELECT count(*) FROM subscription s JOIN subscriber p ON p.id = s.subscriber_id"
    " WHERE s.list_id = 'bulletin' AND "
)
_GOT = (
    "EXISTS (SELECT 1 FROM delivery d WHERE d.subscriber_id = s.subscriber_id"
    " AND d.state = 'accepted' AND d.issue_id IN ({}))"
)
_TAGGED = (
    "EXISTS (SELECT 1 FROM subscriber_tag t WHERE t.subscriber_id = s.subscriber_id AND t.tag = {})"
)
_UNIONS = "s.subscriber_id IN (SELECT subscriber_id FROM subscriber_tag WHERE tag = 'unions')"
_BRANCH = {
    "sqlite": "json_extract(p.fields, '$.branch') = 'rail'",
    "postgresql": "p.fields ->> 'branch' = 'rail'",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A rule, the same by hand, and how long it may take (0: not bound)."""

    rule: str
    by_hand: str
    bar: float = ONE


# ruff: noqa: S608 - the text of a query is our own
ASKED = (
    Asked("everyone", f"{_S} true"),
    Asked("tag = unions", _S + _UNIONS),
    Asked("tag in (journalists, socialists)", _S + _UNIONS.replace(
        "tag = 'unions'", "tag IN ('journalists', 'socialists')")),
    Asked("tag != unions", f"SELECT (SELECT count(*) FROM subscription WHERE list_id = 'bulletin')"
          f" - ({_S}{_UNIONS})"),
    Asked("language = ru", f"{_P} p.language = 'ru'"),
    Asked("language in (ru, kk)", f"{_P} p.language IN ('ru', 'kk')"),
    Asked("country = DE", f"{_P} p.country = 'DE'"),
    Asked('name = "анна 808"', f"{_P} lower(p.name) = 'анна 808'"),
    Asked("name contains анна", f"{_P} lower(p.name) LIKE '%анна%'"),
    Asked("domain = p5.example.org", f"{_P} p.domain = 'p5.example.org'"),
    Asked("joined > 2026-01-01", f"{_S} s.joined_at >= '2026-01-02'"),
    Asked("joined > 30 days ago", f"{_S} s.joined_at >= '2026-10-28'"),
    Asked("list = press", f"{_S} s.subscriber_id IN (SELECT subscriber_id FROM subscription"
          " WHERE list_id = 'press' AND state IN ('active', 'paused'))"),
    Asked("branch = rail", f"{_P} BRANCH"),
    Asked("received(last issue)", _S + _GOT.format("SELECT max(id) FROM issue")),
    Asked("received(last 3 issues)", _S + _GOT.format(_OF_ISSUES)),
    Asked("bounced(any issue)", f"{_S} s.subscriber_id IN (SELECT subscriber_id FROM event"
          " WHERE kind IN ('refused', 'bounced'))"),
    Asked("joined by import", f"{_S} s.subscriber_id IN (SELECT subscriber_id FROM consent"
          " WHERE list_id = 'bulletin' AND action = 'imported')"),
    Asked(
        "tag = unions and language in (ru, kk) and country = DE and joined > 2026-01-01"
        " and not received(last 3 issues)",
        f"{_P} {_UNIONS} AND p.language IN ('ru', 'kk') AND p.country = 'DE'"
        f" AND s.joined_at >= '2026-01-02' AND NOT {_GOT.format(_OF_ISSUES)}",
        SEVERAL,
    ),
    Asked("language = ru and country = DE",
          f"{_P} p.language = 'ru' AND p.country = 'DE'", SEVERAL),
    Asked("tag = unions and not country = DE",
          f"{_P} {_UNIONS} AND p.country <> 'DE'", SEVERAL),
    Asked("tag = unions or tag = journalists or country = DE",
          f"{_P} ({_TAGGED.format(repr('unions'))} OR {_TAGGED.format(repr('journalists'))}"
          " OR p.country = 'DE')", SEVERAL),
    Asked("not (tag = unions or language = ru) and joined > 2025-06-01",
          f"{_P} NOT ({_TAGGED.format(repr('unions'))} OR p.language = 'ru')"
          " AND s.joined_at >= '2025-06-02'", SEVERAL),
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="100,000 people")
    parser.add_argument("--people", type=int, help="[1000000; quick: 100000]")
    parser.add_argument("--no-postgresql", action="store_true", help="SQLite alone")
    asked = parser.parse_args()
    people = asked.people or (100_000 if asked.quick else 1_000_000)
    with tempfile.TemporaryDirectory() as name:
        measure_store("sqlite:///mailout.db", Path(name), people)
        if not asked.no_postgresql:
            with PostgreSQL() as server:
                measure_store(server.create(), Path(name), people)


def measure_store(url: str, folder: Path, people: int) -> None:
    """Prints what a new store at that address takes for each question."""
    store = open_store(url, folder)
    schema.upgrade(store)
    begun = time.perf_counter()
    populate(store, people)
    name = "SQLite" if store.is_sqlite else "PostgreSQL"
    made = time.perf_counter() - begun
    print(f"\n{name}, {people:,} people (made in {made:.0f} s):\n")
    tables(store, people)
    store.close()


def tables(store: Store, people: int) -> None:
    """Prints the tables of a store that is populated."""
    bound = people == 1_000_000  # the bars are for that many
    measure.head("rule", "people", "ms", "bar", "by hand, ms", "ratio", f"<= {RATIO}")
    for asked in ASKED:
        count, ours, by_hand = _timed(store, asked)
        ratio = ours / by_hand
        measure.row(
            f"`{asked.rule}`",
            f"{count:,}",
            f"{ours * 1000:.0f}",
            _verdict(ours, asked.bar, f"< {asked.bar * 1000:.0f}") if bound else "-",
            f"{by_hand * 1000:.0f}",
            f"{ratio:.2f}",
            "yes" if ratio <= RATIO else "no",
        )
    print()
    measure.head("what", "people", "seconds", "bar")
    audience, filled, counting, filling = _filled(store)
    measure.row(
        "who would be mailed, by language and reason", f"{audience:,}", f"{counting:.2f}", "-"
    )
    verdict = _verdict(counting + filling, FILLING, f"< {FILLING:.0f} with the count")
    measure.row(
        "making their deliveries", f"{filled:,}", f"{filling:.2f}", verdict if bound else "-"
    )


def _verdict(seconds: float, bar: float, shown: str) -> str:
    return f"{shown}: {'yes' if seconds < bar else 'no'}"


def _timed(store: Store, asked: Asked) -> tuple[int, float, float]:
    """The count, and the quickest of several askings of ours and of the same by hand."""
    rule = parse(asked.rule, vocabulary=_VOCABULARY)
    branch = _BRANCH["sqlite" if store.is_sqlite else "postgresql"]
    query = text(asked.by_hand.replace("BRANCH", branch))
    ours, by_hand = [], []
    with store.reading() as tx:
        for _ in range(TIMES):
            begun = time.perf_counter()
            found = segments.count(tx, rule, _scope())
            between = time.perf_counter()
            expected = tx.scalar(query)
            by_hand.append(time.perf_counter() - between)
            ours.append(between - begun)
            assert found == expected, f"{asked.rule}: {found}, by hand {expected}"
    return found, min(ours), min(by_hand)


def _scope() -> segments.Scope:
    return segments.Scope("bulletin", _none, _NOW)


def _none(name: str) -> Rule:
    raise AssertionError(name)


def _filled(store: Store) -> tuple[int, int, float, float]:
    """People counted, deliveries made of a new issue to everybody, and the seconds of both."""
    with store.writing() as tx:
        variant = Variant("en", "Strike", "<p>x</p>", "x")
        issue = issues.save_compiled(
            tx, f"new-{time.time()}", "bulletin", ["post"], (variant,), _NOW
        )
    choice = audiences.Choice(issue.id, "bulletin", Everyone(), None, _none, now=_NOW)
    begun = time.perf_counter()
    with store.reading() as tx:
        audience = audiences.audience(tx, choice, _NOW)
    counted = time.perf_counter()
    with store.writing() as tx:
        order = dispatches.make(tx, choice, segment="everyone", exclude="", now=_NOW)
        made = audiences.fill(
            tx, order.id, choice, left_out={}, language_of={}, default_language="en",
            built={"full"}, now=_NOW,
        )  # fmt: skip
    filled = time.perf_counter()
    assert made == audience.total
    return audience.total, made, counted - begun, filled - counted


def populate(store: Store, people: int) -> None:
    """Nothing, once the store holds so many invented people and their past."""
    chance = random.Random(7)  # noqa: S311 - invented people, no secrets
    for begin in range(0, people, _CHUNK):
        _add(store, chance, range(begin, min(begin + _CHUNK, people)), people)
    with store.writing() as tx:
        rail = '{"branch": "rail", "member": true}'
        tx.execute(text("UPDATE subscriber SET fields = :f WHERE id % 5 = 0"), {"f": rail})
        for number, share in ((1, 10), (2, 5), (3, 1)):
            variant = Variant("en", "Strike", "<p>x</p>", "x")
            at = _NOW - timedelta(days=30 - number)
            issue = issues.save_compiled(tx, f"w4{number}", "bulletin", ["post"], (variant,), at)
            choice = audiences.Choice(issue.id, "bulletin", Everyone(), None, _none)
            order = dispatches.make(tx, choice, segment="everyone", exclude="", now=at)
            dispatches.begin(tx, order.id, at)
            values = {"issue": issue.id, "dispatch": order.id, "at": at.replace(tzinfo=None)}
            tx.execute(text(_DELIVERED), {**values, "share": share})
            tx.execute(text(_REFUSED), values)
    if not store.is_sqlite:
        # As PostgreSQL does by itself within minutes of so many new rows.
        with store.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.exec_driver_sql("VACUUM ANALYZE")


_DELIVERED = """
INSERT INTO delivery (issue_id, dispatch_id, subscriber_id, address_key, language, edition, state,
  reason, attempts, queued_at, next_at, worker, ended_at, last_code, last_enhanced, last_text,
  relay)
SELECT :issue, :dispatch, id, address_key, language, 'full',
  CASE WHEN id % 20 = 0 THEN 'refused' ELSE 'accepted' END,
  '', 1, :at, :at, '', :at, 250, '2.0.0', 'Ok: queued as 4ZxQ1k2mz', 'relay.example.org:587'
FROM subscriber WHERE id % 10 < :share ORDER BY id"""
_REFUSED = """
INSERT INTO event (kind, at, delivery_id, issue_id, subscriber_id, provider, code, enhanced, text,
  relay)
SELECT 'refused', :at, id, issue_id, subscriber_id, 'example.org', 550, '5.1.1', 'no such user', ''
FROM delivery WHERE state = 'refused' AND issue_id = :issue AND dispatch_id = :dispatch"""


def _add(store: Store, chance: random.Random, numbers: range, people: int) -> None:
    keys = [hashlib.blake2b(b"%d" % number, digest_size=24).hexdigest() for number in numbers]
    newcomers = [
        roster.NewPerson(
            f"person{number}@p{number % 97}.example.org",
            key,
            f"p{number % 97}.example.org",
            f"{chance.choice(_NAMES)} {number}",
            chance.choice(_LANGUAGES),
            chance.choice(_COUNTRIES),
        )
        for number, key in zip(numbers, keys, strict=True)
    ]
    at = _BEGAN + timedelta(days=_DAYS * numbers[0] / people)
    with store.writing() as tx:
        ids = roster.add_people(tx, newcomers, at)
        roster.add_tags(tx, {ids[key]: set(_tags(chance)) for key in keys})
        for list_id, step in (("bulletin", 1), ("press", 10)):
            members = [
                roster.NewSubscription(ids[key], _state(chance), f"{list_id[0]}{key[:21]}")
                for key in keys[::step]
            ]
            roster.add_subscriptions(tx, list_id, members, at)
        evidence = (
            Consent(
                "bulletin", ids[key], key, ConsentAction.IMPORTED, at, "on paper", "", "old.csv"
            )
            for key in keys
        )
        consents.append(tx, evidence)


def _state(chance: random.Random) -> SubscriptionState:
    left = chance.random() < 0.05
    return SubscriptionState.UNSUBSCRIBED if left else SubscriptionState.ACTIVE


def _tags(chance: random.Random) -> Iterator[str]:
    for tag, share in (("unions", 0.3), ("journalists", 0.05), ("socialists", 0.1)):
        if chance.random() < share:
            yield tag
    yield f"branch-{chance.randrange(40)}"


if __name__ == "__main__":
    main()
