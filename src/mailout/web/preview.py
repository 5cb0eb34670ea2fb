"""The preview of a compiled issue: each language wide and narrow, light, with its text part.

For the organiser's own browser on this machine. The mail's HTML stands in a frame that may
run nothing and fetch nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from fastapi import FastAPI, HTTPException
from fastapi.responses import HTMLResponse, PlainTextResponse

from mailout.core.issue import Variant

_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'"
_MAIL_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; sandbox"

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 1.5rem; color-scheme: light dark; }}
nav a {{ margin-inline-end: 1rem; }}
.views {{ display: flex; flex-wrap: wrap; gap: 1.5rem; }}
iframe {{ border: 1px solid #888; height: 80vh; background: #fff; }}
.wide {{ width: 680px; }}
.phone {{ width: 375px; }}
</style></head><body>
<h1>{title}</h1>
<nav aria-label="Languages">{links}</nav>
{views}
</body></html>"""


def make_preview(
    name: str, variants: Sequence[Variant], fill: Mapping[str, tuple[str, str]]
) -> FastAPI:
    """The app. `fill` holds HTML and text per language as a sample reader sees them."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    links = " ".join(f'<a href="/{v.language}">{escape(v.language)}</a>' for v in variants)
    subjects = {variant.language: variant.subject for variant in variants}

    @app.get("/")
    def index() -> HTMLResponse:
        first = variants[0].language
        return _language(first)

    @app.get("/{language}")
    def language_page(language: str) -> HTMLResponse:
        return _language(language)

    @app.get("/{language}/mail")
    def mail(language: str) -> HTMLResponse:
        return HTMLResponse(_known(language)[0], headers={"Content-Security-Policy": _MAIL_POLICY})

    @app.get("/{language}/text")
    def text(language: str) -> PlainTextResponse:
        return PlainTextResponse(_known(language)[1])

    def _known(language: str) -> tuple[str, str]:
        if language not in fill:
            raise HTTPException(404, "no such language")
        return fill[language]

    def _language(language: str) -> HTMLResponse:
        _known(language)
        code = escape(language)
        views = (
            f"<h2>{code}: {escape(subjects[language])}</h2>"
            f'<p><a href="/{code}/text">Text part alone</a></p><div class="views">'
            f'<iframe class="wide" title="Desktop" src="/{code}/mail"></iframe>'
            f'<iframe class="phone" title="Phone" src="/{code}/mail"></iframe>'
            f'<iframe class="wide" title="Text part" src="/{code}/text"></iframe></div>'
        )
        page = _PAGE.format(title=escape(f"Preview of {name}"), links=links, views=views)
        return HTMLResponse(page, headers={"Content-Security-Policy": _PAGE_POLICY})

    return app
