"""What the tests of the roster share: an import in one line, and a shell in the site."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import CommandLine
from mailout.core.site import Site
from mailout.roster.counting import ImportReport
from mailout.store.engine import Store
from roster_tools import Import, import_into


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
