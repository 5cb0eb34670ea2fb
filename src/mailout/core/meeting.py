"""Meetings: when and where people come together, as a post's `event` tells it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from mailout.core.errors import BadFile, nearest
from mailout.core.front_matter import At

_KEYS = frozenset(["start", "end", "place", "timezone"])
_HOUR = re.compile(r"(\d{1,2}):(\d{2})")
_EXAMPLE = "2026-12-05 18:00"


@dataclass(frozen=True, slots=True)
class Meeting:
    """A post's event. Its times are those of clocks at its place: in `timezone`, or where that is
    empty in the site's. `where` says where in which file its start stands, `where_zone` where its
    zone does, or should."""

    start: datetime
    end: datetime | None = None
    place: str = ""
    timezone: str = ""
    where: str = ""
    where_zone: str = ""


def parse(value: object, at: At) -> Meeting | None:
    """The meeting in a post's front matter; `at` says where in it. Raises: BadFile with line."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise BadFile("`event` must have keys of its own, such as `start`", where=at())
    for key in value:
        if key not in _KEYS:
            raise BadFile(
                f"unknown key `{key}` in an event",
                where=at(str(key)),
                fix=nearest(str(key), _KEYS),
            )
    if value.get("start") is None:
        raise BadFile(
            "an event needs a `start`", where=at("start"), fix=f"Write `start: {_EXAMPLE}`."
        )
    start = moment(value["start"], "start", at("start"))
    end = _end(value["end"], start.date(), at("end")) if value.get("end") is not None else None
    if end is not None and end <= start:
        raise BadFile("an event must end after its start", where=at("end"))
    return Meeting(
        start,
        end,
        _text(value.get("place")),
        _text(value.get("timezone")),
        where=at("start"),
        where_zone=at("timezone"),
    )


def moment(value: object, key: str, where: str) -> datetime:
    """A time of day without zone, from YAML's own type or text. Raises: BadFile."""
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        found = None
    if found is None or len(str(value)) < len(_EXAMPLE):
        what, fix = f"`{key}: {value}` is not a day and time", f"Write {_EXAMPLE}."
        raise BadFile(what, where=where, fix=fix)
    if found.tzinfo is not None:
        fix = "`timezone` names it." if key != "embargo" else "It is that of the site."
        raise BadFile(
            f"`{key}` is a time of the clocks there, without a zone", where=where, fix=fix
        )
    return found.replace(second=0, microsecond=0)


def _end(value: object, day: date, where: str) -> datetime:
    """When it ends; a mere hour (`20:30`) is one of the same day."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = f"{value // 60}:{value % 60:02}"  # as YAML 1.1 reads 20:30
    hour = _HOUR.fullmatch(str(value).strip())
    if hour and int(hour[1]) < 24 and int(hour[2]) < 60:
        return datetime.combine(day, time(int(hour[1]), int(hour[2])))
    return moment(value, "end", where)


def _text(value: Any) -> str:
    return str(value or "").strip()
