"""`mailout subscribers reasons`: counts, and words without names."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mailout.cli.main import mailout
from mailout.config.site import read_site
from mailout.config.starter import copy_site
from mailout.core.errors import UsageError
from mailout.preferences.leave_reasons import give, ticket
from mailout.store.engine import open_store
from mailout.store.schema import upgrade

NOW = datetime(2026, 5, 3, 14, 7, tzinfo=UTC)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "site"
    copy_site(root)
    site = read_site(root)
    store = open_store(site.store.url, site.root)
    upgrade(store)
    store.close()
    return root


def answer(root: Path, *said: tuple[str, str]) -> None:
    site = read_site(root)
    store = open_store(site.store.url, site.root)
    for number, (reason, words) in enumerate(said):
        token = ticket(site.keys, "bulletin", NOW, lambda _, n=number: n.to_bytes(8))  # type: ignore[misc]
        assert give(store, site.keys, token, "bulletin", reason, words, NOW)
    store.close()


def call(root: Path, *words: str) -> None:
    mailout.main(["--site", str(root), "subscribers", "reasons", *words], standalone_mode=False)


def test_nobody_said_why(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call(root)
    assert capsys.readouterr().out == "Nobody said why.\n"


def test_counts_and_words(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer(root, ("too many", ""), ("too many", "one a week is enough"), ("not safe", ""))
    call(root, "--list", "bulletin")
    assert capsys.readouterr().out.splitlines() == [
        "people\treason",
        "2\ttoo many mails",
        "1\tnot safe for them",
        "",
        "day\tlist\treason\tin their words",
        "2026-05-03\tbulletin\ttoo many mails\tone a week is enough",
    ]


def test_json(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer(root, ("content", "too long"))
    call(root, "--json")
    said = json.loads(capsys.readouterr().out)
    assert said["counts"] == {
        "too many": 0, "not expected": 0, "never joined": 0, "content": 1, "not safe": 0, "other": 0,
    }  # fmt: skip
    assert said["words"] == [
        {"day": "2026-05-03", "list": "bulletin", "reason": "content", "words": "too long"}
    ]


def test_a_list_that_is_none_is_named(root: Path) -> None:
    with pytest.raises(UsageError, match="nonsense"):
        call(root, "--list", "nonsense")
