"""The documents and lines within a backup: read as written, and nothing else is."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailout.core.backup import (
    About,
    Column,
    Kind,
    Manifest,
    Shape,
    Sum,
    as_bytes,
    is_fit,
    pack_rows,
    part_name,
    read_about,
    read_manifest,
    table_of,
    unpack_rows,
)
from mailout.core.errors import BadFile

_SHAPE = Shape("thing", tuple(Column(kind.value, kind) for kind in Kind))
_ABOUT = About(
    format=1,
    program="0.1.0",
    store_version="0006",
    database="sqlite",
    site="Quay Workers",
    made_at=datetime(2026, 11, 24, 18, 30, 0, 5, UTC),
    keep_until=date(2026, 12, 24),
    holds_keys=True,
    tables=(_SHAPE,),
)
_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
_VALUES = {
    Kind.INTEGER: st.integers(-(2**63), 2**63 - 1),
    Kind.NUMBER: st.floats(allow_nan=False),
    Kind.TRUTH: st.booleans(),
}
_ROWS = st.lists(
    st.tuples(*(st.none() | _VALUES.get(kind, _TEXT) for kind in Kind)).map(list), max_size=5
)


@given(_ROWS)
def test_rows_are_read_as_they_were_written(rows: list[list[object]]) -> None:
    raw = pack_rows(rows)
    assert raw.count(b"\n") == len(rows)
    assert unpack_rows(_SHAPE, raw, "store/thing/000001.jsonl") == rows


@pytest.mark.parametrize(
    "line",
    ["[", "{}", "null", "[1]", '["1",1.0,"",true,"","",""]', '[true,1.0,"",true,"","",""]',
     '[1,1.0,"",1,"","",""]', '[1,1.0,5,true,"","",""]', "[" * 100_000],
)  # fmt: skip
def test_a_line_that_is_no_row_is_refused(line: str) -> None:
    with pytest.raises(BadFile):
        unpack_rows(_SHAPE, line.encode(), "store/thing/000001.jsonl")


def test_what_a_backup_says_of_itself_is_read_as_written() -> None:
    assert read_about(as_bytes(_ABOUT)) == _ABOUT
    manifest = Manifest({"about.json": Sum(3, "ab")}, {"thing": 4}, {"thing": 9})
    assert read_manifest(as_bytes(manifest)) == manifest


def test_a_newer_format_is_told_as_such() -> None:
    newer = {"format": 2, "program": "9.0", "anything": "else"}
    with pytest.raises(BadFile, match=r"made by a newer mailout \(9.0\)"):
        read_about(json.dumps(newer).encode())


@given(st.binary(max_size=60) | st.sampled_from([b"[]", b"{}", b"null", b'{"format": "x"}']))
def test_anything_at_all_is_refused_plainly(raw: bytes) -> None:
    with pytest.raises(BadFile):
        read_about(raw)
    with pytest.raises(BadFile):
        read_manifest(raw)


@pytest.mark.parametrize(
    "path",
    ["config.toml", "posts/2026-11-24-kai.ru.md", "posts/новости/кадр.jpg", ".gitignore",
     "dkim/.gitignore", "issues/.gitkeep", "a..b/c"],
)  # fmt: skip
def test_paths_that_stay_in_the_site(path: str) -> None:
    assert is_fit(path)


@pytest.mark.parametrize(
    "path",
    ["", "/etc/passwd", "../x", "a/../../x", "a/./b", "a//b", "a/", ".git/hooks/pre-commit",
     "posts/.git/config", ".gitignore/x", ".ssh/authorized_keys", "a\0b"],
)  # fmt: skip
def test_paths_that_do_not(path: str) -> None:
    assert not is_fit(path)


def test_a_member_names_its_table() -> None:
    assert table_of(part_name("subscriber_tag", 12)) == "subscriber_tag"
