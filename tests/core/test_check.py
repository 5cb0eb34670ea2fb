"""Every rule of the check finds its breach, and nothing in a mail that is as it should be."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailout.core.check.letter import Expected, Letter
from mailout.core.check.looks import contrast_of
from mailout.core.check.rule import Finding, Severity, check, rules_of_messages

TOKEN = "A" * 22
LEAVE = "https://news.example.org/u/"
CHOOSE = f"https://news.example.org/p/{TOKEN}"
EXPECTED = Expected(
    recipient="anna@example.org",
    token=TOKEN,
    language="en",
    direction="ltr",
    sender_domain="news.example.org",
    id_domain="news.example.org",
    host="news.example.org",
    leave_url=LEAVE,
    preferences_url=CHOOSE,
    list_id="bulletin.news.example.org",
    contact="desk@news.example.org",
    postal_address="Harbour Desk\n1 Quay Street",
    why="You get this because you joined the list.",
    now=datetime(2026, 11, 24, 12, 0, tzinfo=UTC),
)
HEADERS = {
    "From": "Harbour Desk <desk@news.example.org>",
    "To": "anna@example.org",
    "Subject": "The strike at the harbour goes on",
    "Date": "Tue, 24 Nov 2026 12:00:00 +0000",
    "Message-ID": "<0123456789abcdef@news.example.org>",
    "List-Id": "The bulletin <bulletin.news.example.org>",
    "List-Unsubscribe": f"<{LEAVE}{TOKEN}>",
    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    "Precedence": "bulk",
    "MIME-Version": "1.0",
}
HEAD = (
    '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    "<title>The strike at the harbour goes on</title>"
)
STORY = (
    "<p>The dockers stopped work on Monday and stay out until their wages are paid.</p><h1>"
    'Harbour</h1><p>Read <a href="https://news.example.org/harbour">what the dockers demand</a>.</p>'
)
FOOTER = (
    "<p>You get this because you joined the list.</p>"
    f'<p><a href="{LEAVE}{TOKEN}">Unsubscribe from this list</a></p>'
    f'<p><a href="{CHOOSE}">Change your language</a></p>'
    "<p>Harbour Desk<br>1 Quay Street</p><p>desk@news.example.org</p>"
)
TEXT = (
    "The dockers stopped work on Monday and stay out until their wages are paid.\n\nHarbour\n\n"
    "Read what the dockers demand <https://news.example.org/harbour>.\n\n"
    "You get this because you joined the list.\n"
    f"Unsubscribe from this list: {LEAVE}{TOKEN}\nChange your language: {CHOOSE}\n"
    "Harbour Desk\n1 Quay Street\ndesk@news.example.org\n"
)


def document(story: str = STORY, head: str = HEAD, footer: str = FOOTER, html: str = "") -> str:
    return html or (
        f'<!DOCTYPE html>\n<html lang="en" dir="ltr"><head>{head}</head><body>\n'
        f'<div lang="en" dir="ltr">{story}{footer}</div></body></html>\n'
    )


def letter(
    headers: Mapping[str, str] | None = None,
    *,
    text: str = TEXT,
    html: str = "",
    expected: Expected = EXPECTED,
    more: str = "",
) -> Letter:
    lines = {**HEADERS, **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value) + more
    parts = []
    for kind, content in (("plain", text), ("html", html or document())):
        packed = base64.encodebytes(content.replace("\n", "\r\n").encode()).decode()
        parts.append(
            f"--x\r\nContent-Type: text/{kind}; charset=utf-8\r\n"
            f"Content-Transfer-Encoding: base64\r\n\r\n{packed}".replace("\n", "\r\n").replace(
                "\r\r", "\r"
            )
        )
    body = "".join(parts) + "--x--\r\n"
    kind = 'Content-Type: multipart/alternative; boundary="x"\r\n'
    return Letter((head + kind + "\r\n" + body).encode("utf-8", "surrogateescape"), expected)


def found(one: Letter) -> dict[str, Finding]:
    return {finding.rule: finding for finding in check(one)}


def test_a_mail_as_it_should_be_has_no_findings() -> None:
    assert check(letter()) == []


HEADER_BREACHES = {
    "H02": [{"From": "x@gmail.com"}, {"From": "Desk <x@other.example>"}, {"From": "a@news.example.org, b@news.example.org"}],
    "H03": [{"To": "anna@example.org, boris@example.org"}, {"To": "boris@example.org"}, {"Cc": "boris@example.org"}],
    "H04": [{"Message-ID": "<1@laptop.local>"}, {"Message-ID": "<anna.1@news.example.org>"}, {"Message-ID": "x"}],
    "H05": [{"Date": "Tue, 24 Nov 2026 13:00:00 +0100"}, {"Date": "Tue, 24 Nov 2026 11:00:00 +0000"}, {"Date": "soon"}],
    "H06": [{"Subject": "a\u202eb"}, {"Subject": "=?utf-8?q?x=0D=0ABcc=3A_evil?="}, {"Subject": "a\x01b"}],
    "H07": [
        {"List-Unsubscribe": f"<http://news.example.org/u/{TOKEN}>"},
        {"List-Unsubscribe": f"<mailto:x@example.org>, <{LEAVE}{TOKEN}>"},
        {"List-Unsubscribe": "=?utf-8?q?x?="},
        {"List-Unsubscribe": f"<https://evil.example/u/{TOKEN}>"},
    ],
    "H08": [{"List-Unsubscribe-Post": "One-Click"}, {"List-Unsubscribe-Post": ""}],
    "H09": [{"List-Unsubscribe": f"<{LEAVE}{'B' * 22}>"}],
    "H10": [
        {"DKIM-Signature": "v=1; d=news.example.org; h=from:to:subject"},
        {"DKIM-Signature": "v=1; d=other.example; h=from:from"},
    ],
    "H11": [{"List-Id": "bulletin.news.example.org"}, {"List-Id": "x <unions.news.example.org>"}],
    "H12": [{"Precedence": ""}],
    "H13": [{"Feedback-ID": "a:b:c:d:harbour"}, {"Feedback-ID": "x"}, {"Feedback-ID": f"{TOKEN}:harbour"}],
    "H14": [{"From": "Re: you <desk@news.example.org>"}, {"From": '"www.example.org" <desk@news.example.org>'}],
    "H15": [{"Subject": "HELP US NOW PLEASE"}, {"Subject": "Re: the strike"}, {"Subject": "Help now!!"}, {"Subject": "x" * 151}],
    "H17": [{"X-Mailer": "x"}, {"Received": "from laptop"}],
    "H01": [{"X-Evil": "x"}, {"Message-ID": ""}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "headers"),
    [(rule, one) for rule, several in HEADER_BREACHES.items() for one in several],
)
def test_a_header_that_is_not_as_it_should_be(rule: str, headers: dict[str, str]) -> None:
    assert rule in found(letter(headers))


def test_a_header_that_stands_there_twice() -> None:
    assert "H01" in found(letter(more="List-Unsubscribe: <https://evil.example>\r\n"))


HTML_BREACHES = {
    "B01": [document().replace("<!DOCTYPE html>", "<!doctype html>")],
    "B02": [
        document().replace('<html lang="en"', "<html"),
        document().replace('<div lang="en" dir="ltr">', "<div>"),
        document().replace('dir="ltr"', 'dir="rtl"'),
    ],
    "B03": [document(head="<title>x</title>"), document(head=HEAD.replace("The strike at the harbour goes on", ""))],
    "B04": [
        document(STORY + "<script>1</script>"),
        document(STORY + '<p onclick="x()">dockers</p>'),
        document(STORY + '<a href="javascript:x()">dockers</a>'),
        document(STORY + "<form></form>"),
        document(head=HEAD + "<style>@import 'https://news.example.org/x.css';</style>"),
        document(head=HEAD + "<style>@IMPORT 'https://news.example.org/x.css';</style>"),
        document(head=HEAD + "<!--[if mso]><style>@\\69 mport 'x.css';</style><![endif]-->"),
    ],
    "B05": [
        document(STORY + "<table><tr><td>dockers</td></tr></table>"),
        document(STORY + '<table role="presentation"><tr><th>dockers</th></tr></table>'),
        document(STORY + "<table><tr><th>dockers</th></tr></table>"),
    ],
    "B06": [
        document(STORY + '<img src="https://news.example.org/x.png" width="9">'),
        document(STORY + '<img src="https://news.example.org/x.png" alt="x">'),
        document(STORY + '<a href="https://news.example.org/harbour"><img src="https://news.example.org/x.png" alt="" width="9"></a>'),
        document(STORY + '<img src="http://news.example.org/x.png" alt="x" width="9">'),
    ],
    "B07": [
        document(STORY + '<img src="https://news.example.org/x.png" alt="" width="1">'),
        document(STORY + f'<a href="https://news.example.org/harbour?r={TOKEN}">dockers</a>'),
    ],
    "B08": [
        document(STORY + '<img src="https://cdn.example.com/x.png" alt="" width="99">'),
        document(head=HEAD + "<style>@font-face { src: url(https://fonts.gstatic.com/x) }</style>"),
        document(STORY + '<p style="background: URL(https://cdn.example.com/x.png)">dockers</p>'),
        document(head=HEAD + "<style>p { background: u\\72l(//cdn.example.com/x) }</style>"),
    ],
    "B09": [
        document(STORY + '<a href="#">dockers</a>'),
        document(STORY + '<a href="harbour.html">dockers</a>'),
        document(STORY + "<p>{{ name }}</p>"),
        document(STORY + '<a href="https://user:word@news.example.org/">dockers</a>'),
        document(STORY + '<a href="http://localhost/">dockers</a>'),
    ],
    "B10": [document(STORY + '<a href="https://evil.example/x">www.news.example.org</a>')],
    "B11": [
        document(STORY + '<a href="https://bit.ly/x">dockers</a>'),
        document(STORY + '<a href="http://news.example.org/harbour">dockers</a>'),
        document(STORY + '<a href="https://192.0.2.1/x">dockers</a>'),
        document(STORY + '<a href="https://nеws.example.org/x">dockers</a>'),
    ],
    "B12": [
        document(STORY + '<a href="https://news.example.org/harbour">here</a>'),
        document(STORY + '<a href="https://news.example.org/harbour"></a>'),
        document(STORY + '<a href="https://news.example.org/harbour">dockers</a> <a href="https://news.example.org/harbour">wages</a>'),
    ],
    "B13": [
        document(STORY + '<p style="color: #999999">dockers</p>'),
        document(STORY + '<p style="color:#fff">dockers</p>'),
        document(STORY + '<p style="font-size: 11px">dockers</p>'),
        document(STORY + '<p style="line-height: 1.1">dockers</p>'),
    ],
    "B14": [
        document(STORY + "<h1>dockers</h1>"),
        document(STORY + "<h3>dockers</h3>"),
        document(STORY + "dockers<br><br>wages"),
    ],
    "B15": [
        document(STORY + '<p style="opacity: 0">dockers</p>'),
        document(STORY + '<p style="color: #ffffff">dockers</p>'),
        document(STORY + '<p style="display:none">dockers</p><p style="display:none">wages</p>'),
    ],
    "B16": [document("<p>Hello</p>" + STORY), document("<p>The strike at the harbour goes on</p>" + STORY)],
    "B17": [
        document(STORY + '<table role="presentation" width="700"><tr><td>dockers</td></tr></table>'),
        document(STORY + "<!--[if mso]><p>x</p>"),
    ],
    "B18": [
        document(head=HEAD + f"<style>/*{'x' * 16_100}*/</style>"),
        document(head=HEAD + "<style>@media print { p { margin: 0 } @media screen { p { margin: 0 } } }</style>"),
    ],
    "B19": [document(STORY + '<p style="display: flex">dockers</p>'), document(STORY + '<p style="color: var(--x)">dockers</p>')],
    "B20": [document(STORY + '<img src="https://news.example.org/x.png" alt="x" width="99">' * 5)],
    "B21": [document(STORY + "<div>" * 260 + "dockers" + "</div>" * 260)],
    "C01": [document(footer=FOOTER.replace("1 Quay Street", "")), document(footer=FOOTER.replace("desk@news", "info@news"))],
    "M03": [document(STORY + "<p>dockers stay out</p>" * 6000)],
    "M05": [document(STORY + "<p>dockers \ufffd</p>"), document(STORY + "<p>Ð\u00a0Ñ\u0082</p>"), document(STORY + "<p>donâ€™t</p>")],
    "T02": [document(STORY + "<p>Unrelated sentences nobody finds anywhere else today</p>")],
    "T03": [document(STORY + '<a href="https://news.example.org/wages">dockers</a>')],
}  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "html"), [(rule, one) for rule, several in HTML_BREACHES.items() for one in several]
)
def test_html_that_is_not_as_it_should_be(rule: str, html: str) -> None:
    assert rule in found(letter(html=html))


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("T01", TEXT.replace(f"{LEAVE}{TOKEN}", f"{LEAVE}\n{TOKEN}")),
        ("T01", TEXT.replace(CHOOSE, "")),
        (
            "T02",
            TEXT + "Many more sentences stand here which nobody has ever seen before them\n" * 3,
        ),
        ("T04", TEXT + "1986\\. A year\n"),
        ("T04", TEXT + "![picture](x)\n"),
        ("T04", TEXT + "They stay out[^1].\n"),
        ("M01", "  "),
    ],
)
def test_text_that_is_not_as_it_should_be(rule: str, text: str) -> None:
    assert rule in found(letter(text=text))


def test_bytes_that_are_not_as_they_should_be() -> None:
    fine = letter().raw
    assert "M02" in found(Letter(fine + b"x" * 1000 + b"\r\n", EXPECTED))
    assert "M02" in found(Letter(fine.replace(b"--x--\r\n", b"--x--\n"), EXPECTED))
    assert "M02" in found(Letter(fine.replace(b"--x--", b"\xd0\x96--x--"), EXPECTED))
    attached = b"--x\r\nContent-Disposition: attachment; filename=a.%b\r\n\r\nabcd\r\n--x--"
    pdf = found(Letter(fine.replace(b"--x--", attached % b"pdf"), EXPECTED))["M04"]
    exe = found(Letter(fine.replace(b"--x--", attached % b"exe"), EXPECTED))["M04"]
    assert (pdf.severity, exe.severity) == (Severity.WARN, Severity.REFUSE)
    clipped = check(letter(html=document(STORY + "<p>dockers stay out</p>" * 6000)))
    assert ("M03", Severity.REFUSE) in {(one.rule, one.severity) for one in clipped}


def test_every_rule_has_a_breach_in_this_file() -> None:
    tried = {*HEADER_BREACHES, *HTML_BREACHES, "T01", "T04", "M01", "M02", "M04"}
    assert tried == {rule.id for rule in rules_of_messages()}


def test_a_site_on_this_machine_is_not_refused_for_that() -> None:
    there = "http://127.0.0.1:8080"
    local = replace(
        EXPECTED, host="127.0.0.1", leave_url=f"{there}/u/", preferences_url=f"{there}/p/{TOKEN}", is_loopback=True
    )  # fmt: skip
    here = "https://news.example.org"
    one = letter(
        {"List-Unsubscribe": f"<{there}/u/{TOKEN}>"},
        text=TEXT.replace(f"{here}/u", f"{there}/u").replace(f"{here}/p", f"{there}/p"),
        html=document().replace(f"{here}/u", f"{there}/u").replace(f"{here}/p", f"{there}/p"),
        expected=local,
    )
    assert {finding.rule: finding.severity for finding in check(one)} == {
        "B09": Severity.NOTE, "H07": Severity.NOTE,
    }  # fmt: skip


def test_contrast_is_as_the_standard_counts_it() -> None:
    assert contrast_of((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast_of((0x76, 0x76, 0x76), (255, 255, 255)) == pytest.approx(4.54, abs=0.01)


@given(st.text(max_size=400), st.text(max_size=200))
@example("\r", "")
def test_no_html_and_no_text_breaks_the_check(html: str, text: str) -> None:
    check(letter(html=document(html), text=text))
    check(letter(html=html or "x", text=text))


@given(st.binary(max_size=600))
def test_no_bytes_break_the_check(raw: bytes) -> None:
    check(Letter(raw, EXPECTED))


def test_words_with_a_dot_are_no_addresses() -> None:
    for shown in ("report.pdf", "24.11.2026", "3.5", "Node.js", "ver.di"):
        story = STORY + f'<p>dockers <a href="https://news.example.org/harbour">{shown}</a></p>'
        assert "B10" not in found(letter(html=document(story))), shown
    for shown in ("https://www.bank.example/x", "www.bank.example", "bank.org"):
        story = STORY + f'<a href="https://news.example.org/harbour">{shown}</a>'
        assert "B10" in found(letter(html=document(story))), shown


def test_a_finding_holds_no_way_off_the_list() -> None:
    broken = letter(html=document(STORY + f'<a href="https://x.example/?r={TOKEN}">dockers</a>'))
    assert found(broken)["B07"].severity is Severity.REFUSE
    assert all(TOKEN not in one.what + one.clue + one.fix for one in check(broken))


def test_a_port_sibling_domains_apps_and_braces_of_styles_are_no_breach() -> None:
    there = "https://news.example.org:8443/u/"
    moved = replace(EXPECTED, leave_url=there)
    one = letter(
        {"List-Unsubscribe": f"<{there}{TOKEN}>"},
        text=TEXT.replace(LEAVE, there),
        html=document(
            STORY + '<a href="sms:+49">dockers</a>',
            HEAD + "<style>@media print{.x{margin:0}}</style>",
        ).replace(LEAVE, there),
        expected=moved,
    )
    assert check(one) == []
    sibling = replace(EXPECTED, sender_domain="mail.example.org")
    assert "H02" not in found(letter(expected=sibling))


def test_the_lines_of_the_address_need_not_stand_together() -> None:
    footer = FOOTER.replace("Harbour Desk<br>1 Quay Street", "1 Quay Street</p><p>Harbour Desk")
    assert check(letter(html=document(footer=footer))) == []
