"""The pages as responses: rendered in the reader's language, under headers that give nothing away.

| header | why |
|---|---|
| Content-Security-Policy | no picture, nothing from elsewhere, no frame, no script (but a form's) |
| Referrer-Policy | the token in the address goes to no other site |
| Cache-Control | no copy stays in a shared browser or a proxy |
| X-Robots-Tag | no page is found by searching |

Standards: RFC 9110 (HTTP), RFC 9111 5.2 (no-store), CSP Level 3.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from dataclasses import asdict
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from mailout import catalogue
from mailout.core import language
from mailout.core.errors import MailoutError
from mailout.core.language import stated
from mailout.core.mailing_list import MailingList
from mailout.core.render import Templates
from mailout.core.site import Site

log = logging.getLogger("mailout.web")

_POLICY = (
    "default-src 'none'; style-src {style};{script} form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
# Shown when a page's own template is broken: the reader's answer must not depend on it.
_BARE = (
    '<!DOCTYPE html><html lang="{language}" dir="{dir}"><meta charset="utf-8">'
    "<title>{words}</title><p>{words}</p></html>\n"
)


def headers(nonce: str = "", *, script: bool = False) -> dict[str, str]:
    """The headers that every answer carries; with a `nonce` one style block may apply, and with
    `script` one script may run."""
    style = f"'nonce-{nonce}'" if nonce else "'none'"
    ours = f" script-src 'nonce-{nonce}';" if script else ""
    return {
        "Content-Security-Policy": _POLICY.format(style=style, script=ours),
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "X-Robots-Tag": "noindex",
        "X-Content-Type-Options": "nosniff",
    }


def plain(
    request: Request, text: str, status: int = 200, more: Mapping[str, str] | None = None
) -> Response:
    """A short answer in plain text."""
    return _response(request, text, status, "text/plain", {**headers(), **(more or {})})


class PublicPages:
    """The site's page templates, and how they are filled."""

    def __init__(self, site: Site, sources: Mapping[str, str]) -> None:
        self.site = site
        self._templates = {
            code: Templates(sources, catalogue.words(code)) for code in catalogue.languages()
        }
        self._brand = asdict(site.brand)
        # Where a proxy serves the pages below a path, links begin with it.
        self._prefix = urlsplit(site.identity.url).path.rstrip("/")
        self._first_list = next(iter(site.lists.values()))

    def path(self, *parts: str, language: str = "") -> str:
        """The path of a page; with `language` it keeps the one that the reader has chosen."""
        query = f"?lang={language}" if language else ""
        return "/".join((self._prefix, *parts)) + query

    def chosen_language(self, request: Request) -> str:
        """What `?lang=` says, if there is a catalogue of it; else empty."""
        asked = request.query_params.get("lang", "")
        return asked if asked in self._templates else ""

    def language_of_reader(self, request: Request, reader: str, list_: MailingList) -> str:
        """The page's language for the reader of a list: as chosen, else theirs, else the list's."""
        wanted = [reader] if reader else _languages_of_browser(request)
        return self.chosen_language(request) or self._best(wanted, list_)

    def language_of_stranger(self, request: Request) -> str:
        """The page's language for anybody: as chosen, else as the browser asks."""
        wanted = _languages_of_browser(request)
        return self.chosen_language(request) or self._best(wanted, self._first_list)

    def _best(self, wanted: list[str], list_: MailingList) -> str:
        fallback = list_.settings.fallback
        for code in wanted:
            base = code.split("-")[0]
            for step in (code, base, *stated(code, fallback)):
                if step in self._templates:
                    return step
        offered = [code for code in list_.settings.languages if code in self._templates]
        return offered[0] if offered else next(iter(self._templates))

    def page(
        self,
        request: Request,
        name: str,
        code: str,
        *,
        status: int = 200,
        bare: str = "",
        choice_of_language: bool = True,
        script: bool = False,
        more: Mapping[str, str] | None = None,
        **values: object,
    ) -> Response:
        """The page `name` in the language `code`, filled with `values`.

        `bare` is the message id that is answered with should the template be broken; a page
        with a `script` of its own says so.
        """
        nonce = secrets.token_urlsafe(16)
        context = {
            "language": code,
            "dir": language.direction(code),
            "site": {"name": self.site.identity.name, "url": self.site.identity.url},
            "brand": self._brand,
            "nonce": nonce,
            "languages": self._languages() if choice_of_language else [],
            **values,
        }
        try:
            body = self._templates[code].render(f"pages/{name}.html.j2", context)
        except MailoutError as error:
            log.error("%s", error)
            body = _BARE.format(
                language=code,
                dir=language.direction(code),
                words=catalogue.words(code).gettext(bare or "This link does not work"),
            )
        return _response(
            request, body, status, "text/html", {**headers(nonce, script=script), **(more or {})}
        )

    def neutral(
        self, request: Request, status: int = 404, more: Mapping[str, str] | None = None
    ) -> Response:
        """The one page for everything that is wrong; it depends on nothing but the browser."""
        return self.page(
            request,
            "neutral",
            self.language_of_stranger(request),
            status=status,
            more=more,
            contact=self._first_list.settings.contact,
        )

    def _languages(self) -> list[dict[str, str]]:
        return [
            {"code": code, "label": catalogue.language_name(code), "url": f"?lang={code}"}
            for code in self._templates
        ]


def _languages_of_browser(request: Request) -> list[str]:
    """What `Accept-Language` asks for, in its order; weights are not looked at (RFC 9110 12.5.4
    lets them differ from the order, browsers do not)."""
    asked = request.headers.get("accept-language", "")[:200].split(",")
    return [language.normal(part.split(";")[0]) for part in asked]


def _response(
    request: Request, text: str, status: int, media_type: str, fields: dict[str, str]
) -> Response:
    """The answer; to HEAD the same without its body (RFC 9110 9.3.2)."""
    body = text.encode()
    if request.method == "HEAD":
        return Response(
            None,
            status,
            {**fields, "Content-Length": str(len(body))},
            f"{media_type}; charset=utf-8",
        )
    return Response(body, status, fields, f"{media_type}; charset=utf-8")
