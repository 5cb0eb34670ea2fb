"""`lists/*.toml`: the mailing lists, one a file; its name is what commands call the list."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mailout.catalogue import is_country
from mailout.config import mailbox, rules, toml
from mailout.core import language
from mailout.core.errors import BadFile, MailoutError, nearest, place
from mailout.core.mailing_list import ListSettings, MailingList
from mailout.core.message import Sender

_BOUNCES = {
    "probe_after_days": (1, 90),
    "quiet_days": (1, 30),
    "full_score": (2, 100),
    "full_days": (7, 365),
}
_LIST_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")


def read(root: Path, timezone: str = "UTC") -> dict[str, MailingList]:
    """The lists by their identifiers; days in their rules are days in `timezone`.

    Raises: BadFile with file and line; MailoutError if there is none.
    """
    found: dict[str, ListSettings] = {}
    sources: dict[str, str] = {}
    for path in sorted((root / "lists").glob("*.toml")):
        shown = f"lists/{path.name}"
        if not _LIST_ID.fullmatch(path.stem):
            raise BadFile(
                "a list's file name may hold only a-z, 0-9 and hyphens before `.toml`", where=shown
            )
        values, source = toml.read(path, shown)
        found[path.stem] = _read_list(values, source, shown)
        sources[path.stem] = source
    if not found:
        raise MailoutError(
            "the site has no mailing list", where="lists/", fix="Write lists/bulletin.toml."
        )
    rules.check_fields(found, sources)
    ids = tuple(found)
    lists = {name: MailingList(name, settings, timezone, ids) for name, settings in found.items()}
    for mailing_list in lists.values():
        rules.check_segments(mailing_list, sources[mailing_list.id])
    return lists


def _read_list(values: dict[str, Any], source: str, shown: str) -> ListSettings:
    if "sender" in values:
        raise BadFile(
            "unknown key `sender`",
            where=place(shown, toml.line_of(source, ("sender",))),
            fix="Did you mean `from`?",
        )
    if "from" not in values:
        raise BadFile("the key `from` is missing", where=shown)
    values = {("sender" if key == "from" else key): value for key, value in values.items()}
    settings = toml.check(ListSettings, values, source, shown)

    def line(*path: str) -> str:
        return place(shown, toml.line_of(source, path))

    try:
        Sender.parse(settings.sender)
    except MailoutError as error:
        raise BadFile(error.what, where=line("from"), fix=error.fix) from None
    for key in ("reply_to", "contact"):
        if value := getattr(settings, key):
            mailbox.check(value, line(key))
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*\.[A-Za-z0-9.-]+", settings.list_id):
        raise BadFile(
            f"`{settings.list_id}` is not a List-Id",
            where=line("list_id"),
            fix="Write it like a host name: bulletin.news.example.org (RFC 2919).",
        )
    _check_languages(settings, line)
    for key, country in (("blocked_in", code) for code in settings.blocked_in):
        if not is_country(country):
            raise BadFile(
                f"`{country}` is not a country code",
                where=line(key),
                fix="The United Kingdom is GB." if country == "UK" else "Write one such as KZ.",
            )
    for name, (least, most) in _BOUNCES.items():
        if not least <= getattr(settings.bounces, name) <= most:
            raise BadFile(
                f"`{name}` is from {least} to {most}: one report is never the end of a living "
                "address, and some day one is dead",
                where=line("bounces", name),
            )
    if settings.press.email:
        mailbox.check(settings.press.email, line("press", "email"))
    for name in settings.segments:
        if not _LIST_ID.fullmatch(name):
            raise BadFile(
                f"a segment cannot be called `{name}`: use a-z, 0-9 and hyphens",
                where=line("segments", name),
            )
    return settings


def _check_languages(settings: ListSettings, line: Callable[..., str]) -> None:
    """Nothing, if the list's languages are languages, and all that is said in one names those."""
    if not settings.languages:
        raise BadFile("`languages` is empty", where=line("languages"))
    for code in settings.languages:
        if meant := language.mistaken_for(code):
            raise BadFile(
                f"`{code}` is a country, not a language",
                where=line("languages"),
                fix=f"Write `{meant}`.",
            )
        if not language.is_code(code):
            raise BadFile(f"`{code}` is not a language code", where=line("languages"))
    for asked, choices in settings.fallback.items():
        for code in (asked, *choices):
            if code not in settings.languages and code != language.EVERY_OTHER:
                raise BadFile(
                    f"`{code}` in [fallback] is not among the list's languages",
                    where=line("fallback", asked),
                    fix=f"Take the line away, or add `{code}` to `languages`.",
                )
    # Like [why], it may stay as it came when a list is written in fewer languages.
    for code in settings.descriptions:
        if not language.is_code(code):
            raise BadFile(
                f"`{code}` in [descriptions] is not a language code",
                where=line("descriptions", code),
            )
    named = [("signature", settings.signature), ("press", settings.press.boilerplate)]
    named += [("consent", settings.consent), ("welcome", settings.welcome)]
    named += [("categories", labels) for labels in settings.categories.values()]
    named += [("fields", one.label) for one in settings.fields.values()]
    for table, texts in named:
        for code in texts:
            if code not in settings.languages:
                raise _unknown(code, settings, line(table))


def _unknown(code: str, settings: ListSettings, where: str) -> BadFile:
    return BadFile(
        f"`{code}` is not among the list's languages",
        where=where,
        fix=nearest(code, settings.languages),
    )
