"""The sheet: what the templates get to see of an issue in one language and edition.

Plain values only: texts, numbers, lists and mappings of them (docs/templates.md names each).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime

from markupsafe import Markup

from mailout import catalogue
from mailout.core import archive, markup, picture, places, plain
from mailout.core import language as languages
from mailout.core.action import Action
from mailout.core.edition import Edition
from mailout.core.errors import BadFile, nearest
from mailout.core.issue import IssuePlan, Wording
from mailout.core.mailing_list import MailingList
from mailout.core.mailto import address, mailto
from mailout.core.markup import Cut
from mailout.core.meeting import Meeting
from mailout.core.picture import Picture, Shown
from mailout.core.post import KINDS, Post
from mailout.core.signatory import Signatory
from mailout.core.site import Site
from mailout.core.slot import Slot
from mailout.publish import moments

_PREHEADER = 110  # characters
_WIDEST = 520  # pixels that a picture has in a mail's column


@dataclass(frozen=True, slots=True)
class Sheet:
    """One language and edition of an issue. `day` is when it is compiled."""

    site: Site
    mailing_list: MailingList
    plan: IssuePlan
    code: str
    day: datetime
    edition: Edition = Edition.FULL
    archive_url: str = ""
    """The address of the archive that the issue will be in; empty if it will be in none."""
    signatories: Sequence[Signatory] = ()
    pictures: Mapping[str, Mapping[str, Picture]] = field(default_factory=dict)
    """Of each post's file, by their sources."""
    by_country: dict[str, dict[str, str]] = field(default_factory=dict)
    """What the marks of `core.places` stand for; filled as the context is made."""

    def best(self, texts: Mapping[str, Post]) -> Post:
        """The text of a post that readers of this language get."""
        return texts[self._nearest(texts)]

    def subject(self, posts: Sequence[Post]) -> str:
        """The issue's subject in this language, else the lead post's title."""
        return self.wording().subject or posts[0].title

    def wording(self) -> Wording:
        """The issue's words in this language, or in the one it falls back to."""
        own = self.plan.wordings.get(self.code)
        if (own and own.subject) or not self.plan.wordings:
            return own or Wording()
        return self.plan.wordings[self._nearest(self.plan.wordings)]

    def shortens(self, chosen: Sequence[Mapping[str, Post]]) -> bool:
        """Whether the issue prints less than all of one of its posts."""
        posts = [self.best(texts) for texts in chosen]
        return any(self.cut_of(post, number).shortened for number, post in enumerate(posts))

    def cut_of(self, post: Post, number: int) -> Cut:
        """What is printed of a post, the `number`th of the issue."""
        shortened = self.edition is Edition.EXCERPT and not self.plan.full_text
        # Without a page to go on reading at, an excerpt would only keep the text from people; and
        # who sends one post alone wants it to be read.
        whole = not (shortened and self.page_of(post) and len(self.plan.posts) > 1)
        # What leads, and what asks for help, is shortened only where its author says so.
        automatic = number > 0 and post.kind != "appeal"
        return markup.cut(post.body, post.excerpt, whole, automatic=automatic)

    def page_of(self, post: Post) -> str:
        """Where a post can be read whole: its own page, else the archive's; may be empty."""
        return post.canonical_url or archive.post_url(self.archive_url, self.code, post.key)

    def context(self, posts: Sequence[Post]) -> dict[str, object]:
        """All that the templates get. Raises: BadFile for a post that says what cannot be."""
        settings, wording = self.mailing_list.settings, self.wording()
        right_to_left = languages.direction(self.code) == "rtl"
        brand = self.site.brand
        signature = settings.signature.get(self.code, "")
        shown = [self._post(post, number) for number, post in enumerate(posts)]
        return {
            "language": self.code,
            "dir": "rtl" if right_to_left else "ltr",
            "align_start": "right" if right_to_left else "left",
            "align_end": "left" if right_to_left else "right",
            "edition": str(self.edition),
            "site": {"name": self.site.identity.name, "url": self.site.identity.url},
            "list": {
                "name": settings.name,
                "description": self.mailing_list.described(self.code),
                "postal_address": settings.postal_address,
                "contact": settings.contact,
                "why": why_you_get_this(self.mailing_list, self.code),
                "signature_html": _html(signature),
                "signature_text": plain.to_text(signature),
                "press": self._press(),
            },
            "issue": {
                "subject": self.subject(posts),
                "preheader": wording.preheader or _opening(posts[0]),
                "intro_html": _html(wording.intro),
                "intro_text": plain.to_text(wording.intro),
                "date": catalogue.long_date(self.day.date(), self.code),
                # A digest has no page there, though its posts have theirs.
                "archive_url": ""
                if self.plan.digest
                else archive.issue_url(self.archive_url, self.code, self.plan.name),
            },
            "posts": shown,
            "sections": self._sections(posts, shown),
            "signatories": [self._signatory(one) for one in self.signatories],
            "reader": {
                "greeting": Slot.GREETING.mark,
                "unsubscribe_url": f"{self.site.leave_url}{Slot.TOKEN.mark}",
                "preferences_url": f"{self.site.identity.url}/p/{Slot.TOKEN.mark}",
            },
            "brand": asdict(brand),
        }

    def _nearest(self, texts: Collection[str]) -> str:
        """The language of those in `texts` that readers of this one get."""
        order, fallback = (
            self.mailing_list.settings.languages,
            self.plan.fallback_of(self.mailing_list),
        )
        return languages.nearest(self.code, texts, order, fallback)

    def _sections(
        self, posts: Sequence[Post], shown: Sequence[Mapping[str, object]]
    ) -> list[dict[str, object]]:
        """The posts under headings: the first one leads, without any; all in one if not asked."""
        if not self.plan.sections:
            return [{"heading": "", "posts": list(shown)}]
        sections: dict[str, list[Mapping[str, object]]] = {"": [shown[0]]}
        for post, seen in zip(posts[1:], shown[1:], strict=True):
            sections.setdefault(self._heading(post), []).append(seen)
        return [{"heading": heading, "posts": inside} for heading, inside in sections.items()]

    def _heading(self, post: Post) -> str:
        """The section a post belongs to: digests have their own, others their first category."""
        words = catalogue.words(self.code)
        if post.kind == "digest":
            return words.gettext(KINDS["digest"])
        if not post.categories:
            return words.gettext(KINDS[post.kind])
        category = post.categories[0]
        return self.mailing_list.settings.categories.get(category, {}).get(self.code, category)

    def _post(self, post: Post, number: int) -> dict[str, object]:
        cut = self.cut_of(post, number)
        words = catalogue.words(self.code)
        source_day = catalogue.told_day(post.source_date, self.code)
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
            "source_date": source_day or post.source_date,
            "source_date_as_written": bool(post.source_date) and not source_day,
            "canonical_url": post.canonical_url,
            "categories": list(post.categories),
            "html": _html(cut.text, self._shown(post)),
            "text": plain.to_text(cut.text),
            "excerpted": cut.shortened,
            "more_url": self.page_of(post) if cut.shortened else "",
            "act_url": self._act_url(post),
            "actions": [
                self._action(action, 100 * number + place)
                for place, action in enumerate(post.actions)
            ],
            "event": self._event(post.key, post.event) if post.event else None,
            "embargo": self._embargo(post),
            "embargo_above": self._tells_embargo_above(post, number),
        }

    def _act_url(self, post: Post) -> str:
        """Where what a post asks can be read as it is by then, in its own language."""
        if not post.actions or not self.archive_url:
            return ""
        return f"{archive.act_url(self.archive_url, post.key)}#{post.language}"

    def _shown(self, post: Post) -> dict[str, Shown]:
        """The pictures of a post as this edition shows them: from the archive, or not at all."""
        base = self.archive_url
        if not base or self.edition not in (Edition.EXCERPT, Edition.FULL):
            return {}
        return {
            source: picture.shown(one, archive.picture_url(base, one.name), _WIDEST)
            for source, one in self.pictures.get(post.file, {}).items()
        }

    def _event(self, key: str, meeting: Meeting) -> dict[str, object]:
        start, end = moments.of_meeting(meeting, self.site)
        return {
            "start": catalogue.long_moment(start, self.code),
            "end": catalogue.long_end(end, start, self.code),
            "place": meeting.place,
            "ics_url": archive.event_url(self.archive_url, self.code, key),
        }

    def _embargo(self, post: Post) -> str:
        if post.embargo is None:
            return ""
        return catalogue.long_moment(moments.in_zone(post.embargo, self.site), self.code)

    def _tells_embargo_above(self, post: Post, number: int) -> bool:
        """Whether the template tells a post's embargo at its head, and not with the post."""
        is_release = self.plan.template == "press-release" and self.edition != Edition.LOW_DATA
        is_small = self.edition == Edition.LOW_DATA and post.kind == "press-release"
        return number == 0 and (is_release or is_small)

    def _signatory(self, one: Signatory) -> dict[str, object]:
        return {
            "name": one.name,
            "role": one.role,
            "organisation": one.organisation,
            "country": catalogue.country_name(one.country, self.code) if one.country else "",
            "personal": one.personal,
        }

    def _press(self) -> dict[str, object]:
        press = self.mailing_list.settings.press
        about = press.boilerplate.get(self.code) or next(iter(press.boilerplate.values()), "")
        return {
            "name": press.name,
            "phone": press.phone,
            "email": press.email or self.mailing_list.settings.contact,
            "about_html": _html(about),
            "about_text": plain.to_text(about),
        }

    def _action(self, action: Action, place: int) -> dict[str, object]:
        to, link = action.to, address(action.to)
        if action.targets:
            to, link = self._to_targets(action, place)
        return {
            "type": action.type,
            "label": action.label,
            "url": action.url,
            "email": action.email,
            "reply": action.reply,
            "mailto": mailto(link, action.cc, action.subject, action.body),
            "mailto_short": mailto(link, action.cc, "", ""),
            "to": to,
            "cc": list(action.cc),
            "subject": action.subject,
            "body_html": _html(action.body),
            "body_text": plain.to_text(action.body),
        }

    def _to_targets(self, action: Action, number: int) -> tuple[str, str]:
        """The marks for whom a letter goes to: as it is shown, and as it stands in a link."""
        known = self.site.targets
        if action.targets not in known:
            raise BadFile(
                f"there is no table of targets `{action.targets}`",
                where=action.where,
                fix=nearest(action.targets, known) or f"Write targets/{action.targets}.toml.",
            )
        targets = known[action.targets].by_country()
        shown, link = places.mark(number, "shown"), places.mark(number, "link")
        self.by_country[shown] = {
            country: target.shown(self.code) for country, target in targets.items()
        }
        self.by_country[link] = {
            country: address(target.email) for country, target in targets.items()
        }
        return shown, link


def why_you_get_this(mailing_list: MailingList, code: str) -> str:
    """The list's own words on why readers of a language get its mail, or ours."""
    settings = mailing_list.settings
    ours = catalogue.words(code).gettext("You get this because you are on the list “%(list)s”.")
    return settings.why.get(code) or ours % {"list": settings.name}


def _html(body: str, pictures: Mapping[str, Shown] | None = None) -> Markup:
    return Markup(markup.to_html(body, pictures))  # noqa: S704 - Markdown without raw HTML


def _opening(post: Post) -> str:
    """A preheader from a post: its excerpt, or as many of its first words as fit."""
    opening = post.excerpt or post.body.partition(markup.MORE)[0]
    return plain.first_words(opening, _PREHEADER) or post.title
