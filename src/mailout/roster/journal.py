"""The journal: what an import did to each person, so that it can be taken back.

| did | changes | taken back by |
|---|---|---|
| added | edition, frequency; `mark` tells whether the rest changed since | removing the person |
| joined | the subscription's state, and what `changed` has | removing the subscription |
| changed | pairs [before, after] by name, in `fields` too; `tags` given | what is still so |

A changed `state` comes with `since`, the moments from which the two states held.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mailout.roster.entry import Choice
from mailout.store.imports import Did

ADDED, JOINED, CHANGED = "added", "joined", "changed"
CHOICES = ("edition", "frequency")

NOTHING = "{}"
"""No changes, as they are stored."""

Changes = dict[str, Any]


def chosen(before: Choice, after: Choice) -> Changes:
    """What changes of edition and frequency, as pairs."""
    pairs = zip(CHOICES, before, after, strict=True)
    return {what: [old, new] for what, old, new in pairs if old != new}


def packed(changes: Changes) -> str:
    """Changes as they are stored."""
    return json.dumps(changes, ensure_ascii=False) if changes else "{}"


def counted(counts: Mapping[str, int], did: Mapping[str, int]) -> dict[str, int]:
    """The counts of the last run of an import that was broken off, as those of all its runs: what
    an earlier one did is on record, and came as unchanged in the last."""
    added, updated = did.get(ADDED, 0) + did.get(JOINED, 0), did.get(CHANGED, 0)
    before = added - counts["added"] + updated - counts["updated"]
    unchanged = max(0, counts["unchanged"] - before)
    return {**counts, "added": added, "updated": updated, "unchanged": unchanged}


def merged(before: Did, later: Did) -> Did:
    """What one import did to a person over two of its chunks.

    A person whom it added stays added, with the newer mark; of changed values the first
    before and the last after remain.
    """
    old, new = json.loads(before.changes), json.loads(later.changes)
    if before.did == ADDED:
        new = {what: pair for what, pair in new.items() if what in CHOICES}
        return Did(before.subscriber_id, ADDED, later.mark, packed(_united(old, new)))
    return Did(before.subscriber_id, before.did, "", packed(_united(old, new)))


def _united(old: Mapping[str, Any], new: Mapping[str, Any]) -> Changes:
    both: Changes = dict(old)
    for what, value in new.items():
        if what == "tags":
            both["tags"] = sorted({*old.get("tags", ()), *value})
        elif what == "fields":
            both["fields"] = _united(old.get("fields", {}), value)
        else:
            both[what] = [old[what][0], value[1]] if what in old else value
    return both
