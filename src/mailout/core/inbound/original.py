"""The returned mail: where it begins in a text, and what its head says.

Most bounces return the mail as a part of its own; the others put it below their own words, under
a line of dashes or under nothing at all.
"""

from __future__ import annotations

import re

from mailout.core.inbound.charset import decode_text
from mailout.core.inbound.mail import Fields, Mail, Part, fields_of

_DASHED = re.compile(
    r"(?mi)^[>\s]{0,4}[-=_*#]{2,80}[ \t]{0,4}(?:[^\n]{0,50}\b)?(?:"
    r"original(?:e|ed)? (?:message|mail|e-mail)|original message follows|returned message"
    r"|returned mail"
    r"|copy of (?:the|your) message|below this line|enclosed is a copy|unsent message"
    r"|message header"
    r"|(?:original|undelivered|message) (?:message )?(?:header|text|body"
    r"|contents?)s? (?:follows?|below)?"
    r"|message follows|header follows|received message|undelivered message|message contents?"
    r"|forwarded message|begin (?:returned )?message|ursprüngliche (?:nachricht|mail)"
    r"|(?:das )?original(?:nachricht|mail)|message d'origine|message original|mensaje original"
    r"|messaggio originale|mensagem original|oryginalna wiadomość|oorspronkelijk bericht"
    r"|исходное (?:сообщение|письмо)|оригинал|копия (?:письма|сообщения)"
    r"|原始邮件|原邮件|元のメッセージ|オリジナル)"
)
_PLAIN = re.compile(
    r"(?mi)^[ \t]{0,4}(?:below is a copy of the original message"
    r"|original (?:message|mail) follows\.?|the original message (?:follows"
    r"|was attached)"
    r"|(?:your|the) (?:original )?(?:message|mail)(?: \w{1,12})? (?:follows|is attached"
    r"|is enclosed)"
    r"|(?:returned|original|undelivered) message(?: header)?s?(?: follows?)?"
    r"|message headers? follows?|original headers?|returned headers?|the (?:header"
    r"|first \d{1,5} lines|message text)"
    r"[^\n]{0,40}(?:follows?|is as follows|below)|die ursprüngliche nachricht"
    r"|original message headers"
    r"|заголовки (?:письма|сообщения)|received message|原邮件信息)[ \t]{0,3}[:.]{0,3}[ \t]{0,3}$"
)
_HEAD_LINE = re.compile(
    r"(?mi)^(?:received|return-path|delivered-to|dkim-signature|mime-version|message-id"
    r"|x-[\w-]{2,40}"
    r"|content-type|reply-to|list-[\w-]{2,30}|from|to|date|subject):[ \t]"
)
_SURE = re.compile(r"(?mi)^(?:received|return-path|message-id|mime-version|dkim-signature):[ \t]")
_MESSAGE_ID = re.compile(r"<[^<>\s@]{1,250}@[^<>\s]{1,250}>")
_MAIL_WORD = (
    r"(?:message|nachricht\w{0,2}|bericht|mensaje|mensagem|messaggio|wiadomości|сообщени\w|письм\w"
    r"|e-?mail|mail|meddelande|邮件|信件|郵件|消息|メッセージ|メール)"
)
_ID_WORD = r"(?:id\b|identifi\w{2,6}|идентификатор|标识|編號|编号|識別)"
_SAID_ID = re.compile(
    rf"(?i)(?:{_MAIL_WORD}[- ]{{0,2}}{_ID_WORD}"
    rf"|\b{_ID_WORD}[^\n<]{{0,12}}{_MAIL_WORD})[^\n<]{{0,30}}"
    rf"({_MESSAGE_ID.pattern})"
)
_REASON_LINE = re.compile(
    r"(?mi)^[ \t]{0,4}(?:(?:bounce |failure |error )?reason|error|(?:fehler)?grund|fehler"
    r"|motif|raison|motivo|причина|ошибка|powód|reden|退信原因|失败原因|失敗原因|原因|エラー|理由)"
    r"\w{0,12}[ \t]{0,3}[:：]"
)
_QUOTED = re.compile(r"(?m)^[>|][> |]{0,8}[^\n]*$")


def split_text(text: str) -> tuple[str, str]:
    """The words of a text before the returned mail, and the returned mail; either may be empty."""
    head = _head_start(text)
    marks = (found.start() for found in (_DASHED.search(text), _PLAIN.search(text)) if found)
    # Some name what was in the mail under such a line, and below that why it came back.
    starts = [
        at for at in marks if head is not None or not _REASON_LINE.search(text[at : at + 900])
    ]
    if head is not None:
        starts.append(head)
    at = min((start for start in starts if text[:start].strip()), default=len(text))
    return text[:at], text[at:]


def _head_start(text: str) -> int | None:
    """Where the head of a mail stands in a text: three fields or more on lines close together."""
    lines = list(_HEAD_LINE.finditer(text))[:60]
    for number, line in enumerate(lines):
        following = lines[number + 1 : number + 4]
        if len(following) >= 2 and following[1].start() - line.start() < 1500:
            stretch = text[line.start() : line.start() + 3000]
            if _SURE.search(stretch):
                return line.start()
    return None


def returned_head(mail: Mail, below: str) -> Fields:
    """The header fields of what a report returns; empty if it returns nothing.

    `below` is what stands below its own words.
    """
    for part in mail.attached:
        fields = fields_of(_head(part))
        if fields.by_name:
            return fields
    if below:
        start = _HEAD_LINE.search(
            unindented := re.sub(r"(?m)^[> \t]{1,8}(?=\w[\w-]{1,40}: )", "", below)
        )
        if start:
            return fields_of(unindented[start.start() :].split("\n\n", 1)[0])
    return Fields({})


def _head(part: Part) -> str:
    text = decode_text(part.body[: 64 * 1024]).lstrip("\n")
    if text.startswith(("From ", ">From ")):
        text = text.partition("\n")[2]
    return text.replace("\r\n", "\n").split("\n\n", 1)[0]


def original_message_id(mail: Mail, head: Fields, words: str) -> str | None:
    """The Message-ID of the mail that a report is about, in its angle brackets; None if not told.

    From the head that is returned, else from the words, else from In-Reply-To or the last of
    References.
    """
    for name in ("message-id", "x-original-message-id", "original-message-id"):
        if found := _MESSAGE_ID.search(head.get(name)):
            return found[0]
    if said := _SAID_ID.search(words):
        return said[1]
    for name in ("original-message-id", "x-original-message-id", "in-reply-to", "references"):
        every = _MESSAGE_ID.findall(mail.fields.get(name)[-2000:])
        if every:
            return str(every[-1])
    return None


def unquoted(text: str) -> str:
    """A text without what it quotes of another mail line by line."""
    return _QUOTED.sub("", text)
