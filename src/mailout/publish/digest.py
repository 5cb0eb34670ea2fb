"""Composing digests: issues of what readers have missed who do not want every issue.

Issues that went to the same segments are told in one digest. One that went elsewhere is told in
another: what was written for journalists alone is not told to everybody. So are issues that are
in the archive, where their posts can be read on, and those that are not.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date

from mailout import catalogue
from mailout.core import language
from mailout.core.frequency import Frequency, period
from mailout.core.issue import IssuePlan, Wording
from mailout.core.mailing_list import MailingList
from mailout.core.post import USABLE
from mailout.publish.sources import Posts
from mailout.store.digests import Source

_TITLES = {Frequency.WEEKLY: "Weekly digest", Frequency.MONTHLY: "Monthly digest"}
"""The message ids of what digests are called."""


def base(mailing_list: MailingList, frequency: Frequency, today: date) -> str:
    """The name of a list's digest of this week or month: `2026-w48-bulletin-weekly`."""
    return f"{period(frequency, today)}-{mailing_list.id}-{frequency}"


def is_of(name: str, base: str) -> bool:
    """Whether that is the name of a digest of the period: the first one's, or with a number."""
    rest = name.removeprefix(base)
    return rest != name and (not rest or (rest[0] == "-" and rest[1:].isdecimal()))


def together(sources: Iterable[Source]) -> list[list[Source]]:
    """The issues in groups that one digest can tell, in their order."""
    groups: dict[object, list[Source]] = {}
    for source in sources:
        groups.setdefault((source.audience, source.archived), []).append(source)
    return list(groups.values())


def usable(sources: Iterable[Source], posts: Posts) -> tuple[list[str], list[str]]:
    """The keys of the issues' posts, each once, in their order; then those that cannot be mailed
    any more, since they are kept back by now or not in posts/."""
    keys = dict.fromkeys(key for source in sources for key in source.posts)
    good = [
        key
        for key in keys
        if key in posts and all(post.status in USABLE for post in posts[key].values())
    ]
    return good, [key for key in keys if key not in good]


def plan_digest(
    mailing_list: MailingList,
    frequency: Frequency,
    sources: Sequence[Source],
    keys: Sequence[str],
    posts: Posts,
    today: date,
    taken: Collection[str],
) -> IssuePlan:
    """The plan of a digest of the posts `keys` of those issues, by a name not yet taken."""
    name, number = base(mailing_list, frequency, today), 2
    while name in taken:
        name, number = f"{base(mailing_list, frequency, today)}-{number}", number + 1
    settings = mailing_list.settings
    # These posts were sent already, whatever stood in for what is not translated of them.
    there = (code for key in keys for code in posts[key])
    stated = settings.fallback.get(language.EVERY_OTHER, ())
    return IssuePlan(
        name=name,
        list_id=mailing_list.id,
        posts=tuple(keys),
        archive=all(source.archived for source in sources),
        fallback={
            language.EVERY_OTHER: tuple(dict.fromkeys((*stated, *settings.languages, *there)))
        },
        digest=frequency,
        issues=tuple(source.name for source in sources),
        wordings={code: Wording(_subject(frequency, code, today)) for code in settings.languages},
        file=f"issues/{name}.{mailing_list.default_language}.md",
    )


def _subject(frequency: Frequency, code: str, today: date) -> str:
    title = catalogue.words(code).gettext(_TITLES[frequency])
    return f"{title}, {catalogue.long_date(today, code)}"
