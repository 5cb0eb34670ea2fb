"""What rules are made of, checked: fields that lists declare, and the rules of segments."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from mailout.config import toml
from mailout.core.errors import BadFile, MailoutError, place
from mailout.core.mailing_list import FieldSettings, ListSettings, MailingList
from mailout.core.segment import RESERVED, BadRule, Kind, parse, resolved

_SEGMENT = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")
_FIELD = re.compile(r"[a-z][a-z0-9_-]{0,40}")
_WITH_CHOICES = (Kind.CHOICE, Kind.CHOICES)


def check_fields(lists: Mapping[str, ListSettings], sources: Mapping[str, str]) -> None:
    """Nothing, if every field that a list declares makes sense, and no two lists mean different
    things by one name: what is kept is the person's, not the list's. Raises: BadFile."""
    first: dict[str, tuple[str, FieldSettings]] = {}
    for list_id, settings in lists.items():
        for name, field in settings.fields.items():

            def line(*path: str, of: str = list_id, name: str = name) -> str:
                at = toml.line_of(sources[of], ("fields", name, *path))
                return place(f"lists/{of}.toml", at)

            _check_field(name, field, line)
            other, declared = first.setdefault(name, (list_id, field))
            if (declared.type, declared.choices) != (field.type, field.choices):
                raise BadFile(
                    f"`{name}` is something else in lists/{other}.toml: {declared.type}",
                    where=line(),
                    fix="Declare it alike in both, or call one of them otherwise.",
                )


def _check_field(name: str, field: FieldSettings, line: Callable[..., str]) -> None:
    if not _FIELD.fullmatch(name):
        raise BadFile(
            f"a field cannot be called `{name}`: use a-z, 0-9, `_` and hyphens, a letter first",
            where=line(),
        )
    if name in RESERVED:
        raise BadFile(
            f"a field cannot be called `{name}`: that word has a meaning already",
            where=line(),
            fix="Call it otherwise.",
        )
    if field.type in _WITH_CHOICES and not field.choices:
        raise BadFile(
            f"the field `{name}` has no choices",
            where=line("type"),
            fix='Write them: `choices = ["harbour", "rail"]`.',
        )
    if field.choices and field.type not in _WITH_CHOICES:
        raise BadFile(
            f"a field of the type {field.type} has no choices",
            where=line("choices"),
            fix='Write `type = "choice"`, or `"choices"` if one person may have several.',
        )
    seen: set[str] = set()
    for choice in field.choices:
        if not choice.strip() or choice != choice.strip() or not choice.isprintable():
            raise BadFile(
                f"`{choice}` cannot be a choice: it is empty or has spaces around it",
                where=line("choices"),
            )
        if choice.casefold() in seen:
            raise BadFile(f"the choice `{choice}` stands here twice", where=line("choices"))
        seen.add(choice.casefold())


def check_segments(mailing_list: MailingList, source: str) -> None:
    """Nothing, if every rule of the list can be read and refers to what is there, in no circle.

    Raises: BadFile, BadRule, MailoutError with the line.
    """
    shown = f"lists/{mailing_list.id}.toml"
    rules = {}
    for name, segment in mailing_list.settings.segments.items():
        if not _SEGMENT.fullmatch(name):
            raise BadFile(
                f"a segment cannot be called `{name}`: use a-z, 0-9 and hyphens",
                where=place(shown, toml.line_of(source, ("segments", name))),
            )
        where = place(shown, toml.line_of(source, ("segments", name, "rule")))
        rules[name] = parse(segment.rule, where, mailing_list.vocabulary)
        if segment.choosable and not segment.tag:
            raise BadFile(
                f"readers cannot choose `{name}`: its rule is more than one tag",
                where=where,
                fix="Their choice gives them a tag: write `tag = NAME`, or take `choosable` away.",
            )
    for name, rule in rules.items():
        try:
            resolved(rule, mailing_list.rule, (name,))
        except BadRule:
            raise
        except MailoutError as error:
            where = place(shown, toml.line_of(source, ("segments", name, "rule")))
            raise BadFile(error.what, where=where, fix=error.fix) from None
