"""The inbox of the catching server: what readers would have got, for a look on this machine.

Whatever a mail holds is escaped, and its HTML is shown in a frame without scripts, forms or
a way to the network. The pages answer to loopback names only, so that no web page elsewhere
can read them by way of a name that it points here (DNS rebinding).

Standards: RFC 5322, RFC 2047, CSP Level 3, HTML `sandbox`.
"""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from importlib.resources import files

from fastapi import FastAPI
from jinja2 import DictLoader, Environment, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from mailout.smtp.catcher import Catcher, Caught
from mailout.web.pages import headers, plain

_Next = Callable[[Request], Awaitable[Response]]

_ON_PAGE = 50
_NAMES = ("base.html.j2", "list.html.j2", "message.html.j2")

# The mail's own page. `sandbox` here as well: it may be opened without our frame.
_MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox"
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A caught message taken apart for the eye; `links` are those of its List-Unsubscribe."""

    number: int
    subject: str
    sender: str
    recipients: str
    return_path: str
    time: str
    size: int
    html: str
    text: str
    headers: tuple[tuple[str, str], ...]
    links: tuple[str, ...]


def make_inbox(catcher: Catcher) -> FastAPI:
    """The app that shows what `catcher` has caught, newest first."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    environment = _environment()

    def page(name: str, **values: object) -> Response:
        nonce = secrets.token_urlsafe(16)
        body = environment.get_template(name).render(nonce=nonce, **values)
        fields = headers(nonce)
        fields["Content-Security-Policy"] += "; frame-src 'self'"
        return Response(body, 200, fields, "text/html; charset=utf-8")

    def found(number: int) -> Caught:
        caught = catcher.message(number)
        if caught is None:
            raise HTTPException(404)
        return caught

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        return plain(request, f"{error.detail}\n", error.status_code)

    @app.middleware("http")
    async def only_here(request: Request, call_next: _Next) -> Response:
        if not _is_loopback(request.url.hostname or ""):
            return plain(request, "This page answers on this machine only.\n", 421)
        return await call_next(request)

    @app.get("/")
    def list_messages(request: Request) -> Response:
        before = _number(request.query_params.get("before", ""))
        kept = catcher.messages[::-1]
        at = next((n for n, caught in enumerate(kept) if not before or caught.number < before), 0)
        shown = kept[at : at + _ON_PAGE]
        return page(
            "list.html.j2",
            messages=[show(caught) for caught in shown],
            total=catcher.accepted,
            first=shown[0].number if shown else 0,
            last=shown[-1].number if shown else 0,
            older=shown[-1].number if at + _ON_PAGE < len(kept) else 0,
            newer=kept[max(at - _ON_PAGE, 0)].number + 1 if at else 0,
        )

    @app.get("/messages/{number:int}")
    def one_message(number: int) -> Response:
        caught = found(number)
        return page(
            "message.html.j2",
            message=show(caught),
            older=number - 1 if catcher.message(number - 1) else 0,
            newer=number + 1 if catcher.message(number + 1) else 0,
        )

    @app.get("/messages/{number:int}/html")
    def html(number: int) -> Response:
        fields = {**headers(), "Content-Security-Policy": _MAIL_POLICY}
        return Response(show(found(number)).html, 200, fields, "text/html; charset=utf-8")

    @app.get("/messages/{number:int}/source")
    def source(request: Request, number: int) -> Response:
        return plain(request, found(number).content.decode("utf-8", "replace"))

    return app


def show(caught: Caught) -> Shown:
    """The message taken apart; a part that cannot be decoded is shown as well as it can be."""
    message = message_from_bytes(caught.content)
    parts: dict[str, str] = {}
    for part in message.walk():
        kind = part.get_content_type()
        if kind in ("text/html", "text/plain") and not part.is_multipart():
            parts.setdefault(kind, _text(part))
    named = tuple((name, _words(value)) for name, value in message.items())
    by_name = {name.lower(): value for name, value in named}
    return Shown(
        number=caught.number,
        subject=by_name.get("subject", ""),
        sender=by_name.get("from", ""),
        recipients=by_name.get("to", "") or ", ".join(caught.recipients),
        return_path=caught.sender,
        time=f"{caught.at:%Y-%m-%d %H:%M:%S}",
        size=len(caught.content),
        html=parts.get("text/html", ""),
        text=parts.get("text/plain", ""),
        headers=named,
        links=_web_links(by_name.get("list-unsubscribe", "")),
    )


def _text(part: Message) -> str:
    raw = part.get_payload(decode=True)
    assert isinstance(raw, bytes)  # noqa: S101 - no multipart comes here
    try:
        return raw.decode(part.get_content_charset() or "utf-8", "replace")
    except LookupError:
        return raw.decode("utf-8", "replace")


def _words(value: object) -> str:
    try:
        return " ".join(str(make_header(decode_header(str(value)))).split())
    except (ValueError, LookupError):
        return str(value)


def _web_links(value: str) -> tuple[str, ...]:
    links = (part.strip().strip("<>") for part in value.split(","))
    return tuple(link for link in links if link.startswith(("https://", "http://")))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0


def _environment() -> Environment:
    folder = files("mailout") / "web" / "inbox_pages"
    sources: Mapping[str, str] = {name: (folder / name).read_text("utf-8") for name in _NAMES}
    return Environment(
        loader=DictLoader(sources), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
