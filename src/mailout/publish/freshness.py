"""Freshness: whether what is compiled is still what the files say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mailout.core.errors import MailoutError
from mailout.core.issue import Variant
from mailout.core.mailing_list import MailingList
from mailout.core.signatory import Signatory
from mailout.core.site import Site
from mailout.publish import sources
from mailout.publish.compile import compile_issue
from mailout.store.issues import Issue

_FOLDERS = ("posts", "issues", "templates", "lists", "targets")


def is_stale(
    site: Site,
    mailing_list: MailingList,
    issue: Issue,
    variants: Sequence[Variant],
    templates: dict[str, str],
    signatories: Sequence[Signatory],
) -> bool:
    """Whether compiling the issue anew, on the day it was compiled, would make other mails.

    Only asked in earnest when a file is younger than the compilation.
    """
    if issue.compiled_at is None or changed_at(site.root) <= issue.compiled_at.timestamp():
        return False
    try:
        plan = sources.read_issue(site.root, issue.name, mailing_list.default_language)
        posts = sources.read_posts(site.root, mailing_list.default_language, faults=[])
        wanted = {variant.edition for variant in variants}
        anew = compile_issue(
            site, mailing_list, plan, posts, templates, issue.compiled_at, wanted, signatories
        )
    except MailoutError:
        return True  # what it was made of is not there any more, or cannot be read
    made = {(one.language, one.edition): one.hash for one in anew.variants}
    return {(one.language, one.edition): one.hash for one in variants} != made


def files_of(root: Path) -> list[Path]:
    """The files that issues are made of."""
    files = [root / "config.toml"]
    for folder in _FOLDERS:
        files += (path for path in (root / folder).rglob("*") if path.is_file())
    return [path for path in files if path.exists()]


def changed_at(root: Path) -> float:
    """When one of those files was changed last, in seconds since 1970."""
    return max((path.stat().st_mtime for path in files_of(root)), default=0.0)
