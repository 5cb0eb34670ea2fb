"""Which parts of a page are posts, and what in them is not theirs.

| part | found as |
|---|---|
| the posts | `article`, or the class of a post; with a heading, none within another |
| else the one text | `main`, or the block with the most words outside links |
| a post's text | `entry-content` and the like, else the post without head and foot |
| left out | navigation, comments, share buttons, what is related, forms |
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from mailout.core.ingest.item import Skipped
from mailout.core.ingest.writing import clean

COMMENTS = Skipped("comments", "what others wrote under a post is never read in")
"""What is said of comments, once, and of no one who wrote them."""

TAGS = frozenset(["article", "main", "nav", "aside", "header", "footer", "section", "time"])
ATTRIBUTES = {
    "*": {"itemprop", "role", "lang", "title"},
    "a": {"rel", "title"},
    "time": {"datetime"},
}
"""What is kept of a page's mark-up until its posts are found."""

_POST = frozenset(["post", "hentry", "type-post", "blog-post", "blogpost", "post-item", "h-entry"])
_TEXT = (
    "entry-content", "post-content", "post-body", "entry-body", "article-body", "article-content",
    "articlebody", "story-body", "e-content", "post-text", "entry-text", "post-entry", "entry",
    "storycontent", "entry-summary", "post-excerpt",
)  # fmt: skip
_ASIDE = re.compile(
    r"(?:share|sharing|sharedaddy|social|addthis|addtoany|a2a|jp-relatedposts|jp-post-flair"
    r"|related|yarpp|breadcrumb|cookie|newsletter|subscribe|sidebar|widget|pagination|pager"
    r"|comment|respond|disqus|nav|navbar|navigation|post-nav|post-navigation|menu|author-box"
    r"|author-bio|skip-link|advert|screen-reader|print-link|edit-link)"
    r"s?(?:[-_].*|box|bar|list|form|area)?",
    re.I,
)
_NOT_ASIDE = re.compile(r"social-(?:rights|justice|ism)|comment-?ary", re.I)
_COMMENTS = re.compile(
    r"comments?|comments?[-_]?(?:area|list|section|thread|wrap(?:per)?|container|block|body|box|form)"
    r"|comment-respond|respond|disqus[-_]thread",
    re.I,
)
_META = re.compile(
    r"(?:entry|post|article)[-_]?(?:meta|footer|utility|info|date|details|tags|categories)(?:[-_].*)?"
    r"|byline|posted-on|(?:tags|cat|cats)-links|meta|metadata|dateline",
    re.I,
)
_OUTSIDE = frozenset(["nav", "aside", "button", "select", "textarea", "input"])
_ROLES = frozenset(["navigation", "complementary", "search", "banner", "contentinfo", "dialog"])
_FORM_WORDS = 100  # a form with more words is a page within a form
_MOST_WORDS = 50


def tokens(element: Any) -> list[str]:
    """An element's classes and id, in lower case."""
    return f"{element.get('class') or ''} {element.get('id') or ''}".lower().split()


def weight(element: Any) -> int:
    """How many words an element holds."""
    return len((element.text_content() or "").split())


def without_comments(root: Any) -> int:
    """How many blocks of comments there were; they are gone."""
    return _drop(root, _is_comments)


def clear(root: Any) -> int:
    """How many parts a page had that are none of its text, as navigation; they are gone."""
    return _drop(root, _is_aside)


def _drop(root: Any, is_one: Callable[[Any], bool]) -> int:
    dropped = 0
    for element in list(root.iterdescendants()):
        if not isinstance(element.tag, str) or not is_one(element):
            continue
        if root not in element.iterancestors():
            continue  # it went with what it was in
        element.drop_tree()
        dropped += 1
    return dropped


def posts(root: Any, is_article: bool) -> list[Any]:
    """The elements that are posts of their own, in the page's order; one if it is an article's."""
    found = [
        element
        for element in root.iter("article", "div", "section", "li")
        if _is_post(element) and heading(element) is not None
    ]
    holders = {above for element in found for above in element.iterancestors()}
    kept = set(found)
    outermost = [e for e in found if kept.isdisjoint(e.iterancestors())]
    inner = [e for e in found if e not in holders]
    # A wrapper with the class of a post around several is none itself.
    chosen = inner if len(outermost) == 1 < len(inner) and not is_article else outermost
    return [max(chosen, key=weight)] if len(chosen) > 1 and is_article else chosen


def main(root: Any) -> Any:
    """The one text of a page without marks of posts: its main part, else its densest block."""
    elements = [e for e in root.iter() if isinstance(e.tag, str)]
    mains = [e for e in elements if e.tag == "main" or e.get("role") == "main"]
    if len(mains) == 1:
        return mains[0]
    for name in _TEXT:
        named = [e for e in elements if name in tokens(e)]
        if len(named) == 1 and weight(named[0]) > _MOST_WORDS:
            return named[0]
    scores: dict[Any, float] = {}
    for element in root.iter("p", "td", "div", "section", "pre", "blockquote", "li"):
        own = _own_words(element)
        holder = element if element.tag in ("td", "div", "section") else element.getparent()
        scores[holder] = scores.get(holder, 0) + own
        if (above := holder.getparent()) is not None:
            scores[above] = scores.get(above, 0) + own / 2
    best = max(scores, key=lambda element: scores[element], default=root)
    return best if scores.get(best, 0) > 0 else root


def text(post: Any) -> Any:
    """The element that holds a post's text; the post without its foot if none is named."""
    for name in _TEXT:
        named = [
            element
            for element in post.iterdescendants()
            if isinstance(element.tag, str)
            and name in (*tokens(element), (element.get("itemprop") or "").lower())
            and (element.text_content() or "").strip()
        ]
        if len(named) == 1:
            return named[0]
    return post


def heading(element: Any) -> Any:
    """The first of the highest headings with words in an element; None if there is none."""
    for level in ("h1", "h2", "h3"):
        for found in element.iter(level):
            if (found.text_content() or "").strip():
                return found
    return None


def is_meta(element: Any) -> bool:
    """Whether an element tells of a post (who, when, where to), and is no text of it."""
    if not isinstance(element.tag, str):
        return False
    return element.tag == "footer" or any(_META.fullmatch(word) for word in tokens(element))


def _is_post(element: Any) -> bool:
    return element.tag == "article" or not _POST.isdisjoint(tokens(element))


def _is_comments(element: Any) -> bool:
    if element.tag in ("main", "body") or element.tag in clean.INLINE:
        return False
    if (element.get("itemprop") or "").lower() == "comment" or "comment-body" in tokens(element):
        return True
    return not _is_post(element) and any(_COMMENTS.fullmatch(word) for word in tokens(element))


def _is_aside(element: Any) -> bool:
    if element.tag in ("article", "main", "body") or _is_post(element):
        return False
    if element.tag in _OUTSIDE or (element.get("role") or "").lower() in _ROLES:
        return True
    if element.tag == "form":
        return weight(element) < _FORM_WORDS
    names = tokens(element)
    if element.tag in clean.INLINE and "comment" in names:
        return False  # a remark in a program
    return any(_ASIDE.fullmatch(word) and not _NOT_ASIDE.match(word) for word in names)


def _own_words(element: Any) -> int:
    """Words in an element itself and in its inline parts, but not in links."""
    words = len((element.text or "").split())
    for child in element:
        if isinstance(child.tag, str) and child.tag in clean.INLINE and child.tag != "a":
            words += weight(child)
        words += len((child.tail or "").split())
    return words
