"""The one door through which anything is fetched from the network.

url -> target (https, a plain host, port 443) -> addresses, asked for once -> each of them public?
-> a connection to that very address -> TLS for the host's name -> one GET -> a redirect goes round
again, all checks included -> the body, unpacked and counted.

| what is bounded | by |
|---|---|
| where it leads | public addresses only, however they are written; others as the caller says |
| a name that changes its address after the check | it is resolved once, and connected to there |
| redirects | 5, none away from https |
| time | 60 seconds for everything, however slowly the bytes drip |
| size | 20 MB, counted after unpacking; 64 KB of headers |
| what comes back | text: HTML, XML, JSON, and exports that servers call a download; more if asked |

Proxies of the environment are not used, cookies not kept.

Standards: RFC 9110 (HTTP), RFC 6890 and the registries it began (addresses of special use),
RFC 6052 (IPv4 addresses within IPv6).
"""

from __future__ import annotations

import http.client
import io
import ipaddress
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import quote, urljoin, urlsplit

from mailout.core.errors import MailoutError, TryLater
from mailout.core.inflate import inflated, too_large

_MOST_REDIRECTS = 5
_MOST_HEADERS = 64_000  # bytes
_CONNECT_SECONDS = 10.0  # for one address, where a host has several
_BLOCK = 64 * 1024
_BUSY = frozenset({429, 500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TEXT = re.compile(
    r"text/.*|application/(.*\+)?(xml|json)|application/(x-)?(gzip|octet-stream|download)|"
)
# Some servers turn a client away that names itself not at all; which program this is, is
# nobody's business.
_HEADERS = "User-Agent: Mozilla/5.0 (compatible)\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate"

# What `is_global` of this Python does not know to be special: IETF protocols, the old 6to4
# relays, and for IPv6 everything but the addresses handed out to networks.
_SPECIAL_4 = tuple(map(ipaddress.IPv4Network, ("192.0.0.0/24", "192.88.99.0/24")))
_UNICAST_6 = ipaddress.IPv6Network("2000::/3")
_SPECIAL_6 = tuple(
    map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))
)
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052 2.1: an IPv4 address inside


@dataclass(frozen=True, slots=True)
class Fetched:
    """A body, unpacked; the address it came from in the end; the charset it was sent with."""

    raw: bytes
    url: str
    charset: str = ""


def resolved(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, as the machine's resolver has them. Raises: socket.gaierror."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True, slots=True)
class Door:
    """What the caller lets through; an address to be fetched has no say in it.

    `allowed` are pairs of address and port that may be connected to besides public addresses
    at 443. Without a `context` certificates are checked as the system has it. With `any_kind` the
    body may be other than text.
    """

    allowed: frozenset[tuple[str, int]] = frozenset()
    context: ssl.SSLContext | None = None
    resolve: Callable[[str, int], Sequence[str]] = resolved
    seconds: float = 60.0
    most: int = 20_000_000
    any_kind: bool = False


PUBLIC = Door()
"""Public addresses, the system's certificates: what every command uses."""


def fetch(url: str, door: Door = PUBLIC) -> Fetched:
    """What stands at the address, as the door lets it through.

    Raises: MailoutError; TryLater if the server, or the way to it, is down.
    """
    deadline = time.monotonic() + door.seconds
    asked: list[str] = []
    for _ in range(_MOST_REDIRECTS + 1):
        target = _target(url, door)
        if target.url in asked:
            raise MailoutError("this address leads round in a circle", where=asked[0])
        asked.append(target.url)
        answer = _ask(target, door, deadline)
        if isinstance(answer, Fetched):
            return answer
        url = urljoin(target.url, answer)
    raise MailoutError(
        f"this address leads on and on, more than {_MOST_REDIRECTS} times", where=asked[0]
    )


def is_public(address: str) -> bool:
    """Whether this is an address of the public internet, and no way round to another."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False  # `fe80::1%eth0` among them
    if isinstance(found, ipaddress.IPv6Address):
        if found.scope_id is not None:
            return False
        if found in _TRANSLATED:
            return is_public(str(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)))
        return found in _UNICAST_6 and not any(found in network for network in _SPECIAL_6)
    return (
        found.is_global
        and not (found.is_multicast or found.is_reserved)
        and not any(found in network for network in _SPECIAL_4)
    )


@dataclass(frozen=True, slots=True)
class _Target:
    """An address whose words were checked, and where they lead has not been yet."""

    url: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 443 else f"{host}:{self.port}"


def _target(url: str, door: Door) -> _Target:
    """Raises: MailoutError for what is no plain https address."""
    shown = _words(url, 200)  # a redirect may hold anything
    if re.search(r"[\s\x00-\x20\x7f\\]", url):
        raise MailoutError("a web address holds no spaces, controls or backslashes", where=shown)
    try:
        parts = urlsplit(url)
        port = 443 if parts.port is None else parts.port
        host = (parts.hostname or "").rstrip(".").encode("idna").decode()
    except ValueError:  # UnicodeError among them
        raise MailoutError("this is no web address", where=shown) from None
    if parts.scheme != "https":
        raise MailoutError(
            f"only https is fetched, not {_words(parts.scheme) or 'this'}",
            where=shown,
            fix="Begin it with https://, or save it yourself and import the file.",
        )
    if not host:
        raise MailoutError("this is no web address", where=shown)
    if "@" in parts.netloc:
        raise MailoutError(
            "an address with a name or password in it is not fetched",
            where=f"https://{host}",  # a password is not repeated
            fix="Save it yourself and import the file.",
        )
    if port != 443 and port not in {allowed for _, allowed in door.allowed}:
        raise MailoutError(f"only port 443 is fetched from, not {port}", where=shown)
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = quote(parts.query, safe="/%:@!$&'()*+,;=~-._?[]")
    path += f"?{query}" if query else ""
    target = _Target("", host, port, path)
    return _Target(f"https://{target.authority}{path}", host, port, path)


def _addresses(target: _Target, door: Door) -> Sequence[str]:
    """Where the host is. Raises: MailoutError if any of it is no public place."""
    try:
        found = door.resolve(target.host, target.port)
    except (socket.gaierror, UnicodeError) as error:
        if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
            raise TryLater(
                f"the address of {target.host} cannot be looked up now",
                where=target.url,
                fix="Is this machine online?",
            ) from None
        raise MailoutError(f"there is no host {target.host}", where=target.url) from None
    for address in found:
        public = target.port == 443 and is_public(address)
        if not public and (address, target.port) not in door.allowed:
            leads = (
                f"{target.host} leads to {address}, which" if address != target.host else address
            )
            raise MailoutError(
                f"{leads} is no public address",
                where=target.url,
                fix="Nothing of a private network is fetched: save it yourself, import the file.",
            )
    return found


def _connected(target: _Target, door: Door, deadline: float) -> socket.socket:
    """A connection to one of the host's addresses: to what was checked, not to the name again.

    Raises: MailoutError, OSError, TimeoutError.
    """
    last: OSError = TimeoutError()
    for address in _addresses(target, door):
        try:
            wait = min(_CONNECT_SECONDS, _left(deadline))
            return socket.create_connection((address, target.port), timeout=wait)
        except OSError as error:
            last = error
    raise last


def _ask(target: _Target, door: Door, deadline: float) -> Fetched | str:
    """The answer, or where it redirects to. Raises: MailoutError, TryLater."""
    try:
        plain = _connected(target, door, deadline)
        with closing(plain):
            plain.settimeout(_left(deadline))
            context = door.context or ssl.create_default_context()
            with context.wrap_socket(plain, server_hostname=target.host) as secure:
                request = f"GET {target.path} HTTP/1.1\r\nHost: {target.authority}\r\n{_HEADERS}"
                secure.sendall(f"{request}\r\nConnection: close\r\n\r\n".encode("ascii"))
                return _answer(target, door, _Wire(secure, deadline))
    except TimeoutError:
        raise TryLater(
            f"{target.host} did not answer in time", where=target.url, fix="Try again later."
        ) from None
    except ssl.SSLCertVerificationError as error:
        raise MailoutError(
            f"the certificate of {target.host} is not valid: {error.verify_message}",
            where=target.url,
        ) from None
    except ssl.SSLError as error:
        raise MailoutError(
            f"no secure connection to {target.host}: {error.reason or error}", where=target.url
        ) from None
    except OSError as error:
        why = error.strerror or "it closed the connection"
        raise TryLater(
            f"no connection to {target.host}: {why}", where=target.url, fix="Try again later."
        ) from None
    except (http.client.HTTPException, ValueError):
        raise MailoutError(f"what {target.host} says is no HTTP", where=target.url) from None


def _answer(target: _Target, door: Door, wire: _Wire) -> Fetched | str:
    wire.budget = _MOST_HEADERS
    try:
        response = http.client.HTTPResponse(wire, method="GET")  # type: ignore[arg-type]
        response.begin()
    except _TooMuch:
        raise MailoutError("it sends headers without end", where=target.url) from None
    with closing(response):
        status = response.status
        if status in _REDIRECTS and (location := response.headers.get("Location", "").strip()):
            # The header is bytes; what is not ASCII in it is UTF-8 mostly.
            return location.encode("latin-1", "replace").decode("utf-8", "replace")
        if status in _BUSY:
            raise TryLater(
                f"{target.host} answers {status} {_words(response.reason)}".rstrip(),
                where=target.url,
                fix="Try again later.",
            )
        if status != 200:
            raise MailoutError(
                f"{target.host} answers {status} {_words(response.reason)}".rstrip(),
                where=target.url,
                fix="Does the address open in a browser?",
            )
        kind = response.headers.get_content_type() if "Content-Type" in response.headers else ""
        if not door.any_kind and not _TEXT.fullmatch(kind):
            raise MailoutError(f"this is {kind}, not text", where=target.url)
        raw = _body(response, target.url, wire, door.most)
        return Fetched(raw, target.url, _charset(response))


def _body(response: http.client.HTTPResponse, url: str, wire: _Wire, most: int) -> bytes:
    """The body, unpacked. Raises: BadFile, MailoutError."""
    coding = response.headers.get("Content-Encoding", "").strip().lower()
    wire.budget = most + _MOST_HEADERS  # what comes after the last byte of the body counts too
    blocks = _blocks(response, url, most)
    try:
        if coding in ("", "identity"):
            return b"".join(blocks)
        if coding in ("gzip", "x-gzip", "deflate"):
            return inflated(blocks, url, most)
    except _TooMuch:
        raise too_large(url, most) from None
    raise MailoutError(f"it is packed as `{_words(coding)}`, which was not asked for", where=url)


def _blocks(response: http.client.HTTPResponse, url: str, most: int) -> Iterator[bytes]:
    size = 0
    try:
        while block := response.read(_BLOCK):
            size += len(block)
            if size > most:
                raise too_large(url, most)
            yield block
    except http.client.IncompleteRead:
        raise _cut_off(url) from None
    if response.length:  # what the server promised and did not send
        raise _cut_off(url)


def _cut_off(url: str) -> TryLater:
    return TryLater("the connection ended before all was sent", where=url, fix="Try again.")


def _charset(response: http.client.HTTPResponse) -> str:
    charset = response.headers.get_content_charset("")
    return charset if re.fullmatch(r"[a-z0-9][a-z0-9._:-]{0,39}", charset) else ""


def _words(text: str, most: int = 60) -> str:
    """A server's own words, short and printable."""
    return "".join(c for c in text[:most] if c.isprintable())


def _left(deadline: float) -> float:
    """The seconds that are left. Raises: TimeoutError if none are."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


class _TooMuch(Exception):
    """More bytes came over the wire than this part of the answer may have."""


class _Wire(io.RawIOBase):
    """A connection to read from until the deadline, `budget` bytes at most.

    A bound on each single read would be none: a byte a second keeps it from ever being reached.
    """

    def __init__(self, connection: ssl.SSLSocket, deadline: float) -> None:
        self.connection = connection
        self.deadline = deadline
        self.budget = 0

    def makefile(self, _mode: str) -> io.BufferedReader:
        """What `HTTPResponse` asks a socket for."""
        return io.BufferedReader(self, 8192)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self.connection.settimeout(_left(self.deadline))
        count = self.connection.recv_into(buffer)
        self.budget -= count
        if self.budget < 0:
            raise _TooMuch
        return count
