"""The catcher's inbox: every part of a mail can be seen, and none of it can act."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from email.message import EmailMessage

import httpx
import pytest

from mailout.smtp.catcher import Catcher
from mailout.web.inbox import make_inbox
from newcomers import browsing

EVIL = '<script>alert("x")</script>\'"&'


@pytest.fixture
def catcher() -> Iterator[Catcher]:
    with Catcher() as catcher:
        yield catcher


@pytest.fixture
def client(catcher: Catcher) -> Iterator[httpx.Client]:
    with browsing(make_inbox(catcher)) as client:
        yield client


def send(catcher: Catcher, content: bytes, to: str = "anna@example.org") -> None:
    with smtplib.SMTP("127.0.0.1", catcher.port, "client.example.org") as smtp:
        smtp.sendmail("bounces+1@example.org", [to], content)


def bulletin(subject: str = "Забастовка в порту") -> bytes:
    message = EmailMessage()
    message["From"] = "Bulletin <news@example.org>"
    message["To"] = "anna@example.org"
    message["Subject"] = subject
    message["List-Unsubscribe"] = "<https://example.org/u/abc>, <mailto:leave@example.org>"
    message.set_content("Солидарность & text")
    message.add_alternative(f"<h1>Солидарность</h1>{EVIL}<img src=cid:1>", subtype="html")
    return message.as_bytes()


def test_an_empty_inbox(client: httpx.Client) -> None:
    answer = client.get("/")
    assert answer.status_code == 200
    assert "0 messages" in answer.text


def test_a_message_in_all_its_forms(catcher: Catcher, client: httpx.Client) -> None:
    send(catcher, bulletin())
    listed = client.get("/").text
    assert "Забастовка в порту" in listed
    assert "anna@example.org" in listed
    assert "Bulletin &lt;news@example.org&gt;" in listed
    page = client.get("/messages/1").text
    for part in ("Солидарность &amp; text", "bounces+1@example.org", "List-Unsubscribe", "sandbox"):
        assert part in page
    assert 'href="https://example.org/u/abc"' in page
    assert "<h1>Солидарность</h1>" in client.get("/messages/1/html").text
    source = client.get("/messages/1/source")
    assert source.headers["content-type"].startswith("text/plain")
    assert "Content-Type: multipart/alternative" in source.text


def test_nothing_in_a_mail_can_act(catcher: Catcher, client: httpx.Client) -> None:
    send(
        catcher,
        b"From: " + EVIL.encode() + b"\r\nTo: " + EVIL.encode() + b"\r\nSubject: " + EVIL.encode()
        + b"\r\nX-Evil: " + EVIL.encode()
        + b"\r\nList-Unsubscribe: <javascript:alert(1)>\r\n\r\n" + EVIL.encode(),
    )  # fmt: skip
    send(catcher, bulletin())
    for path in ("/", "/messages/1", "/messages/2"):
        answer = client.get(path)
        assert "<script" not in answer.text
        assert 'href="javascript' not in answer.text
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert "unsafe" not in policy
    framed = client.get("/messages/2/html").headers["content-security-policy"]
    assert "default-src 'none'" in framed
    assert framed.endswith("sandbox")
    assert client.get("/messages/2/html").headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\0 nonsense",
        b"Subject: =?utf-9?q?x?=\r\n\r\nx",
        b"Subject: =?utf-8?b?////?=\r\nContent-Type: text/html; charset=nonsense\r\n\r\n\xff",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n--x\r\n",
        b"Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!",
        b"Subject: folded\r\n\tover lines\r\n\r\n",
        "Subject: Сырой\r\n\r\nтекст".encode(),
    ],
)
def test_a_broken_message_is_shown(catcher: Catcher, client: httpx.Client, content: bytes) -> None:
    send(catcher, content)
    for path in ("/", "/messages/1", "/messages/1/html", "/messages/1/source"):
        assert client.get(path).status_code == 200, path


def test_pages_of_fifty(catcher: Catcher, client: httpx.Client) -> None:
    for number in range(60):
        send(catcher, b"Subject: letter %d\r\n\r\nx" % (number + 1))
    first = client.get("/").text
    assert "letter 60<" in first
    assert "letter 10<" not in first
    assert '/?before=11"' in first
    second = client.get("/?before=11").text
    assert "letter 10<" in second
    assert "letter 11<" not in second
    assert '/?before=61"' in second
    assert "letter 60<" in client.get("/?before=nonsense").text


def test_what_is_not_there(client: httpx.Client) -> None:
    for path in ("/messages/1", "/messages/1/html", "/messages/x", "/docs", "/messages/-1"):
        assert client.get(path).status_code == 404


def test_answers_under_a_name_of_this_machine_only(client: httpx.Client) -> None:
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 421
    assert client.get("/", headers={"Host": "localhost:8025"}).status_code == 200
