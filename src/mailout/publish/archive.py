"""The archive: what was mailed, as static pages in `build/archive/`, for everybody and to copy.

1. `mailed` finds what goes in: issues that were mailed, of lists with an archive, and their posts
   as the files in `posts/` have them now. Subjects and order are those that were sent. What says
   something else by now than its mail did is marked as changed (`publish.edits`).
2. `publish.archive_pages` renders every page in memory: a template that fails changes nothing.
3. `write` puts them into a fresh folder beside the old one, with their checksums, and changes the
   two by renaming. What did not change keeps its time of change; what we never wrote is kept.
   Of two builds at once one waits for the other.

The same posts, issues and templates make the same bytes.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from mailout.core import archive
from mailout.core.dispatch import DispatchState
from mailout.core.errors import BadFile, MailoutError
from mailout.core.issue import IssuePlan, IssueState, Variant
from mailout.core.mailing_list import MailingList
from mailout.core.picture import Picture
from mailout.core.post import USABLE
from mailout.core.site import Site
from mailout.publish import edits, moments, pictures, sources
from mailout.publish.archive_pages import Mailed, pages
from mailout.publish.sources import Posts
from mailout.store import dispatches, issues
from mailout.store.engine import Store, Tx
from mailout.store.issues import Issue

_SUM = re.compile(r"([0-9a-f]{64})  (.+)")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that is not in the archive, and why."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What a build did to the files of the archive, by their paths."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: int


@dataclass(frozen=True, slots=True)
class Built:
    """The archive as it is now: its issues, the newest first, and its posts by their keys."""

    issues: tuple[str, ...]
    posts: tuple[str, ...]
    languages: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    changes: Changes


def build(site: Site, store: Store, templates: Mapping[str, str], now: datetime) -> Built:
    """The archive, just built, as everybody may see it at the moment `now`.

    Raises: BadFile for a post, an issue or a template; MailoutError if it cannot be written.
    """
    folder = site.root / archive.FOLDER
    with _alone(folder):
        found, missing = mailed(site, store, now)
        drawn: dict[str, dict[str, Picture]] = {}
        for post in {post.file: post for issue in found for post in issue.texts()}.values():
            drawn[post.file], faults = pictures.there(site.root, post)
            missing += [LeftOut(fault.where, fault.what) for fault in faults]
        files = pages(site, found, templates, drawn)
        for one in {one for of_post in drawn.values() for one in of_post.values()}:
            files[archive.picture_path(one.name)] = pictures.content(site.root, one)
        changes = write(folder, files)
    codes = {code: None for issue in found for code in issue.subjects}
    return Built(
        tuple(issue.name for issue in found),
        tuple(sorted({key for issue in found for key in issue.posts})),
        tuple(codes),
        tuple(missing),
        changes,
    )


def mailed(site: Site, store: Store, now: datetime) -> tuple[list[Mailed], list[LeftOut]]:
    """The issues that everybody may read, the newest first, and what is not among them, and why."""
    default = next(iter(site.lists.values())).default_language
    faults: list[BadFile] = []
    plans = sources.read_issues(site.root, default, faults)
    posts = {
        code: sources.read_posts(site.root, code, faults)
        for code in {one.default_language for one in site.lists.values()}
    }
    found: list[Mailed] = []
    missing = list(dict.fromkeys(LeftOut(fault.where, fault.what) for fault in faults))
    with store.reading() as tx:
        for issue in issues.newest_first(tx):
            if not _was_mailed(tx, issue):
                continue
            if why := _kept_back(site, issue, plans.get(issue.name)):
                missing.append(LeftOut(issue.name, why))
                continue
            mailing_list = site.lists[issue.list_id]
            own = posts[mailing_list.default_language]
            one = _mailed(tx, site, mailing_list, issue, plans.get(issue.name), own)
            if until := _embargo(site, one, now):
                missing.append(LeftOut(issue.name, f"embargoed until {until:%Y-%m-%d %H:%M %Z}"))
                continue
            gone = [key for key in issues.posts_of(tx, issue.id) if key not in one.posts]
            missing += [
                LeftOut(f"{issue.name}: {key}", "the post is kept back, or not in posts/ any more")
                for key in gone
            ]
            if one.posts:
                found.append(one)
    found.sort(key=lambda issue: (issue.at, issue.name), reverse=True)
    return found, missing


def _was_mailed(tx: Tx, issue: Issue) -> bool:
    """Whether the issue was sent, or a send of it has begun that was not called off."""
    if issue.state is IssueState.SENT:
        return True
    return issue.state is IssueState.APPROVED and any(
        one.filled_at and one.state is not DispatchState.CANCELLED
        for one in dispatches.of_issue(tx, issue.id)
    )


def _embargo(site: Site, issue: Mailed, now: datetime) -> datetime | None:
    """Until when nothing of the issue may be public; None if it may be now."""
    times = [moments.in_zone(post.embargo, site) for post in issue.texts() if post.embargo]
    return max((time for time in times if time > now), default=None)


def _kept_back(site: Site, issue: Issue, plan: IssuePlan | None) -> str:
    """Why an issue that was mailed is not for everybody; empty if it is."""
    if issue.list_id not in site.lists:
        return f"the list `{issue.list_id}` is no more"
    if not site.lists[issue.list_id].settings.archive:
        return f"the list `{issue.list_id}` does not say `archive = true`"
    # As it said when it was compiled, whatever became of its file; or as it says since.
    public = issue.archived and (plan is None or plan.archive)
    return "" if public else "the issue says `archive: false`"


def _mailed(
    tx: Tx,
    site: Site,
    mailing_list: MailingList,
    issue: Issue,
    plan: IssuePlan | None,
    posts: Posts,
) -> Mailed:
    moments = [one.filled_at for one in dispatches.of_issue(tx, issue.id) if one.filled_at]
    at = min(moments) if moments else issue.sent_at or issue.created_at
    public = {
        key: {code: one for code, one in posts.get(key, {}).items() if one.status in USABLE}
        for key in issues.posts_of(tx, issue.id)
    }
    variants = issues.variants(tx, issue.id)
    return Mailed(
        name=issue.name,
        mailing_list=mailing_list,
        at=at.astimezone(ZoneInfo(site.identity.timezone)),
        subjects={one.language: one.subject for one in variants},
        wordings=plan.wordings if plan else {},
        posts={key: texts for key, texts in public.items() if texts},
        edited=frozenset(_edited(variants, public)),
        fallback=plan.fallback_of(mailing_list) if plan else mailing_list.settings.fallback,
    )


def _edited(variants: Iterable[Variant], posts: Posts) -> Iterator[tuple[str, str]]:
    """Language and key of each post that is not any more what was mailed in that language."""
    for variant in variants:
        mailed = edits.words_of(variant.text)
        for number, (key, texts) in enumerate(posts.items()):
            if edits.is_edited(texts.values(), mailed, variant.language, leads=number == 0):
                yield variant.language, key


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """No other build of this archive is in this block; the lock falls with the process."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder.parent, os.O_RDONLY)
    except OSError as error:
        raise _unwritable(error, folder) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def write(folder: Path, files: Mapping[str, bytes]) -> Changes:
    """What changed, once the folder holds these files, their checksums, and what is not ours.

    Raises: MailoutError if it cannot be written; the old folder stays as it was then.
    """
    fresh, old = (folder.with_name(f".{folder.name}-{word}") for word in ("new", "old"))
    try:
        if old.exists() and not folder.exists():  # an earlier build died between its two renames
            old.rename(folder)
        for left in (fresh, old):
            shutil.rmtree(left, ignore_errors=True)
        before = _sums(folder)
        # Mails that are out show them, whatever became of the post since.
        kept = {
            path: (folder / path).read_bytes()
            for path in before.keys() - files.keys()
            if path.startswith(archive.PICTURES) and (folder / path).is_file()
        }
        files = {**kept, **files}
        sums = {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
        for path, content in files.items():
            _put(fresh / path, content, folder / path)
        lines = "".join(f"{sums[path]}  {path}\n" for path in sorted(sums))
        _put(fresh / archive.SUMS, lines.encode(), folder / archive.SUMS)
        _keep_others(folder, fresh, before)
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise _unwritable(error, folder) from None
    return Changes(
        added=tuple(sorted(sums.keys() - before)),
        changed=tuple(sorted(p for p in sums.keys() & before if sums[p] != before[p])),
        removed=tuple(sorted(before.keys() - sums)),
        unchanged=sum(1 for path in sums.keys() & before if sums[path] == before[path]),
    )


def _unwritable(error: OSError, folder: Path) -> MailoutError:
    return MailoutError(
        f"the archive cannot be written: {error.strerror}", where=str(error.filename or folder)
    )


def _sums(folder: Path) -> dict[str, str]:
    """The checksums of the files that the last build wrote, by path; empty before the first."""
    try:
        text = (folder / archive.SUMS).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return {}
    return {match[2]: match[1] for match in map(_SUM.fullmatch, text.splitlines()) if match}


def _put(path: Path, content: bytes, before: Path) -> None:
    """Writes a file; one that is the same as `before` keeps its time, so that copies skip it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    if before.is_file() and before.read_bytes() == content:
        shutil.copystat(before, path)


def _keep_others(folder: Path, fresh: Path, ours: Collection[str]) -> None:
    """Copies what the organiser has put into the archive: a picture, a host's own settings."""
    for above, _, names in os.walk(folder):
        for name in names:
            path = Path(above, name).relative_to(folder)
            target = fresh / path
            if path.as_posix() not in ours and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(folder / path, target, follow_symlinks=False)
