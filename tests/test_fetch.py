"""The one door to the network: a real server with TLS, and all that a hostile one may try."""

from __future__ import annotations

import gzip
import ipaddress
import socket
import ssl
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from mailout.core.errors import BadFile, MailoutError, TryLater
from mailout.core.inflate import inflated
from mailout.fetch import PUBLIC, Door, fetch, is_public
from tls_host import NAME, TlsHost, page, redirect


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """One that no machine trusts by itself."""
    return trustme.CA()


@pytest.fixture
def host(authority: trustme.CA) -> Iterator[TlsHost]:
    with TlsHost(authority) as running:
        yield running


def bomb(megabytes: int) -> bytes:
    """A gzip file of a thousandth of its size."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = bytes(1_000_000)
    return b"".join(packer.compress(block) for _ in range(megabytes)) + packer.flush()


def test_a_page_comes_back_with_its_charset_and_its_final_address(host: TlsHost) -> None:
    host.answers["/old"] = redirect("/new?a=1#part")
    host.answers["/new?a=1"] = page(
        "Стачка".encode("cp1251"), "text/html; charset=Windows-1251", more="Set-Cookie: a=b\r\n"
    )
    found = fetch(host.url("/old"), host.door())
    assert found.raw.decode(found.charset) == "Стачка"
    assert found.url == host.url("/new?a=1")
    assert all("Cookie" not in request for request in host.requests)


def test_nothing_names_this_program_or_machine(host: TlsHost) -> None:
    host.answers["/"] = page(b"x")
    fetch(host.url(), host.door())
    assert "mailout" not in host.requests[0].lower()
    assert socket.gethostname() not in host.requests[0].replace(NAME, "")


def test_no_proxy_of_the_environment_is_used(
    host: TlsHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    host.answers["/"] = page(b"x")
    assert fetch(host.url(), host.door()).raw == b"x"


@pytest.mark.parametrize(
    ("coding", "pack"),
    [
        ("gzip", gzip.compress),
        ("x-gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda raw: zlib.compress(raw)[2:-4]),
    ],
)
def test_packed_bodies_are_unpacked(
    host: TlsHost, coding: str, pack: Callable[[bytes], bytes]
) -> None:
    host.answers["/"] = page(pack(b"words " * 9000), more=f"Content-Encoding: {coding}\r\n")
    assert fetch(host.url(), host.door()).raw == b"words " * 9000


def test_chunks_are_joined_and_a_body_may_end_with_the_connection(host: TlsHost) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
    chunks = b"Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n4\r\n two\r\n0\r\n\r\n"
    host.answers["/chunks"] = head + chunks
    host.answers["/ends"] = head + b"\r\nall of it"
    assert fetch(host.url("/chunks"), host.door()).raw == b"one two"
    assert fetch(host.url("/ends"), host.door()).raw == b"all of it"


def test_letters_that_are_not_ascii_are_sent_as_an_address_has_them(host: TlsHost) -> None:
    host.answers["/%D1%81%D1%82?q=%D0%B0%26"] = page(b"x")
    assert fetch(host.url("/ст?q=а%26"), host.door()).raw == b"x"
    host.answers["/to"] = "HTTP/1.1 301 Moved\r\nLocation: /ст?q=а%26\r\n\r\n".encode()
    assert fetch(host.url("/to"), host.door()).raw == b"x"


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("http://harbour.example.org/", "only https is fetched, not http"),
        ("ftp://harbour.example.org/", "only https is fetched, not ftp"),
        ("file:///etc/passwd", "only https is fetched, not file"),
        ("//harbour.example.org/", "only https is fetched"),
        ("https://anna:secret@harbour.example.org/", "a name or password"),
        ("https://harbour.example.org@evil.example.net/", "a name or password"),
        ("https://harbour.example.org:80/", "only port 443 is fetched from, not 80"),
        ("https://harbour.example.org:0/", "only port 443"),
        ("https://harbour.example.org:99999/", "no web address"),
        ("https://harbour.example.org:x/", "no web address"),
        ("https:///feed", "no web address"),
        ("https://[::1/", "no web address"),
        ("https://.example.org/", "no web address"),
        (f"https://{'a' * 64}.example.org/", "no web address"),
        ("https://harbour.example.org/a b", "no spaces"),
        ("https://harbour.example.org/\r\nX-Evil: 1", "no spaces"),
        ("https://evil.example.net\\@harbour.example.org/", "backslashes"),
    ],
)
def test_what_is_no_plain_https_address_is_refused_unasked(url: str, what: str) -> None:
    def resolve(host: str, port: int) -> list[str]:
        raise AssertionError(f"{host} was looked up")

    with pytest.raises(MailoutError, match=what) as caught:
        fetch(url, Door(resolve=resolve))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1"),  # noqa: S104
        *("169.254.169.254", "100.64.0.1", "192.0.0.8", "192.0.2.1", "198.18.0.1", "192.88.99.1"),
        *("224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "203.0.113.9"),
        *("::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "fec0::1", "ff02::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:8.8.8.8", "::7f00:1", "2002:7f00:1::"),
        *("64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::1", "2001::1", "2001:db8::1", "3fff::1"),
        *("100::1", "5f00::1", "nonsense", ""),
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["9.9.9.9", "2620:fe::9", "2a00:1450::1", "64:ff9b::909:909"])
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_no_form_of_a_private_address_is_public(address: ipaddress.IPv4Address) -> None:
    if address.is_private or address.is_multicast or address.is_loopback:
        assert not is_public(str(address))
        assert not is_public(str(ipaddress.IPv6Address((0x64FF9B << 96) | int(address))))
    assert not is_public(f"::ffff:{address}")


@given(st.text())
def test_whatever_is_no_address_is_not_public(text: str) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        assert not is_public(text)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "127.1", "0177.0.0.1"]
)
def test_loopback_is_refused_however_it_is_written(host: str) -> None:
    with pytest.raises(MailoutError, match=r"no public address|there is no host") as caught:
        fetch(f"https://{host}/", PUBLIC)
    assert "import the file" in str(caught.value) or "no host" in str(caught.value)


def test_a_name_that_leads_into_a_private_network_is_refused(host: TlsHost) -> None:
    door = host.door({NAME: "192.168.7.1"})
    with pytest.raises(MailoutError, match=r"leads to 192\.168\.7\.1, which is no public address"):
        fetch(f"https://{NAME}/", door)


def test_one_private_address_among_public_ones_refuses_the_host(host: TlsHost) -> None:
    with pytest.raises(MailoutError, match="no public address"):
        fetch(f"https://{NAME}/", host.door({NAME: "9.9.9.9 10.0.0.1"}))


def test_the_address_that_was_checked_is_the_one_connected_to(host: TlsHost) -> None:
    """DNS rebinding: a name that is harmless when asked first, and private when asked again."""
    host.answers["/"] = page(b"x")
    told = iter([["127.0.0.1"], ["10.0.0.1"]])
    door = host.door()
    rebinding = Door(door.allowed, door.context, lambda _host, _port: next(told))
    assert fetch(host.url(), rebinding).raw == b"x"
    with pytest.raises(MailoutError, match=r"10\.0\.0\.1"):  # asked once for each fetch
        fetch(host.url(), rebinding)


def test_an_allowed_port_of_an_address_allows_no_other_address(host: TlsHost) -> None:
    with pytest.raises(MailoutError, match="no public address"):
        fetch(host.url(), host.door({NAME: "127.0.0.2"}))
    with pytest.raises(MailoutError, match="no public address"):  # public, at a strange port
        fetch(host.url(), host.door({NAME: "9.9.9.9"}))


@pytest.mark.parametrize(
    ("location", "what"),
    [
        ("https://10.0.0.1/admin", "10.0.0.1"),
        ("https://inside.example.net/", "no host inside.example.net"),
        ("//[::1]/", "::1"),
        ("http://harbour.example.org/", "only https is fetched, not http"),
        ("file:///etc/passwd", "only https"),
        ("gopher://harbour.example.org/", "only https"),
        ("https://u:p@harbour.example.org/", "name or password"),
        ("https://harbour.example.org:22/", "only port 443"),
        ("/\x1b[2Jx", "no spaces"),
        ("x\x1b://harbour.example.org/", "no spaces"),
    ],
)
def test_each_redirect_is_checked_as_the_first_address_was(
    host: TlsHost, location: str, what: str
) -> None:
    host.answers["/"] = redirect(location)
    door = host.door({NAME: "127.0.0.1", "10.0.0.1": "10.0.0.1", "::1": "::1"})
    with pytest.raises(MailoutError, match=what) as caught:
        fetch(host.url(), door)
    assert len(host.requests) == 1
    assert str(caught.value).isprintable()


def test_redirects_come_to_an_end(host: TlsHost) -> None:
    host.answers["/a"] = redirect("/b", "301 Moved Permanently")
    host.answers["/b"] = redirect("/a", "308 Permanent Redirect")
    with pytest.raises(MailoutError, match="round in a circle"):
        fetch(host.url("/a"), host.door())
    for number in range(9):
        host.answers[f"/{number}"] = redirect(f"/{number + 1}", "303 See Other")
    host.requests.clear()
    with pytest.raises(MailoutError, match="more than 5 times"):
        fetch(host.url("/0"), host.door())
    assert len(host.requests) == 6
    host.answers["/5"] = page(b"there")
    assert fetch(host.url("/0"), host.door()).raw == b"there"


def test_a_redirect_that_leads_nowhere_is_a_failure(host: TlsHost) -> None:
    host.answers["/"] = page(b"", status="302 Found")
    with pytest.raises(MailoutError, match="answers 302"):
        fetch(host.url(), host.door())


def test_a_certificate_for_another_name_or_from_nobody_is_refused(host: TlsHost) -> None:
    host.answers["/"] = page(b"x")
    door = host.door({"quay.example.org": "127.0.0.1"})
    with pytest.raises(MailoutError, match=r"certificate of quay\.example\.org is not valid"):
        fetch(host.url("/", "quay.example.org"), door)
    strict = Door(host.door().allowed, None, host.door().resolve)
    with pytest.raises(MailoutError, match="certificate"):
        fetch(host.url(), strict)
    assert not host.requests


def test_a_server_without_tls_is_no_secure_connection(authority: trustme.CA) -> None:
    with TlsHost(authority) as host, socket.create_server(("127.0.0.1", 0)) as plain:
        port = plain.getsockname()[1]
        door = Door(frozenset({("127.0.0.1", port)}), None, lambda _h, _p: ["127.0.0.1"], 0.5)
        with pytest.raises(TryLater, match="did not answer in time"):
            fetch(f"https://{NAME}:{port}/", door)
        assert host.port != port


def test_a_server_that_is_down_is_tried_later(host: TlsHost) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    door = Door(frozenset({("127.0.0.1", port)}), None, lambda _host, _port: ["127.0.0.1"])
    with pytest.raises(TryLater, match="no connection to") as caught:
        fetch(f"https://{NAME}:{port}/", door)
    assert caught.value.exit_code == 75

    def away(_host: str, _port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_AGAIN, "later")

    with pytest.raises(TryLater, match="cannot be looked up now"):
        fetch(f"https://{NAME}/", Door(resolve=away))


def test_a_second_address_is_tried_when_the_first_is_dead(host: TlsHost) -> None:
    host.answers["/"] = page(b"x")
    door = host.door({NAME: "127.0.0.3 127.0.0.1"})
    wide = Door(door.allowed | {("127.0.0.3", host.port)}, door.context, door.resolve)
    assert fetch(host.url(), wide).raw == b"x"


@pytest.mark.parametrize("status", ["429 Too Many", "500 Oops", "502 Bad", "503 Busy", "504 Slow"])
def test_a_busy_server_is_tried_later(host: TlsHost, status: str) -> None:
    host.answers["/"] = page(b"", status=status)
    with pytest.raises(TryLater, match=f"answers {status}"):
        fetch(host.url(), host.door())


@pytest.mark.parametrize("status", ["401 Who", "403 No", "404 Gone\x1b[31m", "206 Part", "204 No"])
def test_any_other_answer_is_a_failure_in_printable_words(host: TlsHost, status: str) -> None:
    host.answers["/"] = page(b"", status=status)
    with pytest.raises(MailoutError, match=f"answers {status[:3]}") as caught:
        fetch(host.url(), host.door())
    assert str(caught.value).isprintable()


def test_a_body_that_is_too_large_is_stopped(host: TlsHost) -> None:
    host.answers["/"] = page(b"x" * 300_000)
    with pytest.raises(BadFile, match="more than"):
        fetch(host.url(), host.door(most=200_000))
    assert len(fetch(host.url(), host.door(most=300_000)).raw) == 300_000


def test_a_body_without_end_is_stopped(host: TlsHost) -> None:
    def pour(wire: ssl.SSLSocket) -> None:
        wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        while True:
            wire.sendall(b"x" * 100_000)

    host.answers["/"] = pour
    with pytest.raises(BadFile, match="more than 20 MB"):
        fetch(host.url(), host.door())


def test_a_bomb_of_a_gigabyte_stops_early(host: TlsHost) -> None:
    raw = bomb(1000)
    assert len(raw) < 2_000_000
    host.answers["/"] = page(raw, more="Content-Encoding: gzip\r\n")
    with pytest.raises(BadFile, match="more than 20 MB"):
        fetch(host.url(), host.door())


@pytest.mark.parametrize("length", [10, 10_000_000, 100_000_000_000])
def test_a_body_shorter_than_it_claims_is_no_body(host: TlsHost, length: int) -> None:
    host.answers["/"] = page(b"words", length=length)
    with pytest.raises(TryLater, match="ended before all was sent"):
        fetch(host.url(), host.door())


def test_a_body_longer_than_it_claims_is_cut_there(host: TlsHost) -> None:
    host.answers["/"] = page(b"words and more", length=5)
    assert fetch(host.url(), host.door()).raw == b"words"


@pytest.mark.parametrize("length", ["-5", "x", "5, 6", ""])
def test_a_length_that_is_no_number_ends_with_the_connection(host: TlsHost, length: str) -> None:
    host.answers["/"] = f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nwords".encode()
    assert fetch(host.url(), host.door()).raw == b"words"


@pytest.mark.parametrize("chunks", [b"5\r\nwor", b"zz\r\nwords\r\n", b"5\r\nwords\r\n"])
def test_chunks_that_break_off_are_no_body(host: TlsHost, chunks: bytes) -> None:
    host.answers["/"] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
    with pytest.raises(TryLater, match="ended before all was sent"):
        fetch(host.url(), host.door())


@pytest.mark.parametrize(
    ("coding", "body", "what"),
    [
        ("gzip", gzip.compress(b"words" * 99, mtime=0)[:-9], "ends too early"),
        ("gzip", b"\x1f\x8b\x08\x00garbage that is none", "damaged|too early"),
        ("br", b"words", "packed as `br`"),
        ("gzip, gzip", gzip.compress(b"x", mtime=0), "packed as"),
    ],
)
def test_what_cannot_be_unpacked_is_a_failure(
    host: TlsHost, coding: str, body: bytes, what: str
) -> None:
    host.answers["/"] = page(body, more=f"Content-Encoding: {coding}\r\n")
    with pytest.raises(MailoutError, match=what):
        fetch(host.url(), host.door())


@pytest.mark.parametrize("part", ["head", "body", "handshake"])
def test_bytes_that_drip_end_with_the_time_for_all(host: TlsHost, part: str) -> None:
    def drip(wire: ssl.SSLSocket) -> None:
        if part == "body":
            wire.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
        for _ in range(100):
            wire.sendall(b"H")
            time.sleep(0.05)

    host.answers["/"] = drip
    door = host.door(seconds=0.0 if part == "handshake" else 0.6)
    with pytest.raises(TryLater, match="did not answer in time"):
        fetch(host.url(), door)


@pytest.mark.parametrize("line", [b"X: y\r\n", b"X: " + b"y" * 50_000 + b"\r\n"])
def test_headers_without_end_are_stopped(host: TlsHost, line: bytes) -> None:
    def pour(wire: ssl.SSLSocket) -> None:
        wire.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            wire.sendall(line)

    host.answers["/"] = pour
    with pytest.raises(MailoutError, match=r"headers without end|is no HTTP"):
        fetch(host.url(), host.door())


def test_going_on_without_end_is_stopped(host: TlsHost) -> None:
    def pour(wire: ssl.SSLSocket) -> None:
        while True:
            wire.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)

    host.answers["/"] = pour
    with pytest.raises(MailoutError, match="headers without end"):
        fetch(host.url(), host.door())


@pytest.mark.parametrize(
    "words",
    [
        b"SSH-2.0-x\r\n\r\n",
        b"\x00\xff\n\n",
        b"HTTP/9.9 x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nwords",
    ],
)
def test_what_is_no_http_is_a_failure(host: TlsHost, words: bytes) -> None:
    host.answers["/"] = words
    with pytest.raises(MailoutError, match="is no HTTP"):
        fetch(host.url(), host.door())


def test_a_server_that_says_nothing_is_tried_later(host: TlsHost) -> None:
    host.answers["/"] = b""
    with pytest.raises(TryLater, match="no connection"):
        fetch(host.url(), host.door())


@pytest.mark.parametrize("kind", ["image/png", "application/pdf", "application/zip", "video/mp4"])
def test_what_is_no_text_is_not_fetched(host: TlsHost, kind: str) -> None:
    host.answers["/"] = page(b"x", kind)
    with pytest.raises(MailoutError, match=f"this is {kind}, not text"):
        fetch(host.url(), host.door())


@pytest.mark.parametrize(
    "kind",
    ["text/xml", "application/rss+xml", "application/xml", "application/feed+json", "text/plain",
     "application/json", "application/xhtml+xml", "application/octet-stream", "application/gzip"],
)  # fmt: skip
def test_text_of_every_kind_is_fetched(host: TlsHost, kind: str) -> None:
    host.answers["/"] = page(b"x", kind)
    assert fetch(host.url(), host.door()).raw == b"x"


@pytest.mark.parametrize("charset", ["a b", "a" * 99, "", '"utf-8', "utf-8\x01"])
def test_a_charset_that_is_no_name_counts_as_none(host: TlsHost, charset: str) -> None:
    host.answers["/"] = page(b"x", f"text/html; charset={charset}")
    assert fetch(host.url(), host.door()).charset in ("", "utf-8")


@given(st.binary(max_size=2000), st.integers(1, 50))
def test_inflating_gives_back_what_was_packed(raw: bytes, block: int) -> None:
    for packed in (gzip.compress(raw), zlib.compress(raw), gzip.compress(raw) * 2):
        blocks = [packed[at : at + block] for at in range(0, len(packed), block)]
        whole = raw * 2 if len(packed) == 2 * len(gzip.compress(raw)) else raw
        assert inflated(blocks, "x", 5000) == whole


@given(st.lists(st.binary(max_size=300)), st.sampled_from([b"", b"\x1f\x8b\x08\x00"]))
def test_inflating_anything_gives_bytes_or_a_bad_file(blocks: list[bytes], head: bytes) -> None:
    try:
        assert len(inflated([head, *blocks], "x", 1000)) <= 1000
    except BadFile as error:
        assert error.where == "x"


def test_a_million_empty_members_are_an_attack() -> None:
    with pytest.raises(BadFile, match="more than"):
        inflated([gzip.compress(b"") * 2000], "x", 1_000_000)
    assert inflated([gzip.compress(b"a"), b"\0" * 512], "x", 10) == b"a"  # padded, as tapes are


def test_what_is_no_text_is_fetched_for_who_asks_for_it(host: TlsHost) -> None:
    host.answers["/"] = page(b"-----BEGIN CERTIFICATE-----", kind="application/x-pem-file")
    with pytest.raises(MailoutError, match="not text"):
        fetch(host.url(), host.door())
    wide = replace(host.door(), any_kind=True)
    assert fetch(host.url(), wide).raw.startswith(b"-----BEGIN")
