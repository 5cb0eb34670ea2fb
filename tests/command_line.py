"""Calling commands as a person does: words in, exit code and both streams out."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mailout.cli.main import main
from mailout.smtp.catcher import Catcher, Caught


class IssueCatcher(Catcher):
    """Shows what was mailed of issues; letters, such as the report on each send, are apart."""

    @property
    def messages(self) -> list[Caught]:
        return [one for one in super().messages if not _is_letter(one)]

    @property
    def letters(self) -> list[Caught]:
        return [one for one in super().messages if _is_letter(one)]


def _is_letter(caught: Caught) -> bool:
    return b"\r\nAuto-Submitted: " in caught.content


@dataclass(frozen=True)
class Said:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class CommandLine:
    """A shell in a site's folder."""

    root: Path
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *words: str, code: int = 0) -> Said:
        """What the command said; fails the test if it ends with another code than expected."""
        self.capsys.readouterr()
        found = main(["--site", str(self.root), *words])
        out, err = self.capsys.readouterr()
        assert found == code, f"{words} ended with {found}\n{out}\n{err}"
        assert "Traceback" not in err
        return Said(found, out, err)

    def write(self, path: str, text: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def fall_back_to_english(self) -> None:
        """From now on English stands in for every text that is not translated."""
        path = self.root / "lists" / "bulletin.toml"
        text = path.read_text("utf-8")
        path.write_text(text.replace("[fallback]\n", '[fallback]\n"*" = ["en"]\n'), "utf-8")

    def import_people(self, text: str, *words: str) -> Said:
        self.write("people.csv", text)
        return self(
            "subscribers", "import", str(self.root / "people.csv"), "--list", "bulletin",
            "--consent", "signed at the gate", *words,
        )  # fmt: skip

    @contextmanager
    def relay(self, catcher: Catcher) -> Iterator[Catcher]:
        """While the block lasts, mail goes to the catcher."""
        url = f"smtp+plain://127.0.0.1:{catcher.port}?connections=3"
        os.environ["MAILOUT_RELAY_URL"] = url
        try:
            yield catcher
        finally:
            os.environ.pop("MAILOUT_RELAY_URL", None)
