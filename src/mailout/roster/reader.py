"""The reader: the rows of a file as people, a chunk at a time, made by a process of its own.

Reading, checking and hashing a row takes as long as writing it. So a large file is read by a
second process, one chunk ahead of the first, which alone touches the store. It is this module,
run with the same Python; the order goes to it by a pipe (it holds the key of the addresses),
and people come back by another. A small file, or one that is no plain file, is read here.

The reader ends when its pipe does: no reader outlives its import.
"""

from __future__ import annotations

import marshal
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import IO, Any, BinaryIO

from mailout.core.address import Address
from mailout.core.errors import BadFile, MailoutError
from mailout.core.subscription import SubscriptionState
from mailout.core.suppression import SuppressionReason
from mailout.roster import opening
from mailout.roster.entry import Entry
from mailout.roster.form import Form, Sheaf
from mailout.roster.opening import Opened
from mailout.roster.reading import Broken

LARGE = 4_000_000
"""Bytes from which on a file gets a reader of its own, which takes a third of a second to start."""

_LENGTH = 8
_FORMAT = 2  # of `marshal`: without looking for what is there twice
_STATES = {state.value: state for state in SubscriptionState}
_REASONS = {"": None, **{reason.value: reason for reason in SuppressionReason}}

Sheaves = Iterator[tuple[Sheaf, float]]
"""Chunks of rows as people, each with the fraction of the file that was read."""


@contextmanager
def sheaves(opened: Opened, form: Form, chunk: int) -> Iterator[Sheaves]:
    """The people of an opened file, so many rows at a time."""
    path = _path(opened.source.file)
    if not path or opened.source.size < LARGE or not sys.executable:
        yield _here(opened, form, chunk)
        return
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "mailout.roster.reader"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    ) as process:
        try:
            yield _beside(process, opened, form, chunk, path)
        finally:
            process.kill()


def _path(file: BinaryIO) -> str:
    """Where the file can be opened again; empty if it cannot."""
    name = getattr(file, "name", "")
    return os.path.abspath(name) if isinstance(name, str) and os.path.isfile(name) else ""


def _here(opened: Opened, form: Form, chunk: int) -> Sheaves:
    rows = iter(opened.table.rows)
    while read := list(islice(rows, chunk)):
        yield form.sheaf(read), opened.source.fraction()


def _beside(
    process: subprocess.Popen[bytes], opened: Opened, form: Form, chunk: int, path: str
) -> Sheaves:
    assert process.stdin is not None and process.stdout is not None  # noqa: S101 - pipes
    order = {
        "path": path,
        "name": opened.source.shown,
        "sha256": opened.source.sha256,
        "open": opened.asked,
        "chunk": chunk,
        "form": {
            "tags": form.tags,
            "key": form.key,
            "foreign": form.foreign,
            "standing": form.standing,
            "declared": form.declared,
            "header": form.header,
            "keep_cells": form.keep_cells,
        },
    }
    try:
        pickle.dump(order, process.stdin)
        process.stdin.close()
    except BrokenPipeError:
        raise _ended_early(opened.source.shown) from None
    pipe, shown = process.stdout, opened.source.shown
    # While the store writes one chunk, a thread takes the next out of the pipe.
    with ThreadPoolExecutor(1) as beside:
        coming = beside.submit(_received, pipe, shown)
        while (found := coming.result()) is not None:
            coming = beside.submit(_received, pipe, shown)
            yield found


def _received(pipe: IO[bytes], shown: str) -> tuple[Sheaf, float] | None:
    """The next chunk of people; None at the end."""
    head = pipe.read(_LENGTH)
    size = int.from_bytes(head)
    if len(head) == _LENGTH and size == 0:
        return None
    body = pipe.read(size)
    if len(head) < _LENGTH or len(body) < size:
        raise _ended_early(shown)
    said = marshal.loads(body)  # noqa: S302 - of a process of ours
    if said[0] == "error":
        raise BadFile(said[1], where=said[2], fix=said[3])
    return _unpacked(said), said[1]


def _ended_early(shown: str) -> MailoutError:
    return MailoutError(
        "the process that reads the file ended early",
        where=shown,
        fix="Import the file again: what is in already stays as it is.",
    )


def _packed(sheaf: Sheaf, fraction: float) -> bytes:
    # Few people differ in what is said of them beside who they are: that is told once for all.
    said: dict[tuple[Any, ...], int] = {}
    people = [
        (
            one.number, one.address.text, one.address.local, one.address.domain, one.key, one.name,
            said.setdefault(
                (one.language, one.country, one.tags, one.state, one.suppressed, one.choice),
                len(said),
            ),
            one.agreed, one.fields, one.cells,
        )
        for one in sheaf.people.values()
    ]  # fmt: skip
    alike = [
        (language, country, tags, str(state), "" if reason is None else str(reason), choice)
        for language, country, tags, state, reason, choice in said
    ]
    broken, warnings = (
        [(one.row, one.value, one.why, one.cells) for one in pile]
        for pile in (sheaf.broken, sheaf.warnings)
    )
    counts = (sheaf.rows, sheaf.doubled, sheaf.roles, sheaf.doubles)
    return marshal.dumps(("sheaf", fraction, people, alike, broken, warnings, counts), _FORMAT)


def _unpacked(said: tuple[Any, ...]) -> Sheaf:
    _, _, people, alike, broken, warnings, (rows, doubled, roles, doubles) = said
    of = [
        (language, country, tags, _STATES[state], _REASONS[reason], choice)
        for language, country, tags, state, reason, choice in alike
    ]
    found: dict[str, Entry] = {}
    for number, text, local, domain, key, name, like, agreed, fields, cells in people:
        language, country, tags, state, reason, choice = of[like]
        found[key] = Entry(
            number, Address(text, local, domain), key, name, language, country, tags,
            state, reason, agreed, fields, cells, choice,
        )  # fmt: skip
    return Sheaf(
        found, rows, doubled, roles, doubles,
        [Broken(*one) for one in broken], [Broken(*one) for one in warnings],
    )  # fmt: skip


def _send(pipe: IO[bytes], body: bytes) -> None:
    pipe.write(len(body).to_bytes(_LENGTH))
    pipe.write(body)
    pipe.flush()


def _serve(asked: IO[bytes], answers: IO[bytes]) -> None:
    """Reads the file that is asked for, and writes its people."""
    import gc

    order = pickle.load(asked)  # noqa: S301 - of the process that started this one
    try:
        with open(order["path"], "rb") as file:
            opened = opening.opened(file, order["name"], **order["open"])
            if opened.source.sha256 != order["sha256"]:
                raise BadFile("the file was changed while it was read", where=order["name"])
            form = Form(opened.columns, **order["form"])
            # What opening a spreadsheet leaves behind are 85 MB; rows leave nothing of the kind.
            gc.collect()
            gc.disable()
            for sheaf, fraction in _here(opened, form, order["chunk"]):
                _send(answers, _packed(sheaf, fraction))
    except MailoutError as error:
        _send(answers, marshal.dumps(("error", error.what, error.where, error.fix), _FORMAT))
    except OSError as error:
        said = ("error", f"cannot be read: {error.strerror}", order["name"], "")
        _send(answers, marshal.dumps(said, _FORMAT))
    answers.write(bytes(_LENGTH))
    answers.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started it ends it
    try:
        _serve(sys.stdin.buffer, sys.stdout.buffer)
    except BrokenPipeError:
        os._exit(1)
