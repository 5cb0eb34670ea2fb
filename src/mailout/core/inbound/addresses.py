"""Whom a report is about: addresses in its fields and words, unwrapped, held against who is known.

| first that gives any | where from |
|---|---|
| fields | the failed recipients of a notification |
| header | `X-Failed-Recipients` |
| words | addresses before the returned mail, less the report's own From and To |
| returned | the one recipient in the returned mail's head |

Where it is known to whom we wrote, that is a filter on these candidates: an address that merely
stands somewhere in a report is beside five others that do, too.

Standards: RFC 5321 4.1.2, RFC 6531 (UTF-8); BATV, SRS and Gmail's forwarding by their own writings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress

ADDRESS = re.compile(
    r"(?:\"(?:[^\"\\\n]|\\[^\n]){1,64}\"|[\w.!#$%&*+/=?^`{"
    r"|}~'-]{1,120})@[^\W_](?:[\w-]{0,62}[^\W_])?(?:\.[^\W_](?:[\w-]{0,62}[^\W_])?){0,8}"
)
_AT_LINE_START = re.compile(
    r"(?m)^[ \t>*•\-\"'<\[(]{0,12}(?:(?:smtp|rfc822|mailto)[:;] ?)?[<\"']?$"
)
_AFTER_NAME = re.compile(
    r"(?i)(?:recipients?|rcpt to|address(?:es)?|to|user|an|à|a|empfänger|destinat[aá]rio"
    r"|destinatario"
    r"|destinataire|for|адрес[а-я]{0,4}|получател[а-я]{1,3}|收件人|宛先|for user|mailbox|account)"
    r"(?: address)?[ \t]{0,3}(?:[:=：] ?)?(?:\"[^\"\n]{1,60}\"[ \t]{1,3}(?=<))?"
    r"(?:(?:smtp|rfc822|mailto)[:;] ?)?"
    r"[ \t]{0,3}[<\[(\"']{0,2}$"
)
_SENDER_BEFORE = re.compile(
    r"(?i)(?:(?<!generated )\b(?:from|by)|return-path|reply-to|sender(?: is)?|contact"
    r"|\bvon\b|\bот\b"
    r"|message-id|message id|references|in-reply-to|(?:write|send|forward|reply) .{0,20}to|help"
    r"|support|assistance)[^\n@]{0,40}$|(?:sent by|sender is|sender:)\s{1,9}<?$"
)
_PREFIX = re.compile(r"(?i)^(?:smtp|to|rcpt|mailto|user|email|addr)=")
_ROLES = frozenset(
    [
        "mailer-daemon",
        "mailerdaemon",
        "mailer_daemon",
        "mail-daemon",
        "postmaster",
        "abuse",
        "hostmaster",
        "noreply",
        "no-reply",
        "support",
        "helpdesk",
        "servicedesk",
        "hotline",
        "noc",
        "security",
        "webmaster",
        "root",
    ]
)
_IN_A_ROW = re.compile(r">?[,;/]? ?(?:\w{1,5} (?:\w{1,10} ){0,2})?<?")
_LISTED = re.compile(r">?\s?[,;]\s?<?")
_IDENTIFIER = re.compile(r"[0-9a-f]{16}|^[0-9.]{10}|\.JavaMail\.", re.I)
_LINK = re.compile(r"https?://[^\s<>\"]{1,2000}")
_TOUCHED_DOMAIN = re.compile(r"\.[a-z]{2,24}([^\x00-\u02af].*)$", re.I)
_TOUCHED_LOCAL = re.compile(r"[\u3000-\ud7ff\uff00-\uffef]{1,60}(?=[a-z0-9])", re.I)
_MOST = 200

Known = Mapping[str, str]
"""Those to whom we wrote, as we wrote them, by their folded form."""

_PRVS = re.compile(r"^(?:prvs|msprvs1?)=([^=@]{1,64})=(.{1,120}@.{1,250})$", re.I)
_PRVS_SLASH = re.compile(r"^prvs=(.{1,120})/[0-9a-f]{6,12}@(.{1,250})$", re.I)
_SRS0 = re.compile(r"^srs0[=+-][^=@]{1,40}=[^=@]{1,8}=([^=@]{1,200})=(.{1,120})@", re.I)
_SRS1 = re.compile(
    r"^srs1[=+-][^=@]{1,40}=[^=@]{1,200}=[=+-][^=@]{1,40}=[^=@]{1,8}=([^=@]{1,200})=(.{1,120})@",
    re.I,
)
_CAF = re.compile(r"^(.{1,100})\+caf_=[^@]{1,200}@(.{1,250})$", re.I)
_BATV_BTV1 = re.compile(r"^btv1==[^=@]{1,64}==(.{1,120}@.{1,250})$", re.I)


def find_addresses(text: str) -> list[tuple[str, int]]:
    """The addresses in a text with where each begins, in order; at most 200."""
    found: list[tuple[str, int]] = []
    for match in ADDRESS.finditer(text):
        if len(found) >= _MOST:
            break
        address, start = match[0], match.start()
        bare = _PREFIX.sub("", address).lstrip(".'`*|/=?&-~")
        start += len(address) - len(bare)
        local, _, domain = bare.rpartition("@")
        # Where no blanks are written, words of another script touch the address.
        if touched := _TOUCHED_DOMAIN.search(domain):
            domain = domain[: touched.start(1)]
        if touched := _TOUCHED_LOCAL.match(local):
            start += touched.end()
            local = local[touched.end() :]
        local = local.rstrip("'")
        if local and _is_domain(domain):
            found.append((f"{local}@{domain}", start))
    return found


def _is_domain(domain: str) -> bool:
    last = domain.rpartition(".")[2]
    return "." in domain and not last.isdigit() and len(domain) <= 253


def valid(text: str) -> str:
    """The address that a field's value is or holds; empty if it holds none."""
    found = find_addresses(text[:1000])
    return unwrapped(found[0][0]) if found else ""


def unwrapped(address: str) -> str:
    """The address that BATV, SRS or a forwarding rewrote, else the address itself."""
    for pattern in (_PRVS, _BATV_BTV1):
        if match := pattern.match(address):
            return match[match.lastindex or 1]
    if match := _PRVS_SLASH.match(address) or _CAF.match(address):
        return f"{match[1]}@{match[2]}"
    if match := _SRS0.match(address) or _SRS1.match(address):
        return f"{match[2]}@{match[1]}"
    return address


def folded(address: str) -> str:
    """The form in which two addresses are compared here: case-blind, the domain as A-labels."""
    local, _, domain = address.strip().rpartition("@")
    if not domain.isascii():
        with suppress(UnicodeError):
            domain = domain.encode("idna").decode("ascii")
    return f"{local}@{domain}".casefold()


def in_words(
    words: str, not_these: Iterable[str], returned_to: Iterable[str], known: Known | None
) -> list[str]:
    """Whom the words of a bounce name as failed.

    `not_these` are the report's own From and To, `returned_to` the recipients in the head of the
    returned mail.
    """
    excluded = {folded(one) for one in not_these}
    # In a link stands whom it was made for, or who made it.
    words = _LINK.sub(lambda found: " " * len(found[0]), words)
    candidates = [
        (unwrapped(address), start)
        for address, start in find_addresses(words)
        if folded(address) not in excluded
    ]
    if known is not None:
        return only_known((one for one, _ in candidates), known)
    wanted = {folded(one) for one in returned_to}
    both = {folded(one) for one, _ in candidates} & wanted
    if both:
        # A report of many may return the mail to one of them: then the others stand as it does.
        lists = {_line(words, one, at) for one, at in candidates if folded(one) in both}
        lists.discard(("", "", ""))
        return _distinct(
            one
            for one, at in candidates
            if folded(one) in both
            or (_line(words, one, at) in lists and one.partition("@")[0].lower() not in _ROLES)
        )
    candidates = _not_for_contact(words, candidates)
    for where in (_AT_LINE_START.search, _AFTER_NAME.search):
        if named := _distinct(_standing(where, words, candidates)):
            return named
    return _distinct(one for one, _ in candidates)[:1]


def _standing(
    where: Callable[[str], object], words: str, candidates: list[tuple[str, int]]
) -> Iterator[str]:
    """The candidates that stand where a recipient does, and the others in a row with these."""
    end = -1
    for one, start in candidates:
        if _stands(where, words, start) or (end >= 0 and _LISTED.fullmatch(words[end:start])):
            end = start + len(one)
            yield one


def _not_for_contact(words: str, candidates: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """The candidates that are no sender's, no helper's, and no others in a row with these."""
    kept: list[tuple[str, int]] = []
    end = -1  # of the last that was left out
    for one, start in candidates:
        left_out = (
            one.rpartition("@")[0].lower() in _ROLES
            or _SENDER_BEFORE.search(words[max(0, start - 60) : start])
            or _is_identifier(one)
            or (end >= 0 and _IN_A_ROW.fullmatch(words[end:start]))
        )
        if left_out:
            end = start + len(one)
        else:
            kept.append((one, start))
    return kept


def _line(words: str, address: str, start: int) -> tuple[str, str, str]:
    """What stands around an address that has a line to itself; empty if other words do, too."""
    line_start = words.rfind("\n", 0, start) + 1
    end = start + len(address)
    before, after = words[line_start:start], words[end : end + 2].partition("\n")[0]
    if before.strip(" \t<[(") or len(before) > 12 or not (before or after):
        return ("", "", "")
    return (before, after, "line")


def _stands(where: Callable[[str], object], words: str, start: int) -> bool:
    line_start = words.rfind("\n", 0, start) + 1
    return bool(where(words[max(line_start, start - 60) : start]))


def _is_identifier(address: str) -> bool:
    return bool(_IDENTIFIER.search(address.rpartition("@")[0]))


def _distinct(addresses: Iterable[str]) -> list[str]:
    seen: dict[str, str] = {}
    for address in addresses:
        seen.setdefault(folded(address), address)
    return list(seen.values())


def only_known(addresses: Iterable[str], known: Known | None) -> list[str]:
    """Of these addresses, each once, those to whom we wrote, as we wrote them."""
    if known is None:
        return _distinct(addresses)
    return list(dict.fromkeys(known[key] for one in addresses if (key := folded(one)) in known))


def chosen(readings: Iterable[str], known: Known | None) -> str:
    """The address that the fields of one recipient mean, the likeliest; empty if there is none."""
    return next(iter(only_known(filter(None, map(valid, readings)), known)), "")
