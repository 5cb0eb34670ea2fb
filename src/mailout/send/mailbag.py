"""A mail bag: the letters that go over one connection, and what becomes of each.

waiting -> under way -> ended; one that comes back untouched waits again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from mailout.core.delivery import Outcome
from mailout.core.site import Relay, Site
from mailout.smtp.envelope import Envelope
from mailout.smtp.replies import Reply
from mailout.smtp.session import RelayProblem, open_pipeline, refuses_us
from mailout.store.letters import Posted


class MailBag:
    """The letters of a batch; each is in one place of it at a time."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.waiting: list[Envelope] = []
        self._under_way: dict[int, Posted] = {}
        self._ended: list[tuple[Posted, Outcome]] = []
        self._had_any = False
        self._refusal: Reply | None = None
        self._news = asyncio.Event()

    async def carry(self, site: Site) -> AsyncGenerator[list[tuple[Posted, Outcome]]]:
        """What became of the letters, as it is known. Raises: RelayProblem."""
        patience = site.sending.timeout_seconds
        pipeline = await open_pipeline(self.relay, site.ehlo, patience, self)
        pipeline.quit_when_idle()
        closing = asyncio.ensure_future(pipeline.closed.wait())
        closing.add_done_callback(lambda _: self._news.set())
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                closed = closing.done()
                ended, self._ended = self._ended, []
                if ended:
                    self._had_any = True
                    yield ended
                if closed:
                    break
        finally:
            pipeline.cut()
            closing.cancel()
        if self._refusal is not None:
            raise refuses_us(self.relay, self._refusal)
        if self.waiting and not self._had_any:
            raise RelayProblem("the connection was lost", where=self.relay.label)

    @property
    def begun(self) -> list[Posted]:
        """The letters that were on the wire when it was cut."""
        return list(self._under_way.values()) + [letter for letter, _ in self._ended]

    @property
    def rest(self) -> list[Posted]:
        """The letters of which nothing was on the wire."""
        return [_letter(envelope) for envelope in self.waiting]

    # --- as the pipeline's source (smtp.envelope.Source) ----------------------------------

    def take(self) -> Envelope | None:
        if not self.waiting or self._refusal is not None:
            return None
        envelope = self.waiting.pop(0)
        letter = _letter(envelope)
        self._under_way[letter.id] = letter
        return envelope

    def finished(self, envelope: Envelope, outcome: Outcome) -> None:
        letter = _letter(envelope)
        self._under_way.pop(letter.id, None)
        self._ended.append((letter, outcome))
        self._news.set()

    def returned(self, envelope: Envelope) -> None:
        self._under_way.pop(_letter(envelope).id, None)
        self.waiting.insert(0, envelope)

    def refused_us(self, reply: Reply) -> None:
        self._refusal = reply
        self._news.set()


def _letter(envelope: Envelope) -> Posted:
    return envelope.ticket  # type: ignore[return-value]  # ours
