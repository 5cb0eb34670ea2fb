"""The catching server: what it keeps, whom it refuses, and how it fails when told to."""

from __future__ import annotations

import smtplib
import socket
import threading
from email.message import EmailMessage

import pytest

from mailout.smtp.catcher import Catcher, Faults

MESSAGE = b"From: a@example.org\r\nTo: b@example.org\r\nSubject: Hi\r\n\r\nHello\r\n..dot\r\n"


def connect(catcher: Catcher, timeout: float = 10) -> smtplib.SMTP:
    return smtplib.SMTP("127.0.0.1", catcher.port, "client.example.org", timeout=timeout)


def test_keeps_what_was_sent() -> None:
    with Catcher() as catcher, connect(catcher) as client:
        client.sendmail("news@example.org", ["anna@example.org"], MESSAGE)
        [caught] = catcher.messages
        assert caught.number == 1
        assert caught.sender == "news@example.org"
        assert caught.recipients == ("anna@example.org",)
        assert caught.content == MESSAGE
        assert caught.at.tzinfo is not None
        assert catcher.message(1) == caught
        assert catcher.message(2) is None
        catcher.clear()
        assert catcher.messages == []


def test_greets_under_a_neutral_name_and_offers_what_is_needed() -> None:
    with Catcher() as catcher, connect(catcher) as client:
        client.ehlo()
        said = client.ehlo_resp.decode()
        assert said.splitlines()[0] == "catcher.example.org"
        for feature in ("8bitmime", "smtputf8", "pipelining", "enhancedstatuscodes", "size"):
            assert client.has_extn(feature)
        assert not client.has_extn("auth")
        assert "aiosmtpd" not in said.lower()


def test_tells_nobody_who_exists() -> None:
    rules = {"nobody@example.org": "550 5.1.1 no such person here"}
    with Catcher(rules=rules) as catcher, connect(catcher) as client:
        client.ehlo()
        assert client.verify("nobody@example.org") == client.verify("anna@example.org")


def test_refuses_by_domain_and_by_address() -> None:
    rules = {
        "gone.example.org": "550 5.1.1 no such person here",
        "full@example.org": "452 4.2.2 mailbox full",
        "kept@gone.example.org": "250 2.1.5 OK",
    }
    with Catcher(rules=rules) as catcher, connect(catcher) as client:
        client.ehlo()
        client.mail("news@example.org")
        assert client.rcpt("Anna@GONE.example.org") == (550, b"5.1.1 no such person here")
        assert client.rcpt("full@example.org") == (452, b"4.2.2 mailbox full")
        assert client.rcpt("anna@example.org")[0] == 250
        client.quit()


def test_refuses_after_the_body() -> None:
    data_rules = {"example.org": "554 5.7.1 looks like spam"}
    with Catcher(data_rules=data_rules) as catcher, connect(catcher) as client:
        with pytest.raises(smtplib.SMTPDataError, match="looks like spam"):
            client.sendmail("news@example.org", ["anna@example.org"], MESSAGE)
        assert catcher.messages == []


def test_takes_unicode_addresses_and_eight_bits() -> None:
    message = EmailMessage()
    message["From"] = "news@example.org"
    message["To"] = "анна@example.org"
    message["Subject"] = "Забастовка"
    message.set_content("Солидарность", cte="8bit")
    with Catcher() as catcher, connect(catcher) as client:
        client.send_message(message)
        [caught] = catcher.messages
        assert caught.recipients == ("анна@example.org",)
        assert "Солидарность".encode() in caught.content


def test_keeps_no_more_than_it_may() -> None:
    with Catcher(most_kept=2) as catcher, connect(catcher) as client:
        for _ in range(5):
            client.sendmail("news@example.org", ["anna@example.org"], MESSAGE)
        assert [caught.number for caught in catcher.messages] == [4, 5]
        assert catcher.accepted == 5


@pytest.mark.parametrize("moment", ["mail", "data", "body", "end"])
def test_hangs_up_once_and_then_works(moment: str) -> None:
    with Catcher(faults=Faults(close=moment, times=1)) as catcher:
        with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
            connect(catcher).sendmail("news@example.org", ["anna@example.org"], MESSAGE)
        assert catcher.messages == []
        with connect(catcher) as client:
            client.sendmail("news@example.org", ["anna@example.org"], MESSAGE)
        assert len(catcher.messages) == 1


@pytest.mark.parametrize("moment", ["mail", "data", "body", "end"])
def test_hangs_without_an_answer(moment: str) -> None:
    with (
        Catcher(faults=Faults(hang=moment)) as catcher,
        pytest.raises((TimeoutError, smtplib.SMTPServerDisconnected)),
    ):
        connect(catcher, timeout=0.3).sendmail("n@example.org", ["anna@example.org"], MESSAGE)


def test_is_busy_at_mail() -> None:
    with Catcher(faults=Faults(busy=True, times=1)) as catcher:
        client = connect(catcher)
        client.ehlo()
        assert client.mail("news@example.org")[0] == 421
        client.close()
        with connect(catcher) as client:
            client.sendmail("news@example.org", ["anna@example.org"], MESSAGE)
        assert len(catcher.messages) == 1


def test_greylists_the_first_tries_of_each() -> None:
    with Catcher(faults=Faults(defer_first=2)) as catcher, connect(catcher) as client:
        client.ehlo()
        client.mail("news@example.org")
        assert [client.rcpt("anna@example.org")[0] for _ in range(3)] == [451, 451, 250]
        assert client.rcpt("boris@example.org")[0] == 451


def test_demands_a_password() -> None:
    with Catcher(faults=Faults(credentials=("news", "secret"))) as catcher:
        with connect(catcher) as client:
            client.ehlo()
            assert client.mail("news@example.org")[0] == 530
            with pytest.raises(smtplib.SMTPAuthenticationError):
                client.login("news", "wrong")
        with connect(catcher) as client:
            client.login("news", "secret")
            client.sendmail("news@example.org", ["anna@example.org"], MESSAGE)
        assert len(catcher.messages) == 1
        assert "secret" not in repr(catcher.faults)


def test_takes_pipelined_commands() -> None:
    with Catcher() as catcher, socket.create_connection(("127.0.0.1", catcher.port)) as wire:
        wire.settimeout(10)
        lines = b"EHLO c\r\n" + b"".join(
            b"MAIL FROM:<n@example.org>\r\nRCPT TO:<p%d@example.org>\r\nDATA\r\n" % n
            + b"Subject: %d\r\n\r\nx\r\n.\r\n" % n
            for n in range(20)
        )
        wire.sendall(lines + b"QUIT\r\n")
        while wire.recv(65536):
            pass
        assert len(catcher.messages) == 20


def test_leaves_no_thread_and_frees_its_port() -> None:
    before = threading.active_count()
    with Catcher() as catcher:
        client = connect(catcher)
        port = catcher.port
    client.close()
    assert threading.active_count() == before
    with Catcher(port=port) as again:
        assert again.port == port


def test_says_when_its_port_is_taken() -> None:
    with Catcher() as catcher, pytest.raises(OSError, match=r"in use"):
        Catcher(port=catcher.port).start()
