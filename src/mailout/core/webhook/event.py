"""Events as JSON: read from a request within bounds, and kept without what nobody needs.

What is kept is what says whom an event is about and why: addresses, replies, ids, the headers of
the mail, and whatever we gave the provider to carry. What tells where and with what a reader
reads - network addresses, programs, places - is dropped before anything is written down, and so is
all of an open or a click.

Standards: RFC 8259 (JSON).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from mailout.core.arrival import WEBHOOK, Arrival

Event = Mapping[str, Any]
"""One event of a provider: a JSON object."""

_DEEPEST = 32
_MOST_IDENTITY = 120
_MOST_TEXT = 20_000  # of one text: a provider's copy of the whole mail is not kept
_TRACES = frozenset(
    {
        *("ip", "ipaddress", "sourceip", "sendingip", "clientip", "remotemtaip", "ips"),
        *("useragent", "useragentparsed", "agent", "clientinfo", "client", "platform"),
        *("geo", "geolocation", "country", "region", "city", "os", "devicetype", "deviceused"),
        *("url", "urloffset", "link", "storage", "mirrorlink"),
    }
)
_TRACE_HEADERS = re.compile(r"(?i)received|x-(originating|sender|client|real|source)-?ip|via")
_NO_WORD = re.compile(r"[^a-z]")
_LIKE_AN_ADDRESS = re.compile(r"[0-9A-Fa-f]{0,4}[.:][0-9A-Fa-f.:]{1,40}")


@dataclass(frozen=True, slots=True)
class Refused:
    """A request of which nothing is kept. `status` is that of the answer: 403 if it is not from
    the provider, 400 if it is no JSON of the expected shape."""

    status: int


FORGED = Refused(403)
NONSENSE = Refused(400)


@dataclass(frozen=True, slots=True)
class Taken:
    """What an authentic request holds; it may hold nothing of interest.

    `confirm` is an address to be fetched, once, if a subscription is to begin. `once` is good for
    one request: another one with it and other contents is a forgery.
    """

    arrivals: tuple[Arrival, ...] = ()
    confirm: str = ""
    once: str = ""


Verdict = Taken | Refused


class _BadJson(ValueError):
    """A number that is none, or objects within objects without end."""


def parsed(body: bytes) -> Any:
    """The value of a JSON text; None if it is none, as for `null`."""
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError):  # UnicodeDecodeError among them
        return None


def _no_number(name: str) -> None:
    raise _BadJson(name)


def objects(value: Any) -> Sequence[Event] | None:
    """The events of a batch or a single one; None if it is neither."""
    found = value if isinstance(value, list) else [value]
    return found if all(isinstance(one, dict) for one in found) else None


def text(event: Any, *path: str) -> str:
    """The text or number at a path in an event, as text; empty if there is none."""
    found = inside(event, *path)
    if isinstance(found, str):
        return found
    if isinstance(found, int | float) and not isinstance(found, bool):
        return str(found)
    return ""


def inside(event: Any, *path: str) -> Any:
    """What stands at a path in an event; None if nothing does."""
    for key in path:
        if not isinstance(event, dict):
            return None
        event = event.get(key)
    return event


def items(event: Any, *path: str) -> list[Event]:
    """The objects of a list at a path in an event; what is none is left out."""
    found = inside(event, *path)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def arrival(provider: str, event: Event, *identity: str) -> Arrival | None:
    """The event as it is kept, known by `identity`; None if it is too deep to be one.

    Where the provider numbers its events that is the number, else what together tells one event
    from another.
    """
    try:
        raw = canonical(event)
    except _BadJson:
        return None
    name = ":".join(identity)
    if len(name) > _MOST_IDENTITY or not name.isascii() or not name.isprintable():
        name = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    # Without anything that tells it from others the bytes do.
    return Arrival(raw, WEBHOOK + provider, identity=name if any(identity) else "")


def kept(provider: str, wanted: Sequence[tuple[Event, Sequence[str]]], once: str = "") -> Verdict:
    """All of these events with their identities, or a refusal if one of them cannot be kept."""
    found = [arrival(provider, event, *identity) for event, identity in wanted]
    arrivals = tuple(one for one in found if one is not None)
    return Taken(arrivals, once=once) if len(arrivals) == len(found) else NONSENSE


def canonical(event: Event) -> bytes:
    """The event without traces of readers, in the one spelling that we write: the keys in order,
    UTF-8, so that an address is found as it is typed. Raises: ValueError if it is deeper than any
    event is."""
    less = _without_traces(event, 0)
    written = json.dumps(
        less, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    )
    # Half a letter is written as JSON writes it: `\ud800`.
    return written.encode("utf-8", "backslashreplace")


def _without_traces(value: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        raise _BadJson("too deep")
    if isinstance(value, dict):
        return {
            key: _without_traces(inner, depth + 1)
            for key, inner in value.items()
            if _NO_WORD.sub("", key.lower()) not in _TRACES
        }
    if isinstance(value, list):
        return [_without_traces(one, depth + 1) for one in value if not _is_trace_header(one)]
    if isinstance(value, float) and (value != value or abs(value) == float("inf")):
        return None  # `1e999` is a number to JSON
    if isinstance(value, str):
        return None if _is_network_address(value) else value[:_MOST_TEXT]
    return value


def _is_network_address(value: str) -> bool:
    """Whether it is one and nothing else: new fields are called as their makers like."""
    if not _LIKE_AN_ADDRESS.fullmatch(value):
        return False
    try:
        ip_address(value)
    except ValueError:
        return False
    return True


def _is_trace_header(value: Any) -> bool:
    """Whether an entry of a list of headers is one that holds a network address."""
    if isinstance(value, dict):
        name = value.get("name", value.get("Name"))
    elif isinstance(value, list) and len(value) == 2:
        name = value[0]
    else:
        return False
    return isinstance(name, str) and bool(_TRACE_HEADERS.fullmatch(name))
