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
too; and it must be about a mail (`_is_about_a_mail`). Newsletters about bounces, and people who
pass one on, are taken for what they are.

Standards: RFC 3834 3 (automatic answers), RFC 2369 and 2919 (lists), RFC 8098 (receipts).
"""

from __future__ import annotations

import re

from mailout.core.inbound.addresses import find_addresses, in_words
from mailout.core.inbound.category import Kind
from mailout.core.inbound.dsn import Told
from mailout.core.inbound.mail import Mail
from mailout.core.inbound.reason import reply_code
from mailout.core.inbound.rules import Place, Rules, normal
from mailout.core.inbound.seen import (
    ADDRESS_IN,
    REPLY_PREFIX,
    Seen,
    greets,
    is_answer,
    is_automatic,
    is_daemon,
    is_generated,
    is_list,
    is_machine,
    is_marked_spam,
    is_meeting,
    quotes,
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
_LINK = re.compile(r"(?i)https?://|\bwww\.|\busd\b|[$€£] ?\d")
_RETURN_PATH = re.compile(r"(?i)[+-][0-9a-f]{32}@")
_FORM = re.compile(
    r"(?mi)^[ \t]{0,4}(?:bounce )?(recipient|to|type|description|details?|reason|error|diagnostics?"
    r"|diagnostic-code|status|server|message-id)[ \t]{0,3}:[ \t]{1,9}\S"
)
_DELIVERED = re.compile(
    r"(?<!un)success(?:ful|fully) (?:mail )?deliver|^delivered:|^relayed:"
    r"|(?:has|have) been (?:successfully )?(?:delivered|relayed) to"
)
_ASKS = re.compile(r"^[^.!:?？؟。]{4,200}[?？؟](?:\s|$)")
# A reply that refuses for good, beside "try again later", which is then meant for the writer.
_REFUSED = re.compile(r"(?<![\d.])5[0-5]\d(?![\d.])[ -]")
_FOR_GOOD = re.compile(
    r"permanent (?:error|fail)|giv(?:en|ing) up|no further (?:delivery )?attempts"
    r"|(?:will not|won't|not going to) (?:be )?(?:re-?tr|try)"
)


def kind_of(seen: Seen, rules: Rules) -> Kind:
    """What kind of mail it is."""
    fields = seen.mail.fields
    if is_feedback(seen):
        return Kind.FEEDBACK
    if _is_receipt(seen.mail):
        return Kind.OTHER
    machine = is_machine(seen)
    passed_on = not machine and is_answer(seen)
    if seen.told and not passed_on:
        found = _by_action(seen)
        if found is not None:
            return found
    if _wants_to_leave(seen, rules):
        return Kind.UNSUBSCRIBE
    if is_list(fields) and not is_daemon(seen):
        return Kind.OTHER
    if not is_daemon(seen) and not _returns(seen, rules):
        if not quotes(seen) and _shows(seen, rules, Kind.CHALLENGE):
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
    if is_generated(fields) or (machine and not greets(seen)):
        return Kind.OTHER
    if is_meeting(seen.mail) or _NO_PERSON.search(seen.sender.partition("@")[0]):
        return Kind.OTHER
    if is_marked_spam(fields) and not is_answer(seen):
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


def _answers_by_itself(seen: Seen, rules: Rules) -> bool:
    """Whether its fields, its subject or its first words are those of an automatic reply."""
    if is_automatic(seen):
        return True
    # Behind `Re:` stands our own subject, which may be about anything.
    prefix = REPLY_PREFIX.match(seen.subject)
    plain = bool(_PLAINLY_AUTOMATIC.match(seen.subject, prefix.end() if prefix else 0))
    if not plain and _ASKS.search(seen.opening):
        return False  # who begins with a question is a person, who writes about leave or replies
    subject = rules.shows(Kind.AUTO_REPLY, Place.SUBJECT, seen.subject)
    if subject and (not prefix or plain):
        return True
    return not quotes(seen) and rules.shows(Kind.AUTO_REPLY, Place.OPENING, seen.opening)


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
    if not _is_about_a_mail(seen):
        return None
    subject = rules.shows(Kind.BOUNCE, Place.SUBJECT, seen.subject)
    words = rules.shows(Kind.BOUNCE, Place.OPENING, seen.opening)
    evidence = _has_evidence(seen)
    letter = greets(seen) and not evidence and not (subject and words)
    late_subject = rules.shows(Kind.DELAY, Place.SUBJECT, seen.subject)
    late_words = rules.shows(Kind.DELAY, Place.OPENING, seen.opening)
    late = (late_words and (machine or late_subject)) or (late_subject and machine and not words)
    returned = subject and words and not late_subject and _REFUSED.search(seen.opening)
    late = late and not _FOR_GOOD.search(seen.opening) and not returned
    if late and not letter and (machine or evidence):
        return Kind.DELAY
    if "x-failed-recipients" in seen.mail.fields:
        return Kind.BOUNCE
    if machine and (words or subject) and not letter:
        return Kind.BOUNCE
    if words and subject and evidence and (not greets(seen) or _is_form(seen)):
        return Kind.BOUNCE
    # What a daemon writes of its own accord, and not of a mail, has no such subject or words.
    by_itself = is_generated(seen.mail.fields) and not seen.mail.attached
    if not is_daemon(seen) or letter or by_itself:
        return None
    # A daemon writes to a return path of one mail for no other reason, whatever its language.
    if _is_to_return_path(seen) and not _answers_by_itself(seen, rules):
        return Kind.BOUNCE
    if rules.category(normal(seen.words)) is not None:
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


def _is_about_a_mail(seen: Seen) -> bool:
    """Whether it is about one mail that somebody wrote: it returns it, names who did not get it,
    or came to a return path of ours.

    Bait and notices have the words of a report, and name at most the box that they came to. A mail
    that says nothing at all but in its subject cannot lure.
    """
    mail = seen.mail
    if mail.attached or "x-failed-recipients" in mail.fields or not seen.quoting.strip():
        return True
    if _is_to_return_path(seen) or len(seen.quoting) > len(seen.words) + 40:
        return True
    named = in_words(seen.words, [*_receivers(seen), seen.sender], (), None)
    ours = {address.rpartition("@")[2].lower() for address in _receivers(seen)}
    elsewhere = [address for address in named if address.rpartition("@")[2].lower() not in ours]
    # Bait may name another box of ours, beside a link to where it wants us.
    lures = _LINK.search(seen.quoting) and not reply_code(seen.words)
    return bool(elsewhere or (named and not lures))


def _is_to_return_path(seen: Seen) -> bool:
    """Whether it came to an address with a token, which only a mail of ours ever named."""
    return any(map(_RETURN_PATH.search, _receivers(seen)))


def _receivers(seen: Seen) -> list[str]:
    fields = seen.mail.fields
    values = [
        value for name in ("to", "delivered-to", "x-original-to") for value in fields.all(name)
    ]
    return [address for value in values for address, _ in find_addresses(value)]


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


def _wants_to_leave(seen: Seen, rules: Rules) -> bool:
    fields = seen.mail.fields
    if "x-apple-unsubscribe" in fields:
        return True
    if is_list(fields) or is_daemon(seen):
        return False
    if is_automatic(seen):
        return False
    boxes = ADDRESS_IN.findall(fields.get("to")) or [fields.get("to")]
    if any(_LEAVE_BOX.search(box.partition("@")[0]) for box in boxes):
        return True
    if rules.shows(Kind.UNSUBSCRIBE, Place.SUBJECT, seen.subject):
        return True
    return rules.shows(Kind.UNSUBSCRIBE, Place.OPENING, seen.opening)
