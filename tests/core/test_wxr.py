"""WordPress exports: what is taken, what is left out, and what a rough file does to it."""

from __future__ import annotations

from datetime import date

import pytest

from exports import export, field, item, picture, term
from mailout.core.ingest import wxr
from mailout.core.ingest.item import Gathered, Item

SHOWN = "export.xml"


def read(*items: str, **head: str) -> Gathered:
    return wxr.read(export(*items, **head), SHOWN)


def one(*items: str, **head: str) -> Item:
    (found,) = read(*items, **head).items
    return found


def said(found: Gathered) -> str:
    return "\n".join(found.warnings)


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_a_whole_post_in_each_version(version: str) -> None:
    found = one(
        item(
            "First.\n\n<!--more-->Second\nline.",
            title="Strike &amp; vote &#8211; now",
            excerpt="In <b>short</b>",
            more=term("category", "News &amp; views")
            + term("post_tag", "pay")
            + term("category", "Uncategorized"),
        ),
        wxr=version,
    )
    assert found == Item(
        what='post 17 "Strike & vote – now"',
        source_id="https://bulletin.example.org/?p=17",
        title="Strike & vote – now",
        html=found.html,
        language="de",
        slug="strike-vote",
        date=date(2026, 11, 20),
        author="Anna Bright",
        url="https://bulletin.example.org/17/",
        excerpt="In short",
        categories=("News & views",),
        tags=("pay",),
    )
    assert "".join(found.html.split("\n")) == ("<p>First.</p><!--more--><p>Second<br>line.</p>")


@pytest.mark.parametrize(
    ("status", "password", "expected"),
    [
        ("publish", "", "published"),
        ("publish", "secret", "password"),
        ("future", "", "future"),
        ("draft", "secret", "draft"),
        ("pending", "", "draft"),
        ("auto-draft", "", "draft"),
        ("private", "", "private"),
        ("trash", "", "trash"),
        ("inherit", "", "draft"),
        ("in-review", "", "draft"),
    ],
)
def test_statuses(status: str, password: str, expected: str) -> None:
    found = read(item(status=status, password=password))
    assert [one.status for one in found.items] == [expected]
    assert ("unknown status `in-review`" in said(found)) == (status == "in-review")
    assert found.items[0].url == (
        "https://bulletin.example.org/17/" if expected == "published" else ""
    )


def test_what_was_begun_and_never_written_is_left_out() -> None:
    found = read(item("", "Auto Draft", status="auto-draft"), item("", "", number=3))
    assert found.items == ()
    assert [one.why for one in found.skipped] == [
        "begun and never written (auto-draft)",
        "it has neither a title nor a text",
    ]


def test_only_posts_are_read() -> None:
    secret = "Zoe Secret zoe@private.example.net"
    comment = f"<wp:comment><wp:comment_author>{secret}</wp:comment_author></wp:comment>\n"
    kinds = ("flamingo_inbound", "feedback", "revision", "nav_menu_item", "wpcf7_contact_form")
    found = read(
        item(more=comment + comment),
        item(kind="page", number=5),
        picture(6),
        *(item(secret, secret, kind=kind) for kind in kinds),
    )
    assert [one.what for one in found.items] == ['post 17 "Strike vote"']
    assert found.found == 2
    assert [one.what for one in found.skipped] == [
        "1 page",
        "1 of type `attachment`",
        "1 of type `feedback`",
        "1 of type `flamingo_inbound`",
        "1 of type `nav_menu_item`",
        "1 of type `revision`",
        "1 of type `wpcf7_contact_form`",
        "2 comments",
    ]
    assert "ecret" not in repr(found) and "anna@" not in repr(found)


def test_pages_when_asked_for() -> None:
    found = wxr.read(export(item(kind="page", title="About")), SHOWN, pages=True)
    assert [one.what for one in found.items] == ['page 17 "About"']


def test_dates_that_say_nothing() -> None:
    assert one(item(date="0000-00-00 00:00:00")).date == date(2026, 11, 20)  # pubDate
    never = item(date="0000-00-00 00:00:00").replace(
        "Fri, 20 Nov 2026 08:30:00 +0000", "Mon, 30 Nov -0001 00:00:00 +0000"
    )
    assert one(never).date is None


def test_values_padded_with_newlines() -> None:
    padded = item().replace("<wp:status><![CDATA[publish]]>", "<wp:status>\n\n publish \n")
    padded = padded.replace("<![CDATA[post]]>", "\n\tpost\n").replace("<title>", "<title>\n\t")
    found = one(padded)
    assert (found.status, found.title) == ("published", "Strike vote")


@pytest.mark.parametrize(
    ("site", "more", "text", "expected", "says"),
    [
        ("de-DE", "", "Die Abstimmung", "de", ""),
        ("en-US", "", "Die Abstimmung", "", ""),
        ("kz", "", "Дауыс беру", "kk", "`kz` is a country, not a language: read as `kk`"),
        ("pt-BR", "", "O voto", "pt-br", ""),
        ("de-DE", term("language", "Русский", "ru"), "Голосование", "ru", ""),
        ("de-DE", field("_wpml_import_language_code", "fr"), "Le vote", "fr", ""),
        ("de-DE", field("_locale", "ru_RU"), "Голосование", "ru", ""),
        ("de-DE", "", "Голосование идёт " * 5, "", "the site is in `de`, its letters are not"),
        ("ru-RU", "", "The vote goes on " * 5, "", "the site is in `ru`, its letters are not"),
    ],
)
def test_languages(site: str, more: str, text: str, expected: str, says: str) -> None:
    found = read(item(text, more=more), language=site)
    assert found.items[0].language == expected
    assert says in said(found)


@pytest.mark.parametrize(
    ("title", "content"),
    [
        ("[:en]Vote[:ru]Голоса[:]", "[:en]One.[:ru]Один.[:]"),
        ("{:en}Vote{:ru}Голоса{:}", "{:en}One.{:ru}Один.{:}"),
        (
            "<![CDATA[<!--:en-->Vote<!--:--><!--:ru-->Голоса<!--:-->]]>",
            "<!--:en-->One.<!--:--><!--:ru-->Один.<!--:-->",
        ),
    ],
)
def test_two_languages_in_one_item(title: str, content: str) -> None:
    found = read(item(content, title), item("", "", number=5))
    assert found.found == 3
    english, russian = found.items
    assert (english.language, english.title, english.html) == ("en", "Vote", "<p>One.</p>")
    assert (russian.language, russian.title, russian.html) == ("ru", "Голоса", "<p>Один.</p>")
    assert english.slug == russian.slug == "strike-vote"
    assert english.source_id == "https://bulletin.example.org/?p=17#en"
    assert russian.what == 'post 17 "Vote" (ru)'


def test_translations_that_a_plugin_links_share_the_slug_of_the_oldest() -> None:
    def post(number: int, language: str, slug: str, day: int) -> str:
        more = term("language", language, language) + term("post_translations", "pll_1", "pll_1")
        return item(number=number, slug=slug, date=f"2026-11-{day} 10:00:00", more=more)

    found = read(post(2, "ru", "golosa", 21), post(1, "en", "vote", 20), item(number=9))
    assert [one.slug for one in found.items] == ["vote", "vote", "strike-vote"]


def test_two_languages_without_marks_are_said() -> None:
    found = read(
        item("The vote goes on in the harbour. " * 9 + "\n\nГолосование идёт в порту. " * 9)
    )
    assert "it seems to be in two languages" in said(found)


def test_a_post_without_a_title() -> None:
    found = read(item("<b>The harbour</b> stands still.", ""))
    assert found.items[0].title == "The harbour stands still."
    assert found.warnings == ("post 17: it has no title: its first words serve as one",)


def test_tags_in_a_title_or_a_body_that_is_no_section() -> None:
    found = one(
        item("X", "A <em>late</em> vote").replace("<![CDATA[X]]>", "<p>One <b>two</b></p> three")
    )
    assert found.title == "A late vote"
    assert "One" in found.html and "<b" in found.html and "three" in found.html


def test_two_posts_never_share_an_id() -> None:
    found = read(item(number=1), item(number=2).replace("?p=2<", "?p=1<"), item(number=1))
    assert [one.source_id for one in found.items] == [
        "https://bulletin.example.org/?p=1",
        "https://bulletin.example.org#post-2",
        "https://bulletin.example.org#post-1",
    ]
    assert read(*[item()] * 3).skipped[0].why == "the export holds it twice"


def test_an_address_is_no_byline() -> None:
    assert one(item().replace("anna", "zoe@private.example.net")).author == ""


def test_a_taxonomy_of_the_sites_own_is_named() -> None:
    found = read(item(more=term("region", "West") + term("post_format", "x")))
    assert found.warnings == ("taxonomy `region`: not taken (1 post with it)",)
    assert found.items[0].categories == ()


def test_featured_pictures_are_counted() -> None:
    found = read(item(more=field("_thumbnail_id", "6")), item(number=2), picture(6))
    assert found.warnings == ("featured pictures: not taken (1 post with one)",)


def test_a_gallery_finds_its_pictures() -> None:
    found = read(
        item('Look:\n\n[gallery ids="6,7,8"]'), picture(6), picture(7, caption="At the gate")
    )
    assert (
        '<figure><img src="https://bulletin.example.org/p7.jpg" alt="picture 7">'
        "<figcaption>At the gate</figcaption></figure>" in found.items[0].html
    )
    assert "gallery: 1 of 3 pictures are not in the export" in said(found)
    own = one(item("Look:\n\n[gallery]"), picture(6, parent=17), picture(7, parent=18))
    assert "p6.jpg" in own.html and "p7.jpg" not in own.html
