"""A desk on either database, and a catcher to send to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from mailout.core.site import Site
from mailout.smtp.catcher import Catcher
from mailout.store.engine import Store
from send_desk import Desk


@pytest.fixture
def desk(site: Site, store: Store) -> Desk:
    bulletin = site.lists["bulletin"]
    everyone = replace(next(iter(bulletin.settings.segments.values())), rule="everyone")
    segments = {**bulletin.settings.segments, "everyone": everyone}
    settings = replace(bulletin.settings, segments=segments, languages=("en", "ru"))
    return Desk(replace(site, lists={"bulletin": replace(bulletin, settings=settings)}), store)


@pytest.fixture
def catcher() -> Iterator[Catcher]:
    with Catcher() as running:
        yield running
