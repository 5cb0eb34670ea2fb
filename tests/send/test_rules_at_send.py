"""Rules that were sound when an issue was ordered, and are not when its sending begins."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mailout.core.dispatch import DispatchState
from mailout.core.errors import MailoutError
from mailout.send import plan
from mailout.store import dispatches
from send_desk import Desk


@pytest.mark.parametrize("exclude", ["received(gone)", "segment gone", "gone", "branch = rail"])
def test_an_order_whose_rule_is_sound_no_more_has_not_begun(desk: Desk, exclude: str) -> None:
    """A worker holds it then; let go on, it must still have its people to be found."""
    desk.people(3)
    bulletin, now = desk.site.lists["bulletin"], datetime.now(UTC)
    issue = desk.issue()
    chosen = plan.choice(bulletin, issue.id, "everyone", "")
    dispatch = plan.order(desk.store, chosen, "everyone", exclude, now)
    with desk.store.writing() as tx:
        with pytest.raises(MailoutError):
            plan.enqueue(tx, bulletin, dispatch, now)
        found = dispatches.get(tx, dispatch.id)
    assert (found.state, found.filled_at) == (DispatchState.QUEUED, None)
