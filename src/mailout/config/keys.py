"""`keys.toml`: the site's secrets. Made by `init`, readable by its owner alone."""

from __future__ import annotations

import base64
import binascii
import os
import re
import secrets
import stat
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mailout.config import toml
from mailout.core.errors import BadFile, MailoutError
from mailout.core.keys import Keys
from mailout.core.partnership import NAME
from mailout.core.token import Key, Ring

FILE = "keys.toml"
_SINGLE = ("address", "message_id")
_RINGS = ("undo", "return_path")
_PARTNERS = "partners"
_PARTNERS_HEAD = """
# One secret for each organisation with which suppressions are shared (docs/suppressions.md).
# `mailout suppressions partner` writes and takes away the lines.
[partners]
"""

_HEAD = """\
# The secrets of this site, made on {day}. Keep a copy in a safe place, never in git.
#
# address      hashes addresses for the suppression list. Never change it: what was
#              erased cannot be hashed again, and would be mailed after the next import.
# message_id   makes Message-IDs.
# undo         signs the 24-hour undo of a leave. The newest key signs, all listed verify.
# return_path  signs return paths, so that a bounce can be trusted. As above.
#
# docs/keys.md says what is lost with each of them.
"""


def path_of(root: Path) -> Path:
    """Where the site's keys are: `MAILOUT_KEYS_FILE`, or `keys.toml` in the site."""
    moved = os.environ.get("MAILOUT_KEYS_FILE")
    return Path(moved) if moved else root / FILE


def write_new(root: Path) -> Path:
    """The file of fresh keys just written, mode 0600. Raises: MailoutError if there is one."""
    path = path_of(root)
    lines = [_HEAD.format(day=datetime.now(UTC).date().isoformat())]
    lines += [f'{name} = "{fresh()}"' for name in _SINGLE]
    lines += [f'\n[[{name}]]\nnumber = 1\nsecret = "{fresh()}"' for name in _RINGS]
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise MailoutError("there are keys already", where=str(path)) from None
    with os.fdopen(handle, "w") as file:
        file.write("\n".join(lines) + "\n")
    return path


def read(root: Path) -> Keys:
    """The site's keys.

    Raises: MailoutError if the file is missing or others can read it; BadFile if it is broken.
    """
    path = path_of(root)
    shown = str(path)
    try:
        mode = path.stat().st_mode
    except OSError:
        raise MailoutError(
            "the site's keys are missing",
            where=shown,
            fix="Copy keys.toml back, or set MAILOUT_KEYS_FILE; `mailout init` makes new ones "
            "only for a new site.",
        ) from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise MailoutError(
            "other people on this machine can read the site's keys",
            where=shown,
            fix=f"Run `chmod 600 {shown}`.",
        )
    values, _ = toml.read(path, shown)
    unknown = sorted(set(values) - {*_SINGLE, *_RINGS, _PARTNERS})
    if unknown:
        raise BadFile(f"unknown key `{unknown[0]}`", where=shown)
    return Keys(
        address=_secret(values, "address", shown),
        message_id=_secret(values, "message_id", shown),
        undo=_ring(values, "undo", shown),
        return_path=_ring(values, "return_path", shown),
        partners=_partners(values, shown),
    )


def fresh() -> str:
    """A new secret of 32 bytes, in base64."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


def decoded(text: str, where: str) -> bytes:
    """The bytes of a secret that somebody gave us in base64. Raises: BadFile if it is none."""
    return _secret({"secret": text.strip()}, "secret", where)


def set_partner(root: Path, name: str, secret: str) -> None:
    """Nothing, once the file has that secret (base64) for the partner, and no other; with an empty
    one it has none. The file is replaced in one step."""
    path = path_of(root)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    head = next((at for at, line in enumerate(lines) if line.strip() == f"[{_PARTNERS}]"), None)
    if head is None:
        lines += _PARTNERS_HEAD.splitlines(keepends=True)
        head = len(lines) - 1
    own = re.compile(rf'\s*"?{re.escape(name)}"?\s*=')
    end = next((at for at in range(head + 1, len(lines)) if lines[at].startswith("[")), len(lines))
    kept = [line for line in lines[head + 1 : end] if not own.match(line)]
    added = [f'{name} = "{secret}"\n'] if secret else []
    _replace(path, "".join([*lines[: head + 1], *added, *kept, *lines[end:]]))


def _replace(path: Path, text: str) -> None:
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def _partners(values: Mapping[str, Any], shown: str) -> dict[str, bytes]:
    table = values.get(_PARTNERS, {})
    if not isinstance(table, dict):
        raise BadFile(f"`{_PARTNERS}` is no table of secrets", where=shown)
    for name in table:
        if not NAME.fullmatch(name):
            raise BadFile(
                f"a partner cannot be called `{name}`: use a-z, 0-9 and hyphens", where=shown
            )
    return {name: _secret(table, name, shown) for name in table}


def _ring(values: Mapping[str, Any], name: str, shown: str) -> Ring:
    entries = values.get(name)
    if not isinstance(entries, list) or not entries:
        raise BadFile(f"the key ring `{name}` is missing", where=shown)
    keys = []
    for entry in entries:
        number = entry.get("number") if isinstance(entry, dict) else None
        if not isinstance(number, int) or not 0 <= number <= 255:
            raise BadFile(f"a key of `{name}` needs a `number` from 0 to 255", where=shown)
        keys.append(Key(number, _secret(entry, "secret", shown)))
    if len({key.number for key in keys}) != len(keys):
        raise BadFile(f"two keys of `{name}` have the same number", where=shown)
    return Ring(tuple(sorted(keys, key=lambda key: -key.number)))


def _secret(values: Mapping[str, Any], name: str, shown: str) -> bytes:
    try:
        raw = base64.b64decode(str(values[name]), validate=True)
    except KeyError:
        raise BadFile(f"the key `{name}` is missing", where=shown) from None
    except (binascii.Error, ValueError):
        raise BadFile(f"`{name}` is not base64", where=shown) from None
    if len(raw) < 16:
        raise BadFile(f"`{name}` is too short to be a secret", where=shown)
    if len(raw) > 64:
        raise BadFile(f"`{name}` is longer than the 64 bytes that BLAKE2b takes", where=shown)
    return raw
