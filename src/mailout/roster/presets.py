"""Presets: the columns of other systems' exports, each told in our fields.

A preset is found by columns that no other system writes, or named with `--preset`. Columns
that it does not name are found by their own names (`roster.columns`).

| field | what its cell says |
|---|---|
| status | a word for where the person stands (`roster.statuses`) |
| left | anything but no: they left; often the date |
| opted_in | no, or nothing: they left |
| confirmed | no: still to confirm |
| dead, blocked | anything but no: the address is dead; nobody may mail them |
| opt_in_time, confirm_time | evidence, kept with the words of consent |
| bag | a JSON object or Python dict of custom fields |
| email1 .. email4, bad1 .. bad4 | further addresses of a person, and whether each is bad |
| lists | `No Lists`: they left |
| edition, frequency | how they want their mail |
| ip | dropped, and the report says so |
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from mailout.core.errors import UsageError, nearest


@dataclass(frozen=True, slots=True)
class Preset:
    """A system's export. Names of columns are in lower case, with blanks for `_` and `-`.

    It is one of this system when it has all columns of one of `signs`. `says` is told in the
    report. With `status_in_name` the status is the file's name, and must be known.
    """

    name: str
    title: str
    signs: tuple[frozenset[str], ...]
    columns: Mapping[str, str]
    says: str = ""
    status_in_name: bool = False


def _signs(*each: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(names.split(", ")) for names in each)


OWN = Preset(
    "mailout",
    "mailout",
    _signs("address, list, status, joined, edition, frequency"),
    # Elsewhere a "frequency" is as well how often somebody donates.
    {"address": "email", "edition": "edition", "frequency": "frequency"},
)
MAILCHIMP = Preset(
    "mailchimp",
    "Mailchimp",
    _signs("leid, euid", "member rating, optin time"),
    {
        "email address": "email",
        "optin time": "opt_in_time",
        "confirm time": "confirm_time",
        "unsub time": "left",
        "unsub campaign title": "left",
        "unsub campaign id": "left",
        "unsub reason": "left",
        "clean time": "dead",
        "clean campaign title": "dead",
        "clean campaign id": "dead",
        "cc": "country",
        "tags": "tags",
    },
    status_in_name=True,
)
SUBSTACK = Preset(
    "substack",
    "Substack",
    _signs(
        "email disabled, active subscription",
        "email disabled, plan",
        "email disabled, expiry",
        "active subscription, expiry",
        "emails received (6mo), start date",
    ),
    {
        "email": "email",
        "email disabled": "left",
        "created at": "opt_in_time",
        "start date": "opt_in_time",
    },
    says="free readers have no active subscription and are subscribers all the same; only "
    "email_disabled means that somebody left. The long export of the dashboard has no such "
    "column: import the short one, too",
)
GHOST = Preset(
    "ghost",
    "Ghost",
    _signs("subscribed to emails"),
    {
        "email": "email",
        "name": "name",
        "subscribed to emails": "opted_in",
        "created at": "opt_in_time",
        "deleted at": "left",
        "labels": "tags",
    },
)
BUTTONDOWN = Preset(
    "buttondown",
    "Buttondown",
    # Newer versions of its API call the type and the address otherwise.
    _signs(
        "subscriber type",
        "email, metadata, unsubscription date",
        "email address, metadata, type",
        "metadata, secondary id, type",
    ),
    {
        "email": "email",
        "email address": "email",
        "subscriber type": "status",
        "type": "status",
        "undeliverability date": "dead",
        "subscription date": "opt_in_time",
        "unsubscription date": "left",
        "tags": "tags",
        "metadata": "bag",
    },
)
LISTMONK = Preset(
    "listmonk",
    "listmonk",
    _signs("uuid, attributes", "email, name, attributes"),
    {"email": "email", "name": "name", "attributes": "bag", "status": "status"},
    says="a listmonk export does not tell on which of its lists people were: all of them are "
    "put on the list that you named",
)
MAILMAN = Preset(
    "mailman",
    "Mailman 3",
    _signs("delivery mode, delivery status", "email, delivery status"),
    {
        "email": "email",
        "address": "email",
        "display name": "name",
        "delivery status": "status",
        "role": "status",
    },
)
ACTION_NETWORK = Preset(
    "action-network",
    "Action Network",
    _signs("can2 subscription status", "can2 user tags"),
    {
        "email": "email",
        "first name": "first_name",
        "last name": "last_name",
        "can2 user tags": "tags",
        "can2 subscription status": "status",
        "can2 user country": "country",
        "can2 user language": "language",
    },
)
CIVICRM = Preset(
    "civicrm",
    "CiviCRM",
    _signs("no bulk emails (user opt out)", "do not email, email"),
    {
        "email": "email",
        "do not email": "left",
        "no bulk emails (user opt out)": "left",
        "is opt out": "left",
        "on hold": "dead",
        "email on hold": "dead",
        "deceased": "left",
        "is deceased": "left",
        "deceased / closed": "left",
        "preferred language": "language",
    },
)
NATIONBUILDER = Preset(
    "nationbuilder",
    "NationBuilder",
    _signs("nationbuilder id"),
    {
        "email": "email",
        "email opt in": "opted_in",
        "tag list": "tags",
        "primary country code": "country",
        "do not contact": "left",
        "is deceased": "left",
        "banned at": "blocked",
        **{f"email{n}": f"email{n}" for n in (1, 2, 3, 4)},
        **{f"email{n} is bad": f"bad{n}" for n in (1, 2, 3, 4)},
    },
    says="of a person's addresses one is taken: the first that is not bad",
)
PHPLIST = Preset(
    "phplist",
    "phpList",
    _signs(
        "email, list membership",
        "is this subscriber blacklisted",
        "is this subscriber confirmed",
        "uniqid, blacklisted",
        "confirmed, blacklisted",
        "uniqid, htmlemail",
    ),
    # The export has titles for columns, a dump of the database their names.
    {
        "email": "email",
        "confirmed": "confirmed",
        "is this subscriber confirmed": "confirmed",
        "is the email of this user confirmed": "confirmed",
        "blacklisted": "blocked",
        "is this subscriber blacklisted": "blocked",
        "is this user blacklisted": "blocked",
        "disabled": "left",
        "is this account disabled?": "left",
        "list membership": "lists",
        "entered": "opt_in_time",
    },
    says="export with the columns that tell who is confirmed and who is blacklisted: without them "
    "nobody can see who left",
)
BEEHIIV = Preset(
    "beehiiv",
    "beehiiv",
    _signs("status, unsubscribed at", "email, subscription tier"),
    {
        "email": "email",
        "status": "status",
        "unsubscribed at": "left",
        "created at": "opt_in_time",
        "tags": "tags",
    },
)
NONE = Preset("none", "no preset", (), {})
"""What is read by the names of its columns alone."""

# The more telling signs first.
PRESETS = {
    preset.name: preset
    for preset in (
        OWN, NATIONBUILDER, ACTION_NETWORK, MAILCHIMP, BUTTONDOWN, GHOST, SUBSTACK, CIVICRM,
        PHPLIST, MAILMAN, LISTMONK, BEEHIIV, NONE,
    )
}  # fmt: skip


def named(name: str) -> Preset:
    """The preset that a person named. Raises: UsageError."""
    wanted = name.strip().lower().replace(" ", "-").replace("_", "-")
    wanted = {"mailman3": "mailman", "mailman-3": "mailman", "actionnetwork": "action-network"}.get(
        wanted, wanted
    )
    if wanted not in PRESETS:
        raise UsageError(
            f"there is no preset `{name}`",
            where="--preset",
            fix=nearest(wanted, PRESETS) or f"Known: {', '.join(PRESETS)}.",
        )
    return PRESETS[wanted]


def guessed(columns: Collection[str]) -> Preset:
    """The preset whose signs the columns bear; `NONE` if there is none."""
    held = frozenset(columns)
    for preset in PRESETS.values():
        if any(sign <= held for sign in preset.signs):
            return preset
    return NONE
