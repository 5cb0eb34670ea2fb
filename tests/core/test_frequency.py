"""Frequencies: periods, reasons, and what an issue's file may say of a digest."""

from __future__ import annotations

from datetime import date

import pytest

from mailout.core import issue
from mailout.core.errors import BadFile
from mailout.core.frequency import MISSED, Frequency, digest_of, period, told_in


@pytest.mark.parametrize(
    ("frequency", "day", "expected"),
    [
        (Frequency.WEEKLY, date(2026, 11, 26), "2026-w48"),
        (Frequency.WEEKLY, date(2027, 1, 3), "2026-w53"),  # a Sunday of the old year's last week
        (Frequency.WEEKLY, date(2027, 1, 4), "2027-w01"),
        (Frequency.MONTHLY, date(2027, 1, 3), "2027-01"),
    ],
)
def test_periods(frequency: Frequency, day: date, expected: str) -> None:
    assert period(frequency, day) == expected


def test_a_reason_names_its_digest() -> None:
    assert digest_of(told_in("2026-w48-bulletin-weekly")) == "2026-w48-bulletin-weekly"
    assert digest_of(MISSED) == digest_of("paused") == ""


def parsed(*lines: str) -> issue.IssuePlan:
    text = "---\nposts: [p]\n" + "".join(f"{line}\n" for line in lines) + "---\n"
    return issue.parse({"issues/w.en.md": text}, "en")


def test_a_digest_says_what_it_tells() -> None:
    plan = parsed("digest: weekly", "issues: [a, b]", "template: appeal")
    assert (plan.digest, plan.issues, plan.urgent) == ("weekly", ("a", "b"), False)
    assert (parsed().digest, parsed().issues) == ("", ())


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["digest: weakly", "issues: [a]"], "there is no weakly digest"),
        (["digest: urgent", "issues: [a]"], "there is no urgent digest"),
        (["digest: weekly"], "a digest needs `issues`"),
        (["digest: weekly", "issues: [a]", "urgent: true"], "a digest cannot be urgent"),
        (["issues: [a]"], "only a digest has `issues`"),
    ],
)
def test_what_is_no_digest_is_refused(lines: list[str], says: str) -> None:
    with pytest.raises(BadFile) as caught:
        parsed(*lines)
    assert says in caught.value.what and caught.value.where.startswith("issues/w.en.md:")
