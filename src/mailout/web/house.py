"""What every page needs: its templates, the site, the store behind threads.

Here pages meet the trips: a trip is sync and is called in a thread, so that the event loop
never waits for a disk.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response

from mailout.core.mailing_list import MailingList
from mailout.core.site import Site
from mailout.store.engine import Store
from mailout.web.pages import PublicPages

T = TypeVar("T")

METHODS = ["GET", "HEAD"]
"""What only shows."""


@dataclass(frozen=True, slots=True)
class House:
    """The site whose pages are served, its store, and how pages are filled."""

    site: Site
    store: Store
    pages: PublicPages

    def list_of(self, list_id: str) -> MailingList:
        """The list; the site's first one speaks for a list that was taken away since."""
        return self.site.lists.get(list_id) or next(iter(self.site.lists.values()))

    def described(self, list_id: str, code: str) -> dict[str, str]:
        """What a page in the language `code` says of a list."""
        if list_id not in self.site.lists:
            return {"id": list_id, "name": list_id, "description": "", "contact": ""}
        one = self.site.lists[list_id]
        return {
            "id": list_id,
            "name": one.settings.name,
            "description": one.described(code),
            "contact": one.settings.contact,
        }

    def full(self, request: Request, contact: str) -> Response:
        """The answer to one ask too many; it depends on no address."""
        return self.pages.page(
            request,
            "full",
            self.pages.language_of_stranger(request),
            status=429,
            more={"Retry-After": "3600"},
            choice_of_language=False,
            contact=contact,
        )

    def label(self, one: MailingList, segment: str, code: str) -> str:
        """What a segment is called in a language, or in the list's first one."""
        labels = one.choices[segment].label
        return labels.get(code) or labels.get(one.default_language) or segment


async def in_thread(function: Callable[..., T], *arguments: object) -> T:
    """What the function returns, called in a thread: the store is not for the event loop."""
    return await anyio.to_thread.run_sync(partial(function, *arguments))


def now() -> datetime:
    return datetime.now(UTC)
