"""Requests: what somebody asked for on a page, until they confirm it by a mailed link.

| purpose | asked by | confirming it |
|---|---|---|
| join | anybody, for any address | puts the address on the list |
| settings | a reader, from the link in a mail | opens the settings for half an hour |
| address | a reader in their settings | changes their address to the one that confirms |

A link is good once and not for long; opening it does nothing, its button does.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum


class RequestPurpose(StrEnum):
    """See the table above."""

    JOIN = "join"
    SETTINGS = "settings"
    ADDRESS = "address"


GOOD_FOR = {
    RequestPurpose.JOIN: timedelta(days=7),
    RequestPurpose.SETTINGS: timedelta(minutes=30),
    RequestPurpose.ADDRESS: timedelta(days=1),
}
"""How long a request waits to be confirmed; then its row is deleted."""
