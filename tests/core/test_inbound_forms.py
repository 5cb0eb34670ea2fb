"""The same report in many forms: encodings, charsets, boundaries that are wrong, parts in any order."""

from __future__ import annotations

import base64
import quopri

import pytest

from mailout.config.bounce_rules import standard_rules
from mailout.core.inbound.category import Category, Kind
from mailout.core.inbound.report import Inbound, Report, walk

HEAD = (
    "From: Mail Delivery System <MAILER-DAEMON@mx.example.com>\nTo: bounces@news.example.org\n"
    "Subject: Undelivered Mail Returned to Sender\nMIME-Version: 1.0\n"
)
FIELDS = (
    "Reporting-MTA: dns; mx\n\nFinal-Recipient: rfc822; anna@example.net\nAction: failed\n"
    "Status: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 user unknown\n"
)
LETTER = (
    "Received: from news.example.org\nMessage-ID: <b7@news.example.org>\n"
    "From: Bulletin <bulletin@news.example.org>\nTo: anna@example.net\nSubject: Bulletin 7\n\n"
    "The strike goes on.\n"
)
WORDS = "Content-Type: text/plain\n\nIt failed.\n"
MACHINE = f"Content-Type: message/delivery-status\n\n{FIELDS}"
RETURNED = f"Content-Type: message/rfc822\n\n{LETTER}"
REPORT = 'Content-Type: multipart/report; report-type=delivery-status; boundary="B"\n'


def told(raw: str | bytes) -> Inbound:
    return walk(raw.encode() if isinstance(raw, str) else raw, standard_rules())


def mail(*parts: str, head: str = HEAD + REPORT) -> str:
    return head + "\n" + "".join(f"--B\n{part}\n" for part in parts) + "--B--\n"


def encoded(kind: str, how: str, text: str) -> str:
    raw = text.encode()
    body = base64.encodebytes(raw) if how == "base64" else quopri.encodestring(raw)
    return f"Content-Type: {kind}\nContent-Transfer-Encoding: {how}\n\n{body.decode()}"


WHOLE = mail(WORDS, MACHINE, RETURNED)
INSIDE = WHOLE.removeprefix(HEAD)


@pytest.mark.parametrize(
    "raw",
    [
        WHOLE,
        mail(RETURNED, WORDS, MACHINE),
        mail(WORDS, encoded("message/delivery-status", "base64", FIELDS), RETURNED),
        mail(WORDS, encoded("message/delivery-status", "quoted-printable", FIELDS), RETURNED),
        mail(WORDS, MACHINE, encoded("message/rfc822", "base64", LETTER)),
        mail(WORDS, MACHINE, "Content-Type: text/rfc822-headers\n\n" + LETTER.split("\n\n")[0]),
        WHOLE.replace("--B--\n", ""),
        WHOLE.replace('boundary="B"', 'boundary="C"'),
        WHOLE.replace('; boundary="B"', ';\n\tboundary = "B" ; x=y'),
        WHOLE.replace(REPORT, "").replace("MIME-Version: 1.0\n", ""),
        WHOLE.replace("multipart/report", "multipart/mixed"),
        WHOLE.replace("message/delivery-status", "MESSAGE/Delivery-Status; name=x"),
        WHOLE.replace("message/delivery-status", "message/global-delivery-status"),
        WHOLE.replace("rfc822; anna@example.net", "rfc822;<anna@example.net>"),
        WHOLE.replace("rfc822; anna@example.net", "anna@example.net"),
        WHOLE.replace("rfc822; anna@example.net", "x-x400; /C=us/S=anna"),
        f"{HEAD}Content-Type: multipart/mixed; boundary=O\n\n--O\n{INSIDE}\n--O--\n",
    ],
)
def test_a_notification_in_any_form_says_the_same(raw: str) -> None:
    words = ("5.1.1", Category.NO_MAILBOX, True, "550 5.1.1 user unknown")
    report = Report("anna@example.net", "failed", *words)
    assert told(raw) == Inbound(Kind.BOUNCE, (report,), "<b7@news.example.org>")


@pytest.mark.parametrize("how", ["8bit", "base64", "quoted-printable"])
@pytest.mark.parametrize(
    ("charset", "words"),
    [
        ("koi8-r", "Почтовый ящик переполнен"),
        ("windows-1251", "Почтовый ящик переполнен"),
        ("utf-8", "Das Postfach ist voll"),
        ("gb2312", "收件人邮箱已满"),
        ("big5", "收件人信箱已滿"),
        ("iso-2022-jp", "メールボックスの容量が超過しています"),
        ("shift_jis", "メールボックスの容量が超過しています"),
        ("euc-jp", "メールボックスの容量が超過しています"),
        ("euc-kr", "받는 사람의 메일함이 가득 찼습니다"),
        ("iso-8859-2", "Skrzynka odbiorcy jest pełna"),
        ("iso-8859-9", "Alıcının posta kutusu dolu"),
    ],
)
def test_words_are_read_in_any_charset(charset: str, words: str, how: str) -> None:
    body = f"<anna@example.net>:\n{words}\n".encode(charset)
    if how != "8bit":
        body = base64.encodebytes(body) if how == "base64" else quopri.encodestring(body)
    fields = f"Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: {how}\n\n"
    [report] = told((HEAD + fields).encode() + body).reports
    assert (report.recipient, report.category) == ("anna@example.net", Category.MAILBOX_FULL)


@pytest.mark.parametrize("charset", ["koi8-r", "windows-1251"])
def test_a_charset_that_nobody_names_is_guessed(charset: str) -> None:
    words = "<anna@example.net>:\nПочтовый ящик получателя переполнен, письмо не доставлено.\n"
    [report] = told((HEAD + "\n").encode() + words.encode(charset)).reports
    assert report.category is Category.MAILBOX_FULL


@pytest.mark.parametrize(
    ("said", "category"),
    [
        ("abuse", "complaint"),
        ("Fraud", "complaint"),
        ("other", "complaint"),
        ("opt-out", "unsubscribe"),
        ("auth-failure", None),
        ("not-spam", None),
    ],
)
@pytest.mark.parametrize(
    "outer", ["multipart/report; report-type=feedback-report", "multipart/mixed"]
)
def test_a_feedback_report(said: str, category: str | None, outer: str) -> None:
    machine = f"Content-Type: message/feedback-report\n\nFeedback-Type: {said}\nVersion: 1\n"
    head = f"From: fbl@example.com\nSubject: FW: Bulletin\nContent-Type: {outer}; boundary=B\n"
    found = told(mail(WORDS, machine, RETURNED, head=head))
    assert (found.kind, found.original_message_id) == (Kind.FEEDBACK, "<b7@news.example.org>")
    assert [one.category for one in found.reports] == ([category] if category else [])
