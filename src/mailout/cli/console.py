"""What every command shares: the site it works on, and how it prints.

Tables and progress by rich, plain when not on a terminal; `NO_COLOR` is honoured (by rich).
With `--json` standard output holds one JSON document and nothing else; all other words go
to standard error.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

import click

from mailout.core.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from mailout.core.site import Site
    from mailout.store.engine import Store


@dataclass(frozen=True, slots=True)
class Options:
    """What stands before the command: `mailout --site DIR send`."""

    site: str | None = None


def read_site(context: click.Context) -> Site:
    """The site of this call. Raises: MailoutError."""
    from mailout.config.site import find_root, read_site

    options = context.find_object(Options) or Options()
    return read_site(find_root(options.site))


def read_again(site: Site) -> Site:
    """The site as its files are now. Raises: MailoutError."""
    from mailout.config.site import read_site

    return read_site(site.root)


@contextmanager
def opened(site: Site, *, any_version: bool = False) -> Iterator[Store]:
    """The site's store, closed at the end; of this program's version unless `any_version`."""
    from mailout.store.engine import open_store
    from mailout.store.schema import require_newest

    store = open_store(site.store.url, site.root)
    try:
        if not any_version:
            require_newest(store)
        yield store
    finally:
        store.close()


def out() -> Console:
    """The console for results. Not on a terminal it never cuts a line."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def err() -> Console:
    """The console for everything that is no result: progress, questions, warnings."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str = "") -> None:
    """Prints a table; on a pipe one line a row, cells apart by tabs, under a line of names.

    A column whose name begins with `#` holds numbers and is set flush right.
    """
    if not sys.stdout.isatty():
        print("\t".join(name.lstrip("#") for name in columns))
        for row in rows:
            print("\t".join(str(cell).replace("\t", " ").replace("\n", " ") for cell in row))
        return
    from rich.markup import escape
    from rich.table import Table

    shown = Table(title=title or None, title_justify="left")
    for name in columns:
        right = name.startswith("#")
        shown.add_column(name.lstrip("#"), justify="right" if right else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(escape(str(cell)) for cell in row))
    out().print(shown)


def say(text: str = "") -> None:
    """Prints a line of the result as it stands."""
    click.echo(text)


def note(text: str) -> None:
    """Prints a line that is no result, to standard error."""
    click.echo(text, err=True)


def as_json(value: Any) -> None:
    """Prints one JSON document; moments in ISO 8601, UTC."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=plain))


def plain(value: object) -> object:
    """A value that JSON does not know, as JSON has it: moments in ISO 8601, UTC."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    raise TypeError(f"{type(value).__name__} is no JSON")


def at_terminal() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


JSON = click.option("--json", "as_json_", is_flag=True, help="Print one JSON document.")
"""The flag of every reading command."""


def local(moment: datetime | None, site: Site) -> str:
    """A moment in the site's time zone, to the minute; empty for None."""
    if moment is None:
        return ""
    from zoneinfo import ZoneInfo

    return f"{moment.astimezone(ZoneInfo(site.identity.timezone)):%Y-%m-%d %H:%M %Z}"


def moment(text: str, site: Site, now: datetime | None = None) -> datetime:
    """The moment that a person wrote: `2026-12-01 18:00`, or `18:00` for the next time it is so.

    In the site's time zone, unless it has an offset of its own. Raises: UsageError if it is
    none, is past, or is not one moment there (where the clocks are put forward or back).
    """
    from zoneinfo import ZoneInfo

    zone = ZoneInfo(site.identity.timezone)
    now = now or datetime.now(UTC)
    try:
        if re.fullmatch(r"\d{1,2}:\d\d", text.strip()):
            hour, _, minute = text.strip().partition(":")
            found = now.astimezone(zone).replace(
                hour=int(hour), minute=int(minute), second=0, microsecond=0, tzinfo=None, fold=0
            )
            if _readings(found, zone)[-1] <= now:
                found += timedelta(days=1)
        else:
            found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(
            f"`{text}` is no time", where="--at", fix="Write `2026-12-01 18:00` or `18:00`."
        ) from None
    if found.year < now.year:
        raise UsageError(f"`{text}` is past", where="--at", fix="Leave --at out to send now.")
    if found.year > now.year + 10:
        raise UsageError(f"`{text}` is more than ten years ahead", where="--at")
    if found.tzinfo is None:
        readings = _readings(found, zone)
        if len(readings) > 1:
            raise _not_one_moment(text, readings, zone)
        found = readings[0]
    if found <= now:
        raise UsageError(f"`{text}` is past", where="--at", fix="Leave --at out to send now.")
    return found.astimezone(UTC)


def past_moment(text: str, site: Site, option: str) -> datetime:
    """The moment that a person wrote: a day (its beginning), or `2026-12-01 18:00`, in the site's
    time zone unless it has an offset of its own; where the clocks are put back the first of the
    two.

    Raises: UsageError if it is none.
    """
    from zoneinfo import ZoneInfo

    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(
            f"`{text}` is no time", where=option, fix="Write `2026-11-20` or `2026-11-20 18:00`."
        ) from None
    if not 1970 <= found.year <= 9000:
        raise UsageError(f"`{text}` is out of range", where=option)
    if found.tzinfo is None:
        found = _readings(found, ZoneInfo(site.identity.timezone))[0]
    return found.astimezone(UTC)


def _readings(naive: datetime, zone: tzinfo) -> list[datetime]:
    """The moments (UTC) that a clock in the zone may mean: two where it is put forward or back."""
    found = {naive.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return sorted(found)


def _not_one_moment(text: str, readings: Sequence[datetime], zone: tzinfo) -> UsageError:
    first, second = readings
    forward = first.astimezone(zone).time() != second.astimezone(zone).time()
    why = "does not exist: the clocks skip it" if forward else "comes twice: the clocks go back"
    return UsageError(
        f"`{text}` {why} in {zone}. It may mean {first:%Y-%m-%d %H:%M} UTC or {second:%H:%M} UTC",
        where="--at",
        fix=f"Write one of them: `{first:%Y-%m-%d %H:%M}Z` or `{second:%Y-%m-%d %H:%M}Z`.",
    )


def counted(number: int, word: str) -> str:
    """A number with its word, in the plural where it is not one: `1 file`, `0 files`."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
