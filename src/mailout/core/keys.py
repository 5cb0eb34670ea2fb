"""The secrets of a site, one per purpose, as read from its `keys.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mailout.core.token import Ring


@dataclass(frozen=True, slots=True)
class Keys:
    """Never printed: the fields stay out of `repr`.

    `address` hashes address keys and never rotates, since an erased address cannot be
    hashed again. `message_id` may change at any time: it only makes ids.
    `partners` has one for each organisation with which suppressions are shared.
    """

    address: bytes = field(repr=False)
    message_id: bytes = field(repr=False)
    undo: Ring = field(repr=False)
    return_path: Ring = field(repr=False)
    partners: Mapping[str, bytes] = field(default_factory=dict, repr=False)
