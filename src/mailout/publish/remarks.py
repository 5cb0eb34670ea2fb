"""Remarks: what an organiser in a hurry should look at before an issue goes out.

None of it is wrong in itself, so none of it stops a compilation; each names its file and line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from mailout.core import markup, script
from mailout.core.errors import place
from mailout.core.picture import is_elsewhere
from mailout.core.post import Post
from mailout.core.site import Site
from mailout.publish import moments

_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
_SHOWN = 8  # words in one remark


def on(
    site: Site, chosen: Iterable[Mapping[str, Post]], now: datetime, *, shown: bool
) -> Iterator[str]:
    """The remarks on an issue's posts, each in all its languages; `shown` tells whether it shows
    pictures."""
    texts = list(chosen)
    for one in texts:
        yield from _on_differences(list(one.values()))
    for post in (post for one in texts for post in one.values()):
        head = place(post.file, 1)
        if not post.body.strip() and not post.actions:
            yield f"{head}: the post has no text"
        if _UNSEEN.search(post.title):
            yield f"{head}: the title holds a character that cannot be seen"
        if post.date and post.date > now.date():
            yield f"{head}: the post is of a day to come, {post.date.isoformat()}"
        if post.kind == "appeal" and not post.actions:
            yield f"{head}: an appeal without `actions`: what is a reader to do?"
        if post.kind == "event" and post.event is None:
            yield f"{head}: an event without `event`: when and where is it?"
        yield from _on_language(post)
        yield from _on_times(site, post, now)
        yield from _on_words(post)
        yield from _on_pictures(post, shown=shown)


def _on_differences(texts: Sequence[Post]) -> Iterator[str]:
    """What the languages of one post do not agree on, though it cannot depend on a language."""
    first, *others = texts
    for other in others:
        for what, one, two in (
            ("kind", first.kind, other.kind),
            ("number of `actions`", len(first.actions), len(other.actions)),
            ("`event`", _when(first), _when(other)),
            ("`embargo`", first.embargo, other.embargo),
        ):
            if one != two:
                yield f"{place(other.file, 1)}: another {what} than in {first.file}"


def _when(post: Post) -> tuple[object, ...] | None:
    event = post.event
    return (event.start, event.end, event.timezone) if event else None


def _on_language(post: Post) -> Iterator[str]:
    """A text in letters that its language is not written in: probably under a wrong code."""
    if found := script.contradicts(post.language, f"{post.title} {post.body}"):
        head = place(post.file, 1)
        yield f"{head}: the text is in {found} letters, its language is `{post.language}`"


def _on_times(site: Site, post: Post, now: datetime) -> Iterator[str]:
    if post.event is not None:
        start, end = moments.of_meeting(post.event, site)
        if (end or start) < now:
            yield f"{post.event.where}: the event is over"
        if not post.event.timezone:
            yield (
                f"{post.event.where_zone}: the event has no `timezone`, so its time is read in "
                f"{site.identity.timezone}"
            )
    if post.embargo and moments.in_zone(post.embargo, site) < now:
        yield f"{place(post.file, 1)}: the embargo is over"


def _on_words(post: Post) -> Iterator[str]:
    """Words that Markdown drops, since it reads no deeper or has no column for them."""
    lost = markup.lost_words(post.body, markup.to_html(post.body))
    if lost:
        words = ", ".join(lost[:_SHOWN]) + (", .." if len(lost) > _SHOWN else "")
        line = _line_of(lost[0], post)
        yield f"{place(post.file, line)}: words of the post are not in the mail: {words}"


def _line_of(word: str, post: Post) -> int:
    """The line of a file on which a word stands last."""
    return post.body_line + post.body.count("\n", 0, max(0, post.body.rfind(word)))


def _on_pictures(post: Post, *, shown: bool) -> Iterator[str]:
    for line, source, alt in markup.pictures(post.body):
        if is_elsewhere(source):
            why = (
                "it is on another server, which would learn who reads; put its file beside the post"
            )
        elif not shown:
            why = "mails show pictures from the archive, and this issue is not in one"
        else:
            continue
        where = place(post.file, post.body_line + line - 1)
        what = "its text stands there" if alt.strip() else "and it has no text to stand there"
        yield f"{where}: the picture {source} is not shown, {what}: {why}"
