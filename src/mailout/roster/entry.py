"""Entries: a row of a file as one person, or why it is none.

Nothing about an address is repaired but the white space around it. A value that is
merely unusable - a country where a language should stand - is left empty and reported;
one that could do harm - a line break in a name - refuses the row.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from mailout.core import frequency
from mailout.core.address import Address
from mailout.core.errors import UsageError
from mailout.core.message import BadHeader, safe
from mailout.core.spelling import composed
from mailout.core.subscription import SubscriptionState
from mailout.core.suppression import SuppressionReason
from mailout.roster.reading import shown
from mailout.roster.statuses import Standing, strictest

_OUTER = re.compile(r"^[\s\"']+|[\s\"']+$")
# A cell that a spreadsheet would run; exports put one quote before it.
RISKY = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")


NO_FIELDS = "{}"
"""The fields of a person who has none, as they are stored."""


Choice = tuple[str, str]
"""How a person wants the mail of a list: edition and frequency, empty if the file does not say."""

NO_CHOICE: Choice = ("", "")


class Entry(NamedTuple):
    """One person as a file describes them; `key` identifies the address.

    Empty name, language and country mean that the file does not say. `suppressed` is why
    nobody may mail them, `agreed` what proves when they agreed, `fields` are custom ones,
    `cells` the row as it stood, `choice` how they want their mail.
    """

    number: int
    address: Address
    key: str
    name: str
    language: str
    country: str
    tags: frozenset[str]
    state: SubscriptionState
    suppressed: SuppressionReason | None = None
    agreed: str = ""
    fields: tuple[tuple[str, object], ...] = ()
    cells: tuple[str, ...] = ()
    choice: Choice = NO_CHOICE

    @property
    def mark(self) -> str:
        """What tells whether somebody has changed the person since they were added."""
        return mark(
            self.name, self.language, self.country, self.fields_text, self.tags, str(self.state)
        )

    @property
    def fields_text(self) -> str:
        """The custom fields as they are stored, in JSON."""
        return json.dumps(dict(self.fields), ensure_ascii=False) if self.fields else NO_FIELDS

    def united(self, later: Entry) -> Entry:
        """This entry with the tags of a later row of the same address, the stricter state and
        the rarer mail."""
        state, suppressed = strictest(
            Standing(self.state, self.suppressed), Standing(later.state, later.suppressed)
        )
        return self._replace(
            tags=self.tags | later.tags,
            state=state,
            suppressed=suppressed,
            choice=narrowed(self.choice, later.choice),
        )


def narrowed(held: Choice, said: Choice) -> Choice:
    """The choice that holds once another one is said: mail gets rarer and never more; an edition
    that was chosen stays."""
    return held[0] or said[0], frequency.rarer(held[1], said[1])


def mark(
    name: str, language: str, country: str, fields: str, tags: Iterable[str], state: str
) -> str:
    """A short hash of all that an import can say of a person; `fields` as JSON."""
    plain = fields
    if fields != NO_FIELDS:
        plain = json.dumps(json.loads(fields), ensure_ascii=False, sort_keys=True)
    told = "\x1f".join((name, language, country, plain, state, *sorted(tags)))
    return hashlib.blake2b(told.encode(), digest_size=8).hexdigest()


def unquoted(cell: str) -> str:
    """The cell without the one quote that an export puts before what a spreadsheet would run."""
    return cell[1:] if cell[:1] == "'" and RISKY.match(cell, 1) else cell


def split_tags(cells: Iterable[str]) -> frozenset[str]:
    """Tags as stored: split at `;` and `,`, lower case, no white space or quotes around."""
    found = (_OUTER.sub("", part) for cell in cells for part in re.split("[;,]", cell))
    return frozenset(composed(tag).lower() for tag in found if tag)


def given_tags(typed: Iterable[str]) -> frozenset[str]:
    """The tags that a person typed for a command, as stored. Raises: UsageError."""
    tags = split_tags(typed)
    for tag in sorted(tags):
        if why := harm(tag, "the tag"):
            raise UsageError(why, where=f"the tag `{shown(tag)}`")
    return tags


@lru_cache(maxsize=4096)  # the same few cells stand in thousands of rows
def tags_of(cell: str) -> tuple[frozenset[str], str]:
    """The tags in a cell, and why it must not be taken (or empty)."""
    tags = split_tags([cell])
    return tags, next((why for tag in tags if (why := harm(tag, "a tag"))), "")


def harm(value: str, what: str) -> str:
    """Why a value must not come near a mail; empty if it may. `what` names the field."""
    try:
        safe(value, what)
    except BadHeader as error:
        return error.what
    return ""
