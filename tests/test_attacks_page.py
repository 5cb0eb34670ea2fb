"""The page of attacks names tests that are there."""

from __future__ import annotations

import re

from places import REPOSITORY

NAME = re.compile(r"`((?:[a-z]+/)*test_[a-z_]+\.py)?(?:::(test_\w+))?`")


def test_every_test_that_is_named_is_there() -> None:
    page = (REPOSITORY / "docs" / "attacks.md").read_text("utf-8")
    for line in page.splitlines():
        if not line.startswith("| ") or line.startswith("| attack"):
            continue
        file, found = "", 0
        for path, test in NAME.findall(line):
            file = path or file
            text = (REPOSITORY / "tests" / file).read_text("utf-8")
            assert not test or re.search(rf"\bdef {test}\(", text), f"{file} has no {test}"
            found += 1
        assert found, line
