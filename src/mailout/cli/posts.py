"""`mailout posts`: begin a new post, list the posts, import posts from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import click

from mailout.cli.console import JSON, as_json, opened, read_site, say, table
from mailout.cli.posts_import import import_command
from mailout.cli.publishing import default_language, posts_for
from mailout.core import front_matter
from mailout.core.errors import UsageError, nearest
from mailout.core.post import BEGINNING, KINDS, USABLE
from mailout.core.slug import slug
from mailout.publish import sources
from mailout.store import issues


@click.group(name="posts")
def posts_command() -> None:
    """Begin a new post, list the posts, import posts from elsewhere.

    A post is a Markdown file in posts/, one per language:
    posts/2026-11-20-harbour-strike.en.md and posts/2026-11-20-harbour-strike.ru.md
    """


posts_command.add_command(import_command)


@posts_command.command("new")
@click.argument("title")
@click.option("--language", "-l", help="Its language; the first of your list's if left out.")
@click.option("--kind", "-k", default="article", help=f"One of: {', '.join(KINDS)}.")
@click.pass_context
def new(context: click.Context, title: str, language: str | None, kind: str) -> None:
    """Write a new post's file, marked as a draft, for you to fill.

    Example: mailout posts new "Strike vote at the harbour" --kind report
    """
    site = read_site(context)
    if not title.strip():
        raise UsageError("a post needs a title", fix='`mailout posts new "Strike vote"`.')
    if kind not in KINDS:
        raise UsageError(f"there is no kind `{kind}`", fix=nearest(kind, KINDS))
    today = datetime.now(UTC).astimezone(ZoneInfo(site.identity.timezone)).date()
    code = language or default_language(site)
    name = f"{today.isoformat()}-{slug(title)}.{code}.md"
    head = {
        "title": title,
        "date": today,
        "kind": kind,
        **_asked(kind, today, site.identity.timezone),
        "draft": True,
    }
    opening, rest = BEGINNING
    body = f"\n{opening}\n\n<!--more-->\n\n{rest}\n"
    sources.write_new(site.root, "posts", name, front_matter.join(head, body))
    say(f"posts/{name}")
    say("Write it, set `draft: false`, then `mailout issues new` or `mailout send`.")


def _asked(kind: str, today: date, timezone: str) -> dict[str, object]:
    """What a post of some kinds is not complete without, to be filled in."""
    if kind == "event":
        start = f"{(today + timedelta(days=14)).isoformat()} 18:00"
        return {"event": {"start": start, "place": "", "timezone": timezone}}
    if kind == "appeal":
        return {"actions": [{"type": "sign", "label": "Sign the appeal", "reply": True}]}
    return {}


@posts_command.command("list")
@JSON
@click.pass_context
def list_(context: click.Context, as_json_: bool) -> None:
    """List the posts, the newest first: languages, and whether an issue was sent with it.

    A post is ready, sent, archived (for issues that name it), or kept back: draft, future ..

    Example: mailout posts list --json
    """
    site = read_site(context)
    posts = posts_for(site, next(iter(site.lists.values())))
    with opened(site) as store, store.reading() as tx:
        sent = {key for list_id in site.lists for key in issues.posts_in_sent(tx, list_id)}
    rows = []
    for key, texts in posts.items():
        first = texts.get(default_language(site)) or next(iter(texts.values()))
        rows.append(
            {
                "key": key,
                "date": first.date.isoformat() if first.date else None,
                "kind": first.kind,
                "languages": sorted(texts),
                "title": first.title,
                "state": _state([post.status for post in texts.values()], key in sent),
            }
        )
    rows.sort(key=lambda row: (str(row["date"] or ""), str(row["key"])), reverse=True)
    if as_json_:
        as_json(rows)
        return
    table(
        ["key", "date", "kind", "languages", "state", "title"],
        [
            (r["key"], r["date"] or "", r["kind"], " ".join(r["languages"]), r["state"], r["title"])  # type: ignore[arg-type]
            for r in rows
        ],
    )


def _state(statuses: Sequence[str], was_sent: bool) -> str:
    """The status that keeps a post back, if one of its texts has one; else whether it was sent."""
    kept_back = [status for status in statuses if status not in USABLE]
    if kept_back or was_sent:
        return kept_back[0] if kept_back else "sent"
    return "archived" if "archived" in statuses else "ready"
