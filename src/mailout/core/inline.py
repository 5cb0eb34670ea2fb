"""CSS into the tags, once per issue and language, by premailer.

`decisions` behind the options, all measured: a `<style data-premailer="ignore">` block is
kept as it stands (media queries, dark mode), the plain block is inlined; nothing is ever
fetched; and since the inliner cuts deeply nested or very large documents without a word,
the visible text is compared before and after.
"""

from __future__ import annotations

import logging
import re
from functools import cache, lru_cache
from html import unescape
from typing import Any

from mailout.core import css, nesting
from mailout.core.errors import BadFile

_BLOCK = re.compile(r"<(style|title|!--).*?(?:</\1>|-->)", re.I | re.S)
_COMMENT = re.compile(r"<!--.*?-->", re.S)
_TAG = re.compile(r"<[^>]*>")
_SPACE = re.compile(r"\s+")
_MAX_BYTES = 10_000_000


def inline(html: str, name: str) -> str:
    """The document with its plain style block moved into the tags; doctype in upper case.

    Raises: BadFile if a style would be fetched, a tag is left open, or text would be lost.
    """
    nesting.refuse_unclosed(html, name)
    if any(map(css.has_import, css.blocks(html))):
        raise BadFile("`@import` in a style block", where=name, fix="Put the styles into it.")
    if re.search(r"<link\b[^>]*stylesheet", html, re.I):
        raise BadFile("a linked style sheet", where=name, fix="Put it into a <style> block.")
    if len(html.encode()) > _MAX_BYTES:
        raise BadFile("more than 10 MB of HTML", where=name, fix="Shorten the posts.")
    html = re.sub(r"<!doctype html>", "<!DOCTYPE html>", html, count=1, flags=re.I)
    inlined = _inliner()(
        html,
        allow_network=False,
        strip_important=False,
        keep_style_tags=False,
        disable_link_rewrites=True,
        disable_validation=True,
        cssutils_logging_level=logging.CRITICAL,
        disable_basic_attributes=["width", "height", "align", "valign", "bgcolor"],
    ).transform(pretty_print=False)
    if visible_text(inlined) != visible_text(html):
        raise BadFile(
            "text was lost while the styles were moved into the tags",
            where=name,
            fix="Look for unclosed tags, and for tables or lists nested very deeply.",
        )
    return str(inlined)


@cache
def _inliner() -> Any:
    """Premailer, whose parser of styles fetches nothing, whatever it is told to."""
    import cssutils  # both are slow to import, and only compiling needs them
    from premailer import Premailer

    cssutils.log.setLevel(logging.CRITICAL)

    @lru_cache(maxsize=100)
    def parsed(styles: str, validate: bool) -> Any:
        return cssutils.CSSParser(fetcher=lambda _: None, validate=validate).parseString(styles)

    class Offline(Premailer):  # type: ignore[misc]
        def _parse_css_string(self, css_body: str, validate: bool = True) -> Any:
            return parsed(css_body, validate)

    return Offline


def visible_text(html: str) -> str:
    """The words of a document, white space folded; styles, comments and tags left out."""
    without = _COMMENT.sub(" ", _BLOCK.sub(" ", html))
    return _SPACE.sub("", unescape(_TAG.sub("", without)))
