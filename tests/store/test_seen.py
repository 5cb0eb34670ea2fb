"""What an import remembers of the addresses that its file had so far."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from mailout.store import seen as module
from mailout.store.seen import Seen


@pytest.fixture
def seen() -> Iterator[Seen]:
    with Seen() as opened:
        yield opened


def _keys(count: int, start: int = 0) -> list[str]:
    return [f"{number:032x}" for number in range(start, start + count)]


def test_a_key_is_seen_with_what_was_said_last(seen: Seen) -> None:
    assert seen.among(["a", "b"]) == {}
    seen.remember({"a": "active", "b": "paused"})
    seen.remember({"b": "left", "c": "active"})
    assert seen.among(["a", "b", "c", "d"]) == {"a": "active", "b": "left", "c": "active"}


def test_every_key_of_many_chunks_is_seen_and_no_other(seen: Seen) -> None:
    keys = _keys(40_000)
    random.Random(3).shuffle(keys)
    for at in range(0, len(keys), 10_000):
        some = keys[at : at + 10_000]
        assert seen.among(some) == {}
        seen.remember({key: f"said {key[-1]}" for key in some})
    assert seen.among(keys) == {key: f"said {key[-1]}" for key in keys}
    assert seen.among(_keys(40_000, 40_000)) == {}


def test_keys_that_share_a_place_are_kept_apart(
    seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PLACES", 8)
    for key in (keys := _keys(200)):
        assert seen.among([key]) == {}
        seen.remember({key: key})
    seen.remember(dict.fromkeys(keys[:50], "again"))
    assert seen.among(keys) == dict.fromkeys(keys[:50], "again") | {key: key for key in keys[50:]}
    assert seen.among(_keys(200, 200)) == {}


def test_more_texts_than_have_numbers_are_remembered_too(
    seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_TEXTS", 3)
    said = {key: f"text {number}" for number, key in enumerate(_keys(20))}
    seen.remember(said)
    assert seen.among(said.keys()) == said
