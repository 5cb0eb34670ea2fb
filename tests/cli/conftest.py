"""A new site as `mailout init` makes it, on either database, with a shell in it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from command_line import CommandLine, IssueCatcher
from mailout.cli.main import main


@pytest.fixture
def catcher() -> Iterator[IssueCatcher]:
    with IssueCatcher() as running:
        yield running


@pytest.fixture(scope="session")
def new_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `mailout init` has made, once; each test works in a copy."""
    root = tmp_path_factory.mktemp("new") / "site"
    with pytest.MonkeyPatch.context() as patch:
        for name in ("STORE_URL", "KEYS_FILE"):
            patch.delenv(f"MAILOUT_{name}", raising=False)
        assert main(["init", str(root)]) == 0
    return root


@pytest.fixture(params=["sqlite", "postgresql"])
def shell(
    request: pytest.FixtureRequest,
    new_site: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[CommandLine]:
    """In a site of its own; `MAILOUT_STORE_URL` points to PostgreSQL for the second run."""
    root = tmp_path / "site"
    shutil.copytree(new_site, root)
    if request.param == "sqlite":
        yield CommandLine(root, capsys)
        return
    server = request.getfixturevalue("postgresql")
    name = server.create(template="mailout_template")
    monkeypatch.setenv("MAILOUT_STORE_URL", server.url(name))
    yield CommandLine(root, capsys)
    server.drop(name)
