"""Markdown as HTML and as text: nothing lost, links whole, no debris."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailout.core import markup, plain

SAMPLE = """\
# Demands

We ask for *three* things, see [the appeal](https://example.org/a-b_(c)) or <https://example.org/x>
and a second line.

- an end to the curfew
- the release of all
  - here
  - and abroad
- pay

1. one

   more of one
2. two

> They are nervous,
> says a sister.
>
> > deeper

a) sign
b) write

1986\\. A year

***

[write to us](mailto:us@example.org) or us@example.org
"""


def test_the_text_reads_as_typed() -> None:
    assert (
        plain.to_text(SAMPLE)
        == """\
Demands
~~~~~~~

We ask for three things, see the appeal <https://example.org/a-b_(c)> or
<https://example.org/x>
and a second line.

* an end to the curfew
* the release of all
  * here
  * and abroad
* pay

1. one

   more of one

2. two

> They are nervous,
> says a sister.
>
> > deeper

a) sign
b) write

1986. A year

* * *

write to us <us@example.org> or us@example.org"""
    )


def test_html_keeps_lines_and_puts_headings_below_the_title() -> None:
    html = markup.to_html("# One\n\n## Two\n\n### Three\n\na) x\nb) y\n")
    assert re.findall(r"<(h\d)>", html) == ["h3", "h3", "h4"]
    assert "a) x<br" in html


@pytest.mark.parametrize(
    ("body", "opening"),
    [
        ("The port stands still today. Nobody works.", "The port stands still today. Nobody works."),
        (
            "The dockers of all five ports have stopped work. They stay out until wages are paid.",
            "The dockers of all five ports have stopped work.",
        ),
        (
            "Докеры пяти портов не работают с 20 г. и вернутся, когда будет выплачена вся зарплата",
            "Докеры пяти портов не работают с 20 г. и вернутся, когда…",
        ),
        ("Stop. " + "The dockers of five ports have stopped, and they stay out till Friday, say all", "Stop. The dockers of five ports have stopped, and they stay…"),
        ("x" * 70, ""),
    ],
)  # fmt: skip
def test_an_opening_ends_with_a_sentence_or_says_that_it_goes_on(body: str, opening: str) -> None:
    found = plain.first_words(body, 60)
    assert found == opening and len(found) <= 60


def test_raw_html_is_shown_not_run() -> None:
    html = markup.to_html("<script>alert(1)</script> [x](javascript:alert(1))")
    assert "<script" not in html
    assert 'href="javascript' not in html


def test_pictures_stand_as_their_alternative_text() -> None:
    assert markup.to_html("![the gate](gate.jpg)") == "<p>[the gate]</p>"
    assert markup.pictures("text\n\n![the gate](gate.jpg)") == [(3, "gate.jpg", "the gate")]


@pytest.mark.parametrize(
    ("body", "excerpt", "full", "want", "shortened"),
    [
        ("One.\n\n<!--more-->\n\nTwo.", "", False, "One.", True),
        ("One.\n\n<!--more-->\n\nTwo.", "Short.", True, "One.\n\n\n\nTwo.", False),
        ("One. Two.", "Short.", False, "Short.", True),
        ("One. Two.", "", False, "One. Two.", False),
    ],
)
def test_where_a_post_is_cut(
    body: str, excerpt: str, full: bool, want: str, shortened: bool
) -> None:
    assert markup.cut(body, excerpt, full) == markup.Cut(want, shortened)


@given(st.lists(st.text("abc-/:.é", min_size=1, max_size=100), max_size=60))
def test_wrapping_loses_no_word_and_breaks_none(words: list[str]) -> None:
    wrapped = plain.wrap(" ".join(words))
    assert wrapped.split() == words
    for line in wrapped.split("\n"):
        assert len(line) <= plain.WIDTH or " " not in line


@given(st.text("ab *_#>-[]()!`\n1.", max_size=200))
def test_any_markdown_has_the_same_words_in_both_parts(body: str) -> None:
    text = plain.to_text(body)
    html = re.sub(r"<[^>]*>", " ", markup.to_html(body))
    for letters in ("a", "b"):
        # A link's target and a picture's source stand in the text only.
        assert text.count(letters) >= html.count(letters)


def test_tidy_leaves_one_empty_line_at_most() -> None:
    assert plain.tidy("a  \n\n\n\nb\n\n") == "a\n\nb\n"
