"""Opening a session: what is not secure is refused before anything is said in the clear."""

from __future__ import annotations

import asyncio
import gc
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from mailout.core.delivery import Verdict
from mailout.core.site import Relay
from mailout.smtp.catcher import Catcher, Faults
from mailout.smtp.envelope import Envelope
from mailout.smtp.session import RelayProblem, submit_all

# aiosmtpd drops a transport without closing it when a handshake fails; it is collected here,
# where it is expected, and not in some later test.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    yield
    gc.collect()


ENVELOPE = Envelope("b@news.example.org", "a@example.org", b"To: a\r\n\r\nText\r\n")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """One that no machine trusts by itself."""
    return trustme.CA()


def server_side(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """The authority, trusted as an administrator would have it."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return authority


async def send(catcher: Catcher, tls: str, **more: str) -> list[Verdict]:
    relay = Relay(host="127.0.0.1", port=catcher.port, tls=tls, **more)  # type: ignore[arg-type]
    outcomes = await submit_all(relay, "news.example.org", 3.0, [ENVELOPE])
    return [outcome.verdict for outcome in outcomes]


async def test_starttls_that_is_stripped_sends_nothing() -> None:
    with Catcher() as catcher:
        with pytest.raises(RelayProblem, match="does not offer STARTTLS"):
            await send(catcher, "starttls")
        assert not catcher.messages


async def test_a_certificate_that_nobody_signed_is_refused(authority: trustme.CA) -> None:
    with Catcher(tls=server_side(authority)) as catcher:
        with pytest.raises(RelayProblem, match="certificate is not valid"):
            await send(catcher, "starttls")
        assert not catcher.messages


async def test_a_certificate_that_is_trusted_is_taken(trusted: trustme.CA) -> None:
    with Catcher(tls=server_side(trusted)) as catcher:
        assert await send(catcher, "starttls") == [Verdict.ACCEPTED]


async def test_tls_to_a_server_that_speaks_none_sends_nothing() -> None:
    with Catcher() as catcher:
        with pytest.raises(RelayProblem):
            await send(catcher, "tls")
        assert not catcher.messages


async def test_a_password_comes_from_its_variable(
    trusted: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = Faults(credentials=("user", "secret"))
    account = {"username": "user", "password_env": "RELAY_PASSWORD"}
    with Catcher(tls=server_side(trusted), faults=faults) as catcher:
        with pytest.raises(RelayProblem, match="no password for `user`"):
            await send(catcher, "starttls", **account)
        monkeypatch.setenv("RELAY_PASSWORD", "wrong")
        with pytest.raises(RelayProblem, match="refuses the account `user`") as error:
            await send(catcher, "starttls", **account)
        assert "wrong" not in str(error.value)
        monkeypatch.setenv("RELAY_PASSWORD", "secret")
        assert await send(catcher, "starttls", **account) == [Verdict.ACCEPTED]


async def test_tls_from_the_first_byte(authority: trustme.CA, trusted: trustme.CA) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mx.example.org\r\n")
        replies = {b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n"}
        while line := await reader.readline():
            writer.write(replies.get(line[:4], b"250 ok\r\n"))
            if line[:4] == b"DATA":
                got.append(await reader.readuntil(b"\r\n.\r\n"))
                writer.write(b"250 taken\r\n")
        writer.close()

    got: list[bytes] = []
    server = await asyncio.start_server(speak, "127.0.0.1", 0, ssl=server_side(authority))
    async with server:
        port = server.sockets[0].getsockname()[1]
        relay = Relay(host="127.0.0.1", port=port, tls="tls")
        (outcome,) = await submit_all(relay, "news.example.org", 3.0, [ENVELOPE])
        assert outcome.verdict is Verdict.ACCEPTED and len(got) == 1
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("SSL_CERT_FILE")
            with pytest.raises(RelayProblem, match="certificate is not valid"):
                await submit_all(relay, "news.example.org", 3.0, [ENVELOPE])
        assert len(got) == 1
