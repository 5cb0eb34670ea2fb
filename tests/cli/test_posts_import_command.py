"""`mailout posts import`: from each kind of source to a built mail, and again."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import socket
import zlib
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
import trustme

from command_line import CommandLine, Said
from mailout.cli import posts_import
from mailout.fetch import Door, fetch
from mailout.publish import gathering
from tls_host import TlsHost, page

KEYS = [
    *("source", "found", "imported", "updated", "unchanged", "skipped", "by_status"),
    *("by_file_status", "warnings", "files", "dry_run"),
]

POST = """
<item><title>{title}</title><link>https://quay.example.org/{slug}</link>
<dc:creator>aliya</dc:creator><guid isPermaLink="false">https://quay.example.org/?p={number}</guid>
<content:encoded><![CDATA[{html}]]></content:encoded>
<wp:post_id>{number}</wp:post_id><wp:post_date>{date} 08:00:00</wp:post_date>
<wp:post_name>{slug}</wp:post_name><wp:status>{status}</wp:status>
<wp:post_type>{type}</wp:post_type>
<category domain="category" nicename="harbour"><![CDATA[Harbour]]></category></item>"""

EXPORT = """<?xml version="1.0" encoding="UTF-8" ?>
<rss version="2.0" xmlns:excerpt="http://wordpress.org/export/1.2/excerpt/"
 xmlns:content="http://purl.org/rss/1.0/modules/content/"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:wp="http://wordpress.org/export/1.2/">
<channel><title>Quay News</title><link>https://quay.example.org</link><language>en-GB</language>
<wp:wxr_version>1.2</wp:wxr_version>{items}
</channel></rss>"""

FEED = """<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0"><channel><title>Quay News</title><link>https://quay.example.org/</link>
<description>News</description><language>en</language>
<item><title>Cranes stand still</title><link>https://quay.example.org/cranes</link>
<guid>https://quay.example.org/cranes</guid><pubDate>Fri, 20 Nov 2026 08:00:00 GMT</pubDate>
<description>&lt;p&gt;The crane drivers voted: &lt;a href="/vote"&gt;97 per cent&lt;/a&gt;.&lt;/p&gt;
</description></item></channel></rss>"""

PAGE = """<!doctype html><html lang="en"><head><title>Cranes stand still – Quay News</title>
<meta property="article:published_time" content="2026-11-20T08:00:00+00:00">
<link rel="canonical" href="https://quay.example.org/cranes"></head><body>
<nav><a href="/">Home</a></nav>
<article><h1>Cranes stand still</h1>
<p>The crane drivers voted in the yard on Friday morning, all of them, in the rain.</p>
<p>They voted <a href="/vote">97 per cent</a> for a strike from Monday on.</p></article>
<footer>Imprint</footer></body></html>"""

SAVED = """Cranes stand still

Posted by Aliya on November 20, 2026

Harbour / No Comments

The crane drivers voted in the yard on Friday morning, all of them, in the rain.

They voted 97 per cent for a strike from Monday on.
"""

MARKDOWN = """---
layout: post
title: Cranes stand still
date: 2026-11-20 08:00:00 +0000
categories: harbour strikes
---
The crane drivers voted: [97 per cent](https://quay.example.org/vote).
"""


def export(**changes: str) -> str:
    """An export: two posts that are published, a draft, a menu and somebody's letter."""
    base = {"html": "<p>The crane drivers voted.</p>", "status": "publish", "type": "post"}
    items = [
        {"title": "Cranes stand still", "slug": "cranes", "number": "1", "date": "2026-11-20"},
        {"title": "Ten years ago", "slug": "ten-years", "number": "2", "date": "2016-11-20"},
        {"title": "Plan", "slug": "plan", "number": "3", "date": "2026-11-21", "status": "draft"},
        {
            "title": "Menu",
            "slug": "m",
            "number": "4",
            "date": "2026-11-21",
            "type": "nav_menu_item",
        },
        {"title": "About us", "slug": "us", "number": "5", "date": "2026-11-21", "type": "page"},
        {
            "title": "Letter of Petra Zalesova",
            "slug": "letter",
            "number": "6",
            "date": "2026-11-21",
            "type": "flamingo_inbound",
            "html": "petra@example.net wrote",
        },
    ]
    items[0] |= changes
    return EXPORT.format(items="".join(POST.format(**(base | item)) for item in items))


@pytest.fixture
def shell(
    new_site: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> CommandLine:
    """A new site without posts, on a day in November. An import asks no store: no database."""
    monkeypatch.setattr(posts_import, "_today", lambda _site: date(2026, 11, 24))
    root = tmp_path / "site"
    shutil.copytree(new_site, root)
    for post in (root / "posts").iterdir():
        post.unlink()
    found = CommandLine(root, capsys)
    found.fall_back_to_english()
    return found


def take(shell: CommandLine, kind: str, text: str | bytes, *words: str, code: int = 0) -> Said:
    """An import of this text, as a file of the kind; by what a test sets the clock to."""
    ending = {"wxr": "xml", "feed": "xml", "page": "html", "markdown": "md", "html": "html"}[kind]
    file = shell.root.parent / f"2026-11-20-source.{ending}"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    since = ("--ready-since", "2026-11-10")
    return shell("posts", "import", kind, str(file), *since, *words, code=code)


def posts(shell: CommandLine) -> dict[str, str]:
    return {
        path.name: path.read_text(encoding="utf-8")
        for path in sorted((shell.root / "posts").rglob("*"))
        if path.is_file()
    }


def issue_of(shell: CommandLine, *keys: str) -> tuple[str, str]:
    """A new issue of these posts, or of what is ready: its name and its text."""
    old = set((shell.root / "issues").glob("*.en.md"))
    shell("issues", "new", *keys)
    (file,) = set((shell.root / "issues").glob("*.en.md")) - old
    return file.name.removesuffix(".en.md"), file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("kind", "text", "link"),
    [
        ("wxr", export(html='<p>They voted: <a href="/vote">97 per cent</a>.</p>'), True),
        ("feed", FEED, True),
        ("page", PAGE, True),
        ("page", SAVED, False),
        ("markdown", MARKDOWN, True),
        ("html", PAGE, True),
    ],
    ids=["wxr", "feed", "page", "saved text", "markdown", "html"],
)
def test_from_each_kind_of_source_to_a_built_mail(
    shell: CommandLine, kind: str, text: str, link: bool
) -> None:
    report = take(shell, kind, text, "--json").json
    assert list(report) == KEYS
    assert report["imported"] >= 1
    name = next(name for name in posts(shell) if name.startswith("2026-11-20-"))
    key = name.removesuffix(".en.md")
    assert f"posts/{name}" in report["files"]

    before = posts(shell)
    again = take(shell, kind, text, "--json").json
    assert (again["imported"], again["updated"], again["files"]) == (0, 0, [])
    assert again["unchanged"] == report["imported"]
    assert posts(shell) == before

    issue, listed = issue_of(shell)
    assert f"- {key}" in listed
    shell("compile", issue)
    built = (shell.root / "build" / issue / "en.txt").read_text()
    assert "Cranes stand still" in built.replace("\n", " ") or "CRANES" in built
    assert "97 per cent" in built
    assert ("https://quay.example.org/vote" in built) == link


def test_an_export_is_sorted_out_and_nobodys_letters_are_read(shell: CommandLine) -> None:
    said = take(shell, "wxr", export(), "--json")
    report = said.json
    assert (report["imported"], report["updated"], report["unchanged"]) == (2, 0, 0)
    assert report["by_status"] == {"published": 2, "draft": 1}
    whys = {one["what"]: one["why"] for one in report["skipped"]}
    assert any("nav_menu_item" in what for what in whys)
    assert any("draft" in why and "--drafts" in why for why in whys.values())
    assert "etra" not in said.out + said.err + "".join(posts(shell).values())
    assert list(posts(shell)) == ["2016-11-20-ten-years.en.md", "2026-11-20-cranes.en.md"]
    listed = {one["key"]: one["state"] for one in shell("posts", "list", "--json").json}
    assert listed == {"2016-11-20-ten-years": "archived", "2026-11-20-cranes": "ready"}


def test_what_is_archived_goes_into_no_issue_by_itself_but_by_name(shell: CommandLine) -> None:
    take(shell, "wxr", export())
    assert "ten-years" not in issue_of(shell)[1]
    name, text = issue_of(shell, "2016-11-20-ten-years")
    assert "ten-years" in text
    shell("compile", name)


def test_drafts_are_taken_along_and_never_sent(shell: CommandLine) -> None:
    report = take(shell, "wxr", export(), "--drafts", "--json").json
    assert report["imported"] == 3
    (draft,) = (name for name in posts(shell) if "plan" in name)
    assert "status: draft" in posts(shell)[draft]
    assert "plan" not in issue_of(shell)[1]
    name, _ = issue_of(shell, draft.removesuffix(".en.md"))
    assert "is a draft" in shell("compile", name, code=1).err


def test_what_is_private_at_its_source_is_refused_by_compile(shell: CommandLine) -> None:
    take(shell, "wxr", export(status="private"), "--drafts")
    name, _ = issue_of(shell, "2026-11-20-cranes")
    said = shell("compile", name, code=1)
    assert "has the status `private`" in said.err
    assert "posts/2026-11-20-cranes.en.md" in said.err


def test_pages_are_taken_when_asked_for(shell: CommandLine) -> None:
    assert take(shell, "wxr", export(), "--pages", "--json").json["imported"] == 3
    said = take(shell, "feed", FEED, "--pages", code=2)
    assert "only a WordPress export has pages" in said.err


def test_a_dry_run_writes_nothing_and_tells_the_same(shell: CommandLine) -> None:
    dry = take(shell, "wxr", export(), "--dry-run", "--json").json
    assert dry["dry_run"]
    assert not posts(shell)
    assert take(shell, "wxr", export(), "--json").json == dry | {"dry_run": False}
    assert "A dry run: nothing was written." in take(shell, "wxr", export(), "--dry-run").out


def test_an_edit_is_kept_until_overwrite(shell: CommandLine) -> None:
    take(shell, "wxr", export())
    name = "posts/2026-11-20-cranes.en.md"
    ours = posts(shell)["2026-11-20-cranes.en.md"].replace("The crane drivers", "All of them")
    shell.write(name, ours)
    changed = export(html="<p>The crane drivers voted again.</p>")
    report = take(shell, "wxr", changed, "--json").json
    assert (report["updated"], report["unchanged"]) == (0, 1)
    assert any("edited here" in one["why"] for one in report["skipped"])
    assert posts(shell)["2026-11-20-cranes.en.md"] == ours
    assert take(shell, "wxr", changed, "--overwrite", "--json").json["updated"] == 1
    assert "voted again" in posts(shell)["2026-11-20-cranes.en.md"]


def test_what_changed_at_the_source_is_updated(shell: CommandLine) -> None:
    take(shell, "wxr", export())
    report = take(shell, "wxr", export(title="Cranes stand still, day 2"), "--json").json
    assert (report["imported"], report["updated"], report["unchanged"]) == (0, 1, 1)
    assert report["files"] == ["posts/2026-11-20-cranes.en.md"]


def test_the_report_says_in_words_what_comes_next(shell: CommandLine) -> None:
    said = take(shell, "wxr", export(), "--drafts")
    assert "1 ready: `mailout issues new`" in said.out
    assert "1 archived (older than 2026-11-10" in said.out
    assert "1 kept back" in said.out
    assert "posts/2026-11-20-cranes.en.md\tready" in said.out


def test_what_is_dated_later_is_kept_back_and_said_so(shell: CommandLine) -> None:
    later = FEED.replace("Fri, 20 Nov 2026", "Tue, 01 Dec 2026")
    said = take(shell, "feed", later)
    assert "dated after today (2026-12-01): --drafts takes it along" in said.out
    assert not posts(shell)
    said = take(shell, "feed", later, "--drafts")
    assert "1 dated later, and kept back until then: import again from that day on" in said.out
    assert "posts/2026-12-01-cranes-stand-still.en.md\tfuture" in said.out


def test_files_are_counted_by_the_status_that_they_have_here(shell: CommandLine) -> None:
    report = take(shell, "wxr", export(), "--drafts", "--json").json
    assert report["by_status"] == {"published": 2, "draft": 1}
    assert report["by_file_status"] == {"ready": 1, "archived": 1, "draft": 1}
    assert take(shell, "wxr", export(), "--json").json["by_file_status"] == {}


def test_an_export_of_which_nobody_chose_the_language_is_read_by_its_letters(
    shell: CommandLine,
) -> None:
    russian = export(title="Краны стоят", html="<p>Бригада крановщиков голосовала в порту.</p>")
    text = russian.replace("<language>en-GB<", "<language>en-US<")
    report = take(shell, "wxr", text, "--json").json
    assert report["files"] == ["posts/2026-11-20-cranes.ru.md", "posts/2016-11-20-ten-years.en.md"]
    assert any("its letters are Cyrillic: taken as `ru`" in one for one in report["warnings"])


def test_two_blogs_and_a_folder_from_two_levels(shell: CommandLine) -> None:
    for blog, words in (("quay", "The crane drivers voted."), ("school", "No bell rings today.")):
        folder = shell.root.parent / blog / "content" / "post"
        folder.mkdir(parents=True)
        for code in ("de", "en", "ru"):
            text = f"---\ntitle: May in the {blog}\n---\n{code}: {words}\n"
            (folder / f"2026-11-20-may.{code}.md").write_text(text)

    def add(path: str) -> dict[str, int]:
        report = shell("posts", "import", "markdown", str(shell.root.parent / path), "--json").json
        return {key: report[key] for key in ("imported", "updated", "unchanged") if report[key]}

    assert add("quay") == {"imported": 3}
    assert add("school") == {"imported": 3}
    assert add("quay/content/post") == {"unchanged": 3}
    assert add("quay/content/post/2026-11-20-may.ru.md") == {"unchanged": 1}
    assert add("school/content") == {"unchanged": 3}
    assert {one["key"]: one["languages"] for one in shell("posts", "list", "--json").json} == {
        "2026-11-20-may": ["de", "en", "ru"],
        "2026-11-20-may-2": ["de", "en", "ru"],
    }


@pytest.mark.parametrize("kind", gathering.KINDS)
def test_a_pdf_is_refused_in_one_line(shell: CommandLine, kind: str) -> None:
    said = take(shell, kind, b"%PDF-1.7\n%\xe2\xe3\n", code=1)
    assert "this is a PDF file, no text. Copy its text into a text file." in said.err
    assert len(said.err.splitlines()) == 1
    assert not posts(shell)


def test_many_warnings_are_told_together(shell: CommandLine) -> None:
    base = {"status": "publish", "type": "post", "date": "2026-11-20"}
    items = "".join(
        POST.format(title=f"Part {n}", slug=f"part-{n}", number=n,
                    html='<p>Words.</p>[sponsor-box id="3"]', **base)
        for n in range(1, 31)
    )  # fmt: skip
    said = take(shell, "wxr", EXPORT.format(items=items))
    told = [line for line in said.out.splitlines() if "sponsor-box" in line]
    assert len(told) == 1
    assert "and 27 more" in told[0]
    assert ".. and 10 more" in said.out  # of the files
    report = take(shell, "wxr", EXPORT.format(items=items), "--json").json
    assert report["unchanged"] == 30


def test_a_colon_in_a_title_does_not_cut_what_a_warning_is_about(shell: CommandLine) -> None:
    said = take(
        shell, "wxr", export(title="Strike: day 2", html='<p>Words.</p>[sponsor-box id="3"]')
    )
    (line,) = (line for line in said.out.splitlines() if "sponsor-box" in line)
    assert "Strike: day 2" in line.split("\t")[0]


def test_a_title_does_not_talk_to_the_terminal(shell: CommandLine) -> None:
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "Quay",
        "items": [{"id": "1", "title": "\x1b[2Jgone\x07", "content_text": ""}],
    }
    said = take(shell, "feed", json.dumps(feed))
    assert "\x1b" not in said.out + said.err
    assert "\x07" not in said.out + said.err


def test_a_folder_of_posts_with_languages_in_its_names(shell: CommandLine) -> None:
    folder = shell.root.parent / "_posts"
    folder.mkdir()
    (folder / "2026-11-20-cranes.md").write_text(MARKDOWN)
    (folder / "2026-11-20-cranes.ru.md").write_text(MARKDOWN.replace("Cranes stand still", "Краны"))
    (folder / "broken.md").write_text("---\ntitle: [\n---\n")
    report = shell("posts", "import", "markdown", str(folder), "--json").json
    assert report["imported"] == 2
    assert set(posts(shell)) == {"2026-11-20-cranes.en.md", "2026-11-20-cranes.ru.md"}
    assert any("broken.md" in one["what"] for one in report["skipped"])
    (one,) = shell("posts", "list", "--json").json
    assert one["languages"] == ["en", "ru"]


def test_the_language_of_a_source_that_tells_none(shell: CommandLine) -> None:
    take(shell, "markdown", MARKDOWN, "--language", "ru")
    assert list(posts(shell)) == ["2026-11-20-cranes-stand-still.ru.md"] or all(
        name.endswith(".ru.md") for name in posts(shell)
    )
    said = take(shell, "markdown", MARKDOWN.replace("voted", "vote"), "--language", "kz")
    assert "`kz` is a country, not a language: `kk` is taken" in said.err
    said = take(shell, "markdown", MARKDOWN, "--language", "russian!", code=2)
    assert "not a language code" in said.err


def test_a_page_is_fetched_through_the_door(
    shell: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TlsHost(trustme.CA()) as host:
        host.answers["/cranes"] = page(PAGE.encode())

        def through(url: str, _door: Door) -> object:
            return fetch(url, host.door())

        monkeypatch.setattr(gathering, "fetch", through)
        report = shell("posts", "import", "page", host.url("/cranes"), "--json").json
    assert report["source"] == host.url("/cranes")
    assert report["imported"] == 1
    (text,) = posts(shell).values()
    assert "97 per cent" in text


# Made when their test runs: every process of the suite collects all tests.
def bomb() -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    block = bytes(1_000_000)
    return b"".join(packer.compress(block) for _ in range(1000)) + packer.flush()


def bomb_of_an_export() -> bytes:
    return gzip.compress(b"\0" * 201_000_000, 1)


@pytest.mark.parametrize(
    ("kind", "raw", "what"),
    [
        ("wxr", b"<!doctype html><html><body><p>Log in</p></body></html>", "HTML"),
        ("feed", b"<!doctype html><html><body><p>Log in</p></body></html>", "HTML"),
        ("wxr", export().encode()[:-300], ":"),
        ("feed", FEED.encode()[:-40], ":"),
        ("wxr", b"", ""),
        ("feed", b"", ""),
        ("feed", bomb, "more than 20 MB"),
        ("wxr", bomb_of_an_export, "more than 200 MB"),
        (
            "wxr",
            b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'
            b"<rss><channel><title>&b;</title></channel></rss>",
            "",
        ),
        ("markdown", b"---\ntitle: [\n---\nText\n", ":"),
    ],
    ids=[
        *("page as export", "page as feed", "truncated export", "truncated feed", "no export"),
        *("no feed", "bomb", "bomb of an export", "entities", "broken head"),
    ],
)
def test_what_cannot_be_read_is_one_clear_error_and_nothing_is_written(
    shell: CommandLine, kind: str, raw: bytes | Callable[[], bytes], what: str
) -> None:
    said = take(shell, kind, raw() if callable(raw) else raw, code=1)
    assert len(said.err.splitlines()) == 1
    assert "2026-11-20-source" in said.err
    assert what in said.err
    assert not said.out
    assert not posts(shell)


@pytest.mark.parametrize(
    ("source", "what", "code"),
    [
        ("http://quay.example.org/feed", "only https is fetched, not http", 1),
        ("https://127.0.0.1/feed", "127.0.0.1 is no public address", 1),
        ("https://[::1]/feed", "no public address", 1),
        ("https://169.254.169.254/latest/", "no public address", 1),
        ("https://192.168.0.1/feed", "no public address", 1),
        ("https://anna:secret@quay.example.org/feed", "name or password", 1),
        ("file:///etc/passwd", "only https is fetched, not file", 1),
        ("no-such-file.xml", "no such file", 2),
    ],
)
def test_what_is_not_fetched_or_not_there(
    shell: CommandLine, source: str, what: str, code: int
) -> None:
    said = shell("posts", "import", "feed", source, code=code)
    assert what in said.err
    assert "secret" not in said.err
    assert len(said.err.splitlines()) == 1


def test_loopback_is_not_fetched_even_from_a_site_on_loopback(shell: CommandLine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"https://127.0.0.1:{listening.getsockname()[1]}/"
        assert "only port 443" in shell("posts", "import", "page", url, code=1).err
        assert "no public address" in shell("posts", "import", "page", "https://127.0.0.1/", code=1).err  # fmt: skip


def test_a_folder_is_no_export(shell: CommandLine) -> None:
    said = shell("posts", "import", "wxr", str(shell.root), code=2)
    assert "this is a folder" in said.err


def test_words_that_do_not_fit_are_refused(shell: CommandLine) -> None:
    assert "wxr" in shell("posts", "import", "blog", "x.xml", code=2).err
    said = take(shell, "feed", FEED, "--ready-since", "soon", code=2)
    assert "`soon` is no date" in said.err


def test_a_folder_that_cannot_be_written_is_named(shell: CommandLine) -> None:
    if os.geteuid() == 0:  # nothing is read-only for root
        (shell.root / "posts").rmdir()
        (shell.root / "posts").write_text("a file")
    else:
        (shell.root / "posts").chmod(0o500)
    said = take(shell, "feed", FEED, code=1)
    assert "posts/: cannot be written" in said.err


def test_a_broken_post_of_our_own_is_named_before_anything_is_written(shell: CommandLine) -> None:
    shell.write("posts/broken.en.md", "---\ntitle: [\n---\n")
    before = posts(shell)
    assert "posts/broken.en.md:" in take(shell, "feed", FEED, code=1).err
    assert posts(shell) == before
