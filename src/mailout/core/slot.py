"""Slots: the few places of a mail that differ from reader to reader.

A template is rendered and inlined once per issue and language with plain words in the
places of the slots - premailer, URL quoting and the encoders leave plain words alone.
"""

from __future__ import annotations

import re
from enum import StrEnum

_MARK = "zqslot{}zq"
PATTERN = re.compile(r"zqslot([a-z]+?)zq")
"""Finds slots in rendered text; group 1 is the slot's name."""


class Slot(StrEnum):
    """What a slot holds for one reader."""

    TOKEN = "token"  # noqa: S105 - the name of a slot
    """The leave token, as it stands in links."""
    GREETING = "greeting"
    """The salutation, in the reader's language."""

    @property
    def mark(self) -> str:
        """The word that stands for the slot until a message is composed."""
        return _MARK.format(self.value)
