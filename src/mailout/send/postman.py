"""The postman: mails letters, each once, in rounds.

due -> start (`sending` on disk) -> the wire -> end on disk, or due again by the retry plan.

| what happens | then |
|---|---|
| the relay cannot be used | the next one is tried; with none left all is given back: *held* |
| a template or a list's setting is broken | put off, with what is wrong; the reader loses nothing |
| the list was taken away | skipped |
| it is too old to be of use | expired |
| the postman dies between start and end | another mails it again, with the same Message-ID |

Any number may be at work. They take from the same buckets as everybody, ahead of bulk mail.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING

from mailout.core.delivery import DeliveryState, Outcome, Step, Verdict, after_attempt
from mailout.core.errors import MailoutError
from mailout.core.site import Relay, Site
from mailout.core.throttle import says_too_fast
from mailout.send import alerts, presence
from mailout.send.letter_compose import LetterComposer, ListGone, Undeliverable
from mailout.send.mailbag import MailBag
from mailout.send.pace import Pace
from mailout.send.plan import retry_plan
from mailout.smtp.envelope import Envelope
from mailout.smtp.session import RelayProblem
from mailout.store import letters
from mailout.store.claims import Claimed
from mailout.store.engine import Store, Tx
from mailout.store.letters import Posted
from mailout.store.outcomes import Recorded

if TYPE_CHECKING:
    from mailout.core.dkim import Signer

_MOST = 50  # letters that are started at once
_BREAK = (15.0, 300.0)  # seconds that a relay gets nothing after a failure: at first, and at most
_STEPS = 8  # answers of a relay that may be awaited between two outcomes
_STUCK = timedelta(hours=1)
_ADDRESS = re.compile(r"[^\s<>()\[\]:;,]+@[^\s<>()\[\]:;,]+")
_NO_RELAY = "the site has no relay"
_STOPPED = "the postman was stopped with it on the wire"


@dataclass(frozen=True, slots=True)
class Round:
    """What a round came to; `held` says why no relay could be used, `trouble` what else went
    wrong: a template, say. Neither names an address."""

    ends: Mapping[DeliveryState, int]
    held: str = ""
    trouble: str = ""

    @property
    def did(self) -> dict[str, int]:
        """The counts by the names of the states; `queued` are those that were put off."""
        return {state.value: self.ends[state] for state in DeliveryState if self.ends.get(state)}


@dataclass(slots=True)
class _Breaker:
    """Until when a relay rests, and how long it will the next time."""

    until: datetime
    wait: float


@dataclass(slots=True, eq=False)
class Postman:
    """One at work, and what it knows from one round to the next. Used by one event loop.

    `sources` gives the site's templates as they are now.
    """

    store: Store
    site: Site
    worker: str
    sources: Callable[[], Mapping[str, str]]
    signers: Sequence[Signer] = ()
    _pace: Pace = field(init=False)
    _composer: LetterComposer | None = None
    _trouble: str = ""
    _breakers: dict[str, _Breaker] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._pace = Pace(self.site, overtakes=True)

    def has_work(self, now: datetime) -> bool:
        """Whether a round would come to anything; asks without keeping any writer waiting."""
        with self.store.reading() as tx:
            return letters.any_work(tx, now)

    async def round(self) -> Round:
        """What it came to, once every letter that was due and may go has an end or is put off.

        When it is cancelled, what is on the wire is due again. Raises: MailoutError if the store
        fails, or the templates cannot be read.
        """
        self._read_templates()
        self._trouble = held = ""
        ends: Counter[DeliveryState] = Counter()
        with self.store.writing() as tx:
            ends[DeliveryState.EXPIRED] += self._clean_up(tx, _now())
        relays = self._usable(_now())
        if not relays and self.has_work(_now()):
            held = "no relay could be used a moment ago" if self.site.relays else _NO_RELAY
        while relays:
            batch, is_spent = self._take(relays[0], _now())
            if not batch and not is_spent:
                break
            if not batch:
                relays.pop(0)  # it has had all that it may have: another may have room
                continue
            try:
                await self._deliver(relays[0], batch, ends)
                self._breakers.pop(relays[0].label, None)
            except RelayProblem as problem:
                self._trip(relays.pop(0), _now())
                held = "" if relays else str(problem)
        self._tell_if_stuck(_now())
        return Round(ends, held, self._trouble)

    def _read_templates(self) -> None:
        sources = self.sources()
        if self._composer is None or self._composer.sources != sources:
            self._composer = LetterComposer(self.site, sources, self.signers)

    # --- relays ---------------------------------------------------------------------------

    def _usable(self, now: datetime) -> list[Relay]:
        """The relays that may be tried, the weightiest first and those of weight 0 last."""
        resting = {label for label, one in self._breakers.items() if one.until > now}
        order = sorted(self.site.relays, key=lambda one: -one.weight)
        return [relay for relay in order if relay.label not in resting]

    def _trip(self, relay: Relay, now: datetime) -> None:
        before = self._breakers.get(relay.label)
        wait = min(before.wait * 2, _BREAK[1]) if before else _BREAK[0]
        self._breakers[relay.label] = _Breaker(now + timedelta(seconds=wait), wait)

    # --- what is due ----------------------------------------------------------------------

    def _clean_up(self, tx: Tx, now: datetime) -> int:
        """How many letters were too old; those of dead postmen are due again."""
        letters.lapse(tx, now, presence.dead_among(self.site.root, letters.holders(tx)))
        return letters.expire(tx, now)

    def _take(self, relay: Relay, now: datetime) -> tuple[list[Posted], bool]:
        """The letters that are `sending` now, to go to that relay; and whether some were left
        since it has had all that it may have."""
        with self.store.writing() as tx:
            due = {letter.id: letter for letter in letters.due(tx, now, _MOST)}
            if not due:
                return [], False
            self._pace.look(tx, now)
            starts = {relay.label: [_claimed(letter) for letter in due.values()]}
            admitted = self._pace.admit(lambda: tx, (), starts, now)
            for due_at, late in chain(admitted.postponed.items(), admitted.resting.items()):
                letters.postpone(tx, [one.id for one in late], due_at)
            going = [due[one.id] for one in admitted.starts[relay.label]]
            if going:
                letters.start(tx, [one.id for one in going], self.worker, self._lease(now))
        return going, bool(admitted.waiting)

    def _lease(self, now: datetime) -> datetime:
        """Until when a batch is ours: a lease too short for a slow relay would mail twice."""
        settings = self.site.sending
        return now + timedelta(seconds=settings.lease_seconds + _STEPS * settings.timeout_seconds)

    # --- the wire -------------------------------------------------------------------------

    async def _deliver(
        self, relay: Relay, batch: Sequence[Posted], ends: Counter[DeliveryState]
    ) -> None:
        """Nothing, once all of the batch has an end, is put off, or is due again.

        Raises: RelayProblem, with all that has no end given back.
        """
        bag = MailBag(relay)
        for letter in batch:
            if (envelope := self._envelope(letter, ends)) is not None:
                bag.waiting.append(envelope)
        if not bag.waiting:
            return
        said = ""
        try:
            async with aclosing(bag.carry(self.site)) as carried:
                async for ended in carried:
                    self._record(ended, ends)
        except RelayProblem as problem:
            said = str(problem)
            raise
        finally:
            with self.store.writing() as tx:
                for letter in bag.begun:
                    letters.put_off(tx, letter, self.worker, _now(), _STOPPED)
                for letter in bag.rest:
                    letters.give_back(tx, letter, self.worker, _now(), said)

    def _envelope(self, letter: Posted, ends: Counter[DeliveryState]) -> Envelope | None:
        """What goes on the wire; None if that cannot be written, which is recorded."""
        assert self._composer is not None  # noqa: S101 - made at the round's begin
        now = _now()
        try:
            return self._composer.envelope(letter, now)
        except ListGone as gone:
            self._end(letter, DeliveryState.SKIPPED, gone.what, ends)
        except Undeliverable as error:
            self._end(letter, DeliveryState.REFUSED, error.what, ends)
        except MailoutError as error:  # ours to mend: the reader is to lose nothing
            self._trouble = str(error)
            self._record([(letter, Outcome(Verdict.DEFERRED, text=str(error)))], ends)
            with self.store.writing() as tx:
                alerts.letters_broken(tx, self.site, letter.list_id, str(error), now)
        return None

    def _record(
        self, ended: Sequence[tuple[Posted, Outcome]], ends: Counter[DeliveryState]
    ) -> None:
        """Nothing, once what became of the letters is on disk."""
        now = _now()
        with self.store.writing() as tx:
            letters.extend(tx, self.worker, self._lease(now))
            for letter, outcome in ended:
                step = self._step(letter, outcome, now)
                said = without_address(outcome.reply, letter.address)
                if step.next_at is not None:
                    letters.put_off(tx, letter, self.worker, step.next_at, said)
                else:
                    letters.end(tx, letter, self.worker, step.state, said, now)
                if says_too_fast(outcome):
                    recorded = Recorded(_claimed(letter), outcome, step)
                    self._pace.admit(lambda: tx, [recorded], {}, now)
                ends[step.state] += 1

    def _end(
        self, letter: Posted, state: DeliveryState, why: str, ends: Counter[DeliveryState]
    ) -> None:
        with self.store.writing() as tx:
            letters.end(tx, letter, self.worker, state, why, _now())
        ends[state] += 1

    def _step(self, letter: Posted, outcome: Outcome, now: datetime) -> Step:
        """The step after an attempt; one that would come too late to be of use is none."""
        # Nobody is asked about an unknown end: a link that comes twice does no harm.
        plan = replace(retry_plan(self.site.sending), holds_unknown=False)
        jitter = random.random()  # noqa: S311 - spreads retries, guards nothing
        attempts = letter.attempts + 1
        step = after_attempt(outcome, attempts, letter.created_at, now, plan, jitter)
        if step.next_at is not None and step.next_at >= letter.expires_at:
            return Step(DeliveryState.EXPIRED)
        return step

    def _tell_if_stuck(self, now: datetime) -> None:
        """Nothing, once the contact is told if letters wait that nobody could try."""
        with self.store.reading() as tx:
            waiting = letters.waiting(tx, untried=True)
        if waiting.since is None or now - waiting.since < _STUCK:
            return
        with self.store.writing() as tx:
            alerts.letters_stuck(tx, self.site, waiting.list_id, waiting.count, waiting.said, now)


def without_address(said: str, address: str) -> str:
    """A server's words less the addresses, and the name of ours, that they quote."""
    local = address.rpartition("@")[0]
    words = _ADDRESS.sub("(address)", said)
    if local:
        words = re.sub(rf"(?i)(?<!\w){re.escape(local)}(?!\w)", "(name)", words)
    return words


def _claimed(letter: Posted) -> Claimed:
    """The letter as the pace knows deliveries; it is of no dispatch."""
    return Claimed(
        id=letter.id,
        issue_id=0,
        dispatch_id=0,
        address_key=letter.address_key,
        language=letter.language,
        edition="",
        attempts=letter.attempts,
        queued="",
        address=letter.address,
        name="",
        country="",
        token="",
    )


def _now() -> datetime:
    return datetime.now(UTC)
