"""How much strangers may ask for: counted by network, mail domain and overall, in fixed hours.

| counted | an hour |
|---|---|
| asks from a network (/24, /48), work done | 60: a meeting signs up from one room |
| the same, no work done (no JavaScript) | 10 |
| asks for a mail domain | a quarter of all |
| all asks | `sign_ups_per_hour` of [pages] |

Counts are in memory, or in Redis or Valkey where several machines serve (`limits` of [pages]).
While that does not answer, each machine counts for itself, and asks again after some seconds: a
form never waits for it long. Call it from a thread. A leave is never counted.
"""

from __future__ import annotations

import logging
import time
from typing import cast

from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerHour
from limits.storage import MemoryStorage, Storage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

from mailout.core.errors import MailoutError
from mailout.core.site import Pages

log = logging.getLogger("mailout.web")

_WORKING, _IDLE = 60, 10
_ONCE = RateLimitItemPerDay(1, namespace="form")
_ANSWERS_WITHIN = 1.0
_LEFT_ALONE = 10.0
"""Seconds that the shared counts may take; that they are not asked after they failed."""


class Limits:
    """The counts of one site, for many threads."""

    def __init__(self, settings: Pages) -> None:
        self._shared = _shared(settings.limits)
        self._away_until = 0.0
        self._all = settings.sign_ups_per_hour
        self._memory = FixedWindowRateLimiter(MemoryStorage())
        self._limiter = FixedWindowRateLimiter(self._shared) if self._shared else self._memory

    def admits(self, network: str, domain: str, *, worked: bool) -> bool:
        """Whether one more may ask from that network for an address of that mail domain."""
        counted = (
            (RateLimitItemPerHour(_WORKING if worked else _IDLE, namespace="net"), network),
            (RateLimitItemPerHour(max(1, self._all // 4), namespace="domain"), domain),
            (RateLimitItemPerHour(self._all, namespace="all"), "all"),
        )
        # A network that has had its share is stopped before it uses up that of others.
        return all(self._hit(item, key) for item, key in counted)

    def is_first_use(self, form: int) -> bool:
        """Whether a form was not sent before: each asks once."""
        return self._hit(_ONCE, str(form))

    def _hit(self, item: RateLimitItem, key: str) -> bool:
        if self._shared is not None and time.monotonic() >= self._away_until:
            try:
                return self._limiter.hit(item, key)
            except self._shared.base_exceptions as error:
                # Signing up goes on; each machine counts for itself until it is back.
                self._away_until = time.monotonic() + _LEFT_ALONE
                log.error("the shared limits do not answer: %s", type(error).__name__)
        return self._memory.hit(item, key)


def _shared(url: str) -> Storage | None:
    if not url:
        return None
    address = url.replace("valkey", "redis", 1)
    try:
        patience = {"socket_timeout": _ANSWERS_WITHIN, "socket_connect_timeout": _ANSWERS_WITHIN}
        return cast(Storage, storage_from_string(address, **patience))
    except Exception as error:  # the library's own, its driver's, or a missing driver's
        raise MailoutError(
            f"the shared limits cannot be used: {error}",
            where="config.toml [pages] limits",
            fix="Install the driver with `pip install 'redis<8'`, or leave `limits` empty.",
        ) from None
