"""Actions: what an appeal asks of its reader.

| type | needs | what it is |
|---|---|---|
| sign | `url`, `email` or `reply` | put one's name under the appeal, by a page, a mail or a reply |
| letter | `to` or `targets` | a protest letter, sent by the reader, with a text to copy |
| message | `to` | words of solidarity |
| donate | `url` | give money |
| sponsor | `url` or `email` | support the campaign by name |
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mailout.core.address import Address, BadAddress
from mailout.core.errors import BadFile, nearest

_KEYS = frozenset(
    ["type", "label", "url", "email", "reply", "to", "targets", "cc", "subject", "body"]
)
_NEEDS = {
    "sign": ("url", "email", "reply"),
    "letter": ("to", "targets"),
    "message": ("to",),
    "donate": ("url",),
    "sponsor": ("url", "email"),
}
"""What an action must have: one of these."""


@dataclass(frozen=True, slots=True)
class Action:
    """What an appeal asks of its reader; the fields that its `type` does not need are empty.

    `targets` names a table of `targets/` that tells the address by the reader's country;
    `reply` says that a reply to the mail is a signature.
    """

    type: str
    label: str
    url: str = ""
    email: str = ""
    reply: bool = False
    to: str = ""
    targets: str = ""
    cc: tuple[str, ...] = ()
    subject: str = ""
    body: str = ""


def parse_all(value: object, where: str) -> tuple[Action, ...]:
    """The actions in a post's front matter, which stand at `where`. Raises: BadFile."""
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise BadFile("`actions` must be a list of mappings", where=where)
    return tuple(_parse(item, where) for item in value)


def is_web_url(url: str) -> bool:
    """Whether this is a whole web address."""
    return bool(re.fullmatch(r"https?://[^\s<>\"]+", url))


def _parse(item: Mapping[str, Any], where: str) -> Action:
    for key in item:
        if key not in _KEYS:
            raise BadFile(
                f"unknown key `{key}` in an action", where=where, fix=nearest(str(key), _KEYS)
            )
    kind = str(item.get("type", ""))
    if kind not in _NEEDS:
        raise BadFile(f"unknown type of action `{kind}`", where=where, fix=nearest(kind, _NEEDS))
    label = _text(item, "label", where)
    if not label:
        raise BadFile(f"the action `{kind}` needs a `label`", where=where)
    if not any(item.get(key) for key in _NEEDS[kind]):
        needed = " or ".join(f"`{key}`" for key in _NEEDS[kind])
        raise BadFile(f"the action `{kind}` needs {needed}", where=where)
    if item.get("to") and item.get("targets"):
        raise BadFile(
            "an action has `to` or `targets`, not both",
            where=where,
            fix="The `default` of the targets is for all other countries.",
        )
    url = _text(item, "url", where)
    if url and not is_web_url(url):
        raise BadFile(f"`{url}` is not a web address", where=where, fix="Begin it with https://.")
    reply = item.get("reply", False)
    if not isinstance(reply, bool):
        raise BadFile("`reply` in an action must be true or false", where=where)
    copies = item.get("cc") or []
    return Action(
        type=kind,
        label=label,
        url=url,
        email=_mail(item.get("email"), where),
        reply=reply,
        to=_mail(item.get("to"), where),
        targets=_text(item, "targets", where),
        cc=tuple(_mail(cc, where) for cc in (copies if isinstance(copies, list) else [copies])),
        subject=_text(item, "subject", where),
        body=_text(item, "body", where),
    )


def _text(item: Mapping[str, Any], key: str, where: str) -> str:
    value = item.get(key)
    if isinstance(value, (dict, list)):
        raise BadFile(f"`{key}` in an action must be a text", where=where)
    return str(value or "").strip()


def _mail(value: object, where: str) -> str:
    if not value:
        return ""
    try:
        return Address.parse(str(value)).text
    except BadAddress as error:
        raise BadFile(f"`{value}` in an action: {error}", where=where) from None
