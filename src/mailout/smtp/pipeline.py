"""The wire of one connection: envelopes out, outcomes back, as few round trips as can be.

| the server offers | how envelopes go | round trips |
|---|---|---|
| CHUNKING and PIPELINING | RSET MAIL RCPT BDAT, `depth` at a time | 1 for `depth` messages |
| PIPELINING | end of a body and the next MAIL RCPT DATA in one write | 1 a message |
| neither | step by step | 4 a message |

The protocol pulls: it takes an envelope from its source whenever the wire has room, and
gives each back with its outcome, or *returned* when it was never the server's turn to take
it.
An envelope whose whole message was written and whose last reply never came is UNKNOWN.

Standards: RFC 5321 3.3 and 4.1.4 (order), RFC 2920 (PIPELINING: a message's content may
stand first in a group), RFC 3030 (CHUNKING), RFC 1870 (SIZE), RFC 6152 (8BITMIME),
RFC 6531 (SMTPUTF8), RFC 3461 (DSN: reports without the message, our id in them).
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from time import monotonic

from mailout.core.delivery import Outcome, Verdict
from mailout.smtp.envelope import Envelope, Offer, Source, commands, excluded
from mailout.smtp.replies import ROUND, Nonsense, Reply, ReplyReader

_WATCH = 0.5  # seconds between looks at the clock


class _Step(Enum):
    """What a reply is the answer to."""

    RSET = "RSET"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    END = "the message"
    QUIT = "QUIT"


# To look a member up costs a tenth of a microsecond, and a message asks for a dozen.
_MAIL, _RCPT, _DATA, _END_OF_DATA = _Step.MAIL, _Step.RCPT, _Step.DATA, _Step.END
_ACCEPTED = Verdict.ACCEPTED


@dataclass(slots=True, eq=False)
class _Transfer:
    """An envelope under way, and what the server has said of it."""

    envelope: Envelope
    started: float
    rcpt: bytes = b""
    written: bool = False
    refusal: tuple[_Step, Reply] | None = None


@dataclass(slots=True, eq=False)
class Pipeline(asyncio.Protocol):
    """Drives one connection from its opening to its end; `closed` is set then.

    `most` is how many envelopes it takes before it ends the session (0: any number).
    """

    source: Source
    offer: Offer
    relay: str
    patience: float
    depth: int = 8
    most: int = 0
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    accepted: int = 0
    _transport: asyncio.Transport | None = None
    _reader: ReplyReader = field(default_factory=ReplyReader)
    _awaited: deque[tuple[_Step, _Transfer | None]] = field(default_factory=deque)
    _under_way: deque[_Transfer] = field(default_factory=deque)
    _begun: int = 0
    _needs_reset: bool = False
    _quitting: bool = False
    _ends_idle: bool = False
    _heard: float = 0.0
    _timer: asyncio.TimerHandle | None = None

    @property
    def under_way(self) -> list[Envelope]:
        """The envelopes of which the outcome is awaited."""
        return [transfer.envelope for transfer in self._under_way]

    # --- from the loop ------------------------------------------------------------------

    def begin(self, transport: asyncio.Transport) -> None:
        """Takes the connection over and sends what the source has."""
        self._transport = transport
        transport.set_protocol(self)
        self._heard = monotonic()
        self._timer = asyncio.get_running_loop().call_later(_WATCH, self._watch)
        self.wake()

    def wake(self) -> None:
        """Looks at the source again, if the wire has room."""
        if self._transport is None or self._quitting or self.closed.is_set():
            return
        written: list[bytes] = []
        self._fill(written, monotonic())
        self._write(written)

    def quit(self) -> None:
        """Takes no more envelopes; ends the session when the last outcome is there."""
        if self._quitting or self.closed.is_set():
            return
        self._quitting = True
        if not self._under_way:
            self._say_goodbye()

    def cut(self) -> None:
        """Closes the connection at once and tells nobody what became of what was under way."""
        self.closed.set()
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    def quit_when_idle(self) -> None:
        """Goes on as long as the source has envelopes, then ends the session."""
        self._ends_idle = True
        if not self._under_way and not self._awaited:
            self.quit()

    def abort(self, why: str) -> None:
        """Ends the connection now; what is under way gets its outcome."""
        self._end(why)

    def data_received(self, data: bytes) -> None:
        self._heard = monotonic()
        written: list[bytes] = []
        if not self._hear_round(data, written):
            try:
                for code, words in self._reader.feed(data):
                    self._hear(Reply(code, words), written)
                    if self._transport is None:
                        return
            except Nonsense as nonsense:
                self._end(f"the server's reply is nonsense: {nonsense}")
                return
            if not self._quitting:
                self._fill(written, self._heard)
        self._write(written)
        if not self._under_way and not self._awaited:
            if self._ends_idle:
                self._quitting = True
            if self._quitting:
                self._say_goodbye()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._end("the connection was lost")

    # --- what goes out ------------------------------------------------------------------

    def _fill(self, written: list[bytes], now: float) -> None:
        """Begins as many transfers as the wire has room for."""
        room = self.depth if self.offer.chunking else 1
        while len(self._under_way) < room and self._may_begin():
            if not self._begin_next(written, now):
                return

    def _may_begin(self) -> bool:
        """Without PIPELINING nothing is sent before the last answer is there."""
        return not self._quitting and (self.offer.pipelining or not self._awaited)

    def _begin_next(self, written: list[bytes], now: float) -> bool:
        """Whether the source had an envelope that the server can take."""
        while (envelope := self.source.take()) is not None:
            why = excluded(envelope, self.offer)
            if why is None:
                self._begin(_Transfer(envelope, now), written)
                return True
            enhanced, words = why
            outcome = Outcome(Verdict.REFUSED, 0, enhanced, words, self.relay)
            self.source.finished(envelope, outcome)
        return False

    def _begin(self, transfer: _Transfer, written: list[bytes]) -> None:
        envelope, awaited = transfer.envelope, self._awaited
        self._under_way.append(transfer)
        self._begun += 1
        if self._begun == self.most:
            self._quitting = True
        if self._needs_reset:
            self._needs_reset = False
            written.append(b"RSET\r\n")
            awaited.append((_Step.RSET, None))
        mail, rcpt = commands(envelope, self.offer)
        if not self.offer.pipelining:
            transfer.rcpt = rcpt.encode()
            written.append(mail.encode())
            awaited.append((_MAIL, transfer))
            return
        if not self.offer.chunking:
            written.append(f"{mail}{rcpt}DATA\r\n".encode())
            awaited += ((_MAIL, transfer), (_RCPT, transfer), (_DATA, transfer))
            return
        size = len(envelope.message)
        written.append(f"{mail}{rcpt}BDAT {size} LAST\r\n".encode())
        written.append(envelope.message)
        transfer.written = True
        awaited += ((_MAIL, transfer), (_RCPT, transfer), (_END_OF_DATA, transfer))
        # Whether this one fails is known only when the next is on the wire already.
        self._needs_reset = True

    def _write(self, written: list[bytes]) -> None:
        if written and self._transport is not None:
            self._transport.write(b"".join(written))

    # --- what comes back ----------------------------------------------------------------

    def _hear_round(self, data: bytes, written: list[bytes]) -> bool:
        """Whether `data` was a whole round trip in which all went well, and is dealt with: one
        message accepted, the next one's envelope too.

        Nearly all rounds of a send are such. `_hear` would come to the same, reply by reply.
        """
        awaited = self._awaited
        if len(awaited) != 4 or not self._reader.is_empty:
            return False
        (first, ended), (last, begun) = awaited[0], awaited[3]
        if first is not _END_OF_DATA or last is not _DATA or ended is None or begun is None:
            return False
        if ended.refusal is not None or (replies := ROUND.fullmatch(data)) is None:
            return False
        awaited.clear()
        self._under_way.popleft()
        self._accept(ended, 250, replies[1].decode() if replies[1] else "", replies[2].decode())
        self._write_message(begun, written)
        return True

    def _hear(self, reply: Reply, written: list[bytes]) -> None:
        if not self._awaited:
            if reply.code == 421:
                self._end(f"the server closes: {reply.code} {reply.text}")
                return
            raise Nonsense(f"a reply to nothing: {reply.code}")
        step, transfer = self._awaited.popleft()
        if reply.code == 421 and step is not _Step.QUIT:
            self._closing(step, transfer, reply)
            return
        if transfer is None:  # RSET or QUIT: what they answer changes nothing
            if step is _Step.QUIT:
                self._end("")
            return
        if step is _END_OF_DATA:
            self._finish(transfer, reply)
        elif step is _DATA:
            self._heard_data(transfer, reply, written)
        else:
            self._heard_envelope(step, transfer, reply, written)

    def _heard_envelope(
        self, step: _Step, transfer: _Transfer, reply: Reply, written: list[bytes]
    ) -> None:
        """The answer to MAIL or RCPT; later answers only follow from the first refusal."""
        if not reply.is_positive and transfer.refusal is None:
            transfer.refusal = (step, reply)
        if self.offer.pipelining:
            return
        if transfer.refusal is not None:
            self._finish(transfer, reply)
        elif step is _Step.MAIL:
            written.append(transfer.rcpt)
            self._awaited.append((_Step.RCPT, transfer))
        else:
            written.append(b"DATA\r\n")
            self._awaited.append((_Step.DATA, transfer))

    def _heard_data(self, transfer: _Transfer, reply: Reply, written: list[bytes]) -> None:
        if reply.code != 354:
            self._finish(transfer, reply)
            return
        if transfer.refusal is not None:
            # It wants a message although nobody is to have it: an empty one, then (RFC 2920 3.1).
            written.append(b".\r\n")
        else:
            self._write_message(transfer, written)
            return
        self._awaited.append((_END_OF_DATA, transfer))
        self._go_on(written)

    def _write_message(self, transfer: _Transfer, written: list[bytes]) -> None:
        message = transfer.envelope.message
        written.append(message if message.endswith(b"\r\n") else message + b"\r\n")
        written.append(b".\r\n")
        transfer.written = True
        self._awaited.append((_END_OF_DATA, transfer))
        self._go_on(written)

    def _go_on(self, written: list[bytes]) -> None:
        """Lets the next envelope follow the end of a message in the same write."""
        if self.offer.pipelining and not self._quitting:
            self._begin_next(written, self._heard)

    def _finish(self, transfer: _Transfer, reply: Reply) -> None:
        if self._under_way[0] is transfer:
            self._under_way.popleft()
        else:
            self._under_way.remove(transfer)
        if transfer.refusal is None and 200 <= reply.code <= 299:
            self._accept(transfer, reply.code, *reply.split())
            return
        step, decisive = transfer.refusal or (_Step.END, reply)
        # A transaction ends with its message, good or bad; one broken off before stays open.
        self._needs_reset = self._needs_reset or step is not _Step.END or not transfer.written
        if step is _Step.MAIL and decisive.code >= 500:
            self.source.returned(transfer.envelope)
            self.source.refused_us(decisive)
            return
        self.source.finished(transfer.envelope, self._outcome(transfer, step, decisive))

    def _accept(self, transfer: _Transfer, code: int, enhanced: str, text: str) -> None:
        self.accepted += 1
        seconds = self._heard - transfer.started
        outcome = Outcome(_ACCEPTED, code, enhanced, text, self.relay, seconds)
        self.source.finished(transfer.envelope, outcome)

    def _outcome(self, transfer: _Transfer, step: _Step, reply: Reply) -> Outcome:
        enhanced, text = reply.split()
        if 500 <= reply.code <= 599:
            verdict = Verdict.REFUSED
        elif 400 <= reply.code <= 499 or not transfer.written:
            verdict = Verdict.DEFERRED
        else:
            verdict = Verdict.UNKNOWN
        seconds = self._heard - transfer.started
        return Outcome(verdict, reply.code, enhanced, text, self.relay, seconds, step.value)

    # --- ends ---------------------------------------------------------------------------

    def _closing(self, step: _Step, transfer: _Transfer | None, reply: Reply) -> None:
        """421: the server takes this envelope later, and ends the session (RFC 5321 3.8)."""
        if transfer is not None:
            self._under_way.remove(transfer)
            enhanced, text = reply.split()
            seconds = self._heard - transfer.started
            outcome = Outcome(
                Verdict.DEFERRED, 421, enhanced, text, self.relay, seconds, step.value
            )
            self.source.finished(transfer.envelope, outcome)
        # Replies come in order: nothing behind a 421 was taken.
        for later in self._under_way:
            self.source.returned(later.envelope)
        self._under_way.clear()
        self._end("")

    def _say_goodbye(self) -> None:
        if self._transport is None:
            return
        self._awaited.append((_Step.QUIT, None))
        self._transport.write(b"QUIT\r\n")

    def _watch(self) -> None:
        """Ends a connection on which an answer is due for longer than `patience` seconds."""
        if self.closed.is_set():
            return
        waiting = monotonic() - self._heard
        if not self._awaited:
            self._heard = monotonic()
        elif waiting > (5 if self._awaited[0][0] is _Step.QUIT else self.patience):
            self._end("the server did not answer in time")
            return
        self._timer = asyncio.get_running_loop().call_later(_WATCH, self._watch)

    def _end(self, why: str) -> None:
        """Closes, and gives every envelope under way its outcome."""
        if self.closed.is_set():
            return
        self.cut()
        for number, transfer in enumerate(self._under_way):
            if transfer.written:
                text = f"{why} with the message on the wire"
                outcome = Outcome(Verdict.UNKNOWN, 0, "", text, self.relay)
                self.source.finished(transfer.envelope, outcome)
            elif number == 0:
                # Whatever broke the connection, it was at this one: it counts as a try, so
                # that a server which always hangs up here is not asked for ever.
                outcome = Outcome(Verdict.DEFERRED, 0, "", why, self.relay)
                self.source.finished(transfer.envelope, outcome)
            else:
                self.source.returned(transfer.envelope)
        self._under_way.clear()
        self._awaited.clear()
