"""A site whose issue was sent to a few people, on either database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest

from mailout.core.address import Address
from mailout.core.site import Site
from mailout.core.subscriber import Subscriber
from mailout.smtp.catcher import Catcher
from mailout.store import deliveries, people
from mailout.store.deliveries import Listed
from mailout.store.engine import Store
from mailout.store.issues import Issue
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


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def sent(site: Site, store: Store) -> Iterator[Sent]:
    bulletin = site.lists["bulletin"]
    everyone = replace(next(iter(bulletin.settings.segments.values())), rule="everyone")
    segments = {**bulletin.settings.segments, "everyone": everyone}
    settings = replace(bulletin.settings, segments=segments, languages=("en", "ru"))
    desk = Desk(replace(site, lists={"bulletin": replace(bulletin, settings=settings)}), store)
    with Catcher() as catcher:
        yield Sent(desk.toward(catcher), catcher)
