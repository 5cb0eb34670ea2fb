"""Moments: what a post says of day and hour, in the zone that it means."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from mailout.core.errors import BadFile
from mailout.core.meeting import Meeting
from mailout.core.site import Site


def of_meeting(meeting: Meeting, site: Site) -> tuple[datetime, datetime | None]:
    """Start and end of a meeting, with their zone. Raises: BadFile for a zone that is none."""
    try:
        zone = ZoneInfo(meeting.timezone or site.identity.timezone)
    except (OSError, ValueError, KeyError):
        raise BadFile(
            f"`{meeting.timezone}` is not a time zone",
            where=meeting.where_zone,
            fix="Write one such as Europe/Berlin.",
        ) from None
    end = meeting.end.replace(tzinfo=zone) if meeting.end else None
    return meeting.start.replace(tzinfo=zone), end


def in_zone(moment: datetime, site: Site) -> datetime:
    """A time as the site's clocks show it, with its zone."""
    return moment.replace(tzinfo=ZoneInfo(site.identity.timezone))
