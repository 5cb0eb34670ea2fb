"""After an attempt: where each verdict leads, and for how long it is tried again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from mailout.core.delivery import DeliveryState, Outcome, RetryPlan, Verdict, after_attempt

NOW = datetime(2026, 11, 24, tzinfo=UTC)
PLAN = RetryPlan([timedelta(minutes=5), timedelta(hours=1)], timedelta(hours=10))


def step(verdict: Verdict, attempts: int = 1, age: timedelta = timedelta(), jitter: float = 0.0):  # type: ignore[no-untyped-def]
    return after_attempt(Outcome(verdict), attempts, NOW - age, NOW, PLAN, jitter)


def test_an_end_is_an_end() -> None:
    assert step(Verdict.ACCEPTED).state is DeliveryState.ACCEPTED
    assert step(Verdict.REFUSED).state is DeliveryState.REFUSED


def test_a_deferral_waits_longer_each_time_and_the_last_wait_repeats() -> None:
    assert step(Verdict.DEFERRED, 1).next_at == NOW + timedelta(minutes=5)
    assert step(Verdict.DEFERRED, 2).next_at == NOW + timedelta(hours=1)
    assert step(Verdict.DEFERRED, 9).next_at == NOW + timedelta(hours=1)


def test_retries_end() -> None:
    assert step(Verdict.DEFERRED, 9, timedelta(hours=9.5)).state is DeliveryState.EXPIRED
    assert step(Verdict.UNKNOWN, 9, timedelta(hours=9.5)).state is DeliveryState.UNKNOWN


@given(
    st.integers(1, 100), st.floats(0, 0.999), st.sampled_from([Verdict.DEFERRED, Verdict.UNKNOWN])
)
def test_jitter_adds_a_fifth_at_most(attempts: int, jitter: float, verdict: Verdict) -> None:
    plain = step(verdict, attempts)
    spread = step(verdict, attempts, jitter=jitter)
    assert plain.next_at and spread.next_at
    assert plain.next_at <= spread.next_at <= NOW + (plain.next_at - NOW) * 1.2


def test_a_reply_reads_as_the_server_wrote_it() -> None:
    assert Outcome(Verdict.REFUSED, 550, "5.1.1", "nobody here").reply == "550 5.1.1 nobody here"
    assert Outcome(Verdict.UNKNOWN, text="lost").reply == "lost"
