"""What the templates of the archive get to see of a post: plain values, and HTML made of Markdown.

Standards: CommonMark 0.31, without raw HTML.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict

from markupsafe import Markup

from mailout import catalogue
from mailout.core import language as languages
from mailout.core import markup, plain
from mailout.core.action import Action
from mailout.core.mailto import address, mailto
from mailout.core.picture import Shown
from mailout.core.post import KINDS, Post
from mailout.core.site import Site

_HEADING = re.compile(r"(</?h)([3-6])(?=[ >])")


def post_view(site: Site, post: Post, code: str, html: Markup) -> dict[str, object]:
    """A post as the templates see it on a page in the language `code`."""
    words = catalogue.words(code)
    source_day = catalogue.told_day(post.source_date, code)
    return {
        "key": post.key,
        "title": post.title,
        "language": post.language,
        "dir": languages.direction(post.language),
        "kind_label": words.gettext(KINDS[post.kind]),
        "author": post.author,
        "date": catalogue.long_date(post.date, code) if post.date else "",
        "source": post.source,
        "source_url": post.source_url,
        "source_date": source_day or post.source_date,
        "source_date_as_written": bool(post.source_date) and not source_day,
        "canonical_url": post.canonical_url,
        "summary": summary(post),
        "html": html,
        "edited": False,
        "event": None,
        "actions": [_action_view(site, action, code) for action in post.actions],
    }


def summary(post: Post) -> str:
    """What a post says of itself in short; empty if it does not."""
    return " ".join(plain.to_text(post.excerpt).split()) if post.excerpt else ""


def _action_view(site: Site, action: Action, code: str) -> dict[str, object]:
    """An action; of a letter to the targets of each country all of them, the default one first."""
    targets = site.targets[action.targets].by_country() if action.targets in site.targets else {}
    link = mailto(address(action.to), action.cc, action.subject, action.body)
    return {
        **asdict(action),
        "mailto": link,
        "body_html": html_of(action.body),
        "targets": [
            {
                "country": catalogue.country_name(country, code) if country else "",
                "name": target.name_in(code),
                "email": target.email,
                "mailto": mailto(address(target.email), action.cc, action.subject, action.body),
            }
            for country, target in targets.items()
        ],
    }


def choice(versions: Mapping[str, str]) -> list[dict[str, str]]:
    """Languages to choose from, each in its own words; `versions` is language -> link."""
    return [
        {
            "code": code,
            "label": catalogue.language_name(code),
            "dir": languages.direction(code),
            "url": url,
        }
        for code, url in versions.items()
    ]


def html_of(body: str, pictures: tuple[tuple[str, Shown], ...] = ()) -> Markup:
    """The HTML of a whole post, of an issue's own words or of a letter."""
    html = markup.to_html(body.replace(markup.MORE, ""), dict(pictures))
    return Markup(html)  # noqa: S704 - no raw HTML


def raised(html: Markup) -> Markup:
    """A post's text, its headings one level higher: on its own page the title is the first.

    What is found is no word of the author's: there `<` is `&lt;`.
    """
    return Markup(_HEADING.sub(lambda found: f"{found[1]}{int(found[2]) - 1}", html))  # noqa: S704
