"""Web pages and their saved text: the posts, what is told of them, and nothing else."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailout.core.errors import BadFile
from mailout.core.ingest import dates, page
from mailout.core.ingest.item import Gathered, Item
from mailout.core.ingest.pages import addresses, saved
from mailout.core.ingest.prose import to_markdown

URL = "https://harbour.example.org/2026/11/vote/"

POST = """\
<!DOCTYPE html>
<html lang="en-GB"><head><meta charset="utf-8">
<title>Crane drivers vote &#8211; Harbour Campaign</title>
<meta property="og:site_name" content="Harbour Campaign">
<link rel="canonical" href="/2026/11/vote/">
<meta property="article:published_time" content="2026-11-20T08:30:00+00:00">
</head><body class="single">
<header><nav><ul><li><a href="/">Home</a></li></ul></nav></header>
<main><article class="post type-post">
 <header class="entry-header"><h1 class="entry-title">Crane drivers vote</h1>
  <div class="entry-meta">Posted on <time datetime="2026-11-20">20 November</time>
   by <a rel="author" href="/by/mara">Mara Lind</a></div></header>
 <div class="entry-content">
  <p>Nine in ten said <strong>yes</strong>, says <a href="/union">their union</a>.</p>
  <h2>What next</h2><p>Talks on Friday.</p>
  <div class="sharedaddy sd-sharing">Share this: <a href="https://share.example.net">Net</a></div>
 </div>
 <footer class="entry-footer">Filed in <a rel="category tag" href="/c/a">Appeals</a>,
  tagged <a rel="tag" href="/t/p">port</a></footer>
</article>
<section id="comments" class="comments-area"><h2>2 comments</h2><p>Somebody says something.</p></section>
<div class="related-posts"><article><h3>Another post</h3><p>Its opening.</p></article></div>
</main>
<aside class="sidebar"><h2>Follow us</h2></aside><footer>No rights reserved</footer>
</body></html>
"""

INDEX = """\
<html lang="de"><head><title>Appelle</title></head><body>
<div id="menu"><a href="/">Start</a></div>
<div id="content">
<div class="post" id="post-17"><h2><a href="/2026/vote/" rel="bookmark">Urabstimmung</a></h2>
<p class="postmeta">Posted by mara on January 12, 2026<br>Appelle, Hafen / No Comments</p>
<div class="entry"><p>Neun von zehn.</p>
<p><a class="more-link" href="/2026/vote/#more-17">Weiterlesen…</a></p></div></div>
<div class="post" id="post-16"><h2><a href="/2026/camp/">Zeltlager</a></h2>
<p class="postmeta">Posted by admin on January 9, 2026</p>
<div class="entry"><p>Alles <a href="plan.html">hier</a>.</p></div></div>
<div class="post" id="post-15"><h2><a href="/2026/empty/">Leer</a></h2></div>
</div></body></html>
"""

SAVED = """\
Appeals

Crane drivers vote

Posted by admin on January 12, 2026
Appeals, Harbour / No Comments

Crane drivers vote

Nine in ten said yes. Write to mara@example.org.

  • the release of all
  • the old shifts

Continue reading…

The camp at gate 4

Posted by Mara Lind on January 09, 2026
Harbour / 3 Comments

The tents stand since Monday, and nobody thinks of going home before the talks.

Who can help

Everybody with a van, a kettle or an evening can help the people at the gate:
a) bring wood
b) bring soup
"""


def one(html: str, url: str = URL) -> tuple[Item, Gathered]:
    gathered = page.read(html.encode(), "page.html", url)
    assert len(gathered.items) == 1
    return gathered.items[0], gathered


def md(item: Item) -> str:
    return to_markdown(item.html, item.url).text


def test_a_post_and_nothing_around_it() -> None:
    item, gathered = one(POST)
    assert (item.title, item.date, item.author) == (
        "Crane drivers vote",
        date(2026, 11, 20),
        "Mara Lind",
    )
    assert (item.url, item.source_id, item.language) == (URL, URL, "en")
    assert (item.categories, item.tags) == (("Appeals",), ("port",))
    assert md(item) == (
        "Nine in ten said **yes**, says [their union](https://harbour.example.org/union).\n\n"
        "## What next\n\nTalks on Friday.\n"
    )
    assert (gathered.found, gathered.warnings) == (1, ())
    assert [one.what for one in gathered.skipped] == ["comments"]
    assert "Somebody" not in repr(gathered)


def test_a_page_of_several_posts() -> None:
    gathered = page.read(INDEX.encode(), "index.html", "https://harbour.example.org/appelle/")
    first, second = gathered.items
    assert (first.title, first.date, first.author) == ("Urabstimmung", date(2026, 1, 12), "mara")
    assert (first.categories, first.language) == (("Appelle", "Hafen"), "de")
    assert first.url == first.source_id == "https://harbour.example.org/2026/vote/"
    assert md(first) == "Neun von zehn.\n"
    assert md(second) == "Alles [hier](https://harbour.example.org/appelle/plan.html).\n"
    assert gathered.found == 3
    assert [one.why for one in gathered.skipped] == ["it has no text here"]
    assert gathered.warnings == (
        "index.html: post 1 “Urabstimmung”: only its opening is here; "
        "the whole is at https://harbour.example.org/2026/vote/",
    )


def test_the_saved_text_of_a_page() -> None:
    gathered = page.read(SAVED.encode(), "saved.txt")
    first, second = gathered.items
    assert (first.title, first.author, first.date) == (
        "Crane drivers vote",
        "admin",
        date(2026, 1, 12),
    )
    assert first.categories == ("Appeals", "Harbour")
    assert md(first) == (
        "Nine in ten said yes. Write to <mara@example.org>.\n\n- the release of all\n- the old shifts\n"
    )
    assert (second.title, second.author) == ("The camp at gate 4", "Mara Lind")
    assert "## Who can help\n\n" in md(second)
    assert md(second).endswith("the gate:\na) bring wood\nb) bring soup\n")
    assert gathered.warnings == (
        "saved.txt:5 “Crane drivers vote”: only its opening is here; look for the whole",
    )


def test_ids_are_the_same_at_every_import() -> None:
    ids = [item.source_id for item in page.read(SAVED.encode(), "saved.txt").items]
    assert ids == [item.source_id for item in page.read(SAVED.encode(), "saved.txt").items]
    assert len(set(ids)) == 2


@pytest.mark.parametrize(
    ("html", "title"),
    [
        ("<title>Vote | Harbour</title><p>a b c</p>", "Vote"),
        ("<title>Vote - now</title><meta property='og:site_name' content=X><p>a</p>", "Vote"),
        ("<title>Harbour: Vote</title><p>a</p>", "Harbour: Vote"),
        ("<title>X</title><meta property='og:title' content='Vote'><p>a</p>", "Vote"),
        ("<title>Vote</title><h1>Vote now</h1><p>a</p>", "Vote now"),
        ("<title>Vote</title><h2>Part one</h2><p>a</p>", "Vote"),
    ],
)
def test_titles(html: str, title: str) -> None:
    item, _ = one(html)
    assert item.title == title
    if title == "Vote" and "Part one" in html:
        assert md(item).startswith("## Part one")


@pytest.mark.parametrize(
    ("html", "day"),
    [
        ("<meta property='article:published_time' content='2026-11-20T23:00:00+01:00'>", date(2026, 11, 20)),
        ("<script type='application/ld+json'>{\"@graph\":[{\"@type\":[\"BlogPosting\"],\"datePublished\":\"2026-11-20\"}]}</script>", date(2026, 11, 20)),
        ("<article><h1>a</h1><time datetime='2026-11-20T10:00'>Friday</time><p>x</p></article>", date(2026, 11, 20)),
        ("<p>Posted by Mara on January 12, 2012</p>", date(2012, 1, 12)),
        ("<p>Posted on 3rd March 2012</p>", date(2012, 3, 3)),
        ("<p>Veröffentlicht am 3. März 2012</p>", date(2012, 3, 3)),
        ("<p>Опубликовано 12 января 2012</p>", date(2012, 1, 12)),
        ("<script type='application/ld+json'>{broken</script>", None),
    ],
)  # fmt: skip
def test_dates_of_posts(html: str, day: date | None) -> None:
    item, _ = one(f"<title>T</title>{html}<p>Some words of the text.</p>")
    assert item.date == day


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-11-20", date(2026, 11, 20)),
        ("20.11.2026", date(2026, 11, 20)),
        ("Nov. 20, 2026", date(2026, 11, 20)),
        ("20 қараша 2026", date(2026, 11, 20)),
        ("2026 ж. 20 қараша", date(2026, 11, 20)),
        ("20 листопада 2026", date(2026, 11, 20)),
        ("Fri, 20 Nov 2026 10:00:00 GMT", date(2026, 11, 20)),
        ("25/12/2026", date(2026, 12, 25)),
        ("12/25/2026", date(2026, 12, 25)),
        ("3/4/2026", None),
        ("2026-13-40", None),
        ("Strike 20 people 2026", None),
    ],
)
def test_dates_in_words(text: str, day: date | None) -> None:
    assert dates.found(text) == day


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ('<span class="__cf_email__" data-cfemail="2a5f596a4f524b475a464f04455847">[x]</span>', "us@example.orm"),
        ("us [at] example [dot] org", "us@example.org"),
        ("us (at) mail.example.org", "us@mail.example.org"),
        ("&#117;&#115;&#64;example.org", "&#117;&#115;&#64;example.org"),
        ("<script>document.write('<a href=\"mai'+'lto:us\\x40exam'+'ple.org\">')</script>",
         '<a href="mailto:us@example.org">us@example.org</a>'),
        ("<script>var x = 'a [at] b'</script>", "<script>var x = 'a [at] b'</script>"),
        ("we met [at] noon", "we met [at] noon"),
    ],
)  # fmt: skip
def test_hidden_addresses_are_read(html: str, text: str) -> None:
    warnings: list[str] = []
    assert addresses.revealed(html, warnings) == text
    assert not warnings


@pytest.mark.parametrize(
    "html",
    [
        "<script>document.write(decode('kqgevrcatf') + 'mailto:')</script>",
        "This email address is being protected from spambots.",
    ],
)
def test_a_lost_address_is_told(html: str) -> None:
    _, gathered = one(f"<title>T</title><p>Write to {html} us.</p>")
    assert gathered.warnings == ("page.html: 1 mail address hidden by a script: lost",)


def test_a_page_without_marks_gives_its_densest_block() -> None:
    words = "Words of the text, many of them. " * 20
    html = (
        "<title>Old</title><table><tr><td><a href=1>one</a><a href=2>two</a></td>"
        f"<td><font>{words}<br><br>{words}</font></td></tr></table>"
    )
    assert md(one(html)[0]).count("many") == 40
    assert "one" not in md(one(html)[0])


def test_a_page_within_a_form_is_read() -> None:
    words = "Words of the text. " * 60
    item, _ = one(f"<title>T</title><form><div><p>{words}</p></div><input name=x></form>")
    assert md(item).count("Words") == 60


def test_words_behind_an_unclosed_comment_are_told() -> None:
    _, gathered = one("<title>T</title><p>Words here.</p><!-- never closed, and more")
    assert "page.html: a comment that never ends hides the last 5 words" in gathered.warnings


def test_a_post_without_a_title_gets_its_first_words() -> None:
    item, gathered = one("<p>Nine in ten said yes.</p>")
    assert item.title == "Nine in ten said yes."
    assert gathered.warnings == ("page.html: no title is told; its first words serve as one",)


def test_a_page_of_which_little_is_taken_says_so() -> None:
    around = (
        "<div>" + "".join(f"<p><a href=/{n}>Link number {n}</a></p>" for n in range(99)) + "</div>"
    )
    _, gathered = one(
        f"<title>T</title>{around}<article><h1>Vote</h1><p>Nine in ten.</p></article>"
    )
    assert "words are taken: look whether that is all" in gathered.warnings[0]


def test_countries_are_no_languages() -> None:
    item, gathered = one("<html lang=kz><title>T</title><p>a</p></html>")
    assert item.language == "kk"
    assert gathered.warnings == ("page.html: `kz` is a country, not a language: read as `kk`",)


@pytest.mark.parametrize(
    ("raw", "charset", "warns"),
    [
        ("<title>Т</title><p>Забастовка в порту</p>".encode("utf-8-sig"), "", False),
        (
            "<meta charset=windows-1251><title>Т</title><p>Забастовка в порту</p>".encode("cp1251"),
            "",
            False,
        ),
        ("<title>Т</title><p>Забастовка в порту</p>".encode("koi8-r"), "koi8-r", False),
        ("<title>Т</title><p>Забастовка в порту</p>".encode("cp1251"), "", True),
    ],
)
def test_encodings(raw: bytes, charset: str, warns: bool) -> None:
    gathered = page.read(raw, "page.html", URL, charset)
    assert "Забастовка в порту" in gathered.items[0].html
    assert bool(gathered.warnings) == warns


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "page.html: there is no text in it"),
        (b" \n", "page.html: there is no text in it"),
        (
            b"<html><body><script>x</script></body></html>",
            "page.html: there is no text in this page",
        ),
        (b"<div>" * 500 + b"x", "page.html: more than 150 elements stand within each other"),
        (b"<p>x</p>" + b"a" * 10_500_000, "page.html: more than 10 MB"),
    ],
)
def test_refusals(raw: bytes, says: str) -> None:
    with pytest.raises(BadFile) as error:
        page.read(raw, "page.html")
    assert says in str(error.value)


def test_the_lines_above_and_below_a_saved_post() -> None:
    assert saved.filed("Appeals, Articles / No Comments") == ("Appeals", "Articles")
    assert saved.filed("Filed under: Port") == ("Port",)
    assert saved.filed("We met on Monday / nobody came") == ()
    assert saved.posted("He posted it on Monday") is None
    assert saved.CONTINUES.fullmatch("Read more »")
    assert not saved.CONTINUES.fullmatch("We read more books")


@given(st.binary(max_size=300))
def test_any_bytes_are_posts_or_a_complaint(raw: bytes) -> None:
    try:
        page.read(raw, "page.html", URL)
    except BadFile as error:
        assert error.where


@given(st.data())
def test_a_spoilt_page_is_posts_or_a_complaint(data: st.DataObject) -> None:
    source = data.draw(st.sampled_from([POST, INDEX, SAVED]))
    start = data.draw(st.integers(0, len(source)))
    end = data.draw(st.integers(start, min(len(source), start + 80)))
    patch = data.draw(st.text("<>/\"'=a \n&;", max_size=8))
    try:
        gathered = page.read((source[:start] + patch + source[end:]).encode(), "page.html", URL)
    except BadFile as error:
        assert error.where
    else:
        for item in gathered.items:
            assert item.source_id
            to_markdown(item.html, item.url)
