"""Providers known by their mail servers (MX): who is asked, how often, and that no mail waits long.

A real name server on loopback answers; see `name_server`.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mailout import dns
from mailout.core.delivery import DeliveryState
from mailout.core.rest import Rest, Why
from mailout.core.site import Provider, Sending
from mailout.core.throttle import Limit
from mailout.dns import MailServers
from mailout.send import worker
from mailout.send.pace import Pace
from mailout.smtp.catcher import Catcher
from mailout.store import buckets, claims, deliveries, rests
from name_server import name_server
from send_desk import Desk

BIG = Provider(name="big", domains=("big.example",), mx=("*.mx.big.example",), per_minute=120)
SERVERS = {
    "union.example.": ("10 a.mx.big.example.",),
    "school.example.": ("20 mx.elsewhere.example.", "10 b.mx.big.example."),
    "free.example.": ("10 mx.free.example.",),
}


@contextmanager
def asking(desk: Desk, catcher: Catcher, *providers: Provider) -> Iterator[tuple[Desk, list[str]]]:
    """The desk with these providers, and what its name server is asked for."""
    asked: list[str] = []
    desk = desk.toward(catcher)
    with name_server({}, SERVERS, asked) as address:
        sending = replace(desk.site.sending, name_server=address)
        yield Desk(replace(desk.site, sending=sending, providers=providers), desk.store), asked


def soon(true: Callable[[], bool]) -> None:
    """Waits until it is so."""
    until = time.monotonic() + 10
    while not true():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.01)


def times(catcher: Catcher, *domains: str) -> list[datetime]:
    return sorted(m.at for m in catcher.messages if m.recipients[0].partition("@")[2] in domains)


def test_domains_with_one_provider_s_mail_servers_share_its_limit(
    desk: Desk, catcher: Catcher
) -> None:
    with asking(desk, catcher, BIG) as (desk, asked):
        for domain in ("union.example", "school.example", "big.example"):
            desk.people(2, domain)
        desk.people(20, "free.example")
        desk.people(1, "unknown.example")
        issue = desk.issue()
        ending = desk.send(desk.enqueue(issue))
    assert ending.counts == {DeliveryState.ACCEPTED: 27}
    assert ending.untried == 0
    limited = times(catcher, "union.example", "school.example", "big.example")
    assert (limited[-1] - limited[0]).total_seconds() >= 1.8, "six at two a second, two at once"
    assert times(catcher, "free.example")[-1] < limited[-1], "the others did not wait"
    assert sorted(asked) == [*sorted(SERVERS), "unknown.example."], "each once, the named never"
    with desk.store.reading() as tx:
        assert {row.attempts for row in deliveries.listed(tx, issue.id)} == {1}


def test_nobody_is_asked_unless_a_provider_has_mail_servers(desk: Desk, catcher: Catcher) -> None:
    by_domain = Provider(name="big", domains=("big.example",), per_minute=600)
    with asking(desk, catcher, by_domain) as (desk, asked):
        desk.people(3, "union.example")
        assert desk.send(desk.enqueue(desk.issue())).counts == {DeliveryState.ACCEPTED: 3}
    assert asked == []


@pytest.mark.parametrize("domain", ["broken.example", "silent.example"])
def test_mail_goes_on_without_an_answer(
    desk: Desk, catcher: Catcher, domain: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dns, "_SECONDS", 1.5)
    with asking(desk, catcher, BIG) as (desk, asked):
        desk.people(5, domain)
        desk.people(2, "union.example")
        dispatch = desk.enqueue(desk.issue())
        ending = desk.send(dispatch)
    assert ending.counts == {DeliveryState.ACCEPTED: 7}
    assert ending.seconds < 8
    if domain == "broken.example":
        assert Counter(asked)[f"{domain}."] == 1


def test_a_provider_found_by_its_mail_servers_is_slowed_as_a_whole(desk: Desk) -> None:
    rules = {"union.example": "450 4.7.28 you are sending too fast"}
    unlimited = replace(BIG, per_minute=0)
    with Catcher(rules=rules) as catcher, asking(desk, catcher, unlimited) as (desk, _):
        desk.people(3, "union.example")
        dispatch = desk.enqueue(desk.issue())
        ending = desk.send(dispatch, stop_after=3)
        assert ending.counts == {DeliveryState.QUEUED: 3}
    with desk.store.reading() as tx:
        (bucket,) = buckets.slowed(tx)
    assert (bucket.name, bucket.slowed) == ("to big", 1)


def test_two_senders_share_a_provider_that_each_has_found_for_itself(
    desk: Desk, catcher: Catcher
) -> None:
    with asking(desk, catcher, replace(BIG, per_minute=600)) as (desk, asked):
        desk.people(20, "union.example")
        desk.people(20, "school.example")
        dispatch = desk.enqueue(desk.issue())
        label = desk.site.relays[0].label
        now = datetime.now(UTC) + timedelta(seconds=1)
        gone, unknown = [], []
        for _ in range(2):
            pace = Pace(desk.site)
            with desk.store.writing() as tx:
                found, _ = claims.due(tx.connection(), dispatch.id, now, 40)
                first = pace.admit(lambda tx=tx: tx, (), {label: found}, now)  # type: ignore[misc]
                unknown.append(sum(map(len, first.postponed.values())))
            soon(lambda pace=pace: not pace._servers._asked)  # type: ignore[misc]
            with desk.store.writing() as tx:
                then = pace.admit(lambda tx=tx: tx, (), {label: found}, now)  # type: ignore[misc]
            gone.append(len(then.starts[label]))
        assert unknown == [40, 40], "nobody goes before it is known whose limit holds"
        assert gone == [10, 0], "a second's worth, of both together"
        assert Counter(asked) == {"union.example.": 2, "school.example.": 2}


def test_a_domain_that_rests_for_itself_rests(desk: Desk, catcher: Catcher) -> None:
    with asking(desk, catcher, BIG) as (desk, _):
        now = datetime.now(UTC)
        with desk.store.writing() as tx:
            until = now + timedelta(hours=1)
            rests.put(tx, Rest("union.example", Why.BLOCKED, "no", 1, now, until))
        desk.people(2, "union.example")
        desk.people(1, "school.example")
        ending = desk.send(desk.enqueue(desk.issue()))
    assert ending.counts == {DeliveryState.ACCEPTED: 1, DeliveryState.QUEUED: 2}
    assert len(times(catcher, "school.example")) == len(catcher.messages) == 1


def test_a_domain_that_is_slow_for_itself_takes_from_both(desk: Desk, catcher: Catcher) -> None:
    with asking(desk, catcher, replace(BIG, per_minute=6000)) as (desk, _):
        now = datetime.now(UTC) + timedelta(seconds=1)
        desk.people(10, "union.example")
        desk.people(10, "school.example")
        dispatch = desk.enqueue(desk.issue())
        label = desk.site.relays[0].label
        pace = Pace(desk.site)
        with desk.store.writing() as tx:
            found, _ = claims.due(tx.connection(), dispatch.id, now, 20)
            pace.admit(lambda: tx, (), {label: found}, now)
            held = buckets.locked(tx, {"to union.example": Limit()}, now)
            slow = replace(held["to union.example"], slowed=1, slowed_at=now, tokens=2.0)
            buckets.write(tx, [slow])
            pace.look(tx, now)
            soon(lambda: not pace._servers._asked)  # type: ignore[union-attr]
            admitted = pace.admit(lambda: tx, (), {label: found}, now)
    went = Counter(one.provider for one in admitted.starts[label])
    assert went == {"union.example": 1, "school.example": 10}


def test_letters_ask_for_no_mail_server(desk: Desk, catcher: Catcher) -> None:
    with asking(desk, catcher, BIG) as (desk, asked):
        desk.people(1, "union.example")
        dispatch = desk.enqueue(desk.issue())
        label = desk.site.relays[0].label
        now = datetime.now(UTC) + timedelta(seconds=1)
        with desk.store.writing() as tx:
            found, _ = claims.due(tx.connection(), dispatch.id, now, 5)
            admitted = Pace(desk.site, overtakes=True).admit(lambda: tx, (), {label: found}, now)
        assert len(admitted.starts[label]) == 1
    assert asked == []


def test_a_worker_tells_once_that_nobody_answers(desk: Desk, catcher: Catcher) -> None:
    told: list[tuple[str, Mapping[str, object]]] = []
    with asking(desk, catcher, BIG) as (desk, _):
        pace = Pace(desk.site)
        rounds = worker.Rounds(desk.store, desk.site, (), lambda *words: told.append(words), pace)
        assert pace._servers is not None
        for domain in ("a.broken.example", "b.broken.example"):
            pace._servers.of(domain)
        soon(lambda: pace.unanswered == 2)
        now = datetime.now(UTC)
        rounds.look(now)
        rounds.look(now)
    assert told == [("unanswered", {"domains": 2})]


def servers(address: str) -> MailServers:
    return MailServers(address, lambda domain, records: records[0] if records else domain)


def learnt(asking: MailServers, *domains: str) -> Sequence[str | None]:
    for domain in domains:
        asking.of(domain)
    soon(lambda: not asking._asked)
    return [asking.of(domain) for domain in domains]


def test_while_no_name_server_answers_few_are_asked() -> None:
    asked: list[str] = []
    with name_server({}, {}, asked) as address:
        found = servers(address)
        names = [f"{number}.broken.example" for number in range(400)]
        assert learnt(found, *names) == [""] * 400
        assert 32 <= len(asked) <= 48, "and those that were being asked just then"
        assert found.unanswered == 400
        assert learnt(found, "union.example") == [""], "nobody is asked for a while"


def test_an_old_answer_stands_until_there_is_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns, "_KEPT", (0.3, 0.3))
    records = {"union.example.": ("10 old.example.",)}
    with name_server({}, records) as address:
        found = servers(address)
        assert learnt(found, "union.example") == ["10 old.example."]
        records["union.example."] = ("10 new.example.",)
        assert found.of("union.example") == "10 old.example."
        time.sleep(0.3)
        assert found.of("union.example") == "10 old.example.", "it is being asked for"
        soon(lambda: not found._asked)
        assert found.of("union.example") == "10 new.example."


def test_what_is_known_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns, "_MOST_DOMAINS", 3)
    with name_server({}, {}) as address:
        found = servers(address)
        for number in range(6):
            learnt(found, f"{number}.example")
        assert list(found._known) == ["3.example", "4.example", "5.example"]


def test_a_server_that_is_none_loses_no_mail() -> None:
    assert learnt(servers("nonsense:x"), "union.example") == [""]


def test_a_site_without_providers_makes_no_asker(desk: Desk) -> None:
    assert Pace(replace(desk.site, sending=Sending()))._servers is None
