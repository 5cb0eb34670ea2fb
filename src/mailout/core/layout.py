"""Layouts: posts as Jekyll, Hugo and their kin keep them, told in our own keys.

| there | here |
|---|---|
| `2026-11-20-vote.md`, `vote/index.md` | the key `2026-11-20-vote`, `vote` |
| `vote.ru.md`, `ru/vote.md`, `ru/post/vote.md` | the language `ru` |
| `published: false` | `status: draft` |
| `published`, `publishDate` or `pubdate` with a date | `date`, where that is missing |
| `category`, `taxonomies`; `categories: a b` beside `layout` | `categories`, `tags` |
| `authors`, an author with a name and more | `author` |
| `summary` | `excerpt` |
| `language`, `locale`; `translationKey` | `lang`; `key` |
| a full `permalink`, `canonical` | `canonical_url` |
| `excerpt_separator` | `<!--more-->` |
| `layout`, `aliases`, `weight` and others | nothing: they are about the look of a site |

What is known nowhere stays, for `core.post` to refuse with its line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from mailout.core import language
from mailout.core.errors import BadFile
from mailout.core.front_matter import FrontMatter
from mailout.core.markup import MORE

# Keys of Jekyll, Hugo, Zola and their common themes that say nothing about a post's text.
_LOOKS = """
    layout permalink comments toc pin math mermaid sitemap redirect_from redirect_to classes
    sidebar header image images image_path img_path thumbnail cover banner featured_image teaser
    last_modified_at modified_date modified lastmod updated expirydate unpublishdate aliases alias
    url slug weight menu menus type linktitle description keywords markup outputs output resources
    cascade headless iscjklanguage build _build series videos audio translationkey template
    in_search_index insert_anchor_links extra params excerpt_separator render_with_liquid
    id guid featured sticky share related social_image og_image disable_comments show_toc showtoc
    noindex robots authors author_profile read_time taxonomies topics hideindex mathjax
"""
_OF_NO_USE = frozenset(_LOOKS.split())
_DATES = ("publishdate", "pubdate", "published_at", "published")
_RENAMED = {"language": "lang", "locale": "lang", "translationkey": "key", "summary": "excerpt"}
_CANONICAL = ("canonical", "canonicalurl", "permalink")

_NAME = re.compile(
    r"(?P<key>.+?)(?:\.(?P<lang>[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*))?\.(?:md|markdown)"
)
# ISO 639-1: a folder `ru` tells a language, a folder `old` does not.
_CODES = """
    aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da
    de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz
    ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln
    lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi
    pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti
    tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu
"""
_TWO_LETTERS = frozenset(_CODES.split())
_REGION = re.compile(r"[a-z]{2}[-_](?:[A-Za-z]{2}|[A-Za-z]{4})")


@dataclass(frozen=True, slots=True)
class Name:
    """What a path tells of a post: its key, and its language if there is one in it."""

    key: str
    language: str = ""


def named(file: str) -> Name:
    """The key and language in a path. Raises: BadFile for a folder named after a country."""
    *folders, last = file.split("/")
    found = _NAME.fullmatch(last)
    key, code = (found["key"], found["lang"] or "") if found else (file, "")
    if key == "index" and folders and folders[-1] != "posts" and not is_language(folders[-1]):
        key = folders[-1]
    if not code:
        code = next((name for name in reversed(folders) if is_language(name)), "")
    return Name(key, code)


def refuse_country(file: str) -> None:
    """Nothing, unless a folder is named after a country, as if that were a language."""
    for folder in file.split("/")[:-1]:
        if folder.islower() and (meant := language.mistaken_for(folder)):
            raise BadFile(
                f"the folder `{folder}` is named after a country, not a language",
                where=file,
                fix=f"Name it `{meant}`, or write `lang: ...` into the post.",
            )


def is_language(folder: str) -> bool:
    """Whether a folder's name is a language code, as `ru` or `pt-br` are."""
    if language.mistaken_for(folder):
        return False
    return folder in _TWO_LETTERS or (
        bool(_REGION.fullmatch(folder)) and folder[:2] in _TWO_LETTERS
    )


def ours(head: FrontMatter, known: frozenset[str]) -> FrontMatter:
    """The same front matter in our keys; `known` are those, and are left alone.

    Raises: BadFile for a foreign key with a value that cannot be meant.
    """
    foreign = {key: key.lower() for key in head.values if key not in known}
    is_jekyll = "layout" in head.values
    if not foreign and not _needs_unfolding(head):
        return head
    values: dict[str, Any] = {key: value for key, value in head.values.items() if key in known}
    lines = dict(head.lines)
    body = head.body

    def set_missing(key: str, value: Any, of: str) -> None:
        if values.get(key) in (None, "", []) and value not in (None, "", []):
            values[key] = value
            lines[key,] = head.lines.get((of,), 1)

    for key, name in foreign.items():
        value = head.values[key]
        if name == "published" and isinstance(value, bool):
            if not value:
                set_missing("status", "draft", key)
        elif name in _DATES:
            if isinstance(value, (date, str)):
                set_missing("date", value, key)
        elif name in known and name not in head.values:
            set_missing(name, value, key)  # Hugo does not mind the case of a key
        elif name in _RENAMED:
            set_missing(_RENAMED[name], value, key)
        elif name in ("category", "tag"):
            set_missing({"category": "categories", "tag": "tags"}[name], value, key)
        elif name in _CANONICAL:
            if isinstance(value, str) and value.startswith(("https://", "http://")):
                set_missing("canonical_url", value, key)
        elif name in ("authors",):
            set_missing("author", value, key)
        elif name in ("taxonomies", "params", "extra") and isinstance(value, Mapping):
            for inner in ("categories", "tags", "author"):
                set_missing(inner, value.get(inner), key)
        elif name == "excerpt_separator" and isinstance(value, str) and value.strip():
            body = body.replace(value, MORE)
        elif name not in _OF_NO_USE:
            values[key] = value
    _unfold(values, is_jekyll)
    return replace(head, values=values, lines=lines, body=body)


def _needs_unfolding(head: FrontMatter) -> bool:
    return isinstance(head.values.get("author"), (Mapping, list))


def _unfold(values: dict[str, Any], is_jekyll: bool) -> None:
    """Authors with a name and more as their names; Jekyll's words as a list."""
    author = values.get("author")
    if isinstance(author, (Mapping, list)):
        people = author if isinstance(author, list) else [author]
        names = [p.get("name") if isinstance(p, Mapping) else p for p in people]
        values["author"] = ", ".join(str(name) for name in names if name)
    for key in ("categories", "tags"):
        if is_jekyll and isinstance(values.get(key), str):
            values[key] = values[key].split()
