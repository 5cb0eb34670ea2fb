"""Compiling: an issue's posts become one HTML and one text part per language, once.

Jinja once, premailer once, text once, each per language; what differs per reader is a slot
(`core.slot`). What comes out is saved under a content hash: approved, it is byte for byte
what is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from markupsafe import Markup

from mailout import catalogue
from mailout.core import language as languages
from mailout.core import markup, parity, plain
from mailout.core.errors import BadFile, MailoutError, nearest, place
from mailout.core.inline import inline
from mailout.core.issue import IssuePlan, Variant, Wording
from mailout.core.message import BadHeader, ListHeaders, list_headers, prepare_message
from mailout.core.post import KINDS, Action, Post
from mailout.core.render import Templates
from mailout.core.site import MailingList, Site
from mailout.core.slot import PATTERN, Slot
from mailout.publish.sources import Posts
from mailout.store import issues
from mailout.store.engine import Store
from mailout.store.issues import Issue

_CLIPPED = 102_000  # bytes of HTML above which Gmail shows only the beginning
_PREHEADER = 110  # characters


@dataclass(frozen=True, slots=True)
class Compiled:
    """The variants, one per language of the list, and what an organiser should look at."""

    variants: tuple[Variant, ...]
    warnings: tuple[str, ...]


def compile_issue(
    site: Site,
    mailing_list: MailingList,
    plan: IssuePlan,
    posts: Posts,
    templates: Mapping[str, str],
    day: datetime,
) -> Compiled:
    """The issue in every language of its list; a missing translation falls back and is reported.

    Raises: BadFile with file and line.
    """
    chosen = _chosen_posts(plan, posts)
    variants, warnings = [], list(_picture_warnings(chosen))
    headers = list_headers(site, mailing_list)
    for code in mailing_list.settings.languages:
        words = catalogue.words(code)
        sheet = _Sheet(site, mailing_list, plan, code, day)
        translated = [sheet.best(texts) for texts in chosen]
        missing = [post.key for post in translated if post.language != code]
        if missing:
            warnings.append(f"not in `{code}`, another language is used: {', '.join(missing)}")
        context = sheet.context(translated)
        rendered = Templates(templates, words)
        name = plan.template
        html = inline(rendered.render(f"{name}.html.j2", context), f"templates/{name}.html.j2")
        if f"{name}.txt.j2" in templates:
            text = plain.tidy(rendered.render(f"{name}.txt.j2", context))
        else:
            text = parity.text_of(html)  # a template of the site's own without a text twin
        _check_slots(html, text, name)
        warnings += _parity_warnings(html, text, code)
        size = len(html.encode())
        if size > _CLIPPED:
            warnings.append(
                f"the `{code}` HTML has {size // 1000} KB; Gmail shows only the first 102: "
                "shorten posts, or give them a `canonical_url` and a <!--more--> mark"
            )
        variant = Variant(code, sheet.subject(translated), html, text)
        _check_headers(variant, headers, plan)
        variants.append(variant)
    return Compiled(tuple(variants), tuple(warnings))


def save(
    store: Store, mailing_list: MailingList, plan: IssuePlan, compiled: Compiled, now: datetime
) -> Issue:
    """The issue as recorded. Raises: MailoutError once a delivery of it is out."""
    with store.writing() as tx:
        known = issues.find(tx, plan.name)
        if known is not None and issues.has_deliveries(tx, known.id):
            raise MailoutError(
                f"the issue `{plan.name}` is being sent or was sent, and stays as it is",
                fix="Write a new issue for a correction.",
            )
        return issues.save_compiled(
            tx, plan.name, mailing_list.id, plan.posts, compiled.variants, now
        )


def _chosen_posts(plan: IssuePlan, posts: Posts) -> list[Mapping[str, Post]]:
    chosen = []
    for key in plan.posts:
        if key not in posts:
            raise BadFile(f"there is no post `{key}`", where=plan.file, fix=nearest(key, posts))
        for post in posts[key].values():
            if post.draft:
                raise BadFile(
                    f"the post `{key}` is a draft", where=post.file, fix="Set `draft: false`."
                )
            found = PATTERN.search(post.body + post.title + post.excerpt)
            if found:
                raise BadFile(f"`{found[0]}` is a word of our own", where=post.file)
        chosen.append(posts[key])
    return chosen


def _picture_warnings(chosen: Sequence[Mapping[str, Post]]) -> list[str]:
    return [
        f"{place(post.file, post.body_line + line - 1)}: pictures are not mailed yet; "
        f"the alternative text stands for {source}"
        for texts in chosen
        for post in texts.values()
        for line, source in markup.pictures(post.body)
    ]


def _parity_warnings(html: str, text: str, code: str) -> list[str]:
    """What readers of the text part would miss; receivers count such mail as spam."""
    warnings = []
    if words := parity.missing_words(html, text):
        shown = ", ".join(words[:8]) + (", .." if len(words) > 8 else "")
        warnings.append(f"the `{code}` text part lacks words of the HTML: {shown}")
    if links := parity.missing_links(html, text):
        warnings.append(f"the `{code}` text part lacks links of the HTML: {', '.join(links)}")
    return warnings


def _check_headers(variant: Variant, headers: ListHeaders, plan: IssuePlan) -> None:
    """A subject that cannot be a header is refused now, not when the first mail is due."""
    try:
        prepare_message(variant, headers)
    except BadHeader as error:
        what = f"{error.what} (in `{variant.language}`)"
        raise BadFile(what, where=plan.file, fix=error.fix) from None


def _check_slots(html: str, text: str, name: str) -> None:
    """Every mail must show its way out: the leave link in both parts."""
    for part, kind in ((html, "html"), (text, "txt")):
        if Slot.TOKEN.mark not in part:
            raise BadFile(
                "the template prints no unsubscribe link",
                where=f"templates/{name}.{kind}.j2",
                fix="Print {{ reader.unsubscribe_url }}.",
            )


@dataclass(frozen=True, slots=True)
class _Sheet:
    """One language of an issue: what its templates get to see."""

    site: Site
    mailing_list: MailingList
    plan: IssuePlan
    code: str
    day: datetime

    def best(self, texts: Mapping[str, Post]) -> Post:
        """The text of a post that readers of this language get."""
        offered = [code for code in self.mailing_list.settings.languages if code in texts]
        steps = languages.chain(self.code, offered, self.mailing_list.settings.fallback)
        return texts[steps[0]] if steps else next(iter(texts.values()))

    def subject(self, posts: Sequence[Post]) -> str:
        """The issue's subject in this language, else the lead post's title."""
        return self.wording().subject or posts[0].title

    def wording(self) -> Wording:
        """The issue's words in this language, or in the one it falls back to."""
        offered = [c for c in self.mailing_list.settings.languages if c in self.plan.wordings]
        steps = languages.chain(self.code, offered, self.mailing_list.settings.fallback)
        own = self.plan.wordings.get(self.code)
        if own and own.subject:
            return own
        return self.plan.wordings[steps[0]] if steps else Wording()

    def context(self, posts: Sequence[Post]) -> dict[str, object]:
        settings, wording = self.mailing_list.settings, self.wording()
        right_to_left = languages.direction(self.code) == "rtl"
        brand = self.site.brand
        return {
            "language": self.code,
            "dir": "rtl" if right_to_left else "ltr",
            "align_start": "right" if right_to_left else "left",
            "align_end": "left" if right_to_left else "right",
            "site": {"name": self.site.identity.name, "url": self.site.identity.url},
            "list": {
                "name": settings.name,
                "description": settings.description,
                "postal_address": settings.postal_address,
                "contact": settings.contact,
                "why": why_you_get_this(self.mailing_list, self.code),
            },
            "issue": {
                "subject": self.subject(posts),
                "preheader": wording.preheader or _opening(posts[0]),
                "intro_html": _html(wording.intro),
                "intro_text": plain.to_text(wording.intro),
                "date": catalogue.long_date(self.day.date(), self.code),
                "archive_url": "",
            },
            "posts": [self._post(post) for post in posts],
            "reader": {
                "greeting": Slot.GREETING.mark,
                "unsubscribe_url": f"{self.site.leave_url}{Slot.TOKEN.mark}",
                "preferences_url": f"{self.site.identity.url}/p/{Slot.TOKEN.mark}",
            },
            "brand": {name: getattr(brand, name) for name in brand.__dataclass_fields__},
        }

    def _post(self, post: Post) -> dict[str, object]:
        # Without a page to go on reading at, an excerpt would only keep the text from people.
        full = self.plan.full_text or not post.canonical_url
        cut = markup.cut(post.body, post.excerpt, full)
        words = catalogue.words(self.code)
        return {
            "key": post.key,
            "title": post.title,
            "language": post.language,
            "dir": languages.direction(post.language),
            "kind": post.kind,
            "kind_label": words.gettext(KINDS[post.kind]),
            "author": post.author,
            "date": catalogue.long_date(post.date, self.code) if post.date else "",
            "source": post.source,
            "source_url": post.source_url,
            "source_date": post.source_date,
            "canonical_url": post.canonical_url,
            "categories": list(post.categories),
            "html": _html(cut.text),
            "text": plain.to_text(cut.text),
            "excerpted": cut.shortened,
            "more_url": post.canonical_url if cut.shortened else "",
            "actions": [_action(action) for action in post.actions],
        }


def why_you_get_this(mailing_list: MailingList, code: str) -> str:
    """The list's own words on why readers of a language get its mail, or ours."""
    settings = mailing_list.settings
    ours = catalogue.words(code).gettext("You get this because you are on the list “%(list)s”.")
    return settings.why.get(code) or ours % {"list": settings.name}


def _html(body: str) -> Markup:
    return Markup(markup.to_html(body))  # noqa: S704 - Markdown without raw HTML


def _action(action: Action) -> dict[str, object]:
    return {
        "type": action.type,
        "label": action.label,
        "url": action.url,
        "email": action.email,
        "mailto": _mailto(action),
        "to": action.to,
        "cc": list(action.cc),
        "subject": action.subject,
        "body_html": _html(action.body),
        "body_text": plain.to_text(action.body),
    }


def _mailto(action: Action) -> str:
    """A prepared letter as a link (RFC 6068); lines end in %0D%0A there."""
    if not action.to:
        return ""
    fields = [("cc", ",".join(action.cc)), ("subject", action.subject), ("body", action.body)]
    query = "&".join(
        f"{name}={quote(value.replace(chr(10), chr(13) + chr(10)), safe='@,')}"
        for name, value in fields
        if value
    )
    return f"mailto:{quote(action.to, safe='@')}" + (f"?{query}" if query else "")


def _opening(post: Post) -> str:
    """A preheader from a post: its excerpt, or as many of its first words as fit."""
    words = (post.excerpt or plain.to_text(post.body.partition(markup.MORE)[0])).split()
    line = ""
    for word in words:
        if len(line) + 1 + len(word) > _PREHEADER:
            break
        line = f"{line} {word}".strip()
    return line
