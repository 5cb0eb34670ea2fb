"""Compiling: an issue's posts become one HTML and one text part per language, once.

Jinja once, premailer once, text once, each per language; what differs per reader is a slot
(`core.slot`). What comes out is saved under a content hash: approved, it is byte for byte
what is sent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from mailout import catalogue
from mailout.core import language as languages
from mailout.core import parity, places, plain
from mailout.core.edition import Edition
from mailout.core.errors import BadFile, MailoutError, nearest, place
from mailout.core.inline import inline
from mailout.core.issue import IssuePlan, Variant, Wording
from mailout.core.mailing_list import MailingList
from mailout.core.message import BadHeader, ListHeaders, list_headers, prepare_message
from mailout.core.post import BEGINNING, USABLE, Post
from mailout.core.render import Templates
from mailout.core.signatory import Signatory
from mailout.core.site import Site
from mailout.core.slot import PATTERN, Slot
from mailout.publish import moments, pictures, remarks
from mailout.publish.sheet import Sheet
from mailout.publish.sources import Posts
from mailout.store import issues
from mailout.store.engine import Store
from mailout.store.issues import Flags, Issue

_CLIPPED = 102_000  # bytes of HTML above which Gmail shows only the beginning


@dataclass(frozen=True, slots=True)
class Compiled:
    """The variants, for each language of the list its editions, and what an organiser should
    look at. `posts` tells for each language in which one each post is printed."""

    variants: tuple[Variant, ...]
    warnings: tuple[str, ...]
    posts: Mapping[str, Mapping[str, str]]


def compile_issue(
    site: Site,
    mailing_list: MailingList,
    plan: IssuePlan,
    posts: Posts,
    templates: Mapping[str, str],
    day: datetime,
    wanted: Collection[str] = (),
    signatories: Sequence[Signatory] = (),
) -> Compiled:
    """The issue in every language of its list. `wanted` are the editions that somebody is to get
    besides the standard one; `signatories` are named if the issue asks for it.

    Raises: BadFile with file and line; also for a text that is not translated, unless the issue
    or its list says which language stands in for it.
    """
    if f"{plan.template}.html.j2" not in templates:
        known = {name.removesuffix(".html.j2") for name in templates if "/" not in name}
        raise BadFile(
            f"there is no template `{plan.template}`",
            where=plan.at("template"),
            fix=nearest(plan.template, {name for name in known if "." not in name} - {"low-data"}),
        )
    chosen = _chosen_posts(plan, posts)
    every = [post for texts in chosen for post in texts.values()]
    drawn = {post.file: pictures.of_post(site.root, post) for post in every}
    base = _archive_of(site, mailing_list, plan, every, day)
    warnings = [*remarks.on(site, chosen, day, shown=bool(base))]
    warnings += _untranslated(mailing_list, plan, chosen)
    headers = list_headers(site, mailing_list)
    variants: list[Variant] = []
    printed: dict[str, dict[str, str]] = {}
    codes = mailing_list.settings.languages
    shortens = any(
        Sheet(site, mailing_list, plan, code, day, Edition.EXCERPT, base).shortens(chosen)
        for code in codes
    )
    for code in codes:
        rendered = Templates(templates, catalogue.words(code))
        for edition in _editions(shortens, wanted):
            named = signatories if plan.signatories else ()
            sheet = Sheet(site, mailing_list, plan, code, day, edition, base, named, drawn)
            translated = [sheet.best(texts) for texts in chosen]
            printed[code] = {post.key: post.language for post in translated}
            variant = _variant(sheet, translated, rendered)
            if edition in (Edition.EXCERPT, Edition.FULL):
                warnings += _parity_warnings(variant.html, variant.text, code)
                warnings += _size_warnings(variant)
            _check_headers(variant, headers, plan)
            variants.append(variant)
    return Compiled(tuple(variants), tuple(dict.fromkeys(warnings)), printed)


def _archive_of(
    site: Site, mailing_list: MailingList, plan: IssuePlan, posts: Iterable[Post], now: datetime
) -> str:
    """The address of the archive that an issue will be in; empty if it will be in none.

    Nothing of an issue is public before the embargo of each of its posts is over.
    """
    early = any(post.embargo and moments.in_zone(post.embargo, site) > now for post in posts)
    if early or not plan.archive or not mailing_list.settings.archive:
        return ""
    return site.archive_url


def _editions(shortens: bool, wanted: Collection[str]) -> list[Edition]:
    """The editions to make: the standard one, and those that somebody is to get."""
    usual = Edition.EXCERPT if shortens else Edition.FULL
    return [one for one in Edition if one is usual or (one in wanted and one != Edition.EXCERPT)]


def _variant(sheet: Sheet, posts: Sequence[Post], templates: Templates) -> Variant:
    """One language and edition, rendered and inlined."""
    context, name = sheet.context(posts), sheet.plan.template
    html = ""
    if sheet.edition is Edition.LOW_DATA:
        html = templates.render("low-data.html.j2", context)
    elif sheet.edition is not Edition.TEXT:
        html = inline(templates.render(f"{name}.html.j2", context), f"templates/{name}.html.j2")
    if f"{name}.txt.j2" in templates.sources:
        text = plain.tidy(templates.render(f"{name}.txt.j2", context))
    else:
        # A template of the site's own without a text twin.
        text = parity.text_of(html or templates.render(f"{name}.html.j2", context))
    _check_slots(html, text, name)
    return Variant(
        sheet.code, sheet.subject(posts), html, text, sheet.edition, places.packed(sheet.by_country)
    )


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
            tx,
            plan.name,
            mailing_list.id,
            plan.posts,
            compiled.variants,
            now,
            flags=Flags(
                plan.urgent, plan.archive and not plan.digest, plan.signatories, plan.digest
            ),
        )


def _chosen_posts(plan: IssuePlan, posts: Posts) -> list[Mapping[str, Post]]:
    chosen = []
    for number, key in enumerate(plan.posts):
        if key not in posts:
            where = plan.at("posts", number)
            raise BadFile(f"there is no post `{key}`", where=where, fix=nearest(key, posts))
        for post in posts[key].values():
            if post.status not in USABLE:
                raise _kept_back(post)
            for line in BEGINNING:
                if line in post.body.split("\n"):
                    at = post.body_line + post.body.split("\n").index(line)
                    raise BadFile(
                        f"the post still begins as it was made: `{line}`",
                        where=place(post.file, at),
                        fix="Write it, or set `draft: true`.",
                    )
            words = post.body + post.title + post.excerpt
            found = PATTERN.search(words) or places.PATTERN.search(words)
            if found:
                raise BadFile(f"`{found[0]}` is a word of our own", where=post.file)
        chosen.append(posts[key])
    return chosen


def _kept_back(post: Post) -> BadFile:
    if post.status == "draft":
        what, fix = "is a draft", "Set `draft: false`; an imported one has `status: draft`."
    else:
        what, fix = f"has the status `{post.status}`", "Take that line out if it may be mailed."
    return BadFile(f"the post `{post.key}` {what}", where=post.file, fix=fix)


def _untranslated(
    mailing_list: MailingList, plan: IssuePlan, chosen: Sequence[Mapping[str, Post]]
) -> list[str]:
    """What stands in for texts that are not translated, where that was said.

    Raises: BadFile where it was not: nobody is sent a language they may not read by oversight.
    """
    named: dict[str, Collection[str]] = dict(zip(plan.posts, chosen, strict=True))
    if worded := [code for code, words in plan.wordings.items() if words != Wording()]:
        named["subject and introduction"] = worded
    _refuse_unknown_languages(mailing_list, plan, named.values())
    told: dict[str, list[str]] = {}  # by language
    untold: dict[str, list[str]] = {}  # by text
    fallback = plan.fallback_of(mailing_list)
    for name, codes in named.items():
        for code in mailing_list.settings.languages:
            if code in codes:
                continue
            if any(other in codes for other in languages.stated(code, fallback)):
                told.setdefault(code, []).append(name)
            else:
                untold.setdefault(name, []).append(code)
    if untold:
        first, (code, *_) = next(iter(untold.items()))
        order = (*mailing_list.settings.languages, *named[first])
        other = next(one for one in order if one in named[first])
        lacking = (f"{name} (not in `{'`, `'.join(codes)}`)" for name, codes in untold.items())
        raise BadFile(
            f"the issue is half translated: {', '.join(lacking)}",
            where=plan.file,
            fix="Write these texts, or say what stands in for them: "
            f"`fallback: {{{code}: {other}}}` here, or [fallback] in lists/{mailing_list.id}.toml.",
        )
    return [
        f"not in `{code}`, another language is used: {', '.join(names)}"
        for code, names in told.items()
    ]


def _refuse_unknown_languages(
    mailing_list: MailingList, plan: IssuePlan, texts: Iterable[Collection[str]]
) -> None:
    """A language in `fallback` that neither the list nor a text has is a mistake (`kz`)."""
    known = {*mailing_list.settings.languages, *(code for codes in texts for code in codes)}
    for code in {code for pair in plan.fallback.items() for code in (pair[0], *pair[1])}:
        if code not in known and code != languages.EVERY_OTHER:
            raise BadFile(
                f"`{code}` in `fallback` is no language of the list or of a text",
                where=plan.at("fallback", code),
                fix=nearest(code, known),
            )


def _size_warnings(variant: Variant) -> list[str]:
    size = len(variant.html.encode())
    if size <= _CLIPPED:
        return []
    return [
        f"the `{variant.language}` HTML has {size // 1000} KB; Gmail shows only the first 102: "
        "shorten posts, or give them a `canonical_url` and a <!--more--> mark"
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
        if part and Slot.TOKEN.mark not in part:
            raise BadFile(
                "the template prints no unsubscribe link",
                where=f"templates/{name}.{kind}.j2",
                fix="Print {{ reader.unsubscribe_url }}.",
            )
