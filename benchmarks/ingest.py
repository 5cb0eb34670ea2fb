"""How long a WordPress export takes to import: the reader, the prose, the whole command.

    python benchmarks/ingest.py [--quick] [--posts N]

The export is made up here: posts of both editors, in English and Russian, with captions, galleries,
shortcodes and pictures, about 6 KB of text each.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import measure

from mailout.config.starter import copy_site
from mailout.core.ingest import wxr
from mailout.core.ingest.prose import to_markdown

BAR = 10.0  # seconds for 500 posts

_WORDS = {
    "en": "the strike goes on and every gate of the harbour votes again for pay and for safety",
    "ru": "забастовка продолжается и у каждых ворот порта снова голосуют за оплату и охрану труда",
}
_HEAD = """<?xml version="1.0" encoding="UTF-8" ?>
<rss version="2.0" xmlns:excerpt="http://wordpress.org/export/1.2/excerpt/"
 xmlns:content="http://purl.org/rss/1.0/modules/content/"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:wp="http://wordpress.org/export/1.2/">
<channel><title>Harbour</title><link>https://harbour.example.org</link>
<language>en-US</language><wp:wxr_version>1.2</wp:wxr_version>
"""
_ITEM = """<item><title>{title}</title><link>https://harbour.example.org/{number}/</link>
<dc:creator><![CDATA[anna]]></dc:creator>
<guid isPermaLink="false">https://harbour.example.org/?p={number}</guid>
<content:encoded><![CDATA[{body}]]></content:encoded>
<excerpt:encoded><![CDATA[]]></excerpt:encoded><wp:post_id>{number}</wp:post_id>
<wp:post_date>2026-{month:02}-{day:02} 10:00:00</wp:post_date>
<wp:post_name>post-{number}</wp:post_name><wp:status>publish</wp:status>
<wp:post_parent>0</wp:post_parent><wp:post_type>post</wp:post_type>
<category domain="category" nicename="news"><![CDATA[News]]></category>
<category domain="post_tag" nicename="pay"><![CDATA[pay]]></category>
<wp:comment><wp:comment_id>1</wp:comment_id><wp:comment_content>x</wp:comment_content></wp:comment>
</item>
"""
_EXTRAS = (
    '[caption id="a" width="300"]<img src="/p.jpg" alt="gate" /> At the gate[/caption]',
    '<a href="https://harbour.example.org/a">here</a> [the editor] <em>said</em> [sic]',
    "<ul>\n<li>one demand</li>\n<li>another</li>\n</ul>",
    "[embed]https://video.example.org/v/1[/embed]",
    "<blockquote>They are nervous.</blockquote>",
    "[signature]",
    "<!--more-->",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="100 posts")
    parser.add_argument("--posts", type=int, help="in the export [500; quick: 100]")
    asked = parser.parse_args()
    posts = asked.posts or (100 if asked.quick else 500)
    raw = export(posts)
    print(f"A WordPress export of {posts} posts, {len(raw) / 1e6:.1f} MB.\n")
    begun = time.perf_counter()
    gathered = wxr.read(raw, "export.xml")
    read = time.perf_counter()
    assert len(gathered.items) == posts, gathered.warnings
    for item in gathered.items:
        assert to_markdown(item.html, item.url).text
    written = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        whole = _command(Path(name), raw)
    bar = f"<= {BAR:.0f}" if posts == 500 else "-"
    measure.head("what", "seconds", "bar")
    measure.row("reading the export", f"{read - begun:.2f}", "-")
    measure.row("its HTML as Markdown", f"{written - read:.2f}", "-")
    measure.row("`mailout posts import wxr`, all of it", f"{whole:.2f}", bar)


def _command(folder: Path, raw: bytes) -> float:
    """Seconds that the command takes as a process of its own, writing into a new site."""
    site, export_file = folder / "site", folder / "export.xml"
    copy_site(site)
    export_file.write_bytes(raw)
    command = [sys.executable, "-m", "mailout", "--site", str(site), "posts", "import", "wxr"]
    begun = time.perf_counter()
    ran = subprocess.run([*command, str(export_file)], capture_output=True, text=True)
    seconds = time.perf_counter() - begun
    assert ran.returncode == 0, ran.stderr
    return seconds


def export(posts: int) -> bytes:
    """An export of so many posts, the same at every run."""
    chance = random.Random(5)  # noqa: S311 - words, no secrets
    items = (
        _ITEM.format(
            title=" ".join(chance.choices(_WORDS[language].split(), k=6)),
            number=number,
            body=_body(chance, language, number % 3 == 0),
            month=number % 12 + 1,
            day=number % 28 + 1,
        )
        for number, language in ((n, "ru" if n % 2 else "en") for n in range(1, posts + 1))
    )
    return f"{_HEAD}{''.join(items)}</channel></rss>\n".encode()


def _body(chance: random.Random, language: str, by_blocks: bool) -> str:
    return "\n\n".join(_blocks(chance, _WORDS[language].split(), by_blocks))


def _blocks(chance: random.Random, words: list[str], by_blocks: bool) -> Iterator[str]:
    for number in range(14):
        text = " ".join(chance.choices(words, k=60)) + "."
        yield f"<!-- wp:paragraph -->\n<p>{text}</p>\n<!-- /wp:paragraph -->" if by_blocks else text
        if number % 2:
            yield chance.choice(_EXTRAS)


if __name__ == "__main__":
    main()
