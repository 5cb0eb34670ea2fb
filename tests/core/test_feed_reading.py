"""Feeds: RSS, Atom and JSON Feed in all the states in which sites serve them."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exports import export, item, rss
from mailout.core.errors import BadFile
from mailout.core.ingest import feed
from mailout.core.ingest.item import Gathered, Item

SHOWN = "feed.xml"
LONG = "The harbour stands still, and the vote goes on at every gate. " * 3


def read(raw: str | bytes, url: str = "", http: str = "") -> Gathered:
    return feed.read(raw.encode() if isinstance(raw, str) else raw, SHOWN, url, http)


def said(found: Gathered) -> str:
    return "\n".join(found.warnings)


ENTRY = f"""<item><title>Strike &amp;amp; vote</title><link>https://bulletin.example.org/vote/</link>
<dc:creator>Anna Bright</dc:creator><category>News</category><category>Uncategorized</category>
<pubDate>Fri, 20 Nov 2026 00:30:00 +0500</pubDate>
<guid isPermaLink="false">https://bulletin.example.org/?p=7</guid>
<description><![CDATA[In short [&#8230;]]]></description>
<content:encoded><![CDATA[<p>{LONG}<script>x()</script></p>
<p>The post <a href="/vote/">Vote</a> appeared first on <a href="/">Harbour</a>.</p>]]></content:encoded>
</item>"""


def test_rss_2() -> None:
    found = read(rss(ENTRY, "<language>de-DE</language>"))
    assert found.items == (
        Item(
            what='entry 1 "Strike & vote"',
            source_id="https://bulletin.example.org/?p=7",
            title="Strike & vote",
            html=f"<p>{LONG}<script>x()</script></p>\n",  # cleaned by prose, not here
            language="de",
            date=date(2026, 11, 20),  # the day that stands there, not London's
            author="Anna Bright",
            url="https://bulletin.example.org/vote/",
            excerpt="In short […]",
            categories=("News",),
        ),
    )
    assert (found.found, found.warnings) == (1, ())


RDF = """<?xml version="1.0"?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
 xmlns:dc="http://purl.org/dc/elements/1.1/">
<channel rdf:about="https://example.org/"><title>Old</title><link>https://example.org/</link></channel>
<item rdf:about="https://example.org/1"><title>One</title><link>https://example.org/1</link>
<dc:date>2004-05-06T07:08:09Z</dc:date><description>Words of one.</description></item>
</rdf:RDF>"""

RSS_091 = """<?xml version="1.0"?>
<!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN"
 "http://my.netscape.com/publish/formats/rss-0.91.dtd">
<rss version="0.91"><channel><title>Old</title><item><title>One</title>
<link>https://example.org/1</link><description>Words of one.</description></item></channel></rss>"""

ATOM = """<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en" xml:base="https://example.org/blog/">
<title>Blog</title><id>urn:x:feed</id><updated>2026-11-20T10:00:00Z</updated>
<entry xml:lang="ru"><title type="html">Голоса &amp;amp; порт</title><id>urn:x:1</id>
<link rel="alternate" href="2026/one"/><published>2026-11-20T01:00:00+06:00</published>
<updated>2026-11-22T10:00:00Z</updated><author><name>Anna Bright</name><email>a@example.org</email></author>
<category term="news" label="News"/><summary>Коротко</summary>
<content type="html" xml:base="https://example.org/files/">&lt;p&gt;Забастовка в порту идёт, &lt;a href="a.pdf"&gt;вот&lt;/a&gt;
&lt;img src='/p.jpg'&gt; &lt;a href="#x"&gt;x&lt;/a&gt;&lt;/p&gt;</content></entry>
<entry><title>Two</title><id>urn:x:2</id><updated>2026-11-22T10:00:00Z</updated>
<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>Words &amp; more</p></div></content></entry>
<entry><title>Three</title><id>urn:x:3</id><updated>2026-11-23T10:00:00Z</updated>
<content type="text">1 &lt; 2
line

para</content></entry>
</feed>"""


def test_rss_1() -> None:
    (one,) = read(RDF).items
    assert (one.title, one.date, one.html) == ("One", date(2004, 5, 6), "Words of one.")
    assert one.source_id == "https://example.org/1"


def test_rss_091_with_its_doctype() -> None:
    (one,) = read(RSS_091).items
    assert (one.title, one.html, one.date) == ("One", "Words of one.", None)


def test_atom() -> None:
    one, two, three = read(ATOM).items
    assert one == Item(
        what='entry 1 "Голоса & порт"',
        source_id="urn:x:1",
        title="Голоса & порт",
        html=one.html,
        language="ru",
        date=date(2026, 11, 20),
        author="Anna Bright",
        url="https://example.org/blog/2026/one",
        excerpt="Коротко",
        categories=("News",),
    )
    assert 'href="https://example.org/files/a.pdf"' in one.html
    assert 'src="https://example.org/p.jpg"' in one.html
    assert 'href="#x"' in one.html
    assert (two.language, two.date) == ("en", date(2026, 11, 22))
    assert "<p>Words &amp; more</p>" in two.html
    assert three.html == "<p>1 &lt; 2<br>line</p>\n<p>para</p>"


def test_what_an_entry_lacks() -> None:
    found = read(
        rss(
            "<item><description>Only &lt;b&gt;words&lt;/b&gt; are here, and no more than that</description></item>"
            "<item><link>https://example.org/2</link><title>Two</title></item>"
            "<item><author>x</author></item>"
        )
    )
    one, two = found.items
    assert one.title == "Only words are here, and no more than that"
    assert one.source_id.startswith("sha256:") and one.date is None
    assert two.source_id == "https://example.org/2"
    assert found.found == 3
    assert [one.why for one in found.skipped] == ["it has neither a title nor a text"]
    assert "entry 1: it has no title" in said(found)
    assert read(rss("<item><title>x</title></item>")).items == (
        read(rss("<item><title>x</title></item>", "<ttl>5</ttl>")).items
    )


def test_openings_are_said_to_be_openings() -> None:
    opening = "<item><title>A</title><description>It begins [&amp;#8230;]</description></item>"
    two = opening + opening.replace(">A<", ">B<")
    assert "feed: only openings are in it (2 of 2 posts)" in said(read(rss(two)))
    found = read(rss(opening + ENTRY + ENTRY))
    assert found.warnings == ('entry 1 "A": only its opening seems to be here',)
    more = '&lt;p&gt;It begins. &lt;a href="x"&gt;Continue reading &#8594;&lt;/a&gt;&lt;/p&gt;'
    assert "only openings" in said(read(rss(f"<item><description>{more}</description></item>")))


def test_enclosures_become_links() -> None:
    audio = (
        '<enclosure url="https://example.org/talk.mp3?x=1&amp;y=2" type="audio/mpeg" length="1"/>'
    )
    (one,) = read(
        rss(f"<item><title>A</title><description>Talk.</description>{audio}</item>")
    ).items
    assert one.html.endswith(
        '<p><a href="https://example.org/talk.mp3?x=1&amp;y=2">talk.mp3</a></p>'
    )


def test_relative_links_without_a_base_are_the_entrys_own() -> None:
    text = '<item><title>A</title><link>/blog/a/</link><description>&lt;a href="b"&gt;b&lt;/a&gt;</description></item>'
    (one,) = read(rss(text), "https://example.org/feed.xml").items
    assert one.url == "https://example.org/blog/a/"
    assert one.html == '<a href="https://example.org/blog/a/b">b</a>'


def test_a_saved_feed_knows_its_site() -> None:
    (one,) = read(rss("<item><title>A</title><link>/a/</link></item>")).items
    assert one.url == "https://bulletin.example.org/a/"


@pytest.mark.parametrize("link", ["javascript:alert(1)", "https://[x/", "ftp://example.org/a"])
def test_addresses_that_are_none(link: str) -> None:
    (one,) = read(rss(f"<item><title>A</title><link>{link}</link></item>")).items
    assert one.url == ""


@pytest.mark.parametrize(
    ("guid", "address"),
    [
        ('<guid isPermaLink="false">17</guid>', ""),
        ("<guid>17</guid>", ""),
        ('<guid isPermaLink="true">posts/17</guid>', ""),
        ("<guid>tag:bulletin.example.org,2026:17</guid>", ""),
        ('<guid isPermaLink="false">https://bulletin.example.org/?p=17</guid>', ""),
        ("<guid>https://bulletin.example.org/17</guid>", "https://bulletin.example.org/17"),
        ("<link>/17</link><guid>17</guid>", "https://bulletin.example.org/17"),
    ],
)
def test_an_id_is_an_address_only_if_it_is_one(guid: str, address: str) -> None:
    (item,) = read(rss(f"<item><title>A</title>{guid}<description>b</description></item>")).items
    assert item.url == address


SENTENCES = {
    "Protected: Plan": "There is no excerpt because this is a protected post.",
    "Geschützt: Plan": "Es gibt keinen Textauszug, da dies ein geschützter Beitrag ist.",
    "Защищено: Plan": "Отрывка нет, потому что запись защищена.",
    "Plan": "This content is password protected. To view it please enter your password below:",
}


@pytest.mark.parametrize("title", SENTENCES)
def test_what_is_behind_a_password_is_so(title: str) -> None:
    entry = f"<item><title>{title}</title><description>{SENTENCES[title]}</description>{{}}</item>"
    form = '<content:encoded><![CDATA[<form class="post-password-form">Words</form>]]></content:encoded>'
    for text in ("", form):
        (item,) = read(rss(entry.format(text))).items
        assert (item.title, item.status) == ("Plan", "password")


def test_a_title_that_only_begins_like_that_is_public() -> None:
    entry = f"<item><title>Protected: whales</title><description>{LONG * 2}</description></item>"
    (item,) = read(rss(entry)).items
    assert (item.title, item.status) == ("Protected: whales", "published")


def test_two_entries_never_share_an_id() -> None:
    same = "<item><guid>x</guid><title>A</title><link>https://example.org/{}</link></item>"
    found = read(rss(same.format(1) + same.format(2) * 3))
    assert [one.source_id for one in found.items][:2] == ["x", "https://example.org/2"]
    assert [one.why for one in found.skipped] == ["the feed holds it twice"]


def test_comments_are_not_read() -> None:
    comments = rss("<item><title>By: Zoe</title></item>")
    for title in ("Comments on: Harbour", "Kommentare zu: Hafen", "Комментарии к записи: Порт"):
        with pytest.raises(BadFile, match="a feed of comments"):
            read(comments.replace("Harbour", title))
    assert len(read(rss(ENTRY).replace("Harbour Bulletin", "Comments on the times")).items) == 1
    with pytest.raises(BadFile, match="a feed of comments"):
        read(comments, "https://example.org/comments/feed/")
    scheme = "http://schemas.google.com/g/2005#kind"
    kinds = "".join(
        f"<entry><title>{kind} Zoe</title><id>{kind}</id><updated>2026-01-01T00:00:00Z</updated>"
        f'<category scheme="{scheme}" term="http://schemas.google.com/blogger/2008/kind#{kind}"/></entry>'
        for kind in ("post", "comment", "settings")
    )
    found = read(f'<feed xmlns="http://www.w3.org/2005/Atom"><title>x</title>{kinds}</feed>')
    assert [one.title for one in found.items] == ["post Zoe"]
    assert found.items[0].categories == ()
    assert [one.what for one in found.skipped] == ["1 of type `comment`", "1 of type `settings`"]
    assert "comment Zoe" not in repr(found)


def test_drafts_of_atom_stay_drafts() -> None:
    entry = (
        '<entry xmlns:app="http://www.w3.org/2007/app"><title>x</title><id>x</id>'
        "<app:control><app:draft>yes</app:draft></app:control></entry>"
    )
    found = read(f'<feed xmlns="http://www.w3.org/2005/Atom"><title>x</title>{entry}</feed>')
    assert found.items[0].status == "draft"


@pytest.mark.parametrize(
    ("language", "text", "expected", "says"),
    [
        ("en-US", LONG, "", ""),
        ("ru-RU", "Забастовка в порту идёт. " * 3, "ru", ""),
        ("kz", "Порттағы ереуіл жалғасуда. " * 3, "kk", "is a country"),
        ("de", "Забастовка в порту идёт. " * 3, "", "its letters are not"),
    ],
)
def test_languages(language: str, text: str, expected: str, says: str) -> None:
    found = read(
        rss(
            f"<item><title>A</title><description>{text}</description></item>",
            f"<language>{language}</language>",
        )
    )
    assert found.items[0].language == expected
    assert says in said(found)


# Rough files


@pytest.mark.parametrize("before", ["\n\n", "\ufeff\n", " \t\r\n", "<!-- cache -->\n"])
def test_blanks_before_the_xml(before: str) -> None:
    assert len(read(before + rss(ENTRY)).items) == 1


def test_broken_xml_is_read_as_well_as_it_can_be() -> None:
    found = read(rss("<item><title>A</title><description>One <b>two</description></item>"))
    assert found.items[0].title == "A"
    assert "line 4: broken XML" in said(found)


def test_much_broken_xml_is_refused() -> None:
    with pytest.raises(BadFile, match="broken XML"):
        read(
            rss(
                "<item><title>A</title><description>One <b>two</description></item>"
                + " " * 2_000_000
            )
        )


def test_undeclared_prefixes_and_raw_marks() -> None:
    raw = rss("<item><title>A & B &nbsp; C</title><media:x>y</media:x></item>")
    found = read(raw)
    assert found.items[0].title == "A & B C"
    assert "prefixes: media not declared" in said(found)
    assert "a raw `&`" in said(found)


PAGE = (
    "<!DOCTYPE html><html><head><link rel='stylesheet' href='x.css'>"
    '<link rel="alternate" type="application/rss+xml" title="x" href="/feed/?a=1&amp;b=2"></head></html>'
)
BOMB = '<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><rss version="2.0"></rss>'


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ("", "feed.xml: the file is empty"),
        ("words", "feed.xml:1: this is no XML"),
        (PAGE, "Its feed is https://example.org/feed/?a=1&b=2"),
        ('<?xml version="1.0"?>\n<html><p/></html>', "this is an HTML page"),
        ("<html><body></body></html>", "For the page itself: `mailout posts import page`."),
        (BOMB, "feed.xml:1: a doctype with declarations of its own"),
        ("<opml><body/></opml>", "this is no feed but <opml>"),
        (export(item()).decode(), "this is a WordPress export, which holds drafts too"),
        (
            '{"version": "https://jsonfeed.org/version/1.1", "items": [',
            "feed.xml:1:59: broken JSON",
        ),
    ],
)
def test_what_is_refused(raw: str, says: str) -> None:
    with pytest.raises(BadFile) as caught:
        read(raw, "https://example.org/blog")
    assert says in str(caught.value)


@pytest.mark.parametrize("whole", [rss(ENTRY), ATOM, RDF])
def test_a_feed_that_was_cut_off_is_refused_with_its_line(whole: str) -> None:
    raw = whole.strip().encode()
    for end in range(60, len(raw) - 1, 11):
        with pytest.raises(BadFile) as caught:
            read(raw[:end])
        assert caught.value.where.rpartition(":")[2].isdigit()
        assert "cut off" in str(caught.value) or "broken XML" in str(caught.value)


# Anything at all


@given(st.binary(max_size=400) | st.text(max_size=200).map(lambda text: ("{" + text).encode()))
def test_any_bytes(raw: bytes) -> None:
    with pytest.raises(BadFile):
        read(raw)


MARKS = (
    "]]>",
    "<![CDATA[",
    "&",
    "<",
    "\x00",
    "<!--",
    "-->",
    "<item>",
    "</p>",
    '"',
    "&#x0;",
    "<a:b>",
    "//[",
)


@settings(max_examples=300, deadline=None)
@given(st.data(), st.sampled_from([rss(ENTRY), ATOM, RDF, RSS_091]))
def test_mutilated_feeds(data: st.DataObject, whole: str) -> None:
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole)))
        skip = data.draw(st.integers(0, 40))
        whole = (
            whole[:at]
            + data.draw(st.sampled_from(MARKS) | st.text(max_size=4))
            + whole[at + skip :]
        )
    try:
        found = read(whole.encode("utf-8", "surrogatepass"), "https://example.org/")
    except BadFile as error:
        assert str(error).startswith(SHOWN)
    else:
        assert all(one.title and "\n" not in one.title for one in found.items)
        assert all("\n" not in warning for warning in found.warnings)
