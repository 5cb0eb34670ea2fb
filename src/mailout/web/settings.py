"""The pages of a reader's settings.

| request | does |
|---|---|
| GET, HEAD /p/TOKEN | from any mail: offers to mail a link, and to leave; changes nothing |
| POST /p/TOKEN | mails that link to the reader's own address |
| GET, HEAD /settings | the same for who has no mail at hand: a form for the address |
| POST /settings | mails a link, or not: the answer is the same for every address |
| GET, HEAD /s/TOKEN | the mailed link: shows one button, changes nothing |
| POST /s/TOKEN | uses the link up, shows the settings |
| POST /s/open, save, address, data, export, erase | with the session that stands in the form |
| GET, POST /a/TOKEN | confirms a change of address, as /j does a sign-up |

A session is a token in the forms, for half an hour; there is no cookie, so that no other site
can use it. `/s/data` shows what is kept, `/s/export` is the same as a file.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from mailout.core.address import Address, BadAddress
from mailout.core.message import BadHeader, safe
from mailout.core.subscriber import Subscriber
from mailout.preferences import leaving, moving, rights, settings
from mailout.store.engine import Store
from mailout.web import forms
from mailout.web.forms import Fields
from mailout.web.gate import Gate, Pass
from mailout.web.house import METHODS, House, in_thread, now
from mailout.web.network import prefix_of
from mailout.web.own_data import in_words
from mailout.web.pages import headers
from mailout.web.settings_form import BadSettings, Filled, as_saved, context, read_form, wanted

Do = Callable[[Request, Subscriber, Fields], Awaitable[Response]]
Look = Callable[[Store, str, datetime], str | None]
"""The language of the reader to whom a link was mailed; None for what is no such link."""


def add_to(app: FastAPI, house: House, gate: Gate) -> None:
    """Nothing, once the app has these pages."""
    _add_asking(app, house)
    _add_finding(app, house, gate)
    _add_mailed_link(app, house, "s", settings.look, "link")
    _add_session(app, house, gate)
    _add_mailed_link(app, house, "a", moving.look, "address")
    _add_moving(app, house)


def _add_asking(app: FastAPI, house: House) -> None:
    pages, site, store = house.pages, house.site, house.store

    @app.api_route("/p/{token}", methods=METHODS)
    async def offer(request: Request, token: str) -> Response:
        found = await in_thread(leaving.look, store, token)
        if found is None:
            return pages.neutral(request)
        one, chosen = house.list_of(found.list_id), pages.chosen_language(request)
        code = pages.language_of_reader(request, found.language, one)
        return pages.page(
            request,
            "preferences",
            code,
            list=house.described(found.list_id, code),
            contact=one.settings.contact,
            link_url=pages.path("p", token, language=chosen),
            leave_url=pages.path("u", token, language=chosen),
        )

    @app.post("/p/{token}")
    async def ask(request: Request, token: str) -> Response:
        code = pages.language_of_stranger(request)
        list_id = await in_thread(
            settings.ask_link, site, store, token, code, now(), secrets.token_bytes
        )
        if list_id is None:
            return pages.neutral(request)
        return pages.page(
            request,
            "mailed",
            code,
            choice_of_language=False,
            bare="Look into your mail",
            contact=house.list_of(list_id).settings.contact,
        )


def _add_finding(app: FastAPI, house: House, gate: Gate) -> None:
    pages, site, store = house.pages, house.site, house.store
    contact = next(iter(site.lists.values())).settings.contact

    def action(request: Request) -> str:
        return pages.path("settings", language=pages.chosen_language(request))

    def form_page(
        request: Request, typed: str = "", error: bool = False, status: int = 200
    ) -> Response:
        return pages.page(
            request,
            "find",
            pages.language_of_stranger(request),
            status=status,
            script=True,
            action_url=action(request),
            typed=typed,
            error=error,
            **gate.fields(now()),
        )

    @app.api_route("/settings", methods=METHODS)
    async def form(request: Request) -> Response:
        return form_page(request)

    @app.post("/settings")
    async def send(request: Request) -> Response:
        fields = await forms.read(request)
        typed = forms.first(fields, "address").strip()
        try:
            address = Address.parse(typed)
            safe(address.wire, "the address")
        except (BadAddress, BadHeader):
            return form_page(request, typed, error=True, status=422)
        code = pages.language_of_stranger(request)
        verdict = await in_thread(gate.judge, request, fields, address.domain, now())
        if verdict in (Pass.STEP, Pass.SOON):
            return pages.page(
                request,
                "step",
                code,
                script=True,
                choice_of_language=False,
                title=site.identity.name,
                action_url=action(request),
                carried=[("address", typed)],
                **gate.step_fields(verdict, fields, now()),
            )
        if verdict is Pass.FULL:
            return house.full(request, contact)
        if verdict is Pass.OPEN:
            random = secrets.token_bytes
            await in_thread(settings.ask_link_for, site, store, address, code, now(), random)
        return pages.page(
            request,
            "mailed",
            code,
            choice_of_language=False,
            bare="Look into your mail",
            contact=contact,
        )


def _add_mailed_link(app: FastAPI, house: House, path: str, look: Look, page: str) -> None:
    """Nothing, once the link below `path` shows its one button and changes nothing."""
    pages, store = house.pages, house.store
    first = next(iter(house.site.lists.values()))

    @app.api_route(f"/{path}/{{token}}", methods=METHODS)
    async def ask(request: Request, token: str) -> Response:
        reader = await in_thread(look, store, token, now())
        if reader is None:
            return pages.neutral(request)
        return pages.page(
            request,
            page,
            pages.language_of_reader(request, reader, first),
            action_url=pages.path(path, token, language=pages.chosen_language(request)),
        )


def _add_session(app: FastAPI, house: House, gate: Gate) -> None:
    pages, site, store = house.pages, house.site, house.store
    first = next(iter(site.lists.values()))

    def language_of(request: Request, person: Subscriber) -> str:
        return pages.language_of_reader(request, person.language, first)

    async def shown(
        request: Request,
        person: Subscriber,
        session: str,
        filled: Filled | None = None,
        *,
        errors: Sequence[str] = (),
        **more: Any,
    ) -> Response:
        """The settings as they are, or the form as it was `filled` in, with what is wrong."""
        code = language_of(request, person)
        values = context(house, request, person, filled or as_saved(site, person), code)
        values |= {"session": session, "errors": list(errors)} | more
        status = 422 if errors else 200
        return pages.page(
            request, "settings", code, status=status, choice_of_language=False, **values
        )

    async def within(request: Request, do: Do) -> Response:
        """What `do` answers for the person of the form's session; neutral without one."""
        fields = await forms.read(request)
        session = forms.first(fields, "session")
        person = await in_thread(settings.reader, site, store, session, now())
        return pages.neutral(request) if person is None else await do(request, person, fields)

    @app.post("/s/open")
    async def open_(request: Request) -> Response:
        return await within(
            request, lambda request, person, fields: shown(request, person, fields["session"][0])
        )

    @app.post("/s/save")
    async def save(request: Request) -> Response:
        async def do(request: Request, person: Subscriber, fields: Fields) -> Response:
            session = fields["session"][0]
            filled = read_form(site, person, fields)
            try:
                asked = wanted(site, filled, now(), language_of(request, person))
            except BadSettings as error:
                return await shown(request, person, session, filled, errors=error.fields)
            random = secrets.token_bytes
            person = await in_thread(settings.save, site, store, person, asked, now(), random)
            return await shown(request, person, session, saved=True)

        return await within(request, do)

    @app.post("/s/address")
    async def change_address(request: Request) -> Response:
        async def do(request: Request, person: Subscriber, fields: Fields) -> Response:
            session = fields["session"][0]
            typed = forms.first(fields, "address").strip()
            try:
                new = Address.parse(typed)
                safe(new.wire, "the address")
            except (BadAddress, BadHeader):
                wrong = ("address",)
                return await shown(request, person, session, errors=wrong, new_address=typed)
            network = prefix_of(request, site.pages.proxies)
            admits = partial(gate.limits.admits, network, new.domain, worked=False)
            if not await in_thread(admits):
                return house.full(request, first.settings.contact)
            random = secrets.token_bytes
            await in_thread(moving.ask, site, store, person, new, now(), random)
            return await shown(request, person, session, asked_new=True)

        return await within(request, do)

    @app.post("/s/data")
    async def data(request: Request) -> Response:
        async def do(request: Request, person: Subscriber, fields: Fields) -> Response:
            found = await in_thread(rights.export, store, person, now())
            code = language_of(request, person)
            return pages.page(
                request,
                "data",
                code,
                choice_of_language=False,
                data=in_words(house, found, code),
                session=fields["session"][0],
                export_url=pages.path("s", "export"),
                open_url=pages.path("s", "open", language=pages.chosen_language(request)),
            )

        return await within(request, do)

    @app.post("/s/export")
    async def export(request: Request) -> Response:
        async def do(request: Request, person: Subscriber, fields: Fields) -> Response:
            found = await in_thread(rights.export, store, person, now())
            return Response(
                json.dumps(found, ensure_ascii=False, indent=2) + "\n",
                headers={
                    **headers(),
                    "Content-Disposition": 'attachment; filename="my-data.json"',
                },
                media_type="application/json",
            )

        return await within(request, do)

    @app.post("/s/erase")
    async def erase(request: Request) -> Response:
        async def do(request: Request, person: Subscriber, fields: Fields) -> Response:
            if forms.first(fields, "sure") != "yes":
                return await shown(request, person, fields["session"][0], errors=("sure",))
            code = language_of(request, person)
            await in_thread(rights.erase, store, person, now())
            return pages.page(
                request, "erased", code, choice_of_language=False, bare="Everything is erased"
            )

        return await within(request, do)

    @app.post("/s/{token}")
    async def open_link(request: Request, token: str) -> Response:
        session = await in_thread(settings.open_, site, store, token, now())
        if session is None:
            return pages.neutral(request)
        person = await in_thread(settings.reader, site, store, session.token, now())
        if person is None:
            return pages.neutral(request)
        return await shown(request, person, session.token)


def _add_moving(app: FastAPI, house: House) -> None:
    pages, site, store = house.pages, house.site, house.store
    first = next(iter(site.lists.values()))

    @app.post("/a/{token}")
    async def confirm(request: Request, token: str) -> Response:
        reader = await in_thread(moving.confirm, site, store, token, now())
        if reader is None:
            return pages.neutral(request)
        return pages.page(
            request,
            "moved",
            pages.language_of_reader(request, reader, first),
            choice_of_language=False,
            bare="Your address is changed",
        )
