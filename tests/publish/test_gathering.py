"""Gathering: the same posts from a file, a packed file, a folder and a web server."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from mailout.core.errors import BadFile, MailoutError, UsageError
from mailout.publish.gathering import KINDS, gather
from nobody import without_rights
from tls_host import TlsHost, page

FEED = """<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0"><channel><title>Quay News</title><link>https://quay.example.org/</link>
<description>News</description><language>ru</language>
<item><title>Краны стоят</title><link>https://quay.example.org/cranes</link>
<guid>https://quay.example.org/cranes</guid><pubDate>Fri, 20 Nov 2026 08:00:00 GMT</pubDate>
<description>&lt;p&gt;Бригада голосовала: &lt;a href="/vote"&gt;итоги&lt;/a&gt;.&lt;/p&gt;</description>
</item></channel></rss>"""
MARKDOWN = "---\ntitle: {title}\ndate: 2026-11-20\n---\nThe crane drivers voted.\n"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def host(authority: trustme.CA) -> Iterator[TlsHost]:
    with TlsHost(authority) as running:
        yield running


def bomb(megabytes: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = b"<p>words</p>" * 90_000
    return b"".join(packer.compress(block) for _ in range(megabytes)) + packer.flush()


def test_a_feed_from_a_file_a_packed_file_and_a_server_is_the_same(
    tmp_path: Path, host: TlsHost
) -> None:
    (tmp_path / "feed.xml").write_text(FEED, encoding="utf-8")
    (tmp_path / "packed").write_bytes(gzip.compress(FEED.encode()))
    host.answers["/feed"] = page(FEED.encode(), "application/rss+xml; charset=utf-8")
    host.answers["/feed.gz"] = page(gzip.compress(FEED.encode()), "application/gzip")
    found = [
        gather("feed", str(tmp_path / "feed.xml")),
        gather("feed", str(tmp_path / "packed")),
        gather("feed", host.url("/feed"), door=host.door()),
        gather("feed", host.url("/feed.gz"), door=host.door()),
    ]
    assert [one.found for one in found] == [1, 1, 1, 1]
    assert {one.items[0].title for one in found} == {"Краны стоят"}
    assert {one.items[0].source_id for one in found} == {found[0].items[0].source_id}


def test_what_the_server_says_of_the_charset_counts(host: TlsHost) -> None:
    text = "<html><head><title>Стачка</title></head><body><article><p>Бригада голосовала за стачку, все сто человек.</p></article></body></html>"
    host.answers["/"] = page(text.encode("cp1251"), "text/html; charset=windows-1251")
    (item,) = gather("page", host.url("/"), door=host.door()).items
    assert item.title == "Стачка"
    assert "Бригада голосовала" in item.html + item.markdown


def test_a_folder_of_markdown_is_read_in_depth_and_its_bad_files_left_out(tmp_path: Path) -> None:
    posts = tmp_path / "content" / "ru" / "post"
    posts.mkdir(parents=True)
    (posts / "a.md").write_text(MARKDOWN.format(title="A"))
    (posts / "b.markdown").write_text(MARKDOWN.format(title="B"))
    (posts / "broken.md").write_text("---\ntitle: [\n---\nText.\n")
    (posts / "latin.md").write_bytes(b"---\ntitle: x\x81\x8d\n---\n\x81\x8d\x8f\x90\x9d")
    (posts / "notes.txt").write_text("no post")
    (tmp_path / "content" / ".git").mkdir()
    (tmp_path / "content" / ".git" / "c.md").write_text(MARKDOWN.format(title="C"))
    (posts / "link.md").symlink_to(posts / "a.md")
    found = gather("markdown", str(tmp_path / "content"))
    assert sorted(item.title for item in found.items if item.title in "ABC") == ["A", "B"]
    assert {item.language for item in found.items if item.title in "AB"} == {"ru"}
    assert found.found == 4
    assert "content/ru/post/broken.md" in [one.what.rsplit(":", 2)[0] for one in found.skipped]


def test_what_lies_in_the_folder_for_drafts_is_one(tmp_path: Path) -> None:
    for name in ("_posts", "_drafts"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.md").write_text(MARKDOWN.format(title=name))
    found = gather("markdown", str(tmp_path))
    assert {item.title: item.status for item in found.items} == {
        "_drafts": "draft",
        "_posts": "published",
    }


@pytest.mark.parametrize("kind", ["html", "markdown", "page"])
def test_a_file_is_known_by_its_name_and_its_folder_is_noted(tmp_path: Path, kind: str) -> None:
    text = (
        "<html><body><article><h1>Strike</h1><p>They voted on Friday.</p></article></body></html>"
    )
    name = "statement.md" if kind == "markdown" else "statement.html"
    found = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text(
            "---\ntitle: Strike\n---\nThey voted.\n" if kind == "markdown" else text
        )
        found += gather(kind, str(tmp_path / folder / name)).items
    assert {item.source_id for item in found} == {f"file:{name.removesuffix('.md')}"}
    assert len({item.root for item in found} - {""}) == 2
    assert str(tmp_path) not in repr(found)


def test_a_folder_names_its_posts_alike_from_any_level(tmp_path: Path) -> None:
    for path in ("blog/post/vote/index.md", "blog/post/vote/index.ru.md", "blog/post/may.md"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(MARKDOWN.format(title="A"))
    whole = {item.source_id for item in gather("markdown", str(tmp_path / "blog")).items}
    part = {item.source_id for item in gather("markdown", str(tmp_path / "blog" / "post")).items}
    assert whole == part == {"file:vote", "file:may"}
    for name in ("index.md", "index.ru.md"):
        (one,) = gather("markdown", str(tmp_path / "blog" / "post" / "vote" / name)).items
        assert one.source_id == "file:vote"


BINARY = {
    "a PDF file": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj",
    "a Word document": b"PK\x03\x04" + bytes(26) + b"[Content_Types].xml" + b"..word/document.xml",
    "a LibreOffice document": b"PK\x03\x04" + bytes(26) + b"mimetypeapplication/vnd.oasis",
    "a ZIP archive": b"PK\x03\x04" + bytes(26) + b"posts/a.md",
    "an old Word document": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500),
    "an RTF document": rb"{\rtf1\ansi Strike}",
    "a PNG picture": b"\x89PNG\r\n\x1a\n" + bytes(20),
    "a JPEG picture": b"\xff\xd8\xff\xe0\x00\x10JFIF",
    "a GIF picture": b"GIF89a" + bytes(10),
    "a binary file": b"\x7fELF\x02\x01\x01" + bytes(range(40)) * 9,
}


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_holds_no_text_is_refused_by_name(
    tmp_path: Path, host: TlsHost, kind: str, name: str
) -> None:
    (tmp_path / "source").write_bytes(BINARY[name])
    host.answers["/source"] = page(BINARY[name], "text/html")
    with pytest.raises(BadFile, match=f"this is {name}, no text") as caught:
        gather(kind, str(tmp_path / "source"))
    assert caught.value.where.endswith("source")
    assert caught.value.fix
    with pytest.raises(BadFile, match=f"this is {name}, no text"):
        gather(kind, host.url("/source"), door=host.door())


def test_a_picture_among_posts_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(MARKDOWN.format(title="A"))
    (tmp_path / "b.md").write_bytes(BINARY["a PNG picture"])
    found = gather("markdown", str(tmp_path))
    assert [item.title for item in found.items] == ["A"]
    assert "a PNG picture" in found.skipped[0].why


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "koi8-r", "iso2022_jp"])
def test_text_in_wide_and_old_encodings_is_no_binary_file(tmp_path: Path, encoding: str) -> None:
    text = "Vote\n\n" + ("Yes! " * 40 if encoding == "iso2022_jp" else "Голосование в порту. " * 40)
    (tmp_path / "source.txt").write_bytes(text.encode(encoding))
    assert gather("html", str(tmp_path / "source.txt")).items[0].title


def test_a_folder_without_posts_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no Markdown file"):
        gather("markdown", str(tmp_path))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "markdown"])
def test_no_other_kind_takes_a_folder(tmp_path: Path, kind: str) -> None:
    with pytest.raises(UsageError, match="this is a folder"):
        gather(kind, str(tmp_path))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_there_is_named(tmp_path: Path, kind: str) -> None:
    with pytest.raises(UsageError, match="no such file"):
        gather(kind, str(tmp_path / "none.xml"))
    with pytest.raises(UsageError) as caught:
        gather(kind, "www.example.org/feed")
    assert "https://" in caught.value.fix


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="this is no file"):
        gather("feed", str(tmp_path / "pipe"))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "feed.xml"
    path.touch(mode=0)
    refused = pytest.raises(MailoutError, match="cannot be read: Permission denied")
    with without_rights(path), refused:
        gather("feed", str(path))


@pytest.mark.parametrize(
    ("kind", "most"), [("feed", 20), ("page", 20), ("html", 20), ("markdown", 10)]
)
def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, kind: str, most: int) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(most * 1_000_000 + 1)
    with pytest.raises(BadFile, match=f"more than {most} MB"):
        gather(kind, str(tmp_path / "large"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_bomb_stops_early(tmp_path: Path, host: TlsHost, kind: str) -> None:
    raw = bomb(400)
    assert len(raw) < 2_000_000
    (tmp_path / "bomb.md").write_bytes(raw)
    with pytest.raises(BadFile, match="more than"):
        gather(kind, str(tmp_path / "bomb.md"))
    host.answers["/bomb.gz"] = page(raw, "application/gzip")
    host.answers["/bomb"] = page(raw, "text/plain", more="Content-Encoding: gzip\r\n")
    for path in ("/bomb.gz", "/bomb") if kind != "wxr" else ("/bomb",):
        with pytest.raises(BadFile, match="more than"):
            gather(kind, host.url(path), door=host.door())


@pytest.mark.parametrize(
    "raw", [b"\x1f\x8b", b"\x1f\x8b\x08\x00", gzip.compress(b"x" * 999, mtime=0)[:20]]
)
def test_a_packed_file_that_is_damaged_is_named(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "feed.gz").write_bytes(raw)
    with pytest.raises(BadFile, match=r"damaged|too early") as caught:
        gather("feed", str(tmp_path / "feed.gz"))
    assert caught.value.where.endswith("feed.gz")


@pytest.mark.parametrize(
    "source", ["http://harbour.example.org/", "file:///etc/passwd", "data://x"]
)
def test_only_https_is_fetched(source: str) -> None:
    with pytest.raises(MailoutError, match="only https is fetched"):
        gather("page", source)
