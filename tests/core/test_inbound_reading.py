"""What mails are, whom they name, and why: the corpus in tests/data/inbound, and single cases.

The corpus is our own writing in each maker's layout, and reports that a real Postfix, Exim and
OpenSMTPD made (`postfix-real-*` and so on), their host names replaced. `unseen-*` and `everyday-*` were written without
regard to the rules, and read once before these were mended. `or_kind` and `also` in an
expectation are readings that are as good.
"""

from __future__ import annotations

import base64
import tomllib
from email.message import EmailMessage
from pathlib import Path

import pytest

from mailout.config.bounce_rules import standard_rules
from mailout.core.inbound.category import Category, Fault, Kind
from mailout.core.inbound.mail import MOST_BYTES, open_mail
from mailout.core.inbound.reason import explain_refusal
from mailout.core.inbound.report import Inbound, known_addresses, read, walk

CORPUS = sorted((Path(__file__).parent.parent / "data" / "inbound").glob("*.eml"))


def told(raw: bytes | str, *known: str) -> Inbound:
    raw = raw.encode() if isinstance(raw, str) else raw
    return walk(raw, standard_rules(), known_addresses(known) if known else None)


def corpus(name: str) -> bytes:
    return next(path for path in CORPUS if path.stem == name).read_bytes()


def letter(subject: str, words: str, sender: str = "anna@example.net", **fields: str) -> bytes:
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = "bulletin@news.example.org"
    mail["Subject"] = subject
    for name, value in fields.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(words)
    return mail.as_bytes()


def test_the_corpus_is_there() -> None:
    assert len(CORPUS) >= 90
    for maker, least in (("postfix", 15), ("exim", 13), ("opensmtpd", 9)):
        assert sum(path.stem.startswith(f"{maker}-real") for path in CORPUS) >= least


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_a_mail_of_the_corpus_is_read_as_expected(path: Path) -> None:
    wanted = tomllib.loads(path.with_suffix(".toml").read_text(encoding="utf-8"))
    found = told(path.read_bytes())
    assert found.kind in (wanted["kind"], *wanted.get("or_kind", ()))
    assert found.original_message_id == wanted.get("original_message_id")
    reports = {report.recipient: report for report in found.reports}
    expected = {report.get("recipient"): report for report in wanted.get("reports", ())}
    assert set(reports) == set(expected)
    for who, report in expected.items():
        for key in set(report) - {"recipient", "also"}:
            others = report.get("also", ()) if key == "category" else ()
            assert getattr(reports[who], key) in (report[key], *others), (who, key)


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_line_ends_and_a_mbox_line_change_nothing(path: Path) -> None:
    raw = path.read_bytes()
    usual = told(raw)
    assert told(raw.replace(b"\n", b"\r\n")) == usual
    assert told(b"From MAILER-DAEMON Thu Nov 12 10:00:00 2026\n" + raw) == usual


def test_known_recipients_are_a_filter_on_candidates() -> None:
    raw = corpus("exim-two")
    assert [report.recipient for report in told(raw, "BERT@example.com").reports] == [
        "BERT@example.com"
    ]
    # The returned mail and the report's own fields name others who are known, too.
    found = told(raw, "anna@example.net", "press@union.example.org", "bounces@news.example.org")
    assert [report.recipient for report in found.reports] == ["anna@example.net"]
    [report] = told(raw, "somebody@example.com").reports
    assert report.recipient is None


def test_a_known_recipient_is_found_behind_a_forwarding() -> None:
    raw = corpus("postfix-timeout").replace(
        b"Final-Recipient: rfc822; anna@example.net", b"Final-Recipient: rfc822; box9@example.com"
    )
    assert told(raw, "anna@example.net").reports[0].recipient == "anna@example.net"


@pytest.mark.parametrize(
    "wrapped",
    [
        "prvs=1234567890=anna@example.net",
        "prvs=anna/1234567890@example.net",
        "SRS0=HHH=TT=example.net=anna@forward.example.com",
        "SRS1=GGG=forward.example.com==HHH=TT=example.net=anna@other.example.com",
        "anna+caf_=box=example.com@example.net",
        "btv1==123456789==anna@example.net",
    ],
)
def test_what_forwarders_did_to_an_address_is_undone(wrapped: str) -> None:
    raw = corpus("unknown-behind-571").replace(
        b"rfc822; anna@example.net", f"rfc822; {wrapped}".encode()
    )
    assert [report.recipient for report in told(raw).reports] == ["anna@example.net"]


def test_ordinary_mail_is_no_bounce() -> None:
    quoted = (
        "Hello, what does this mean?\n\n> This is the mail system at host mx.example.net.\n"
        "> <info@example.org>: host mx said: 550 5.1.1 user unknown\n"
    )
    sermon = (
        "This message was created automatically by mail delivery software. That is how a "
        "bounce begins. Let us see what 550 5.1.1 user unknown means."
    )
    for raw in (
        letter("Re: Undelivered Mail Returned to Sender", quoted),
        letter("Fwd: Mail delivery failed: returning message to sender", quoted),
        letter(
            "Your bulletin was not delivered to me", "Hello, the last message could not be read."
        ),
        letter("Mail delivery failed", sermon, List_Unsubscribe="<https://example.net/u>"),
        letter("My mailbox is full", "Dear friends, please send me the bulletin to another box."),
        letter(
            "Delivery problem", "Hi, the parcels with the leaflets failed to arrive at the hall."
        ),
    ):
        assert told(raw).kind in (Kind.REPLY, Kind.OTHER)
        assert not told(raw).reports


def test_a_bounce_is_about_a_mail() -> None:
    """A mail system's name and a report's words are anybody's: bait has both."""
    daemon = "Mail Delivery System <mailer-daemon@example.net>"
    subject = "Mail delivery failed: returning message to sender"
    lure = "A message could not be delivered, the mailbox is full. See https://example.net/?u={}"
    for words in (
        lure,
        lure.format("anna@example.com"),
        "bulletin@news.example.org: not delivered",
    ):
        assert told(letter(subject, words, daemon)).kind is Kind.OTHER
    named = told(letter(subject, "anna@example.com: could not be delivered", daemon))
    assert [report.recipient for report in named.reports] == ["anna@example.com"]
    returned = (
        "Message could not be delivered.\n\n--- Original message ---\n\n"
        + letter(
            "Bulletin 7",
            "The strike goes on.",
            "bulletin@news.example.org",
            Message_ID="<b7@x.org>",
        ).decode()
    )
    assert told(letter(subject, returned, daemon)).kind is Kind.BOUNCE
    to_us = letter(subject, "A message could not be delivered.", daemon).replace(
        b"To: bulletin@", b"To: bounces+" + b"0123456789abcdef" * 2 + b"@"
    )
    assert told(to_us).kind is Kind.BOUNCE


def test_a_daemon_that_writes_to_a_return_path_bounces_in_any_language() -> None:
    """Nobody else knows that address; and an answer to it is no bounce, whoever writes it."""
    words = "Ma thaineo lorbi: anna@example.com\n\nVelna ost.\n"
    to_us = b"To: bounces+" + b"0123456789abcdef" * 2 + b"@"
    strange = letter("Lorbi ma thaineo", words, "MAILER-DAEMON@mx.example.com")
    assert told(strange).kind is Kind.OTHER
    found = told(strange.replace(b"To: bulletin@", to_us))
    assert (found.kind, found.reports[0].recipient) == (Kind.BOUNCE, "anna@example.com")
    assert found.reports[0].category is Category.UNKNOWN
    away = letter("Out of office", words, "postmaster@mx.example.com", X_Autoreply="yes")
    assert told(away.replace(b"To: bulletin@", to_us)).kind is Kind.AUTO_REPLY


def test_the_small_words_of_one_language_stand_in_words_of_another() -> None:
    words = "Лист не доставлено отримувачу anna@example.com.\nПричина: скринька переповнена.\n"
    [report] = told(letter("Лист не доставлено", words, "MAILER-DAEMON@mx.example.com")).reports
    assert report.recipient == "anna@example.com"


def test_a_person_behind_re_is_no_machine() -> None:
    """Our own subject may be about holidays, and people tell of theirs."""
    raw = letter("Re: Out of work, on holiday without pay", "I was there, too!\n\n> text\n")
    assert told(raw).kind is Kind.REPLY
    raw = letter(
        "Re: Bulletin 7",
        "I am on holiday until Monday, count me in then.\n\nOn Thu, you wrote:\n> Come!\n",
    )
    assert told(raw).kind is Kind.REPLY
    assert told(letter("Stop war", "A poem for the bulletin.")).kind is Kind.REPLY
    assert told(letter("Re: Stop", "I disagree with the headline.")).kind is Kind.UNSUBSCRIBE


def test_action_decides_before_status() -> None:
    raw = corpus("postfix-expired-policy")
    [report] = told(raw).reports
    assert (report.action, report.status, report.permanent) == ("failed", "4.7.1", True)
    delayed = raw.replace(b"Action: failed", b"Action: delayed")
    assert told(delayed).kind is Kind.DELAY
    assert told(delayed).reports[0].category is Category.DELAY
    assert not told(delayed).reports[0].permanent


@pytest.mark.parametrize(
    ("code", "enhanced", "text", "category", "fault", "permanent"),
    [
        (550, "5.1.1", "There is nobody of this name here", "no-mailbox", "address", True),
        (550, "5.4.1", "Recipient address rejected: Access denied", "no-mailbox", "address", True),
        (552, "5.0.0", "The mailbox is full", "mailbox-full", "address", True),
        (554, "5.7.1", "Relay access denied", "relay-denied", "receiver", True),
        (550, "5.1.1", "Blocked, see https://www.spamhaus.org/", "blocked-reputation", "us", True),
        (450, "4.7.1", "Greylisted, come back", "rate-limited", "us", False),
        (450, "4.1.2", "Domain not found", "unreachable", "receiver", False),
        (
            450,
            "",
            "Requested action not taken: mailbox unavailable",
            "receiver-error",
            "receiver",
            False,
        ),
        (550, "", "Requested action not taken: mailbox unavailable", "no-mailbox", "address", True),
        (550, "5.7.1", "", "blocked-policy", "us", True),
        (599, "", "", "unknown", "unknown", True),
    ],
)
def test_a_refusal_goes_through_the_same_rules(
    code: int, enhanced: str, text: str, category: str, fault: str, permanent: bool
) -> None:
    found = explain_refusal(standard_rules(), code, enhanced, text)
    assert (found.category, found.fault, found.permanent) == (category, fault, permanent)


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("", "no-mailbox"),
        ("Error", "no-mailbox"),
        ("Mirabelle crumbs upon the velvet", "unknown"),
        ("host mx.example.net answers: mirabelle crumbs", "unknown"),
    ],
)
def test_a_bare_code_kills_nobody_for_words_that_no_rule_knows(text: str, category: str) -> None:
    """550 is said of blocks as often as of dead addresses; `mx` in a host's name says nothing."""
    assert explain_refusal(standard_rules(), 550, "", text).category == category


@pytest.mark.parametrize(
    "words",
    [
        "anna@example.net님에게 보낸 메일이 반송되었습니다.",
        "收件人anna@example.net不存在",
        "宛先anna@example.netへの配信に失敗しました。",
        "Не доставлено: anna@example.net",
    ],
)
def test_words_of_another_script_may_touch_an_address(words: str) -> None:
    raw = letter("Undelivered Mail Returned to Sender", words, "MAILER-DAEMON@mx.example.com")
    assert [report.recipient for report in told(raw).reports] == ["anna@example.net"]


def test_an_internationalised_address_stays_whole() -> None:
    raw = letter("failure notice", "<анна@почта.example>: user unknown", "MAILER-DAEMON@mx.test")
    assert [report.recipient for report in told(raw).reports] == ["анна@почта.example"]
    raw = letter("failure notice", "<anna@example.рф>: user unknown", "MAILER-DAEMON@mx.test")
    assert [report.recipient for report in told(raw).reports] == ["anna@example.рф"]


def test_every_category_has_a_fault_and_dead_ones_are_the_addresss() -> None:
    for category in Category:
        assert isinstance(category.fault, Fault)
        assert not category.is_dead or category.fault is Fault.ADDRESS
        assert not category.startswith("blocked") or category.fault is Fault.US


def test_a_long_mail_is_cut_before_it_is_read() -> None:
    report = corpus("sendmail-dsn")
    at = report.rindex(b"\n--=_b1--")
    picture = base64.encodebytes(bytes(range(256)) * 9000)
    long = report[:at] + b"\n" + picture + report[at:]
    assert len(long) > 3_000_000
    assert told(long) == told(report)
    assert len(open_mail(long).body) < 2 * MOST_BYTES


def test_what_stands_behind_a_long_returned_mail_is_read() -> None:
    report = corpus("unknown-behind-571").decode()
    head, words, machine, returned, end = report.split("--=_b1")
    long = returned + "x" * 76 * 9000
    found = told("--=_b1".join([head, words, long + "\n", machine, end]))
    assert [(one.recipient, one.category) for one in found.reports] == [
        ("anna@example.net", Category.NO_MAILBOX)
    ]


def test_a_mistake_of_ours_does_not_stop_the_mails_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ValueError

    monkeypatch.setattr("mailout.core.inbound.report.kind_of", broken)
    assert read(corpus("qmail"), standard_rules()) == Inbound(Kind.OTHER, (), None)
