"""`mailout issues`, `compile`, `approve`: from posts to what will be sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import click

from mailout.cli.check import refuse_unfit
from mailout.cli.console import JSON, as_json, local, note, opened, read_site, say, table
from mailout.cli.publishing import (
    compile_and_save,
    default_language,
    list_of,
    only_list,
    plan_draft,
    posts_for,
    uncompiled,
    write_draft,
)
from mailout.core.errors import MailoutError, UsageError, nearest
from mailout.core.site import Site
from mailout.publish import sources
from mailout.store import issues
from mailout.store.engine import Store
from mailout.store.issues import Issue


@click.group(name="issues")
def issues_command() -> None:
    """Draft an issue from posts, list and show issues.

    An issue goes draft -> compiled -> approved -> sent. Its files are in issues/.
    """


@issues_command.command("new")
@click.argument("posts", nargs=-1)
@click.option("--list", "list_id", help="The mailing list; needed only if there are several.")
@click.pass_context
def new(context: click.Context, posts: tuple[str, ...], list_id: str | None) -> None:
    """Draft an issue of POSTS, or of all posts that no sent issue holds.

    Writes issues/NAME.LANG.md, for you to edit: order, subject, a few words of your own.

    Example: mailout issues new 2026-11-20-harbour-strike 2026-11-18-press
    """
    site = read_site(context)
    mailing_list = only_list(site, list_id)
    known = posts_for(site, mailing_list, posts)
    for key in posts:
        if key not in known:
            raise UsageError(f"there is no post `{key}`", fix=nearest(key, known))
    with opened(site) as store:
        plan = plan_draft(site, store, mailing_list, posts)
    if plan is None:
        if not known:
            raise MailoutError(
                "there is no post in posts/", fix="Begin one with `mailout posts new TITLE`."
            )
        raise MailoutError(
            "every ready post is in a sent issue already",
            fix="Begin one with `mailout posts new TITLE`, or name archived ones.",
        )
    write_draft(site, mailing_list, plan)
    say(plan.file)
    say(f"Edit it, then `mailout compile {plan.name}`.")


@issues_command.command("list")
@JSON
@click.pass_context
def list_(context: click.Context, as_json_: bool) -> None:
    """List the issues, the newest first, with their states.

    Example: mailout issues list --json
    """
    site = read_site(context)
    with opened(site) as store:
        drafts: list[dict[str, object]] = [
            {"issue": name, "list": mailing_list.id, "state": "draft"}
            for mailing_list in site.lists.values()
            for name in uncompiled(site, store, mailing_list)
        ]
        with store.reading() as tx:
            rows = [_row(issue) for issue in issues.newest_first(tx)]
    if as_json_:
        as_json([*drafts, *rows])
        return
    table(
        ["issue", "list", "state", "compiled", "approved", "sent"],
        [
            (
                row["issue"],
                row["list"],
                row["state"],
                *(_moment(row, key, site) for key in ("compiled_at", "approved_at", "sent_at")),
            )
            for row in [*drafts, *rows]
        ],
    )


@issues_command.command("show")
@click.argument("issue")
@JSON
@click.pass_context
def show(context: click.Context, issue: str, as_json_: bool) -> None:
    """Show an issue: state, posts, and subject and size in each language.

    Example: mailout issues show 2026-11-20-bulletin
    """
    site = read_site(context)
    with opened(site) as store, store.reading() as tx:
        known = issues.find(tx, issue)
        if known is None:
            shown = _draft(site, issue)
        else:
            shown = _row(known)
            shown["posts"] = issues.posts_of(tx, known.id)
            shown["variants"] = [
                {
                    "language": variant.language,
                    "edition": variant.edition,
                    "subject": variant.subject,
                    "html_bytes": len(variant.html.encode()),
                    "text_bytes": len(variant.text.encode()),
                }
                for variant in issues.variants(tx, known.id)
            ]
    if as_json_:
        as_json(shown)
        return
    say(f"{shown['issue']} of the list {shown['list']}: {shown['state']}")
    for key in shown["posts"]:  # type: ignore[attr-defined]
        say(f"  {key}")
    variants = shown.get("variants")
    if variants:
        table(
            ["language", "edition", "subject", "#html bytes", "#text bytes"],
            [tuple(variant.values()) for variant in variants],  # type: ignore[attr-defined]
        )


@click.command(name="compile")
@click.argument("issue", required=False)
@click.pass_context
def compile_command(context: click.Context, issue: str | None) -> None:
    """Compile ISSUE (or the newest one in issues/) into what will be sent.

    Checks every post, renders each language, moves the styles into the tags, and writes
    build/ISSUE/ for you to look at. Compile again after an edit; that takes an approval back.

    Example: mailout compile 2026-11-20-bulletin
    """
    site = read_site(context)
    with opened(site) as store:
        name = issue or _newest_file(site)
        with store.reading() as tx:
            before = issues.find(tx, name)
        compiled = compile_and_save(site, store, name)
        if before is not None and before.is_approved and not compiled.is_approved:
            note(
                f"This took the approval of {name} back: what is ordered of it waits for a new one."
            )
        with store.reading() as tx:
            variants = issues.variants(tx, compiled.id)
    table(
        ["language", "edition", "subject", "#html bytes", "#text bytes"],
        [
            (v.language, v.edition, v.subject, len(v.html.encode()), len(v.text.encode()))
            for v in variants
        ],
        title=f"{name}, compiled into build/{name}/",
    )
    say(f"Look at it with `mailout preview {name}`, then `mailout approve {name}`.")


@click.command(name="approve")
@click.argument("issue")
@click.option("--accept", multiple=True, metavar="RULE", help="Approve in spite of that warning.")
@click.pass_context
def approve_command(context: click.Context, issue: str, accept: tuple[str, ...]) -> None:
    """Approve what is compiled of ISSUE: exactly that is sent, or nothing.

    It is checked first (`mailout check`): what has errors cannot be approved.

    Example: mailout approve 2026-11-20-bulletin
    """
    site = read_site(context)
    with opened(site) as store:
        found = known_issue(store, issue)
        if found.sent_at is not None:
            raise MailoutError(
                f"the issue `{issue}` was sent already", fix="Write a new one for a correction."
            )
        refuse_unfit(
            site, store, site.list_named(found.list_id), found, accept, yes=False, approving=True
        )
        with store.writing() as tx:
            issues.approve(tx, found, datetime.now(UTC))
    say(f"Approved: {issue} ({found.content_hash[:12]}). `mailout send {issue} --segment NAME`.")


def known_issue(store: Store, name: str) -> Issue:
    """The compiled issue of that name. Raises: UsageError naming the nearest one."""
    with store.reading() as tx:
        issue = issues.find(tx, name)
        if issue is None:
            names = [known.name for known in issues.newest_first(tx)]
            raise UsageError(
                f"no issue `{name}` has been compiled",
                fix=nearest(name, names) or f"Is it in issues/? Then `mailout compile {name}`.",
            )
    return issue


def _moment(row: Mapping[str, object], key: str, site: Site) -> str:
    moment = row.get(key)
    return local(moment, site) if isinstance(moment, datetime) else ""


def _newest_file(site: Site) -> str:
    plans = sources.read_issues(site.root, default_language(site))
    plans = {name: plan for name, plan in plans.items() if not plan.digest}
    if not plans:
        raise MailoutError(
            "there is no issue in issues/", fix="Draft one with `mailout issues new`."
        )
    return max(plans)


def _draft(site: Site, name: str) -> dict[str, object]:
    plan = sources.read_issue(site.root, name, default_language(site))
    return {
        "issue": name,
        "list": list_of(site, plan).id,
        "state": "draft",
        "posts": list(plan.posts),
    }


def _row(issue: Issue) -> dict[str, object]:
    return {
        "issue": issue.name,
        "list": issue.list_id,
        "state": issue.state.value,
        "content_hash": issue.content_hash,
        "approved": issue.is_approved,
        "compiled_at": issue.compiled_at,
        "approved_at": issue.approved_at,
        "sent_at": issue.sent_at,
    }
