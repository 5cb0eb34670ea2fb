"""Rough exports: what breaks a plain XML reader is mended and said, or refused with its line."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exports import END, export, item, picture
from mailout.core.errors import BadFile
from mailout.core.ingest import wxr
from mailout.core.ingest.item import Gathered

SHOWN = "export.xml"


def read(*items: str) -> Gathered:
    return wxr.read(export(*items), SHOWN)


def said(found: Gathered) -> str:
    return "\n".join(found.warnings)


@pytest.mark.parametrize(
    ("broken", "mended", "says"),
    [
        ("a\x0bb\x00c", "abc", "line 25: 2 control character(s)"),
        ("<![CDATA[in]]> out", "&lt;![CDATA[in]]&gt; out", "a CDATA section within another"),
        ("x ]]> y", "x ]]&gt; y", "a CDATA section within another"),
        ("x ]]]]><![CDATA[> y", "x ]]&gt; y", ""),
        ("a & b &nbsp; c", "a &amp; b &nbsp; c", ""),
    ],
)
def test_rough_content(broken: str, mended: str, says: str) -> None:
    found = read(item(broken))
    shown = found.items[0].html.replace("]]>", "]]&gt;").replace("<![", "&lt;![")
    assert shown.replace("a & b", "a &amp; b") == f"<p>{mended}</p>"
    assert says in said(found)
    assert bool(says) == bool(found.warnings)


def test_raw_marks_outside_of_sections() -> None:
    found = read(item(title="Tom & Anna &hellip; 1 < 2 &#8; &amp; &#233;"))
    assert found.items[0].title == "Tom & Anna … 1 < 2 & é"
    assert "line 19: a raw `&`, kept as text" in said(found)
    assert "line 19: a `<` that opens nothing" in said(found)
    assert "a reference to a control character" in said(found)


def test_undeclared_prefixes() -> None:
    raw = export(item(more="<itunes:author>x</itunes:author>"))
    raw = raw.replace(b'xmlns:wp="http://wordpress.org/export/1.2/"', b"")
    raw = raw.replace(b'xmlns:excerpt="http://wordpress.org/export/1.2/excerpt/"', b"")
    found = wxr.read(raw, SHOWN)
    assert found.items[0].title == "Strike vote"
    assert "prefixes: excerpt, itunes, wp not declared" in said(found)


@pytest.mark.parametrize(
    ("before", "says"),
    [
        (b"\xef\xbb\xbf", ""),
        (b"\n\n  \n", ""),
        (b"<br />\n<b>Warning</b>: something in /srv/x.php on line 3<br />\n", "left out"),
        (b"Warning: something\n", "left out"),
    ],
)
def test_what_stands_before_the_xml(before: bytes, says: str) -> None:
    found = wxr.read(before + export(item("a\x01b")), SHOWN)
    assert found.items[0].html == "<p>ab</p>"
    line = 25 + before.count(b"\n")
    assert f"line {line}: 1 control character" in said(found)
    assert says in said(found)


def test_ends_of_sections_that_end_nothing() -> None:
    found = read(
        item(more="<wp:postmeta><wp:meta_value><![CDATA[a]]> b]]></wp:meta_value></wp:postmeta>")
    )
    assert len(found.items) == 1
    assert "line 36: a `]]>` that ends nothing" in said(found)


def test_too_many_prefixes_are_refused() -> None:
    with pytest.raises(BadFile, match="50 prefixes are not declared"):
        read(item(more="".join(f"<p{number}:x/>" for number in range(50))))


def test_what_stands_behind_the_end() -> None:
    found = wxr.read(export(item()) + b"\n<!-- cached -->\nFatal error", SHOWN)
    assert len(found.items) == 1
    assert "a text behind the end was left out" in said(found)


def test_a_wrong_declaration() -> None:
    raw = export(item("Забастовка продолжается", "Порт")).replace(b"UTF-8", b"windows-1251")
    found = wxr.read(raw, SHOWN)
    assert found.items[0].title == "Порт"
    assert "declared as windows-1251, but it is utf-8" in said(found)
    raw = export(item("Забастовка продолжается в порту", "Порт")).decode().encode("cp1251")
    found = wxr.read(raw, SHOWN)
    assert found.items[0].title == "Порт"
    assert "read as windows-1251" in said(found)


def test_letters_that_were_spoilt_before() -> None:
    spoilt = "Забастовка продолжается".encode().decode("cp1252", "replace").replace("\ufffd", "")
    assert "its letters were spoilt" in said(read(item(spoilt * 3)))


BOMB = b"""<?xml version="1.0"?>
<!DOCTYPE rss [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
"""


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "export.xml: the file is empty"),
        (b" \n ", "export.xml: the file is empty"),
        (b"just words", "export.xml:1: this is no XML"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "export.xml:1: this is no XML"),
        (b"<!DOCTYPE html><html><body>x</body></html>", "export.xml: this is an HTML page"),
        (b"\n<html lang='en'><title>Export</title>", "export.xml: this is an HTML page"),
        (BOMB + export(item())[40:], "export.xml:2: a doctype with declarations of its own"),
        (b'<rss version="2.0"><channel><title>x</title></channel></rss>', "this is a feed, not a"),
        (b"<opml><body/></opml>", "this is no WordPress export"),
        (export(item()).replace(b"</item>", b""), "broken XML (Opening and ending tag mismatch"),
    ],
)
def test_what_is_refused(raw: bytes, says: str) -> None:
    with pytest.raises(BadFile) as caught:
        wxr.read(raw, SHOWN)
    assert says in str(caught.value)
    assert caught.value.fix or "empty" in says


def test_a_file_that_was_cut_off_is_refused_with_its_line() -> None:
    whole = export(item(), item("More words.", number=18))
    lines = whole.count(b"\n")
    for end in range(whole.index(b"<rss"), len(whole) - len(b"</rss>\n"), 7):
        with pytest.raises(BadFile) as caught:
            wxr.read(whole[:end], SHOWN)
        assert "cut off" in str(caught.value) or "broken XML" in str(caught.value)
        line = int(caught.value.where.partition(":")[2])
        assert 0 < line <= lines


def test_a_doctype_that_only_names_a_public_one_is_not_read() -> None:
    doctype = b'<!DOCTYPE rss PUBLIC "-//Example//DTD RSS//EN" "https://dtd.example.org/rss.dtd">\n'
    raw = export(item()).replace(b"<rss", doctype + b"<rss")
    assert len(wxr.read(raw, SHOWN).items) == 1


def test_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailout.core.ingest.xml_mending.MAX_SIZE", 1000)
    with pytest.raises(BadFile, match="larger than"):
        read(item())


@given(st.binary(max_size=400))
def test_any_bytes(raw: bytes) -> None:
    with pytest.raises(BadFile):
        wxr.read(raw, SHOWN)


MARKS = (
    "]]>",
    "<![CDATA[",
    "&",
    "<",
    "\x00",
    "<!--",
    "-->",
    "[a",
    "]",
    "<wp:",
    '"',
    END,
    "<!DOCTYPE",
)


@settings(max_examples=300)
@given(st.data())
def test_mutilated_exports(data: st.DataObject) -> None:
    whole = export(item("Words. [x]a[/x]\n\n<!--more-->"), picture(6), item(number=18)).decode()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole)))
        skip = data.draw(st.integers(0, 40))
        whole = (
            whole[:at]
            + data.draw(st.sampled_from(MARKS) | st.text(max_size=4))
            + whole[at + skip :]
        )
    try:
        found = wxr.read(whole.encode("utf-8", "surrogatepass"), SHOWN)
    except BadFile as error:
        assert str(error).startswith(SHOWN)
    else:
        assert all(one.title and "\n" not in one.title for one in found.items)
        assert all("\n" not in warning for warning in found.warnings)


@given(st.text(max_size=300))
def test_any_content(content: str) -> None:
    found = (
        wxr.read(export(item(content.replace("]]>", ""))), SHOWN) if content.isprintable() else None
    )
    assert found is None or found.found == 1
