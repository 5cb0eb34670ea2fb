"""What a web page tells of itself: in its head, and in the data it keeps for search engines.

Standards: HTML (WHATWG) 4.2, Open Graph, schema.org in JSON-LD 1.1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date as Date
from typing import Any
from urllib.parse import urljoin

from lxml import etree
from lxml import html as lxml_html

from mailout.core.ingest import dates
from mailout.core.ingest.words import one_line, told_language

_ARTICLES = re.compile(r"(?:News|Blog|Scholarly|Opinion|Report)?(?:Article|Posting)", re.I)
_SUFFIX = re.compile(r"\s+(?:[|–—«»·•:]|-|::)\s+")
_MOST_NESTED = 40  # levels of a page's data that are looked into


@dataclass(frozen=True, slots=True)
class Head:
    """What is told of the page as a whole; what is not told is empty."""

    title: str = ""
    site: str = ""
    url: str = ""
    base_url: str = ""
    author: str = ""
    date: Date | None = None
    language: str = ""
    categories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    is_article: bool = False
    warnings: tuple[str, ...] = field(default_factory=tuple)


def read(html: str, url: str = "") -> Head:
    """The head of a page that stands at `url`, as far as that is known."""
    parser = lxml_html.HTMLParser(encoding="utf-8", huge_tree=True)
    try:
        document = lxml_html.document_fromstring(html.encode(errors="replace"), parser=parser)
    except etree.ParserError:  # there is nothing in it, or nothing but comments
        document = lxml_html.document_fromstring(b"<html/>", parser=parser)
    told = _metas(document)
    data = next(_data(document), {})
    address = _address(document, told, url)
    code = document.get("lang") or document.get("xml:lang") or told.get("og:locale", "")
    language, warning = ("", "") if code.lower() == "en-us" else told_language(code)
    site = told.get("og:site_name", "")
    title = told.get("og:title", "") or one_line(str(data.get("headline") or ""))
    base = document.find(".//base[@href]")
    classes = (
        (document.find("body").get("class") or "") if document.find("body") is not None else ""
    )
    return Head(
        title=_bare(title or one_line(document.findtext(".//title") or ""), site, bool(title)),
        site=site,
        url=address,
        base_url=urljoin(url or address, base.get("href")) if base is not None else url or address,
        author=_author(told, data),
        date=_date(told, data),
        language=language,
        categories=tuple(dict.fromkeys(_texts(document, "article:section"))),
        tags=tuple(dict.fromkeys(_texts(document, "article:tag"))),
        is_article=told.get("og:type", "") == "article"
        or bool(data)
        or "single" in classes.split(),
        warnings=(warning,) if warning else (),
    )


def _metas(document: Any) -> dict[str, str]:
    """The page's metas by name or property, the first of each."""
    told: dict[str, str] = {}
    for meta in document.iter("meta"):
        name = meta.get("property") or meta.get("name") or meta.get("itemprop") or ""
        told.setdefault(name.lower(), one_line(meta.get("content") or ""))
    return told


def _texts(document: Any, name: str) -> list[str]:
    metas = document.iterfind(f".//meta[@property='{name}']")
    return [text for meta in metas if (text := one_line(meta.get("content") or ""))]


def _data(document: Any) -> Iterator[dict[str, Any]]:
    """The page's descriptions of an article, in its JSON-LD."""
    for script in document.iter("script"):
        if "ld+json" not in (script.get("type") or ""):
            continue
        try:
            told = json.loads(script.text or "", strict=False)
        except (ValueError, RecursionError):
            continue
        waiting = [(told, 0)]
        while waiting:
            value, depth = waiting.pop(0)
            if depth > _MOST_NESTED:
                continue
            if isinstance(value, list):
                waiting += [(inner, depth + 1) for inner in value]
            elif isinstance(value, dict):
                kinds = value.get("@type")
                kinds = kinds if isinstance(kinds, list) else [kinds]
                if any(_ARTICLES.fullmatch(str(kind)) for kind in kinds):
                    yield value
                waiting += [(value.get(key), depth + 1) for key in ("@graph", "mainEntity")]


def _address(document: Any, told: dict[str, str], url: str) -> str:
    """The page's lasting address: the one it names, else the one it was read at."""
    links = document.xpath("//link[contains(concat(' ', @rel, ' '), ' canonical ')]/@href")
    for found in (*links, told.get("og:url", ""), url):
        try:
            whole = urljoin(url, str(found).strip())
        except ValueError:
            continue
        if re.fullmatch(r"https?://[^\s<>\"]+", whole):
            return whole
    return ""


def _author(told: dict[str, str], data: dict[str, Any]) -> str:
    people = data.get("author")
    people = people if isinstance(people, list) else [people]
    names = [p.get("name") if isinstance(p, dict) else p for p in people]
    written = ", ".join(one_line(str(name)) for name in names if isinstance(name, str) and name)
    told_author = told.get("author") or told.get("article:author") or ""
    return written or ("" if told_author.startswith("http") else told_author)


def _date(told: dict[str, str], data: dict[str, Any]) -> Date | None:
    for name in ("article:published_time", "datepublished", "dc.date", "dcterms.created", "date"):
        if day := dates.found(told.get(name, "")):
            return day
    return dates.found(str(data.get("datePublished") or ""))


def _bare(title: str, site: str, is_told: bool) -> str:
    """The title without the site's name, before or behind it."""
    parts = _SUFFIX.split(title)
    if site and len(parts) > 1:
        for part, rest in ((parts[-1], title.rpartition(parts[-1])[0]),
                           (parts[0], title.partition(parts[0])[2])):  # fmt: skip
            if part.casefold() == site.casefold():
                return re.sub(r"^[\s|–—«»·•:-]+|[\s|–—«»·•:-]+$", "", rest)
    if is_told or len(parts) == 1:
        return title
    last = _SUFFIX.split(title)[-1]
    return title[: title.rindex(last)].rstrip(" |–—«»·•:-") or title
