"""Edits: whether a post says something else by now than what was mailed of it.

The words of a post's file are looked for in the text part that was sent. Marks, wrapping and
capitals do not count, so a new version of the templates makes no text look changed. What stands
behind the end of an excerpt was not mailed, and is not known here; of a meeting its hour and place
count, and what an appeal asks is meant to change.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from mailout import catalogue
from mailout.core import markup, plain
from mailout.core.post import Post

_WORD = re.compile(r"[^\W_]+")


def words_of(text: str) -> str:
    """The words of a text in their order, a blank before the first and behind each."""
    return "".join((" ", *(f"{word} " for word in _WORD.findall(text.casefold()))))


def is_edited(texts: Iterable[Post], mailed: str, language: str, *, leads: bool) -> bool:
    """Whether none of a post's texts is in `mailed`, the words of a text part in a language.

    A translation that came later is no edit: the text that stood in for it is still there. `leads`
    says whether the post was the issue's first one.
    """
    return not any(_is_there(post, mailed, language, leads=leads) for post in texts)


def _is_there(post: Post, mailed: str, language: str, *, leads: bool) -> bool:
    fixed = [post.title]
    if post.event:
        fixed += [f"{post.event.start:%H:%M}", post.event.place]
    return all(words_of(part) in mailed for part in fixed) and any(
        form in mailed for form in _forms(post, language, leads=leads)
    )


def _forms(post: Post, language: str, *, leads: bool) -> Iterator[str]:
    """The words of a post as an issue may print it: whole, or its opening and where to go on."""
    yield from _words_on_paper(markup.cut(post.body, post.excerpt, whole=True).text)
    automatic = not leads and post.kind != "appeal"
    opening = markup.cut(post.body, post.excerpt, whole=False, automatic=automatic)
    if opening.shortened:
        goes_on = catalogue.words(language).gettext("Continue reading: %(title)s")
        yield from _words_on_paper(opening.text, goes_on % {"title": post.title})


def _words_on_paper(body: str, after: str = "") -> Iterator[str]:
    """The words of a Markdown body as its text has them; first as they stand in the file, which
    mostly are the same and cost less."""
    yield words_of(f"{body} {after}")
    yield words_of(f"{plain.to_text(body)} {after}")
