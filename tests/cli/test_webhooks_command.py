"""`mailout inbound webhooks`: the address to paste in, and no secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import CommandLine

TABLES = """
[webhooks.postmark]
username = "mailout"
password_env = "HOOK_PASSWORD"

[webhooks.mailgun]
signing_key_env = "HOOK_KEY"
"""


@pytest.fixture
def mailout(site_root: Path, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """In a site without a store: none is needed."""
    return CommandLine(site_root, capsys)


@pytest.fixture
def hooked(mailout: CommandLine, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    path = mailout.root / "config.toml"
    path.write_text(path.read_text("utf-8") + TABLES, encoding="utf-8")
    monkeypatch.setenv("HOOK_PASSWORD", "an invented password")
    monkeypatch.delenv("HOOK_KEY", raising=False)
    return mailout


def test_it_prints_an_address_for_each_provider(hooked: CommandLine) -> None:
    found = hooked("inbound", "webhooks", "--json").json
    assert found == [
        {
            "provider": "postmark",
            "url": "http://mailout:$HOOK_PASSWORD@127.0.0.1:8080/hooks/postmark",
            "missing": None,
        },
        {
            "provider": "mailgun",
            "url": "http://127.0.0.1:8080/hooks/mailgun",
            "missing": "HOOK_KEY",
        },
    ]
    said = hooked("inbound", "webhooks")
    assert "HOOK_KEY is not set" in said.out and "ready" in said.out
    assert 'token_header = "X-PM-Metadata-delivery"' in said.err
    assert "mailgun replaces" not in said.err
    assert "invented" not in said.out + said.err


def test_without_any_it_says_so(mailout: CommandLine) -> None:
    assert "No provider's notices are taken" in mailout("inbound", "webhooks").out
    assert mailout("inbound", "webhooks", "--json").json == []


def test_the_doctor_names_what_is_missing(hooked: CommandLine) -> None:
    checks = {one["check"]: one["problem"] for one in hooked("doctor", "--json", code=1).json}
    assert checks["webhook mailgun"] == "HOOK_KEY is not set here"
    assert "replaces the return path" in checks["webhook postmark"]
