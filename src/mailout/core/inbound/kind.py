"""What kind of mail came in. The first question that is answered with yes decides.

| asked | kind |
|---|---|
| is it a feedback report (RFC 5965), or an old one of Hotmail or SES | feedback |
| is it a read receipt (RFC 8098) | other |
| do notification fields say failed, or delayed, or neither | bounce, delay, other |
| is it a request to leave | unsubscribe |
| does it ask us to prove that we are people | challenge |
| is it no mail system's, and do its fields, subject or words answer by themselves | auto-reply |
| is it a notice about queues or boxes, a digest, or bait | other |
| does a mail system say that it could not, or not yet, deliver | bounce, delay |
| did a list or another machine write it | other |
| none of these: a person wrote it | reply |

No sign in words alone makes a bounce: a machine must have written it, or the subject must say so,
too. Newsletters about bounces, and people who pass one on, are taken for what they are.

Standards: RFC 3834 3 (automatic answers), RFC 2369 and 2919 (lists), RFC 8098 (receipts).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mailout.core.inbound.category import Kind
from mailout.core.inbound.dsn import Told
from mailout.core.inbound.mail import Fields, Mail
from mailout.core.inbound.original import unquoted
from mailout.core.inbound.reason import reply_code
from mailout.core.inbound.rules import Place, Rules, normal

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
_REPLY_PREFIX = re.compile(
    r"(?i)^\s{0,5}(?:(?:re|aw|sv|vs|antw|antwort|odp|ha|rif|r|res|enc|yn|ynt|回复|回覆|答复|رد"
    r"|ответ)\s{0,3}(?:\[\d{1,3}\])?\s{0,3}[:：]"
    r"|re\b:?)"
)
_FORWARD_PREFIX = re.compile(
    r"(?i)^\s{0,5}\[?(?:fwd?|wg|tr|rv|i|vb|pd|enc|doorst|转发|轉寄|пересл)\s{0,3}[:：]"
)
_PLAINLY_AUTOMATIC = re.compile(
    r"\s?\[?(?:auto|out of (?:the )?office|abwesen|réponse auto|respuesta auto|risposta auto"
    r"|resposta auto"
    r"|автоответ|автоматич|自动回复|自動返信|自動回覆)"
)
_NO_PERSON = re.compile(
    r"(?i)no[-_.]?reply|do[-_.]?not[-_.]?reply|notification|^news(?:letter)?$|^info-noreply"
)
_LEAVE_BOX = re.compile(
    r"(?i)(?:^|[+._-])(?:unsub(?:scribe)?|leave|remove|abmelden|optout|opt-out)(?:[+._=-]|$)"
)
_OLD_COMPLAINT = re.compile(
    r"(?i)^\s{0,5}complaint about message from |(?:feedback|abuse|spam|complaint) report"
)
_COMPLAINT_FROM = re.compile(
    r"(?i)\bstaff@|\b(?:scomp|fbl|feedback\w{0,9}|complaints?)@|@(?:[\w.-]{1,60}\.)?email-abuse\.amazonses\.com"
)
_MEETINGS = ("request", "reply", "cancel", "counter", "declinecounter", "refresh")  # RFC 5546 1.4
_LINK = re.compile(r"(?i)https?://|\bwww\.|\busd\b|[$€£] ?\d")
_FORM = re.compile(
    r"(?mi)^[ \t]{0,4}(?:bounce )?(recipient|to|type|description|details?|reason|error|diagnostics?"
    r"|diagnostic-code|status|server|message-id)[ \t]{0,3}:[ \t]{1,9}\S"
)
_ADDRESS_IN = re.compile(r"<([^<>]{0,300})>")
_AUTOMATIC_FIELDS = (
    "x-autoreply",
    "x-autorespond",
    "x-autoreply-from",
    "x-mail-autoreply",
    "x-autoresponder",
    "x-auto-reply",
    "x-vacation",
)
_DELIVERED = re.compile(
    r"(?<!un)success(?:ful|fully) (?:mail )?deliver|^delivered:|^relayed:"
    r"|(?:has|have) been (?:successfully )?(?:delivered|relayed) to"
)
_FOR_GOOD = re.compile(
    r"permanent (?:error|fail)|giv(?:en|ing) up|no further (?:delivery )?attempts"
    r"|(?:will not|won't|not going to) (?:be )?(?:re-?tr|try)"
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
    bracketed = _ADDRESS_IN.findall(written_by)
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


def kind_of(seen: Seen, rules: Rules) -> Kind:
    """What kind of mail it is."""
    fields = seen.mail.fields
    if is_feedback(seen):
        return Kind.FEEDBACK
    if _is_receipt(seen.mail):
        return Kind.OTHER
    machine = _is_machine(seen)
    passed_on = not machine and _is_answer(seen)
    if seen.told and not passed_on:
        found = _by_action(seen)
        if found is not None:
            return found
    if _wants_to_leave(seen, rules):
        return Kind.UNSUBSCRIBE
    if _is_list(fields) and not _is_daemon(seen):
        return Kind.OTHER
    if not _is_daemon(seen) and not _returns(seen, rules):
        if not _quotes(seen) and _shows(seen, rules, Kind.CHALLENGE):
            return Kind.CHALLENGE
        if _answers_by_itself(seen, rules):
            return Kind.AUTO_REPLY
    if not passed_on and _only_looks(seen, rules, machine):
        return Kind.OTHER
    if not passed_on:
        found = _by_words(seen, rules, machine)
        if found is not None:
            return found
    if _answers_by_itself(seen, rules):
        return Kind.AUTO_REPLY
    if _is_generated(fields) or (machine and not _greets(seen)):
        return Kind.OTHER
    if _is_meeting(seen.mail) or _NO_PERSON.search(seen.sender.partition("@")[0]):
        return Kind.OTHER
    if _is_marked_spam(fields) and not _is_answer(seen):
        return Kind.OTHER
    return Kind.REPLY if seen.sender else Kind.OTHER


def is_feedback(seen: Seen) -> bool:
    """Whether it is a feedback report, of today's form or the old ones."""
    mail = seen.mail
    if any(mail.of_type("message/feedback-report")):
        return True
    if mail.fields.parameter("report-type").lower() == "feedback-report":
        return True
    return bool(
        _OLD_COMPLAINT.search(mail.fields.get("subject"))
        and _COMPLAINT_FROM.search(mail.fields.get("from"))
        and (mail.attached or mail.fields.type.startswith("multipart/"))
    )


def _is_receipt(mail: Mail) -> bool:
    if mail.fields.parameter("report-type").lower() == "disposition-notification":
        return True
    return any(mail.of_type("message/disposition-notification"))


def _by_action(seen: Seen) -> Kind | None:
    """The kind by the notification's fields; None where they say nothing."""
    actions = [effective_action(told) for told in seen.told]
    if "failed" in actions:
        return Kind.BOUNCE
    if "delayed" in actions:
        return Kind.DELAY
    if any(actions):
        return Kind.OTHER
    return None


def effective_action(told: Told) -> str:
    """The Action of a recipient; from the class of its code where none is given."""
    if told.action.startswith(("fail", "undeliver")):
        return "failed"
    if told.action.startswith("delay"):
        return "delayed"
    if told.action:
        return told.action
    for text in (told.status, told.diagnostic):
        first = text.strip()[:1]
        if first in ("2", "4", "5"):
            return {"2": "delivered", "4": "delayed", "5": "failed"}[first]
    return ""


def _is_daemon(seen: Seen) -> bool:
    local = seen.sender.partition("@")[0].strip().lower()
    name = _ADDRESS_IN.sub("", seen.mail.fields.get("from")[:300].replace(seen.sender, ""))
    if not local or _DAEMONS.search(local):
        return True
    # Anybody can take such a name; RFC 5321 4.5.5: a report comes with no return path.
    path = seen.mail.fields.get("return-path").strip()
    return path in ("", "<>") and bool(_DAEMON_NAMES.search(name))


def _is_machine(seen: Seen) -> bool:
    """Whether its fields say that a mail system wrote it."""
    fields = seen.mail.fields
    if fields.get("return-path").strip() == "<>" or "x-failed-recipients" in fields:
        return True
    return _is_daemon(seen) or fields.type == "multipart/report"


def _is_list(fields: Fields) -> bool:
    return any(name in fields for name in ("list-id", "list-unsubscribe", "list-post"))


def _is_meeting(mail: Mail) -> bool:
    """Whether it is an invitation, or an answer to one (RFC 6047 2.4)."""
    if mail.fields.type == "text/calendar":
        return True
    return any(
        part.fields.parameter("method").lower() in _MEETINGS
        and not part.fields.get("content-disposition").lower().startswith("attachment")
        for part in mail.of_type("text/calendar")
    )


def _is_marked_spam(fields: Fields) -> bool:
    marks = (fields.get("x-spam-flag"), fields.get("x-spam-status"))
    return any(mark.strip().lower().startswith("yes") for mark in marks)


def _is_generated(fields: Fields) -> bool:
    value = fields.get("auto-submitted").strip().lower()
    return value.startswith("auto-generated") or "x-auto-generated" in fields


def _is_automatic(seen: Seen) -> bool:
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
    answers = "in-reply-to" in fields or bool(_REPLY_PREFIX.search(fields.get("subject")))
    return answers and (
        precedence in ("bulk", "junk")
        or fields.get("return-path").strip() == "<>"
        or _is_generated(fields)
        or ("x-auto-response-suppress" in fields and not _quotes(seen))
    )


def _is_answer(seen: Seen) -> bool:
    """Whether a person's mail program marked it as an answer, or as passed on."""
    fields = seen.mail.fields
    subject = fields.get("subject")
    if _REPLY_PREFIX.search(subject) or _FORWARD_PREFIX.search(subject):
        return True
    return "in-reply-to" in fields and bool(_QUOTES.search(seen.quoting))


def _quotes(seen: Seen) -> bool:
    """Whether it quotes another mail, as people do and machines do not."""
    return bool(_QUOTES.search(seen.quoting) or _WROTE.search(seen.quoting))


def _answers_by_itself(seen: Seen, rules: Rules) -> bool:
    """Whether its fields, its subject or its first words are those of an automatic reply."""
    if _is_automatic(seen):
        return True
    subject = rules.shows(Kind.AUTO_REPLY, Place.SUBJECT, seen.subject)
    # Behind `Re:` stands our own subject, which may be about anything.
    prefix = _REPLY_PREFIX.match(seen.subject)
    if subject and (not prefix or _PLAINLY_AUTOMATIC.match(seen.subject, prefix.end())):
        return True
    return not _quotes(seen) and rules.shows(Kind.AUTO_REPLY, Place.OPENING, seen.opening)


def _shows(seen: Seen, rules: Rules, kind: Kind) -> bool:
    """Whether its subject or its first words have a sign of that kind."""
    return rules.shows(kind, Place.SUBJECT, seen.subject) or rules.shows(
        kind, Place.OPENING, seen.opening
    )


def _returns(seen: Seen, rules: Rules) -> bool:
    """Whether its subject and its first words both say that a mail came back."""
    return rules.shows(Kind.BOUNCE, Place.SUBJECT, seen.subject) and rules.shows(
        Kind.BOUNCE, Place.OPENING, seen.opening
    )


def _by_words(seen: Seen, rules: Rules, machine: bool) -> Kind | None:
    """A bounce or a delay by its subject and first words; None if it is neither."""
    if _DELIVERED.search(seen.subject) or _DELIVERED.search(seen.opening):
        return Kind.OTHER if machine else None
    subject = rules.shows(Kind.BOUNCE, Place.SUBJECT, seen.subject)
    words = rules.shows(Kind.BOUNCE, Place.OPENING, seen.opening)
    evidence = _has_evidence(seen)
    letter = _greets(seen) and not evidence and not (subject and words)
    late_subject = rules.shows(Kind.DELAY, Place.SUBJECT, seen.subject)
    late_words = rules.shows(Kind.DELAY, Place.OPENING, seen.opening)
    late = (late_words and (machine or late_subject)) or (late_subject and machine and not words)
    late = late and not _FOR_GOOD.search(seen.opening)
    if late and not letter and (machine or evidence):
        return Kind.DELAY
    if "x-failed-recipients" in seen.mail.fields:
        return Kind.BOUNCE
    if machine and (words or subject) and not letter:
        return Kind.BOUNCE
    if words and subject and evidence and (not _greets(seen) or _is_form(seen)):
        return Kind.BOUNCE
    # What a daemon writes of its own accord, and not of a mail, has no such subject or words.
    by_itself = _is_generated(seen.mail.fields) and not seen.mail.attached
    if (
        _is_daemon(seen)
        and not letter
        and not by_itself
        and rules.category(normal(seen.words)) is not None
    ):
        return Kind.BOUNCE
    return None


def _only_looks(seen: Seen, rules: Rules, machine: bool) -> bool:
    """Whether it has the words of a report, and is a notice, a digest or bait.

    Such mail returns nothing and answers nothing.
    """
    fields = seen.mail.fields
    if seen.mail.attached or seen.told or "x-failed-recipients" in fields:
        return False
    if "in-reply-to" in fields or len(seen.quoting) > len(seen.words) + 40:
        return False
    if rules.shows(Kind.OTHER, Place.SUBJECT, seen.subject):
        return True
    # A reader may write that a box of ours is full, too; bait comes with a link, or with money.
    lures = machine or _LINK.search(seen.quoting)
    return bool(lures) and rules.shows(Kind.OTHER, Place.OPENING, seen.opening)


def _is_form(seen: Seen) -> bool:
    """Whether it tells in lines with labels whom it is about and why, as services do."""
    labels = {found[1].lower() for found in _FORM.finditer(seen.quoting[:4000])}
    return len(labels) >= 3 and bool(labels & {"recipient", "to"}) and bool(reply_code(seen.words))


def _has_evidence(seen: Seen) -> bool:
    """Whether more than its words speaks for a mail system: a returned mail, a reply, a field."""
    fields = seen.mail.fields
    submitted = fields.get("auto-submitted").strip().lower()
    return bool(
        seen.mail.attached
        or len(seen.quoting) > len(seen.words) + 40
        or fields.get("return-path").strip() == "<>"
        or (submitted and submitted != "no")
        or reply_code(seen.words)
    )


def _greets(seen: Seen) -> bool:
    """Whether it begins as a letter does: a postmaster may be a person, too."""
    return bool(_GREETING.search(seen.opening)) and not seen.opening.startswith("hi. this is the")


def _wants_to_leave(seen: Seen, rules: Rules) -> bool:
    fields = seen.mail.fields
    if "x-apple-unsubscribe" in fields:
        return True
    if _is_list(fields) or _is_daemon(seen):
        return False
    if _is_automatic(seen):
        return False
    boxes = _ADDRESS_IN.findall(fields.get("to")) or [fields.get("to")]
    if any(_LEAVE_BOX.search(box.partition("@")[0]) for box in boxes):
        return True
    if rules.shows(Kind.UNSUBSCRIBE, Place.SUBJECT, seen.subject):
        return True
    return rules.shows(Kind.UNSUBSCRIBE, Place.OPENING, seen.opening)
