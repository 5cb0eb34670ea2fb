"""A mailbox of a real Dovecot: what is kept is marked, what is not is left, whatever breaks."""

from __future__ import annotations

import os
import ssl
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from imapclient import IMAPClient

import dovecot_server
from dovecot_server import PASSWORD, Dovecot
from keeping import Kept
from mailout.core.errors import MailoutError, TryLater
from mailout.core.inbox import ImapBox
from mailout.inbox import imap
from mailout.inbox.batch import MOST_MAILS, Came

MOST = 25_000_000
ENV = "BOX_PASSWORD"


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENV, PASSWORD)


@pytest.fixture
def box(dovecot: Dovecot) -> ImapBox:
    return ImapBox(
        host="localhost", port=dovecot.imap_port, tls="none", username="anna", password_env=ENV
    )


def trust(server: Dovecot) -> ssl.SSLContext:
    context = ssl.create_default_context()
    server.authority.configure_trust(context)
    return context


def mail(number: int, size: int = 0) -> bytes:
    return b"Subject: %d\r\n\r\n" % number + b"x" * 70 * (size // 70) + b"\r\n"


def fetched(box: ImapBox, kept: Kept, context: ssl.SSLContext | None = None) -> list[Came]:
    with imap.session(box, context) as session:
        return list(session.fetch(kept, MOST))


def unseen(server: Dovecot, folder: str = "INBOX") -> int:
    return len(server.doveadm("search", "-u", "anna", "mailbox", folder, "unseen").splitlines())


def test_a_mail_is_marked_once_it_is_kept_and_stays_where_it_is(
    dovecot: Dovecot, box: ImapBox
) -> None:
    dovecot.deliver("anna", mail(1), recipient="anna+token@box.example.org")
    kept = Kept(before=lambda: [unseen(dovecot)].remove(1))
    assert fetched(box, kept) == [Came(box.label, 1, 1)]
    (arrival,) = kept.arrivals
    assert (arrival.source, arrival.recipient) == ("imap", "")
    assert b"Delivered-To: anna+token@box.example.org" in arrival.raw
    assert unseen(dovecot) == 0
    assert dovecot.doveadm("search", "-u", "anna", "all").count("\n") == 1
    assert fetched(box, kept) == []


def test_nothing_is_marked_while_the_store_is_down(dovecot: Dovecot, box: ImapBox) -> None:
    dovecot.deliver("anna", mail(1), mail(2))
    with pytest.raises(TryLater, match="store"):
        fetched(box, Kept(works=0))
    assert unseen(dovecot) == 2
    kept = Kept()
    fetched(box, kept)
    assert len(kept.arrivals) == 2


@pytest.mark.parametrize("capabilities", ["", "imap_capability = IMAP4rev1 SASL-IR UIDPLUS\n"])
def test_kept_mail_is_moved_and_what_others_marked_as_deleted_is_not_touched(
    dovecot_installed: None, capabilities: str
) -> None:
    with dovecot_server.start(["anna"], capabilities) as server:
        box = ImapBox(
            host="localhost", port=server.imap_port, tls="none", username="anna",
            password_env=ENV, move_to="Zurück.Kept",
        )  # fmt: skip
        server.deliver("anna", mail(1), mail(2), mail(3))
        with IMAPClient("localhost", server.imap_port, ssl=False) as other:
            other.login("anna", PASSWORD)
            other.select_folder("INBOX")
            other.delete_messages([2])
        kept = Kept()
        assert [came.mails for came in fetched(box, kept)] == [2]
        assert (
            server.doveadm("search", "-u", "anna", "mailbox", "INBOX", "deleted").count("\n") == 1
        )
        assert server.doveadm("search", "-u", "anna", "mailbox", "INBOX").count("\n") == 1
        assert (
            server.doveadm("search", "-u", "anna", "mailbox", "Zurück.Kept", "seen").count("\n")
            == 2
        )


def test_without_uidplus_a_copy_is_made_and_nothing_deleted(dovecot_installed: None) -> None:
    with dovecot_server.start(["anna"], "imap_capability = IMAP4rev1\n") as server:
        box = ImapBox(
            host="localhost", port=server.imap_port, tls="none", username="anna",
            password_env=ENV, move_to="Kept",
        )  # fmt: skip
        server.deliver("anna", mail(1))
        kept = Kept()
        fetched(box, kept)
        assert (
            server.doveadm("search", "-u", "anna", "mailbox", "INBOX", "undeleted").count("\n") == 1
        )
        assert server.doveadm("search", "-u", "anna", "mailbox", "Kept").count("\n") == 1
        assert fetched(box, kept) == []


@pytest.mark.parametrize("tls", ["tls", "starttls"])
def test_tls_and_the_certificate_is_checked(dovecot: Dovecot, box: ImapBox, tls: str) -> None:
    port = dovecot.imaps_port if tls == "tls" else dovecot.imap_port
    secure = replace(box, tls=tls, port=port)  # type: ignore[arg-type]
    dovecot.deliver("anna", mail(1))
    with pytest.raises(MailoutError, match="certificate is not valid"):
        fetched(secure, Kept())
    with pytest.raises(MailoutError, match="certificate is not valid"):
        fetched(replace(secure, host="127.0.0.1"), Kept(), trust(dovecot))
    assert unseen(dovecot) == 1
    kept = Kept()
    fetched(replace(secure, move_to="Kept"), kept, trust(dovecot))
    assert len(kept.arrivals) == 1
    assert dovecot.doveadm("search", "-u", "anna", "mailbox", "Kept").count("\n") == 1


def test_a_server_without_tls_is_not_talked_to(dovecot_installed: None) -> None:
    with dovecot_server.start(["anna"], "ssl = no\n") as server:
        box = ImapBox(
            host="localhost",
            port=server.imap_port,
            tls="starttls",
            username="anna",
            password_env=ENV,
        )
        with pytest.raises(MailoutError, match="offers no TLS"):
            fetched(box, Kept(), trust(server))


def test_a_wrong_password_is_said_and_not_shown(
    box: ImapBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENV, "wr\u00f6ng")
    with pytest.raises(imap.LoginRefused, match="anna may not log in") as caught:
        fetched(box, Kept())
    assert "wr\u00f6ng" not in str(caught.value)


def test_a_password_of_a_file(dovecot: Dovecot, box: ImapBox, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    filed = replace(box, password_env="", password_file=str(tmp_path / "password"))
    (tmp_path / "password").chmod(0o644)
    with pytest.raises(MailoutError, match="other people on this machine can read it"):
        fetched(filed, Kept())
    (tmp_path / "password").chmod(0o600)
    assert fetched(filed, Kept()) == []


@pytest.mark.parametrize("mechanism", ["oauthbearer", "xoauth2"])
def test_a_token_of_a_command_and_of_a_file(
    dovecot_installed: None, tmp_path: Path, mechanism: str
) -> None:
    settings = f"auth_mechanisms = plain {mechanism}\n"
    with dovecot_server.start(["anna"], settings) as server:
        server.deliver("anna", mail(1))
        print_it = f"print({server.token('anna')!r})"
        box = ImapBox(
            host="localhost", port=server.imap_port, tls="none", username="anna",
            token_command=(sys.executable, "-c", print_it),
        )  # fmt: skip
        kept = Kept()
        fetched(box, kept)
        assert len(kept.arrivals) == 1
        file = tmp_path / "token"
        file.touch(0o600)
        file.write_text(server.token("anna"))
        filed = replace(box, token_command=(), token_file=str(file))
        assert fetched(filed, kept) == []
        file.write_text(server.token("anna", seconds=-5))
        with pytest.raises(imap.LoginRefused, match="the token"):
            fetched(filed, kept)


def test_a_command_that_gives_no_token(box: ImapBox) -> None:
    def of(*command: str) -> ImapBox:
        return replace(box, password_env="", token_command=command)

    with pytest.raises(MailoutError, match="ended with 1: no luck"):
        fetched(of("sh", "-c", "echo no luck >&2; exit 1"), Kept())
    with pytest.raises(MailoutError, match="cannot be run"):
        fetched(of("/no/such/helper"), Kept())
    with pytest.raises(MailoutError, match="nothing to log in with"):
        fetched(of("true"), Kept())


def test_a_password_that_is_not_set(box: ImapBox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENV)
    with pytest.raises(MailoutError, match="the variable BOX_PASSWORD: there is nothing"):
        fetched(box, Kept())


def test_a_folder_that_is_not_there(box: ImapBox) -> None:
    with pytest.raises(MailoutError, match=r"the server refuses: .*such a folder"):
        fetched(replace(box, folder="Nowhere"), Kept())


def test_nobody_listens(box: ImapBox) -> None:
    with pytest.raises(TryLater, match="Connection refused"):
        fetched(replace(box, port=1), Kept())


def test_ten_thousand_mails(dovecot: Dovecot, box: ImapBox) -> None:
    dovecot.put("anna", [mail(number) for number in range(10_000)])
    kept = Kept()
    came = fetched(box, kept)
    assert sum(one.mails for one in came) == len(kept.raw) == 10_000
    assert max(one.mails for one in came) == MOST_MAILS
    assert unseen(dovecot) == 0


def test_a_large_mail_is_cut_and_the_others_come_too(dovecot: Dovecot, box: ImapBox) -> None:
    dovecot.put("anna", [mail(1), mail(2, 30_000_000), mail(3)])
    kept = Kept()
    fetched(box, kept)
    assert sorted(len(raw) for raw in kept.raw) == [len(mail(1)), len(mail(3)), MOST]
    assert unseen(dovecot) == 0


def test_bytes_that_no_mail_should_have(dovecot: Dovecot, box: ImapBox) -> None:
    dovecot.put(
        "anna", [b"Subject: \xff\0\n\nNUL\0 and \xfe\n", b"", b"\n", b")\r\n* 1 EXISTS\r\n"]
    )
    kept = Kept()
    assert sum(came.mails for came in fetched(box, kept)) == 4
    assert unseen(dovecot) == 0


def test_a_mail_that_somebody_else_takes_away(dovecot: Dovecot, box: ImapBox) -> None:
    dovecot.deliver("anna", mail(1), mail(2))

    def expunge() -> None:
        dovecot.doveadm("expunge", "-u", "anna", "mailbox", "INBOX", "all")

    kept = Kept(before=expunge)
    fetched(box, kept)
    assert len(kept.arrivals) == 2
    assert fetched(box, kept) == []


def test_a_mail_that_the_server_cannot_give_does_not_keep_the_others(
    dovecot: Dovecot, box: ImapBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = IMAPClient.fetch

    def fetch_but_two(client: IMAPClient, numbers: list[int], what: list[str]) -> object:
        if 2 in numbers and "BODY" in what[0]:
            raise IMAPClient.Error("fetch failed: [SERVERBUG] Internal error")
        return fetch(client, numbers, what)

    monkeypatch.setattr(IMAPClient, "fetch", fetch_but_two)
    dovecot.deliver("anna", mail(1), mail(2), mail(3))
    kept = Kept()
    with pytest.raises(MailoutError, match=r"does not give 1 of the mails: .*SERVERBUG"):
        fetched(box, kept)
    assert (len(kept.arrivals), unseen(dovecot)) == (2, 1)


def test_a_connection_that_dies_while_mails_are_fetched(dovecot: Dovecot, box: ImapBox) -> None:
    dovecot.put("anna", [mail(number) for number in range(MOST_MAILS * 3)])
    kept = Kept()

    def cut_at_the_second() -> None:
        if kept.calls == 1:
            dovecot.kick("anna")

    kept.before = cut_at_the_second
    with pytest.raises(TryLater, match="connection is lost"):
        fetched(box, kept)
    # The second batch is kept, and could not be marked: it comes again, and is known.
    assert (len(kept.arrivals), unseen(dovecot)) == (MOST_MAILS * 2, MOST_MAILS * 2)
    kept.before = lambda: None
    assert sum(came.new for came in fetched(box, kept)) == MOST_MAILS
    assert unseen(dovecot) == 0


def test_a_folder_that_may_only_be_read_is_not_fetched_again_and_again(
    dovecot: Dovecot, box: ImapBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    select = IMAPClient.select_folder
    monkeypatch.setattr(
        IMAPClient, "select_folder", lambda client, name: select(client, name, readonly=True)
    )
    dovecot.deliver("anna", mail(1))
    with imap.session(box) as session:
        assert len(list(session.fetch(Kept(), MOST))) == 1
        assert list(session.fetch(Kept(), MOST)) == []
        dovecot.deliver("anna", mail(2))
        assert len(list(session.fetch(Kept(), MOST))) == 1
        # Numbers mean other mails once the folder was made anew.
        dovecot.doveadm("expunge", "-u", "anna", "mailbox", "INBOX", "all")
        session._validity += 1
        dovecot.deliver("anna", mail(3))
        assert len(list(session.fetch(Kept(), MOST))) == 1


def test_new_mail_ends_the_wait(dovecot: Dovecot, box: ImapBox) -> None:
    with imap.session(box) as session:
        list(session.fetch(Kept(), MOST))
        later = threading.Timer(0.3, dovecot.deliver, ("anna", mail(1)))
        later.start()
        session.wait(threading.Event())
        assert len(list(session.fetch(Kept(), MOST))) == 1
        later.join()


def test_a_server_that_goes_ends_the_wait(dovecot: Dovecot, box: ImapBox) -> None:
    with pytest.raises(TryLater), imap.session(box) as session:
        list(session.fetch(Kept(), MOST))
        later = threading.Timer(0.3, dovecot.kick, ("anna",))
        later.start()
        session.wait(threading.Event())
        list(session.fetch(Kept(), MOST))


def test_a_server_without_idle_is_asked_after_a_while(dovecot_installed: None) -> None:
    with dovecot_server.start(["anna"], "imap_capability = IMAP4rev1\n") as server:
        box = ImapBox(
            host="localhost", port=server.imap_port, tls="none", username="anna",
            password_env=ENV, poll_seconds=0,
        )  # fmt: skip
        with imap.session(box) as session:
            assert list(session.fetch(Kept(), MOST)) == []
            server.deliver("anna", mail(1))
            session.wait(threading.Event())
            assert len(list(session.fetch(Kept(), MOST))) == 1


def test_a_wait_ends_when_it_is_to_stop(box: ImapBox) -> None:
    stop = threading.Event()
    with imap.session(box) as session:
        list(session.fetch(Kept(), MOST))
        stop.set()
        session.wait(stop)


@pytest.fixture
def babbler() -> Iterator[tuple[int, list[bytes]]]:
    """A server that says what stands in the list, one entry for each line it hears."""
    import socket

    listening = socket.create_server(("127.0.0.1", 0))
    says: list[bytes] = []

    def talk() -> None:
        while True:
            try:
                wire, _ = listening.accept()
            except OSError:
                return
            with wire, wire.makefile("rb") as heard:
                wire.settimeout(5)
                for number, said in enumerate(says):
                    if number and not (line := heard.readline()):
                        break
                    tag = line.split(b" ")[0] if number else b""
                    wire.sendall(said.replace(b"TAG", tag))

    thread = threading.Thread(target=talk)
    thread.start()
    yield listening.getsockname()[1], says
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join()


@pytest.mark.parametrize(
    "says",
    [
        [b""],
        [b"\xff\0\xfe\r\n"],
        [b"220 smtp here\r\n"],
        [b"* OK\r\n", b"* CAPABILITY IMAP4rev1\r\nTAG OK\r\n", b"TAG OK\r\n", b"* 1 EXISTS\r\nTAG OK\r\n",
         b"* SEARCH one two\r\nTAG OK\r\n"],
        [b"* OK\r\n", b"* CAPABILITY IMAP4rev1\r\nTAG OK\r\n", b"TAG OK\r\n", b"* 1 EXISTS\r\nTAG OK\r\n",
         b"* SEARCH 1\r\nTAG OK\r\n", b"* 1 FETCH (UID 1 RFC822.SIZE 9999999999)\r\nTAG OK\r\n",
         b"* 1 FETCH (UID 1 BODY[]<0> {900}\r\nand no more"],
        [b"* OK\r\n", b"* CAPABILITY IMAP4rev1\r\nTAG OK\r\n", b"TAG OK\r\n", b"* 1 EXISTS\r\nTAG OK\r\n",
         b"* SEARCH 1\r\nTAG OK\r\n", b"* 1 FETCH (((\r\nTAG OK\r\n"],
    ],
)  # fmt: skip
def test_a_server_that_talks_nonsense_is_told_in_one_line(
    babbler: tuple[int, list[bytes]], says: list[bytes]
) -> None:
    port, words = babbler
    words += says
    box = ImapBox(host="127.0.0.1", port=port, tls="none", username="anna", password_env=ENV)
    kept = Kept()
    with pytest.raises(MailoutError) as caught:
        fetched(box, kept)
    assert "\n" not in str(caught.value)
    assert kept.arrivals == []


def test_the_process_has_no_connection_left(box: ImapBox) -> None:
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    fetched(box, Kept())
    after = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    assert after == before
