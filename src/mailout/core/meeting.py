"""Meetings: when and where people come together, as a post's `event` tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mailout.core.errors import BadFile, nearest

_KEYS = frozenset(["start", "end", "place", "timezone"])


@dataclass(frozen=True, slots=True)
class Meeting:
    """A post's event. Its times are those of clocks at its place: in `timezone`, or where that is
    empty in the site's. `where` says where in which file it stands."""

    start: datetime
    end: datetime | None = None
    place: str = ""
    timezone: str = ""
    where: str = ""


def parse(value: object, where: str) -> Meeting | None:
    """The meeting in a post's front matter, which stands at `where`. Raises: BadFile."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise BadFile("`event` must have keys of its own, such as `start`", where=where)
    for key in value:
        if key not in _KEYS:
            raise BadFile(
                f"unknown key `{key}` in an event", where=where, fix=nearest(str(key), _KEYS)
            )
    if "start" not in value:
        raise BadFile(
            "an event needs a `start`", where=where, fix="Write `start: 2026-12-05 18:00`."
        )
    start = moment(value["start"], "start", where)
    end = moment(value["end"], "end", where) if value.get("end") else None
    if end is not None and end <= start:
        raise BadFile("an event must end after its start", where=where)
    return Meeting(start, end, _text(value.get("place")), _text(value.get("timezone")), where=where)


def moment(value: object, key: str, where: str) -> datetime:
    """A time of day without zone, from YAML's own type or text. Raises: BadFile."""
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        found = None
    if found is None or found.tzinfo is not None or len(str(value)) < len("2026-12-05 18:00"):
        raise BadFile(
            f"`{key}: {value}` is not a day and time", where=where, fix="Write 2026-12-05 18:00."
        )
    return found.replace(second=0, microsecond=0)


def _text(value: Any) -> str:
    return str(value or "").strip()
