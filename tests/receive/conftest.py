"""A site whose issues were sent to a few people, on either database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mailout.core.site import Site
from mailout.smtp.catcher import Catcher
from mailout.store.engine import Store
from send_desk import Desk
from walks_in import Sent


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
