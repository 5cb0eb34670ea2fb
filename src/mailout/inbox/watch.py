"""All ways in at once, for as long as it is wanted: a thread for each mailbox, one for the files of
this machine, one for the listener.

What goes wrong on one way is told once and tried again after a while, ever longer; the others
go on.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from mailout.core.arrival import Keep
from mailout.core.errors import MailoutError
from mailout.core.inbox import ImapBox, Inbox
from mailout.inbox import imap, lmtp, maildir, mbox
from mailout.inbox.batch import Came

Tell = Callable[[str, Mapping[str, object]], None]
"""Takes what happened, as a word and its circumstances; never an address of a reader."""

_WAITS = (5.0, 15.0, 60.0, 300.0)  # seconds after a failure; the last one repeats
_REFUSED = 900.0  # seconds after a login was refused
_EVERY = 5.0  # seconds from one look at files to the next
_LEAVE = 30.0  # seconds to wait for a thread that is to end


Read = Callable[[Keep], Iterator[Came]]
"""Reads a way once: hands on what is there, and tells of each batch that was kept."""


def ways(inbox: Inbox) -> Iterator[tuple[str, Read]]:
    """Each way that is read, by name: Maildirs, mbox files, mailboxes."""
    yield from _files(inbox)
    for box in inbox.imap:
        yield box.label, partial(_read_mailbox, box, inbox.max_bytes)


def _files(inbox: Inbox) -> Iterator[tuple[str, Read]]:
    for path in inbox.maildir:
        yield path, partial(maildir.fetch, path, most=inbox.max_bytes)
    for path in inbox.mbox:
        yield path, partial(mbox.fetch, path, most=inbox.max_bytes, empty=inbox.empty_mbox)


def _read_mailbox(box: ImapBox, most: int, keep: Keep) -> Iterator[Came]:
    with imap.session(box) as opened:
        yield from opened.fetch(keep, most)


def watch(inbox: Inbox, keep: Keep, tell: Tell, stop: threading.Event) -> None:
    """Nothing, once it is to stop and each way has come to rest.

    Raises: what `tell` raises: with nobody to tell, all ways stop.
    """
    watching = _Watching(inbox, keep, tell, stop)
    threads = [
        threading.Thread(target=watching.guard, args=(work,), daemon=True)
        for work in watching.works()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        while thread.is_alive() and not stop.is_set():
            thread.join(0.2)  # short, so that a signal is heard
        thread.join(_LEAVE)
    if watching.failure is not None:
        raise watching.failure


@dataclass(slots=True)
class _Waits:
    """How long a way that failed is left alone."""

    left: float = 0.0
    failures: int = 0

    def longer(self, least: float = 0.0) -> None:
        """Another failure."""
        self.left = max(least, _WAITS[min(self.failures, len(_WAITS) - 1)])
        self.failures += 1

    def reset(self) -> None:
        """No failure any more."""
        self.left, self.failures = 0.0, 0

    def is_over(self, passed: float) -> bool:
        """Whether it is time again, so many seconds after the last question."""
        self.left = max(0.0, self.left - passed)
        return self.left == 0.0


@dataclass(slots=True)
class _Watching:
    """What the threads share."""

    inbox: Inbox
    keep: Keep
    tell: Tell
    stop: threading.Event
    failure: BaseException | None = None
    _told: dict[str, str] = field(default_factory=dict)

    def works(self) -> list[Callable[[], None]]:
        """What each thread does until it is to stop."""
        files = list(_files(self.inbox))
        works: list[Callable[[], None]] = [partial(self._mailbox, box) for box in self.inbox.imap]
        if files:
            works.append(partial(self._look_at, files))
        if self.inbox.lmtp:
            works.append(self._listener)
        return works

    def guard(self, work: Callable[[], None]) -> None:
        """Does the work of a thread; should that fail, no other goes on as if all were well."""
        try:
            work()
        except BaseException as error:
            self.failure = error
            self.stop.set()

    def _look_at(self, files: list[tuple[str, Read]]) -> None:
        waits = {name: _Waits() for name, _ in files}
        while not self.stop.is_set():
            for name, read in files:
                if waits[name].is_over(_EVERY):
                    self._in_peace(name, partial(self._once, name, read, waits[name]), waits[name])
            self.stop.wait(_EVERY)

    def _once(self, name: str, read: Read, waits: _Waits) -> None:
        for came in read(self.keep):
            self._came(came)
            if self.stop.is_set():
                return
        self._well(name, waits)

    def _mailbox(self, box: ImapBox) -> None:
        waits = _Waits()
        while not self.stop.is_set():
            self._in_peace(box.label, partial(self._session, box, waits), waits)
            self.stop.wait(waits.left)

    def _session(self, box: ImapBox, waits: _Waits) -> None:
        with imap.session(box) as opened:
            while not self.stop.is_set():
                for came in opened.fetch(self.keep, self.inbox.max_bytes):
                    self._came(came)
                    if self.stop.is_set():
                        return
                self._well(box.label, waits)
                opened.wait(self.stop)

    def _listener(self) -> None:
        waits = _Waits()
        where = self.inbox.lmtp

        def trouble(why: str) -> None:
            self._trouble(where, why)

        def came(one: Came) -> None:
            self._well(where, waits)
            self._came(one)

        while not self.stop.is_set():
            listen = partial(
                lmtp.listen, where, self.keep, self.inbox.max_bytes, came, trouble, self.stop
            )
            self._in_peace(where, listen, waits)
            self.stop.wait(waits.left)

    def _in_peace(self, name: str, work: Callable[[], None], waits: _Waits) -> None:
        """Does the work; what goes wrong is told, and says how long to wait."""
        try:
            work()
        except MailoutError as error:
            waits.longer(_REFUSED if isinstance(error, imap.LoginRefused) else 0.0)
            self._trouble(name, str(error))
        except Exception as error:  # the last one who can: its words might quote a mail
            waits.longer()
            frame = traceback.extract_tb(error.__traceback__)[-1]
            self._trouble(name, f"{type(error).__name__} at {frame.filename}:{frame.lineno}")

    def _came(self, came: Came) -> None:
        if came.new:
            self.tell("came in", {"where": came.where, "mails": came.mails, "new": came.new})

    def _trouble(self, name: str, why: str) -> None:
        if why != self._told.get(name):
            self._told[name] = why
            self.tell("trouble", {"where": name, "why": why})

    def _well(self, name: str, waits: _Waits) -> None:
        waits.reset()
        if self._told.pop(name, ""):
            self.tell("well again", {"where": name})
