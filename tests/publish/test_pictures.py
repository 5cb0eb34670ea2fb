"""Pictures of posts: drawn anew, bare, small; what is none is named with its line."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from mailout.core import markup
from mailout.core.errors import BadFile
from mailout.core.picture import Picture, Shown, is_elsewhere, shown
from mailout.core.post import Post, parse
from mailout.core.site import Site
from mailout.publish import pictures
from photographs import SECRET, a_photograph


def post_with(site: Site, raw: bytes, markdown: str = "![The gate](gate.jpg)") -> Post:
    folder = site.root / "posts"
    folder.mkdir(exist_ok=True)
    (folder / "gate.jpg").write_bytes(raw)
    text = f"---\ntitle: Strike\n---\n\nBefore.\n\n{markdown}\n"
    return parse(text, "posts/2026-11-20-strike.en.md", "en")


def test_nothing_that_a_camera_wrote_is_left(site: Site) -> None:
    raw = a_photograph()
    assert SECRET in raw
    (picture,) = pictures.of_post(site.root, post_with(site, raw)).values()
    drawn = pictures.content(site.root, picture)
    assert SECRET not in drawn
    with Image.open(io.BytesIO(drawn)) as image:
        assert dict(image.getexif()) == {}
        assert "comment" not in image.info
        assert image.size == (picture.width, picture.height) == (1040, 520)


def test_a_picture_stands_upright(site: Site) -> None:
    raw = a_photograph((800, 400), turned=True)
    (picture,) = pictures.of_post(site.root, post_with(site, raw)).values()
    assert (picture.width, picture.height) == (400, 800)


def test_a_see_through_picture_stays_so(site: Site) -> None:
    raw = io.BytesIO()
    Image.new("RGBA", (10, 10), (255, 0, 0, 0)).save(raw, "PNG")
    (picture,) = pictures.of_post(site.root, post_with(site, raw.getvalue())).values()
    assert picture.name.endswith(".png")


def test_the_same_file_is_drawn_once(site: Site) -> None:
    post = post_with(site, a_photograph())
    first = pictures.of_post(site.root, post)
    path = site.root / pictures.FOLDER / next(iter(first.values())).name
    before = path.stat().st_mtime_ns
    assert pictures.of_post(site.root, post) == first
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("raw", "markdown", "says"),
    [
        (
            b"<svg onload='x'/>",
            "![a](gate.jpg)",
            "`gate.jpg` is no picture that every reader can see",
        ),
        (b"not a picture", "![a](gate.jpg)", "is no picture"),
        (a_photograph((50, 50))[:-400], "![a](gate.jpg)", "is no picture|is broken"),
        (a_photograph(), "![ ](gate.jpg)", "has no text that stands for it"),
        (a_photograph(), "![a](gone.jpg)", "there is no picture `gone.jpg`"),
        (a_photograph(), "![a](../keys.toml)", "there is no picture `../keys.toml`"),
        (a_photograph(), "![a](/../../keys.toml)", "there is no picture"),
        (a_photograph(), "![a](%00.jpg)", "there is no picture"),
    ],
)
def test_what_is_no_picture(site: Site, raw: bytes, markdown: str, says: str) -> None:
    with pytest.raises(BadFile, match=says) as caught:
        pictures.of_post(site.root, post_with(site, raw, markdown))
    assert caught.value.where == "posts/2026-11-20-strike.en.md:7"


def test_a_picture_of_too_many_pixels_is_not_drawn(site: Site) -> None:
    raw = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(raw, "PNG")
    with pytest.raises(BadFile, match=r"30000 x 30000 pixels|is no picture"):
        pictures.of_post(site.root, post_with(site, raw.getvalue()))


@pytest.mark.parametrize("source", ["https://x.example.org/a.jpg", "//x.example.org/a", "data:x"])
def test_pictures_elsewhere_are_left_out(site: Site, source: str) -> None:
    assert is_elsewhere(source)
    assert pictures.of_post(site.root, post_with(site, b"", f"![a]({source})")) == {}


def test_a_picture_is_no_wider_than_its_room() -> None:
    assert shown(Picture("a", 1040, 700), "u", 520) == Shown("u", 520, 350)
    assert shown(Picture("a", 300, 10), "u", 520) == Shown("u", 300, 10)


def test_the_words_of_a_picture_are_printed_without_their_marks() -> None:
    html = markup.to_html(r"![A \[b\] *c* & d](x.jpg)", {"x.jpg": Shown("https://e/x", 5, 6)})
    assert html == '<p><img src="https://e/x" width="5" height="6" alt="A [b] c &amp; d"></p>'
    assert markup.to_html(r"![A \[b\] *c* & d](y.jpg)") == "<p>[A [b] c &amp; d]</p>"
