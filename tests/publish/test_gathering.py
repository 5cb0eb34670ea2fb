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
def test_two_files_of_one_name_are_two_posts(tmp_path: Path, kind: str) -> None:
    found = []
    for title in ("Strike", "Vote"):
        (tmp_path / title).mkdir()
        text = f"<html><body><article><h1>{title}</h1><p>The crane drivers voted in the yard on Friday.</p></article></body></html>"
        name = "statement.md" if kind == "markdown" else "statement.html"
        text = f"---\ntitle: {title}\n---\nThey voted.\n" if kind == "markdown" else text
        (tmp_path / title / name).write_text(text)
        found.append([gather(kind, str(tmp_path / title / name)).items[0].source_id for _ in "12"])
    assert found[0][0] == found[0][1] != found[1][0] == found[1][1]


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


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "feed.xml").touch(mode=0)
    with pytest.raises(MailoutError, match="cannot be read: Permission denied"):
        gather("feed", str(tmp_path / "feed.xml"))


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
