"""Signatories: people who agreed to be named in public as supporters, in so many words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Signatory:
    """One who is named. `personal` marks that they speak for themselves, not for the
    organisation; `agreed` is how they agreed, and is never printed."""

    name: str
    role: str = ""
    organisation: str = ""
    country: str = ""
    personal: bool = False
    agreed: str = ""

    def as_field(self) -> dict[str, object]:
        """What is kept of it with the subscriber, whose country is the subscriber's own."""
        return {name: value for name, value in asdict(self).items() if name != "country"}

    @classmethod
    def of_field(cls, value: object, country: str) -> Signatory | None:
        """The signatory that `as_field` kept; None for anything else."""
        if not isinstance(value, Mapping) or not value.get("name") or not value.get("agreed"):
            return None
        texts = {
            key: str(value.get(key) or "") for key in ("name", "role", "organisation", "agreed")
        }
        return cls(**texts, country=country, personal=value.get("personal") is True)
