"""Saying why one left: once, and untraceable."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mailout.core.leave_reason import LeaveReason
from mailout.core.site import Site
from mailout.core.token import undo_token
from mailout.preferences.leave_reasons import give, listed, ticket
from mailout.store.engine import Store
from newcomers import LONG_AGO, dump

NOW = LONG_AGO.replace(hour=13, minute=7)
DAY = NOW.replace(hour=0, minute=0, second=0)


def random(number: int = 1):  # type: ignore[no-untyped-def]
    return lambda count: number.to_bytes(count)


def test_an_answer_is_kept_with_its_day(site: Site, store: Store) -> None:
    token = ticket(site.keys, "bulletin", NOW, random())
    assert give(store, site.keys, token, "bulletin", "not safe", " my\nboss\0 reads it ", NOW)
    [said] = listed(store)
    assert (said.list_id, said.reason, said.words) == (
        "bulletin",
        LeaveReason.NOT_SAFE,
        "my boss reads it",
    )
    assert said.at == DAY
    assert listed(store, "other") == []


def test_nothing_of_the_token_is_kept(site: Site, store: Store) -> None:
    token = ticket(site.keys, "bulletin", NOW, random())
    give(store, site.keys, token, "bulletin", "other", "", NOW)
    [(once, *rest)] = dump(store)["leave_reason"]
    assert token not in str(once)
    assert len(str(once)) == 64
    assert rest == ["bulletin", "other", "", DAY]


def test_the_same_answer_twice_is_one(site: Site, store: Store) -> None:
    token = ticket(site.keys, "bulletin", NOW, random())
    assert give(store, site.keys, token, "bulletin", "content", "", NOW)
    before = dump(store)
    assert give(store, site.keys, token, "bulletin", "too many", "again", NOW)
    assert dump(store) == before
    other = ticket(site.keys, "bulletin", NOW, random(2))
    assert give(store, site.keys, other, "bulletin", "content", "", NOW)
    assert len(listed(store)) == 2


@pytest.mark.parametrize(("reason", "words"), [("", ""), ("nonsense", " "), ("", "\0\u202e\n")])
def test_no_answer_is_fine_and_not_kept(site: Site, store: Store, reason: str, words: str) -> None:
    token = ticket(site.keys, "bulletin", NOW, random())
    assert give(store, site.keys, token, "bulletin", reason, words, NOW)
    assert listed(store) == []


def test_words_alone_are_something_else(site: Site, store: Store) -> None:
    token = ticket(site.keys, "bulletin", NOW, random())
    assert give(store, site.keys, token, "bulletin", "<script>", "слишком длинно " * 100, NOW)
    [said] = listed(store)
    assert said.reason is LeaveReason.OTHER
    assert len(said.words) == 500


def test_only_the_token_of_a_leave_lets_anybody_answer(site: Site, store: Store) -> None:
    token = ticket(site.keys, "bulletin", NOW, random())
    before = dump(store)
    for wrong in ("", "x" * 32, token[:-1], token + "x", token.swapcase(), "\0", "é" * 32):
        assert not give(store, site.keys, wrong, "bulletin", "other", "", NOW)
    assert not give(store, site.keys, token, "other", "other", "", NOW)
    assert not give(store, site.keys, token, "bulletin", "other", "", NOW + timedelta(hours=25))
    undo = undo_token(site.keys.undo, 1, datetime.now(UTC) + timedelta(days=1))
    assert not give(store, site.keys, undo, "bulletin", "other", "", NOW)
    assert dump(store) == before
