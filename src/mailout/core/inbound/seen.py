"""A mail as the questions about its kind see it, and what its fields say of who wrote it.

Standards: RFC 3834 5 (automatic answers), RFC 2369 and 2919 (lists), RFC 5321 4.5.5 (the empty
return path), RFC 6047 2.4 (meetings).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mailout.core.inbound.dsn import Told
from mailout.core.inbound.mail import Fields, Mail
from mailout.core.inbound.original import unquoted
from mailout.core.inbound.rules import normal

_DAEMONS = re.compile(
    r"(?:mailer|mail|delivery|smtp|post)[-_. ]?(?:daemon|delivery|system|errors?)"
    r"|mailerdaemon|post[-_]?master"
    r"|mdaemon|^mmdf|^uucp|^bounces?$|^microsoftexchange[0-9a-f]{8}|^maildelivery|^mailgate"
    r"|^exchange(?:admin)?$"
    r"|^sysadmin$|^system$|^double-bounce|^mailmarshal|^nondelivery|^auto[-_]?(?:mailer"
    r"|reply)|^complaints$"
)
_DAEMON_NAMES = re.compile(
    r"(?i)mail ?(?:delivery|system|administrator|router|server|gateway)"
    r"|delivery (?:sub)?system|postmaster"
    r"|mailer[- ]?daemon|system ?administrator|microsoft (?:outlook|exchange)|internet mail"
    r"|delivery service"
    r"|почтов|系统管理员|系統管理員|邮件系统|システム管理者|administrateur système"
    r"|administrador del sistema"
)
REPLY_PREFIX = re.compile(
    r"(?i)^\s{0,5}(?:(?:re|aw|sv|vs|antw|antwort|odp|ha|rif|r|res|enc|yn|ynt|回复|回覆|答复|رد"
    r"|ответ)\s{0,3}(?:\[\d{1,3}\])?\s{0,3}[:：]"
    r"|re\b:?)"
)
_FORWARD_PREFIX = re.compile(
    r"(?i)^\s{0,5}\[?(?:fwd?|wg|tr|rv|i|vb|pd|enc|doorst|转发|轉寄|пересл)\s{0,3}[:：]"
)
_MEETINGS = ("request", "reply", "cancel", "counter", "declinecounter", "refresh")  # RFC 5546 1.4
ADDRESS_IN = re.compile(r"<([^<>]{0,300})>")
_AUTOMATIC_FIELDS = (
    "x-autoreply",
    "x-autorespond",
    "x-autoreply-from",
    "x-mail-autoreply",
    "x-autoresponder",
    "x-auto-reply",
    "x-vacation",
)
_QUOTES = re.compile(r"(?m)^>")
_WROTE = re.compile(
    r"(?mi)^.{0,200}(?:wrote|schrieb\b.{0,80}|a écrit|escribió|ha scritto|escreveu"
    r"|schreef.{0,80}|napisał(?:\(a\))?"
    r"|пишет|писал\(?а?\)?|написав|写道|寫道)\s?:\s{0,3}$"
)
_GREETING = re.compile(
    r"^(?:hi|hello|hallo|dear|guten|liebe|sehr geehrte|bonjour|hola|здравствуйте|уважаем)\b"
)
_FIRST_WORDS = 900


@dataclass(frozen=True, slots=True)
class Seen:
    """What the questions are asked about."""

    mail: Mail
    words: str  # its own, before a returned mail
    quoting: str  # all of its own text
    told: Sequence[Told]
    subject: str  # normal
    opening: str  # normal
    sender: str  # the address in From, as it stands


def look(mail: Mail, words: str, text: str, told: Sequence[Told]) -> Seen:
    """What is asked about when a mail's kind is decided."""
    written_by = mail.fields.get("from")[:1000]
    bracketed = ADDRESS_IN.findall(written_by)
    sender = (bracketed[-1] if bracketed else written_by).strip()
    return Seen(
        mail,
        words,
        text,
        told,
        normal(mail.fields.get("subject")),
        normal(unquoted(words[: 3 * _FIRST_WORDS])[:_FIRST_WORDS]),
        sender,
    )


def is_daemon(seen: Seen) -> bool:
    local = seen.sender.partition("@")[0].strip().lower()
    name = ADDRESS_IN.sub("", seen.mail.fields.get("from")[:300].replace(seen.sender, ""))
    if not local or _DAEMONS.search(local):
        return True
    # Anybody can take such a name; RFC 5321 4.5.5: a report comes with no return path.
    path = seen.mail.fields.get("return-path").strip()
    return path in ("", "<>") and bool(_DAEMON_NAMES.search(name))


def is_machine(seen: Seen) -> bool:
    """Whether its fields say that a mail system wrote it."""
    fields = seen.mail.fields
    if fields.get("return-path").strip() == "<>" or "x-failed-recipients" in fields:
        return True
    return is_daemon(seen) or fields.type == "multipart/report"


def is_list(fields: Fields) -> bool:
    return any(name in fields for name in ("list-id", "list-unsubscribe", "list-post"))


def is_meeting(mail: Mail) -> bool:
    """Whether it is an invitation, or an answer to one (RFC 6047 2.4)."""
    if mail.fields.type == "text/calendar":
        return True
    return any(
        part.fields.parameter("method").lower() in _MEETINGS
        and not part.fields.get("content-disposition").lower().startswith("attachment")
        for part in mail.of_type("text/calendar")
    )


def is_marked_spam(fields: Fields) -> bool:
    marks = (fields.get("x-spam-flag"), fields.get("x-spam-status"))
    return any(mark.strip().lower().startswith("yes") for mark in marks)


def is_generated(fields: Fields) -> bool:
    value = fields.get("auto-submitted").strip().lower()
    return value.startswith("auto-generated") or "x-auto-generated" in fields


def is_automatic(seen: Seen) -> bool:
    """Whether its fields say that it answers by itself (RFC 3834 5, and what came before it)."""
    fields = seen.mail.fields
    precedence = fields.get("precedence").strip().lower().replace("-", "_")
    if fields.get("auto-submitted").strip().lower().startswith("auto-replied"):
        return True
    if precedence == "auto_reply" or any(name in fields for name in _AUTOMATIC_FIELDS):
        return fields.get("x-autoreply").strip().lower() not in ("no", "false", "0")
    if fields.get("x-autogenerated").strip().lower() == "reply":
        return True
    # An answer that asks for none in turn, or comes from nowhere, was written by no person.
    answers = "in-reply-to" in fields or bool(REPLY_PREFIX.search(fields.get("subject")))
    return answers and (
        precedence in ("bulk", "junk")
        or fields.get("return-path").strip() == "<>"
        or is_generated(fields)
        or ("x-auto-response-suppress" in fields and not quotes(seen))
    )


def is_answer(seen: Seen) -> bool:
    """Whether a person's mail program marked it as an answer, or as passed on."""
    fields = seen.mail.fields
    subject = fields.get("subject")
    if REPLY_PREFIX.search(subject) or _FORWARD_PREFIX.search(subject):
        return True
    return "in-reply-to" in fields and bool(_QUOTES.search(seen.quoting))


def quotes(seen: Seen) -> bool:
    """Whether it quotes another mail, as people do and machines do not."""
    return bool(_QUOTES.search(seen.quoting) or _WROTE.search(seen.quoting))


def greets(seen: Seen) -> bool:
    """Whether it begins as a letter does: a postmaster may be a person, too."""
    return bool(_GREETING.search(seen.opening)) and not seen.opening.startswith("hi. this is the")
