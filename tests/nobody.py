"""Being somebody who may not: the superuser, as whom CI runs, is refused nothing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NOBODY = 65534


@contextmanager
def without_rights(path: Path) -> Iterator[None]:
    """In this block only what everybody may do to `path` is allowed; the way to it is open."""
    if os.geteuid() != 0:
        yield
        return
    temporary = Path(tempfile.gettempdir()).resolve()
    for folder in path.resolve().parents:
        if folder.is_relative_to(temporary) and folder != temporary:
            folder.chmod(folder.stat().st_mode | 0o011)
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
