"""The gate of forms that anybody may send: one that has a mail sent to an address.

A form carries a signed token, good for a day and once. Whoever sends it has let their browser
work (`core.work`) or, without JavaScript, has taken some seconds; who has done neither, and who
comes from a form on another site, gets one more page with one button. What robots fill in and
people do not see ends it quietly.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any

from starlette.requests import Request

from mailout.core.keys import Keys
from mailout.core.site import Site
from mailout.core.token import form_token, read_form
from mailout.core.work import BITS, is_done
from mailout.web import forms
from mailout.web.forms import Fields
from mailout.web.limits import Limits
from mailout.web.network import prefix_of

GOOD_FOR = timedelta(days=1)
PATIENCE = timedelta(seconds=8)
TRAP = "website"
"""A field that no person sees; robots fill it in."""


class Pass(Enum):
    """What the gate says: go on; one more step first; the same, as it was sent too soon; too
    many have asked; it is a robot."""

    OPEN = auto()
    STEP = auto()
    SOON = auto()
    FULL = auto()
    ROBOT = auto()


@dataclass(frozen=True, slots=True)
class Gate:
    """The gate of one site."""

    site: Site
    limits: Limits

    def fields(self, now: datetime, token: str = "") -> dict[str, Any]:
        """What a form's template needs to pass the gate; `token` goes on with an older form."""
        return {
            "form": token or new_token(self.site.keys, now),
            "trap": TRAP,
            "bits": BITS,
            "patience": int(PATIENCE.total_seconds()),
        }

    def step_fields(self, verdict: Pass, fields: Fields, now: datetime) -> dict[str, Any]:
        """The same for one more step; who came too soon does not begin to wait anew."""
        soon = verdict is Pass.SOON
        return self.fields(now, forms.first(fields, "form") if soon else "")

    def judge(self, request: Request, fields: Fields, domain: str, now: datetime) -> Pass:
        """Whether what was sent may have a mail sent to an address of that domain."""
        if forms.first(fields, TRAP):
            return Pass.ROBOT
        token = forms.first(fields, "form")
        said = read_form(self.site.keys.undo, token, now)
        if said is None:
            return Pass.STEP
        worked = is_done(token, forms.first(fields, "work"))
        if not worked and now - (said.expires - GOOD_FOR) < PATIENCE:
            return Pass.SOON
        network = prefix_of(request, self.site.pages.proxies)
        if not self.limits.is_first_use(said.id):
            return Pass.STEP
        admitted = self.limits.admits(network, domain, worked=worked)
        return Pass.OPEN if admitted else Pass.FULL


def new_token(keys: Keys, now: datetime) -> str:
    """A form's token, good for a day."""
    return form_token(keys.undo, secrets.token_bytes(8), now + GOOD_FOR)
