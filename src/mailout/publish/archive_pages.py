"""The pages of the archive: issues that were mailed, as HTML by path, made of posts and words.

What goes in, and where it is written, is for `publish.archive`. Nothing here knows a reader:
pages are made from the posts and from the issues' own words, never from mails.

Standards: RFC 4287 (feeds), RFC 5545 (events).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from itertools import groupby

from markupsafe import Markup

from mailout import catalogue
from mailout.core import archive, calendar, picture
from mailout.core import language as languages
from mailout.core.feed import Entry, Feed, to_atom
from mailout.core.issue import Wording
from mailout.core.mailing_list import MailingList
from mailout.core.meeting import Meeting
from mailout.core.picture import Picture
from mailout.core.post import Post
from mailout.core.render import Templates
from mailout.core.site import Site
from mailout.publish import moments
from mailout.publish.archive_views import choice, html_of, post_view, raised, summary

_WIDEST = 680  # pixels that a picture has on a page
_FEED = 40  # entries: some months of a weekly bulletin

Texts = Mapping[str, Post]
"""A post: language -> its text."""


@dataclass(frozen=True, slots=True)
class Mailed:
    """An issue that was mailed: `at` begins its first dispatch, in the site's time zone.

    `subjects` are language -> subject, as they were sent; `posts` are its posts by key, in order;
    `edited` are language and key of those that say something else by now.
    """

    name: str
    mailing_list: MailingList
    at: datetime
    subjects: Mapping[str, str]
    wordings: Mapping[str, Wording]
    posts: Mapping[str, Texts]
    fallback: Mapping[str, Sequence[str]]
    edited: Collection[tuple[str, str]] = ()

    def texts(self) -> Iterator[Post]:
        """Every post in every language it has."""
        return (post for texts in self.posts.values() for post in texts.values())

    def nearest(self, code: str, offered: Collection[str]) -> str:
        """Of the languages offered the one that readers of another got, as in the mails."""
        return languages.nearest(code, offered, self.mailing_list.settings.languages, self.fallback)


Drawn = Mapping[str, Mapping[str, Picture]]
"""Pictures by their sources, by the file of the post that shows them."""


def pages(
    site: Site, mailed: Sequence[Mailed], templates: Mapping[str, str], pictures: Drawn
) -> dict[str, bytes]:
    """Every page of the archive by its path; `mailed` is ordered, the newest first.

    Raises: BadFile if a template cannot be filled.
    """
    binder = _Binder(site, mailed, templates, pictures)
    found: dict[str, bytes] = {}
    for code in binder.languages:
        volume = _Volume(binder, code)
        found[archive.index_path(code)] = volume.index()
        found[archive.feed_path(code)] = volume.feed()
        for issue in volume.issues:
            found[archive.issue_path(code, issue.name)] = volume.issue(issue)
        for key, issues in volume.by_post.items():
            found[archive.post_path(code, key)] = volume.post(key, issues)
            if event := volume.event(key, issues):
                found[archive.event_path(code, key)] = event
    for key in binder.appeals:
        found[archive.act_path(key)] = binder.act(key)
    found[archive.START] = binder.start()
    found[archive.STYLE] = binder.render("archive/style.css.j2", binder.first, {})
    return found


class _Binder:
    """What all languages share: the issues, their posts, and how a page is rendered."""

    def __init__(
        self,
        site: Site,
        mailed: Sequence[Mailed],
        templates: Mapping[str, str],
        pictures: Drawn,
    ) -> None:
        self.site = site
        self.mailed = mailed
        self.base = site.archive_url
        self.brand = asdict(site.brand)
        self.rendered = cache(lambda code: Templates(templates, catalogue.words(code)))
        self.html = cache(html_of)
        self.pictures = pictures
        self.first = next(iter(site.lists.values())).default_language
        used = {code for issue in mailed for code in issue.subjects}
        ordered = [code for one in site.lists.values() for code in one.settings.languages]
        self.languages = [c for c in dict.fromkeys([*ordered, *sorted(used)]) if c in used]
        self.posts = _by_key(mailed)
        self.offered: dict[str, set[str]] = {}  # key -> the languages in which the post has a page
        for issue in mailed:
            for key in issue.posts:
                self.offered.setdefault(key, set()).update(issue.subjects)
        self.appeals = [
            key
            for key, texts in self.posts.items()
            if any(post.actions or post.kind == "appeal" for post in texts.values())
        ]

    def render(self, template: str, code: str, context: Mapping[str, object]) -> bytes:
        shared = {"site": {"name": self.site.identity.name}, "brand": self.brand}
        page = self.rendered(code).render(template, {**shared, **context})
        return page.encode("utf-8", "replace")  # half a character, which YAML can hold, is none

    def page(
        self, name: str, code: str, path: str, versions: Mapping[str, str], **values: object
    ) -> bytes:
        """The page at `path`; `versions` is language -> where the same is in that language."""
        context = {
            "language": code,
            "dir": languages.direction(code),
            "policy": archive.POLICY,
            "searchable": self.site.archive.searchable,
            "root": archive.link(path, ""),
            "index_url": archive.link(path, archive.index_path(code)),
            "feed_url": archive.link(path, archive.feed_path(code)),
            "summary": "",
            "postal_address": "",
            "languages": choice(versions),
            **values,
        }
        return self.render(f"archive/{name}.html.j2", code, context)

    def html_at(self, path: str, post: Post) -> Markup:
        """A post's text as the page at `path` shows it; a feed (no path) has whole addresses."""
        shown = {}
        for source, one in self.pictures.get(post.file, {}).items():
            at = archive.picture_path(one.name)
            url = archive.link(path, at) if path else archive.url(self.base, at)
            shown[source] = picture.shown(one, url, _WIDEST)
        return self.html(post.body, tuple(shown.items()))

    def start(self) -> bytes:
        """The first page, in the first list's language: the choice of all others."""
        indexes = {
            code: archive.link(archive.START, archive.index_path(code)) for code in self.languages
        }
        return self.page(
            "start",
            self.first,
            archive.START,
            {},
            choice=choice(indexes),
            index_url=archive.START,
            feed_url="",
        )

    def act(self, key: str) -> bytes:
        """What a post asks, in each language that it has; stable, whatever is asked by then."""
        path, texts = archive.act_path(key), self.posts[key]
        known = self.languages_of(key)
        own = [code for code in known if code in texts] or known[:1]
        parts = []
        for code in own:
            post = texts.get(code) or next(iter(texts.values()))
            view = post_view(self.site, post, code, self.html_at(path, post))
            view["url"] = archive.link(path, archive.post_path(code, key))
            context = {
                "language": code,
                "dir": languages.direction(code),
                "post": view,
                "level": 1 if code == own[0] else 2,
            }
            part = self.render("archive/act_part.html.j2", code, context).decode()
            parts.append(Markup(part))  # noqa: S704 - a template's output, escaped there
        title = (texts.get(own[0]) or next(iter(texts.values()))).title
        anchors = choice({code: f"#{code}" for code in own})
        return self.page("act", own[0], path, {}, title=title, parts=parts, choice=anchors)

    def languages_of(self, key: str) -> list[str]:
        """The languages in which the post has a page, in their order."""
        return [code for code in self.languages if code in self.offered[key]]


class _Volume:
    """One language of the archive."""

    def __init__(self, binder: _Binder, code: str) -> None:
        self.binder = binder
        self.code = code
        self.issues = [issue for issue in binder.mailed if code in issue.subjects]
        self.by_post: dict[str, list[Mailed]] = {}
        for issue in self.issues:
            for key in issue.posts:
                self.by_post.setdefault(key, []).append(issue)

    def index(self) -> bytes:
        path = archive.index_path(self.code)
        years = [
            {"year": year, "issues": [self._issue_view(issue, path) for issue in issues]}
            for year, issues in groupby(self.issues, key=lambda issue: issue.at.year)
        ]
        versions = {
            code: archive.link(path, archive.index_path(code)) for code in self.binder.languages
        }
        lists = {issue.mailing_list.id for issue in self.issues}
        return self.binder.page(
            "index", self.code, path, versions, years=years, several_lists=len(lists) > 1
        )

    def issue(self, issue: Mailed) -> bytes:
        path = archive.issue_path(self.code, issue.name)
        versions = {
            code: archive.link(path, archive.issue_path(code, issue.name))
            for code in self.binder.languages
            if code in issue.subjects
        }
        view = self._issue_view(issue, path)
        posts = [self._post_view(key, issue, path) for key in issue.posts]
        return self.binder.page(
            "issue",
            self.code,
            path,
            versions,
            issue=view,
            posts=posts,
            summary=view["summary"],
            postal_address=issue.mailing_list.settings.postal_address,
        )

    def post(self, key: str, issues: Sequence[Mailed]) -> bytes:
        """A post's page; `issues` hold it, the newest first, and that one's text is taken."""
        path = archive.post_path(self.code, key)
        versions = {
            code: archive.link(path, archive.post_path(code, key))
            for code in self.binder.languages_of(key)
        }
        view = self._post_view(key, issues[0], path)
        view["html"] = raised(self.binder.html_at(path, self._best(key, issues[0])))
        return self.binder.page(
            "post",
            self.code,
            path,
            versions,
            post=view,
            issues=[self._issue_view(issue, path) for issue in issues],
            summary=view["summary"],
            postal_address=issues[0].mailing_list.settings.postal_address,
        )

    def event(self, key: str, issues: Sequence[Mailed]) -> bytes:
        """What a post announces, for a calendar; empty if it announces nothing."""
        post = self._best(key, issues[0])
        if post.event is None:
            return b""
        start, end = moments.of_meeting(post.event, self.binder.site)
        host = self.binder.site.identity.host
        announced = calendar.Event(
            title=post.title,
            start=start,
            end=end,
            place=post.event.place,
            url=archive.post_url(self.binder.base, self.code, key),
            uid=f"{archive.file_name(key)}@{host}",
            description=summary(post),
        )
        return calendar.to_ics(announced, issues[-1].at, post.language)

    def feed(self) -> bytes:
        base, site = self.binder.base, self.binder.site
        newest = list(self.by_post.items())[:_FEED]
        return to_atom(
            Feed(
                url=archive.url(base, archive.feed_path(self.code)),
                page=archive.url(base, archive.index_path(self.code)),
                title=site.identity.name,
                author=site.identity.name,
                language=self.code,
                entries=[self._entry(key, issues) for key, issues in newest],
            )
        )

    def _entry(self, key: str, issues: Sequence[Mailed]) -> Entry:
        post = self._best(key, issues[0])
        html = self.binder.html_at("", post)
        if post.actions:
            url = archive.act_url(self.binder.base, key)
            words = catalogue.words(self.code).gettext("What you can do")
            html += Markup('\n<p><a href="{}">{}</a></p>').format(url, words)
        return Entry(
            url=archive.post_url(self.binder.base, self.code, key),
            title=post.title,
            language=post.language,
            at=issues[-1].at,
            html=str(html),
            author=post.author,
            categories=post.categories,
        )

    def _best(self, key: str, issue: Mailed) -> Post:
        """The text of a post that readers of this language got in that issue."""
        texts = issue.posts[key]
        return texts[issue.nearest(self.code, texts)]

    def _post_view(self, key: str, issue: Mailed, path: str) -> dict[str, object]:
        post = self._best(key, issue)
        view = post_view(self.binder.site, post, self.code, self.binder.html_at(path, post))
        view["url"] = archive.link(path, archive.post_path(self.code, key))
        view["edited"] = (self.code, key) in issue.edited
        if post.event is not None:
            view["event"] = self._event_view(key, post.event, path)
        return view

    def _event_view(self, key: str, meeting: Meeting, path: str) -> dict[str, object]:
        start, end = moments.of_meeting(meeting, self.binder.site)
        return {
            "start": catalogue.long_moment(start, self.code),
            "end": catalogue.long_end(end, start, self.code),
            "place": meeting.place,
            "ics_url": archive.link(path, archive.event_path(self.code, key)),
        }

    def _issue_view(self, issue: Mailed, path: str) -> dict[str, object]:
        settings = issue.mailing_list.settings
        used, wording = self.code, issue.wordings.get(self.code) or Wording()
        if not wording.subject and issue.wordings:
            used = issue.nearest(self.code, issue.wordings)
            wording = issue.wordings[used]
        return {
            "subject": issue.subjects[self.code],
            "day": issue.at.date().isoformat(),
            "date": catalogue.long_date(issue.at.date(), self.code),
            "list": settings.name,
            "language": used,
            "dir": languages.direction(used),
            "summary": wording.preheader,
            "intro_html": self.binder.html(wording.intro),
            "url": archive.link(path, archive.issue_path(self.code, issue.name)),
        }


def _by_key(mailed: Sequence[Mailed]) -> dict[str, Texts]:
    """Every post of the issues, as the newest that holds it has it."""
    return {key: texts for issue in reversed(mailed) for key, texts in issue.posts.items()}
