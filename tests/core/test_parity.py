"""HTML as text, and what the text part lacks."""

from __future__ import annotations

from mailout.core import parity

HTML = """<!DOCTYPE html><html><head><title>Hidden title</title><style>p {color: red}</style></head>
<body><!--[if mso]>outlook only<![endif]-->
<table role="presentation"><tr><td>First</td><td>Second</td></tr></table>
<h1>The strike of 1986. A look back</h1>
<p>Read <a href="https://example.org/a-b_(c)?x=1&amp;y=2">the appeal</a> - it is short.</p>
<p><a href="mailto:m@example.org?subject=Please&amp;body=Dear%20Minister">Write</a></p>
</body></html>"""


def test_the_text_has_the_words_and_whole_links() -> None:
    text = parity.text_of(HTML)
    assert "First Second" in text
    assert "The strike of 1986. A look back" in text and "#" not in text
    assert "https://example.org/a-b_(c)?x=1&y=2" in text
    assert "mailto:m@example.org" in text and "Dear%20" not in text
    for hidden in ("Hidden", "outlook", "color", "\\", "|"):
        assert hidden not in text


def test_what_a_text_part_lacks() -> None:
    assert parity.missing_words(HTML, parity.text_of(HTML)) == []
    assert parity.missing_links(HTML, parity.text_of(HTML)) == []
    assert parity.missing_words(HTML, "strike look back read first second") == [
        "1986", "appeal", "short", "write",
    ]  # fmt: skip
    assert parity.missing_links(HTML, "https://example.org/a-b_") == [
        "https://example.org/a-b_(c)?x=1&y=2"
    ]
