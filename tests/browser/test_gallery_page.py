"""The gallery shows every page there is; it needs no browser to be read."""

from __future__ import annotations

import pytest
from gallery import FOLDER, LOOKS, MOST_BYTES
from reader_pages import PAGES, ReaderPage

from places import REPOSITORY

TEXT = (REPOSITORY / "docs" / "gallery.md").read_text("utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_page_is_shown(page: ReaderPage) -> None:
    for look, (language, _, _) in LOOKS.items():
        if language == "en" or page.per_language:
            assert f"](gallery/pages/{page.name}-{look}.png)" in TEXT, "make gallery"


def test_no_picture_is_large_or_left_over() -> None:
    pictures = list(FOLDER.iterdir())
    assert [one.name for one in pictures if one.stat().st_size >= MOST_BYTES] == []
    assert [one.name for one in pictures if f"/{one.name})" not in TEXT] == []
