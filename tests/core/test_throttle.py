"""Token buckets: they fill by time, hold at most their burst, and slow down when asked to."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailout.core import throttle
from mailout.core.delivery import Outcome, Verdict
from mailout.core.site import Provider, Relay
from mailout.core.throttle import Bucket, Limit, Providers

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
MINUTE = Limit.per_minute(60)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_a_bucket_fills_up_to_its_burst() -> None:
    bucket = throttle.full("x", MINUTE, NOW)
    assert throttle.available(bucket, MINUTE, NOW) == 1
    bucket = throttle.taken(bucket, MINUTE, 1, NOW)
    assert throttle.available(bucket, MINUTE, later(0.5)) == 0
    assert throttle.available(bucket, MINUTE, later(1)) == 1
    assert throttle.available(bucket, MINUTE, later(100)) == 1


def test_no_limit_means_any_number() -> None:
    assert throttle.available(throttle.full("x", Limit(), NOW), Limit(), NOW) is None


@given(st.lists(st.floats(0, 30), max_size=50), st.integers(1, 6000))
def test_never_more_than_the_rate_and_one_burst(pauses: list[float], per_minute: int) -> None:
    limit = Limit.per_minute(per_minute)
    bucket, now, sent = throttle.full("x", limit, NOW), NOW, 0
    for pause in pauses:
        now += timedelta(seconds=pause)
        count = throttle.available(bucket, limit, now) or 0
        bucket = throttle.taken(bucket, limit, count, now)
        sent += count
    seconds = (now - NOW).total_seconds()
    assert sent <= limit.per_second * seconds + limit.burst + 1e-6


@given(st.integers(1, 6000), st.integers(1, 200))
def test_who_waits_as_told_is_let_through(per_minute: int, nth: int) -> None:
    limit = Limit(per_minute / 60, burst=1000)
    empty = Bucket("x", 0.0, NOW)
    due = NOW + throttle.wait(empty, limit, nth, NOW) + timedelta(milliseconds=1)
    assert (throttle.available(empty, limit, due) or 0) >= min(nth, 1000)


def test_slowed_a_quarter_a_step_and_taken_back_by_and_by() -> None:
    bucket = throttle.slowed(throttle.full("x", MINUTE, NOW), NOW)
    assert throttle.rate(bucket, MINUTE, NOW) == 0.25
    # Answers of the same seconds are one haste, not a hundred.
    assert throttle.slowed(bucket, later(1)) == bucket
    bucket = throttle.slowed(bucket, later(11))
    assert throttle.rate(bucket, MINUTE, later(11)) == 0.0625
    assert throttle.rate(bucket, MINUTE, later(11 + 301)) == 0.25
    assert throttle.rate(bucket, MINUTE, later(11 + 601)) == 1.0


def test_one_without_a_limit_is_slowed_from_the_usual() -> None:
    bucket = throttle.slowed(throttle.full("x", Limit(), NOW), NOW)
    assert throttle.rate(bucket, Limit(), NOW) == throttle.USUAL / 4
    assert throttle.rate(bucket, Limit(), later(301)) == 0


@pytest.mark.parametrize(
    ("outcome", "hasty"),
    [
        (Outcome(Verdict.DEFERRED, 421, "", "too many", step="RCPT"), True),
        (Outcome(Verdict.DEFERRED, 421, "", "the relay is busy", step="MAIL"), False),
        (Outcome(Verdict.DEFERRED, 450, "4.7.28", "unusual rate"), True),
        (Outcome(Verdict.DEFERRED, 450, "4.2.1", "full for now"), False),
        (Outcome(Verdict.DEFERRED, 451, "4.7.1", "Greylisted, come back later"), False),
        (Outcome(Verdict.REFUSED, 550, "5.7.1", "blocked"), False),
        (Outcome(Verdict.ACCEPTED, 250, "2.0.0", "ok"), False),
    ],
)
def test_what_is_about_haste(outcome: Outcome, hasty: bool) -> None:
    assert throttle.says_too_fast(outcome) is hasty


def test_the_ceiling_of_a_day() -> None:
    relay = Relay(host="r", per_day=500, warm_up_from="2026-11-24", warm_up=(50, 200, 900))
    days = [date(2026, 11, 23 + n) for n in range(5)]
    assert [throttle.ceiling(relay, day) for day in days] == [500, 50, 200, 500, 500]
    assert throttle.ceiling(Relay(host="r"), days[0]) == 0
    assert throttle.next_day(NOW) == datetime(2026, 11, 25, tzinfo=UTC)


def test_whose_a_domain_is() -> None:
    big = Provider(name="big", domains=("big.example", "*.big.example"), per_minute=6)
    found = Providers((big,))
    assert [found.of(d) for d in ("big.example", "a.big.example", "notbig.example")] == [
        "big", "big", "notbig.example",
    ]  # fmt: skip
    assert found.limit("big").per_second == 0.1
    assert found.limit("other.example").per_second == 0


def test_whose_a_domain_is_by_its_mail_servers() -> None:
    big = Provider(name="big", mx=("*.mx.big.example", "mx.old-big.example"))
    small = Provider(name="small", domains=("small.example",), mx=("mx.small.example",))
    found = Providers((big, small))
    for records, provider in [
        (("10 a.mx.big.example.",), "big"),
        (("10 A.MX.Big.Example.",), "big"),
        (("10 mx.big.example.",), ""),
        (("20 a.mx.big.example.", "10 mx.small.example."), "small"),
        (("100 mx.old-big.example.", "20 mx.nobody.example."), ""),
        (("10 mx.nobody.example.", "10 mx.old-big.example."), "big"),
        (("0 .",), ""),
        ((), ""),
    ]:
        assert found.behind("union.example", records) == provider, records
    assert found.behind("mx.small.example", ()) == "small", "without MX, it receives for itself"
    assert found.named("small.example") == "small" and found.named("union.example") == ""
    assert (
        found.ask_for_mx and not Providers((Provider(name="x", domains=("x.example",)),)).ask_for_mx
    )
