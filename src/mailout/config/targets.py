"""`targets/*.toml`: whom letters go to, by country."""

from __future__ import annotations

import re
from pathlib import Path

from mailout.catalogue import is_country
from mailout.config import mailbox, toml
from mailout.core.errors import BadFile, place
from mailout.core.target import Targets

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")


def read(root: Path) -> dict[str, Targets]:
    """The tables below `targets/` by their names. Raises: BadFile with file and line."""
    found = {}
    for path in sorted((root / "targets").glob("*.toml")):
        shown = f"targets/{path.name}"
        if not _NAME.fullmatch(path.stem):
            raise BadFile(
                "the file's name may hold only a-z, 0-9 and hyphens before `.toml`", where=shown
            )
        values, source = toml.read(path, shown)
        targets = toml.check(Targets, values, source, shown)
        for country, target in targets.by_country().items():
            path_ = ("countries", country) if country else ("default",)
            if country and not is_country(country):
                raise BadFile(
                    f"`{country}` is not a country code",
                    where=place(shown, toml.line_of(source, path_)),
                    fix="The United Kingdom is GB." if country == "UK" else "Write one such as DE.",
                )
            mailbox.check(target.email, place(shown, toml.line_of(source, (*path_, "email"))))
        found[path.stem] = targets
    return found
