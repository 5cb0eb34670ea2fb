"""The pages of joining a list.

| request | does |
|---|---|
| GET, HEAD /join/LIST | shows the form |
| POST /join/LIST | has a letter sent, or not: the answer is the same for every address |
| GET, HEAD /j/TOKEN | shows one button; changes nothing |
| POST /j/TOKEN | confirms: the person is on the list |

The form may stand on any other site; then one more page comes first (`web.gate`).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import partial

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from mailout import catalogue
from mailout.core.address import Address, BadAddress
from mailout.core.mailing_list import MailingList
from mailout.core.message import BadHeader, safe
from mailout.preferences import joining, settings
from mailout.preferences.joining import SignUp
from mailout.web import forms
from mailout.web.forms import Fields
from mailout.web.gate import Gate, Pass
from mailout.web.house import METHODS, House, in_thread, now

LONGEST_NAME = 100
_TYPED = ("address", "name", "language", "segment")


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands in the form."""

    address: str = ""
    name: str = ""
    language: str = ""
    segments: tuple[str, ...] = ()


def add_to(app: FastAPI, house: House, gate: Gate) -> None:
    """Nothing, once the app has these pages."""
    pages, site, store = house.pages, house.site, house.store
    show = partial(app.api_route, methods=METHODS)

    def joinable(list_id: str) -> MailingList | None:
        one = site.lists.get(list_id)
        return one if one is not None and one.settings.join else None

    def form_page(
        request: Request, one: MailingList, typed: Typed, error: str = "", status: int = 200
    ) -> Response:
        code = pages.language_of_stranger(request)
        return pages.page(
            request,
            "join",
            code,
            status=status,
            script=True,
            list=house.described(one.id, code),
            action_url=_action(house, request, one),
            typed=typed,
            error=error,
            choices=[
                {
                    "name": name,
                    "label": house.label(one, name, code),
                    "chosen": name in typed.segments,
                }
                for name in one.choices
            ],
            languages_of_list=_languages(one, typed.language or code),
            wording=joining.wording_of(one, code),
            **gate.fields(now()),
        )

    def step_page(request: Request, one: MailingList, fields: Fields, verdict: Pass) -> Response:
        carried = [(name, value) for name in _TYPED for value in fields.get(name, ())]
        return pages.page(
            request,
            "step",
            pages.language_of_stranger(request),
            script=True,
            choice_of_language=False,
            title=one.settings.name,
            action_url=_action(house, request, one),
            carried=carried,
            **gate.step_fields(verdict, fields, now()),
        )

    @show("/join/{list_id}")
    async def form(request: Request, list_id: str) -> Response:
        one = joinable(list_id)
        return form_page(request, one, Typed()) if one else pages.neutral(request)

    @app.post("/join/{list_id}")
    async def send(request: Request, list_id: str) -> Response:
        one = joinable(list_id)
        if one is None:
            return pages.neutral(request)
        fields = await forms.read(request)
        code = pages.language_of_stranger(request)
        typed = _typed(fields, one, code)
        try:
            asked = _asked(one, typed, code)
        except (BadAddress, BadHeader):
            error = "address" if _is_wrong(typed.address) else "name"
            return form_page(request, one, typed, error, status=422)
        verdict = await in_thread(gate.judge, request, fields, asked.address.domain, now())
        if verdict in (Pass.STEP, Pass.SOON):
            return step_page(request, one, fields, verdict)
        if verdict is Pass.FULL:
            return house.full(request, one.settings.contact)
        if verdict is Pass.OPEN:
            await in_thread(joining.ask, site, store, asked, now(), secrets.token_bytes)
        return pages.page(
            request,
            "asked",
            code,
            choice_of_language=False,
            bare="Look into your mail",
            list=house.described(one.id, code),
            contact=one.settings.contact,
        )

    @show("/j/{token}")
    async def ask(request: Request, token: str) -> Response:
        found = await in_thread(joining.look, store, token, now())
        if found is None:
            return pages.neutral(request)
        one = house.list_of(found.list_id)
        code = pages.language_of_reader(request, found.language, one)
        return pages.page(
            request,
            "confirm",
            code,
            list=house.described(found.list_id, code),
            # Whose form stood on another site, or who was asked by mail, reads it here first.
            wording=found.wording,
            shown_in=found.shown_in,
            action_url=pages.path("j", token, language=pages.chosen_language(request)),
        )

    @app.post("/j/{token}")
    async def confirm(request: Request, token: str) -> Response:
        joined = await in_thread(joining.confirm, site, store, token, now(), secrets.token_bytes)
        if joined is None:
            return pages.neutral(request)
        one = house.list_of(joined.list_id)
        session = settings.begin(site, joined.subscriber_id, joined.language, now())
        code = pages.language_of_reader(request, joined.language, one)
        return pages.page(
            request,
            "joined",
            code,
            bare="You are on the list",
            choice_of_language=False,
            list=house.described(joined.list_id, code),
            open_url=pages.path("s", "open", language=pages.chosen_language(request)),
            session=session.token,
        )


def _action(house: House, request: Request, one: MailingList) -> str:
    return house.pages.path("join", one.id, language=house.pages.chosen_language(request))


def _typed(fields: Fields, one: MailingList, code: str) -> Typed:
    language = forms.first(fields, "language")
    return Typed(
        address=forms.first(fields, "address").strip(),
        name=forms.first(fields, "name").strip(),
        language=language if language in one.settings.languages else "",
        segments=tuple(name for name in fields.get("segment", ()) if name in one.choices),
    )


def _asked(one: MailingList, typed: Typed, code: str) -> SignUp:
    """What the person asks for. Raises: BadAddress, BadHeader for a name that cannot be used."""
    address = Address.parse(typed.address)
    safe(address.wire, "the address")
    if len(typed.name) > LONGEST_NAME:
        raise BadHeader("the name is too long")
    return SignUp(
        address=address,
        list_id=one.id,
        language=typed.language or _of_list(one, code),
        wording=joining.wording_of(one, code),
        shown_in=code,
        name=safe(typed.name, "the name"),
        segments=typed.segments,
    )


def _is_wrong(address: str) -> bool:
    try:
        safe(Address.parse(address).wire, "the address")
    except (BadAddress, BadHeader):
        return True
    return False


def _of_list(one: MailingList, code: str) -> str:
    return code if code in one.settings.languages else one.default_language


def _languages(one: MailingList, chosen: str) -> list[dict[str, object]]:
    """The languages that a list is written in, for a form."""
    chosen = _of_list(one, chosen)
    return [
        {"code": code, "label": catalogue.language_name(code), "chosen": code == chosen}
        for code in one.settings.languages
    ]
