"""The public pages: the lists, leaving one, taking that back; and what was mailed.

| request | does |
|---|---|
| GET, HEAD / | shows the lists |
| /u/.. | leaving (`web.leaving`) |
| /join/.., /j/.. | joining (`web.joining`) |
| /p/.., /s/.., /settings, /a/.. | a reader's settings (`web.settings`) |
| POST /hooks/PROVIDER | takes notices of mail providers (`web.hooks`) |
| GET, HEAD /archive/.. | shows what was mailed (`web.archive`) |
| GET, HEAD /healthz, /robots.txt, /favicon.ico | for machines |

Every wrong token, path and method gets the one neutral page. The store is reached through
threads; when it is busy the answer is 503 with Retry-After. No cookie, no redirect (but to
a folder of the archive), no test of Referer or origin (RFC 8058 3.2 has none to offer), and
no address or token in any log.

Standards: RFC 8058 (one-click), RFC 9110 (HTTP), RFC 9309 (robots.txt).
"""

from __future__ import annotations

import logging
import traceback
from functools import partial

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mailout.config.templates import read_templates
from mailout.core.archive import FOLDER
from mailout.core.errors import MailoutError, TryLater
from mailout.core.mailing_list import MailingList
from mailout.core.site import Site
from mailout.store import schema
from mailout.store.engine import Store
from mailout.web import archive, hooks, joining, leaving, settings
from mailout.web.gate import Gate
from mailout.web.house import METHODS, House, in_thread
from mailout.web.limits import Limits
from mailout.web.pages import PublicPages, headers, plain

log = logging.getLogger("mailout.web")

_RETRY = {"Retry-After": "30"}


def make_app(site: Site, store: Store) -> FastAPI:
    """The app that serves the public pages of `site`.

    Raises: MailoutError if a template cannot be read.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    pages = PublicPages(site, read_templates(site.root))
    app.add_middleware(_LastResort, pages=pages)
    _add_neutral_ends(app, pages)
    house = House(site, store, pages)
    _add_home(app, house)
    leaving.add_to(app, house)
    gate = Gate(site, Limits(site.pages))
    joining.add_to(app, house, gate)
    settings.add_to(app, house, gate)
    hooks.add_to(app, house)
    if site.archive.enabled:
        _add_archive(app, site, pages)
    _add_machine_pages(app, site, store, pages)
    return app


def _add_home(app: FastAPI, house: House) -> None:
    @app.api_route("/", methods=METHODS)
    async def home(request: Request) -> Response:
        code = house.pages.language_of_stranger(request)
        return house.pages.page(
            request,
            "home",
            code,
            lists=[
                {**house.described(one.id, code), "join_url": _join_url(house, one, request)}
                for one in house.site.lists.values()
            ],
            settings_url=house.pages.path(
                "settings", language=house.pages.chosen_language(request)
            ),
        )


def _join_url(house: House, one: MailingList, request: Request) -> str:
    if not one.settings.join:
        return ""
    return house.pages.path("join", one.id, language=house.pages.chosen_language(request))


def _add_archive(app: FastAPI, site: Site, pages: PublicPages) -> None:
    show = partial(app.api_route, methods=METHODS)

    @show("/archive")
    @show("/archive/{path:path}")
    async def mailed(request: Request, path: str | None = None) -> Response:
        found = await in_thread(archive.look, site.root / FOLDER, path or "")
        if found is None:
            return pages.neutral(request)
        return archive.answer(request, site, archive.Folder() if path is None else found)


def _add_machine_pages(app: FastAPI, site: Site, store: Store, pages: PublicPages) -> None:
    show = partial(app.api_route, methods=METHODS)

    @show("/robots.txt")
    async def robots(request: Request) -> Response:
        open_ = site.archive.enabled and site.archive.searchable
        # RFC 9309 2.2.2: the longest rule that fits decides.
        allowed = f"Allow: {pages.path('archive')}\n" if open_ else ""
        return plain(request, f"User-agent: *\n{allowed}Disallow: /\n")

    @show("/favicon.ico")
    async def icon(request: Request) -> Response:
        # Browsers ask for one by themselves. There is none, which is no fault of theirs.
        return Response(None, 204, headers())

    @show("/healthz")
    async def health(request: Request) -> Response:
        try:
            version = await in_thread(schema.current, store)
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
        more = {**(error.headers or {})}
        if error.status_code == 405:
            more["Allow"] = _allowed(app, request)
        return pages.neutral(request, error.status_code, more)


def _allowed(app: FastAPI, request: Request) -> str:
    """All methods of a path. Starlette names those of the first route that fits alone, and a form
    has one route that shows it and another that takes it (RFC 9110 15.5.6)."""
    fitting = (
        one
        for one in app.routes
        if isinstance(one, Route) and one.matches(request.scope)[0] is not Match.NONE
    )
    return ", ".join(sorted({method for one in fitting for method in one.methods or ()}))


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
