"""Letters for tests: written as the trips write them, mailed by a postman to a catcher."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

from sqlalchemy import Row, select

from mailout.config.templates import read_templates
from mailout.core.address import Address
from mailout.core.letter import Letter, LetterKind
from mailout.core.site import Relay, Sending, Site
from mailout.send import presence
from mailout.send.postman import Postman, Round
from mailout.smtp.catcher import Catcher
from mailout.store import letters
from mailout.store.asked_tables import LETTER
from mailout.store.engine import Store

TOKEN = "AbCdEfGhIjKlMnOpQrStUv"
SAID: Mapping[LetterKind, Mapping[str, str]] = {
    LetterKind.CONFIRM: {"token": TOKEN},
    LetterKind.KNOWN: {},
    LetterKind.WELCOME: {"leave": TOKEN},
    LetterKind.SETTINGS: {"token": TOKEN},
    LetterKind.NEW_ADDRESS: {"token": TOKEN},
    LetterKind.OLD_ADDRESS: {},
    LetterKind.REPORT: {"about": "dispatch 1", "subject": "Sent: w47", "text": "All is well."},
    LetterKind.ALERT: {"about": "held", "subject": "Held: w47", "text": "The relay is away."},
    LetterKind.REPLY: {"about": "mail 1", "subject": "Reply: Strike", "text": "I agree."},
}


@dataclass(frozen=True)
class PostOffice:
    """A site with its store, whose letters go to a catcher."""

    site: Site
    store: Store

    def toward(self, *ports: int, relay: Mapping[str, object] | None = None) -> PostOffice:
        relays = tuple(
            Relay(host="127.0.0.1", port=port, tls="none", **(relay or {}))  # type: ignore[arg-type]
            for port in ports
        )
        return self.having(relays=relays, sending=Sending(timeout_seconds=5))

    def having(self, **changes: object) -> PostOffice:
        return PostOffice(replace(self.site, **changes), self.store)  # type: ignore[arg-type]

    def setting(self, **changes: object) -> PostOffice:
        """The list with other settings."""
        bulletin = self.site.lists["bulletin"]
        settings = replace(bulletin.settings, **changes)  # type: ignore[arg-type]
        return self.having(lists={"bulletin": replace(bulletin, settings=settings)})

    def write(
        self,
        kind: LetterKind = LetterKind.CONFIRM,
        address: str = "anna@example.org",
        language: str = "en",
        *,
        list_id: str = "bulletin",
        ago: timedelta = timedelta(0),
        good_for: timedelta = timedelta(days=7),
        said: Mapping[str, str] | None = None,
    ) -> int:
        parsed = Address.parse(address)
        now = datetime.now(UTC) - ago
        with self.store.writing() as tx:
            return letters.add(
                tx,
                Letter(
                    kind=kind,
                    list_id=list_id,
                    language=language,
                    address=parsed.text,
                    address_key=parsed.key(self.site.keys.address),
                    abuse_key=parsed.abuse_key(self.site.keys.address),
                    said=SAID[kind] if said is None else said,
                    expires_at=now + good_for,
                ),
                now,
            )

    def postman(
        self,
        worker: str = "postman",
        sources: Callable[[], Mapping[str, str]] | None = None,
    ) -> Postman:
        return Postman(
            self.store, self.site, worker, sources or (lambda: read_templates(self.site.root))
        )

    def post(self, postman: Postman | None = None) -> Round:
        """One round, by a new postman unless one is given."""
        if postman is not None:
            return asyncio.run(postman.round())
        with presence.present(self.site.root) as worker:
            return asyncio.run(self.postman(worker).round())

    def make_due(self) -> None:
        """Nothing, once all that was put off is due."""
        with self.store.writing() as tx:
            letters.hasten(tx, datetime.now(UTC))

    def rows(self) -> list[Row[tuple[object, ...]]]:
        with self.store.reading() as tx:
            return list(tx.execute(select(LETTER).order_by(LETTER.c.id)).all())


def read(content: bytes) -> EmailMessage:
    """A caught message as the standard library reads it."""
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def the_only(catcher: Catcher) -> EmailMessage:
    """The one message that the catcher holds."""
    (caught,) = catcher.messages
    return read(caught.content)
