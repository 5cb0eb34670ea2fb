"""A file given to the wrong kind of import: one clear refusal that names the right one."""

from __future__ import annotations

import pytest

from mailout.core.errors import BadFile
from mailout.core.ingest import document, feed, page, wxr

XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
CHANNEL = (
    "<channel><title>Quay</title><item><title>Cranes</title><guid>1</guid>"
    "<description>&lt;p&gt;They stand still.&lt;/p&gt;</description>"
    "<wp:comment>Words of Vera Kolt, vera@example.org</wp:comment></item></channel></rss>"
)
EXPORT = (
    '<rss version="2.0" xmlns:excerpt="http://wordpress.org/export/1.2/excerpt/"'
    f' xmlns:wp="http://wordpress.org/export/1.2/">{CHANNEL}'
)
ENTRY = "<title>Quay</title><entry><title>Cranes</title><content>They stand.</content></entry>"
ATOM = f'<feed xmlns="http://www.w3.org/2005/Atom">{ENTRY}</feed>'
RDF = '<rdf:RDF xmlns="http://purl.org/rss/1.0/"><item><title>Cranes</title></item></rdf:RDF>'
JSON_FEED = '{"version": "https:\\/\\/jsonfeed.org\\/version\\/1.1", "items": []}'
FEEDS = {
    "plain": f"{XML}<rss><channel/></rss>",
    "blank line first": f"\n\n{XML}<rss><channel/></rss>",
    "undeclared": '<rss version="0.91"><channel/></rss>',
    "behind a comment and a doctype": f"{XML}<!-- of\nQuay --><!DOCTYPE rss [<!ENTITY a 'b'>]><rss/>",
    "behind a style sheet": f'{XML}<?xml-stylesheet href="a.xsl"?><rss><channel/></rss>',
    "atom": ATOM,
    "rdf": XML + RDF,
    "json": JSON_FEED,
}
NAMES = ("quay.xml", "quay.html", "quay.txt", "quay")


@pytest.mark.parametrize("read", [document.read, page.read], ids=["document", "page"])
@pytest.mark.parametrize("name", [*NAMES, "quay.md"])
@pytest.mark.parametrize("before", ["", XML, "<br />\n<b>Warning</b>: out of date\n" + XML])
def test_an_export_is_never_read_as_one_text(read, name: str, before: str) -> None:  # type: ignore[no-untyped-def]
    """Its comments and letters would become part of a post."""
    with pytest.raises(BadFile, match=f"^{name}: this is a WordPress export.*import wxr"):
        read((before + EXPORT).encode(), name)


@pytest.mark.parametrize("read", [document.read, page.read], ids=["document", "page"])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", FEEDS)
def test_a_feed_is_never_read_as_one_text(read, name: str, kind: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BadFile, match=f"^{name}: this is a (?:JSON )?feed.*import feed"):
        read(FEEDS[kind].encode(), name)


@pytest.mark.parametrize("read", [document.read, page.read], ids=["document", "page"])
@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{XML}<urlset><url><loc>https://quay.example.org</loc></url></urlset>", "XML .*<urlset>"),
        (f"{XML}<opml><body><outline text='Quay'/></body></opml>", "XML .*<opml>"),
        ('{"title": "Quay", "posts": ["Cranes"]}', "JSON"),
        ('[{"title": "Quay"}]', "JSON"),
    ],
)
def test_data_of_other_programs_is_no_text(read, text: str, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BadFile, match=f"^quay.txt: this is {says}"):
        read(text.encode(), "quay.txt")


@pytest.mark.parametrize("read", [document.read, page.read], ids=["document", "page"])
@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("people.csv", "table.*subscribers import"),
        ("People.TSV", "table"),
        ("m.eml", "mail"),
        ("old.mbox.gz", "mail"),
    ],
)
def test_files_full_of_addresses_are_no_text(read, name: str, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BadFile, match=f"^{name}: this is .*{says}"):
        read(b"email\nvera@example.org\n", name)


@pytest.mark.parametrize("head", ["---\ntitle: Cranes\n---\n", '+++\ntitle = "Cranes"\n+++\n'])
def test_a_page_is_no_markdown(head: str) -> None:
    with pytest.raises(BadFile, match=r"this is Markdown .*import markdown"):
        page.read(f"{head}\nThey stand still.\n".encode(), "cranes.md")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("---\ntitle: Cranes\n---\nThey stand.\n", "no XML.*import markdown.*import html"),
        ("Cranes\n\nThey stand.\n", "no XML.*import markdown.*import html"),
    ],
)
@pytest.mark.parametrize("read", [feed.read, wxr.read], ids=["feed", "export"])
def test_a_text_is_no_feed_and_no_export(read, text: str, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BadFile, match=f"^cranes:1: this is {says}"):
        read(text.encode(), "cranes")


def test_a_json_feed_is_no_export() -> None:
    with pytest.raises(BadFile, match=r"this is JSON, no XML.*import feed"):
        wxr.read(JSON_FEED.encode(), "quay.json")


def test_a_list_of_feeds_is_no_page() -> None:
    with pytest.raises(BadFile, match="this is no feed but <opml>"):
        feed.read(f"{XML}<opml><body><outline/></body></opml>".encode(), "quay.xml")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('<?xml version="1.0"?>\n<html><body><p>They stand.</p></body></html>', "a.xhtml"),
        ("<feed>They</feed><p>They stand.</p>", "a.html"),
        ("[They] stand still, {say} the drivers.\n", "a.txt"),
        (
            '---\ntitle: x\n---\nWrite `<rss xmlns:wp="http://wordpress.org/export/1.2/">`.\n',
            "a.md",
        ),
        ("<https://quay.example.org> has it.\n", "a.txt"),
        ("<p>An export begins with &lt;rss, says wordpress.org/export/.</p>", "a.html"),
    ],
)
def test_what_only_looks_like_it_is_read(text: str, name: str) -> None:
    assert len(document.read(text.encode(), name).items) == 1


@pytest.mark.parametrize("piece", ["<!-- -->", "<!--", "<?a ?>", "<!doctype a [", "<rss ", "["])
@pytest.mark.parametrize("read", [document.read, page.read], ids=["document", "page"])
def test_what_repeats_without_end_is_judged_in_time(read, piece: str) -> None:  # type: ignore[no-untyped-def]
    try:
        read((piece * 100_000).encode(), "a.txt")
    except BadFile as error:
        assert error.where
