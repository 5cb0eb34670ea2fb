"""What goes on beside a command: letters are mailed, what came in is looked at, and the store is
kept tidy.

A thread of its own, every two seconds a round of the postman (`send.postman`) and a look at what
came in (`receive.processing`), every minute the upkeep (`preferences.upkeep`). What goes wrong
there is told in one line and tried again: it ends no command.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from mailout.cli import incoming
from mailout.cli.console import note
from mailout.cli.sending import signers_of
from mailout.config.templates import read_templates
from mailout.core.errors import MailoutError
from mailout.core.site import Site
from mailout.preferences import upkeep
from mailout.receive.processing import Done
from mailout.send import presence
from mailout.send.postman import Postman, Round
from mailout.store.engine import Store

Tell = Callable[[str, Mapping[str, object]], None]
"""Takes what happened, as a word and its circumstances; never an address."""

_EVERY = 2.0  # seconds from one round to the next
_TIDY = 60.0  # seconds from one upkeep to the next
_LOOK = 0.2  # seconds between looks at whether to stop
_GRACE = 0.8  # seconds that a round may go on once it is to stop
_LEAVE = 3.0  # seconds to wait for the thread


@contextmanager
def beside(site: Site, store: Store, tell: Tell, *, post: bool = True) -> Iterator[None]:
    """While the block lasts, the store is tidied, and letters are mailed if to be `post`ed."""
    work = _Upkeep(site, store, tell, post)
    thread = threading.Thread(target=work.run, name="upkeep", daemon=True)
    thread.start()
    try:
        yield
    finally:
        work.stop.set()
        thread.join(_LEAVE)


def post_once(site: Site, store: Store) -> Round:
    """What one round of the postman came to. Raises: MailoutError if the store fails, or a template
    or a key for signing cannot be read."""
    with _name(site) as worker:
        postman = _postman(site, store, worker)
        return asyncio.run(postman.round()) if postman.has_work(_now()) else Round({})


def post_beside(site: Site, store: Store) -> None:
    """Nothing, once the letters that are due were mailed; what is wrong with them is only told."""
    try:
        wrong = post_once(site, store).trouble
    except MailoutError as error:
        wrong = str(error)
    if wrong:
        note(f"Letters: {wrong}")


def tidy_once(site: Site, store: Store) -> None:
    """Nothing, once the store is tidy. Raises: MailoutError if it fails."""
    upkeep.tidy(store, _now(), timedelta(days=site.inbound.keep_days))


def _postman(site: Site, store: Store, worker: str) -> Postman:
    return Postman(store, site, worker, lambda: read_templates(site.root), signers_of(site))


@contextmanager
def _name(site: Site) -> Iterator[str]:
    """The name of a worker; where the site's folder cannot be written only its leases tell others
    that it is at work."""
    with ExitStack() as stack:
        try:
            worker = stack.enter_context(presence.present(site.root))
        except OSError:
            worker = secrets.token_hex(8)
        yield worker


@dataclass(slots=True)
class _Upkeep:
    """The thread's work, until `stop` is set."""

    site: Site
    store: Store
    tell: Tell
    post: bool
    stop: threading.Event = field(default_factory=threading.Event)
    _postman: Postman | None = None
    _told: dict[str, str] = field(default_factory=dict)
    _tidy_at: float = 0.0

    def run(self) -> None:
        with _name(self.site) as worker:
            while not self.stop.is_set():
                if self.post:
                    self._in_peace("letters", lambda: self._round(worker))
                if not self.stop.is_set():
                    self._in_peace("inbound", self._look)
                if time.monotonic() >= self._tidy_at and not self.stop.is_set():
                    self._tidy_at = time.monotonic() + _TIDY
                    self._in_peace("upkeep", self._tidy)
                self.stop.wait(_EVERY)

    def _round(self, worker: str) -> str | None:
        """What went wrong in a round; None if there was none to be made."""
        if self._postman is None:
            self._postman = _postman(self.site, self.store, worker)
        if not self._postman.has_work(_now()):
            return None
        came = asyncio.run(self._until_stopped(self._postman))
        if came is None:
            return None
        if came.did:
            self.tell("letters", came.did)
        return came.trouble or came.held

    async def _until_stopped(self, postman: Postman) -> Round | None:
        """What the round came to; None if it was stopped."""
        going = asyncio.ensure_future(postman.round())
        while not self.stop.is_set():
            done, _ = await asyncio.wait({going}, timeout=_LOOK)
            if done:
                return going.result()
        await asyncio.wait({going}, timeout=_GRACE)
        going.cancel()
        try:
            return await going
        except asyncio.CancelledError:
            return None

    def _look(self) -> str:
        return self._tell_looked(incoming.look_quickly(self.site, self.store))

    def _tell_looked(self, done: Done) -> str:
        if done.any:
            self.tell("inbound", {**done.kinds, **done.standings})
        return ""

    def _tidy(self) -> str:
        tidy_once(self.site, self.store)
        return self._tell_looked(incoming.lift_the_quiet(self.site, self.store))

    def _in_peace(self, name: str, work: Callable[[], str | None]) -> None:
        """Does the work, and tells what is wrong with it; once, as long as it is the same."""
        try:
            wrong = work()
        except MailoutError as error:
            wrong = str(error)
        except Exception as error:  # the last one who can: its words might quote an address
            frame = traceback.extract_tb(error.__traceback__)[-1]
            wrong = f"{name}: {type(error).__name__} at {frame.filename}:{frame.lineno}"
        if wrong is None:
            return
        if wrong and wrong != self._told.get(name):
            self.tell("trouble", {"why": wrong})
        self._told[name] = wrong


def _now() -> datetime:
    return datetime.now(UTC)
