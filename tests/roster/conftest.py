"""What the tests of the roster share: an import in one line, and a shell in the site."""

from __future__ import annotations

import io
import secrets
from pathlib import Path

import pytest

from command_line import CommandLine
from mailout.core.site import Site
from mailout.roster import importing
from mailout.roster.counting import ImportReport
from mailout.store.engine import Store
from other_systems import Bring
from roster_tools import NOW, Import, accounted, import_into


@pytest.fixture
def take(site: Site, store: Store) -> Import:
    """Imports a text or bytes into the store: `take("email\\nanna@example.org\\n", tags=("a",))`."""

    def take(file: str | bytes, **options: object) -> ImportReport:
        return import_into(site, store, file, **options)

    return take


@pytest.fixture
def shell(
    site_root: Path,
    store: Store,
    store_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> CommandLine:
    """A shell in the site, whose store is the test's."""
    monkeypatch.setenv("MAILOUT_STORE_URL", store_url)
    return CommandLine(site_root, capsys)


@pytest.fixture
def bring(site: Site, store: Store) -> Bring:
    """Imports a text under a file name: `bring(text, "members.csv", status="subscribed")`."""

    def bring(text: str, name: str = "export.csv", **options: object) -> ImportReport:
        order = importing.Order("bulletin", "moved from the old system", **options)  # type: ignore[arg-type]
        return accounted(
            importing.import_people(
                site, store, io.BytesIO(text.encode()), name, order, NOW, secrets.token_bytes
            )
        )

    return bring
