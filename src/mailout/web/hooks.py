"""Notices of mail providers: what bounced, who complained, who left by a button of theirs.

POST /hooks/PROVIDER, walked through in this order:

1. A provider that is not set up gets the neutral page, as any path that is not there.
2. A login or a header is looked at before the body is read; a signature, once it is (10 MB).
3. SES: the certificate is fetched from SNS, for a topic of ours only, and remembered.
4. `core.webhook` says what is kept. What is forged or nonsense gets the neutral page; nothing of it
   is kept. A batch is kept whole or not at all.
5. A token that is good once and comes again with other contents is a forgery, also after a restart.
6. A subscription is confirmed; arrivals are kept. Only then the answer is 200.

While the store, a secret or SNS cannot be reached the answer is 503: providers try again.

Standards: RFC 9110 15 (status codes), RFC 7617 (Basic).
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime

import anyio
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from mailout.config.webhooks import configured
from mailout.core.errors import MailoutError, TryLater
from mailout.core.webhook import proof, ses
from mailout.core.webhook.event import FORGED, Refused, Verdict
from mailout.core.webhook.provider import arrivals
from mailout.core.webhook.settings import Login, Ready, Ses
from mailout.fetch import Door, fetch
from mailout.receive.intake import keeper
from mailout.store import hook_tokens
from mailout.store.engine import Store
from mailout.web import forms
from mailout.web.house import House, in_thread, now
from mailout.web.pages import plain

log = logging.getLogger("mailout.web")

MOST_BODY = 10_000_000
"""Bytes of a request. SNS sends up to 256 KB, SendGrid's batches are below 1 MB."""

PATH = "/hooks"

_MOST_AT_ONCE = 8  # bodies in memory
_MOST_CERTIFICATES = 8
_SNS = Door(seconds=10.0, most=100_000, any_kind=True)


def add_to(app: FastAPI, house: House) -> None:
    """Nothing, once the app takes notices."""
    keep = keeper(house.store)
    known = {one.name: one for one in configured(house.site.webhooks)}
    certificates = _Certificates()
    room = anyio.Semaphore(_MOST_AT_ONCE)

    async def take(request: Request) -> Response:
        name = request.path_params["provider"]
        webhook = known.get(name)
        if webhook is None:
            return house.pages.neutral(request)
        settings = webhook.settings
        if settings is None:
            raise TryLater(f"the webhook {name} has no secret: {webhook.missing} is not set")
        headers = dict(request.headers)
        if isinstance(settings, Login) and not proof.shows(headers, settings):
            return _refused(house, request, name, FORGED)
        # Who has shown a login need not wait behind bodies of strangers.
        async with nullcontext() if isinstance(settings, Login) else room:
            body = await forms.whole(request, MOST_BODY)
            verdict = await _judged(name, body, headers, settings, certificates)
            if not await in_thread(_is_good, house.store, name, verdict, now()):
                verdict = FORGED
            if isinstance(verdict, Refused):
                return _refused(house, request, name, verdict)
            if verdict.confirm:
                await certificates.confirm(verdict.confirm)
                log.info("a subscription to the notices of %s was confirmed", name)
            if verdict.arrivals:
                await in_thread(keep, verdict.arrivals)
        return plain(request, "ok\n")

    app.add_route(f"{PATH}/{{provider}}", take, methods=["POST"])


def _refused(house: House, request: Request, name: str, verdict: Refused) -> Response:
    why = "is not from there" if verdict == FORGED else "is not understood"
    log.warning("a request to the webhook %s %s", name, why)
    return house.pages.neutral(request, verdict.status)


async def _judged(
    name: str,
    body: bytes,
    headers: dict[str, str],
    settings: Ready,
    certificates: _Certificates,
) -> Verdict:
    certificate = b""
    if isinstance(settings, Ses):
        url = await in_thread(ses.certificate_url, body, settings)
        certificate = await certificates.of(url) if url else b""
    # In a thread: a batch of 10 MB takes a while to be read.
    return await in_thread(arrivals, name, body, headers, settings, now(), certificate)


@dataclass(slots=True)
class _Certificates:
    """The certificates of SNS: each is fetched once, one at a time."""

    _known: OrderedDict[str, bytes] = field(default_factory=OrderedDict)
    _turn: anyio.Lock = field(default_factory=anyio.Lock)

    async def of(self, url: str) -> bytes:
        """What stands at an address of SNS; empty if there is nothing. Raises: TryLater."""
        async with self._turn:
            if url not in self._known:
                found = await in_thread(_fetched, url)
                if not found:
                    return b""
                self._known[url] = found
                if len(self._known) > _MOST_CERTIFICATES:
                    self._known.popitem(last=False)
            return self._known[url]

    async def confirm(self, url: str) -> None:
        """Nothing, once the address that begins a subscription was fetched. Raises: TryLater."""
        if not await in_thread(_fetched, url):
            raise TryLater("SNS did not take the confirmation of a subscription")


def _fetched(url: str) -> bytes:
    """What stands there, if it stands there and nowhere else. Raises: TryLater."""
    try:
        found = fetch(url, _SNS)
    except TryLater:
        raise
    except MailoutError as error:
        log.warning("%s", error.what)
        return b""
    return found.raw if found.url == url else b""


def _is_good(store: Store, name: str, taken: Verdict, at: datetime) -> bool:
    """Whether its token is new, or came with this very event before: that is a repetition. Most
    have none.

    It is written down before anything is kept: if that fails, the same event comes once more.
    """
    if isinstance(taken, Refused) or not taken.once:
        return True
    event = b"\n".join(one.raw for one in taken.arrivals)
    with store.writing() as tx:
        return hook_tokens.claim(tx, name, taken.once, event, at)
