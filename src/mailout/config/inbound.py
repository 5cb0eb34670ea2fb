"""`[inbound]` of `config.toml`: checked, and its paths made those of the site's folder."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from mailout.config import toml
from mailout.core.errors import BadFile, place
from mailout.core.inbox import ImapBox, Inbox, is_loopback

_HOST_AND_PORT = re.compile(r"([^:/]+|\[[^\]]*\]):(\d+)")
_SECRETS = ("password_env", "password_file", "token_file", "token_command")
_LEAST_BYTES = 100_000
_LONGEST_SOCKET = 100  # bytes; the system's own bound is 107


def resolved(inbox: Inbox, root: Path, source: str, shown: str) -> Inbox:
    """The ways in, with absolute paths.

    Raises: BadFile with the line of `source`, the text of the file `shown`.
    """

    def where(*keys: str) -> str:
        return place(shown, toml.line_of(source, ("inbound", *keys)))

    if inbox.max_bytes < _LEAST_BYTES:
        raise BadFile(
            f"`max_bytes` must be at least {_LEAST_BYTES}",
            where=where("max_bytes"),
            fix="A bounce that gives a whole bulletin back is larger than that at times.",
        )
    if inbox.keep_days < 1:
        raise BadFile("`keep_days` must be at least 1", where=where("keep_days"))
    for key in ("maildir", "mbox"):
        if "" in getattr(inbox, key):
            raise BadFile(f"`{key}` holds an empty path", where=where(key))
    _check_twice(inbox, where)
    return replace(
        inbox,
        imap=tuple(
            _box(box, root, lambda key, at=str(number): where("imap", at, key))  # type: ignore[misc]
            for number, box in enumerate(inbox.imap)
        ),
        maildir=tuple(str(root / path) for path in inbox.maildir),
        mbox=tuple(str(root / path) for path in inbox.mbox),
        lmtp=_listener(inbox.lmtp, root, where("lmtp")),
    )


def _check_twice(inbox: Inbox, where: Callable[..., str]) -> None:
    """Two readers of one place would fetch everything twice."""
    boxes = [(box.host.lower(), box.real_port, box.username, box.folder) for box in inbox.imap]
    for number, name in enumerate(boxes):
        if name in boxes[:number]:
            raise BadFile("this mailbox stands here twice", where=where("imap", str(number)))
    for key in ("maildir", "mbox"):
        paths = getattr(inbox, key)
        if twice := next((path for path in paths if paths.count(path) > 1), None):
            raise BadFile(f"`{twice}` stands here twice", where=where(key))


def _box(box: ImapBox, root: Path, where: Callable[[str], str]) -> ImapBox:
    if with_port := _HOST_AND_PORT.fullmatch(box.host):
        raise BadFile(
            f"`host` holds a port: {box.host}",
            where=where("host"),
            fix=f'Write `host = "{with_port[1].strip("[]")}"` and `port = {with_port[2]}`.',
        )
    for key in ("host", "username", "folder"):
        if not getattr(box, key):
            raise BadFile(f"`{key}` is empty", where=where(key))
    if not 0 <= box.port < 65536:
        raise BadFile("`port` must be from 1 to 65535", where=where("port"))
    if box.tls == "none" and not box.is_loopback:
        raise BadFile(
            f"`tls = none` would show the password and all mail on the way to {box.host}",
            where=where("tls"),
            fix="Use tls or starttls; none is for this machine only.",
        )
    given = [key for key in _SECRETS if getattr(box, key)]
    if len(given) != 1:
        raise BadFile(
            f"both `{given[0]}` and `{given[1]}` are set"
            if given
            else "there is nothing to log in with",
            where=where(given[1] if given else "username"),
            fix=f"Write one of {', '.join(_SECRETS)}.",
        )
    if box.move_to == box.folder:
        raise BadFile("`move_to` is the folder that is read", where=where("move_to"))
    if box.poll_seconds < 5:
        raise BadFile("`poll_seconds` must be at least 5", where=where("poll_seconds"))
    files = {
        key: str(root / path)
        for key in ("password_file", "token_file")
        if (path := getattr(box, key))
    }
    return replace(box, **files)  # type: ignore[arg-type]  # paths are texts


def _listener(told: str, root: Path, where: str) -> str:
    """`told` as it is, or its absolute path. Raises: BadFile."""
    if not told:
        return ""
    if address := _HOST_AND_PORT.fullmatch(told):
        if not is_loopback(address[1].strip("[]")):
            raise BadFile(
                f"`lmtp` would listen to everybody who reaches {address[1]}",
                where=where,
                fix="Write 127.0.0.1, or a path: it is for the mail server of this machine.",
            )
        if not 0 < int(address[2]) < 65536:
            raise BadFile("the port of `lmtp` must be from 1 to 65535", where=where)
        return told
    if "/" not in told:
        raise BadFile(
            f"`{told}` is no place to listen at",
            where=where,
            fix="Write 127.0.0.1:8024, or the path of a socket such as ./lmtp.sock.",
        )
    path = str(root / told)
    if len(path.encode()) > _LONGEST_SOCKET:
        raise BadFile("the path of the socket is too long", where=where, fix="Choose a short one.")
    return path
