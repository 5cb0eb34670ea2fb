"""Times as people write them, where the clocks are put forward and back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mailout.cli import console, endings
from mailout.core.delivery import DeliveryState
from mailout.core.dispatch import DispatchState
from mailout.core.errors import TryLater, UsageError
from mailout.core.site import Site
from mailout.send.run import Ending

SUMMER = datetime(2027, 6, 1, 10, tzinfo=UTC)


@pytest.fixture
def berlin(site: Site) -> Site:
    return replace(site, identity=replace(site.identity, timezone="Europe/Berlin"))


@pytest.mark.parametrize(
    ("text", "now", "why", "readings"),
    [
        ("2027-10-31 02:30", SUMMER, "comes twice", ("2027-10-31 00:30 UTC", "01:30 UTC")),
        ("2028-03-26 02:30", SUMMER, "does not exist", ("2028-03-26 00:30 UTC", "01:30 UTC")),
        ("02:30", datetime(2027, 10, 30, 10, tzinfo=UTC), "comes twice", ("00:30 UTC",)),
        ("2:30", datetime(2027, 3, 27, 10, tzinfo=UTC), "does not exist", ("01:30 UTC",)),
    ],
)
def test_a_time_that_is_not_one_moment_is_refused(
    berlin: Site, text: str, now: datetime, why: str, readings: tuple[str, ...]
) -> None:
    with pytest.raises(UsageError, match=why) as caught:
        console.moment(text, berlin, now)
    assert caught.value.where == "--at" and "Europe/Berlin" in str(caught.value)
    for reading in readings:
        assert reading in str(caught.value)


def test_what_the_refusal_proposes_is_taken(berlin: Site) -> None:
    assert console.moment("2027-10-31 01:30Z", berlin, SUMMER).hour == 1
    assert console.moment("2027-10-31 02:30+02:00", berlin, SUMMER).hour == 0


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2027-10-31 03:00", datetime(2027, 10, 31, 2, tzinfo=UTC)),
        ("12:01", datetime(2027, 6, 1, 10, 1, tzinfo=UTC)),
        ("12:00", datetime(2027, 6, 2, 10, 0, tzinfo=UTC)),
    ],
)
def test_all_other_times_are_taken(berlin: Site, text: str, moment: datetime) -> None:
    assert console.moment(text, berlin, SUMMER) == moment


@pytest.mark.parametrize(
    ("queued", "untried", "words"),
    [
        (3, 0, "3 are deferred; the next"),
        (3, 3, "3 are waiting for their provider's limit; the next"),
        (5, 2, "3 are deferred, 2 are waiting for their provider's limit; the next"),
    ],
)
def test_what_waits_for_a_limit_is_not_called_deferred(
    berlin: Site, queued: int, untried: int, words: str
) -> None:
    ending = Ending(
        {DeliveryState.QUEUED: queued},
        DispatchState.SENDING,
        next_due=SUMMER + timedelta(minutes=5),
        untried=untried,
    )
    with pytest.raises(TryLater) as caught:
        endings.exit_code(ending, berlin)
    assert f"{words} is due at 2027-06-01 12:05 CEST" in str(caught.value)
