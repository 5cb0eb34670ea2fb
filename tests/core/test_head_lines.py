"""Head lines: a status changes, and every other byte of a file stays."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailout.core import front_matter
from mailout.core.errors import BadFile
from mailout.core.ingest.head_lines import amended

PLAIN = """---
title: "Vote"  # ours
imported:
  by: wxr
  from: https://harbour.example.org/?p=17
  seen: '12'
tags: [a,   b]
---
status: no key

Text.
"""


def change(text: str, status: str = "private", **mark: str) -> str:
    return amended(text, "posts/a.en.md", status, mark)


def test_a_status_is_put_before_the_mark() -> None:
    assert change(PLAIN) == PLAIN.replace("imported:", "status: private\nimported:")


@pytest.mark.parametrize("place", ["title:", "imported:", "tags:"])
def test_a_status_that_stands_there_changes_in_its_place(place: str) -> None:
    text = PLAIN.replace(place, f"status: archived\n{place}", 1)
    assert change(text) == text.replace("status: archived", "status: private")
    assert change(text, "ready") == PLAIN


def test_values_of_the_mark_are_set_and_taken_out() -> None:
    text = change(PLAIN, "ready", seen="34e5", before="archived")
    assert text == PLAIN.replace("seen: '12'", "seen: '34e5'\n  before: 'archived'")
    assert change(text, "ready", seen="12", before="") == PLAIN


def test_line_ends_stay() -> None:
    text = PLAIN.replace("\n", "\r\n")
    changed = change(text, before="ready")
    assert changed.count("\n") == changed.count("\r\n") == text.count("\n") + 2


def test_a_head_that_cannot_be_read_is_named() -> None:
    with pytest.raises(BadFile, match="has no end"):
        change("---\ntitle: x\n")


_scalars = st.text(max_size=20) | st.integers() | st.booleans() | st.none()
_heads = st.dictionaries(
    st.text(min_size=1, max_size=10), _scalars | st.lists(_scalars, max_size=3), max_size=4
)


@given(_heads, st.dictionaries(st.sampled_from(["by", "seen", "x"]), _scalars), st.text(),
       st.sampled_from(["ready", "private"]), st.sampled_from(["", "12e3"]))  # fmt: skip
def test_any_head_has_the_status_and_all_else(
    values: dict[str, Any], mark: dict[str, Any], body: str, status: str, seen: str
) -> None:
    text = front_matter.join({**values, "imported": mark}, body.replace("\0", ""))
    before = front_matter.split(text, "x.md")
    after = front_matter.split(change(text, status, seen=seen), "x.md")
    assert after.body == before.body
    assert after.values.get("status", "ready") == status
    assert (after.values.get("imported") or {}).get("seen", "") == seen
    others = {
        key: value for key, value in before.values.items() if key not in ("status", "imported")
    }
    assert {key: after.values[key] for key in others} == others
