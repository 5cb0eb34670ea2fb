"""A web page, or the text of one as it was saved: its posts.

bytes -> text (`charset`) -> hidden addresses in the open (`pages.addresses`) -> what the page tells
of itself (`pages.head`) -> its posts, without what is around them (`pages.body`) -> Items

A page without mark-up is read as saved text (`pages.saved`). A post of which only the opening is
here is taken, with a warning that says where the whole is. Comments are never read.
"""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from typing import Any
from urllib.parse import urljoin

from lxml import etree

from mailout.core.errors import BadFile
from mailout.core.ingest import charset as encodings
from mailout.core.ingest import dates, document, misread, plaintext, words
from mailout.core.ingest.item import Gathered, Item, Skipped
from mailout.core.ingest.pages import body, head, saved, tree
from mailout.core.ingest.words import one_line, told_language

_MARKUP = re.compile(r"<(?:!doctype html|html|head|body|div|p|article|table|h[1-6]|br)\b", re.I)
_MORE_CLASS = re.compile(r"(?:more-link|read-?more|continue-reading|readmore).*", re.I)
_LONGEST_LINE = 150  # letters of a line about a post
_FEW_WORDS = 12  # a link to the rest stands in a paragraph that says little else


def read(raw: bytes, shown: str, url: str = "", charset: str = "") -> Gathered:
    """The posts of a page that was read at `url`, or of its saved text.

    Raises: BadFile if there is no text in it, or it cannot be read as a page.
    """
    misread.refuse_name(shown)
    document.refuse_size(raw, shown)
    decoded = encodings.decode(raw, document.declared(raw), charset)
    warnings = [f"{shown}: {line}" for line in decoded.warnings]
    text = document.without_controls(decoded.text, shown, warnings)
    if not text.strip():
        raise BadFile("there is no text in it", where=shown)
    misread.refuse_xml(text, shown)
    misread.refuse_json(text, shown)
    misread.refuse_markdown(text, shown)
    if _MARKUP.search(text):
        return _html(text, shown, url, warnings)
    return _saved(text, shown, url, warnings)


def _html(text: str, shown: str, url: str, warnings: list[str]) -> Gathered:
    root, told = tree.read(text, shown, url, warnings)
    comments = body.without_comments(root)
    body.clear(root)
    there = body.weight(root)
    posts = body.posts(root, told.is_article)
    several = len(posts) > 1
    items, skipped = [], []
    for number, post in enumerate(posts or [body.main(root)], 1):
        page = told if not several else head.Head(language=told.language, base_url=told.base_url)
        item, opening = _item(post, page, shown, number if several else 0)
        if not words.plain(item.html) and "<img" not in item.html:
            skipped.append(Skipped(item.what, "it has no text here"))
            continue
        if not item.title:
            item = replace(item, title=words.opening(item.html))
            warnings.append(f"{item.what}: no title is told; its first words serve as one")
        items.append(item)
        if opening:
            warnings.append(f"{item.what}: only its opening is here; the whole is at {opening}")
    if not items:
        raise BadFile("there is no text in this page", where=shown, fix="Save its text by hand.")
    taken = sum(len(words.plain(item.html).split()) for item in items)
    if taken * 3 < there and not several:
        warnings.append(f"{shown}: {taken} of {there} words are taken: look whether that is all")
    if comments:
        skipped.append(body.COMMENTS)
    found = len(items) + len([one for one in skipped if one != body.COMMENTS])
    return Gathered(tuple(items), found, tuple(skipped), tuple(warnings))


def _item(post: Any, page: head.Head, shown: str, number: int) -> tuple[Item, str]:
    """The post as an Item, and where its rest is; empty if it is whole."""
    title_at = body.heading(post)
    title = one_line(title_at.text_content()) if title_at is not None else page.title
    within = title_at is not None and title_at.tag != "h1" and not number
    if within and page.title and title.casefold() not in page.title.casefold():
        title, title_at = page.title, None  # a heading within the text
    link = title_at.find(".//a[@href]") if title_at is not None else None
    url = page.url if not number else _joined(page.base_url, link)
    told = _facts(post)
    text_at = body.text(post)
    opening = _opening(text_at, page.base_url, url if number else "")
    if page.base_url:
        text_at.make_links_absolute(page.base_url, handle_failures="ignore")
    html = _html_of(text_at, title_at, title)
    what = f"{shown}: post {number} “{title}”" if number else shown
    name = document.file_id(shown)
    place = url or (f"{name}#{title}" if number else name)
    language = told.language or page.language
    item = Item(
        what=what,
        source_id=place,
        title=title,
        html=html,
        language=language,
        date=page.date or told.date,
        author=page.author or told.author,
        url=url,
        categories=told.categories or page.categories,
        tags=told.tags or page.tags,
    )
    return item, opening


def _facts(post: Any) -> Item:
    """What a post tells of itself, in its marks or in words such as `Posted by admin on ..`."""
    day = author = None
    for element in post.iter():
        if not isinstance(element.tag, str):
            continue
        names = {*body.tokens(element), *(element.get("itemprop") or "").lower().split()}
        if day is None and (element.tag == "time" or names & {"published", "datepublished"}):
            given = element.get("datetime") or element.get("title") or element.text_content()
            day = dates.found(given or "")
        relations = (element.get("rel") or "").lower().split()
        if author is None and ("author" in relations or names & {"author", "p-author", "fn"}):
            author = re.sub(r"^(?:by|von)\s+", "", one_line(element.text_content()), flags=re.I)
    categories: list[str] = []
    tags: list[str] = []
    for link in post.iter("a"):
        relations = (link.get("rel") or "").lower().split()
        if "tag" in relations:
            (categories if "category" in relations else tags).append(one_line(link.text_content()))
    for line in _lines(post):
        if told := saved.posted(line):
            day, author = day or told.date, author or told.author
        categories = categories or list(saved.filed(line))
    if day is None:
        metas = (element for element in post.iter() if body.is_meta(element))
        day = next((d for m in metas if (d := dates.found(one_line(m.text_content())))), None)
    code, _ = told_language(post.get("lang") or "")
    return Item(
        what="",
        source_id="",
        title="",
        date=day,
        author=author or "",
        language=code,
        categories=tuple(dict.fromkeys(filter(None, categories))),
        tags=tuple(dict.fromkeys(filter(None, tags))),
    )


def _lines(post: Any) -> list[str]:
    """The short lines of a post, in which author, date and categories may stand."""
    lines = []
    for element in post.iter(
        "p", "div", "span", "small", "h4", "h5", "h6", "li", "footer", "header"
    ):
        text = element.text_content() or ""
        if len(text) < _LONGEST_LINE:
            parts = [element.text or ""]
            for part in element.iterdescendants():
                parts += ["\n" if part.tag == "br" else part.text or "", part.tail or ""]
            lines += [line for part in "".join(parts).split("\n") if (line := one_line(part))]
    return lines


def _opening(text_at: Any, base_url: str, url: str) -> str:
    """Where the rest of a post is, if it ends with a link to that; the link is gone then."""
    for link in list(text_at.iter("a")):
        said = one_line(link.text_content() or "")
        marked = any(_MORE_CLASS.fullmatch(name) for name in body.tokens(link))
        if not (marked or saved.CONTINUES.fullmatch(said)) or not link.get("href"):
            continue
        whole = _joined(base_url, link)
        if not marked and not (url and whole.split("#")[0] == url):
            continue  # a link to something else that is worth reading on
        parent = link.getparent()
        alone = parent.tag in ("p", "div") and body.weight(parent) < _FEW_WORDS
        (parent if alone and parent is not text_at else link).drop_tree()
        return whole.partition("#more")[0]
    return ""


def _html_of(text_at: Any, title_at: Any, title: str) -> str:
    """The HTML of a post's text: without its title, its own foot and the lines about it."""
    for element in list(text_at.iterdescendants()):
        if element.getparent() is None or not isinstance(element.tag, str):
            continue
        seen = one_line(element.text_content() or "")
        is_title = element is title_at or (
            element.tag in ("h1", "h2") and seen.casefold() == title.casefold()
        )
        is_line = element.tag in ("p", "div", "span", "small", "h4", "h5", "h6") and (
            (len(seen) < _LONGEST_LINE and bool(saved.posted(seen))) or bool(saved.filed(seen))
        )
        if is_title or body.is_meta(element) or is_line:
            element.drop_tree()
    return str(etree.tostring(text_at, encoding="unicode", method="html", with_tail=False))


def _joined(base_url: str, link: Any) -> str:
    """Where a link leads, if that is a web address; else nothing."""
    if link is None:
        return ""
    try:
        whole = urljoin(base_url, (link.get("href") or "").strip())
    except ValueError:
        return ""
    return whole if re.fullmatch(r"https?://[^\s<>\"]+", whole) else ""


def _saved(text: str, shown: str, url: str, warnings: list[str]) -> Gathered:
    posts = saved.posts(unescape(text) if "&#" in text else text)
    if not posts:
        return document.plain(text, shown, url, warnings)
    items, skipped = [], []
    for number, post in enumerate(posts, 1):
        what = f"{shown}:{post.line} “{post.title}”"
        html = plaintext.html(plaintext.paragraphs("\n".join(post.lines)))
        if not html or not post.title:
            why = "it has no text here" if post.title else "it has no title"
            skipped.append(Skipped(what, why))
            continue
        items.append(
            Item(
                what=what,
                source_id=f"{url or document.file_id(shown)}#{post.date}-{post.title}",
                title=post.title,
                html=html,
                date=post.date,
                author=post.author,
                categories=post.categories,
            )
        )
        if post.opening:
            at = f"; the whole is at {url}" if url and number == len(posts) == 1 else ""
            warnings.append(f"{what}: only its opening is here{at or '; look for the whole'}")
    if not items:
        raise BadFile("there is no text in this page", where=shown)
    return Gathered(tuple(items), len(posts), tuple(skipped), tuple(warnings))
