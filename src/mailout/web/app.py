"""The public pages: the lists, leaving one, taking that back; and what was mailed.

| request | does |
|---|---|
| GET, HEAD / | shows the lists |
| GET, HEAD /u/TOKEN | shows one button; changes nothing, whoever follows the link |
| POST /u/TOKEN | leaves: the button, or a mail program's one-click |
| POST /u/undo | takes a leave back, by the token in the form |
| GET, HEAD /p/TOKEN | shows what can be set, and how |
| GET, HEAD /archive/.. | shows what was mailed (`web.archive`) |
| GET, HEAD /healthz, /robots.txt | for machines |

Every wrong token, path and method gets the one neutral page. The store is reached through
threads; when it is busy the answer is 503 with Retry-After. No cookie, no redirect (but to
a folder of the archive), no test of Referer or origin (RFC 8058 3.2 has none to offer), and
no address or token in any log.

Standards: RFC 8058 (one-click), RFC 9110 (HTTP), RFC 9309 (robots.txt).
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar
from urllib.parse import parse_qsl

import anyio.to_thread
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mailout.catalogue import words
from mailout.config.templates import read_templates
from mailout.core.archive import FOLDER
from mailout.core.errors import MailoutError, TryLater
from mailout.core.site import MailingList, Site
from mailout.preferences.leaving import Leaving, leave, look, undo
from mailout.store import schema
from mailout.store.engine import Store
from mailout.web import archive
from mailout.web.pages import PublicPages, plain

T = TypeVar("T")

log = logging.getLogger("mailout.web")

MAX_BODY = 64 * 1024
"""Bytes of a POST. A one-click has 26, a form of ours some 40."""

_BODY_SECONDS = 20.0
_MAX_FIELDS = 20
_RETRY = {"Retry-After": "30"}


def make_app(site: Site, store: Store) -> FastAPI:
    """The app that serves the public pages of `site`.

    Raises: MailoutError if a template cannot be read.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    pages = PublicPages(site, read_templates(site.root))
    app.add_middleware(_LastResort, pages=pages)
    _add_neutral_ends(app, pages)
    _add_pages(app, site, store, pages)
    if site.archive.enabled:
        _add_archive(app, site, pages)
    _add_machine_pages(app, site, store, pages)
    return app


def _add_pages(app: FastAPI, site: Site, store: Store, pages: PublicPages) -> None:
    show = partial(app.api_route, methods=["GET", "HEAD"])

    def list_of(list_id: str) -> MailingList:
        """The list; the site's first one speaks for a list that was taken away since."""
        return site.lists.get(list_id) or next(iter(site.lists.values()))

    def described(list_id: str) -> dict[str, str]:
        if list_id not in site.lists:
            return {"name": list_id, "description": "", "contact": ""}
        settings = site.lists[list_id].settings
        return {
            "name": settings.name,
            "description": settings.description,
            "contact": settings.contact,
        }

    async def leaving_page(request: Request, token: str, name: str) -> Response:
        found = await _in_thread(look, store, token)
        if found is None:
            return pages.neutral(request)
        return pages.page(
            request,
            name,
            pages.language_of_reader(request, found.language, list_of(found.list_id)),
            list=described(found.list_id),
            contact=list_of(found.list_id).settings.contact,
            action_url=pages.path("u", token, language=pages.chosen_language(request)),
        )

    @show("/")
    async def home(request: Request) -> Response:
        return pages.page(
            request,
            "home",
            pages.language_of_stranger(request),
            lists=[described(list_id) for list_id in site.lists],
        )

    @show("/u/{token}")
    async def ask(request: Request, token: str) -> Response:
        return await leaving_page(request, token, "leave")

    @show("/p/{token}")
    async def preferences(request: Request, token: str) -> Response:
        return await leaving_page(request, token, "preferences")

    @app.post("/u/undo")
    async def take_back(request: Request) -> Response:
        fields = await _form(request)
        found: Leaving | None = await _in_thread(
            undo, store, site.keys, fields.get("undo", ""), _now()
        )
        if found is None:
            return pages.neutral(request)
        return pages.page(
            request,
            "undone",
            pages.language_of_reader(request, found.language, list_of(found.list_id)),
            bare="You are on the list again",
            choice_of_language=False,
            list=described(found.list_id),
        )

    @app.post("/u/{token}")
    async def do_leave(request: Request, token: str) -> Response:
        fields = await _form(request)
        # RFC 8058 3.1: this key and value, whichever way the form is encoded.
        by_program = fields.get("List-Unsubscribe", "").strip().lower() == "one-click"
        source = "one-click" if by_program else "page"
        left = await _in_thread(partial(leave, source=source), store, site.keys, token, _now())
        if left is None:
            return pages.neutral(request)
        code = pages.language_of_reader(request, left.language, list_of(left.list_id))
        if by_program:  # nobody reads the answer, and nobody shall find an undo in it
            return plain(request, words(code).gettext("You are unsubscribed") + "\n")
        return pages.page(
            request,
            "left",
            code,
            bare="You are unsubscribed",
            choice_of_language=False,
            list=described(left.list_id),
            undo_url=pages.path("u", "undo", language=pages.chosen_language(request)),
            undo_token=left.undo,
        )


def _add_archive(app: FastAPI, site: Site, pages: PublicPages) -> None:
    show = partial(app.api_route, methods=["GET", "HEAD"])

    @show("/archive")
    @show("/archive/{path:path}")
    async def mailed(request: Request, path: str | None = None) -> Response:
        found = await _in_thread(archive.look, site.root / FOLDER, path or "")
        if found is None:
            return pages.neutral(request)
        return archive.answer(request, site, archive.Folder() if path is None else found)


def _add_machine_pages(app: FastAPI, site: Site, store: Store, pages: PublicPages) -> None:
    show = partial(app.api_route, methods=["GET", "HEAD"])

    @show("/robots.txt")
    async def robots(request: Request) -> Response:
        open_ = site.archive.enabled and site.archive.searchable
        # RFC 9309 2.2.2: the longest rule that fits decides.
        allowed = f"Allow: {pages.path('archive')}\n" if open_ else ""
        return plain(request, f"User-agent: *\n{allowed}Disallow: /\n")

    @show("/healthz")
    async def health(request: Request) -> Response:
        try:
            version = await _in_thread(schema.current, store)
        except MailoutError as error:
            log.error("the store does not answer: %s", error.what)
            version = ""
        if not version:
            return plain(request, "the store does not answer\n", 503, _RETRY)
        return plain(request, "ok\n")


def _add_neutral_ends(app: FastAPI, pages: PublicPages) -> None:
    @app.exception_handler(TryLater)
    async def busy(request: Request, error: TryLater) -> Response:
        log.error("%s", error.what)
        return pages.neutral(request, 503, _RETRY)

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        return pages.neutral(request, error.status_code, error.headers)


class _LastResort:
    """Turns what nobody foresaw into the neutral page, and into a log line without words of
    the error: they might quote an address."""

    def __init__(self, app: ASGIApp, pages: PublicPages) -> None:
        self.app = app
        self.pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except ClientDisconnect:
            return
        except Exception as error:  # the last one who can
            frame = traceback.extract_tb(error.__traceback__)[-1]
            log.error("%s at %s:%s", type(error).__name__, frame.filename, frame.lineno)
            if not begun:
                await self.pages.neutral(Request(scope), 500)(scope, receive, send)


async def _form(request: Request) -> dict[str, str]:
    """The text fields of the body; none for a body of another kind, or one that is broken:
    a leave is a leave without them. Raises: HTTPException 413, 408."""
    body = await _body(request)
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return await _multipart(request, body)
    try:
        return dict(parse_qsl(body.decode("utf-8"), max_num_fields=_MAX_FIELDS))
    except ValueError:
        return {}


async def _multipart(request: Request, body: bytes) -> dict[str, str]:
    async def whole() -> AsyncGenerator[bytes, None]:
        yield body

    try:
        parser = MultiPartParser(request.headers, whole(), max_files=0, max_fields=_MAX_FIELDS)
        form = await parser.parse()
    except (MultiPartException, ValueError, KeyError):
        return {}
    return {name: value for name, value in form.items() if isinstance(value, str)}


async def _body(request: Request) -> bytes:
    chunks, size = [], 0
    with anyio.move_on_after(_BODY_SECONDS):
        async for chunk in request.stream():
            size += len(chunk)
            if size > MAX_BODY:
                raise HTTPException(413)
            chunks.append(chunk)
        return b"".join(chunks)
    raise HTTPException(408)


async def _in_thread(function: Callable[..., T], *arguments: object) -> T:
    """What the function returns, called in a thread: the store is not for the event loop."""
    return await anyio.to_thread.run_sync(partial(function, *arguments))


def _now() -> datetime:
    return datetime.now(UTC)
