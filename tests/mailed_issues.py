"""Issues as the store has them once they were mailed, and the files they were made of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from mailout.core.dispatch import DispatchState
from mailout.core.issue import Variant
from mailout.core.segment import Everyone
from mailout.core.site import Site
from mailout.store import dispatches, issues
from mailout.store.audiences import Choice
from mailout.store.dispatches import Dispatch
from mailout.store.engine import Store
from mailout.store.issues import Issue

MONDAY = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def write_post(
    site: Site, name: str, title: str, body: str = "Some words.", head: str = ""
) -> None:
    """A post's file: `name` is its key and language, `head` further lines of its front matter."""
    folder = site.root / "posts"
    folder.mkdir(exist_ok=True)
    more = f"{head.strip()}\n" if head else ""
    text = f"---\ntitle: {title}\n{more}---\n{body}\n"
    (folder / f"{name}.md").write_text(text, encoding="utf-8")


def compiled(
    site: Site,
    store: Store,
    name: str,
    posts: Sequence[str],
    *,
    list_id: str = "bulletin",
    languages: Sequence[str] = ("en", "ru"),
) -> Issue:
    """An issue with its variants, not mailed yet. Their text must show up nowhere else."""
    variants = tuple(
        Variant(code, f"Subject of {name} in {code}", "<p>letter to one reader</p>", "letter")
        for code in languages
    )
    with store.writing() as tx:
        return issues.save_compiled(tx, name, list_id, posts, variants, MONDAY)


def ordered(store: Store, issue: Issue, at: datetime | None = None) -> Dispatch:
    """An order to send the issue, approved; it waits for `at`, if given."""
    with store.writing() as tx:
        issues.approve(tx, issue, MONDAY)
        choice = Choice(issue.id, issue.list_id, Everyone(), None, lambda name: Everyone())
        return dispatches.make(
            tx, choice, segment="everyone", exclude="", now=MONDAY - timedelta(hours=1), at=at
        )


def mail(
    site: Site,
    store: Store,
    name: str,
    posts: Sequence[str],
    *,
    at: datetime = MONDAY,
    done: bool = True,
    list_id: str = "bulletin",
    languages: Sequence[str] = ("en", "ru"),
) -> Issue:
    """An issue that was mailed, or, not `done`, is under way since `at`."""
    issue = compiled(site, store, name, posts, list_id=list_id, languages=languages)
    dispatch = ordered(store, issue)
    with store.writing() as tx:
        dispatches.begin(tx, dispatch.id, at)
        if done:
            ended = at + timedelta(minutes=5)
            dispatches.set_state(tx, dispatch.id, DispatchState.DONE, ended_at=ended)
            issues.mark_sent(tx, issue.id, ended)
    return issue
