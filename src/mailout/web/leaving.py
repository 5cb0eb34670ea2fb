"""The pages of leaving a list by the link in each mail, and of taking that back.

| request | does |
|---|---|
| GET, HEAD /u/TOKEN | shows one button; changes nothing, whoever follows the link |
| POST /u/TOKEN | leaves: the button, or a mail program's one-click |
| POST /u/undo | takes a leave back, by the token in the form |

Standards: RFC 8058 (one-click).
"""

from __future__ import annotations

from functools import partial

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from mailout.catalogue import words
from mailout.preferences.leaving import Leaving, leave, look, undo
from mailout.web import forms
from mailout.web.house import METHODS, House, in_thread, now
from mailout.web.pages import plain


def add_to(app: FastAPI, house: House) -> None:
    """Nothing, once the app has these pages."""
    pages, site, store = house.pages, house.site, house.store
    list_of, described = house.list_of, house.described
    show = partial(app.api_route, methods=METHODS)

    async def leaving_page(request: Request, token: str, name: str) -> Response:
        found = await in_thread(look, store, token)
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

    @show("/u/{token}")
    async def ask(request: Request, token: str) -> Response:
        return await leaving_page(request, token, "leave")

    @show("/p/{token}")
    async def preferences(request: Request, token: str) -> Response:
        return await leaving_page(request, token, "preferences")

    @app.post("/u/undo")
    async def take_back(request: Request) -> Response:
        fields = await forms.read(request)
        found: Leaving | None = await in_thread(
            undo, store, site.keys, forms.first(fields, "undo"), now()
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
        fields = await forms.read(request)
        # RFC 8058 3.1: this key and value, whichever way the form is encoded.
        by_program = forms.first(fields, "List-Unsubscribe").strip().lower() == "one-click"
        source = "one-click" if by_program else "page"
        left = await in_thread(partial(leave, source=source), store, site.keys, token, now())
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
