"""The preview of an issue: each language wide and narrow, light and dark, with and without
pictures, as text and as source, by any subscriber's eyes; it follows the files as they change.

For the organiser's own browser on this machine. The mail's HTML stands in a frame that may
run nothing and fetch nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import urlencode

from fastapi import FastAPI, HTTPException
from fastapi.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.middleware.trustedhost import TrustedHostMiddleware

from mailout.core.archive import PICTURES
from mailout.core.errors import MailoutError

_PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; script-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'"
)
_MAIL_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src {pictures}; sandbox"
_PICTURE = re.compile(r"[0-9a-f]{20}\.(?:jpg|png)")
_DARK_QUERY = "@media (prefers-color-scheme: dark)"


@dataclass(frozen=True, slots=True)
class Sheet:
    """One language and edition (empty: the standard one) of the issue as a reader gets it.

    `html` is empty in the text edition; `source` is the whole message.
    """

    language: str
    subject: str
    html: str
    text: str
    source: str
    edition: str = ""

    @property
    def name(self) -> str:
        return f"{self.language}.{self.edition}" if self.edition else self.language


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is to look at, and the name of the sheet that the reader would get."""

    sheets: Sequence[Sheet]
    first: str


Look = Callable[[str], Seen]
"""The issue by the eyes of the subscriber with an address (empty: of nobody in particular).
May raise a MailoutError, which is shown in the issue's place."""


@dataclass(frozen=True, slots=True)
class _View:
    """How it is looked at."""

    reader: str = ""
    dark: bool = False
    pictures: bool = True

    def query(self, **changes: object) -> str:
        chosen = {"reader": self.reader, "dark": self.dark, "pictures": self.pictures, **changes}
        said = {
            "reader": chosen["reader"],
            "dark": "yes" if chosen["dark"] else "",
            "pictures": "" if chosen["pictures"] else "no",
        }
        kept = {name: value for name, value in said.items() if value}
        return escape(f"?{urlencode(kept)}") if kept else ""


def make_preview(
    name: str,
    look: Look,
    stamp: Callable[[], str],
    pictures: Path | None = None,
    archive_url: str = "",
) -> FastAPI:
    """The app. `stamp` is a word that is another one as soon as a file has changed; `pictures` is
    the folder of those that mails will show from the archive at `archive_url`."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    # A page from elsewhere must not get at it by a name of its own that leads to this machine.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]"])

    @app.get("/pictures/{file}")
    def picture(file: str) -> Response:
        if pictures is None or not _PICTURE.fullmatch(file) or not (pictures / file).is_file():
            raise HTTPException(404, "no such picture")
        return FileResponse(pictures / file)

    @app.get("/stamp")
    def stamp_() -> PlainTextResponse:
        return PlainTextResponse(stamp(), headers={"Cache-Control": "no-store"})

    @app.get("/reload.js")
    def reload() -> Response:
        return Response(_RELOAD, media_type="text/javascript")

    @app.get("/")
    def index(reader: str = "", dark: str = "", pictures: str = "") -> HTMLResponse:
        return page("", reader, dark, pictures)

    @app.get("/{sheet}")
    def page(sheet: str, reader: str = "", dark: str = "", pictures: str = "") -> HTMLResponse:
        view = _View(reader.strip(), dark == "yes", pictures != "no")
        try:
            seen = look(view.reader)
        except MailoutError as error:
            return _page(name, f'<p role="alert">{escape(str(error))}</p>', stamp())
        shown = _sheet(seen, sheet or seen.first)
        return _page(name, _controls(seen, shown, view) + _views(shown, view), stamp())

    @app.get("/{sheet}/mail")
    def mail(sheet: str, reader: str = "", dark: str = "", pictures: str = "") -> HTMLResponse:
        html = _sheet(_looked(look, reader), sheet).html
        if archive_url:  # where they are not yet, before the issue is sent
            html = html.replace(f'src="{escape(archive_url)}/{PICTURES}', 'src="/pictures/')
        html = html.replace(_DARK_QUERY, "@media all" if dark == "yes" else "@media not all")
        allowed = "'none'" if pictures == "no" else "'self' https: http: data:"
        policy = _MAIL_POLICY.format(pictures=allowed)
        return HTMLResponse(html, headers={"Content-Security-Policy": policy})

    @app.get("/{sheet}/text")
    def text(sheet: str, reader: str = "") -> PlainTextResponse:
        return PlainTextResponse(_sheet(_looked(look, reader), sheet).text)

    @app.get("/{sheet}/source")
    def source(sheet: str, reader: str = "") -> PlainTextResponse:
        return PlainTextResponse(_sheet(_looked(look, reader), sheet).source)

    return app


def _looked(look: Look, reader: str) -> Seen:
    try:
        return look(reader.strip())
    except MailoutError as error:
        raise HTTPException(409, str(error)) from None


def _sheet(seen: Seen, name: str) -> Sheet:
    for sheet in seen.sheets:
        if sheet.name == name:
            return sheet
    raise HTTPException(404, "no such language or edition")


def _page(name: str, content: str, stamp: str) -> HTMLResponse:
    page = _PAGE.format(title=escape(f"Preview of {name}"), content=content, stamp=escape(stamp))
    return HTMLResponse(
        page, headers={"Content-Security-Policy": _PAGE_POLICY, "Cache-Control": "no-store"}
    )


def _controls(seen: Seen, sheet: Sheet, view: _View) -> str:
    def link(name: str, words: str, current: bool, **changes: object) -> str:
        mark = ' aria-current="page"' if current else ""
        return f'<a href="/{escape(name)}{view.query(**changes)}"{mark}>{escape(words)}</a>'

    code = sheet.name
    languages = "".join(
        link(one.name, f"{one.language} {one.edition}".strip(), one.name == code)
        for one in seen.sheets
    )
    lights = link(code, "Light", not view.dark, dark=False) + link(
        code, "Dark", view.dark, dark=True
    )
    pictures = link(code, "Pictures", view.pictures, pictures=True) + link(
        code, "No pictures", not view.pictures, pictures=False
    )
    kept = "".join(
        f'<input type="hidden" name="{name}" value="{value}">'
        for name, value in (
            ("dark", "yes" if view.dark else ""),
            ("pictures", "" if view.pictures else "no"),
        )
        if value
    )
    return (
        f'<nav aria-label="Languages and editions">{languages}</nav>'
        f'<nav aria-label="Colours">{lights}</nav><nav aria-label="Pictures">{pictures}</nav>'
        f'<form action="/" method="get"><label for="reader">By the eyes of</label> '
        f'<input id="reader" name="reader" type="text" inputmode="email" autocomplete="off" '
        f'placeholder="a subscriber’s address" value="{escape(view.reader)}">{kept}'
        f"<button>Look</button></form>"
    )


def _views(sheet: Sheet, view: _View) -> str:
    code, query = escape(sheet.name), view.query()
    frames = "".join(
        f'<figure><figcaption>{title}</figcaption><iframe class="{kind}" title="{title}" '
        f'src="/{code}/{part}{query}"></iframe></figure>'
        for title, kind, part in (
            ("Desktop", "wide", "mail"),
            ("Phone", "phone", "mail"),
            ("Text part", "wide", "text"),
        )
        if sheet.html or part == "text"
    )
    return (
        f'<h2 dir="auto">{escape(sheet.subject)}</h2>'
        f'<p><a href="/{code}/text{query}">Text part alone</a> '
        f'<a href="/{code}/source{query}">Source</a></p><div class="views">{frames}</div>'
    )


_RELOAD = """
const shown = document.documentElement.dataset.stamp;
setInterval(async () => {
  try {
    const now = await (await fetch("/stamp")).text();
    if (now !== shown) location.reload();
  } catch { /* the preview has ended */ }
}, 1000);
"""

_PAGE = """<!DOCTYPE html>
<html lang="en" data-stamp="{stamp}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<script src="/reload.js" defer></script>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 1.5rem; }}
h1 {{ font-size: 1.4rem; }}
nav, form {{ display: inline-block; margin: 0 1.5rem .75rem 0; }}
nav a {{ display: inline-block; padding: .3rem .6rem; }}
nav a[aria-current] {{ font-weight: bold; outline: 2px solid; border-radius: 4px; }}
input, button {{ font: inherit; padding: .3rem .6rem; }}
[role=alert] {{ padding: 1rem; border: 2px solid #a8141f; border-radius: 4px; }}
.views {{ display: flex; flex-wrap: wrap; gap: 1.5rem; }}
figure {{ margin: 0; max-width: 100%; }}
iframe {{ border: 1px solid #888; height: 80vh; max-width: 100%; background: #fff; }}
.wide {{ width: 680px; }}
.phone {{ width: 375px; }}
</style></head><body>
<h1>{title}</h1>
{content}
</body></html>"""
