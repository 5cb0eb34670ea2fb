"""A site whose issues were sent to a few people, and its store, for tests of what comes back."""

from __future__ import annotations

import email
import email.policy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

from sqlalchemy import select, update

from mailout.config.bounce_rules import standard_rules
from mailout.core.address import Address
from mailout.core.consent import MOVED, Consent, ConsentAction
from mailout.core.delivery import DeliveryState
from mailout.core.inbound.rules import Rules
from mailout.core.site import Site
from mailout.core.subscriber import Subscriber
from mailout.send import plan
from mailout.smtp.catcher import Catcher
from mailout.store import (
    consents,
    deliveries,
    dispatches,
    erasure,
    members,
    people,
    rests,
    segments,
)
from mailout.store.deliveries import Listed
from mailout.store.engine import Store
from mailout.store.issues import Issue
from mailout.store.tables import BUCKET, DELIVERY, EVENT, SUBSCRIBER, SUBSCRIPTION
from returns import age
from send_desk import Desk


@dataclass
class Sent:
    """A desk that has sent issues; `issues` has them in their order."""

    desk: Desk
    catcher: Catcher
    issues: list[Issue] = field(default_factory=list)

    @property
    def site(self) -> Site:
        return self.desk.site

    @property
    def store(self) -> Store:
        return self.desk.store

    @property
    def rules(self) -> Rules:
        return standard_rules()

    def send(self, name: str) -> Issue:
        """The issue, sent to everyone who is to get it."""
        issue = self.desk.issue(name)
        self.desk.send(self.desk.enqueue(issue))
        self.issues.append(issue)
        return issue

    def delivery(self, address: str, issue: Issue | None = None) -> Listed:
        issue = issue or self.issues[-1]
        with self.store.reading() as tx:
            found = deliveries.listed(tx, issue.id)
        return next(one for one in found if one.address == address)

    def person(self, address: str) -> Subscriber:
        with self.store.reading() as tx:
            found = people.find(tx, Address.parse(address).key(self.site.keys.address))
        assert found is not None
        return found

    def deliveries(self) -> list[Listed]:
        """Those of the last issue that were sent or are to be."""
        with self.store.reading() as tx:
            found = deliveries.listed(tx, self.issues[-1].id)
        return [one for one in found if one.state is not DeliveryState.SKIPPED]

    def rewind(self, days: float) -> None:
        """Nothing, once all that happened so far happened so many days earlier."""
        age(self.store, days)
        earlier = timedelta(days=days)
        with self.store.writing() as tx:
            for table, names in (
                (EVENT, ("at",)),
                (SUBSCRIBER, ("bounce_paused_at", "probe_from")),
            ):
                for row in tx.execute(table.select()).all():
                    moments = {n: getattr(row, n) - earlier for n in names if getattr(row, n)}
                    if moments:
                        tx.execute(update(table).where(table.c.id == row.id).values(**moments))

    def leave_token(self, address: str) -> str:
        with self.store.reading() as tx:
            query = select(SUBSCRIPTION.c.token).where(
                SUBSCRIPTION.c.subscriber_id == self.person(address).id
            )
            return str(tx.scalar(query))

    def state(self, dispatch_id: int) -> str:
        with self.store.reading() as tx:
            return dispatches.get(tx, dispatch_id).state.value

    def resume(self, provider: str, now: datetime) -> None:
        with self.store.writing() as tx:
            assert rests.end(tx, provider, now)
            tx.execute(update(DELIVERY).where(DELIVERY.c.state == "queued").values(next_at=now))
            tx.execute(BUCKET.delete())

    def send_again(self) -> None:
        with self.store.reading() as tx:
            [dispatch] = dispatches.of_issue(tx, self.issues[-1].id)
        self.desk.send(dispatch)

    def erase(self, address: str, now: datetime) -> None:
        with self.store.writing() as tx:
            erasure.erase(tx, self.person(address), now, "test")

    def members(self, rule: str) -> list[str]:
        """The addresses of those of whom a rule is true."""
        bulletin = self.site.lists["bulletin"]
        scope = plan.choice(bulletin, 0, "everyone", "").scope
        with self.store.reading() as tx:
            condition = segments.condition(tx, bulletin.people(rule, "a test"), scope)
            return [one.address for one in people.page(tx, condition, list_id="bulletin")]

    def move(self, address: str, new: str) -> None:
        """Nothing, once the person has the address `new`."""
        parsed = Address.parse(new)
        with self.store.writing() as tx:
            key = parsed.key(self.site.keys.address)
            person = self.person(address)
            members.move(tx, person.id, parsed, key)
            evidence = Consent(
                "bulletin", person.id, key, ConsentAction.CONFIRMED, datetime.now(UTC), source=MOVED
            )
            consents.append(tx, [evidence])

    def leave_by_mail(self) -> None:
        """Nothing, once the site offers to leave by a mail."""
        site = replace(self.site, inbound=replace(self.site.inbound, leave_by_mail=True))
        self.desk = Desk(site, self.store)

    def caught(self) -> list[EmailMessage]:
        """What the catcher has."""
        return [
            email.message_from_bytes(one.content, policy=email.policy.default)
            for one in self.catcher.messages
        ]
