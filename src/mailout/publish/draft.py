"""Drafting: a new issue from the posts that no sent issue of the list holds."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date

from mailout.core import front_matter
from mailout.core.issue import IssuePlan, Wording
from mailout.core.mailing_list import MailingList
from mailout.core.post import Post
from mailout.publish.sources import Posts

# Appeals ask for something now, so they lead; what is always true comes last.
_ORDER = {"appeal": 0, "about": 2}
_ALONE = {"appeal": "appeal", "press-release": "press-release"}  # kind -> template of one alone
_SECTIONS_FROM = 4  # posts


def unsent(posts: Posts, sent: Collection[str]) -> list[str]:
    """The keys of the posts that may go into a new issue: all texts ready, none sent already.

    Appeals first, then the newest, then what introduces ourselves.
    """
    ready = [
        key
        for key, texts in posts.items()
        if key not in sent and all(post.status == "ready" for post in texts.values())
    ]
    return sorted(ready, key=lambda key: _rank(posts[key]))


def _rank(texts: Mapping[str, Post]) -> tuple[int, int]:
    post = next(iter(texts.values()))
    newness = -post.date.toordinal() if post.date else 0
    return (_ORDER.get(post.kind, 1), newness)


def plan_issue(
    mailing_list: MailingList, keys: list[str], posts: Posts, today: date, taken: Collection[str]
) -> IssuePlan:
    """A plan with these posts, named after the day and the list, by a name not yet taken."""
    base = name = f"{today.isoformat()}-{mailing_list.id}"
    number = 2
    while name in taken:
        name, number = f"{base}-{number}", number + 1
    wordings = {
        code: Wording(subject=texts[code].title)
        for code in mailing_list.settings.languages
        if code in (texts := posts[keys[0]])
    }
    kinds = {post.kind for post in posts[keys[0]].values()} if len(keys) == 1 else set()
    return IssuePlan(
        name=name,
        list_id=mailing_list.id,
        template=next((_ALONE[kind] for kind in kinds if kind in _ALONE), "bulletin"),
        posts=tuple(keys),
        sections=len(keys) >= _SECTIONS_FROM,
        wordings=wordings,
        file=f"issues/{name}.{mailing_list.default_language}.md",
    )


def written(plan: IssuePlan, default_language: str) -> dict[str, str]:
    """The issue's files: name -> text, one a language, for an organiser to edit."""
    files = {}
    codes = [default_language, *(code for code in plan.wordings if code != default_language)]
    for code in codes:
        wording = plan.wordings.get(code, Wording())
        head: dict[str, object] = {}
        if code == default_language:
            head |= {"list": plan.list_id, "template": plan.template, "posts": list(plan.posts)}
            head |= {"sections": True} if plan.sections else {}
            if plan.digest:
                head |= {"digest": str(plan.digest), "issues": list(plan.issues)}
            head |= {} if plan.archive else {"archive": False}
            if plan.fallback:
                head |= {"fallback": {one: list(codes) for one, codes in plan.fallback.items()}}
        head |= {"subject": wording.subject, "preheader": wording.preheader}
        files[f"{plan.name}.{code}.md"] = front_matter.join(head, f"\n{wording.intro}\n")
    return files
