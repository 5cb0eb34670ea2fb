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
from functools import partial
from typing import Any

from mailout.core.address import Address, BadAddress
from mailout.core.errors import BadFile, nearest
from mailout.core.front_matter import At

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
    `reply` says that a reply to the mail is a signature. `where` says where in which file
    `targets` stands.
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
    where: str = ""


def parse_all(value: object, at: At) -> tuple[Action, ...]:
    """The actions in a post's front matter; `at` says where in it. Raises: BadFile with line."""
    if value is None:
        return ()
    if not isinstance(value, list):
        raise BadFile("`actions` must be a list of mappings", where=at())
    for number, item in enumerate(value):
        if not isinstance(item, dict):
            raise BadFile("`actions` must be a list of mappings", where=at(number))
    return tuple(_parse(item, partial(at, number)) for number, item in enumerate(value))


def is_web_url(url: str) -> bool:
    """Whether this is a whole web address."""
    return bool(re.fullmatch(r"https?://[^\s<>\"]+", url))


def _parse(item: Mapping[str, Any], at: At) -> Action:
    for key in item:
        if key not in _KEYS:
            raise BadFile(
                f"unknown key `{key}` in an action",
                where=at(str(key)),
                fix=nearest(str(key), _KEYS),
            )
    kind = str(item.get("type") or "")
    if kind not in _NEEDS:
        what = f"unknown type of action `{kind}`" if kind else "an action needs a `type`"
        raise BadFile(what, where=at("type"), fix=nearest(kind, _NEEDS))
    label = _text(item, "label", at)
    if not label:
        raise BadFile(f"the action `{kind}` needs a `label`", where=at("label"))
    if not any(item.get(key) for key in _NEEDS[kind]):
        needed = " or ".join(f"`{key}`" for key in _NEEDS[kind])
        raise BadFile(f"the action `{kind}` needs {needed}", where=at())
    if item.get("to") and item.get("targets"):
        raise BadFile(
            "an action has `to` or `targets`, not both",
            where=at("targets"),
            fix="The `default` of the targets is for all other countries.",
        )
    url = _text(item, "url", at)
    if url and not is_web_url(url):
        raise BadFile(
            f"`{url}` is not a web address", where=at("url"), fix="Begin it with https://."
        )
    reply = item.get("reply", False)
    if not isinstance(reply, bool):
        raise BadFile("`reply` in an action must be true or false", where=at("reply"))
    return Action(
        type=kind,
        label=label,
        url=url,
        email=_mail(item.get("email"), at("email")),
        reply=reply,
        to=_mail(item.get("to"), at("to")),
        targets=_text(item, "targets", at),
        cc=_copies(item.get("cc"), at),
        subject=_text(item, "subject", at),
        body=_text(item, "body", at),
        where=at("targets"),
    )


def _copies(value: object, at: At) -> tuple[str, ...]:
    copies = value if isinstance(value, list) else [value] if value else []
    return tuple(_mail(copy, at("cc", number)) for number, copy in enumerate(copies))


def _text(item: Mapping[str, Any], key: str, at: At) -> str:
    value = item.get(key)
    if isinstance(value, (dict, list)):
        raise BadFile(f"`{key}` in an action must be a text", where=at(key))
    return str(value or "").strip()


def _mail(value: object, where: str) -> str:
    if not value:
        return ""
    try:
        return Address.parse(str(value)).text
    except BadAddress as error:
        raise BadFile(f"`{value}` in an action: {error}", where=where) from None
