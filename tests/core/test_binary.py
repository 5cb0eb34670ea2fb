"""Binary files: what is no text is never read as one; what is, is never refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailout.core.errors import BadFile
from mailout.core.ingest import binary


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"])))
def test_no_text_is_refused_for_its_characters(text: str) -> None:
    for encoding in ("utf-8", "utf-16", "utf-32"):
        binary.refuse(f" {text}".encode(encoding), "x.txt")


@given(st.binary())
def test_any_bytes_are_text_or_a_complaint(raw: bytes) -> None:
    try:
        binary.refuse(raw, "x")
    except BadFile as error:
        assert error.where == "x"
        assert error.fix


def test_an_export_with_a_few_controls_is_text() -> None:
    binary.refuse(b"<rss>" + b"words \x03\x0b and more of them\n" * 50 + b"\x00" * 8, "x.xml")


@pytest.mark.parametrize("raw", [b"\0" * 999, bytes(range(32)) * 9, b"ID3\x03" + b"\0\1\2" * 99])
def test_many_controls_are_no_text(raw: bytes) -> None:
    with pytest.raises(BadFile, match="this is a binary file"):
        binary.refuse(raw, "x")
