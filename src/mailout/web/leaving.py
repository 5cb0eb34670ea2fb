"""The pages of leaving a list by the link in each mail, of taking that back, of saying why.

| request | does |
|---|---|
| GET, HEAD /u/TOKEN | shows one button; changes nothing, whoever follows the link |
| POST /u/TOKEN | leaves: the button, or a mail program's one-click |
| POST /u/undo | takes a leave back, by the token in the form |
| POST /u/reason | takes in why somebody left, by another token in the form |

Standards: RFC 8058 (one-click).
"""

from __future__ import annotations

from functools import partial
from secrets import token_bytes

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from mailout.catalogue import words
from mailout.core.leave_reason import MOST_WORDS
from mailout.preferences.leave_reasons import give, ticket
from mailout.preferences.leaving import Leaving, look, undo
from mailout.web import forms
from mailout.web.desk import Desk
from mailout.web.house import METHODS, House, in_thread, now
from mailout.web.pages import plain


def add_to(app: FastAPI, house: House) -> None:
    """Nothing, once the app has these pages."""
    pages, site, store = house.pages, house.site, house.store
    list_of, described = house.list_of, house.described
    show = partial(app.api_route, methods=METHODS)

    @show("/u/{token}")
    async def ask(request: Request, token: str) -> Response:
        found = await in_thread(look, store, token)
        if found is None:
            return pages.neutral(request)
        code = pages.language_of_reader(request, found.language, list_of(found.list_id))
        return pages.page(
            request,
            "leave",
            code,
            list=described(found.list_id, code),
            action_url=pages.path("u", token, language=pages.chosen_language(request)),
        )

    @app.post("/u/undo")
    async def take_back(request: Request) -> Response:
        fields = await forms.read(request)
        found: Leaving | None = await in_thread(
            undo, store, site.keys, forms.first(fields, "undo"), now()
        )
        if found is None:
            return pages.neutral(request)
        code = pages.language_of_reader(request, found.language, list_of(found.list_id))
        return pages.page(
            request,
            "undone",
            code,
            bare="You are on the list again",
            choice_of_language=False,
            list=described(found.list_id, code),
        )

    @app.post("/u/reason")
    async def say_why(request: Request) -> Response:
        fields = await forms.read(request)
        token, list_id, reason, own = (
            forms.first(fields, name) for name in ("token", "list", "reason", "words")
        )
        if not await in_thread(give, store, site.keys, token, list_id, reason, own, now()):
            return pages.neutral(request)
        code = pages.language_of_reader(request, "", list_of(list_id))
        return pages.page(request, "thanks", code, bare="Thank you", choice_of_language=False)

    desk = Desk(store, site.keys)

    async def do_leave(request: Request) -> Response:
        fields = await forms.read(request)
        # RFC 8058 3.1: this key and value, whichever way the form is encoded.
        by_program = forms.first(fields, "List-Unsubscribe").strip().lower() == "one-click"
        left = await desk.leave(request.path_params["token"], "one-click" if by_program else "page")
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
            list=described(left.list_id, code),
            undo_url=pages.path("u", "undo", language=pages.chosen_language(request)),
            undo_token=left.undo,
            reason_url=pages.path("u", "reason", language=code),
            # As little as the undo is it in any later answer.
            reason_token=ticket(site.keys, left.list_id, now(), token_bytes) if left.undo else "",
            reason_words=MOST_WORDS,
        )

    # Not by FastAPI: what it does beyond calling a function takes as long as all the rest.
    app.add_route("/u/{token}", do_leave, methods=["POST"])
