"""Chromium, the served site, and windows; a machine without a browser skips what asks for one."""

from __future__ import annotations

import os
from collections.abc import Iterator

import chromium
import pytest
from chromium import Window, launched, window
from harbour_site import Harbour, harbour
from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def chromium_program() -> str:
    """The program; a machine that runs the tests for us must have it."""
    found = chromium.program()
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is not installed")
        pytest.skip("apt install chromium")
    return found


# Not once a session: while it runs no test could start an event loop, and those of other modules
# do. It starts in less than half a second.
@pytest.fixture(scope="module")
def browser(chromium_program: str) -> Iterator[Browser]:
    with launched(chromium_program) as started:
        yield started


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harbour]:
    """The site, its issue sent, its pages served; tests bring their own newcomers."""
    with harbour(tmp_path_factory.mktemp("harbour") / "site") as site:
        yield site


@pytest.fixture
def opened(browser: Browser) -> Iterator[Window]:
    """A telephone's window in which scripts run."""
    with window(browser) as one:
        yield one
