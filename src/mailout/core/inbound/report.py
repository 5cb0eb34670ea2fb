"""The walk from a mail's bytes to what it tells: `read`.

bytes -> a mail taken apart (`mail`) -> its words, and what it returns (`original`) -> what a
notification says (`dsn`) -> its kind (`kind`) -> whom it names (`addresses`) -> why (`reason`).

Standards: RFC 3464, RFC 5965, RFC 3834; see the modules.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from mailout.core.inbound import dsn, original
from mailout.core.inbound.addresses import (
    Known,
    chosen,
    find_addresses,
    folded,
    in_words,
    only_known,
    unwrapped,
    valid,
)
from mailout.core.inbound.category import Category, Fault, Kind
from mailout.core.inbound.dsn import Told
from mailout.core.inbound.kind import effective_action, kind_of
from mailout.core.inbound.mail import RETURNED, Fields, Mail, fields_of, open_mail
from mailout.core.inbound.reason import explain, reply_in
from mailout.core.inbound.rules import Rules
from mailout.core.inbound.seen import Seen, look

_MOST_WORDS = 8000
_MOST_DIAGNOSTIC = 500
_MOST_NEAR = 3000
_MOST_COMPARED = 50
_OPT_OUTS = ("opt-out", "opt-out-list", "unsubscribe")
_COMPLAINTS = ("abuse", "fraud", "other", "virus", "miscategorized", "complaint", "spam", "")
_DEEPEST = 2
_SAID = re.compile(r"[^\W_]")
_OURS = ("from", "sender", "reply-to", "return-path", "list-unsubscribe", "list-post", "list-help")


@dataclass(frozen=True, slots=True)
class Report:
    """What a mail tells of one recipient. `recipient` is None if it does not name one."""

    recipient: str | None
    action: str | None
    status: str | None
    category: Category
    permanent: bool
    diagnostic: str | None

    @property
    def fault(self) -> Fault:
        return self.category.fault


@dataclass(frozen=True, slots=True)
class Inbound:
    """What a mail is, what it tells of whom, and the Message-ID of the mail that it is about."""

    kind: Kind
    reports: tuple[Report, ...]
    original_message_id: str | None


def known_addresses(typed: Iterable[str]) -> Known:
    """Addresses as `read` compares them."""
    return {folded(address): address.strip() for address in typed}


def read(raw: bytes, rules: Rules, known: Known | None = None) -> Inbound:
    """What the mail in `raw` is and tells. It raises on nothing that a mail may hold.

    `known` are those to whom we wrote (`known_addresses`): nobody else is named then. None if that
    is not known.
    """
    try:
        return walk(raw, rules, known)
    except Exception:  # whatever a mail holds, it must not stop the mails behind it
        return Inbound(Kind.OTHER, (), None)


def walk(raw: bytes, rules: Rules, known: Known | None = None, depth: int = 0) -> Inbound:
    """As `read`, without its net: tests ask this one. `depth` counts the mails around this one."""
    mail = open_mail(raw)
    text = _own_text(mail)
    words, below = original.split_text(text)
    words = words[:_MOST_WORDS]
    seen = look(mail, words, text, dsn.told(mail, words))
    kind = kind_of(seen, rules)
    if not seen.told and kind in (Kind.BOUNCE, Kind.DELAY, Kind.OTHER):
        # Gateways leave a notification's fields in plain text, or wrap it in a mail of their own.
        if loose := dsn.told_in_text(text):
            seen = look(mail, words, text, loose)
            kind = kind_of(seen, rules)
        elif kind is not Kind.DELAY and depth < _DEEPEST:
            inner = _wrapped(mail, rules, known, depth)
            if inner is not None:
                return inner
    head = original.returned_head(mail, below) if kind not in _BY_PEOPLE else Fields({})
    message_id = original.original_message_id(mail, head, words)
    if kind is Kind.BOUNCE or kind is Kind.DELAY:
        reports = _Writer(seen, head, rules, known, kind).reports()
    elif kind is Kind.FEEDBACK:
        reports = _complaints(seen, head, known)
    elif kind in _BY_SENDER:
        reports = _about_the_sender(seen, _BY_SENDER[kind], known)
    else:
        reports = ()
    return Inbound(kind, reports, message_id)


_BY_PEOPLE = (Kind.REPLY, Kind.UNSUBSCRIBE)
_BY_SENDER = {
    Kind.AUTO_REPLY: Category.AUTO_REPLY,
    Kind.CHALLENGE: Category.CHALLENGE,
    Kind.UNSUBSCRIBE: Category.UNSUBSCRIBE,
}


def _own_text(mail: Mail) -> str:
    """The text of its own parts, one below the other."""
    texts = [
        part.text
        for part in mail.parts
        if part.type.startswith("text/") and part.type not in RETURNED
    ]
    if not texts:
        texts = [
            part.text
            for part in mail.parts
            if part.type.startswith(("multipart/", "message/")) and part.type not in dsn.TYPES
        ]
    return "\n\n".join(texts[:6]).replace("\r", "")


def _wrapped(mail: Mail, rules: Rules, known: Known | None, depth: int) -> Inbound | None:
    """What a report tells that a machine has passed on inside a mail of its own, if it is one."""
    for part in mail.attached[:3]:
        if part.type in ("message/rfc822", "message/global"):
            inner = walk(part.body, rules, known, depth + 1)
            if inner.kind in (Kind.BOUNCE, Kind.DELAY, Kind.FEEDBACK) and inner.reports:
                return inner
    return None


@dataclass(frozen=True, slots=True)
class _Writer:
    """Makes the reports of one bounce or delay."""

    seen: Seen
    head: Fields
    rules: Rules
    known: Known | None
    kind: Kind

    def reports(self) -> tuple[Report, ...]:
        told = [one for one in self.seen.told if effective_action(one) in self._actions()]
        found: dict[str | None, Told | None] = {}
        for one in told:
            if who := chosen(one.recipients, self.known):
                found.setdefault(who, one)
        if not found:
            people = self._header() or self._words() or self._returned()
            alone = told[0] if len(told) == 1 or (told and not people) else None
            found = dict.fromkeys(people or (None,), alone)
        return self._written(found)

    def _actions(self) -> tuple[str, ...]:
        return ("failed", "") if self.kind is Kind.BOUNCE else ("delayed", "")

    def _header(self) -> list[str]:
        values = ",".join(self.seen.mail.fields.all("x-failed-recipients"))
        return only_known((unwrapped(one) for one, _ in find_addresses(values)), self.known)

    def _words(self) -> list[str]:
        fields = self.seen.mail.fields
        own = [
            address
            for name in ("from", "to", "delivered-to", "x-original-to")
            for value in fields.all(name)
            for address, _ in find_addresses(value)
        ]
        ours = [value for name in _OURS for value in self.head.all(name)]
        own += [address for value in ours for address, _ in find_addresses(value)]
        return in_words(self.seen.words, own, self._addressed(), self.known)

    def _addressed(self) -> list[str]:
        fields = [value for name in ("to", "cc", "x-original-to") for value in self.head.all(name)]
        return [unwrapped(address) for address, _ in find_addresses(",".join(fields)[:20000])]

    def _returned(self) -> list[str]:
        """The recipient in the returned mail's head, if there is one alone."""
        people = only_known(self._addressed(), self.known)
        return people if len(people) == 1 else []

    def _written(self, found: Mapping[str | None, Told | None]) -> tuple[Report, ...]:
        """A report of each recipient, by what was told of it."""
        words = self.seen.words
        said = _said_of(words, [who for who in found if who])
        if len(found) > 1:
            # A recipient among many is judged by what stands beside it, one alone by all words.
            return tuple(
                self._report(who, told, (said.get(who or "", ""),)) for who, told in found.items()
            )
        return tuple(
            self._report(who, told, (said.get(who or "", words), words))
            for who, told in found.items()
        )

    def _report(self, who: str | None, told: Told | None, words: Sequence[str]) -> Report:
        reply = told.diagnostic if told else ""
        reply = reply or next(filter(None, map(reply_in, words)), "")
        status = told.status if told else ""
        action = "delayed" if self.kind is Kind.DELAY else "failed"
        reason = explain(
            self.rules,
            diagnostic=reply,
            words=words,
            status=status,
            action=action,
            domain=(who or "").rpartition("@")[2].lower(),
        )
        return Report(
            who,
            action,
            reason.status or _as_status(status),
            Category.DELAY if self.kind is Kind.DELAY else reason.category,
            reason.permanent,
            (reply or " ".join(words[0].split()))[:_MOST_DIAGNOSTIC] or None,
        )


def _as_status(text: str) -> str | None:
    """The Status field as it stands, if it is a code that says nothing (`5.0.0`)."""
    found = re.match(r"\s{0,9}([245]\.\d{1,3}\.\d{1,3})", text)
    return found[1] if found else None


def _said_of(words: str, people: Sequence[str]) -> dict[str, str]:
    """What is said of each recipient: behind each place where it is named, up to another's.

    Of those who stand in a row, with nothing between them, the same is said.
    """
    named = sorted(
        (found.start(), who)
        for who in people[:_MOST_COMPARED]
        for found in re.finditer(re.escape(who), words, re.I)
    )
    said: dict[str, str] = {}
    row: list[str] = []
    for (start, who), (end, following) in pairwise([*named, (len(words), "")]):
        row.append(who)
        if end < len(words) and not _SAID.search(words, start + len(who), end):
            continue
        # A reply names the recipient once more, and is not cut there.
        text = words[start:end] + ("" if following == who else "\n")
        for one in dict.fromkeys(row):
            said[one] = (said.get(one, "") + text)[:_MOST_NEAR]
        row.clear()
    return said


def _complaints(seen: Seen, head: Fields, known: Known | None) -> tuple[Report, ...]:
    """What a feedback report tells; nothing for `auth-failure` and for what is no complaint."""
    fields = Fields({})
    for part in seen.mail.of_type("message/feedback-report"):
        fields = fields_of(part.text.strip())
        break
    said = fields.get("feedback-type").split(";")[0].strip().lower()
    if said in _OPT_OUTS:
        category = Category.UNSUBSCRIBE
    elif said in _COMPLAINTS:
        category = Category.COMPLAINT
    else:
        return ()
    told = [fields.all(name) for name in ("original-rcpt-to", "removal-recipient")]
    told += [head.all(name) for name in ("x-hmxmroriginalrecipient", "x-original-to", "to")]
    people: list[str] = []
    for values in told:
        if not people:
            found = [valid(value) for value in values]
            people = [address for address in found if address and not _is_redacted(address)]
    named = only_known(people, known)[:20]
    return tuple(Report(who, None, None, category, True, said or None) for who in named or (None,))


def _is_redacted(address: str) -> bool:
    return bool(re.search(r"(?i)redact|removed|x{5}|undisclosed|hidden|\*{3}", address))


def _about_the_sender(seen: Seen, category: Category, known: Known | None) -> tuple[Report, ...]:
    """One report of whoever wrote it, with their first words."""
    who = chosen([seen.sender], known) or None
    first = " ".join(seen.words.split())[:_MOST_DIAGNOSTIC] or None
    return (Report(who, None, None, category, category is Category.UNSUBSCRIBE, first),)
