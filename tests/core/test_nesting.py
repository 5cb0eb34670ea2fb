"""What a template opens and does not close is an error, and never mended by guessing."""

from __future__ import annotations

import time

import pytest

from mailout.core.errors import BadFile
from mailout.core.nesting import refuse_unclosed


@pytest.mark.parametrize(
    ("html", "says"),
    [
        ("<p><b>Wages rise</p>", "<b> is opened and never closed, before “Wages rise”"),
        ("<div><div>Wages</div>", "<div> is opened and never closed"),
        ("<table><tr><td><b>Wages</td></tr></table>", "<b> is opened"),
        ("<h1><a href='x'>Wages</h1>", "<a> is opened"),
        ("<b><i>Wages</b></i>", "<i> is opened"),
        ("<TABLE><tr><td>Wages", "<table> is opened"),
        ("<p>Wages <!-- of the docks</p>", "a comment is opened and never closed, before “of the"),
        ("<!-- of the docks <p>Wages</p> <!-- end -->", "a comment is opened"),
        ('<p>Wages <a href="https://example.org/</a></p>', "the tag <a is opened"),
        ("<p>Wages</p><img src=x", "the tag <img is opened"),
        ("<p>Wages</p <div>rise</div>", "the tag <p is opened"),
    ],
)
def test_what_is_left_open_is_named_with_its_place(html: str, says: str) -> None:
    with pytest.raises(BadFile) as error:
        refuse_unclosed(html, "templates/bulletin.html.j2")
    assert str(error.value).startswith(f"templates/bulletin.html.j2: {says}")


@pytest.mark.parametrize(
    "html",
    [
        "<p>Wages<p>rise<ul><li>one<li>two</ul><br><hr/><img src=x>",
        "<table><tr><td>1<td>2<tr><td>3</table>",
        "<!--[if mso]><table><tr><td><![endif]--><div>x</div><!--[if mso]></td></tr></table><![endif]-->",
        "<style>a > b { color: red } /* <div> */</style><title>a <b> c</title>",
        """<a href="x" title="a > b, it's"><b>x</b></a>""",
        "1 < 2 and <3",
        "</div>Wages",
        "",
    ],
)
def test_what_may_stay_open_may(html: str) -> None:
    refuse_unclosed(html, "t")


@pytest.mark.parametrize(
    "piece", ["<", "<a ", '<a href="', "<!--", "<div>", "</div>", "<style>", "<b></i>"]
)
def test_what_repeats_without_end_is_judged_in_time(piece: str) -> None:
    begin = time.process_time()
    try:
        refuse_unclosed(piece * 20_000, "t")
    except BadFile as error:
        assert error.where == "t"
    assert time.process_time() - begin < 5
