"""The archive: what goes in and what never does, links that lead somewhere, bytes that stay."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote, unquote, urljoin, urlsplit

import icalendar
import pytest
from lxml import etree, html

from mailed_issues import MONDAY, compiled, mail, ordered, write_post
from mailout.config.templates import read_templates
from mailout.core.archive import FOLDER
from mailout.core.dispatch import DispatchState
from mailout.core.errors import BadFile, MailoutError
from mailout.core.mailing_list import MailingList
from mailout.core.site import ArchiveSettings, Site
from mailout.core.target import Target, Targets
from mailout.publish import archive, archive_pages, sources
from mailout.publish.archive import Built
from mailout.publish.compile import compile_issue
from mailout.store import dispatches, issues
from mailout.store.engine import Store

NOW = MONDAY + timedelta(days=1)
APPEAL = """
kind: appeal
author: Ada Brandt
excerpt: One signature ends it.
canonical_url: https://campaign.example.org/appeal
actions:
  - type: sign
    label: Sign now
    url: https://campaign.example.org/sign
    email: sign@campaign.example.org
  - type: letter
    label: Write to the ministry
    to: office@ministry.example.net
    cc: [copies@campaign.example.org]
    subject: Release her
    body: |
      Dear Minister,

      please release her.
"""


@dataclass(frozen=True)
class Shelf:
    """A site with its store, and the archive as it is on the disk."""

    site: Site
    store: Store

    @property
    def folder(self) -> Path:
        return self.site.root / FOLDER

    def build(self, templates: Mapping[str, str] | None = None) -> Built:
        return archive.build(
            self.site, self.store, templates or read_templates(self.site.root), NOW
        )

    def keep_back(self, name: str, post: str) -> None:
        """The issue's file says that it is not for everybody."""
        folder = self.site.root / "issues"
        folder.mkdir(exist_ok=True)
        text = f"---\nposts: [{post}]\narchive: false\n---\n"
        (folder / f"{name}.en.md").write_text(text, encoding="utf-8")

    def files(self) -> dict[str, bytes]:
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }

    def text(self, path: str) -> str:
        return (self.folder / path).read_text(encoding="utf-8")


@pytest.fixture
def shelf(site: Site, store: Store) -> Shelf:
    """Two posts in two languages each, and one that has no translation."""
    write_post(site, "appeal.en", "Free the lawyer", "Read **this**.", APPEAL)
    write_post(site, "appeal.ru", "Свободу адвокату", "Прочтите **это**.", APPEAL)
    write_post(
        site,
        "strike.en",
        "The harbour stands still",
        "## Monday\n\nNo crane.\n\n<!--more-->\n\nNo ship.",
    )
    write_post(site, "strike.ru", "Порт стоит", "Кранов нет.")
    write_post(site, "letters.en", "Letters from three ports", "Only in English.")
    (site.root / "issues").mkdir()
    return Shelf(site, store)


def pages_of(shelf: Shelf) -> dict[str, html.HtmlElement]:
    return {
        path: html.document_fromstring(content.decode())
        for path, content in shelf.files().items()
        if path.endswith(".html")
    }


# -- what goes in ----------------------------------------------------------------------------


def test_a_mailed_issue_has_a_page_in_each_language(shelf: Shelf) -> None:
    mail(shelf.site, shelf.store, "w47", ["appeal", "strike"])
    built = shelf.build()
    assert built.issues == ("w47",)
    assert built.posts == ("appeal", "strike")
    assert built.languages == ("en", "ru")
    assert set(shelf.files()) == {
        "index.html", "style.css", "SHA256SUMS", "act/appeal.html",
        "en/index.html", "en/feed.atom", "en/issues/w47.html",
        "en/posts/appeal.html", "en/posts/strike.html",
        "ru/index.html", "ru/feed.atom", "ru/issues/w47.html",
        "ru/posts/appeal.html", "ru/posts/strike.html",
    }  # fmt: skip
    page = shelf.text("en/issues/w47.html")
    assert "Subject of w47 in en" in page
    assert "No crane." in page and "No ship." in page  # whole, whatever the mail printed
    assert "Порт стоит" in shelf.text("ru/issues/w47.html")


def test_an_issue_under_way_is_in(shelf: Shelf) -> None:
    mail(shelf.site, shelf.store, "w47", ["strike"], done=False)
    assert shelf.build().issues == ("w47",)


def test_what_was_not_mailed_is_not_in(shelf: Shelf) -> None:
    store = shelf.store
    compiled(shelf.site, store, "compiled", ["strike"])
    ordered(store, compiled(shelf.site, store, "ordered", ["strike"]))
    ordered(store, compiled(shelf.site, store, "scheduled", ["strike"]), MONDAY + timedelta(days=9))
    approved = compiled(shelf.site, store, "approved", ["strike"])
    off = compiled(shelf.site, store, "called-off", ["strike"])
    dispatch = ordered(store, off)
    with store.writing() as tx:
        issues.approve(tx, approved, MONDAY)
        dispatches.begin(tx, dispatch.id, MONDAY)
        dispatches.set_state(tx, dispatch.id, DispatchState.CANCELLED, ended_at=MONDAY)
        issues.cancel(tx, off.id)
    built = shelf.build()
    assert (built.issues, built.posts, built.left_out) == ((), (), ())
    assert set(shelf.files()) == {"index.html", "style.css", "SHA256SUMS"}
    assert "No issue has been published yet." in shelf.text("index.html")


def test_lists_and_issues_may_stay_out(shelf: Shelf) -> None:
    bulletin = shelf.site.lists["bulletin"]
    quiet = MailingList("members", replace(bulletin.settings, archive=False))
    shelf = Shelf(replace(shelf.site, lists={"bulletin": bulletin, "members": quiet}), shelf.store)
    mail(shelf.site, shelf.store, "inside", ["appeal"], list_id="members")
    mail(shelf.site, shelf.store, "gone", ["appeal"], list_id="no-more")
    mail(shelf.site, shelf.store, "secret", ["letters"])
    mail(shelf.site, shelf.store, "w47", ["strike"])
    shelf.keep_back("secret", "letters")
    built = shelf.build()
    assert built.issues == ("w47",)
    assert built.posts == ("strike",)
    assert {one.what: one.why for one in built.left_out} == {
        "inside": "the list `members` does not say `archive = true`",
        "gone": "the list `no-more` is no more",
        "secret": "the issue says `archive: false`",
    }
    everything = b"".join(shelf.files().values())
    for words in (b"Free the lawyer", b"Letters from", b"Subject of inside", b"appeal"):
        assert words not in everything


def test_drafts_and_posts_that_are_gone_stay_out_and_are_named(shelf: Shelf) -> None:
    write_post(shelf.site, "strike.en", "The harbour stands still", head="draft: true")
    mail(shelf.site, shelf.store, "w47", ["strike", "taken-away", "letters"])
    mail(shelf.site, shelf.store, "w48", ["taken-away"])
    built = shelf.build()
    assert built.issues == ("w47",)
    assert [one.what for one in built.left_out] == ["w48: taken-away", "w47: taken-away"]
    # The translation that is no draft stands for it, as it would in a mail.
    assert "Порт стоит" in shelf.text("en/issues/w47.html")
    assert "The harbour stands still" not in shelf.text("en/issues/w47.html")


def test_nothing_of_it_is_about_a_reader(shelf: Shelf) -> None:
    mail(shelf.site, shelf.store, "w47", ["appeal", "strike"])
    shelf.build()
    for path, content in shelf.files().items():
        text = content.decode()
        assert "letter to one reader" not in text
        assert not re.search(
            r"/[up]/[A-Za-z0-9_-]{10}|[Uu]nsubscribe|Dear friends|MAILOUT", text
        ), path


# -- the pages -------------------------------------------------------------------------------


def test_every_link_leads_to_a_page_of_the_archive(shelf: Shelf) -> None:
    write_post(shelf.site, "наш день.en", "Our day", head="key: наш день/2")
    mail(shelf.site, shelf.store, "w47", ["appeal", "strike", "наш день/2", "letters"])
    mail(shelf.site, shelf.store, "w46", ["strike"], at=MONDAY - timedelta(days=7))
    shelf.build()
    pages = pages_of(shelf)
    seen = 0
    for path, page in pages.items():
        for element, attribute, link, _ in page.iterlinks():
            if re.match(r"https?:|mailto:", link):
                assert (element.tag, attribute) == ("a", "href"), (path, link)
                continue
            assert not link.startswith("/"), (path, link)
            target = urlsplit(urljoin(f"https://news.example.org/{quote(path)}", link))
            assert (shelf.folder / unquote(target.path)[1:]).is_file(), (path, link)
            assert not target.fragment or page.get_element_by_id(target.fragment) is not None
            seen += 1
    assert seen > 80


def test_pages_load_nothing_and_run_nothing(shelf: Shelf) -> None:
    mail(shelf.site, shelf.store, "w47", ["appeal", "strike"])
    shelf.build()
    for path, page in pages_of(shelf).items():
        assert not page.xpath("//script | //style | //form | //iframe | //img | //@style"), path
        assert page.xpath("//link[@rel='stylesheet']/@href"), path
        (policy,) = page.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
        assert policy.startswith("default-src 'none'")
        assert page.xpath("//meta[@name='referrer']/@content") == ["no-referrer"]
    assert "url(" not in shelf.text("style.css")
    assert "@import" not in shelf.text("style.css")


def test_pages_are_what_screen_readers_and_telephones_need(shelf: Shelf) -> None:
    mail(shelf.site, shelf.store, "w47", ["appeal", "strike", "letters"])
    shelf.build()
    for path, page in pages_of(shelf).items():
        assert page.get("lang") and page.get("dir") == "ltr"
        levels = [int(found.tag[1]) for found in page.xpath("//h1|//h2|//h3|//h4|//h5|//h6")]
        assert levels[0] == 1 and levels.count(1) == 1, path
        assert all(after - before <= 1 for before, after in pairwise(levels)), path
        assert page.xpath("//main") and page.xpath("//title")[0].text.strip()
        assert page.xpath("//meta[@name='viewport']")
        assert all(
            nav.get("aria-label") or nav.get("aria-labelledby") for nav in page.xpath("//nav")
        )
        ids = page.xpath("//@id")
        assert len(ids) == len(set(ids))


def test_a_text_without_translation_carries_its_own_language(shelf: Shelf) -> None:
    mail(shelf.site, shelf.store, "w47", ["letters"])
    shelf.build()
    page = html.document_fromstring(shelf.text("ru/posts/letters.html"))
    assert page.get("lang") == "ru"
    assert page.xpath("//h1/@lang") == ["en"]
    assert page.xpath("//div[@class='text']/@lang") == ["en"]
    assert "Этот текст пока не переведён." in shelf.text("ru/posts/letters.html")


def test_arabic_runs_from_right_to_left(shelf: Shelf) -> None:
    settings = replace(shelf.site.lists["bulletin"].settings, languages=("ar", "en"), fallback={})
    site = replace(shelf.site, lists={"bulletin": MailingList("bulletin", settings)})
    shelf = Shelf(site, shelf.store)
    write_post(site, "strike.ar", "إضراب في الميناء", "توقف العمل.")
    paper = "source: The Courier\nsource_date: 20 November 2026"
    write_post(site, "ships.en", "Ships wait", head=paper)
    mail(site, shelf.store, "w47", ["strike", "letters", "ships"], languages=("ar", "en"))
    shelf.build()
    page = html.document_fromstring(shelf.text("ar/issues/w47.html"))
    assert (page.get("lang"), page.get("dir")) == ("ar", "rtl")
    for other in page.xpath("//h2[@lang]"):
        assert (other.get("lang"), other.get("dir")) == ("en", "ltr")
    # Else the day's numbers would be drawn on the wrong side of the month.
    assert [one.text for one in page.xpath("//p/span[@lang='en'][@dir='ltr']")] == [
        "20 November 2026",
        "The Courier",
    ]
    assert "جميع الأعداد" in shelf.text("ar/issues/w47.html")
    # Its words run from right to left; it stands under the others all the same.
    (choice,) = html.document_fromstring(shelf.text("index.html")).xpath("//li[@lang='ar']")
    assert choice.get("dir") is None and choice[0].get("dir") == "rtl"


@pytest.mark.parametrize(
    ("told", "en", "ru"),
    [
        ("2026-11-24", "24 November 2026", "24 ноября 2026"),
        ("Autumn 2026", "Autumn 2026", "Autumn 2026"),
    ],
)
def test_the_day_of_a_reprint_is_told_in_words(shelf: Shelf, told: str, en: str, ru: str) -> None:
    head = f"source: The Eastport Courier\nsource_date: {told}"
    write_post(shelf.site, "ships.en", "Eleven ships", "They wait.", head)
    mail(shelf.site, shelf.store, "w47", ["ships"])
    shelf.build()
    for code, day in (("en", en), ("ru", ru)):
        page = html.document_fromstring(shelf.text(f"{code}/posts/ships.html"))
        said = page.text_content().replace("\u202f", " ")
        assert f"The Eastport Courier, {day}" in said
        # Only what stands as somebody wrote it is in the post's own language.
        own = page.xpath("//span[@lang='en']/text()")
        assert (day in own) == (code == "ru" and told == day)


def test_the_list_of_issues_goes_by_year_the_newest_first(shelf: Shelf) -> None:
    for name, at in (
        ("a", datetime(2025, 3, 1, tzinfo=UTC)),
        ("b", datetime(2026, 1, 5, tzinfo=UTC)),
        ("c", datetime(2025, 12, 31, 23, 30, tzinfo=UTC)),
    ):
        mail(shelf.site, shelf.store, name, ["strike"], at=at)
    site = replace(shelf.site, identity=replace(shelf.site.identity, timezone="Europe/Berlin"))
    Shelf(site, shelf.store).build()
    page = html.document_fromstring(shelf.text("en/index.html"))
    # Half past eleven in the night of New Year's Eve in London is the next year in Berlin.
    assert [found.text for found in page.xpath("//h2")] == ["2026", "2025"]
    assert page.xpath("//time/@datetime") == ["2026-01-05", "2026-01-01", "2025-03-01"]


def test_a_post_names_the_issues_that_had_it(shelf: Shelf) -> None:
    mail(shelf.site, shelf.store, "w46", ["strike"], at=MONDAY - timedelta(days=7))
    mail(shelf.site, shelf.store, "w47", ["strike", "letters"])
    shelf.build()
    page = html.document_fromstring(shelf.text("en/posts/strike.html"))
    links = page.xpath("//p[@class='small']/a[contains(@href, 'issues/')]/@href")
    assert links == ["../../en/issues/w47.html", "../../en/issues/w46.html"]


CHANGED = {"en": "This text was changed after it was mailed.", "ru": "изменён после рассылки"}


def mailed_as_compiled(shelf: Shelf, *posts: str) -> None:
    """An issue whose mails say what its posts say at this moment."""
    (shelf.site.root / "issues" / "w47.en.md").write_text(
        f"---\nposts: [{', '.join(posts)}]\nfallback: {{ru: en}}\nsubject: News\n---\n"
    )
    bulletin = shelf.site.lists["bulletin"]
    settings = replace(bulletin.settings, languages=("en", "ru"))
    site = replace(shelf.site, lists={"bulletin": MailingList("bulletin", settings)})
    plan = sources.read_issue(site.root, "w47", "en")
    texts = sources.read_posts(site.root, "en")
    made = compile_issue(
        site, site.lists["bulletin"], plan, texts, read_templates(site.root), MONDAY
    )
    with shelf.store.writing() as tx:
        issue = issues.save_compiled(tx, "w47", "bulletin", posts, made.variants, MONDAY)
    with shelf.store.writing() as tx:
        issues.mark_sent(tx, issue.id, MONDAY)


def changed_pages(shelf: Shelf) -> set[str]:
    shelf.build()
    return {
        path
        for path in pages_of(shelf)
        if any(words in shelf.text(path) for words in CHANGED.values())
    }


def test_what_was_changed_after_it_was_mailed_says_so(shelf: Shelf) -> None:
    lines = "1. one\n1. two & three\n\n> *so* [it][1] is\n\n[1]: https://example.org/a_(b)\n"
    write_post(shelf.site, "list.en", "A list &amp; more", lines)
    write_post(shelf.site, "list.ru", "Список", lines)
    mailed_as_compiled(shelf, "strike", "appeal", "list", "letters")
    assert changed_pages(shelf) == set()
    write_post(shelf.site, "list.en", "A list &amp; more", lines.replace("two", "2"))
    assert changed_pages(shelf) == {"en/issues/w47.html", "en/posts/list.html"}
    write_post(shelf.site, "appeal.ru", "Свободу адвокатам", "Прочтите **это**.", APPEAL)
    assert changed_pages(shelf) == {
        "en/issues/w47.html", "en/posts/list.html", "ru/issues/w47.html", "ru/posts/appeal.html",
    }  # fmt: skip


def test_a_translation_or_an_action_that_came_later_is_no_change(shelf: Shelf) -> None:
    mailed_as_compiled(shelf, "strike", "appeal", "letters")
    write_post(shelf.site, "letters.ru", "Письма из трёх портов", "Теперь и по-русски.")
    petition = APPEAL.replace("Write to the ministry", "Write to the embassy")
    write_post(shelf.site, "appeal.en", "Free the lawyer", "Read **this**.", petition)
    assert changed_pages(shelf) == set()


def test_a_meeting_at_another_hour_is_a_change(shelf: Shelf) -> None:
    meeting = "kind: event\nevent:\n  start: 2026-12-05 18:00\n  place: Quay 4\n  timezone: UTC"
    write_post(shelf.site, "strike.en", "We meet", "Come.", meeting)
    write_post(shelf.site, "strike.ru", "Встреча", "Приходите.", meeting)
    mailed_as_compiled(shelf, "strike")
    assert changed_pages(shelf) == set()
    write_post(shelf.site, "strike.en", "We meet", "Come.", meeting.replace("18:00", "19:15"))
    assert changed_pages(shelf) == {"en/issues/w47.html", "en/posts/strike.html"}


def test_an_issues_own_words_are_on_its_page(shelf: Shelf) -> None:
    (shelf.site.root / "issues" / "w47.en.md").write_text(
        "---\nlist: bulletin\nsubject: Other now\npreheader: In short\nposts: [strike]\n---\nHello **all**.\n"
    )
    mail(shelf.site, shelf.store, "w47", ["strike"])
    shelf.build()
    page = shelf.text("en/issues/w47.html")
    assert "Hello <strong>all</strong>." in page
    assert "Subject of w47 in en" in page and "Other now" not in page  # as it was mailed
    assert "In short" in shelf.text("en/index.html")
    other = html.document_fromstring(shelf.text("ru/issues/w47.html"))
    assert other.xpath("//div[@class='text']/@lang")[0] == "en"


def test_what_an_appeal_asks_stands_on_one_page_in_all_its_languages(shelf: Shelf) -> None:
    mail(shelf.site, shelf.store, "w47", ["appeal"])
    shelf.build()
    page = html.document_fromstring(shelf.text("act/appeal.html"))
    assert [one.get("id") for one in page.xpath("//section[@class='tongue']")] == ["en", "ru"]
    assert [one.get("lang") for one in page.xpath("//section[@class='tongue']")] == ["en", "ru"]
    assert page.xpath("//nav/ul/li/a/@href") == ["#en", "#ru"]
    links = page.xpath("//a[@class='button']/@href")
    assert links[0] == "https://campaign.example.org/sign"
    assert links[1].startswith("mailto:office@ministry.example.net?cc=copies@campaign.example.org&")
    assert "Что можно сделать" in shelf.text("act/appeal.html")
    # A letter becomes a petition after the mail is out: the page stays, what it asks changes.
    write_post(shelf.site, "appeal.en", "Free the lawyer", "Done.", "kind: appeal")
    write_post(shelf.site, "appeal.ru", "Свободу адвокату", "Готово.", "kind: appeal")
    assert "act/appeal.html" in shelf.build().changes.changed
    assert "Free the lawyer" in shelf.text("act/appeal.html")


@pytest.mark.parametrize(
    "words",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        '"><svg onload=alert(1)>',
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "![x](https://tracker.example.net/pixel.gif)",
        "<https://example.org/\"onclick=\"alert(1)>",
        "{{ 7*7 }}{% for x in y %}",
    ],
)  # fmt: skip
def test_hostile_words_stay_words(shelf: Shelf, words: str) -> None:
    quoted = words.replace("\\", "\\\\").replace('"', '\\"')
    head = f'author: "{quoted}"\nsource: "{quoted}"\nexcerpt: "{quoted}"\ncategories: ["{quoted}"]'
    write_post(shelf.site, "strike.en", f'"{quoted}"', words, head)
    mail(shelf.site, shelf.store, "w47", ["strike"])
    shelf.build()
    known = {"a", "b", "time", "bdi", "article", "section", "nav", "main", "header", "footer",
             "html", "head", "body", "meta", "title", "link", "p", "h1", "h2", "h3", "ul", "li",
             "div", "strong", "em", "span"}  # fmt: skip
    for path, page in pages_of(shelf).items():
        assert {one.tag for one in page.iter() if isinstance(one.tag, str)} <= known, path
        assert not [one for one in page.xpath("//@*") if one.attrname.startswith("on")], path
        assert not [link for link in page.xpath("//@href | //@src") if "script:" in link.lower()]
    entry = etree.fromstring(shelf.files()["en/feed.atom"]).find("{*}entry/{*}content")
    assert not html.fromstring(f"<div>{entry.text}</div>").xpath(".//script | .//img | .//svg")


def test_a_page_weighs_little_more_than_its_text(shelf: Shelf) -> None:
    keys = [f"post-{number}" for number in range(10)]
    for key in keys:
        write_post(shelf.site, f"{key}.en", key, "word " * 2000, APPEAL)
    mail(shelf.site, shelf.store, "w47", keys)
    shelf.build()
    for path, content in shelf.files().items():
        if path.endswith(".html"):
            text = html.document_fromstring(content.decode()).text_content()
            assert len(content) - len(text.encode()) < 30_000, path
    assert len(shelf.files()["style.css"]) < 8_000


def test_search_engines_may_be_kept_out(shelf: Shelf) -> None:
    mail(shelf.site, shelf.store, "w47", ["strike"])
    shelf.build()
    assert 'name="robots"' not in shelf.text("en/index.html")
    site = replace(shelf.site, archive=ArchiveSettings(searchable=False))
    Shelf(site, shelf.store).build()
    assert all(
        page.xpath("//meta[@name='robots']/@content") == ["noindex"]
        for page in pages_of(shelf).values()
    )


# -- feeds and events ------------------------------------------------------------------------


def test_a_feed_has_the_newest_posts_at_absolute_addresses(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = replace(shelf.site, archive=ArchiveSettings(url="https://mirror.example.net/a"))
    shelf = Shelf(site, shelf.store)
    mail(site, shelf.store, "w46", ["strike"], at=MONDAY - timedelta(days=7))
    mail(site, shelf.store, "w47", ["appeal", "strike"])
    shelf.build()
    root = etree.fromstring(shelf.files()["en/feed.atom"])
    base = "https://mirror.example.net/a"
    assert [one.text for one in root.findall("{*}entry/{*}id")] == [
        f"{base}/en/posts/appeal.html",
        f"{base}/en/posts/strike.html",
    ]
    # A post that is mailed again is no new post.
    assert [one.text for one in root.findall("{*}entry/{*}updated")] == [
        "2026-11-23T09:00:00Z",
        "2026-11-16T09:00:00Z",
    ]
    content = root.findtext("{*}entry/{*}content")
    assert f'<a href="{base}/act/appeal.html">' in content
    assert "127.0.0.1" not in b"".join(shelf.files().values()).decode()
    monkeypatch.setattr(archive_pages, "_FEED", 1)
    shelf.build()
    assert len(etree.fromstring(shelf.files()["en/feed.atom"]).findall("{*}entry")) == 1


def test_what_a_post_announces_is_a_file_for_calendars(shelf: Shelf) -> None:
    head = "event: {start: 2026-12-01 18:00, place: Gate Three, timezone: Europe/Berlin}"
    write_post(shelf.site, "day.en", "Day of action", "Come.", head)
    mail(shelf.site, shelf.store, "w47", ["day"], languages=("en",))
    shelf.build()
    files = shelf.files()
    (found,) = icalendar.Calendar.from_ical(files["en/events/day.ics"]).walk("VEVENT")
    assert str(found["summary"]) == "Day of action"
    assert str(found["location"]) == "Gate Three"
    assert found.start == datetime(2026, 12, 1, 17, tzinfo=UTC)
    assert found["dtstamp"].dt == MONDAY
    page = files["en/posts/day.html"].decode()
    assert 'href="../../en/events/day.ics"' in page
    assert "When: Tuesday, 1 December 2026, 18:00" in page


def test_a_letter_to_each_country_shows_all_of_them(shelf: Shelf) -> None:
    embassy = Target(name={"en": "Embassy in Berlin"}, email="berlin@embassy.example.org")
    targets = Targets(
        default=Target(name="Ministry", email="office@ministry.example.org"),
        countries={"DE": embassy},
    )
    shelf = Shelf(replace(shelf.site, targets={"embassies": targets}), shelf.store)
    head = (
        "kind: appeal\nactions:\n- {type: letter, label: Write, targets: embassies, subject: Free}"
    )
    write_post(shelf.site, "free.en", "Free her", "Now.", head)
    mail(shelf.site, shelf.store, "w47", ["free"], languages=("en",))
    shelf.build()
    page = shelf.files()["act/free.html"].decode()
    assert "Germany: Embassy in Berlin" in page
    assert 'href="mailto:berlin@embassy.example.org?subject=Free"' in page
    assert 'href="mailto:office@ministry.example.org?subject=Free"' in page


# -- what is on the disk ---------------------------------------------------------------------


def test_the_checksums_are_those_that_sha256sum_checks(shelf: Shelf) -> None:
    write_post(shelf.site, "порт.en", "The port")
    mail(shelf.site, shelf.store, "w47", ["appeal", "порт"])
    shelf.build()
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"],
        cwd=shelf.folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    lines = shelf.text("SHA256SUMS").splitlines()
    assert {line[66:] for line in lines} == set(shelf.files()) - {"SHA256SUMS"}
    assert [line[66:] for line in lines] == sorted(line[66:] for line in lines)


def test_the_same_makes_the_same_and_leaves_it_untouched(shelf: Shelf) -> None:
    mail(shelf.site, shelf.store, "w47", ["appeal", "strike"])
    first = shelf.build()
    assert (len(first.changes.added), first.changes.unchanged) == (13, 0)
    for path in shelf.files():
        os.utime(shelf.folder / path, (1_000_000_000, 1_000_000_000))
    before = shelf.files()
    again = shelf.build()
    assert shelf.files() == before
    assert (again.changes.added, again.changes.changed, again.changes.removed) == ((), (), ())
    assert again.changes.unchanged == 13
    times = {(shelf.folder / path).stat().st_mtime for path in before}
    assert times == {1_000_000_000}  # rsync and browsers have nothing to fetch


def test_changes_are_told(shelf: Shelf) -> None:
    mail(shelf.site, shelf.store, "w46", ["letters"], at=MONDAY - timedelta(days=7))
    issue = mail(shelf.site, shelf.store, "w47", ["strike"])
    shelf.build()
    write_post(shelf.site, "strike.en", "The harbour stands still", "Edited later.")
    assert shelf.build().changes.changed == (
        "en/feed.atom", "en/issues/w47.html", "en/posts/strike.html",
    )  # fmt: skip
    shelf.keep_back(issue.name, "strike")
    changes = shelf.build().changes
    assert changes.removed == (
        "en/issues/w47.html", "en/posts/strike.html", "ru/issues/w47.html", "ru/posts/strike.html",
    )  # fmt: skip
    assert not (shelf.folder / "en/issues/w47.html").exists()
    assert b"strike" not in b"".join(shelf.files().values())


def test_what_we_did_not_write_is_kept(shelf: Shelf) -> None:
    (shelf.folder / "pictures").mkdir(parents=True)
    (shelf.folder / "pictures" / "gate.png").write_bytes(b"png")
    (shelf.folder / ".htaccess").write_text("Options -Indexes\n")
    (shelf.folder / "latest").symlink_to("index.html")
    mail(shelf.site, shelf.store, "w47", ["strike"])
    for _ in range(2):
        shelf.build()
        assert shelf.files()["pictures/gate.png"] == b"png"
        assert shelf.text(".htaccess") == "Options -Indexes\n"
        assert (shelf.folder / "latest").is_symlink()
    assert sorted(path.name for path in shelf.folder.parent.iterdir()) == ["archive"]


@pytest.mark.parametrize("lines", ["", "nonsense\n", f"{'0' * 64}  ../../config.toml\n", "\xff"])
def test_a_broken_list_of_checksums_takes_nothing_away(shelf: Shelf, lines: str) -> None:
    mail(shelf.site, shelf.store, "w47", ["strike"])
    shelf.folder.mkdir(parents=True)
    (shelf.folder / "SHA256SUMS").write_text(lines, encoding="latin-1")
    (shelf.folder / "mine.txt").write_text("mine")
    shelf.build()
    assert shelf.text("mine.txt") == "mine"
    assert (shelf.site.root / "config.toml").is_file()


def test_a_build_that_died_between_its_renames_is_mended(shelf: Shelf) -> None:
    mail(shelf.site, shelf.store, "w47", ["strike"])
    shelf.build()
    (shelf.folder / "mine.txt").write_text("mine")
    (shelf.folder.parent / ".archive-new").mkdir()
    shelf.folder.rename(shelf.folder.with_name(".archive-old"))
    shelf.build()
    assert shelf.text("mine.txt") == "mine"
    assert sorted(path.name for path in shelf.folder.parent.iterdir()) == ["archive"]


def test_a_template_that_fails_changes_nothing(shelf: Shelf) -> None:
    mail(shelf.site, shelf.store, "w47", ["strike"])
    shelf.build()
    before = shelf.files()
    broken = read_templates(shelf.site.root) | {"archive/post.html.j2": "ok\n{{ nothing.here }}"}
    with pytest.raises(BadFile, match=r"templates/archive/post.html.j2:2"):
        shelf.build(templates=broken)
    assert shelf.files() == before


def test_a_folder_that_cannot_be_written_is_named(shelf: Shelf) -> None:
    mail(shelf.site, shelf.store, "w47", ["strike"])
    shutil.rmtree(shelf.site.root / "build", ignore_errors=True)
    (shelf.site.root / "build").write_text("a file")
    with pytest.raises(MailoutError, match="the archive cannot be written"):
        shelf.build()


def test_builds_at_once_wait_for_each_other(shelf: Shelf) -> None:
    for number in range(5):
        mail(shelf.site, shelf.store, f"w{number}", ["appeal", "strike"])
    with ThreadPoolExecutor(4) as pool:
        built = [one.result() for one in [pool.submit(shelf.build) for _ in range(8)]]
    assert sorted(len(one.changes.added) for one in built)[:-1] == [0] * 7
    assert sorted(path.name for path in shelf.folder.parent.iterdir()) == ["archive"]
