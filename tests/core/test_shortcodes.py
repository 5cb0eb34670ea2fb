"""Shortcodes and blocks: plugins' debris never stays, an author's brackets always do."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailout.core.ingest import shortcodes, wxr_blocks
from mailout.core.ingest.shortcodes import Library, Picture, resolve
from mailout.core.ingest.wxr_blocks import to_body


def out(html: str, library: Library | None = None) -> str:
    return resolve(html, library).html


@pytest.mark.parametrize(
    "text",
    [
        "Linksjugend ['solid] and others",
        "He said [sic] that [the minister] lied [...] and [1] left [42a].",
        "so-called [Workers' Party] of [city name withheld]",
        "[Applause] [Translated from Kazakh]",
        "\n[sic]\n",
        "\n[Photo: Anna Bright]\n",
        "see [http://example.org/?a=1] or [https://example.org]",
        "[а также другие] [забастовка]",
        "a[0] = b[index]",
        "[]",
        "[ ]",
        "[-]",
        "[see note [1] below]",
        "[18 years, 3 months]",
        "an unclosed [bracket",
        "[note that x = y]",
    ],
)
def test_an_authors_brackets_stay(text: str) -> None:
    assert out(text) == text


@pytest.mark.parametrize(
    ("html", "left"),
    [
        ('a [contact-form-7 id="5" title="Write to us"] b', "a  b"),
        ("<p>[contact-form-7 404]</p>", "<p></p>"),
        ("Sign!\n[signature]\n", "Sign!\n\n"),
        ("1500 have signed. [signature]", "1500 have signed. "),
        ("1500 have signed. [petitioncount]\nMore", "1500 have signed. \nMore"),
        ("<p>[signature]</p>", "<p></p>"),
        ("<p><strong>[petitioncount]</strong></p>", "<p><strong></strong></p>"),
        ("x [nggallery id=4] y", "x  y"),
        ("x [my_plugin] y", "x  y"),
        ("x [toc /] y", "x  y"),
        ("x [box color=red]Kept words[/box] y", "x Kept words y"),
        ("[row][col]one[/col][col]two[/col][/row]", "onetwo"),
        ("[box]\nopened and never closed", "\nopened and never closed"),
        ("x [/column] y", "x  y"),
        ("[contact-form][contact-field label='Name'/][/contact-form]", ""),
        ("[vc_raw_html]JTNDcCUzRQ==[/vc_raw_html]", ""),
        ("x [insert name=“news”] y", "x  y"),
        ("x [insert name=&#8221;news&#8221;] y", "x  y"),
    ],
)
def test_what_plugins_left_goes_and_is_reported(html: str, left: str) -> None:
    found = resolve(html)
    assert found.html == left
    assert len(found.warnings) == 1


def test_the_report_names_each_once() -> None:
    found = resolve("[a_b]x[a_b]y [form id=1] [box x=1]z[/box]")
    assert found.warnings == ("shortcodes left out: [a_b], [form ..], [box]..[/box]",)


def test_a_word_in_a_sentence_stays_and_is_reported() -> None:
    found = resolve("We gave [them] and [the rest] all of it")
    assert found.html == "We gave [them] and [the rest] all of it"
    assert found.warnings == ("left as they are, though they may be shortcodes: [them]",)


def test_a_word_that_is_a_shortcode_elsewhere_goes() -> None:
    names = shortcodes.names_in("[donatebox sum=5] [row]x[/row]")
    assert names == {"donatebox", "row"}
    assert out("Give [donatebox] now", Library(names=names)) == "Give  now"


def test_what_is_for_members_goes_with_its_words() -> None:
    found = resolve("Open. [members_only]Three secret words[/members_only]")
    assert found.html == "Open. "
    assert found.warnings == (
        "shortcode [members_only] left out with its 3 words, which are not for everybody",
    )


def test_what_is_for_members_goes_with_the_code_in_it() -> None:
    assert out("Open. [members]One <pre>[x] secret</pre> two[/members] end") == "Open.  end"


def test_a_shortcode_within_an_authors_brackets() -> None:
    assert out("[see [my_plugin] and [note one] below]") == "[see  and [note one] below]"


def test_escaped_ones_stay_as_words() -> None:
    assert out("Write [[gallery]] there") == "Write [gallery] there"


@pytest.mark.parametrize(
    ("html", "figure"),
    [
        (
            '[caption id="a_1" width="300"]<a href="x"><img src="p.jpg" /></a> At [the] gate[/caption]',
            '<figure><a href="x"><img src="p.jpg" /></a><figcaption>At [the] gate</figcaption></figure>',
        ),
        (
            '[caption width="300" caption="At &quot;our&quot; gate [1]"]<img src="p.jpg">[/caption]',
            '<figure><img src="p.jpg"><figcaption>At "our" gate [1]</figcaption></figure>',
        ),
        ("[wp_caption]<img src='p.jpg'>[/wp_caption]", "<figure><img src='p.jpg'></figure>"),
        ("[caption]only words[/caption]", "only words"),
    ],
)
def test_captions(html: str, figure: str) -> None:
    found = resolve(html)
    assert found.html.strip() == figure
    assert "shortcodes left out" not in "".join(found.warnings)


def test_galleries() -> None:
    library = Library(
        {"1": Picture("https://example.org/1.jpg", 'a "b"'), "2": Picture("x")}, ("2",)
    )
    assert out('[gallery ids="1"]', library).strip() == (
        '<figure><img src="https://example.org/1.jpg" alt="a &quot;b&quot;"></figure>'
    )
    assert 'src="x"' in out("[gallery]", library)
    found = resolve('[gallery include="1,9" columns=2]', library)
    assert found.warnings == ("gallery: 1 of 2 pictures are not in the export",)
    assert resolve("\n[gallery]\n").warnings == ("gallery: its pictures are not in the export",)


@pytest.mark.parametrize(
    ("html", "target"),
    [
        (
            "[embed width='500']https://example.org/v?a=1&amp;b=2[/embed]",
            "https://example.org/v?a=1&amp;b=2",
        ),
        ("[embed]https://example.org/v[/embed]", "https://example.org/v"),
        ('[audio src="https://example.org/a.mp3"]', "https://example.org/a.mp3"),
        ("[audio:https://example.org/a.mp3]", "https://example.org/a.mp3"),
        ('[video width="5" mp4="https://example.org/a.mp4"][/video]', "https://example.org/a.mp4"),
        (
            "[youtube=https://www.example.org/watch?v=abc_-1]",
            "https://www.example.org/watch?v=abc_-1",
        ),
        ("[youtube https://www.example.org/watch?v=abc]", "https://www.example.org/watch?v=abc"),
        ('[youtube id="abc_-1"]', "https://www.youtube.com/watch?v=abc_-1"),
        ("[youtube]abc_-1[/youtube]", "https://www.youtube.com/watch?v=abc_-1"),
        ("[vimeo 12345]", "https://vimeo.com/12345"),
    ],
)
def test_players_become_links(html: str, target: str) -> None:
    found = resolve(html)
    assert found.html.strip() == f'<p><a href="{target}">{target}</a></p>'
    assert found.warnings[0].endswith("became a link")


def test_a_player_without_an_address_goes() -> None:
    assert resolve('[audio ids="1,2"]').warnings == ("shortcodes left out: [audio ..]",)
    assert "javascript" not in out('[video src="javascript:alert(1)"]')


def test_letters_of_forums() -> None:
    assert out("[b]x[/b] [url=https://example.org]y[/url] z[ref]note[/ref]") == (
        '<strong>x</strong> <a href="https://example.org">y</a> z (note)'
    )


@pytest.mark.parametrize(
    "html",
    [
        "<pre>[toc x=1]</pre>",
        "<code>a[b_c]</code>",
        '<a href="/x[a_b]">y</a>',
        '<a title="[gallery ids=1]">y</a>',
    ],
)
def test_code_and_tags_stay(html: str) -> None:
    assert out(html) == html


@given(st.text(alphabet="[]/ab_ =\"'<>pre\n-:.1", max_size=80))
def test_any_brackets(text: str) -> None:
    found = resolve(text)
    assert all("\n" not in warning for warning in found.warnings if "\n" not in text)
    if found.html != text:
        assert found.warnings or "[[" in text or "[b" in text


@given(st.text(max_size=200).filter(lambda text: "[" not in text))
def test_a_text_without_brackets_is_left_alone(text: str) -> None:
    assert resolve(text) == shortcodes.Resolved(text, ())


# Blocks and the classic editor


def lines(html: str) -> str:
    return re.sub(r"\n+", "\n", html)


@pytest.mark.parametrize(
    ("content", "html"),
    [
        ("One\ntwo\n\nThree", "<p>One<br>\ntwo</p>\n<p>Three</p>"),
        ("a) sign<br />\nb) write", "<p>a) sign<br>\nb) write</p>"),
        ("<h2>Head</h2>\nText", "<h2>Head</h2>\n<p>Text</p>"),
        ("Text\n<ul>\n<li>one</li>\n<li>two\nthree</li>\n</ul>\nEnd", None),
        (
            "<blockquote>One\n\nTwo</blockquote>",
            "<blockquote>\n<p>One</p>\n<p>Two</p>\n</blockquote>",
        ),
        ("<p>One</p>\n\nTwo", "<p>One</p>\n<p>Two</p>"),
        ("<p>One\n\nTwo</p>", "<p>One</p>\n<p>Two</p>"),
        ("<pre>a\n\n  b</pre>\n\nc", "<pre>a\n  b</pre>\n<p>c</p>"),
        ('<a\nhref="x">One</a>', '<p><a href="x">One</a></p>'),
        ("One<hr />Two", "<p>One</p>\n<hr />\n<p>Two</p>"),
        ("<em>One\ntwo</em>", "<p><em>One<br>\ntwo</em></p>"),
        ("One <!-- secret --> two", "<p>One  two</p>"),
        (
            "https://example.org/v?a=1&amp;b=2",
            '<p><a href="https://example.org/v?a=1&amp;b=2">https://example.org/v?a=1&amp;b=2</a></p>',
        ),
        ("One <!-- unclosed", "<p>One &lt;!-- unclosed</p>"),
        ("", ""),
    ],
)
def test_the_classic_editor(content: str, html: str | None) -> None:
    if html is None:
        html = "<p>Text</p>\n<ul>\n<li>one</li>\n<li>two<br>\nthree</li>\n</ul>\n<p>End</p>"
    assert lines(to_body(content).html) == html


@pytest.mark.parametrize(
    "mark", ["<!--more-->", "<!--more Read on, it matters-->", "<!-- more -->", "<!--MORE-->"]
)
def test_the_mark_behind_the_opening(mark: str) -> None:
    html = to_body(f"One\n\n{mark}\n\nTwo<!--more--> three<!--nextpage-->").html
    assert lines(html) == "<p>One</p>\n<!--more-->\n<p>Two three</p>"


BLOCKS = """\
<!-- wp:paragraph {"align":"left","style":{"a":{"b":1}}} -->
<p>One</p>
<!-- /wp:paragraph -->

<!-- wp:more {"customText":"Go on"} -->
<!--more Go on-->
<!-- /wp:more -->

<!-- wp:core/heading -->
<h2>Head</h2>
<!-- /wp:core/heading -->

<!-- wp:embed {"url":"https://example.org/v1","type":"video"} /-->

<!-- wp:embed {"url":"https://example.org/v2"} -->
<figure class="wp-block-embed"><div class="wp-block-embed__wrapper">
https://example.org/v2
</div></figure>
<!-- /wp:embed -->

<!-- wp:jetpack/contact-form {"to":"x@example.org"} /-->
<!-- wp:block {"ref":5} /-->
<!-- wp:spacer /-->
"""


def test_the_block_editor() -> None:
    body = to_body(BLOCKS)
    assert "wp:" not in body.html and "x@example.org" not in body.html
    assert lines(body.html) == (
        "<p>One</p>\n<!--more-->\n<h2>Head</h2>\n"
        '<p><a href="https://example.org/v1">https://example.org/v1</a></p>\n'
        '<figure class="wp-block-embed"><div class="wp-block-embed__wrapper">'
        '<a href="https://example.org/v2">https://example.org/v2</a></div></figure>'
    )
    assert body.warnings == (
        "blocks left out, they hold no text: jetpack/contact-form, a reusable block",
    )


def test_text_between_blocks_keeps_its_paragraphs() -> None:
    body = to_body("One\n\nTwo\n<!-- wp:spacer /-->\nThree")
    assert lines(body.html) == "<p>One</p>\n<p>Two</p>\n<p>Three</p>"
    body = to_body(f"{BLOCKS}\nOne\n\n<!-- wp:freeform -->Two\nthree<!-- /wp:freeform --> Four")
    assert lines(body.html).endswith("\n<p>One</p>\n<p>Two<br>\nthree</p>\n<p>Four</p>")


@given(st.text(alphabet='<>/pbrul!-moe wdiv\n"', max_size=100))
def test_no_word_is_lost_in_any_markup(text: str) -> None:
    html = to_body(text).html
    kept = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    letters = [c for c in re.sub(r"</?[a-z][^<>]*>", "", kept) if c.isalpha()]
    shown = re.sub(r"&lt;", "<", re.sub(r"</?[a-z][^<>]*>", "", html))
    assert [c for c in re.sub(r"<!--more-->", "", shown) if c.isalpha()] == letters


@pytest.mark.parametrize(
    "piece", ["[a ", "[a [b] ", "<!-- wp:", "<pre>", "<p>", "[a]", "<div>\n\n", "[a][/a]", "<"]
)
def test_hostile_repetition_ends(piece: str) -> None:
    # Quadratic work would take minutes here.
    assert wxr_blocks.to_body(resolve(piece * 20_000).html) is not None
