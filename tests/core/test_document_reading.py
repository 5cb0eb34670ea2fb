"""One file, one post: Markdown of other programs, HTML, plain text."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailout.core.errors import BadFile
from mailout.core.ingest import document
from mailout.core.ingest.item import Gathered, Item
from mailout.core.ingest.prose import to_markdown


def read(text: str, shown: str) -> Gathered:
    return document.read(text.encode(), shown)


def one(text: str, shown: str) -> Item:
    (item,) = read(text, shown).items
    return item


def md(item: Item) -> str:
    return item.markdown or to_markdown(item.html, item.url).text.strip("\n")


JEKYLL = """\
---
layout: post
title: "Crane drivers vote"
date: 2026-11-20 10:00:00 +0100
categories: appeals harbour
tags: [port]
author: Mara Lind
excerpt: Nine in ten.
permalink: /vote/
published: false
---
Nine in ten
said yes. {: .lead}

<!--more-->

a) bring wood
b) bring <b>soup</b>

{% highlight sh %}
ls *
{% endhighlight %}
{% include share.html %}
"""


def test_a_jekyll_post() -> None:
    gathered = read(JEKYLL, "_posts/2026-11-20-crane-vote.md")
    (item,) = gathered.items
    assert (item.title, item.slug, item.date) == (
        "Crane drivers vote",
        "crane-vote",
        date(2026, 11, 20),
    )
    assert (item.categories, item.tags) == (("appeals", "harbour"), ("port",))
    assert (item.author, item.excerpt, item.status) == ("Mara Lind", "Nine in ten.", "draft")
    assert md(item) == (
        "Nine in ten said yes.\n\n<!--more-->\n\na) bring wood\nb) bring **soup**\n\n```\nls *\n```"
    )
    assert gathered.warnings == (
        "_posts/2026-11-20-crane-vote.md: the site's tag `include` is left out",
    )


HUGO = """\
+++
title = "Забастовка"
date = 2026-11-20T10:00:00+01:00
draft = true
[taxonomies]
categories = ["Порт"]
[params]
author = "Мара"
+++
Текст. {{< youtube Q1 >}}

{{< figure src="a.png" alt="Толпа" caption="У ворот" >}}

{{% notice %}}Завтра{{% /notice %}}
"""


def test_a_hugo_post() -> None:
    gathered = read(HUGO, "content/ru/post/strike/index.md")
    (item,) = gathered.items
    assert (item.title, item.slug, item.language) == ("Забастовка", "strike", "ru")
    assert (item.date, item.status, item.author) == (date(2026, 11, 20), "draft", "Мара")
    assert item.categories == ("Порт",)
    assert md(item) == (
        "Текст. <https://www.youtube.com/watch?v=Q1>\n\n![Толпа](a.png)\n*У ворот*\n\nЗавтра"
    )
    assert "the site's tag `notice` is left out" in " ".join(gathered.warnings)


def test_texts_of_one_post_share_their_slug() -> None:
    head = "---\ntitle: x\n---\ntext"
    for shown in ("post/vote.ru.md", "ru/vote.md", "vote/index.ru.md", "2026-11-20-vote.ru.md"):
        item = one(head, f"content/{shown}")
        assert (item.slug, item.language) == ("vote", "ru")


def test_our_own_text_stays_as_it_is() -> None:
    text = "---\ntitle: x\nkind: appeal\nlang: kk\nactions: []\n---\n\nline\nline\n"
    item = one(text, "x.md")
    assert (item.markdown, item.html, item.kind, item.language) == (
        "line\nline",
        "",
        "appeal",
        "kk",
    )


@pytest.mark.parametrize("key", ["lang: de", "kind: appeal", "language: de"])
def test_a_key_that_others_have_too_does_not_spare_the_cleaning(key: str) -> None:
    item = one(f"---\ntitle: x\n{key}\n---\nline\nline <b>{{{{< x >}}}}</b>\n", "x.md")
    assert not item.markdown
    assert "{{" not in item.html


JSON_HEAD = """\
{
  "title": "Strike {vote}",
  "date": "2026-11-20T10:00:00Z",
  "tags": ["port"],
  "draft": true,
  "Params": {"author": "Mara Lind"},
  "mood": "grim"
}

Nine in ten.
"""


@pytest.mark.parametrize("shown", ["content/vote.md", "vote.txt", "vote.html"])
def test_front_matter_in_json(shown: str) -> None:
    gathered = read(JSON_HEAD, shown)
    (item,) = gathered.items
    assert (item.title, item.date, item.status) == ("Strike {vote}", date(2026, 11, 20), "draft")
    assert (item.tags, item.author, md(item)) == (("port",), "Mara Lind", "Nine in ten.")
    assert gathered.warnings == (f"{shown}:7: `mood` is not known here, and left out",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{\n"title": "x",\n}\ntext', "x.md:3:1: the front matter is not JSON"),
        ('{"title": "x"', "x.md:1:14: the front matter is not JSON"),
        ('{"title": "x"}', "x.md:2: there is no text in it"),
        ('{"title": "x"} text', "x.md:1: the text begins on the line on which"),
        ('{"a":' * 5000, "x.md: the front matter is no JSON that a post has"),
        ('{"a": ' + "1" * 5000 + "}\ntext", "x.md: the front matter is no JSON that a post has"),
    ],
)
def test_json_that_is_no_front_matter_is_refused(text: str, says: str) -> None:
    with pytest.raises(BadFile) as error:
        read(text, "x.md")
    assert says in str(error.value)


@pytest.mark.parametrize("text", ["{% include x %}\ntext", "{{< x >}}\ntext", "{braces} as text"])
def test_braces_are_no_front_matter(text: str) -> None:
    assert one(text, "x.md").title == "X"


def test_hugos_days_of_publishing_and_expiry() -> None:
    head = "---\ntitle: x\ndate: 2026-11-20\n{}\n---\ntext"
    item = one(head.format("expiryDate: 2026-12-01\npublishDate: 2026-11-30T08:00:00Z"), "x.md")
    assert (item.date, item.expires) == (date(2026, 11, 30), date(2026, 12, 1))
    item = one(head.format("unpublishdate: 2026-12-01\npublishdate: 2026-11-01"), "x.md")
    assert (item.date, item.expires) == (date(2026, 11, 20), date(2026, 12, 1))
    assert one(head.format("expiryDate: soon"), "x.md").expires is None


@pytest.mark.parametrize(
    ("text", "title", "body"),
    [
        ("# Vote\n\ntext", "Vote", "text"),
        ("Vote\n====\n\ntext", "Vote", "text"),
        ("---\ntitle: Vote\n---\n# Vote\n\ntext", "Vote", "text"),
        ("---\ntitle: Vote\n---\n# Now\n\ntext", "Vote", "## Now\n\ntext"),
        ("text", "Crane vote", "text"),
    ],
)
def test_titles_of_markdown(text: str, title: str, body: str) -> None:
    item = one(text, "2026-11-20-crane-vote.md")
    assert (item.title, md(item), item.date) == (title, body, date(2026, 11, 20))


def test_what_is_no_post_is_left_out() -> None:
    for text, shown in (
        ("---\ntitle: x\n---\ny", "content/_index.md"),
        ("---\nlayout: page\n---\ny", "about.md"),
    ):
        gathered = read(text, shown)
        assert (gathered.items, gathered.found, gathered.skipped[0].why) == (
            (),
            1,
            "a page of its site, no post",
        )


def test_unknown_keys_are_told_with_their_line() -> None:
    gathered = read("---\ntitle: x\nmood: grim\n---\ny", "x.md")
    assert gathered.warnings == ("x.md:3: `mood` is not known here, and left out",)


def test_an_html_file() -> None:
    html = (
        "<html lang=de><head><title>Datei</title><meta name=author content='Mara Lind'></head>"
        "<body><h1>Urabstimmung</h1><p>Neun von <i>zehn</i>.</p><h2>Danach</h2></body></html>"
    )
    item = one(html, "2026-11-20-urabstimmung.html")
    assert (item.title, item.author, item.language) == ("Urabstimmung", "Mara Lind", "de")
    assert (item.date, md(item)) == (date(2026, 11, 20), "Neun von *zehn*.\n\n## Danach")


COMMENTS = """<section id="comments" class="comments-area"><h2>2 comments</h2>
<ol class="comment-list"><li class="comment"><article class="comment-body"><b>Petra Zalesova</b>
petra@example.net</article></li></ol></section><div id="respond">Leave a reply, Petra</div>"""


@pytest.mark.parametrize(
    "html",
    [
        f"<h1>Vote</h1><p>Nine in ten.</p>{COMMENTS}",
        f"<html><body><h1>Vote</h1><p>Nine in ten.</p>{COMMENTS}</body></html>",
        "<article><h1>Vote</h1><p>Nine in ten.</p><article class='comment-body'>Petra</article>"
        "</article>",
        "<h1>Vote</h1><p>Nine in ten.</p><div itemprop=comment><p>Petra</p></div>",
    ],
)
def test_comments_are_never_read(html: str) -> None:
    gathered = read(html, "x.html")
    (item,) = gathered.items
    assert (item.title, md(item)) == ("Vote", "Nine in ten.")
    assert [one.what for one in gathered.skipped] == ["comments"]
    assert "etra" not in repr(gathered)
    assert any("whole web page" in one for one in gathered.warnings) == ("<body>" in html)


def test_a_whole_page_loses_what_is_around_its_text_and_is_told() -> None:
    around = "<nav><a href=/>Home</a></nav>", '<div class="sharedaddy">Share this</div>'
    text = f"<h1>Vote</h1><p>Nine <code class=comment># x</code></p>{around[1]}"
    gathered = read(f"<!doctype html><html><body>{around[0]}{text}</body></html>", "x.html")
    assert md(gathered.items[0]) == "Nine `# x`"
    assert "this is a whole web page: `mailout posts import page` suits it" in gathered.warnings[0]
    part = read(f"<div>{text}</div>", "x.html")
    assert "Share this" in md(part.items[0])
    assert not part.warnings
    assert not read(f"<html><body>{text[:-48]}</body></html>", "x.html").warnings
    assert read(f"<html><body><main>{text}</main></body></html>", "x.html").warnings


def test_words_above_the_heading_stay() -> None:
    item = one("<p>Urgent</p><h2>Vote</h2><p>Now.</p>", "x.html")
    assert (item.title, md(item)) == ("Vote", "Urgent\n\n## Vote\n\nNow.")


@pytest.mark.parametrize(
    ("text", "title", "body"),
    [
        ("Vote\n\nNine in ten.", "Vote", "Nine in ten."),
        ("Vote\n\na\nb", "Vote", "a\nb"),
        ("Vote\n\n- one\n- two\nand so on", "Vote", "- one\n- two\n\nand so on"),
        ("Vote\n\n1. one\n2. two", "Vote", "1. one\n2. two"),
        ("Vote\n\n1986. A year", "Vote", "1986\\. A year"),
        ("Vote\n\na) one\nb) two", "Vote", "a) one\nb) two"),
        (
            "Vote\n\nsee https://example.org/x_y, please",
            "Vote",
            "see <https://example.org/x_y>, please",
        ),
        ("Vote\n\nLinksjugend ['solid]", "Vote", "Linksjugend ['solid]"),
        ("Only words", "Only words", "Only words"),
        ("one line\nand another", "one line", "one line\nand another"),
    ],
)
def test_plain_text(text: str, title: str, body: str) -> None:
    item = one(text, "notes.txt")
    assert (item.title, md(item)) == (title, body)


def test_lines_that_a_program_wrapped_are_joined() -> None:
    line = "words that fill a line of a mail to its very end, as they do here\n"
    item = one(f"Vote\n\n{line * 3}end.\n\n{line * 3}end.", "mail.txt")
    assert md(item).count("\n") == 2


def test_a_language_in_the_name() -> None:
    assert one("Vote\n\ntext", "vote.kk.txt").language == "kk"
    assert one("Vote\n\ntext", "v1.2.txt").language == ""


def test_control_characters_are_stripped_and_told() -> None:
    gathered = read("Vote\n\na\0b\x1b", "notes.txt")
    assert "ab" in gathered.items[0].html
    assert gathered.warnings == ("notes.txt:3: control characters stripped: 2",)


def test_old_encodings_are_read_with_a_warning() -> None:
    gathered = document.read("Порт\n\nЗабастовка в порту".encode("cp1251"), "notes.txt")
    assert gathered.items[0].title == "Порт"
    assert "read as windows-1251" in gathered.warnings[0]


@pytest.mark.parametrize(
    ("text", "shown", "says"),
    [
        ("", "x.txt", "x.txt: there is no text in it"),
        ("---\ntitle: x\n---\n", "x.md", "x.md:4: there is no text in it"),
        ("---\ntitle: x\n", "x.md", "x.md:1: the front matter that begins here has no end"),
        ("+++\ntitle = x\n+++\ny", "x.md", "x.md:2:9: the front matter is not TOML"),
        ("<p></p>", "x.html", "x.html: there is no text in it"),
        ("<div>" * 400 + "x", "x.html", "x.html: more than 150 elements"),
        ("a" * 10_000_001, "x.txt", "x.txt: more than 10 MB"),
    ],
)
def test_refusals_name_the_file(text: str, shown: str, says: str) -> None:
    with pytest.raises(BadFile) as error:
        read(text, shown)
    assert says in str(error.value)


@given(st.binary(max_size=200), st.sampled_from(["x.md", "x.html", "x.txt", "x"]))
def test_any_bytes_are_a_post_or_a_complaint(raw: bytes, shown: str) -> None:
    for source in (raw, b"---\n" + raw + b"\n---\ntext", b"+++\n" + raw + b"\n+++\ntext"):
        try:
            document.read(source, shown)
        except BadFile as error:
            assert error.where


@pytest.mark.parametrize(
    ("name", "piece"),
    [
        ("a.html", "<a "),
        ("a.html", "<script "),
        ("a.html", "<noscript "),
        ("a.html", "<!--more"),
        ("a.html", '<span data-cfemail="'),
        ("a.html", '<a href="http://x/'),
        ("a.txt", "<!-- -->"),
        ("a.md", "\N{NO-BREAK SPACE}"),
    ],
)
def test_what_repeats_without_end_is_read_in_time(name: str, piece: str) -> None:
    """Each of these took the square of its length or more: here it would be minutes."""
    head = "---\ntitle: x\n---\n" if name == "a.md" else ""
    try:
        document.read(f"{head}{piece * (200_000 // len(piece))}".encode(), name)
    except BadFile as error:
        assert error.where.startswith(name)


def test_a_page_of_comments_alone_has_no_text() -> None:
    with pytest.raises(BadFile, match=r"a\.html: there is no text in it"):
        document.read(b"<!-- nothing --><!-- here -->", "a.html")
