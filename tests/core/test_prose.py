"""HTML as Markdown: reads well, reads back the same, loses no word without saying so."""

from __future__ import annotations

import re
from html import escape, unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailout.core import markup, plain
from mailout.core.errors import BadFile
from mailout.core.ingest.prose import to_markdown

BASE = "https://example.org/news/strike/"


def md(html: str, base: str = BASE) -> str:
    return to_markdown(html, base).text.strip("\n")


def warned(html: str, base: str = BASE) -> str:
    return "\n".join(to_markdown(html, base).warnings)


def seen(html: str) -> str:
    """The letters that a browser shows of our own HTML, white space left out."""
    return "".join(unescape(re.sub(r"<[^>]*>", "", html)).split())


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        ("<h1>Top</h1><p>a</p><h3>Sub</h3>", "## Top\n\na\n\n#### Sub"),
        ("<h4>Only</h4>", "## Only"),
        ("<h2>Vote #</h2>", "## Vote \\#"),
        ("<h2></h2><p>a</p>", "a"),
        ("<p>a<b> b </b>c<b></b></p>", "a **b** c"),
        ("<b>a</b><b>b</b>", "**ab**"),
        ("<b>a<strong>b</strong></b>", "**ab**"),
        ("<b>a<em>b</em></b>", "**a*b***"),
        ("<p><b>Port:</b>today</p>", "**Port**:today"),
        ("<b><br>a</b>", "**a**"),
        ("a<br>b", "a\nb"),
        ("a<br><br>b", "a\n\nb"),
        ("<p>a) sign<br/>b) write</p>", "a) sign\nb) write"),
        ("<ul><li>a<li>b<ul><li>c</ul></ul>", "- a\n- b\n  - c"),
        ("<ul><li>a</li><ul><li>c</li></ul></ul>", "- a\n  - c"),
        ("<ul><li><p>a</p><p>b</p></li><li>c</li></ul>", "- a\n\n  b\n\n- c"),
        ("<ul><li>a</ul><ul><li>b</ul>", "- a\n\n* b"),
        ("<ol><li>a</ol><ol><li>b</ol>", "1. a\n\n1) b"),
        ("<ul><li>a</ul><ol><li>b</ol>", "- a\n\n1. b"),
        ("<ol start=4><li>a<li>b</ol>", "4. a\n5. b"),
        ("<ol type=a><li>sign<li>write</ol>", "a) sign\nb) write"),
        ("<ol style='list-style-type: upper-alpha'><li>sign</ol>", "A) sign"),
        ("<ol type=i><li>a<li>b<li>c<li>d</ol>", "i) a\nii) b\niii) c\niv) d"),
        ("<blockquote><p>a</p><p>b<br>c</p></blockquote>", "> a\n>\n> b\n> c"),
        ("<pre>a\n  b<br>c</pre>", "```\na\n  b\nc\n```"),
        ("<p>a</p><hr><p>b</p>", "a\n\n***\n\nb"),
        ("<code>a`b</code>", "``a`b``"),
        ("CO<sub>2</sub>, m<sup>2</sup>, 5<sup>th</sup>", "CO₂, m², 5th"),
        ('said<sup><a href="#fn1">1</a></sup>', "said[1]"),
        ("<q>Enough</q>", "“Enough”"),
        ("<dl><dt>Who</dt><dd>All</dd></dl>", "**Who**\n\nAll"),
        ("<p>&nbsp;</p><p>a&nbsp; b</p>", "a b"),
        ('<img class="emoji" alt="✊" src="x.png"> Go', "✊ Go"),
        ("<p>a<p>b<div>c", "a\n\nb\n\nc"),
        ("<b><p>a</p><p>b</p></b>", "**a**\n\n**b**"),
    ],
)  # fmt: skip
def test_each_element_reads_well(html: str, markdown: str) -> None:
    assert md(html) == markdown


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        ('<a href="/vote">vote</a>', "[vote](https://example.org/vote)"),
        ('<a href="more">more</a>', "[more](https://example.org/news/strike/more)"),
        ('<a href="https://e.example.net/x_(y)">w</a>', "[w](https://e.example.net/x_(y))"),
        ('<a href="https://e.example.net/(">w</a>', "[w](https://e.example.net/%28)"),
        ('<a href="https://e.example.net/a b">w</a>', "[w](https://e.example.net/a%20b)"),
        ('<a href="https://e.example.net/%D0%B0?a=1&amp;b">w</a>', "[w](https://e.example.net/%D0%B0?a=1&b)"),
        ('<a href="https://порт.example.net/ж">w</a>', "[w](https://порт.example.net/ж)"),
        ('<a href="mailto:us@example.org">us@example.org</a>', "<us@example.org>"),
        ('<a href="https://example.org/a_b_c">https://example.org/a_b_c</a>', "<https://example.org/a_b_c>"),
        ('a <a href="/x"> here </a>b', "a [here](https://example.org/x) b"),
        ('<a href="/x">a [b] c</a>', "[a \\[b\\] c](https://example.org/x)"),
        ('<a href="/x"></a>a', "a"),
        ('<a href="#top">up</a>', "up"),
        ('<a name="x">a</a>', "a"),
        ('Look!<a href="/x">there</a>', "Look\\![there](https://example.org/x)"),
        ('<a href="/x"><h2>Vote</h2><p>Now</p></a>', "## [Vote](https://example.org/x)\n\n[Now](https://example.org/x)"),
        ('<img src="/a.jpg" alt="A *b* [c] d_">', "![A *b* [c] d_](https://example.org/a.jpg)"),
        ('<img src="/a.jpg" alt="A ] `b\\">', "![A ) 'b](https://example.org/a.jpg)"),
        ('<img src="a.jpg" alt="A crowd">', "![A crowd](https://example.org/news/strike/a.jpg)"),
        ('<a href="/big.jpg"><img src="/a.jpg" alt="A"></a>', "![A](https://example.org/a.jpg)"),
        ('<a href="/x"><img src="/a.jpg" alt="A"></a>', "[![A](https://example.org/a.jpg)](https://example.org/x)"),
        ('<img src="data:image/gif;base64,R0" data-src="/a.jpg" alt="A">', "![A](https://example.org/a.jpg)"),
        ('<figure><img src="/a.jpg" alt="A"><figcaption>Photo: <i>B</i></figcaption></figure>', "![A](https://example.org/a.jpg)\n*Photo: B*"),
        ('<figure><figure><img src="/a.jpg" alt="A"></figure><figure><img src="/b.jpg" alt="B"></figure></figure>',
         "- ![A](https://example.org/a.jpg)\n- ![B](https://example.org/b.jpg)"),
    ],
)  # fmt: skip
def test_links_and_pictures_stay_whole(html: str, markdown: str) -> None:
    assert md(html) == markdown


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        ("<table><tr><th>A<th>B<tr><td>1<td>2</table>", "| A | B |\n| --- | --- |\n| 1 | 2 |"),
        ("<table><tr><td>A<td>B<tr><td>1<td>2</table>", "|  |  |\n| --- | --- |\n| A | B |\n| 1 | 2 |"),
        ("<table><thead><tr><td>A|B<td>C</thead><tr><td>1<br>2</table>", "| A\\|B | C |\n| --- | --- |\n| 1 2 |  |"),
        ("<table><tr><th colspan=2>A<tr><td>1<td>2</table>", "| A |  |\n| --- | --- |\n| 1 | 2 |"),
        ("<table><tr><th>A<th>B<tr><td rowspan=2>1<td>2<tr><td>3</table>", "| A | B |\n| --- | --- |\n| 1 | 2 |\n|  | 3 |"),
        ("<table><tr><td><p>a</p><p>b</p><td><h2>c</h2></table>", "a\n\nb\n\n## c"),
        ("<table><tr><td><table><tr><td>a</table></table>", "a"),
    ],
)  # fmt: skip
def test_tables_of_words_stay_tables_and_scaffolding_goes(html: str, markdown: str) -> None:
    assert md(html) == markdown


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("1986. A year", "1986\\. A year"),
        ("Linksjugend ['solid]", "Linksjugend ['solid]"),
        ("[1] and [sic]", "[1] and [sic]"),
        ("[a](b)", "[a\\](b)"),
        ("[a]: b", "[a\\]: b"),
        ("*a* 2 * 3", "\\*a\\* 2 * 3"),
        ("snake_case _x_ ____", "snake_case \\_x\\_ ____"),
        ("# a", "\\# a"),
        ("#a", "#a"),
        ("- a", "\\- a"),
        ("+ a", "\\+ a"),
        ("> a", "\\> a"),
        ("---", "\\---"),
        ("<b> 3 < 4", "\\<b> 3 < 4"),
        ("&amp; & R&D", "\\&amp; & R&D"),
        ("<!--more-->", "&lt;!--more-->"),
        ("C:\\dir \\*", "C:\\dir \\\\\\*"),
        ("a | b", "a | b"),
    ],
)
def test_plain_text_is_escaped_only_where_it_must_be(text: str, markdown: str) -> None:
    assert md(f"<p>{escape(text)}</p>") == markdown


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        ("<p>a</p><!--more--><p>b</p>", "a\n\n<!--more-->\n\nb"),
        ("<p>a<!--more-->b</p>", "a\n\n<!--more-->\n\nb"),
        ("<p>a</p><!--more Read on--><p>b</p>", "a\n\n<!--more-->\n\nb"),
        ("<div><p>a</p><!--more--></div>b", "a\n\n<!--more-->\n\nb"),
        ("<ul><li>a<!--more--></li><li>b</li></ul>c", "- a\n- b\n\n<!--more-->\n\nc"),
        ("a<!--more-->b<!--more-->c", "a\n\n<!--more-->\n\nb\n\nc"),
        ("<p>a<!-- wp:paragraph --></p><!-- x -->", "a"),
    ],
)
def test_the_mark_behind_the_opening_stands_alone(html: str, markdown: str) -> None:
    assert md(html) == markdown


@pytest.mark.parametrize(
    ("html", "says"),
    [
        ('<a href="javascript:alert(1)">go</a>', "a `javascript:` address is left out: go"),
        ('<a href="&#106;ava\tscript:x">go</a>', "a `javascript:` address is left out: go"),
        ('<a href="data:text/html,x">go</a>', "a `data:` address is left out: go"),
        ('<a href="tg://resolve">go</a>', "a `tg:` address is left out: go"),
        ('<img src="/a.jpg">', "a picture has no text: https://example.org/a.jpg"),
        ('<img src="data:image/png;base64,R0" alt="A">', "a picture that is written into the page is left out: A"),
        ('<img src="/p.gif" width=1 height=1>', "a picture of one pixel is left out"),
        ("<form>Your name <input><button>Sign</button></form>", "a form is left out: Your name Sign"),
        ('<iframe src="https://player.vimeo.com/video/7"></iframe>', "what was embedded became a link: https://vimeo.com/7"),
        ('<video><source src="/v.mp4"></video>', "what was embedded became a link: https://example.org/v.mp4"),
        ("<s>old</s>", "struck-out words stand as ordinary ones: old"),
        ("<div style='display: none'>buy pills</div>", "hidden text is left out: buy pills"),
        ("a\0b\x1bc", "control characters stripped: 2"),
        ("a <!-- b c", "a comment that never ends hides the last 3 words"),
        ("<p>a b <textarea>c d", "a field of a form is left out: c d"),
        ('<a href="http://[">x</a>', "a link leads nowhere: x"),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_over_is_told(html: str, says: str) -> None:
    assert says in warned(html)


def test_an_address_without_its_site_is_told() -> None:
    assert md('<a href="/x">a</a>', "") == "[a](/x)"
    assert warned('<a href="/x">a</a>', "") == "an address without its site stays as it is: /x"


def test_embedded_films_lead_to_their_page() -> None:
    html = '<p>a</p><iframe src="https://www.youtube-nocookie.com/embed/Q1?rel=0"></iframe>'
    assert md(html) == "a\n\n<https://www.youtube.com/watch?v=Q1>"


def test_scripts_and_styles_vanish_without_a_word() -> None:
    found = to_markdown("<style>p{}</style><script>x</script><p>a</p>")
    assert (found.text, found.warnings) == ("a\n", ())


def test_a_page_within_a_form_is_kept() -> None:
    html = f"<form><p>{'word ' * 100}</p><input value=x></form>"
    assert md(html).count("word") == 100
    assert "the words around them are kept" in warned(html)


def test_a_character_in_two_halves_is_one() -> None:
    assert to_markdown("<p>&#xD83D;&#xde4c; &#55357;&#56908;</p>").text == "🙌 🙌\n"
    assert to_markdown("<p>&#xD83D; &#56908; &#55000;&#56000;</p>").text == "� � 훘�\n"


def test_what_is_there_for_want_of_scripts_is_read() -> None:
    html = "<p>a</p><noscript><p>Read <b>this</b></p></noscript><noscript><img src=x></noscript>"
    assert to_markdown(html).text == "a\n\nRead **this**\n"


def test_nothing_gives_nothing() -> None:
    assert to_markdown("").text == to_markdown("<p> </p>").text == ""


@pytest.mark.parametrize(
    "html",
    [
        "<table><tr><td>" * 300 + "x" + "</table>" * 300,
        "<div>" * 500 + "x" + "</div>" * 500,
        "<div>" * 100_000,
        "<ul><li>" * 5000,
        "<blockquote>" * 200 + "x",
        "".join(f"<font size={n}>x<p>" for n in range(5000)),
        "<b>" + "<span>" * 3000,
        "<p>" + "<b><i>" * 500 + "x" + "</i></b>" * 500,
        "<b><a><em>" * 500 + "x",
    ],
)
def test_what_is_nested_too_deeply_is_refused(html: str) -> None:
    with pytest.raises(BadFile, match="stand within each other"):
        to_markdown(html)


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 140 + "deep" + "</div>" * 140,
        "<table><tr><td>" * 35 + "deep" + "</table>" * 35,
        "<ul><li>" * 140 + "deep",
        "<blockquote>" * 140 + "deep",
        "<p>deep" * 3000,
        "<li>deep" * 3000,
        "<b>deep<p>" * 3000,
        "<i><b><u>deep" * 40,
    ],
)
def test_what_is_nested_less_is_kept_whole(html: str) -> None:
    assert md(html).count("deep") == html.count("deep")


def test_too_much_is_refused() -> None:
    with pytest.raises(BadFile, match="more than 10 MB of HTML"):
        to_markdown("<p>words of a post</p>" * 500_000)


def test_words_behind_an_unclosed_script_are_missed() -> None:
    with pytest.raises(BadFile, match="words would be lost"):
        to_markdown("<p>a</p><script>" + "word " * 50)


PLAIN = st.text(
    st.one_of(
        st.sampled_from("*_`[]()<>!#&-+=|~\\:.1a \nю"),
        st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"),
    ),
    max_size=60,
)


@given(PLAIN)
def test_any_plain_text_reads_back_the_same(text: str) -> None:
    for html in (
        escape(text),
        f"<p>{escape(text).replace(chr(10), '<br>')}</p>",
        f"<h2>{escape(text)}</h2>",
        f"<ul><li>{escape(text)}</li><li>x</li></ul>",
        f"<table><tr><th>{escape(text)}<th>x<tr><td>{escape(text)}<td>y</table>",
    ):
        found = to_markdown(html)
        assert seen(markup.to_html(found.text)) == seen(html)
        assert not found.warnings
        plain.to_text(found.text)


TREES = st.recursive(
    PLAIN.map(escape),
    lambda inner: st.builds(
        lambda tag, parts: f"<{tag}>{''.join(parts)}</{tag.split()[0]}>",
        st.sampled_from(
            ["b", "i", "em", "p", "div", "span", "ul", "ol", "li", "blockquote", "h2", "code", "u",
             'a href="https://example.org/x"', "table", "tr", "td", "pre", "figure", "dt", "center"]
        ),
        st.lists(inner, max_size=3),
    ),
    max_leaves=12,
)  # fmt: skip


ALTS = st.text(st.sampled_from("[]()!*_`\\<>&;ab \"'"), min_size=1, max_size=12)


@given(ALTS)
def test_no_picture_breaks_out_of_its_text(alt: str) -> None:
    picture = f'<img src="/a.jpg" alt="{escape(alt)}">'
    for html in (f"a {picture} b", f'<a href="/x">{picture}</a>'):
        text = md(html)
        assert [source for _, source, _ in markup.pictures(text)] == ["https://example.org/a.jpg"]
        assert markup.to_html(text).count("<a ") == html.count("<a ")


@given(TREES)
def test_no_tree_loses_a_letter(html: str) -> None:
    found = to_markdown(html)
    assert not [line for line in found.warnings if "missing" in line]
    ours, theirs = seen(markup.to_html(found.text)), seen(html)
    assert sorted(ours) == sorted(theirs)


@given(st.text(st.sampled_from("<>/!-=\"' abdiv&;#x1\0\x85"), max_size=80))
def test_any_text_is_read_or_refused(html: str) -> None:
    try:
        to_markdown(html, BASE)
    except BadFile as error:
        assert str(error)
