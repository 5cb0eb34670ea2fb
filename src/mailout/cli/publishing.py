"""What several commands do with an issue: read its files, compile it, record and build it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from mailout.cli.console import note
from mailout.config.templates import read_templates
from mailout.core.errors import BadFile, MailoutError, UsageError
from mailout.core.issue import IssuePlan
from mailout.core.mailing_list import MailingList
from mailout.core.site import Site
from mailout.publish import build, compile, draft, freshness, sources
from mailout.publish.compile import Compiled
from mailout.publish.sources import Posts
from mailout.roster import signatories
from mailout.store import issues, readiness
from mailout.store.engine import Store
from mailout.store.issues import Issue


def default_language(site: Site) -> str:
    """The language of a file that names none: the first of the site's first list."""
    return next(iter(site.lists.values())).default_language


def list_of(site: Site, plan: IssuePlan) -> MailingList:
    """The list an issue is for; a site with one list need not name it."""
    return only_list(site, plan.list_id, where=plan.at("list"))


def only_list(site: Site, list_id: str | None, where: str = "") -> MailingList:
    """The list named, or the site's only one. Raises: UsageError if there are several."""
    if list_id:
        return site.list_named(list_id)
    if len(site.lists) == 1:
        return next(iter(site.lists.values()))
    raise UsageError("which list?", where=where, fix=f"There are: {', '.join(site.lists)}.")


def compile_plan(site: Site, store: Store, mailing_list: MailingList, plan: IssuePlan) -> Compiled:
    """The plan's issue compiled, nothing recorded. Warnings go to standard error."""
    posts = posts_for(site, mailing_list, plan.posts)
    with store.reading() as tx:
        wanted = readiness.editions(tx, mailing_list.id, mailing_list.settings.blocked_in)
        sent = issues.posts_in_sent(tx, mailing_list.id, other_than=plan.name)
    templates, now = read_templates(site.root), datetime.now(UTC)
    named = [one.signatory for one in signatories.listed(store)] if plan.signatories else []
    compiled = compile.compile_issue(site, mailing_list, plan, posts, templates, now, wanted, named)
    for warning in compiled.warnings:
        note(f"{plan.name}: {warning}")
    for key in plan.posts:
        if key in sent and not plan.digest:
            note(f"{plan.name}: the post {key} was in an issue that is sent already")
    return compiled


def posts_for(site: Site, mailing_list: MailingList, keys: Collection[str] = ()) -> Posts:
    """The posts of the site; files that are none are told on standard error and left out.

    Raises: BadFile if one of those would be a text of the posts `keys`.
    """
    faults: list[BadFile] = []
    posts = sources.read_posts(site.root, mailing_list.default_language, faults)
    for fault in faults:
        if sources.is_of(fault, keys):
            raise fault
        note(f"left out: {fault}")
    return posts


def plans_of(site: Site, mailing_list: MailingList) -> dict[str, IssuePlan]:
    """The issues in issues/; files that are none are told on standard error and left out."""
    faults: list[BadFile] = []
    plans = sources.read_issues(site.root, mailing_list.default_language, faults)
    for fault in faults:
        note(f"left out: {fault}")
    return plans


def compile_and_save(site: Site, store: Store, name: str) -> Issue:
    """The issue of that name, compiled from its files, recorded, and built into build/.

    Raises: MailoutError.
    """
    plan = sources.read_issue(site.root, name, default_language(site))
    mailing_list = list_of(site, plan)
    compiled = compile_plan(site, store, mailing_list, plan)
    now = datetime.now(UTC)
    issue = compile.save(store, mailing_list, plan, compiled, now)
    build.write(site, mailing_list, plan, compiled, now)
    return issue


def refuse_stale(
    site: Site, store: Store, mailing_list: MailingList, issue: Issue, *, approving: bool = False
) -> None:
    """Nothing, if what is compiled of the issue is what its files say; when one that is approved is
    sent, the difference is told. Raises: MailoutError."""
    if not issue.content_hash:
        raise MailoutError(
            f"somebody whom `{issue.name}` names took that back since it was compiled",
            fix=f"`mailout compile {issue.name}`, look at it, and go on.",
        )
    if not is_stale(site, store, mailing_list, issue):
        return
    if issue.is_approved and not approving:
        note(f"Files were changed since {issue.name} was approved: what was approved is sent.")
        return
    raise MailoutError(
        f"files of `{issue.name}` were changed since it was compiled",
        fix=f"`mailout compile {issue.name}`, look at it, and go on.",
    )


def is_stale(site: Site, store: Store, mailing_list: MailingList, issue: Issue) -> bool:
    """Whether compiling the issue anew would make other mails than those recorded."""
    with store.reading() as tx:
        variants = issues.variants(tx, issue.id)
    named = [one.signatory for one in signatories.listed(store)] if issue.signatories else []
    return freshness.is_stale(site, mailing_list, issue, variants, read_templates(site.root), named)


def compiled_unless_out(site: Site, store: Store, name: str) -> Issue:
    """The issue, compiled anew from its files; as it was recorded once it is approved, which only
    `mailout compile` takes back, or a delivery is out. Raises: MailoutError.
    """
    with store.reading() as tx:
        found = issues.find(tx, name)
        is_out = found is not None and issues.has_deliveries(tx, found.id)
    if found is not None and (is_out or found.is_approved):
        if not is_out and is_stale(site, store, site.list_named(found.list_id), found):
            note(
                f"Files were changed since {name} was approved, and this is what was approved: "
                f"`mailout compile {name}` takes the changes up."
            )
        return found
    return compile_and_save(site, store, name)


def plan_draft(
    site: Site, store: Store, mailing_list: MailingList, keys: tuple[str, ...] = ()
) -> IssuePlan | None:
    """A new issue of the posts `keys`, or of all that no sent issue holds; not written yet.

    None if there are no such posts.
    """
    posts = posts_for(site, mailing_list, keys)
    with store.reading() as tx:
        sent = issues.posts_in_sent(tx, mailing_list.id)
        taken = {issue.name for issue in issues.newest_first(tx)}
    taken |= set(plans_of(site, mailing_list))
    chosen = list(keys) if keys else draft.unsent(posts, sent)
    if not chosen:
        return None
    return draft.plan_issue(mailing_list, chosen, posts, datetime.now(UTC).date(), taken)


def write_draft(site: Site, mailing_list: MailingList, plan: IssuePlan) -> None:
    """Nothing, once the plan's files are in issues/."""
    for file, text in draft.written(plan, mailing_list.default_language).items():
        sources.write_new(site.root, "issues", file, text)


def take_draft_back(site: Site, store: Store, mailing_list: MailingList, plan: IssuePlan) -> None:
    """Nothing, once the files that `write_draft` wrote are gone, if they were not compiled."""
    with store.reading() as tx:
        if issues.find(tx, plan.name) is not None:
            return
    for file in draft.written(plan, mailing_list.default_language):
        (site.root / "issues" / file).unlink(missing_ok=True)


def uncompiled(site: Site, store: Store, mailing_list: MailingList) -> list[str]:
    """Issues of the list, digests aside, whose files are there but were never compiled."""
    plans = plans_of(site, mailing_list)
    with store.reading() as tx:
        known = {issue.name for issue in issues.newest_first(tx)}
    return [
        name
        for name, plan in plans.items()
        if name not in known and not plan.digest and list_of(site, plan).id == mailing_list.id
    ]
