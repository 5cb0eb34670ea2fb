"""`mailout posts import`: posts from a WordPress export, a feed, a page, a file or a folder."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import click

from mailout.cli.console import JSON, as_json, note, read_site, say, table
from mailout.cli.publishing import default_language
from mailout.core import language
from mailout.core.errors import UsageError
from mailout.core.ingest.item import Gathered
from mailout.core.site import Site
from mailout.publish import gathering, shelf
from mailout.publish.shelf import Plan, Terms

_NEWS = timedelta(days=14)  # what is older was read elsewhere already
_SHOWN = 20  # lines; more are told together
_NAMED = 3  # of those that are told together


@click.command(name="import")
@click.argument("kind", type=click.Choice(gathering.KINDS))
@click.argument("source", metavar="FILE-OR-URL")
@click.option("--language", "-l", "code", help="Of posts that tell none; else your list's first.")
@click.option(
    "--ready-since",
    metavar="DATE",
    help="Posts from this day on may go into the next issue, older ones are archived; "
    "14 days ago if left out.",
)
@click.option("--drafts", is_flag=True, help="Take along what its source keeps back; never sent.")
@click.option("--pages", is_flag=True, help="Take the pages of a WordPress export along.")
@click.option("--overwrite", is_flag=True, help="Replace posts that were edited here since.")
@click.option("--dry-run", is_flag=True, help="Report what would happen; write nothing.")
@JSON
@click.pass_context
def import_command(
    context: click.Context,
    kind: str,
    source: str,
    code: str | None,
    ready_since: str | None,
    drafts: bool,
    pages: bool,
    overwrite: bool,
    dry_run: bool,
    as_json_: bool,
) -> None:
    """Put the posts of a source into posts/, as Markdown files.

    KIND is wxr (a WordPress export), feed (RSS, Atom, JSON), page (a web page or its saved
    text), markdown (a file, or a folder of them) or html (an HTML or plain-text file). The
    report says what was taken, what was left out, and why. Importing again changes nothing
    that has not changed at the source, and nothing that you edited since.

    \b
    Example:
      mailout posts import wxr export.xml --dry-run
      mailout posts import feed https://harbour.example.org/feed/
    """
    if pages and kind != "wxr":
        raise UsageError("only a WordPress export has pages", where="--pages")
    site = read_site(context)
    today = _today(site)
    since = _since(ready_since, today)
    terms = Terms(
        kind=kind,
        language=_language(code, site),
        languages=_languages(site),
        ready_since=since,
        today=today,
        drafts=drafts,
        overwrite=overwrite,
        language_is_said=code is not None,
    )
    gathered = gathering.gather(kind, source, pages=pages)
    plan = shelf.plan(site.root, default_language(site), gathered, terms)
    if plan.files and not dry_run:
        shelf.write(site.root, plan.files)
    if as_json_:
        as_json(_as_object(source, gathered, plan, dry_run))
        return
    _print_report(gathered, plan, since, dry_run)


def _today(site: Site) -> date:
    """The day that it is by the site's clock."""
    return datetime.now(UTC).astimezone(ZoneInfo(site.identity.timezone)).date()


def _since(text: str | None, today: date) -> date:
    if text is None:
        return today - _NEWS
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(
            f"`{text}` is no date", where="--ready-since", fix="Write it as YYYY-MM-DD."
        ) from None


def _language(code: str | None, site: Site) -> str:
    """The language of posts that tell none. Raises: UsageError."""
    if code is None:
        return default_language(site)
    told = language.normal(code)
    meant = language.mistaken_for(told)
    if meant:
        note(f"`{told}` is a country, not a language: `{meant}` is taken.")
        return meant
    if not language.is_code(told):
        raise UsageError(
            f"`{code}` is not a language code", where="--language", fix="Write one such as `en`."
        )
    return told


def _languages(site: Site) -> tuple[str, ...]:
    """The languages of all lists."""
    every = (code for one in site.lists.values() for code in one.settings.languages)
    return tuple(dict.fromkeys(every))


def _as_object(source: str, gathered: Gathered, plan: Plan, dry_run: bool) -> dict[str, object]:
    return {
        "source": source,
        "found": gathered.found,
        "imported": plan.imported,
        "updated": plan.updated,
        "unchanged": plan.unchanged,
        "skipped": [asdict(one) for one in plan.skipped],
        "by_status": plan.by_status,
        "by_file_status": dict(Counter(file.status for file in plan.files)),
        "warnings": plan.warnings,
        "files": [file.path for file in plan.files],
        "dry_run": dry_run,
    }


def _print_report(gathered: Gathered, plan: Plan, since: date, dry_run: bool) -> None:
    if dry_run:
        say("A dry run: nothing was written.")
    counts = {name: getattr(plan, name) for name in ("imported", "updated", "unchanged")}
    rows = [("found", gathered.found), *counts.items(), ("skipped", len(plan.skipped))]
    table(["posts", "#count"], rows)
    if plan.by_status:
        table(["at the source", "#count"], plan.by_status.items())
    if plan.files:
        table(["file", "status"], _first((file.path, file.status) for file in plan.files))
    if plan.skipped:
        by_why = _together((one.why, one.what) for one in plan.skipped)
        table(["left out", "why"], _first((names, why) for why, names in by_why))
    if plan.warnings:
        known = {item.what for item in gathered.items}
        by_text = _together(_split(warning, known) for warning in plan.warnings)
        table(["look at", "because"], _first((names, text) for text, names in by_text))
    _say_what_next(plan, since)


def _split(warning: str, known: Collection[str]) -> tuple[str, str]:
    """What a warning says, and what it is about: an item that is known, or its first words."""
    ends = [found.start() for found in re.finditer(": ", warning)]
    end = next((end for end in ends if warning[:end] in known), ends[0] if ends else 0)
    return warning[end:].removeprefix(": "), warning[:end]


def _first(rows: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    # A title from elsewhere must not talk to the terminal.
    listed = [(_printable(one), _printable(other)) for one, other in rows]
    more = len(listed) - _SHOWN
    return listed if more <= 0 else [*listed[:_SHOWN], (f".. and {more} more", "")]


def _together(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Reasons with what they are about: each by itself if they are few, else told together."""
    listed = list(pairs)
    if len(listed) <= _SHOWN:
        return listed
    names: dict[str, list[str]] = {}
    for why, name in listed:
        names.setdefault(why, []).append(name)
    shown = []
    for why, named in names.items():
        more = len(named) - _NAMED
        shown.append((why, "; ".join(named[:_NAMED]) + (f"; and {more} more" if more > 0 else "")))
    return shown


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _say_what_next(plan: Plan, since: date) -> None:
    if not plan.files:
        return
    ready = sum(file.status == "ready" for file in plan.files)
    archived = sum(file.status == "archived" for file in plan.files)
    future = sum(file.status == "future" for file in plan.files)
    kept_back = len(plan.files) - ready - archived - future
    if ready:
        say(
            f"{ready} ready: `mailout issues new` and `mailout send` take them into the next issue."
        )
    if archived:
        say(
            f"{archived} archived (older than {since}, expired, or without a date): no issue takes "
            "them by itself; `mailout issues new KEY` does."
        )
    if future:
        say(
            f"{future} dated later, and kept back until then: import again from that day on, or "
            "set `status: ready`."
        )
    if kept_back:
        say(f"{kept_back} kept back, as at the source: never sent before you set `status: ready`.")
