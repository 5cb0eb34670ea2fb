"""How an address stands, for every turn that its record may take."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailout.core.inbound.category import Category
from mailout.core.standing import Arrived, Failure, Health, Record, Terms, standing

T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DEAD = [one for one in Category if one.is_dead]
SOFT = [one for one in Category if one.is_soft]
OTHER = [one for one in Category if not (one.is_dead or one.is_soft)]


def day(number: float) -> datetime:
    return T0 + timedelta(days=number)


def failed(
    number: float, category: Category = Category.NO_MAILBOX, queued: float | None = None
) -> Failure:
    """A failure on that day; each day's issue is one of its own."""
    at = day(number)
    issue = int(number * 10)
    queued_at = at if queued is None else day(queued)
    return Failure(at, queued_at, issue, issue, category, "550 said")


def arrived(number: float) -> Arrived:
    return Arrived(int(number * 10), day(number))


def judged(*failures: Failure, now: float = 100, **more: object) -> Health:
    failed_ids = {one.delivery_id for one in failures}
    return standing(Record(failures, failed_ids, **more), Terms(), day(now)).health  # type: ignore[arg-type]


ALIVE = {"accepted": (arrived(-30),)}


def test_nothing_came_back() -> None:
    assert judged() is Health.WELL
    assert judged(**ALIVE) is Health.WELL


@pytest.mark.parametrize("category", DEAD)
def test_a_dead_report_pauses_who_was_alive(category: Category) -> None:
    found = standing(Record([failed(0, category)], {0}, **ALIVE), Terms(), day(1))  # type: ignore[arg-type]
    assert (found.health, found.since, found.probe_from) == (Health.PAUSED, T0, day(3))
    assert found.why is category and found.said == "550 said"


@pytest.mark.parametrize("category", DEAD)
def test_a_dead_report_stops_where_nothing_ever_arrived(category: Category) -> None:
    assert judged(failed(0, category)) is Health.STOPPED


def test_a_followed_link_or_a_reply_is_life_too() -> None:
    assert judged(failed(0), confirmed=True) is Health.PAUSED
    assert judged(failed(0), replied=(day(-1),)) is Health.PAUSED


def test_a_delivery_is_no_life_before_it_was_quiet_for_long() -> None:
    # Two issues within a day to an address that never lived: the other's report is on its way.
    assert judged(failed(0), now=1, accepted=(arrived(-0.5),)) is Health.STOPPED
    assert judged(failed(0), now=3, accepted=(arrived(-0.5),)) is Health.PAUSED


def test_the_second_report_of_the_same_wave_stops_nobody() -> None:
    assert judged(failed(0), failed(1), failed(2), now=2, **ALIVE) is Health.PAUSED
    late = failed(20, queued=2.9)  # queued before the probe was due, told of long after
    assert judged(failed(0), late, now=21, **ALIVE) is Health.PAUSED


def test_a_probe_that_comes_back_dead_stops() -> None:
    assert judged(failed(0), failed(3), **ALIVE) is Health.STOPPED


def test_a_probe_that_is_quiet_makes_well() -> None:
    probed = {"accepted": (arrived(-30), arrived(7))}
    assert judged(failed(0), now=9, **probed) is Health.PAUSED
    assert judged(failed(0), now=10, **probed) is Health.WELL
    # Long afterwards it is a new story.
    assert judged(failed(0), failed(60), now=61, **probed) is Health.PAUSED


def test_a_probe_that_tells_nothing_is_tried_again() -> None:
    full = failed(7, Category.MAILBOX_FULL)
    found = standing(Record([failed(0), full], {0, 70}, **ALIVE), Terms(), day(8))  # type: ignore[arg-type]
    assert (found.health, found.probe_from) == (Health.PAUSED, day(10))


def test_a_reply_while_paused_makes_well() -> None:
    assert judged(failed(0), now=1, replied=(day(0.5),), **ALIVE) is Health.WELL


def test_four_times_full_over_three_weeks_stop() -> None:
    full = [failed(number, Category.MAILBOX_FULL) for number in (0, 7, 14, 21)]
    assert judged(*full[:3], **ALIVE) is Health.WELL
    assert judged(*full, **ALIVE) is Health.STOPPED
    quick = [failed(number, Category.MAILBOX_FULL) for number in (0, 5, 10, 15)]
    assert judged(*quick, **ALIVE) is Health.WELL
    assert judged(*quick, failed(22, Category.MAILBOX_FULL), **ALIVE) is Health.STOPPED


def test_a_soft_failure_counts_once_a_day_and_an_issue() -> None:
    same_day = [failed(number / 10, Category.UNREACHABLE) for number in range(4)]
    same_issue = [
        Failure(day(number), day(0), 5, 5, Category.UNREACHABLE) for number in (0, 7, 14, 21, 28)
    ]
    for failures in (same_day, same_issue):
        found = standing(Record(failures, {5}), Terms(), day(30))
        assert (found.health, found.score) == (Health.WELL, 1)


def test_what_arrives_between_begins_the_score_anew() -> None:
    full = [failed(number, Category.MAILBOX_FULL) for number in (0, 7, 14, 28)]
    assert judged(*full, accepted=(arrived(10),)) is Health.WELL
    assert judged(*full, replied=(day(10),)) is Health.WELL


@pytest.mark.parametrize("category", OTHER)
def test_what_is_about_us_or_about_nothing_never_counts(category: Category) -> None:
    many = [failed(number, category) for number in range(60)]
    assert judged(*many) is Health.WELL


def test_an_organiser_who_lifts_it_is_believed() -> None:
    assert judged(failed(0), failed(4), now=6, lifted_at=day(5)) is Health.WELL
    # What comes back after that begins a new story, and one report is not its end.
    assert judged(failed(0), failed(4), failed(7), now=8, lifted_at=day(5)) is Health.PAUSED


def test_the_more_patient_list_decides() -> None:
    patient = Terms().kinder(Terms(probe_after=timedelta(days=7)))
    record = Record([failed(0), failed(4)], {0, 40}, **ALIVE)  # type: ignore[arg-type]
    assert standing(record, patient, day(5)).health is Health.PAUSED
    assert standing(record, Terms(), day(5)).health is Health.STOPPED


def test_the_order_of_reports_does_not_matter() -> None:
    failures = [failed(0), failed(2), failed(4, Category.MAILBOX_FULL)]
    found = {judged(*some, **ALIVE) for some in permutations(failures)}
    assert found == {Health.PAUSED}


@given(
    st.lists(st.tuples(st.sampled_from(list(Category)), st.integers(0, 900)), max_size=12),
    st.lists(st.integers(-900, 900), max_size=6),
)
def test_who_is_stopped_gave_cause_at_two_times_or_never_lived(
    reports: list[tuple[Category, int]], lives: list[int]
) -> None:
    failures = [failed(number / 10, category) for category, number in reports]
    failed_ids = {one.delivery_id for one in failures}
    accepted = [Arrived(5000 + number, day(number / 10)) for number in lives]
    found = standing(Record(failures, failed_ids, accepted), Terms(), day(200))
    if found.health is Health.WELL:
        return
    dead = [one for one in failures if one.category.is_dead]
    soft = [one for one in failures if one.category.is_soft]
    if found.health is Health.PAUSED:
        assert dead
    elif found.why is not None and found.why.is_dead:
        lived_before = any(at / 10 < (one.at - T0).days for at in lives for one in dead[:1])
        assert len(dead) >= 2 or not lived_before
    else:
        assert len(soft) >= Terms().soft_score
