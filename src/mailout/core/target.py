"""Targets: whom a letter goes to, by the country of the reader who writes it.

A file `targets/embassies.toml` holds one target for each country, and a default for all others:
a ministry at home, or the embassy that is responsible.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

_STRICT: dict[str, object] = {"extra": "forbid"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Somebody to write to. `name` has a text per language, or one for all (key: empty)."""

    __pydantic_config__: ClassVar = _STRICT
    email: str
    name: str | Mapping[str, str] = ""

    def name_in(self, language: str) -> str:
        """The name in a language; in another one where it has none."""
        if isinstance(self.name, str):
            return self.name
        return self.name.get(language) or next(iter(self.name.values()), "")

    def shown(self, language: str) -> str:
        """Name and address as one writes them: `Embassy in Berlin <berlin@example.org>`."""
        name = self.name_in(language)
        return f"{name} <{self.email}>" if name else self.email


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """One `targets/NAME.toml`."""

    __pydantic_config__: ClassVar = _STRICT
    default: Target
    countries: Mapping[str, Target] = field(default_factory=dict)

    def by_country(self) -> dict[str, Target]:
        """Every target by its country; the default under an empty one."""
        return {"": self.default, **self.countries}
